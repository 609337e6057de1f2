"""What becomes of a finding when its place is looked at once more. Pure: no clock, no database.

    nothing ── wrong ──→ open ── cleared, or right often and long enough; or gone ──→ resolved
                          ↕ acknowledged (by people; open again when it has grown)

A look is *wrong* when it stands as a discovery, is material and its interval excludes what would be right; *right* when its
dollars are below half of what is material; *cleared* when its interval, or that of the past week, excludes that it is material
any more; between these nothing changes, and a look without enough evidence says nothing: a finding that no look has said anything
of for a day is unclear until one does. A finding stays for a day at least, so that a place opens at most once a day, whatever its
looks say.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from analyzers.modes.look import Look

Status: TypeAlias = Literal["open", "acknowledged", "resolved"]
EventName: TypeAlias = Literal["opened", "grew", "resolved"]
Verdict: TypeAlias = Literal["wrong", "between", "right", "cleared", "unknown"]
Resolution: TypeAlias = Literal["right again", "gone"]

CLOSE_BELOW = 0.5
"""Of materiality: below this a place is right again, from materiality on it is wrong."""
GROWN_BY = 2.0
"""Told again when it is so many times what was last told."""
RIGHT_LOOKS, RIGHT_FOR = 3, timedelta(days=1)
"""So many looks in a row, and for so long, before what is right resolves."""
STAY_FOR = timedelta(days=1)
UNCLEAR_AFTER = timedelta(days=1)
RECENT, RECENT_DAYS_MIN = timedelta(days=7), 3
"""What has lost nothing material for a week is over, if so many days of it are known; a week, since weekends differ."""


class Finding(msgspec.Struct, frozen=True):
    """A finding that is not resolved, or has just been. `finding_id` is None until it is written.

    `until`: how far what was last found wrong reaches. `quiet`: looks in a row that found it right, since `quiet_since`.
    `unsaid_since`: since when no look has had evidence enough to say anything; `is_unclear` once that has been so for a day.
    """

    finding_id: int | None
    status: Status
    opened_at: datetime
    seen_at: datetime
    looked_at: datetime
    until: datetime
    told_usd_per_day: float
    quiet_since: datetime | None = None
    quiet: int = 0
    unsaid_since: datetime | None = None
    is_unclear: bool = False
    resolved_at: datetime | None = None
    resolution: Resolution | None = None


def verdict(look: Look, materiality: float) -> Verdict:
    """What a look says of its place, held against `materiality` (USD a day)."""
    if look.status != "appraised" or look.usd_per_day is None or look.low is None or look.high is None:
        return "unknown"
    if look.high < CLOSE_BELOW * materiality or _is_over(look, materiality):
        return "cleared"
    if look.usd_per_day < CLOSE_BELOW * materiality:
        return "right"
    is_sure = look.is_discovery and look.low > CLOSE_BELOW * materiality
    return "wrong" if is_sure and look.usd_per_day >= materiality else "between"


def step(
    finding: Finding | None, look: Look | None, materiality: float, evidence_since: datetime, now: datetime
) -> tuple[Finding | None, EventName | None]:
    """What a place's standing becomes by a look at it, and what happened by that.

    `look` is None when nothing was there to look at. Without evidence a finding stays as it is until all that it rests on is
    older than `evidence_since`, when nobody would look at it any more.
    """
    says = verdict(look, materiality) if look is not None else "unknown"
    if finding is None:
        if look is None or look.usd_per_day is None or says != "wrong":
            return None, None
        return Finding(None, "open", now, now, now, look.until, look.usd_per_day), "opened"
    if look is None or says == "unknown":
        return _without_evidence(finding, evidence_since, now, is_looked_at=look is not None)
    finding = msgspec.structs.replace(finding, looked_at=now, unsaid_since=None, is_unclear=False)
    if says in {"right", "cleared"}:
        return _quiet(finding, now, is_cleared=says == "cleared")
    finding = msgspec.structs.replace(finding, quiet=0, quiet_since=None)
    if says == "between" or look.usd_per_day is None:
        return finding, None
    finding = msgspec.structs.replace(finding, seen_at=now, until=look.until)
    if look.usd_per_day >= GROWN_BY * finding.told_usd_per_day:
        return msgspec.structs.replace(finding, status="open", told_usd_per_day=look.usd_per_day), "grew"
    return finding, None


def _without_evidence(
    finding: Finding, evidence_since: datetime, now: datetime, *, is_looked_at: bool
) -> tuple[Finding, EventName | None]:
    since = finding.unsaid_since or now
    finding = msgspec.structs.replace(finding, unsaid_since=since, is_unclear=now - since >= UNCLEAR_AFTER)
    if is_looked_at:
        finding = msgspec.structs.replace(finding, looked_at=now)
    if finding.until <= evidence_since and now - finding.opened_at >= STAY_FOR:
        return _resolved(finding, now, "gone"), "resolved"
    return finding, None


def _quiet(finding: Finding, now: datetime, *, is_cleared: bool) -> tuple[Finding, EventName | None]:
    since = finding.quiet_since or now
    finding = msgspec.structs.replace(finding, quiet=finding.quiet + 1, quiet_since=since)
    is_long_enough = finding.quiet >= RIGHT_LOOKS and now - since >= RIGHT_FOR
    if (is_cleared or is_long_enough) and now - finding.opened_at >= STAY_FOR:
        return _resolved(finding, now, "right again"), "resolved"
    return finding, None


def _resolved(finding: Finding, now: datetime, resolution: Resolution) -> Finding:
    return msgspec.structs.replace(finding, status="resolved", resolved_at=now, resolution=resolution)


def _is_over(look: Look, materiality: float) -> bool:
    """Whether the mean of the past week's whole days, as far as they have intervals, is surely below materiality.

    Days before it began are not in the mean, or what is new would look mended; nor are days on which nothing happened, which say
    nothing of the next one. Days are taken as independent.
    """
    from_day = max(look.until - RECENT - timedelta(days=1), look.since - timedelta(microseconds=1))
    recent = [
        (day.usd, day.high) for day in look.days if day.high is not None and from_day < day.day <= look.until - timedelta(days=1)
    ]
    if len(recent) < RECENT_DAYS_MIN:
        return False
    mean = sum(usd for usd, _ in recent) / len(recent)
    error = math.sqrt(sum((high - usd) ** 2 for usd, high in recent)) / len(recent)
    return mean + error < materiality
