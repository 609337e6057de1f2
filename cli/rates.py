"""`pigou rates`: what is charged, what is held, and prices of one's own."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.known import refuse_unheard, words
from cli.options import (
    Format,
    FormatOption,
    HomeOption,
    NewTenantOption,
    TenantOption,
    WhoOption,
    parse_day,
    parse_moment,
    stated_by,
)
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import remark, say

if TYPE_CHECKING:
    from decimal import Decimal

    import psycopg

    from ledger.rates import AddedRates, RateFilter
    from ledger.rerate import Foreseen

_COUNTS_FOR_MS = 15_000

rates_app = typer.Typer(name="rates", help="Prices: the list's, and a tenant's own.", no_args_is_help=True)

ProviderOption = Annotated[str | None, typer.Option("--provider", metavar="NAME", help="Who is paid.")]
TierOption = Annotated[str | None, typer.Option("--tier", metavar="NAME", help="Service tier: standard, batch, flex, priority…")]
TrialFlag = Annotated[bool, typer.Option("--trial", help="Add nothing, and say what would be booked again.")]


@rates_app.command("list")
def list_rates(
    home: HomeOption = None,
    tenant: TenantOption = None,
    provider: ProviderOption = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="The model; * stands for anything.")] = None,
    commodity: Annotated[str | None, typer.Option("--commodity", metavar="NAME", help="Such as input_tokens.")] = None,
    tier: TierOption = None,
    on: Annotated[
        date | None, typer.Option("--on", parser=parse_day, metavar="DAY", help="Only rates valid at that day's end.")
    ] = None,
    own: Annotated[bool, typer.Option("--own", help="Only what was stated, without the price list.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List the rates held, superseded ones included: the tenants' own, then the price list's."""
    from cli.rows import write_cursor
    from ledger import rates

    at = datetime.combine(on, time.max, UTC) if on else None
    wanted = rates.RateFilter(tenant, provider, model, commodity, tier, at, with_list=not own)
    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        _refuse_unheard(books, wanted)
        write_cursor(rates.list_rates(books, wanted), chosen)


@rates_app.command("show")
def show_rate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model, as calls report it.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    provider: ProviderOption = None,
    at: Annotated[
        datetime | None, typer.Option("--at", parser=parse_moment, metavar="TIME", help="When the call happens; now by default.")
    ] = None,
    known_at: Annotated[
        datetime | None, typer.Option("--known-at", parser=parse_moment, metavar="TIME", help="As the price book stood then.")
    ] = None,
    tier: TierOption = None,
    input_tokens: Annotated[
        int | None,
        typer.Option("--input-tokens", min=0, metavar="N", help="The whole input, for prices that rise with it."),
    ] = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show what a call would be charged per commodity, where each price comes from, and since when."""
    from cli.rows import write_cursor
    from ledger import rates
    from ledger.list_rates import service_tier

    with open_database("writer", home) as books:
        refuse_unknown(books, tenant)
        name, rows = rates.show(
            books, provider, model, at=at, known_at=known_at, tenant=tenant,
            service_tier=service_tier(tier), total_input_tokens=input_tokens,
        )  # fmt: skip
        if rows.rowcount == 0:
            mend = f"give a price: pigou rates add --provider {name.provider} --model {name.model} …"
            raise CommandError(f"{name.provider} {name.model} has no price in the tier {service_tier(tier)}", mend)
        remark(f"priced as {name.provider} {name.model}")
        write_cursor(rows, chosen)


@rates_app.command("add")
def add_rate(
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="The model, as calls report it or as `show` names it.")],
    provider: Annotated[str, typer.Option("--provider", metavar="NAME", help="Who is paid; unknown for calls that do not say.")],
    commodity: Annotated[str, typer.Option("--commodity", metavar="NAME", help="Such as input_tokens.")],
    usd: Annotated[str, typer.Option("--usd", metavar="PRICE", help="What --per units cost, in US dollars.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    per: Annotated[str | None, typer.Option("--per", metavar="N", help="Units the price buys; tokens: 1000000.")] = None,
    tier: TierOption = None,
    context_above: Annotated[
        str, typer.Option("--context-above", metavar="N", help="Only for calls with more input tokens.")
    ] = "0",
    valid_from: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="When it begins to hold; open by default.")
    ] = None,
    valid_until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="When it no longer holds; open by default.")
    ] = None,
    daily_from: Annotated[
        str | None, typer.Option("--daily-from", metavar="HH:MM", help="Part of the day it is for, UTC.")
    ] = None,
    daily_until: Annotated[str | None, typer.Option("--daily-until", metavar="HH:MM", help="End of that part.")] = None,
    trial: TrialFlag = False,
    new_tenant: NewTenantOption = False,
    who: WhoOption = None,
) -> None:
    """Add a price of a tenant's own. One that covers an earlier one corrects it; nothing is edited."""
    from ledger import rates
    from ledger.stated_rates import stated_rate

    cells = {
        "provider": provider, "model": model, "commodity": commodity, "price_usd": usd, "per": per, "service_tier": tier,
        "context_above": context_above, "valid_from": valid_from, "valid_until": valid_until, "daily_from": daily_from,
        "daily_until": daily_until,
    }  # fmt: skip
    with _refusals(), open_database("writer", home) as books:
        refuse_slips(books, [tenant], is_meant=new_tenant)
        rate = stated_rate({column: text for column, text in cells.items() if text is not None})
        whose, source = _whose(books, tenant), stated_by(who, "pigou rates add")
        _add(books, lambda: rates.add_rates(books, whose, [rate], source), is_trial=trial)


@rates_app.command("import")
def import_rates(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or YAML; docs/prices.md shows both.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    trial: TrialFlag = False,
    new_tenant: NewTenantOption = False,
    who: WhoOption = None,
) -> None:
    """Add all prices of a file, or none. Rows that name no tenant are for --tenant."""
    from ledger import rates
    from ledger.rate_files import read_rates

    with _refusals():
        stated = read_rates(file)
        with open_database("writer", home) as books:
            refuse_slips(books, [tenant, *(rate.tenant for rate in stated)], is_meant=new_tenant)
            whose = tenant if all(rate.tenant for rate in stated) else _whose(books, tenant)
            source = stated_by(who, f"pigou rates import {file.name}")
            _add(books, lambda: rates.add_rates(books, whose, stated, source), is_trial=trial)


_PROVIDERS = "select distinct provider from ledger.rates order by provider"
_TIERS = "select distinct service_tier from ledger.rates order by service_tier"
_MODELS = "select distinct model from ledger.rates order by model"


def _refuse_unheard(books: psycopg.Connection, wanted: RateFilter) -> None:
    """Raises CommandError (exit 2) where no price at all is of what is asked for."""
    from ledger.commodities import COMMODITY_BY_NAME

    refuse_unheard("--commodity", wanted.commodity, list(COMMODITY_BY_NAME))
    if wanted.provider is not None:
        refuse_unheard("--provider", wanted.provider.lower(), words(books, _PROVIDERS))
    if wanted.service_tier is not None:
        refuse_unheard("--tier", wanted.service_tier, words(books, _TIERS))
    if wanted.model is not None and "*" not in wanted.model:
        refuse_unheard("--model", wanted.model.lower(), words(books, _MODELS))


@contextmanager
def _refusals() -> Generator[None]:
    """A price that cannot be taken is the caller's to mend: exit 2."""
    from ledger.stated_rates import RateError

    try:
        yield
    except RateError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error


def _whose(books: psycopg.Connection, tenant: str | None) -> str:
    """The tenant a price is for: the named one, else the only one there is."""
    from ledger.tenants import DEFAULT_TENANT

    if tenant:
        return tenant
    known = [name for (name,) in books.execute("select tenant from pigou.tenant where tenant_id <> 0 order by tenant")]
    if len(known) > 1:
        raise CommandError(f"there are {len(known)} tenants", f"say whose price it is: --tenant {known[0]}", exit_code=2)
    return known[0] if known else DEFAULT_TENANT


def _add(books: psycopg.Connection, add: Callable[[], AddedRates], *, is_trial: bool) -> None:
    """Add prices, say what they change, and book that again; of a trial only say it. Raises CommandError for a trial of more than
    can be counted."""
    from ledger.rerate import rerate

    with books.transaction(force_rollback=is_trial):
        added = add()
        changes = _foreseen(books, added)
    if is_trial and changes is None:
        raise CommandError(f"what this changes was not counted within {_COUNTS_FOR_MS / 1000:g} s", "add it without --trial")
    corrected = f", {added.corrections} of them correcting earlier ones" if added.corrections else ""
    rates = f"{added.rates} {'rate' if added.rates == 1 else 'rates'}"
    say(f"{rates}{corrected}: a trial, nothing is added" if is_trial else f"{rates} added{corrected}")
    for tenant, tenant_id in sorted(added.tenants.items()):
        change = None if changes is None else changes[tenant]
        moved = f", from {_usd(change.cost_before_usd)} to {_usd(change.cost_after_usd)} USD" if change and change.calls else ""
        if is_trial and change:
            left = f"{change.still_unpriced} would still need a price of something else"
            say(f"{tenant}: {change.calls} calls would be booked again{moved}; {left}")
        else:
            done = rerate(books, tenant_id)
            calls = change.calls if change else done.adjusted
            say(f"{tenant}: {calls} calls booked again{moved}; {done.still_unpriced} still unpriced")


def _foreseen(books: psycopg.Connection, added: AddedRates) -> dict[str, Foreseen] | None:
    """What the rates change, by tenant; None where that takes so long that others would wait for the price book."""
    from psycopg.errors import QueryCanceled

    from ledger.rerate import foresee

    try:
        with books.transaction():
            books.execute(f"set local statement_timeout = {_COUNTS_FOR_MS}".encode())
            return {tenant: foresee(books, tenant_id) for tenant, tenant_id in added.tenants.items()}
    except QueryCanceled:
        return None


def _usd(amount: Decimal) -> str:
    """In digits, without zeros that say nothing."""
    return f"{amount.normalize():f}"
