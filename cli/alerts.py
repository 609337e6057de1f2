"""`pigou alerts`: what is wrong now, what became of it, and when it is told."""

from __future__ import annotations

import getpass
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import (
    Format,
    FormatOption,
    HomeOption,
    NewTenantOption,
    OwnerOption,
    SeverityName,
    TenantOption,
    WhoOption,
    parse_duration,
    parse_moment,
    stated_by,
)
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import say

if TYPE_CHECKING:
    from ledger.alerts import Act

alerts_app = typer.Typer(name="alerts", help="What is wrong now, and what became of it.", no_args_is_help=True)

AlertArgument = Annotated[int, typer.Argument(metavar="ALERT", min=1, help="The alert's number.")]
NoteOption = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why; kept in its history.")]


def _duration(option: str, what: str) -> typer.models.OptionInfo:
    return typer.Option(option, parser=parse_duration, metavar="TIME", help=f"{what}: 90s, 30m, 4h, 2d.")


def _number(option: str, what: str) -> typer.models.OptionInfo:
    return typer.Option(option, parser=_threshold, metavar="NUMBER", help=what)


@alerts_app.command("list")
def list_alerts(
    home: HomeOption = None,
    tenant: TenantOption = None,
    every: Annotated[bool, typer.Option("--all", help="With those that are resolved.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List what is wrong now: open, acknowledged and muted alerts."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        query = """
            select tenant, alert_id, rule, subject, severity, state, opened_at, last_seen_at, quiet_since, resolved_at,
                   round(value, 4) as value, threshold, message
              from ledger.alerts
             where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(every)s or state <> 'resolved')
             order by opened_at, tenant, alert_id"""
        write_cursor(books.execute(query, {"tenant": tenant, "every": every}), chosen)


@alerts_app.command("show")
def show_alert(
    alert: AlertArgument, home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE
) -> None:
    """Show an alert: what it says, how to mend it, and its history."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        key = {"tenant": tenant, "alert": alert}
        said = """
            select tenant, rule, subject, state, message, mend from ledger.alerts
             where alert_id = %(alert)s and (%(tenant)s::text is null or tenant = %(tenant)s) order by tenant"""
        history = """
            select tenant, at, event, who, note, value from ledger.alert_events
             where alert_id = %(alert)s and (%(tenant)s::text is null or tenant = %(tenant)s) order by tenant, event_id"""
        found = books.execute(said, key).fetchall()
        if not found:
            raise CommandError(f"there is no alert {alert}", "see `pigou alerts list --all`")
        if chosen is Format.TABLE:
            for owner, rule, subject, state, message, mend in found:
                say(f"{owner} {rule} {subject}: {state}\n{message}\nto mend it: {mend}")
        write_cursor(books.execute(history, key), chosen)


@alerts_app.command("ack")
def acknowledge_alert(
    alert: AlertArgument, home: HomeOption = None, tenant: TenantOption = None, note: NoteOption = None, who: WhoOption = None
) -> None:
    """Say that somebody looks after it: it is not told again until it is resolved."""
    _act("acknowledged", alert, home, tenant, note, who)


@alerts_app.command("mute")
def mute_alert(
    alert: AlertArgument,
    lasting: Annotated[timedelta | None, _duration("--for", "How long it is not told")] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", parser=parse_moment, metavar="TIME", help="Until when it is not told.")
    ] = None,
    home: HomeOption = None,
    tenant: TenantOption = None,
    note: NoteOption = None,
    who: WhoOption = None,
) -> None:
    """Not be told of it for a while; what is still wrong then is told again."""
    if (until is None) == (lasting is None):
        raise CommandError("until when?", "give one of --for and --until", exit_code=2)
    _act("muted", alert, home, tenant, note, who, until or datetime.now(UTC) + (lasting or timedelta()))


@alerts_app.command("resolve")
def resolve_alert(
    alert: AlertArgument, home: HomeOption = None, tenant: TenantOption = None, note: NoteOption = None, who: WhoOption = None
) -> None:
    """Resolve it by hand; what is still wrong opens again, as another alert."""
    _act("resolved", alert, home, tenant, note, who)


@alerts_app.command("reopen")
def reopen_alert(
    alert: AlertArgument, home: HomeOption = None, tenant: TenantOption = None, note: NoteOption = None, who: WhoOption = None
) -> None:
    """Open what was acknowledged or muted again: it is told, and told again at its interval."""
    _act("reopened", alert, home, tenant, note, who)


@alerts_app.command("note")
def note_alert(
    alert: AlertArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be known.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    who: WhoOption = None,
) -> None:
    """Note something of it, resolved or not; nothing else changes."""
    _act("noted", alert, home, tenant, text, who)


@alerts_app.command("rules")
def list_rules(home: HomeOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List the thresholds in force: those for all, and tenants' own."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        query = """
            select tenant, rule, revision, open_at, close_at, evidence_min, open_evaluations, open_for,
                   close_evaluations, close_for, stay_for, renotify_every, grown_by, severity, is_on, source
              from ledger.alert_rules where is_in_force order by rule, tenant nulls first"""
        write_cursor(books.execute(query), chosen)


@alerts_app.command("set")
def set_rule(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule, as `rules` lists it.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    open_at: Annotated[Decimal | None, _number("--open-at", "A value from here on is wrong.")] = None,
    close_at: Annotated[Decimal | None, _number("--close-at", "A value below this is right again.")] = None,
    evidence: Annotated[
        int | None, typer.Option("--evidence", min=0, metavar="N", help="How much must have been looked at.")
    ] = None,
    renotify: Annotated[timedelta | None, _duration("--renotify", "How often an open alert is told again")] = None,
    open_for: Annotated[timedelta | None, _duration("--open-for", "How long it must be wrong")] = None,
    close_for: Annotated[timedelta | None, _duration("--close-for", "How long it must be right")] = None,
    stay_for: Annotated[timedelta | None, _duration("--stay-for", "How long an alert stays at least")] = None,
    grown_by: Annotated[
        Decimal | None, _number("--grown-by", "An open alert is told again when its value is so many times what was last told.")
    ] = None,
    severity: Annotated[
        SeverityName | None, typer.Option("--severity", help="How grave it is; channels may ask for a least one.")
    ] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it alerts at all.")] = None,
    new_tenant: NewTenantOption = False,
    who: WhoOption = None,
) -> None:
    """Change a rule's thresholds for a tenant, or for all. Nothing is edited: a change is a further revision."""
    from ledger.alerts import set_rule as state_rule

    with _refusals(), open_database("writer", home) as books:
        refuse_slips(books, [tenant], is_meant=new_tenant)
        revision = state_rule(
            books, rule, tenant, stated_by(who, "pigou alerts set"), open_at=open_at, close_at=close_at, evidence_min=evidence,
            renotify_every=renotify, open_for=open_for, close_for=close_for, stay_for=stay_for, is_on=on,
            severity=severity and severity.value, grown_by=grown_by,
        )  # fmt: skip
    say(f"{rule} for {tenant or 'all'}: revision {revision}")


@alerts_app.command("unset")
def unset_rule(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule, as `rules` lists it.")],
    tenant: OwnerOption,
    home: HomeOption = None,
    who: WhoOption = None,
) -> None:
    """Take back a tenant's own thresholds of a rule: those for all hold for it again."""
    from ledger.alerts import withdraw_rule

    with _refusals(), open_database("writer", home) as books:
        revision = withdraw_rule(books, rule, tenant, stated_by(who, "pigou alerts unset"))
    say(f"{rule} for {tenant}: as for all, revision {revision}")


def _act(
    event: Act,
    alert: int,
    home: Path | None,
    tenant: str | None,
    note: str | None,
    who: str | None,
    until: datetime | None = None,
) -> None:
    from ledger.alerts import act

    with _refusals(), open_database("writer", home) as books:
        owner = act(books, alert, event, who=who or getpass.getuser(), note=note, tenant=tenant, until=until)
    say(f"{owner}: alert {alert} {event}" + (f" until {until:%Y-%m-%d %H:%M} UTC" if until else ""))


@contextmanager
def _refusals() -> Generator[None]:
    """What cannot be done to an alert is the caller's to mend: exit 2."""
    from ledger.alerts import AlertError

    try:
        yield
    except AlertError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error


def _threshold(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no number") from None
    if not number.is_finite():
        raise typer.BadParameter(f"{text!r} is no number")
    return number
