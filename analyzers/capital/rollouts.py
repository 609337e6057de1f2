"""Batches of rollouts as assets: what generating them cost is used up by the update that consumes them.

Whether a batch was consumed past the point where more fades than it teaches (δ·A > g, eq. 11) is the verdict of the mode of stale
rollouts, and nothing is estimated here. What such an update consumed is written off, and so is what a run leaves behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from analyzers.capital.assets import Asset, AssetEntry, picodollars

QUIET = timedelta(days=7)
"""A run of which nothing came for so long has ended."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The rollout calls of one trace: the run that they are of, when the first began and the last ended, and what those with a
    price cost."""

    trace_id: bytes
    run: str
    since: datetime
    until: datetime
    tokens: Decimal
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class Consumption:
    """The first update that consumed a batch. `is_past`: past the point where δ·A exceeds g."""

    at: datetime
    trace_id: bytes
    span_id: bytes
    is_past: bool


def rollout_assets(batches: Sequence[Batch], consumed: Mapping[bytes, Consumption], known_to: datetime) -> list[Asset]:
    """The assets of batches that cost anything. Runs that were quiet for long before `known_to` have ended."""
    last: dict[str, datetime] = {}
    for batch in batches:
        by = consumed.get(batch.trace_id)
        last[batch.run] = max(last.get(batch.run, batch.until), batch.until, *(() if by is None else (by.at,)))
    return [_asset(batch, consumed.get(batch.trace_id), last[batch.run], known_to) for batch in batches if batch.cost_usd > 0]


def _asset(batch: Batch, by: Consumption | None, last: datetime, known_to: datetime) -> Asset:
    cost = picodollars(batch.cost_usd)
    first = AssetEntry("capitalised", batch.since, cost, batch.trace_id, None, "cost of a batch of rollouts")
    ends_at: datetime | None = last + QUIET
    entries = [first]
    if by is not None and by.is_past:
        why = "an update consumed it past the point where more fades than it teaches (δ·A > g)"
        entries.append(AssetEntry("written off", by.at, cost, by.trace_id, by.span_id, why))
    elif by is not None:
        why = "an update consumed it"
        entries.append(AssetEntry("depreciated", by.at, cost, by.trace_id, by.span_id, why))
    elif last + QUIET < known_to:
        why = "its run ended without consuming it"
        entries.append(AssetEntry("written off", last + QUIET, cost, batch.trace_id, None, why))
    else:
        why = "it waits for an update"
    is_left = len(entries) == 1
    return Asset(
        "rollouts", batch.run, batch.trace_id, None, batch.since, batch.tokens, tuple(entries), ends_at if is_left else None, why
    )
