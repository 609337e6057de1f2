"""`pigou prices`: what quality, seconds and expected losses are priced at, and why; `pigou quote`: a menu at these prices."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import clearing
from cli.errors import CommandError
from cli.home import open_database
from cli.known import refuse_unheard, words
from cli.options import Format, FormatOption, HomeOption, NewTenantOption, OwnerOption, TenantOption, WhoOption, stated_by
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import say

if TYPE_CHECKING:
    from allocation.problem import Kind
    from collector.quote import QuoteAnswer, QuoteRequest

prices_app = typer.Typer(name="prices", help="What quality, seconds and losses are priced at.", invoke_without_command=True)

ClassOption = Annotated[str | None, typer.Option("--task-class", metavar="NAME", help="Of this class of tasks.")]
_NONE = "none"
_CLASSES = "select distinct task_class from ledger.price_vector order by task_class"


@prices_app.callback()
def prices(
    context: typer.Context,
    home: HomeOption = None,
    tenant: TenantOption = None,
    task_class: ClassOption = None,
    history: Annotated[bool, typer.Option("--history", help="With those that no longer hold.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List the price vector: V, λ and ρ by class, where each comes from, its interval, and its constraints' slack."""
    if context.invoked_subcommand is not None:
        return
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        if task_class is not None:
            refuse_unheard("--task-class", task_class, words(books, _CLASSES))
        query = """
            select tenant, task_class, v_usd, v_source, lambda_usd_per_s, lambda_source, rho, rho_source, source, "constraint",
                   slack, budget_worth, valid, v_low_usd, v_high_usd, lambda_low, lambda_high, rho_low, rho_high, why
              from ledger.price_vector
             where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(history)s or upper_inf(valid))
               and (%(task_class)s::text is null or task_class = %(task_class)s)
             order by tenant, task_class, valid"""
        write_cursor(books.execute(query, {"tenant": tenant, "task_class": task_class, "history": history}), chosen)


@prices_app.command("constrain")
def constrain(
    task_class: Annotated[str, typer.Argument(metavar="CLASS", help="A class, a prefix as in 'code.*', or '*' for all.")],
    tenant: OwnerOption,
    home: HomeOption = None,
    sla: Annotated[
        str | None, typer.Option("--sla-s", metavar="SECONDS", help="How long its mean task may take; `none` takes it off.")
    ] = None,
    risk: Annotated[
        str | None,
        typer.Option("--risk-usd-per-day", metavar="USD", help="Expected loss that may be borne in a day; `none` takes it off."),
    ] = None,
    new_tenant: NewTenantOption = False,
    who: WhoOption = None,
) -> None:
    """State a latency SLA or a risk envelope; λ and ρ are then its duals. What is left out stays as it was."""
    from ledger.price_vector import Limits
    from ledger.price_vector import constrain as state

    if sla is None and risk is None:
        raise CommandError("nothing to state", "give --sla-s, --risk-usd-per-day or both", exit_code=2)
    lifted = frozenset(
        name for name, text in (("latency_s", sla), ("risk_usd_per_day", risk)) if text is not None and text.lower() == _NONE
    )
    limits = Limits(latency_s=_amount(sla, "--sla-s"), risk_usd_per_day=_amount(risk, "--risk-usd-per-day"), lifted=lifted)
    with open_database("writer", home) as books, _refusals():
        refuse_slips(books, [tenant], is_meant=new_tenant)
        revision = state(books, tenant, task_class, limits, stated_by(who, "pigou prices constrain"))
    say(f"{tenant}: constraint on {task_class} stated, revision {revision}; `pigou prices solve` finds its prices")


@prices_app.command("constraints")
def list_constraints(
    home: HomeOption = None,
    tenant: TenantOption = None,
    history: Annotated[bool, typer.Option("--history", help="With those that no longer hold.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List the latency SLAs and risk envelopes that are stated."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        query = """
            select tenant, task_class, latency_s, risk_usd_per_day, revision, source, recorded_at
              from ledger.price_constraints
             where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(history)s or is_in_force)
             order by tenant, task_class, revision"""
        write_cursor(books.execute(query, {"tenant": tenant, "history": history}), chosen)


@prices_app.command("solve")
def solve(
    home: HomeOption = None,
    tenant: TenantOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the resampling that intervals come from.")] = 0,
) -> None:
    """Find the prices now, rather than when the clock does."""
    from analyzers.prices.refresh import refresh_prices

    with open_database("writer", home) as books, _refusals():
        changed = refresh_prices(books, tenant, now=True, seed=seed)
    say(f"{changed} {'row' if changed == 1 else 'rows'} of the price vector changed")


@prices_app.command("what-if")
def what_if(
    tenant: OwnerOption,
    home: HomeOption = None,
    budget: Annotated[
        float | None, typer.Option("--budget-usd", min=0, metavar="USD", help="A budget in place of those stated for the same.")
    ] = None,
    days: Annotated[float, typer.Option("--budget-days", min=0.01, metavar="DAYS", help="For how long that budget is.")] = 30.0,
    sla: Annotated[float | None, typer.Option("--sla-s", min=0, metavar="SECONDS", help="An SLA in place of the stated.")] = None,
    risk: Annotated[
        float | None, typer.Option("--risk-usd-per-day", min=0, metavar="USD", help="A risk envelope in place of the stated.")
    ] = None,
    task_class: Annotated[str, typer.Option("--task-class", metavar="NAME", help="Whom they are for.")] = "*",
    anew: Annotated[bool, typer.Option("--anew", help="Of the tasks of now, rather than of the last look's.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show what prices and allocation would be under other limits, beside those that hold: as on the page. Writes nothing."""
    from allocation.what_if import Supposed
    from cli.price_tables import write_response
    from cli.supposed import looked_anew, looked_last

    levels: list[tuple[Kind, float | None]] = [
        ("compute_budget", None if budget is None else budget / days), ("latency_sla", sla), ("risk_envelope", risk)
    ]  # fmt: skip
    supposed = [Supposed(kind, task_class, level) for kind, level in levels if level is not None]
    if not supposed:
        raise CommandError("nothing to suppose", "give --budget-usd, --sla-s or --risk-usd-per-day", exit_code=2)
    with open_database("writer" if anew else "reader", home) as books, _refusals():
        looked = looked_anew(books, tenant) if anew else looked_last(books, tenant)
    write_response(looked, supposed, chosen)


prices_app.command("clear")(clearing.clear)
prices_app.command("capacity")(clearing.capacity)
prices_app.command("capacities")(clearing.capacities)


def quote(
    menu: Annotated[Path, typer.Argument(metavar="FILE", help="The menu, as YAML or JSON: what POST /v1/quote takes.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Apply eq. 1 to a menu at the prices that hold: the best option, surpluses, crossovers, and what users choose.

    A menu: {task_class: code.fix, options: [{option: small, quality: 0.7, cost_usd: 1, latency_s: 4, risk_usd: 0.05}]}
    """
    from collector.quote import quote as quoted
    from ledger.price_vector import read_prices
    from ledger.tenants import DEFAULT_TENANT

    asked = _menu(menu)
    name = tenant or asked.tenant or DEFAULT_TENANT
    with open_database("writer", home) as books, _refusals():
        vector = read_prices(books, name).of(asked.task_class)
        answer = quoted(asked, name, vector, datetime.now(UTC))
    if chosen is Format.JSON:
        say(answer.model_dump_json(indent=1))
    else:
        _write_quote(answer, chosen)


def _menu(path: Path) -> QuoteRequest:
    import yaml
    from pydantic import ValidationError

    from collector.faults import faults
    from collector.quote import QuoteRequest

    try:
        told: Any = yaml.safe_load(path.read_text())
        return QuoteRequest.model_validate(told)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", "name a file that holds a menu", exit_code=2) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is neither YAML nor JSON: {str(error).splitlines()[0]}", exit_code=2) from error
    except ValidationError as error:
        wrong = faults(error.errors(), QuoteRequest)
        raise CommandError(f"{path} is no menu: {wrong}", "`pigou quote --help` shows one", exit_code=2) from error


def _write_quote(answer: QuoteAnswer, chosen: Format) -> None:
    from cli.rows import write_text

    columns = ["option", "best", "surplus_usd", "value_usd", "cost_usd", "latency_usd", "risk_usd", "why not"]
    rows: list[list[str | None]] = [
        [one.option, "*" if one.option == answer.best else None, *(f"{amount:.6g}" for amount in (
            one.surplus_usd, one.value_usd, one.cost_usd, one.latency_usd, one.risk_usd)), None]
        for one in answer.options
    ]  # fmt: skip
    rows += [[one.option, None, None, None, None, None, None, one.why] for one in answer.refused]
    write_text(columns, rows, chosen, [False, False, True, True, True, True, True, False])
    if chosen is not Format.TABLE:
        return
    for one in answer.crossovers:
        say(f"V* {one.v_usd:.6g}: from there on {one.above} is better than {one.below}")
    if answer.menu is not None:
        say(f"incentive compatible: {_COMPATIBLE[answer.menu.is_incentive_compatible]}")
        for envy in answer.menu.envies:
            instead = envy.option or "taking nothing"
            say(f"  {envy.user} is meant to take {envy.meant} and gains {envy.gain_usd:.6g} USD by {instead}")
    for layer, sentence in answer.advice.model_dump().items():
        say(f"{layer}: {sentence}")


_COMPATIBLE = {True: "yes", False: "no", None: "not known"}


@contextmanager
def _refusals() -> Generator[None]:
    """What was asked wrongly is the caller's to mend: exit 2."""
    from ledger.errors import PriceError, UnknownTenant

    try:
        yield
    except (PriceError, UnknownTenant) as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error


def _amount(text: str | None, option: str) -> Decimal | None:
    if text is None or text.lower() == _NONE:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CommandError(f"{option} {text!r} is no number", "write it as in 30 or 0.5, or `none`", exit_code=2) from None
