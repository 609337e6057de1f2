"""`pigou budgets`: what may be spent in a period, and what is held of it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.known import listed, refuse_unheard, words
from cli.options import (
    Format,
    FormatOption,
    HomeOption,
    NewTenantOption,
    OwnerOption,
    TenantOption,
    WhoOption,
    parse_time,
    stated_by,
)
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import nearest, remark, say

budgets_app = typer.Typer(name="budgets", help="What may be spent in a period, and what is held of it.", no_args_is_help=True)

BudgetArgument = Annotated[str, typer.Argument(metavar="BUDGET", help="The budget's name.")]
_NEVER = "never"
_BUDGETS = """
select distinct budget from ledger.budget_periods where %(tenant)s::text is null or tenant = %(tenant)s order by budget"""
_STATED = """
select distinct subject from ledger.statements
 where kind = 'budget' and (%(tenant)s::text is null or tenant = %(tenant)s) order by subject"""


def _scope(option: str, what: str) -> typer.models.OptionInfo:
    return typer.Option(option, metavar="NAME", help=f"Only calls of this {what}; * for any.")


@budgets_app.command("set")
def set_budget(
    budget: BudgetArgument,
    tenant: OwnerOption,
    home: HomeOption = None,
    amount: Annotated[str | None, typer.Option("--amount", metavar="USD", help="What may be spent in a period.")] = None,
    period: Annotated[
        str | None, typer.Option("--period", metavar="KIND", help="day, week, month (the default) or total.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="NAME", help="Where its days begin, as in Europe/Berlin; UTC by default.")
    ] = None,
    layer: Annotated[str | None, _scope("--layer", "layer")] = None,
    use: Annotated[str | None, _scope("--use", "use")] = None,
    agent: Annotated[str | None, _scope("--agent", "agent")] = None,
    model: Annotated[str | None, _scope("--model", "model, as calls report it")] = None,
    task_class: Annotated[str | None, _scope("--task-class", "class of tasks")] = None,
    valid_from: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Since when; by default the period that holds now.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="When it ends; `never` takes an end off.")] = None,
    new_tenant: NewTenantOption = False,
    who: WhoOption = None,
) -> None:
    """State a budget, or change one: options left out stay as they were. Nothing is edited, a change is a further revision."""
    from ledger import budgets

    terms = budgets.Terms(
        amount_usd=_usd(amount), period=period, time_zone=zone, layer=layer, use=use, agent=agent, model=model,
        task_class=task_class, valid_from=_time("--from", valid_from), is_endless=until == _NEVER,
        valid_until=None if until == _NEVER else _time("--until", until),
    )  # fmt: skip
    with open_database("writer", home) as books, _refusals():
        refuse_slips(books, [tenant], is_meant=new_tenant)
        revision = budgets.set_budget(books, tenant, budget, terms, stated_by(who, "pigou budgets set"))
        unheard = budgets.unheard_scopes(books, tenant, budget, revision)
    say(f"{tenant}: budget {budget} stated" if revision == 1 else f"{tenant}: budget {budget} changed, revision {revision}")
    for scope, word, known in unheard:
        what = scope.replace("_", " ")
        remark(f"it counts nothing yet: no call of {tenant} is of {what} {word}; {nearest(word, known) or listed(known)}")


@budgets_app.command("list")
def list_budgets(home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List the budgets in force: of which calls, amount, spent, held and left in the period that holds now, pace and forecast."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        query = """
            select tenant, budget,
                   coalesce(nullif(concat_ws(', ', 'layer ' || layer, 'use ' || use, 'agent ' || agent, 'model ' || model,
                                             'tasks ' || task_class), ''), 'all calls') as scope,
                   period, time_zone, period_from, period_until,
                   trim_scale(amount_usd) as amount_usd, trim_scale(spent_usd) as spent_usd, trim_scale(held_usd) as held_usd,
                   trim_scale(left_usd) as left_usd, unpriced_calls, pace, round(forecast_usd, 2) as forecast_usd,
                   round(usual_forecast_usd, 2) as usual_forecast_usd
              from ledger.budgets where %(tenant)s::text is null or tenant = %(tenant)s order by tenant, budget"""
        write_cursor(books.execute(query, {"tenant": tenant}), chosen)


@budgets_app.command("show")
def show_budget(
    budget: BudgetArgument, home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE
) -> None:
    """Show what was spent of a budget in each period, by revision."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        known = [row[0] for row in books.execute(_BUDGETS, {"tenant": tenant})]
        if budget not in known:
            hint = nearest(budget, known) or f"those with calls are {', '.join(known) or 'none yet'}"
            raise CommandError(f"no period of a budget {budget} has calls", hint, exit_code=2)
        query = """
            select tenant, revision, period, time_zone, period_from, period_until, layer, use, agent, model, task_class,
                   amount_usd, spent_usd, calls, unpriced_calls, suspense_calls, source
              from ledger.budget_periods
             where budget = %(budget)s and (%(tenant)s::text is null or tenant = %(tenant)s)
             order by tenant, period_from, revision"""
        write_cursor(books.execute(query, {"tenant": tenant, "budget": budget}), chosen)


@budgets_app.command("holds")
def list_holds(
    home: HomeOption = None,
    tenant: TenantOption = None,
    budget: Annotated[str | None, typer.Option("--budget", metavar="NAME", help="Of this budget only.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="With those settled, released and expired.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List the holds: amounts set aside for calls under way."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        if budget is not None:
            refuse_unheard("--budget", budget, words(books, _STATED, {"tenant": tenant}))
        query = """
            select tenant, budget, hold_id, amount_usd, state, held_at, expires_at, ended_at, cost_usd, trace_id
              from ledger.budget_holds
             where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(budget)s::text is null or budget = %(budget)s)
               and (%(ended)s or state = 'held')
             order by held_at, tenant, budget, hold_id"""
        write_cursor(books.execute(query, {"tenant": tenant, "budget": budget, "ended": ended}), chosen)


@contextmanager
def _refusals() -> Generator[None]:
    """Terms that cannot hold are the caller's to mend: exit 2."""
    from ledger.errors import BudgetError

    try:
        yield
    except BudgetError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error


def _time(option: str, text: str | None) -> datetime | date | None:
    try:
        return None if text is None else parse_time(text)
    except typer.BadParameter as error:
        raise CommandError(f"{option}: {error.message}", exit_code=2) from None


def _usd(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        raise CommandError(f"--amount {text!r} is no amount", "write USD as in 250 or 0.50", exit_code=2) from None
