"""The period that `pigou prices what-if` varies: what the last look at prices was solved over, or what is there now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import dict_row

from allocation import METHOD
from cli.errors import CommandError

if TYPE_CHECKING:
    from allocation.period import Period


@dataclass(frozen=True, slots=True)
class Looked:
    """A period with what was left out of it."""

    period: Period
    since: datetime
    until: datetime
    left_out: list[tuple[str, str]]


def looked_last(books: psycopg.Connection, tenant: str) -> Looked:
    """What the page shows. Raises: CommandError where the prices of the tenant were not looked at by this version."""
    from allocation.stored import period_of

    with books.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("select * from ledger.price_periods where tenant = %s", (tenant,)).fetchone()
        if row is None:
            raise CommandError(
                f"there is no tenant {tenant!r} whose prices were looked at",
                f"look now: pigou prices solve --tenant {tenant}",
                exit_code=2,
            )
        if row["method"] != METHOD:
            raise CommandError(
                f"the prices of {tenant!r} were solved by an earlier version, in another way",
                f"look again: pigou prices solve --tenant {tenant}",
            )
        options = cursor.execute(
            "select * from ledger.price_alternatives where tenant = %s order by comparison, place", (tenant,)
        ).fetchall()
    return Looked(period_of(row, options), row["since"], row["until"], [(what, why) for what, why in row["left_out"]])


def looked_anew(books: psycopg.Connection, tenant: str) -> Looked:
    """The tasks and statements of now, read and estimated, not written. Raises: CommandError when there is no such tenant."""
    from analyzers.prices.vector import look

    row = books.execute("select tenant_id from pigou.tenant where tenant = %s", (tenant,)).fetchone()
    if row is None:
        raise CommandError(f"there is no tenant {tenant!r}", exit_code=2)
    found = look(books, int(row[0]))
    return Looked(found.period, found.loaded.since, found.loaded.until, list(found.left_out))
