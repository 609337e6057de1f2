"""Tasks into the database, and their entries into the shadow book: staged by COPY, then one statement for each table.

A task that changed is reversed and booked again; its ids follow from tenant, trace and revision. What happens is settled within the
caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import psycopg
from psycopg import sql

from analyzers.tasks.judge import Task
from ledger.accounts import AccountBook, level
from ledger.post import lock_tenants
from ledger.queries import queries

_SQL = queries("analyzers", "task_books")
_SLOT = 32_767
"""Of the balances' rows: settlement's own, so that it waits for nobody who posts."""
_ACCOUNTS = (
    "assets:value", "income:value", "expenses:latency", "liabilities:latency", "expenses:risk", "liabilities:risk_reserve",
    "liabilities:losses",
)  # fmt: skip
_CLUSTERED, _UNCLASSIFIED = "clustered", "unclassified"
_COPY = sql.SQL("copy stage_task ({}) from stdin").format(
    sql.SQL(", ").join(map(sql.Identifier, ("account", "content_hash", *Task.__struct_fields__)))
)


def write(connection: psycopg.Connection, tenant_id: int, changed: Sequence[Task], gone: Sequence[bytes]) -> None:
    """Write tasks that are new or have changed, and take away those that are none any more."""
    accounts = {account_level(task) for task in changed}
    _open_accounts(connection, tenant_id, accounts)
    row = connection.execute(_SQL["open_day"], {"tenant_id": tenant_id}).fetchone()
    if row is None:
        raise LookupError(f"tenant {tenant_id} is not there")
    parameters = {"tenant_id": tenant_id, "tenant": row[0], "closed_through": row[1], "slot": _SLOT}
    connection.execute(_SQL["make_stage"])
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for task in changed:
            copy.write_row((account_level(task), task.content_hash, *msgspec.structs.astuple(task)))
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


def _open_accounts(connection: psycopg.Connection, tenant_id: int, levels: Iterable[str]) -> None:
    """Open what is missing; only then is the tenant's lock taken, which posting waits for."""
    names = [f"{account}:{last}" for last in sorted(levels) for account in _ACCOUNTS]
    missing = [row[0] for row in connection.execute(_SQL["missing_accounts"], {"tenant_id": tenant_id, "names": names})]
    if missing:
        lock_tenants(connection, [tenant_id])
        AccountBook().open(connection, tenant_id, missing)
