"""When prices are looked at again: a changed statement is heeded at once, changed tasks an hour after the last look."""

from __future__ import annotations

import psycopg

from allocation import METHOD
from ledger.errors import PriceError, UnknownTenant
from ledger.queries import queries

_SQL = queries("analyzers", "prices")


def tenants_due(connection: psycopg.Connection, tenant: str | None = None, *, now: bool = False) -> list[tuple[int, str, str]]:
    """Tenants whose prices are to be looked at: number, name and a hash of what is stated and of how prices are solved."""
    return connection.execute(_SQL["tenants_to_price"], {"tenant": tenant, "now": now, "method": METHOD}).fetchall()


def refresh_prices(connection: psycopg.Connection, tenant: str | None = None, *, now: bool = False, seed: int = 0) -> int:
    """Look at the prices of tenants where that is due, or `now`; answers how many rows of the vector are new.

    Each tenant is a transaction of its own. Wants an idle connection in autocommit. Raises UnknownTenant for one that is named
    and is not there; PriceError when prices that are wanted `now` cannot be found: on the clock this is written down instead.
    """
    due = tenants_due(connection, tenant, now=now)
    if tenant is not None and now and not due:
        raise UnknownTenant(f"there is no tenant {tenant!r}", "list tenants with: pigou sql 'select tenant from ledger.periods'")
    if not due:
        return 0
    # Solvers take half a second to import, and most rounds of the clock need none.
    from allocation.errors import AllocationError
    from analyzers.effects.estimate import InputError
    from analyzers.prices.vector import look, write

    changed = 0
    for tenant_id, name, inputs in due:
        try:
            changed += write(connection, look(connection, tenant_id, seed=seed), seed, inputs)
        except (AllocationError, InputError) as error:
            if now:
                raise PriceError(f"the prices of {name} cannot be found: {error}") from error
            failed = {"tenant_id": tenant_id, "seed": seed, "method": METHOD, "inputs": inputs, "why": str(error)}
            connection.execute(_SQL["add_failure"], failed)
    return changed
