"""Tenants that nobody had heard of: they are opened by what is first stated of them, and whoever states it is told."""

from __future__ import annotations

import psycopg


def said_of_new(connection: psycopg.Connection, tenant: str) -> str | None:
    """What is to be said to whoever states something of a tenant, asked before that opens it; None: it is known.

    Others are not named: whoever asks may be let in for this tenant alone.
    """
    known = connection.execute("select from pigou.tenant where tenant = %s", (tenant,)).fetchone()
    return None if known is not None else f"{tenant} is a new tenant: nothing was received or stated of it before"
