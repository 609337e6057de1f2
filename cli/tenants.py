"""Whose books a command is about: an unknown tenant is refused where something is read, and told as new where it is stated."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
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
        raise CommandError(f"there is no tenant {tenant!r}", nearest(tenant, known) or _listed(known), exit_code=2)


@contextmanager
def telling_new(books: psycopg.Connection, tenants: Iterable[str | None]) -> Generator[None]:
    """Around a statement: once it is made, say which of its tenants nobody had heard of. They are opened all the same, since a
    tenant may be spoken of before its first span; while none is known, there is nothing to say."""
    known = _known(books)
    yield
    for tenant in sorted({name for name in tenants if name is not None} - set(known)) if known else ():
        hint = nearest(tenant, known) or _listed(known)
        remark(f"{tenant} is a new tenant: nothing was received or stated of it before; {hint}")


def _known(books: psycopg.Connection) -> list[str]:
    return [row[0] for row in books.execute("select tenant from ledger.periods order by tenant")]


def _listed(known: list[str]) -> str:
    if not known:
        return "no tenant is known yet"
    more = f" and {len(known) - _NAMED_MAX} more" if len(known) > _NAMED_MAX else ""
    return f"known are {', '.join(known[:_NAMED_MAX])}{more}"
