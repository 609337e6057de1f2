"""Tasks into the database, and their entries into the shadow book: staged by COPY, then one statement for each table.

A task that changed is reversed and booked again; its ids follow from tenant, trace and revision. All within the caller's
transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import psycopg
from psycopg import sql

from analyzers.tasks.judge import Task
from ledger.accounts import AccountBook, level
from ledger.commodities import COMMODITY_BY_NAME
from ledger.post import lock_tenants
from ledger.queries import queries

_SQL = queries("analyzers", "task_books")
_SLOT = 32_767
"""Of the balances' rows: settlement's own, so that it waits for nobody who posts."""
_ACCOUNTS = {
    "value_asset": "assets:value", "value_income": "income:value", "latency_expense": "expenses:latency",
    "latency_owed": "liabilities:latency", "risk_expense": "expenses:risk", "risk_reserve": "liabilities:risk_reserve",
    "losses": "liabilities:losses",
}  # fmt: skip
_COMMODITIES = {
    name: COMMODITY_BY_NAME[commodity].commodity_id
    for name, commodity in (("quality", "quality"), ("latency", "latency_seconds"), ("risk", "risk_usd"))
}
_CLUSTERED, _UNCLASSIFIED = "clustered", "unclassified"
_COPY = sql.SQL("copy stage_task ({}) from stdin").format(
    sql.SQL(", ").join(map(sql.Identifier, (*_ACCOUNTS, "content_hash", *Task.__struct_fields__)))
)


def write(connection: psycopg.Connection, tenant_id: int, changed: Sequence[Task], gone: Sequence[bytes]) -> None:
    """Write tasks that are new or have changed, and take away those that are none any more."""
    accounts = _accounts(connection, tenant_id, {account_level(task) for task in changed})
    row = connection.execute(_SQL["open_day"], {"tenant_id": tenant_id}).fetchone()
    if row is None:
        raise LookupError(f"tenant {tenant_id} is not there")
    parameters = {"tenant_id": tenant_id, "tenant": row[0], "closed_through": row[1], "slot": _SLOT, **_COMMODITIES}
    connection.execute(_SQL["make_stage"])
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for task in changed:
            copy.write_row((*accounts[account_level(task)], task.content_hash, *msgspec.structs.astuple(task)))
    if gone:
        connection.execute("insert into stage_task (trace_id) select unnest(%s::bytea[])", (list(gone),))
    for step in (
        "number_stage", "stage_lines", "drop_empty_entries", "book_entries", "book_transfers", "drop_former", "write_tasks",
    ):  # fmt: skip
        connection.execute(_SQL[step], parameters)


def account_level(task: Task) -> str:
    """The last level of the accounts that a task is booked on: its class, if somebody gave it one."""
    if task.task_class is None:
        return _UNCLASSIFIED
    return _CLUSTERED if task.class_source == "clustered" else level(task.task_class)


def _accounts(connection: psycopg.Connection, tenant_id: int, levels: Iterable[str]) -> dict[str, list[int]]:
    """Ids of the accounts by their last level. The tenant's lock, which posting waits for, is taken only to open some."""
    names = {last: [f"{account}:{last}" for account in _ACCOUNTS.values()] for last in sorted(levels)}
    wanted = [name for group in names.values() for name in group]
    ids: dict[str, int] = dict(connection.execute(_SQL["accounts"], {"tenant_id": tenant_id, "names": wanted}).fetchall())
    missing = [name for name in wanted if name not in ids]
    if missing:
        lock_tenants(connection, [tenant_id])
        ids |= AccountBook().open(connection, tenant_id, missing)
    return {last: [ids[name] for name in group] for last, group in names.items()}
