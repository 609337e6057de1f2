"""`pigou maintenance`: times in which nothing is told of some alerts."""

from __future__ import annotations

import getpass
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import (
    Format,
    FormatOption,
    HomeOption,
    NewTenantOption,
    TenantOption,
    WhoOption,
    parse_beginning,
    parse_duration,
    parse_moment,
)
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import say

maintenance_app = typer.Typer(name="maintenance", help="Times in which nothing is told of some alerts.", no_args_is_help=True)


@maintenance_app.command("plan")
def plan_maintenance(
    home: HomeOption = None,
    tenant: TenantOption = None,
    rule: Annotated[str | None, typer.Option("--rule", metavar="RULE", help="Only alerts of this rule.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="NAME", help="Only alerts about this.")] = None,
    begins: Annotated[
        datetime | None, typer.Option("--from", parser=parse_beginning, metavar="TIME", help="When it begins; now by default.")
    ] = None,
    until: Annotated[datetime | None, typer.Option("--until", parser=parse_moment, metavar="TIME", help="When it ends.")] = None,
    lasting: Annotated[
        timedelta | None,
        typer.Option("--for", parser=parse_duration, metavar="TIME", help="How long it lasts: 90s, 30m, 4h, 2d."),
    ] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why.")] = None,
    new_tenant: NewTenantOption = False,
    who: WhoOption = None,
) -> None:
    """Plan a time in which nothing is told; what happens in it is told in a summary after it."""
    from ledger.alerts import Window, plan_maintenance

    if (until is None) == (lasting is None):
        raise CommandError("when does it end?", "give one of --until and --for", exit_code=2)
    begins_at = begins or datetime.now(UTC)
    ends_at = until or begins_at + (lasting or timedelta())
    with _refusals(), open_database("writer", home) as books:
        refuse_slips(books, [tenant], is_meant=new_tenant)
        window = Window(begins_at, ends_at, tenant, rule, subject)
        number = plan_maintenance(books, window, who=who or getpass.getuser(), note=note)
    say(f"maintenance {number} of {tenant or 'all tenants'}, {begins_at:%Y-%m-%d %H:%M} to {ends_at:%Y-%m-%d %H:%M} UTC")


@maintenance_app.command("list")
def list_maintenance(
    home: HomeOption = None,
    tenant: TenantOption = None,
    every: Annotated[bool, typer.Option("--all", help="With those that are over.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List what is planned and what goes on."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        query = """
            select tenant, maintenance_id, state, rule, subject, begins_at, ends_at, who, note, ended_at, ended_by
              from ledger.maintenance
             where (%(tenant)s::text is null or tenant is null or tenant = %(tenant)s) and (%(every)s or state <> 'over')
             order by begins_at, tenant nulls first, maintenance_id"""
        write_cursor(books.execute(query, {"tenant": tenant, "every": every}), chosen)


@maintenance_app.command("end")
def end_maintenance(
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="The maintenance's number.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    who: WhoOption = None,
) -> None:
    """End one now, whether it goes on or is planned; the summary follows."""
    from ledger.alerts import end_maintenance

    with _refusals(), open_database("writer", home) as books:
        end_maintenance(books, number, tenant, who=who or getpass.getuser())
    say(f"maintenance {number} of {tenant or 'all tenants'} ended")


@contextmanager
def _refusals() -> Generator[None]:
    """What cannot be planned is the caller's to mend: exit 2."""
    from ledger.alerts import AlertError

    try:
        yield
    except AlertError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error
