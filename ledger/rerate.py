"""Prices that arrive later: calls booked without one, or at one since superseded, are booked again at the rate that holds now.

The old entry is reversed and an adjustment takes its place, so that a report as of an earlier time still gives what it gave.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import psycopg

from ledger.accounts import UNPRICED, UNREADABLE, AccountBook
from ledger.errors import LedgerError
from ledger.post import lock_tenants, post_staged, prepare_stage
from ledger.queries import queries

_SQL = queries("ledger", "rerate")
_POST = queries("ledger", "post")
_CHUNK = 2000
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class RerateResult(msgspec.Struct, frozen=True):
    """Calls booked again at a rate that holds now, and calls that still have none."""

    adjusted: int
    still_unpriced: int


class Foreseen(msgspec.Struct, frozen=True):
    """What rates change before anything is booked: calls booked again, those among them that wait for a price, and their cost in
    USD as the books stand and as it would be. `still_unpriced` need a price of something else too.
    """

    calls: int
    unpriced_calls: int
    cost_before_usd: Decimal
    cost_after_usd: Decimal
    first_at: datetime | None
    last_at: datetime | None
    still_unpriced: int


def foresee(connection: psycopg.Connection, tenant_id: int) -> Foreseen:
    """What `rerate` would do on account of the rates that this very transaction added, which may still be rolled back."""
    row = connection.execute(_SQL["would_be_booked_again"], {"tenant_id": tenant_id}).fetchone()
    if row is None:
        raise LedgerError("a sum came without a row", "report this")
    return Foreseen(*row)


def rerate(
    connection: psycopg.Connection, tenant_id: int, since: datetime | None = None, *, with_booked: bool = True, slot: int = 0
) -> RerateResult:
    """Book again what has a price now, and (`with_booked`) what has another than it had, a few thousand calls per transaction.

    Only a rate that was added can change what is booked: whoever knows that there is none need not look. Late entries of closed
    periods go to the first open day. Raises nothing of its own; run it again at any time.
    """
    parameters = {"tenant_id": tenant_id, "since": since or _BEGINNING, "limit": _CHUNK}
    adjusted = 0
    steps = [("unpriced_now_priced", "a price was given"), ("booked_at_superseded", "its rate was superseded")]
    for query, reason in steps[: 1 + with_booked]:
        while True:
            with connection.transaction():
                lock_tenants(connection, [tenant_id])
                calls = connection.execute(_SQL[query], parameters).fetchall()
                if calls:
                    _book_again(connection, tenant_id, [(row[0], row[1]) for row in calls], reason, slot)
            adjusted += len(calls)
            if len(calls) < _CHUNK:
                break
    left = connection.execute(_SQL["still_unpriced"], parameters).fetchone()
    return RerateResult(adjusted, left[0] if left else 0)


def _book_again(connection: psycopg.Connection, tenant_id: int, calls: list[tuple[bytes, bytes]], reason: str, slot: int) -> None:
    prepare_stage(connection)
    accounts = AccountBook().open(connection, tenant_id)
    for action in ("reverse", "book"):
        connection.execute(
            _POST["stage_existing"],
            {
                "tenant_id": tenant_id,
                "actions": [action] * len(calls),
                "statuses": ["booked"] * len(calls),
                "reasons": [reason] * len(calls),
                "trace_ids": [trace_id for trace_id, _ in calls],
                "span_ids": [span_id for _, span_id in calls],
                "copy_trace_ids": [None] * len(calls),
                "copy_span_ids": [None] * len(calls),
            },
        )
    post_staged(connection, tenant_id, slot, accounts[UNPRICED], accounts[UNREADABLE])
