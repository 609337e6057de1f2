"""Periods: what is closed is not posted to any more; what belongs to it and comes late is posted to the first open day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import psycopg

from ledger.errors import PeriodError, UnknownTenant
from ledger.post import lock_tenants


def close(connection: psycopg.Connection, tenant: str, through: date) -> date | None:
    """Close the tenant's books through a day; answers the day they were closed through before.

    Raises UnknownTenant, and PeriodError when the day is not over (UTC) or an earlier close already covers it.
    """
    with connection.transaction():
        row = connection.execute("select tenant_id from pigou.tenant where tenant = %s", (tenant,)).fetchone()
        if row is None:
            raise UnknownTenant(f"there is no tenant {tenant!r}", "list them with: pigou accounts")
        lock_tenants(connection, [row[0]])
        before = connection.execute("select closed_through from pigou.tenant where tenant_id = %s", row).fetchone()
        closed = before[0] if before else None
        if through >= datetime.now(UTC).date():
            raise PeriodError(f"{through} is not over yet (UTC)", "close through yesterday at the latest")
        if closed is not None and through <= closed:
            raise PeriodError(f"the books of {tenant} are closed through {closed} already", "name a later day")
        connection.execute("update pigou.tenant set closed_through = %s where tenant_id = %s", (through, row[0]))
    return closed
