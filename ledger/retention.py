"""Retention: raw rows go by whole months when they are old enough; books, calls and their sums by hour and day stay.

Two things are deleted, some at a time. Deliveries of alerts are few and settle in no order of months; and of text people mean the
days that they say.
"""

from __future__ import annotations

import psycopg

from ledger.errors import RetentionError
from ledger.queries import queries

_SQL = queries("ledger", "retention")
KINDS = {
    "records": "spans and logs as received, with what their parents state and the keys that copies are found by",
    "metrics": "metric points",
    "minutes": "sums by minute; hours and days are kept for ever",
    "rejections": "what was refused, one by one; the counts by hour are kept for ever",
    "texts": "prompts, completions and tool text, where they are kept at all; no longer than records",
    "deliveries": "what was told of alerts, or given up, with the messages it went into",
}
DAYS_MAX = 36_500
_DELETED_AT_ONCE = 5_000


def keep(connection: psycopg.Connection, kind: str, days: int | None, source: str) -> None:
    """Keep a kind for this many days, or for ever (None), as the owner. What is gone already does not come back.

    `source` is who or what says so; it is kept.

    Raises RetentionError for an unknown kind, or days that are not between 1 and `DAYS_MAX`.
    """
    if kind not in KINDS:
        raise RetentionError(f"there is no kind {kind!r}", f"choose among {', '.join(KINDS)}")
    if days is not None and not 1 <= days <= DAYS_MAX:
        raise RetentionError(f"{days} days cannot be kept", f"give 1 to {DAYS_MAX} days, or forever")
    given = {"kind": kind, "days": days, "source": source}
    with connection.transaction():
        connection.execute(_SQL["keep"], given)  # its row is held until the revision is written
        connection.execute(_SQL["record_keeping"], given)


def shown(connection: psycopg.Connection) -> psycopg.Cursor[tuple[object, ...]]:
    """The kinds: how long they are kept, since when, and how much there is of them."""
    return connection.execute(_SQL["shown"])


def drop_expired(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Drop what is past its retention now; answers kind and partition of what went."""
    return connection.execute(_SQL["drop_expired"]).fetchall()


def delete_deliveries(connection: psycopg.Connection) -> int:
    """Delete deliveries that are past their retention, in as many transactions as it takes; answers how many rows went.

    What is still to be sent stays, however old it is.
    """
    return _delete(connection, "delete_deliveries")


def delete_texts(connection: psycopg.Connection) -> int:
    """Delete text that is past its retention, in as many transactions as it takes; answers how many rows went."""
    return _delete(connection, "delete_texts")


def retain_daily(connection: psycopg.Connection) -> bool:
    """All of it, at most once a day: for the clock. Answers whether it was today's turn."""
    with connection.transaction():
        if connection.execute(_SQL["mark_day"]).fetchone() is None:
            return False
        drop_expired(connection)
    delete_texts(connection)
    delete_deliveries(connection)
    return True


def _delete(connection: psycopg.Connection, query: str) -> int:
    deleted = 0
    while True:
        row = connection.execute(_SQL[query], {"at_most": _DELETED_AT_ONCE}).fetchone()
        gone: int = row[0] if row else 0
        deleted += gone
        if gone < _DELETED_AT_ONCE:
            return deleted


def strays(connection: psycopg.Connection) -> dict[str, int]:
    """Rows that wait in default partitions, by table: their times are too far from now for a month of their own."""
    return {table: count for table, count in connection.execute(_SQL["strays"]) if count}
