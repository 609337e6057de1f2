"""Whose books a command is about: of a tenant that nobody has heard of nothing is read; what is stated opens it, slips apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cli.errors import CommandError
from cli.known import listed
from cli.terminal import nearest, remark

if TYPE_CHECKING:
    import psycopg


def refuse_unknown(books: psycopg.Connection, tenant: str | None) -> None:
    """Raises CommandError (exit 2) for a tenant that has no books. None is all of them."""
    if tenant is None:
        return
    known = _known(books)
    if tenant not in known:
        raise CommandError(f"there is no tenant {tenant!r}", _hint(tenant, known), exit_code=2)


def refuse_slips(books: psycopg.Connection, tenants: Iterable[str | None], *, is_meant: bool) -> None:
    """Raises CommandError (exit 2) where something is stated of a tenant that looks like a slip of a known one, unless it
    `is_meant`. Says of others that nobody had heard of them."""
    from ledger.tenants import DEFAULT_TENANT, slips

    named = list(tenants)
    found = [] if is_meant else slips(books, named)
    if found:
        mend = f"{_hint(found[0], [*_known(books), DEFAULT_TENANT])} --new-tenant opens it, if it is meant"
        raise CommandError(f"there is no tenant {found[0]!r}", mend, exit_code=2)
    if not is_meant:
        tell_new(books, named)


def tell_new(books: psycopg.Connection, tenants: Iterable[str | None]) -> None:
    """Say of tenants that are about to be opened that nobody had heard of them; while none is known, there is nothing to say."""
    from ledger.tenants import said_of_new

    known = _known(books)
    for tenant in sorted({tenant for tenant in tenants if tenant is not None} if known else ()):
        said = said_of_new(books, tenant)
        if said is not None:
            remark(f"{said}; {_hint(tenant, known)}")


def _known(books: psycopg.Connection) -> list[str]:
    return [row[0] for row in books.execute("select tenant from ledger.periods order by tenant")]


def _hint(tenant: str, known: list[str]) -> str:
    return nearest(tenant, known) or listed(known)
