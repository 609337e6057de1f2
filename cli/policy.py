"""`pigou policy`: what tasks are worth, and what their latency and risk cost, as somebody states it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, NewTenantOption, TenantOption, WhoOption, parse_moment, stated_by
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import say

policy_app = typer.Typer(name="policy", help="V, λ, ρ, deadlines and outcomes by task class.", no_args_is_help=True)


@policy_app.command("import")
def import_policy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or YAML; docs/tasks.md shows both.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    new_tenant: NewTenantOption = False,
    who: WhoOption = None,
) -> None:
    """Add all statements of a file, or none. Rows that name no tenant are for --tenant, or for all."""
    from ledger.price_policies import PolicyError, add_policies, read_policies

    try:
        stated = read_policies(file)
        with open_database("writer", home) as books:
            refuse_slips(books, [tenant, *(each.tenant for each in stated)], is_meant=new_tenant)
            added = add_policies(books, tenant, stated, stated_by(who, f"pigou policy import {file.name}"))
    except PolicyError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error
    say(f"{added} of {len(stated)} statements say something new")


@policy_app.command("list")
def list_policy(
    home: HomeOption = None,
    tenant: TenantOption = None,
    every: Annotated[bool, typer.Option("--all", help="With what was superseded.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List what is stated: the last revision of each class, a tenant's own and those for all."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        query = """
            select tenant, task_class, revision, valid_from, valid_until, v_usd, lambda_usd_per_s, rho, deadline_s, grace_s,
                   outcome_sources, source, lambda_is_dual, rho_is_dual
              from ledger.price_policies p
             where (%(tenant)s::text is null or tenant is null or tenant = %(tenant)s)
               and (%(every)s or not exists (select from ledger.price_policies n
                                              where n.tenant is not distinct from p.tenant and n.task_class = p.task_class
                                                and n.revision > p.revision))
             order by tenant nulls first, task_class, revision, valid_from"""
        write_cursor(books.execute(query, {"tenant": tenant, "every": every}), chosen)


@policy_app.command("show")
def show_policy(
    task_class: Annotated[str, typer.Argument(metavar="CLASS", help="The class of a task.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    at: Annotated[
        datetime | None, typer.Option("--at", parser=parse_moment, metavar="TIME", help="When the task began; now by default.")
    ] = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show what holds for a task of a class, and which statement each price is from."""
    from datetime import UTC

    from analyzers.tasks.prices import PRICES
    from analyzers.tasks.rules import judges_of
    from cli.rows import write_text

    with open_database("writer", home) as books:
        refuse_unknown(books, tenant)
        found = books.execute("select tenant_id from pigou.tenant where tenant = %s", (tenant or "",)).fetchone()
        book = judges_of(books, found[0] if found else 0).book
    moment = at or datetime.now(UTC)
    held, prices = book.stated_by(task_class, moment), book.prices_of(task_class, moment)
    rows: list[list[str | None]] = []
    for name in PRICES:
        value, statement = getattr(prices, name), held.get(name)
        shown = None if value is None else ", ".join(prices.outcome_sources) if name == "outcome_sources" else str(value)
        if name in prices.duals:
            shown = "dual, not solved" if shown is None else f"{shown} (dual)"
        whose = ["nobody", None] if statement is None else [statement.task_class, tenant if statement.is_own else None]
        rows.append([name, shown, *whose, None if statement is None else str(statement.revision)])
    write_text(("price", "value", "stated_for", "tenant", "revision"), rows, chosen, [False] * 5)
