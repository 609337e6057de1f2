"""Views of the page that people saved: a name for an address, shared by everybody of the installation. Nothing is edited."""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ledger.errors import LedgerError
from ledger.queries import queries

_SQL = queries("ledger", "saved_views")
NAME_MAX, ADDRESS_MAX = 80, 2000
VIEWS_MAX = 200
_ADDRESS = re.compile(r"/(?!/)[^\s\\#\x00-\x1f\x7f]*")


class ViewError(LedgerError):
    """A view cannot be saved as asked."""


class UnknownView(ViewError):
    """There is no such view."""


def save_view(connection: psycopg.Connection, name: str, address: str, who: str) -> int:
    """Save a page with its filters under a name; answers the view's number. Raises ViewError."""
    name = _named(name)
    if not _ADDRESS.fullmatch(address) or len(address) > ADDRESS_MAX:
        raise ViewError(
            "that is no address of a page here", f"it begins with one slash and is {ADDRESS_MAX} characters at most", "address"
        )
    with connection.transaction():
        connection.execute(_SQL["lock_views"])
        standing = connection.execute(_SQL["names"]).fetchall()
        if len(standing) >= VIEWS_MAX:
            raise ViewError(f"there are {VIEWS_MAX} views already", "remove one first", "name")
        _refuse_taken(name, standing)
        row = connection.execute(_SQL["add_view"], {"name": name, "address": address, "who": who}).fetchone()
    if row is None:
        raise RuntimeError("the database did not number the view")
    return row[0]


def rename_view(connection: psycopg.Connection, view_id: int, name: str, who: str) -> None:
    """Call a view something else. Raises UnknownView; ViewError."""
    name = _named(name)
    with connection.transaction():
        connection.execute(_SQL["lock_views"])
        standing = connection.execute(_SQL["names"]).fetchall()
        _refuse_taken(name, [row for row in standing if row[0] != view_id])
        _revise(connection, view_id, who, name=name, is_removed=False)


def remove_view(connection: psycopg.Connection, view_id: int, who: str) -> None:
    """List a view no more. Its address goes on to work. Raises UnknownView."""
    with connection.transaction():
        connection.execute(_SQL["lock_views"])
        _revise(connection, view_id, who, name=None, is_removed=True)


def list_views(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """All views, as `ledger.saved_views` has them, by name."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["list_views"]).fetchall()


def _revise(connection: psycopg.Connection, view_id: int, who: str, *, name: str | None, is_removed: bool) -> None:
    stated = {"view_id": view_id, "name": name, "who": who, "is_removed": is_removed}
    if connection.execute(_SQL["revise_view"], stated).rowcount == 0:
        raise UnknownView(f"there is no view {view_id}", "it may have been removed")


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > NAME_MAX:
        raise ViewError("a view has a name", f"of 1 to {NAME_MAX} characters", "name")
    return name


def _refuse_taken(name: str, standing: list[tuple[Any, ...]]) -> None:
    if any(taken.casefold() == name.casefold() for _, taken in standing):
        raise ViewError(f"there is a view {name!r} already", "choose another name", "name")
