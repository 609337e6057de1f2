"""Tenants that nobody has heard of: what is stated of one is refused, unless whoever states it says that it is meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import psycopg

from ledger.errors import UnknownTenant

DEFAULT_TENANT = "default"
"""Whose the records are that name no tenant, where the collector is not told another."""


def unheard(connection: psycopg.Connection, tenants: Iterable[str | None]) -> list[str]:
    """Those of the tenants that were never opened, by a record, a credential or something stated of them.

    None is all of them, and the default tenant needs no opening.
    """
    named = {tenant for tenant in tenants if tenant is not None} - {DEFAULT_TENANT}
    rows = connection.execute("select tenant from pigou.tenant where tenant = any(%s)", (sorted(named),))
    return sorted(named - {row[0] for row in rows})


def unknown_tenant(connection: psycopg.Connection, tenant: str, mend: str) -> UnknownTenant:
    """The error that there is no such tenant, which names those that are nearly called so.

    Others are not named: not everybody who asks is let in to read of all of them.
    """
    known = [row[0] for row in connection.execute("select tenant from pigou.tenant")]
    near = difflib.get_close_matches(tenant, known, n=3, cutoff=0.6)
    return UnknownTenant(
        f"there is no tenant {tenant!r}", f"did you mean {' or '.join(near)}? {mend}" if near else mend, "tenant"
    )
