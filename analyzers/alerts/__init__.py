"""Alerts: what is wrong now, told once and told again, until it is right.

The line: observe (one statement per rule) → step (pure: what each subject's standing becomes) → write. Delivery is not done here:
a trigger makes a row for every channel that is to hear of an event, and `analyzers/delivery/` sends them.
"""

from analyzers.alerts.escalate import escalate
from analyzers.alerts.evaluate import Evaluated, evaluate

__all__ = ["Evaluated", "escalate", "evaluate"]
