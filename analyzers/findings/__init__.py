"""Findings: what becomes of looks. The line: look (a mode) → step (pure: what each place's standing becomes) → write."""

from analyzers.findings.state import Finding, step
from analyzers.findings.store import Became, Refused, store

__all__ = ["Became", "Finding", "Refused", "step", "store"]
