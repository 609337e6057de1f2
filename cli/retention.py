"""`pigou retention`: how long raw rows are kept."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, WhoOption, stated_by
from cli.terminal import say

retention_app = typer.Typer(
    name="retention",
    help="How long raw rows, kept text and deliveries of alerts are kept; books are kept for ever.",
    no_args_is_help=True,
)
FOREVER = "forever"


@retention_app.command("show")
def show_retention(home: HomeOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """Show each kind: how many days it is kept, what is gone, how many months and bytes there are."""
    from cli.rows import write_cursor
    from ledger.retention import shown

    with open_database("writer", home) as books:
        write_cursor(shown(books), chosen)


@retention_app.command("set")
def set_retention(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="records, texts, metrics, minutes, rejections or deliveries.")],
    days: Annotated[str, typer.Argument(metavar="DAYS", help=f"How many days to keep it, or {FOREVER}.")],
    home: HomeOption = None,
    who: WhoOption = None,
) -> None:
    """Keep a kind for so many days. The clock drops what is older once a day; `pigou retention run` at once."""
    from ledger.errors import RetentionError
    from ledger.retention import keep

    if days != FOREVER and not (days.isascii() and days.isdigit()):
        raise CommandError(f"{days!r} is no number of days", f"give a whole number, or {FOREVER}", exit_code=2)
    with open_database("owner", home) as books:
        try:
            keep(books, kind, None if days == FOREVER else int(days), stated_by(who, "pigou retention set"))
        except RetentionError as error:
            raise CommandError(error.message, error.mend, exit_code=2) from error
    say(f"{kind}: kept {'for ever' if days == FOREVER else f'for {int(days)} days'}")


@retention_app.command("run")
def run_retention(home: HomeOption = None) -> None:
    """Drop the months that ended before their retention, and say which; and text and deliveries that are past theirs."""
    from ledger.retention import delete_deliveries, delete_texts, drop_expired

    with open_database("writer", home) as books:
        dropped = drop_expired(books)
        deleted = {"texts": delete_texts(books), "deliveries": delete_deliveries(books)}
    for kind, partition in dropped:
        say(f"{kind}: dropped {partition}")
    for kind, count in deleted.items():
        if count:
            say(f"{kind}: deleted {count:,} {'row' if count == 1 else 'rows'}")
    if not dropped and not any(deleted.values()):
        say("nothing is past its retention")
