"""`pigou check`: proves the books from the books themselves, and says what it checked with counts."""

from __future__ import annotations

import msgspec
import psycopg

from ledger.queries import queries

_SQL = queries("ledger", "check")
_SHOWN = 5

_CHECKS = (
    ("trial_balance", "debits equal credits, per tenant, book and commodity", True),
    ("balances_are_sums", "balances equal the sums of their transfers", True),
    ("one_live_entry", "every call has exactly one live entry, duplicates none", True),
    ("no_orphans", "no entry of a call without the call, no transfer without entry, account, commodity or rate", True),
    ("texts_of_records", "every text that is kept is of a record, and every record says truly that its text is kept", True),
    ("calls_equal_books", "cost and tokens of every call equal what its live entry moved", True),
    ("reversals_mirror", "every reversal mirrors its entry", True),
    ("prices_are_rates", "every price is the rate it names", True),
    ("budgets_are_sums", "what was spent of every budget is what its calls cost", True),
    ("rollups_are_sums", "roll-ups equal the sums over the calls and what engines served, by minute, hour and day", True),
    ("sums_by_day", "sums by day equal what single decisions, as appraised, and single tasks sum to", True),
    ("one_live_settlement", "every task has exactly the one live settlement entry it names", True),
    ("tasks_equal_books", "value, latency, risk and loss of every task equal what its entry moved", True),
    ("assets_equal_books", "every step of an asset has one live entry that moved it, and the steps sum to the asset", True),
    ("assets_are_sums", "assets are what was capitalised less depreciated less written off, never negative, nothing twice", True),
    (
        "control_totals",
        "parents' own totals equal what was booked under them (differences are reported, not faults)",
        False,
    ),
)


class CheckResult(msgspec.Struct, frozen=True):
    """One invariant: how many things were looked at, how many broke it, and the first few of these."""

    name: str
    ok: bool
    checked: int
    detail: str
    violations: int
    examples: list[str]


def run(connection: psycopg.Connection) -> list[CheckResult]:
    """Check every invariant in one snapshot of the database. A finding is a value; only a database failure raises."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        # Every check reads whole tables; right after a bulk load the planner does not know that yet and would loop.
        connection.execute("set local enable_nestloop = off")
        connection.execute("set local work_mem = '64MB'")
        return [_one(connection, name, detail, fatal) for name, detail, fatal in _CHECKS]


def one(connection: psycopg.Connection, name: str) -> CheckResult:
    """One invariant by its name, within the caller's transaction. Raises: KeyError when there is none of that name."""
    details = {named: (detail, fatal) for named, detail, fatal in _CHECKS}
    return _one(connection, name, *details[name])


def _one(connection: psycopg.Connection, name: str, detail: str, fatal: bool) -> CheckResult:
    found = [row[0] for row in connection.execute(_SQL[name])]
    counted = connection.execute(_SQL[f"{name}_checked"]).fetchone()
    return CheckResult(
        name=name,
        ok=not (fatal and found),
        checked=counted[0] if counted else 0,
        detail=detail,
        violations=len(found),
        examples=found[:_SHOWN],
    )
