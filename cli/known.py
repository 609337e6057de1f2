"""Words of options by which something is called: one by which nothing is would be answered by no rows, and is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, LiteralString

from cli.errors import CommandError
from cli.terminal import nearest

if TYPE_CHECKING:
    import psycopg

_NAMED_MAX = 20


def words(books: psycopg.Connection, query: LiteralString, given: Mapping[str, object] | None = None) -> list[str]:
    """The first column of a query's rows."""
    return [row[0] for row in books.execute(query, given)]


def refuse_unheard(option: str, word: str | None, known: Sequence[str]) -> None:
    """Raises CommandError (exit 2) for a word that is none of the known ones. None is any of them."""
    if word is None or word in known:
        return
    raise CommandError(f"{option} {word!r}: there is no such one", nearest(word, known) or listed(known), exit_code=2)


def refuse_reversed(since: date | None, until: date | None) -> None:
    """Raises CommandError (exit 2) for days that end before they begin."""
    if since is not None and until is not None and until < since:
        raise CommandError(f"--until {until} is before --since {since}", "name the first day and the last", exit_code=2)


def listed(known: Sequence[str]) -> str:
    """What names there are, the first of them if they are many."""
    if not known:
        return "there is none yet"
    more = f" and {len(known) - _NAMED_MAX} more" if len(known) > _NAMED_MAX else ""
    return f"known are {', '.join(known[:_NAMED_MAX])}{more}"
