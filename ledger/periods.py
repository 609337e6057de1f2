"""Periods: what is closed is not posted to any more; what belongs to it and comes late is posted to the first open day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal, TypeAlias

import psycopg

from ledger.errors import PeriodError
from ledger.post import lock_tenants
from ledger.queries import queries
from ledger.tenants import unknown_tenant

PeriodEvent: TypeAlias = Literal["closed", "reopened"]
_SQL = queries("ledger", "periods")


def close(connection: psycopg.Connection, tenant: str, through: date, *, who: str, note: str | None = None) -> date | None:
    """Close the tenant's books through a day; answers the day they were closed through before.

    Raises UnknownTenant, and PeriodError when the day is not over (UTC) or an earlier close already covers it.
    """
    with connection.transaction():
        tenant_id, closed = _held(connection, tenant)
        if through >= datetime.now(UTC).date():
            raise PeriodError(f"{through} is not over yet (UTC)", "close through yesterday at the latest")
        if closed is not None and through <= closed:
            raise PeriodError(f"the books of {tenant} are closed through {closed} already", "name a later day")
        _record(connection, tenant_id, "closed", through, who, note)
    return closed


def reopen(connection: psycopg.Connection, tenant: str, after: date, *, who: str, note: str) -> date:
    """Open the tenant's books again after a day, which stays closed; answers the day they were closed through before.

    What was posted to later days while these were closed stays there.
    Raises UnknownTenant, and PeriodError when nothing after that day is closed, or the note says nothing.
    """
    if not note.strip():
        raise PeriodError("what was closed is not opened again without a reason", "say it in the note")
    with connection.transaction():
        tenant_id, closed = _held(connection, tenant)
        if closed is None:
            raise PeriodError(f"nothing of the books of {tenant} is closed", "there is nothing to open")
        if after >= closed:
            raise PeriodError(f"the books of {tenant} are closed through {closed} only", "name an earlier day")
        _record(connection, tenant_id, "reopened", after, who, note)
    return closed


def _held(connection: psycopg.Connection, tenant: str) -> tuple[int, date | None]:
    """The tenant, into whose books nobody posts until the transaction ends, and its last closed day."""
    row = connection.execute("select tenant_id from pigou.tenant where tenant = %s", (tenant,)).fetchone()
    if row is None:
        raise unknown_tenant(connection, tenant, "see `pigou periods list`")
    lock_tenants(connection, [row[0]])
    before = connection.execute("select closed_through from pigou.tenant where tenant_id = %s", row).fetchone()
    return row[0], before[0] if before else None


def _record(
    connection: psycopg.Connection, tenant_id: int, event: PeriodEvent, through: date, who: str, note: str | None
) -> None:
    given = {"tenant_id": tenant_id, "event": event, "through": through, "who": who, "note": note}
    connection.execute(_SQL["record"], given)
    connection.execute(_SQL["close_through"], given)
