"""Clearing prices of engines as they are read to be served."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import psycopg

from ledger.queries import queries
from ledger.tenants import unknown_tenant

_SQL = queries("ledger", "engine_capacity")


class InMarket(NamedTuple):
    """A tenant in the market of an engine's resource, as `ledger.clearing_prices` holds it: the price in USD a unit, the same for
    everybody, and what the tenant takes, in units a second. `usd_per_unit` None: nothing can be told, and `why`."""

    resource: str
    cleared_at: datetime
    since: datetime
    until: datetime
    capacity_per_s: Decimal
    usd_per_unit: Decimal | None
    usd_low: Decimal | None
    usd_high: Decimal | None
    dual_low_usd: Decimal | None
    dual_high_usd: Decimal | None
    groped_usd: Decimal | None
    agrees: bool | None
    why: str | None
    tenant: str
    is_moved: bool
    was_per_s: Decimal
    free_per_s: Decimal | None
    takes_per_s: Decimal | None
    least_per_s: Decimal | None
    most_per_s: Decimal | None
    pays_usd_per_day: Decimal | None


def read_clearing(connection: psycopg.Connection, engine: str, tenant: str | None) -> list[InMarket]:
    """The markets of an engine that hold: everybody in them, or one tenant only. Raises UnknownTenant."""
    if tenant is not None:
        found = connection.execute(_SQL["tenant_is_there"], {"tenant": tenant}).fetchone()
        if found is None or not found[0]:
            raise unknown_tenant(connection, tenant, "see `pigou periods list`")
    rows = connection.execute(_SQL["clearing_in_force"], {"engine": engine, "tenant": tenant}).fetchall()
    return [InMarket(*row) for row in rows]
