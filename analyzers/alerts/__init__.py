"""Alerts: what is wrong now, told once and told again, until it is right.

The line: observe (one statement per rule) → step (pure: what each subject's standing becomes) → write. Delivery is not done here:
whoever delivers reads the events of `ledger.alert_events` that are to be told, after the last one it read.
"""

from analyzers.alerts.evaluate import Evaluated, evaluate

__all__ = ["Evaluated", "evaluate"]
