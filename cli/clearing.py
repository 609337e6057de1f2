"""`pigou prices clear`: the price at which what tenants take of an engine fits its capacity; and what is stated of capacities."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, SinceOption, UntilOption, WhoOption, stated_by
from cli.terminal import remark, say

if TYPE_CHECKING:
    from allocation.market import Cleared
    from analyzers.prices.clearing import Answer

_NONE = "none"
_MOVES = 1e-9  # decisions a day: less is rounding


class ResourceName(StrEnum):
    """What an engine has only so much of in a second."""

    PREFILL = "prefill"
    DECODE = "decode"
    KV = "kv"


EngineArgument: TypeAlias = Annotated[str, typer.Argument(metavar="ENGINE", help="The engine, as its spans name it.")]
UnitOption: TypeAlias = Annotated[
    ResourceName,
    typer.Option("--unit", help="Fresh prompt tokens, output tokens, or tokens of context held for a second."),
]


def capacity(
    engine: EngineArgument,
    home: HomeOption = None,
    unit: UnitOption = ResourceName.DECODE,
    per_s: Annotated[
        str | None, typer.Option("--per-s", metavar="UNITS", help="How many it can do in a second; `none` takes it off.")
    ] = None,
    per_hour: Annotated[str | None, typer.Option("--per-hour", metavar="UNITS", help="The same in an hour.")] = None,
    who: WhoOption = None,
) -> None:
    """State how much an engine can do, for all its tenants together; its clearing price is then kept on the clock."""
    from ledger.engine_capacity import state_capacity
    from ledger.errors import PriceError

    given = [(text, name, seconds) for text, name, seconds in ((per_s, "--per-s", 1), (per_hour, "--per-hour", 3600)) if text]
    if len(given) != 1:
        raise CommandError("a capacity is stated once", "give either --per-s or --per-hour", exit_code=2)
    [(text, name, seconds)] = given
    amount = None if text.lower() == _NONE else _number(text, name) / seconds
    with open_database("writer", home) as books:
        try:
            revision = state_capacity(books, engine, unit, amount, stated_by(who, "pigou prices capacity"))
        except PriceError as error:
            raise CommandError(error.message, error.mend, exit_code=2) from error
    if amount is None:
        say(f"{engine}: capacity for {unit} taken off, revision {revision}")
    else:
        found = f"`pigou prices clear {engine} --unit {unit}` finds its price"
        say(f"{engine}: capacity for {unit} stated, revision {revision}; {found}")


def capacities(
    home: HomeOption = None,
    history: Annotated[bool, typer.Option("--history", help="With those that no longer hold.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List what engines are stated to be able to do."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        query = """
            select engine, resource, per_s, revision, source, recorded_at from ledger.engine_capacities
             where %(history)s or (is_in_force and per_s is not null)
             order by engine, resource, revision"""
        write_cursor(books.execute(query, {"history": history}), chosen)


def clear(
    engine: EngineArgument,
    home: HomeOption = None,
    unit: UnitOption = ResourceName.DECODE,
    tenant: Annotated[
        list[str] | None,
        typer.Option("--tenant", metavar="NAME", help="Who may be moved, repeatable; all by default. Others go on as they did."),
    ] = None,
    per_s: Annotated[
        float | None, typer.Option("--capacity", metavar="UNITS", help="Units a second in place of what is stated.")
    ] = None,
    busiest: Annotated[
        bool, typer.Option("--busiest", help="What it delivered in its busiest hour, in place of what is stated.")
    ] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Tasks that are alike are moved all together or not at all.")] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    hours: Annotated[
        str | None, typer.Option("--hours", metavar="FROM-TO", help="Of every day these hours only, UTC, as in 9-17 or 22-6.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws that intervals come from.")] = 0,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Find the price at which what tenants take of an engine fits its capacity, and who gives way. Writes nothing."""
    from ledger.errors import PriceError, UnknownTenant

    if per_s is not None and not 0 < per_s < float("inf"):
        raise CommandError(f"a capacity of {per_s} a second", "give a number above 0", exit_code=2)
    if per_s is not None and busiest:
        raise CommandError("two capacities", "give either --capacity or --busiest", exit_code=2)
    first_hour, many = _hours(hours)
    from analyzers.prices.clearing import Asked, find_clearing

    asked = Asked(
        engine, unit.value, per_s, busiest, tuple(tenant or ()), _midnight(since, 0), _midnight(until, 1), first_hour, many, whole
    )
    with open_database("writer", home) as books:
        try:
            answer = find_clearing(books, asked, seed=seed)
        except (PriceError, UnknownTenant) as error:
            raise CommandError(error.message, error.mend, exit_code=2) from error
    if chosen is Format.JSON:
        import msgspec

        say(msgspec.json.format(msgspec.json.encode(_told(answer)), indent=1).decode())
        return
    if chosen is Format.TABLE:
        for sentence in sentences(answer):
            say(sentence)
    _write(answer, chosen)


def sentences(answer: Answer) -> list[str]:
    """What the market says, in words."""
    asked, window, found = answer.asked, answer.window, answer.cleared
    daily = "" if window.hours == 24 else f", {window.first_hour}-{(window.first_hour + window.hours) % 24} h UTC"
    said = (
        f"{asked.resource} of {asked.engine}, {window.since:%Y-%m-%d} to {window.until:%Y-%m-%d}{daily}:"
        f" {answer.capacity_per_s:,.6g} {answer.unit}s a second ({_source(answer)})"
    )
    if found is None:
        return [said, f"Nothing can be told: {answer.why}"]
    return [said, *_of_price(found, answer.unit)]


def _source(answer: Answer) -> str:
    if answer.capacity_hour is not None:
        return f"what it delivered in its busiest hour, {answer.capacity_hour:%Y-%m-%d %H} h UTC; a limit that nobody states"
    return f"as {answer.capacity_source}"


def _of_price(found: Cleared, unit: str) -> list[str]:
    was, free, takes = (sum(getattr(one, name) for one in found.takings) for name in ("was", "free", "takes"))
    price, low, high = (_usd(one) for one in (found.price.value, found.price.low, found.price.high))
    interval = "" if found.price.low is None else f", 95 %: {low} to {'without limit' if found.price.high is None else high}"
    if found.is_slack:
        first = f"There is enough for everybody: the price is 0{interval}. Tenants take {free:,.6g} a second."
    elif found.clears:
        first = f"It clears at {price} USD a million {unit}s{interval}."
        first += f" For nothing tenants would take {free:,.6g} a second, at the price {takes:,.6g}."
    else:
        first = f"No price clears it while tasks that are alike move together: {found.why}."
    upper = "without limit" if found.high is None else _usd(found.high)
    width = float("inf") if found.high is None else found.high - found.low
    is_one = width <= 1e-6 * max(abs(found.low), 1e-300)
    said = [f"{first} As it was: {was:,.6g}."]
    if not is_one and found.high != 0:
        said.append(f"Every price from {_usd(found.low)} to {upper} is as right.")
    agrees = "the joint programme agrees" if found.agrees else "the joint programme does not agree: do not rely on either"
    return [*said, f"Tâtonnement comes to {_usd(found.groped)} in {found.rounds} rounds; {agrees}."]


def _write(answer: Answer, chosen: Format) -> None:
    from cli.rows import write_text

    found = answer.cleared
    takings = found.takings if found is not None else ()
    amounts = ("was", "free", "takes", "least", "most", "fixed", "pays_usd_per_day")
    rows: list[list[str | None]] = [[one.tenant, *(f"{getattr(one, name):.6g}" for name in amounts)] for one in takings]
    if found is None:
        rows = [[name, f"{was:.6g}", *[None] * 6] for name, was in answer.served.items()]
    columns = ["tenant", "as it was", "for nothing", "at the price", "least", "most", "cannot be moved", "pays USD a day"]
    write_text(columns, rows, chosen, [False, *[True] * 7])
    moved = [one for one in (found.moved if found is not None else ()) if abs(one.free - one.takes) > _MOVES]
    if moved:
        columns = ["gives way", "task_class", "decision", "option", "as it was", "for nothing", "at the price, a day"]
        rows = [
            [one.tenant, one.task_class, one.kind, one.option, *(f"{n:.4g}" for n in (one.was, one.free, one.takes))]
            for one in moved
        ]
        write_text(columns, rows, chosen, [False] * 4 + [True] * 3)
    columns = ["tenant", "task_class", "decision", "option", "tasks", "known of", f"{answer.unit}s a task", "standard error"]
    rows = [
        [one.tenant, use.task_class, use.kind, use.option, str(use.tasks), str(use.known), _plain(use.mean), _plain(use.error)]
        for one in answer.uses
        if (use := one.use).mean != 0
    ]
    write_text(columns, rows, chosen, [False] * 4 + [True] * 4)
    if answer.untold:
        remark(f"{answer.untold} of {answer.requests} requests do not tell what they took; they are not counted")
    for one in answer.left_out:
        remark(f"{one.tenant}: left as it was: {one.what}: {one.why}")


def _told(answer: Answer) -> dict[str, Any]:
    found = answer.cleared
    return {
        "engine": answer.asked.engine, "resource": answer.asked.resource, "unit": answer.unit, "says": sentences(answer),
        "since": answer.window.since, "until": answer.window.until, "first_hour": answer.window.first_hour,
        "hours": answer.window.hours, "capacity_per_s": answer.capacity_per_s, "capacity_source": answer.capacity_source,
        "clears": None if found is None else found.clears, "why": answer.why if found is None else found.why,
        "price_usd_per_unit": None if found is None or not found.clears else asdict(found.price),
        "dual_low": found and found.low, "dual_high": found and found.high, "groped": found and found.groped,
        "agrees": found and found.agrees, "tenants": [asdict(one) for one in found.takings] if found else [],
        "moved": [asdict(one) for one in found.moved] if found else [], "was": answer.served, "requests": answer.requests,
        "untold": answer.untold, "uses": [{"tenant": one.tenant, **one.use._asdict()} for one in answer.uses],
        "left_out": [asdict(one) for one in answer.left_out],
    }  # fmt: skip


def _midnight(day: date | None, later: int) -> datetime | None:
    return None if day is None else datetime.combine(day + timedelta(days=later), time.min, UTC)


def _hours(text: str | None) -> tuple[int, int]:
    """From which hour on, and how many."""
    if text is None:
        return 0, 24
    first, dash, last = text.partition("-")
    if (
        not (dash and first.isascii() and first.isdigit() and last.isascii() and last.isdigit())
        or int(first) > 23
        or int(last) > 24
    ):
        raise CommandError(f"--hours {text!r} are no hours", "write them as in 9-17 or 22-6", exit_code=2)
    return int(first), (int(last) - int(first)) % 24 or 24


def _number(text: str, option: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CommandError(f"{option} {text!r} is no number", "write it as in 2500 or 0.5, or `none`", exit_code=2) from None


def _usd(amount: float | None) -> str:
    """A price, by the million."""
    return "not known" if amount is None else f"{amount * 1e6:.6g}"


def _plain(number: float | None) -> str | None:
    return None if number is None else f"{number:.6g}"
