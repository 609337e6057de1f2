"""The tenants that the books know, for commands that are asked about one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.errors import CommandError
from cli.terminal import nearest

if TYPE_CHECKING:
    import psycopg


def refuse_unknown(books: psycopg.Connection, tenant: str | None) -> None:
    """Raise CommandError (exit 2) for a tenant that has no books, so that a slip is no empty answer; None means all."""
    if tenant is None:
        return
    known = [row[0] for row in books.execute("select tenant from ledger.periods order by tenant")]
    if tenant not in known:
        hint = nearest(tenant, known) or f"the tenants are {', '.join(known) or 'none yet'}"
        raise CommandError(f"there is no tenant {tenant}", hint, exit_code=2)
