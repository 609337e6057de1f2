"""Whose books a command is about: a tenant that nobody has heard of is refused, unless something is stated of it on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cli.errors import CommandError
from cli.terminal import nearest, remark

if TYPE_CHECKING:
    import psycopg

_NAMED_MAX = 8


def refuse_unknown(books: psycopg.Connection, tenant: str | None) -> None:
    """Raises CommandError (exit 2) for a tenant that has no books. None is all of them."""
    if tenant is None:
        return
    known = _known(books)
    if tenant not in known:
        raise CommandError(f"there is no tenant {tenant!r}", _hint(tenant, known), exit_code=2)


def refuse_new(books: psycopg.Connection, tenants: Iterable[str | None], *, is_meant: bool) -> None:
    """Raises CommandError (exit 2) where something is stated of a tenant that nobody has heard of, unless it `is_meant`."""
    from ledger.tenants import unheard

    found = [] if is_meant else unheard(books, tenants)
    if found:
        hint = _hint(found[0], _known(books))
        mend = f"{hint}{'' if hint.endswith('?') else ';'} --new-tenant opens it, if it is meant"
        raise CommandError(f"there is no tenant {found[0]!r}", mend, exit_code=2)


def tell_new(books: psycopg.Connection, tenant: str | None) -> None:
    """Say of a tenant that is about to be opened that nobody had heard of it; while none is known, there is nothing to say."""
    from ledger.tenants import unheard

    known = _known(books)
    if known and unheard(books, [tenant]):
        remark(f"{tenant} is a new tenant: nothing was received or stated of it before; {_hint(str(tenant), known)}")


def _known(books: psycopg.Connection) -> list[str]:
    return [row[0] for row in books.execute("select tenant from ledger.periods order by tenant")]


def _hint(tenant: str, known: list[str]) -> str:
    return nearest(tenant, known) or _listed(known)


def _listed(known: list[str]) -> str:
    if not known:
        return "no tenant is known yet"
    more = f" and {len(known) - _NAMED_MAX} more" if len(known) > _NAMED_MAX else ""
    return f"known are {', '.join(known[:_NAMED_MAX])}{more}"
