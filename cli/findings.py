"""`pigou findings`: where dollars are lost every day, why to believe it, and what became of it."""

from __future__ import annotations

import getpass
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from cli.errors import CommandError
from cli.home import home_to_read, open_database
from cli.known import refuse_unheard
from cli.options import Format, FormatOption, HomeOption, NewTenantOption, TenantOption, WhoOption, parse_moment, stated_by
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import remark, say

if TYPE_CHECKING:
    from cli.compare import Beside, Compared, Found
    from ledger.findings import Act

findings_app = typer.Typer(name="findings", help="Where dollars are lost every day, and what became of it.", no_args_is_help=True)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no number") from None


def _mode(text: str) -> str:
    from analyzers.modes.look import Mode

    refuse_unheard("--mode", text, get_args(Mode))
    return text


ModeOption = Annotated[str | None, typer.Option("--mode", parser=_mode, metavar="MODE", help="Of this failure mode only.")]
FindingArgument = Annotated[int, typer.Argument(metavar="FINDING", min=1, help="The finding's number.")]
NoteOption = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why; kept in its history.")]


@findings_app.command("list")
def list_findings(
    home: HomeOption = None,
    tenant: TenantOption = None,
    mode: ModeOption = None,
    every: Annotated[bool, typer.Option("--all", help="With those that are dismissed or resolved.")] = False,
    dismissed: Annotated[bool, typer.Option("--dismissed", help="Only those that are dismissed.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List what is lost every day, the dearest first: open and acknowledged findings."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        key = {"tenant": tenant, "mode": mode, "every": every}
        write_cursor(books.execute(_DISMISSED if dismissed else _LIST, key), chosen)
        problems = books.execute(_PROBLEMS, key).fetchall()
    for owner, which, problem in problems:
        remark(f"{which} cannot look at {owner}: {problem}")


_LIST = """
select tenant, finding_id, mode, segment, round(usd_per_day, 2) as usd_per_day, round(low, 2) as low, round(high, 2) as high,
       status, to_char(since at time zone 'UTC', 'YYYY-MM-DD') as since, opened_at, unclear_since,
       n, materiality_usd_per_day, sentence
  from ledger.findings
 where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(mode)s::text is null or mode = %(mode)s)
   and (%(every)s or status in ('open', 'acknowledged'))
 order by status = 'resolved', usd_per_day desc, tenant, finding_id"""

_DISMISSED = """
select tenant, finding_id, mode, segment, round(usd_per_day, 2) as usd_per_day, round(low, 2) as low, round(high, 2) as high,
       dismissed_as, dismissed_by, dismissed_at, dismissed_until, dismissed_until_usd_per_day, dismissed_note, sentence
  from ledger.findings
 where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(mode)s::text is null or mode = %(mode)s)
   and status = 'dismissed'
 order by usd_per_day desc, tenant, finding_id"""

_PROBLEMS = """
select tenant, mode, problem from ledger.detections
 where problem is not null and (%(tenant)s::text is null or tenant = %(tenant)s) and (%(mode)s::text is null or mode = %(mode)s)
 order by tenant, mode"""


@findings_app.command("show")
def show_finding(
    finding: FindingArgument, home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE
) -> None:
    """Show a finding: what is lost, why to believe it, what would make that wrong, what to change, and cases to look at."""
    from cli.rows import write_cursor
    from ledger.findings import owner_of
    from ledger.findings import show_finding as shown

    with _refusals(), open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        owner = owner_of(books, finding, tenant)
        key = {"tenant": owner, "finding": finding}
        if chosen is not Format.TABLE:
            write_cursor(
                books.execute("select * from ledger.findings where tenant = %(tenant)s and finding_id = %(finding)s", key), chosen
            )
            return
        row = shown(books, owner, finding)[0]
        _tell(row)
        _tell_parts(row["mode"], row["evidence"].get("detail") or {})
        examples = """
            select trace_id, decision_id, round(usd, 4) as usd from ledger.finding_examples
             where tenant = %(tenant)s and finding_id = %(finding)s order by example"""
        say("cases:")
        write_cursor(books.execute(examples, key), chosen)
    remark(f"`pigou explain TRACE` tells a case; `pigou findings history {finding} --tenant {owner}` what became of it")


def _tell(row: dict[str, Any]) -> None:
    evidence = row["evidence"]
    say(f"{row['tenant']} {row['mode']}: {row['segment']} ({row['status']})")
    say(row["sentence"])
    say(
        f"{row['usd_per_day']:.2f} USD a day, 95 % interval {row['low']:.2f} to {row['high']:.2f},"
        f" since {row['since']:%Y-%m-%d %H:%M}; material from {row['materiality_usd_per_day']:.2f} on"
    )
    if row["unclear_since"] is not None:
        say(
            f"not enough evidence since {row['unclear_since']:%Y-%m-%d %H:%M} to say whether it goes on"
            f" (last found wrong {row['seen_at']:%Y-%m-%d %H:%M}): {row['unclear_why']}"
        )
    say(f"to change: {row['change']}")
    say(f"inequality: {row['inequality']}")
    for term in evidence["terms"]:
        say(f"  {term['name']}: {_dollars(term)}")
    say(f"evidence: {row['n']} in {row['tasks']} tasks; {row['method']}")
    for weakness in evidence["weaknesses"]:
        say(f"  weakness: {weakness}")


def _tell_parts(mode: str, detail: dict[str, Any]) -> None:
    from cli.finding_evidence import parts_of
    from cli.rows import write_text

    for part in parts_of(mode, detail):
        say(part.said + (":" if part.rows else ""))
        if part.rows:
            write_text(part.columns, part.rows, Format.TABLE, [place >= part.words for place in range(len(part.columns))])


def _dollars(term: dict[str, Any]) -> str:
    if term["usd_per_day"] is None:
        return "not known"
    if term["low"] is None or term["high"] is None:
        return f"{term['usd_per_day']:.4f} USD a day"
    return f"{term['usd_per_day']:.4f} USD a day ({term['low']:.4f} to {term['high']:.4f})"


@findings_app.command("history")
def show_history(
    finding: FindingArgument, home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE
) -> None:
    """Show what happened to a finding: when it opened, grew and resolved, and what people did."""
    from cli.rows import write_cursor
    from ledger.findings import owner_of

    with _refusals(), open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        key = {"tenant": owner_of(books, finding, tenant), "finding": finding}
        query = """
            select tenant, at, event, who, note, round(usd_per_day, 2) as usd_per_day, round(low, 2) as low,
                   round(high, 2) as high
              from ledger.finding_events where tenant = %(tenant)s and finding_id = %(finding)s order by event_id"""
        write_cursor(books.execute(query, key), chosen)


@findings_app.command("looks")
def list_looks(
    home: HomeOption = None,
    tenant: TenantOption = None,
    mode: ModeOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List every place that was looked at, findings or not: what is right, and what could not be judged and why."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        query = """
            select tenant, mode, segment, status, round(usd_per_day, 2) as usd_per_day, round(low, 2) as low,
                   round(high, 2) as high, is_discovery, finding_id, n, sentence
              from ledger.looks
             where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(mode)s::text is null or mode = %(mode)s)
             order by usd_per_day desc nulls last, n desc, tenant, mode, segment"""
        write_cursor(books.execute(query, {"tenant": tenant, "mode": mode}), chosen)


@findings_app.command("ack")
def acknowledge_finding(
    finding: FindingArgument, home: HomeOption = None, tenant: TenantOption = None, note: NoteOption = None, who: WhoOption = None
) -> None:
    """Say that somebody looks after it: it and its alert are not told again until it has grown to twice as much."""
    _act("acknowledged", finding, home, tenant, note, who)


@findings_app.command("note")
def note_finding(
    finding: FindingArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be known.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    who: WhoOption = None,
) -> None:
    """Note something of it, resolved or not; nothing else changes."""
    _act("noted", finding, home, tenant, text, who)


class GroundName(StrEnum):
    """Why a loss is left as it is."""

    INTENDED = "intended"
    NOT_WORTH_IT = "not-worth-it"


@findings_app.command("dismiss")
def dismiss_finding(
    finding: FindingArgument,
    ground: Annotated[GroundName, typer.Option("--as", help="What it is.")],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; kept in its history.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    until: Annotated[
        datetime | None, typer.Option("--until", parser=parse_moment, metavar="DAY", help="It counts again then.")
    ] = None,
    grown_by: Annotated[
        Decimal | None,
        typer.Option("--grown-by", parser=_number, metavar="NUMBER", help="It counts again when it is so many times as large."),
    ] = None,
    who: WhoOption = None,
) -> None:
    """Leave a loss as it is, for good or until something: it neither alerts nor counts. Looks at it go on."""
    from ledger.findings import Dismissal, dismiss

    dismissal = Dismissal("intended" if ground is GroundName.INTENDED else "not worth it", until, grown_by)
    with _refusals(), open_database("writer", home) as books:
        owner = dismiss(books, finding, dismissal, who=who or getpass.getuser(), note=note, tenant=tenant)
    say(f"{owner}: finding {finding} dismissed" + (f" until {until:%Y-%m-%d %H:%M} UTC" if until else ""))


@findings_app.command("restore")
def restore_finding(
    finding: FindingArgument,
    home: HomeOption = None,
    tenant: TenantOption = None,
    note: NoteOption = None,
    who: WhoOption = None,
) -> None:
    """End a dismissal: the finding counts and alerts again."""
    from ledger.findings import restore

    with _refusals(), open_database("writer", home) as books:
        owner = restore(books, finding, who=who or getpass.getuser(), note=note, tenant=tenant)
    say(f"{owner}: finding {finding} restored")


@findings_app.command("materiality")
def materiality(
    home: HomeOption = None,
    tenant: TenantOption = None,
    usd_per_day: Annotated[
        Decimal | None,
        typer.Option("--usd-per-day", parser=_number, metavar="USD", help="State it anew; without it, show what holds."),
    ] = None,
    chosen: FormatOption = Format.TABLE,
    new_tenant: NewTenantOption = False,
    who: WhoOption = None,
) -> None:
    """Show or state from how many dollars a day on a loss is a finding, for all or for a tenant.

    Nothing is edited: a change is a further revision.
    """
    from cli.rows import write_cursor

    if usd_per_day is None:
        with open_database("reader", home) as books:
            refuse_unknown(books, tenant)
            query = """
                select tenant, usd_per_day, revision, source, recorded_at from ledger.materiality
                 where is_in_force and (%(tenant)s::text is null or tenant is null or tenant = %(tenant)s)
                 order by tenant nulls first"""
            write_cursor(books.execute(query, {"tenant": tenant}), chosen)
        return
    from ledger.findings import set_materiality

    with _refusals(), open_database("writer", home) as books:
        refuse_slips(books, [tenant], is_meant=new_tenant)
        revision = set_materiality(books, usd_per_day, tenant, stated_by(who, "pigou findings materiality"))
    say(f"{usd_per_day} USD a day for {tenant or 'all'}: revision {revision}")


@findings_app.command("compare")
def compare_findings(
    home: HomeOption = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="A truth of the economy; by default truth.json of the home.")
    ] = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Compare findings with what was injected into a simulated economy: what was found, for how many dollars, and what else."""
    from cli.compare import compare, read_truth

    injected = read_truth(truth or home_to_read(home).path / "truth.json")
    with open_database("reader", home) as books:
        write_compared(compare(books, injected), chosen)


def write_compared(compared: Compared, chosen: Format) -> None:
    """Write what was injected beside what was found, then what else was found."""
    from cli.rows import write_records

    records = [_of_injected(each) for each in compared.beside] + [_of_another(found) for found in compared.others]
    columns = [name for name in _COMPARED if chosen is not Format.TABLE or name not in _SAID_IN_THE_TABLE]
    if chosen is Format.TABLE:
        records = [{**record, "injected": record["injected"] or f"none ({record['mode']})"} for record in records]
    write_records(records, columns, chosen, numbers={"usd_per_day", "found_usd_per_day", "low", "high", "off_by"})
    if chosen is Format.TABLE:
        found = sum(bool(each.findings) for each in compared.beside)
        say(f"{found} of {len(compared.beside)} injected misallocations found, {len(compared.others)} other findings")


_COMPARED = ("injected", "mode", "tenant", "place", "since", "usd_per_day", "found_usd_per_day", "low", "high", "off_by", "found")
_SAID_IN_THE_TABLE = ("mode", "since")
"""By other columns, so that it fits a terminal."""


def _signed(share: float) -> str:
    """A share with its sign, and none where it rounds to nothing."""
    return f"{share:+.0%}" if round(share, 2) else "0%"


def _of_injected(each: Beside) -> dict[str, str | Decimal | None]:
    injected, interval = each.injected, each.interval
    return {
        "injected": injected.key,
        "mode": injected.mode,
        "tenant": injected.segment.tenant,
        "place": injected.segment.task_class or injected.segment.agent,
        "since": injected.onset[:10],
        "usd_per_day": _cents(injected.usd_per_day),
        "found_usd_per_day": _cents(each.usd_per_day),
        "low": _cents(interval[0]) if interval else None,
        "high": _cents(interval[1]) if interval else None,
        "off_by": None if each.off_by is None else _signed(each.off_by),
        "found": "; ".join(f"{found.finding_id}: {found.segment}" for found in each.findings) or f"none; {each.why_not}",
    }


def _of_another(found: Found) -> dict[str, str | Decimal | None]:
    return {
        "injected": None,
        "mode": found.mode,
        "tenant": found.tenant,
        "place": found.task_class or found.agent,
        "since": found.since,
        "usd_per_day": None,
        "found_usd_per_day": _cents(found.usd_per_day),
        "low": _cents(found.low),
        "high": _cents(found.high),
        "off_by": None,
        "found": f"{found.finding_id}: {found.segment}",
    }


def _cents(usd: float | Decimal | None) -> Decimal | None:
    return None if usd is None else Decimal(f"{usd:.2f}")


def _act(event: Act, finding: int, home: Path | None, tenant: str | None, note: str | None, who: str | None) -> None:
    from ledger.findings import act

    with _refusals(), open_database("writer", home) as books:
        owner = act(books, finding, event, who=who or getpass.getuser(), note=note, tenant=tenant)
    say(f"{owner}: finding {finding} {event}")


@contextmanager
def _refusals() -> Generator[None]:
    """What cannot be done to a finding is the caller's to mend: exit 2."""
    from ledger.findings import FindingError

    try:
        yield
    except FindingError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error
