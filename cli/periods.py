"""`pigou periods`: days of the books that are closed together."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, parse_day
from cli.terminal import say

periods_app = typer.Typer(name="periods", help="Close periods of the books, and list them.", no_args_is_help=True)


@periods_app.command("list")
def list_periods(home: HomeOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List the tenants and the day their books are closed through."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        write_cursor(books.execute("select tenant, closed_through from ledger.periods order by tenant"), chosen)


@periods_app.command("close")
def close_period(
    tenant: Annotated[str, typer.Option("--tenant", envvar="PIGOU_TENANT", metavar="NAME", help="Whose books.")],
    through: Annotated[date, typer.Option("--through", parser=parse_day, metavar="DAY", help="The last day to close.")],
    home: HomeOption = None,
) -> None:
    """Close a tenant's books through a day: what comes later for it is posted to the first open day."""
    from ledger.periods import close

    with open_database("writer", home) as books:
        before = close(books, tenant, through)
    say(f"{tenant}: closed through {through}" + (f" (before: {before})" if before else ""))
