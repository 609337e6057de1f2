"""`pigou periods`: days of the books that are closed together."""

from __future__ import annotations

import getpass
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, OwnerOption, TenantOption, WhoOption, parse_day
from cli.tenants import refuse_unknown
from cli.terminal import remark, say

if TYPE_CHECKING:
    import psycopg

_WAITING = """
select coalesce(sum(unpriced_calls), 0), coalesce(sum(suspense_calls), 0) from ledger.spend_daily
 where tenant = %(tenant)s and day <= %(through)s and day > coalesce(%(before)s::date, '-infinity')"""

periods_app = typer.Typer(name="periods", help="Close periods of the books, and list them.", no_args_is_help=True)


@periods_app.command("list")
def list_periods(home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List the tenants, the day their books are closed through, and who said so last."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        query = """
            select tenant, closed_through, event, at, who, note from ledger.periods
             where %(tenant)s::text is null or tenant = %(tenant)s order by tenant"""
        write_cursor(books.execute(query, {"tenant": tenant}), chosen)


@periods_app.command("history")
def list_events(home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List every time that books were closed or opened again: when, by whom and why."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        query = """
            select tenant, at, event, closed_through, who, note from ledger.period_events
             where %(tenant)s::text is null or tenant = %(tenant)s order by tenant, event_id"""
        write_cursor(books.execute(query, {"tenant": tenant}), chosen)


@periods_app.command("close")
def close_period(
    tenant: OwnerOption,
    through: Annotated[date, typer.Option("--through", parser=parse_day, metavar="DAY", help="The last day to close.")],
    home: HomeOption = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="On what ground.")] = None,
    who: WhoOption = None,
) -> None:
    """Close a tenant's books through a day: what comes later for it is posted to the first open day."""
    from ledger.periods import close

    with open_database("writer", home) as books, _refusals(books, tenant):
        before = close(books, tenant, through, who=who or getpass.getuser(), note=note)
        waiting = books.execute(_WAITING, {"tenant": tenant, "before": before, "through": through}).fetchone()
    say(f"{tenant}: closed through {through}" + (f" (before: {before})" if before else ""))
    if waiting is not None and any(waiting):
        unpriced, unreadable = waiting
        what = f"in no sum of these days: {unpriced:,} calls without a price, {unreadable:,} not readable"
        remark(f"{what}; what they cost is posted to later days once it is known (ledger.suspense)")


@periods_app.command("reopen")
def reopen_period(
    tenant: OwnerOption,
    after: Annotated[date, typer.Option("--after", parser=parse_day, metavar="DAY", help="The last day that stays closed.")],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why.")],
    home: HomeOption = None,
    who: WhoOption = None,
) -> None:
    """Open a tenant's books again after a day. What was posted to later days meanwhile stays there."""
    from ledger.periods import reopen

    with open_database("writer", home) as books, _refusals(books, tenant):
        before = reopen(books, tenant, after, who=who or getpass.getuser(), note=note)
    say(f"{tenant}: closed through {after} (before: {before})")


@contextmanager
def _refusals(books: psycopg.Connection, tenant: str) -> Generator[None]:
    """What cannot be closed or opened is the caller's to mend: exit 2."""
    from ledger.errors import PeriodError

    refuse_unknown(books, tenant)
    try:
        yield
    except PeriodError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error
