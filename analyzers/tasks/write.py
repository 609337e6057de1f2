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
    "value_asset": ("value", "assets:value"), "value_income": ("value", "income:value"),
    "latency_expense": ("latency", "expenses:latency"), "latency_owed": ("latency", "liabilities:latency"),
    "risk_expense": ("risk", "expenses:risk"), "risk_reserve": ("risk", "liabilities:risk_reserve"),
    "losses": ("risk", "liabilities:losses"),
}  # fmt: skip
_COMMODITIES = {
    name: COMMODITY_BY_NAME[commodity].commodity_id
    for name, commodity in (("quality", "quality"), ("latency", "latency_seconds"), ("risk", "risk_usd"))
}
_CLUSTERED, _UNCLASSIFIED = "clustered", "unclassified"
_COPY = sql.SQL("copy stage_task ({}) from stdin").format(
    sql.SQL(", ").join(map(sql.Identifier, (*_ACCOUNTS, "content_hash", *Task.__struct_fields__)))
)


def write(connection: psycopg.Connection, tenant_id: int, changed: Sequence[tuple[Task, bytes]], gone: Sequence[bytes]) -> None:
    """Write tasks that are new or have changed, with their hashes, and take away those that are none any more."""
    names = [account_names(task) for task, _ in changed]
    accounts = _accounts(connection, tenant_id, names)
    row = connection.execute(_SQL["open_day"], {"tenant_id": tenant_id}).fetchone()
    if row is None:
        raise LookupError(f"tenant {tenant_id} is not there")
    parameters = {"tenant_id": tenant_id, "tenant": row[0], "closed_through": row[1], "slot": _SLOT, **_COMMODITIES}
    connection.execute(_SQL["make_stage"])
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for (task, content_hash), booked_on in zip(changed, names, strict=True):
            ids = [None if name is None else accounts[name] for name in booked_on.values()]
            *columns, problems = msgspec.structs.astuple(task)
            copy.write_row((*ids, content_hash, *columns, problems or "{}"))  # most have none, and lists are slow to write
    if gone:
        connection.execute("insert into stage_task (trace_id) select unnest(%s::bytea[])", (list(gone),))
        connection.execute(_SQL["forget_decisions"], parameters)
    for step in (
        "number_stage", "stage_lines", "drop_empty_entries", "book_entries", "book_transfers", "drop_former", "write_tasks",
    ):  # fmt: skip
        connection.execute(_SQL[step], parameters)


def account_names(task: Task) -> dict[str, str | None]:
    """The accounts that a task is booked on, by column of the stage; None where nothing of it has that price.

    Their last level is the class, if somebody gave the task one: made-up names are too many to open accounts for.
    """
    last = _UNCLASSIFIED if task.task_class is None else _CLUSTERED
    if task.class_source in ("explicit", "rule") and task.task_class is not None:
        last = level(task.task_class)
    is_booked = {
        "value": task.value_usd is not None and bool(task.quality),
        "latency": task.lambda_usd_per_s is not None and task.latency_s > 0,
        "risk": task.rho is not None and bool(task.risk_usd or task.loss_usd),
    }
    return {column: f"{account}:{last}" if is_booked[kind] else None for column, (kind, account) in _ACCOUNTS.items()}


def _accounts(connection: psycopg.Connection, tenant_id: int, booked_on: Iterable[dict[str, str | None]]) -> dict[str, int]:
    """Ids of the tasks' accounts by name. The tenant's lock, which posting waits for, is taken only to open some."""
    names = {name for columns in booked_on for name in columns.values() if name is not None}
    wanted = {"tenant_id": tenant_id, "names": sorted(names)}
    ids: dict[str, int] = dict(connection.execute(_SQL["accounts"], wanted).fetchall())
    missing = sorted(names - ids.keys())
    if missing:
        lock_tenants(connection, [tenant_id])
        ids |= AccountBook().open(connection, tenant_id, missing)
    return ids
