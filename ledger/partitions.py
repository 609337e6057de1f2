"""Time partitions: made ahead of time by the migration and the clock, and when a record of another month arrives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import psycopg

from ledger.arrivals import Arrivals
from ledger.draft import EarlyDraft

_DAY_US = 24 * 3600 * 1_000_000


def ensure_months(connection: psycopg.Connection, batch: Sequence[Arrivals], known: Collection[str]) -> set[str]:
    """Make the partitions for the months these arrivals fall into; answers the months looked after, as `YYYY-MM-01`.

    Runs in its own transaction: making a partition locks the table, which must not wait for the group's commit.
    """
    days = {day for arrivals in batch for day in _days(arrivals)}
    days |= {point.at_us // _DAY_US for arrivals in batch for point in arrivals.points}
    months = {datetime.fromtimestamp(day * 86400, UTC).strftime("%Y-%m-01") for day in days} - set(known)
    for month in sorted(months):
        connection.execute("select pigou.ensure_month(%s)", (month,))
    return months


def _days(arrivals: Arrivals) -> set[int]:
    """In which the records began, since 1970."""
    if isinstance(arrivals.draft, EarlyDraft):
        return set(arrivals.draft.days)
    return {record.started_us // _DAY_US for record in arrivals.records}
