"""The clock's line: late prices → control totals → weak matches → tasks → holds → alerts → partitions ahead → retention.

Set-based, restartable at every step.
"""

from __future__ import annotations

import msgspec
import psycopg
from psycopg.pq import TransactionStatus

from analyzers.alerts import escalate, evaluate
from analyzers.reconcile import reconcile
from analyzers.tasks import settle
from analyzers.weak_matches import find_weak_matches
from ledger.budgets import expire_holds
from ledger.queries import queries
from ledger.rerate import rerate
from ledger.retention import retain_daily

_SQL = queries("analyzers", "reconcile")


class Round(msgspec.Struct, frozen=True):
    """What one round of the clock did."""

    rerated_calls: int
    still_unpriced: int
    reconciled_parents: int
    settled_tasks: int


def run_round(connection: psycopg.Connection) -> Round:
    """Do everything that is due, once. Each step commits by itself; of several clocks on one database one works at a time."""
    connection.execute("select pg_advisory_lock(hashtextextended('pigou.analyzers', 0))")
    try:
        return _run_steps(connection)
    finally:
        if not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE:
            connection.execute("select pg_advisory_unlock(hashtextextended('pigou.analyzers', 0))")


def _run_steps(connection: psycopg.Connection) -> Round:
    adjusted, unpriced = _apply_late_prices(connection)
    compared = reconcile(connection)
    find_weak_matches(connection)
    settled = settle(connection)
    expire_holds(connection)
    evaluate(connection)
    escalate(connection)
    connection.execute(
        "select pigou.ensure_month((date_trunc('month', now()) + make_interval(months => m))::date) from generate_series(0, 1) m"
    )
    retain_daily(connection)
    return Round(adjusted, unpriced, compared, settled.changed)


def _apply_late_prices(connection: psycopg.Connection) -> tuple[int, int]:
    """Calls booked again, and calls that still have no price."""
    adjusted = unpriced = 0
    row = connection.execute(_SQL["newest_rate"]).fetchone()
    newest, through = row if row is not None else (0, 0)
    for (tenant_id,) in connection.execute(_SQL["tenants_to_rerate"], {"every": newest > through}).fetchall():
        result = rerate(connection, tenant_id, with_booked=newest > through)
        adjusted += result.adjusted
        unpriced += result.still_unpriced
    if newest > through:
        connection.execute(_SQL["mark_rerated"], {"rate_id": newest})
    return adjusted, unpriced
