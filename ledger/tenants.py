"""Tenants that nobody has heard of: one that looks like a slip of a known one is refused, unless it is said to be meant."""

from __future__ import annotations

import difflib
import re
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


def slips(connection: psycopg.Connection, tenants: Iterable[str | None], default_tenant: str = DEFAULT_TENANT) -> list[str]:
    """Those of the tenants that were never opened, and look like one that was: `is_slip`."""
    new = [tenant for tenant in unheard(connection, tenants) if tenant != default_tenant]
    known = [row[0] for row in connection.execute("select tenant from pigou.tenant")] if new else []
    return [tenant for tenant in new if any(is_slip(tenant, each) for each in {*known, DEFAULT_TENANT, default_tenant})]


def said_of_new(connection: psycopg.Connection, tenant: str) -> str | None:
    """What is to be said to whoever states something of a tenant, asked before that opens it; None: it is known.

    Others are not named: whoever asks may be let in for this tenant alone.
    """
    return f"{tenant} is a new tenant: nothing was received or stated of it before" if unheard(connection, [tenant]) else None


def is_slip(name: str, known: str) -> bool:
    """Whether a name is another one but for case, a letter more or less, or two that changed places.

    Names that differ in their numbers, or in a letter that stands for another (team-a, team-b), are as likely meant.
    """
    if name == known or re.findall(r"\d+", name) != re.findall(r"\d+", known):
        return False
    shorter, longer = sorted((name.casefold(), known.casefold()), key=len)
    if len(longer) == len(shorter) + 1 and len(shorter) > 2:
        return any(longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer)))
    swapped = (shorter[:place] + shorter[place : place + 2][::-1] + shorter[place + 2 :] for place in range(len(shorter) - 1))
    return shorter == longer or longer in swapped


def unknown_tenant(connection: psycopg.Connection, tenant: str, mend: str) -> UnknownTenant:
    """The error that there is no such tenant, which names those that are nearly called so.

    Others are not named: not everybody who asks is let in to read of all of them.
    """
    known = [row[0] for row in connection.execute("select tenant from pigou.tenant")]
    near = difflib.get_close_matches(tenant, known, n=3, cutoff=0.6)
    return UnknownTenant(
        f"there is no tenant {tenant!r}", f"did you mean {' or '.join(near)}? {mend}" if near else mend, "tenant"
    )
