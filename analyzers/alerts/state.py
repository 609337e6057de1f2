"""What becomes of an alert when its subject is looked at once more. Pure: no clock, no database.

                  wrong, often and long enough                right, often and long enough, and open for a while
    nothing → pending ────────────────────────→ open ────────────────────────────────────────────────→ resolved
                                                 ↕ acknowledged, muted (by people)

Two thresholds keep a value on the boundary from opening and closing in turn, and an alert that opened stays for `stay_for`: what
comes back within that time goes on as the same alert. So one subject opens at most once per `stay_for`, whatever its values do.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

State: TypeAlias = Literal["open", "acknowledged", "muted", "resolved"]
EventName: TypeAlias = Literal["opened", "told again", "grew", "unmuted", "resolved"]
Severity: TypeAlias = Literal["info", "warning", "critical"]


class Rule(msgspec.Struct, frozen=True):
    """When an alert of a rule opens, is told again and resolves; see `pigou.alert_rule`."""

    rule: str
    open_at: Decimal
    close_at: Decimal
    evidence_min: int
    open_evaluations: int
    open_for: timedelta
    close_evaluations: int
    close_for: timedelta
    stay_for: timedelta
    renotify_every: timedelta
    is_on: bool
    severity: Severity = "warning"
    grown_by: Decimal | None = None


class Seen(msgspec.Struct, frozen=True):
    """One look at a subject: a value, how much was looked at for it, what it means and how to mend it.

    `material`: the subject was held against this already, so that the alert says it where it is more than the rule's own.
    """

    value: Decimal
    evidence: int
    message: str
    mend: str
    material: Decimal | None = None

    def threshold(self, rule: Rule) -> Decimal:
        """From which value on this is wrong."""
        return rule.open_at if self.material is None else max(rule.open_at, self.material)


class Pending(msgspec.Struct, frozen=True):
    """Wrong, and not yet often or long enough."""

    since: datetime
    evaluations: int


class Alert(msgspec.Struct, frozen=True):
    """An alert that is not resolved, or has just been. `alert_id` is None until it is written."""

    alert_id: int | None
    state: State
    opened_at: datetime
    last_seen_at: datetime
    quiet_since: datetime | None
    quiet: int
    muted_until: datetime | None
    notified_at: datetime
    notifications: int
    evaluations: int
    value: Decimal
    threshold: Decimal
    message: str
    mend: str
    severity: Severity = "warning"
    resolved_at: datetime | None = None
    told_value: Decimal | None = None


class Event(msgspec.Struct, frozen=True):
    """Something that happened to an alert, and whether somebody is to be told."""

    event: EventName
    is_to_be_told: bool
    note: str | None = None


Standing: TypeAlias = Pending | Alert | None


def step(standing: Standing, seen: Seen | None, rule: Rule, now: datetime) -> tuple[Standing, Event | None]:
    """What a subject's standing becomes when it is seen so, and what happened by it. `seen` is None when nothing of it is there.

    Too little evidence is no evidence: nothing opens by it, and what is open grows quiet.
    """
    if seen is not None and (seen.evidence < rule.evidence_min or not rule.is_on):
        seen = None
    if isinstance(standing, Alert):
        return _step_alert(standing, seen, rule, now)
    if seen is None or seen.value < rule.open_at:
        return None, None
    pending = Pending(standing.since if standing else now, (standing.evaluations if standing else 0) + 1)
    if pending.evaluations < rule.open_evaluations or now - pending.since < rule.open_for:
        return pending, None
    opened = Alert(
        alert_id=None, state="open", opened_at=now, last_seen_at=now, quiet_since=None, quiet=0, muted_until=None,
        notified_at=now, notifications=1, evaluations=pending.evaluations, value=seen.value, threshold=seen.threshold(rule),
        message=seen.message, mend=seen.mend, severity=rule.severity, told_value=seen.value,
    )  # fmt: skip
    return opened, Event("opened", is_to_be_told=True)


def _step_alert(alert: Alert, seen: Seen | None, rule: Rule, now: datetime) -> tuple[Alert, Event | None]:
    alert = _looked_at(alert, seen, rule, now)
    if not rule.is_on:
        return _resolved(alert, now), Event("resolved", is_to_be_told=False, note="the rule is off")
    if alert.quiet_since is not None and alert.quiet >= rule.close_evaluations:
        if now - alert.quiet_since >= rule.close_for and now - alert.opened_at >= rule.stay_for:
            return _resolved(alert, now), Event("resolved", is_to_be_told=alert.state != "muted")
        return alert, None
    if alert.state == "muted" and alert.muted_until is not None and now >= alert.muted_until:
        return _told(msgspec.structs.replace(alert, state="open", muted_until=None), now), Event("unmuted", is_to_be_told=True)
    if _has_grown(alert, rule):
        return _told(msgspec.structs.replace(alert, state="open"), now), Event("grew", is_to_be_told=True)
    if alert.state == "open" and alert.quiet == 0 and now - alert.notified_at >= rule.renotify_every:
        return _told(alert, now), Event("told again", is_to_be_told=True)
    return alert, None


def _looked_at(alert: Alert, seen: Seen | None, rule: Rule, now: datetime) -> Alert:
    """The alert with this look: wrong again, right once more, or between the thresholds, which ends a row of either."""
    evaluations = alert.evaluations + 1
    if seen is None or seen.value < rule.close_at:
        since = alert.quiet_since or now
        return msgspec.structs.replace(alert, evaluations=evaluations, quiet=alert.quiet + 1, quiet_since=since)
    if seen.value < rule.open_at:
        return msgspec.structs.replace(alert, evaluations=evaluations, quiet=0, quiet_since=None)
    return msgspec.structs.replace(
        alert, evaluations=evaluations, quiet=0, quiet_since=None, last_seen_at=now, value=seen.value,
        threshold=seen.threshold(rule), message=seen.message, mend=seen.mend, severity=rule.severity,
    )  # fmt: skip


def _has_grown(alert: Alert, rule: Rule) -> bool:
    """Whether it is so much worse than what was last told that whoever acknowledged that should hear of it again."""
    if rule.grown_by is None or alert.told_value is None or alert.told_value <= 0 or alert.state == "muted" or alert.quiet:
        return False
    return alert.value >= rule.grown_by * alert.told_value


def _told(alert: Alert, now: datetime) -> Alert:
    return msgspec.structs.replace(alert, notified_at=now, notifications=alert.notifications + 1, told_value=alert.value)


def _resolved(alert: Alert, now: datetime) -> Alert:
    return msgspec.structs.replace(alert, state="resolved", resolved_at=now, muted_until=None)
