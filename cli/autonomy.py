"""`pigou autonomy`: who should confirm which class of action, as a table to adopt, and whether what is done complies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.known import refuse_reversed
from cli.options import (
    Format,
    FormatOption,
    HomeOption,
    NewTenantOption,
    SinceOption,
    TenantOption,
    UntilOption,
    WhoOption,
    stated_by,
)
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import remark, say

if TYPE_CHECKING:
    from analyzers.modes.autonomy_policy import Compliance, Required
    from analyzers.modes.autonomy_schedule import Borne, Row
    from analyzers.modes.look import Window

autonomy_app = typer.Typer(name="autonomy", help="Who confirms which class of action.", no_args_is_help=True)

_DAYS = 30
_SHOWN = (
    "tenant", "action_class", "task_class", "is_reversible", "actions", "now", "recommended", "by", "gain_usd",
    "loss_per_action_usd", "worst_twentieth_usd", "why",
)  # fmt: skip
RhoOption = Annotated[
    float,
    typer.Option(
        "--rho-irreversible", min=0, max=1000, metavar="N",
        help="What a USD of the worst twentieth's mean loss counts, beside its risk, where an action cannot be undone.",
    ),
]  # fmt: skip
_CHECKED = ("tenant", "action_class", "task_class", "required", "actions", "complied", "weaker", "unstated", "now")


@autonomy_app.command("show")
def show_schedule(
    home: HomeOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    rho_irreversible: RhoOption = 0.0,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show how each class of action is confirmed, how it should be, and the risk borne; of the last thirty days by default."""
    from cli.rows import write_text

    window, found = _schedules(home, tenant, since, until, rho_irreversible)
    rows = [_shown(name, row) for name, schedule in found.items() for row in schedule]
    if chosen is Format.JSON:
        _write_json(_SHOWN, rows)
        return
    write_text(_SHOWN, rows, chosen, [name in ("actions", "gain_usd") for name in _SHOWN])
    if chosen is Format.TABLE:
        remark(f"of {_days(window)}; losses are USD with their 95 % interval")


@autonomy_app.command("export")
def export_schedule(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML; must not be there yet.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    rho_irreversible: RhoOption = 0.0,
) -> None:
    """Write the recommended schedule down, to be read, changed and adopted."""
    from analyzers.modes.autonomy_policy import written

    window, found = _schedules(home, tenant, since, until, rho_irreversible)
    header = f"Who confirms which class of action; by what was done from {_days(window)}."
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(written(found, header))
    except FileExistsError:
        raise CommandError(f"{file} is there already", "name another file", exit_code=2) from None
    except OSError as error:
        raise CommandError(f"{file} cannot be written ({error.strerror})", "check the name and its permissions") from error
    say(f"{sum(map(len, found.values()))} classes of action written to {file}: read, change, then `pigou autonomy adopt {file}`")


@autonomy_app.command("adopt")
def adopt_schedule(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The schedule, YAML or CSV.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    new_tenant: NewTenantOption = False,
    who: WhoOption = None,
) -> None:
    """Adopt a schedule in the place of the one that held: what is done against it from now on is an alert.

    With `--tenant`, in the place of that tenant's own; else of everybody's.
    """
    from analyzers.modes.autonomy_adopted import adopt, strangers
    from analyzers.modes.autonomy_policy import AutonomyError, read_schedule

    try:
        stated = read_schedule(file)
        with open_database("writer", home) as books:
            refuse_slips(books, [tenant, *(one.tenant for one in stated)], is_meant=new_tenant)
            unmet = strangers(books, stated)
            changed = adopt(books, tenant, stated, stated_by(who, f"pigou autonomy adopt {file.name}"))
    except AutonomyError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error
    as_before = len(stated) - changed.stated
    say(f"adopted: {changed.stated} statements say something new, {as_before} as before, {changed.withdrawn} taken off")
    for name in unmet:
        remark(f"nothing is known of action class {name} yet: if it is a slip, mend the file and adopt it again")


@autonomy_app.command("list")
def list_adopted(
    home: HomeOption = None,
    tenant: TenantOption = None,
    history: Annotated[bool, typer.Option("--history", help="With what no longer holds.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List what is adopted: who must confirm which class of action at least."""
    from cli.rows import write_cursor

    query = """select tenant, action_class, task_class, confirmation, revision, source, recorded_at, is_in_force
                 from ledger.autonomy_requirements
                where (%(tenant)s::text is null or tenant is null or tenant = %(tenant)s) and (%(history)s or is_in_force)
                order by tenant nulls first, action_class, task_class, revision"""
    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        write_cursor(books.execute(query, {"tenant": tenant, "history": history}), chosen)


@autonomy_app.command("breaches")
def list_breaches(
    home: HomeOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List actions that were done with less confirmation than the adopted schedule required, or did not state theirs."""
    from cli.rows import write_cursor

    window = _window(since, until)
    query = """select tenant, done_at, action_class, task_class, confirmation, required, trace_id, span_id
                 from ledger.autonomy_breaches
                where (%(tenant)s::text is null or tenant = %(tenant)s) and done_at >= %(since)s and done_at < %(until)s
                order by done_at desc, tenant, trace_id, span_id"""
    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        write_cursor(books.execute(query, {"tenant": tenant, "since": window.since, "until": window.until}), chosen)


@autonomy_app.command("check")
def check_schedule(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A schedule, YAML or CSV; by default the one that is adopted.")
    ] = None,
    home: HomeOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Hold what was done against a schedule, also before it was adopted; exit code 1 when something had less confirmation."""
    from analyzers.modes.autonomy_policy import AutonomyError, compliance, read_schedule
    from cli.rows import write_text

    try:
        against = read_schedule(file) if file is not None else _adopted(home)
    except AutonomyError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error
    _, found = _schedules(home, tenant, since, until)
    held = [one for name, rows in found.items() for one in compliance(name, rows, against)]
    rows = [_checked(one) for one in held]
    if chosen is Format.JSON:
        _write_json(_CHECKED, rows)
    else:
        write_text(_CHECKED, rows, chosen, [name in ("actions", "complied", "weaker", "unstated") for name in _CHECKED])
    weaker, unstated = sum(one.weaker for one in held), sum(one.unstated for one in held)
    if weaker or unstated:
        schedule = "the adopted schedule" if file is None else file.name
        raise CommandError(
            f"{weaker} actions were done with less confirmation than {schedule} requires, and {unstated} do not state theirs",
            "`pigou autonomy show` says what is borne by it",
        )


def _adopted(home: Path | None) -> list[Required]:
    """What is adopted. Raises CommandError where nothing is."""
    from analyzers.modes.autonomy_adopted import adopted

    with open_database("writer", home) as books:
        held = adopted(books)
    if not held:
        raise CommandError("no schedule is adopted", "name a file, or `pigou autonomy export` one and adopt it", exit_code=2)
    return held


def _days(window: Window) -> str:
    """The first day of a window and the last, which it includes."""
    return f"{window.since:%Y-%m-%d} to {window.until - timedelta(days=1):%Y-%m-%d}"


def _window(since: date | None, until: date | None) -> Window:
    """The days asked for, both included; the last thirty by default. Raises CommandError where they are none."""
    from analyzers.modes.look import Window

    last = until or datetime.now(UTC).date()
    first = since or last - timedelta(days=_DAYS - 1)
    refuse_reversed(first, last)
    return Window(datetime.combine(first, time.min, UTC), datetime.combine(last + timedelta(days=1), time.min, UTC))


def _schedules(
    home: Path | None, tenant: str | None, since: date | None, until: date | None, rho_irreversible: float = 0.0
) -> tuple[Window, dict[str, list[Row]]]:
    """The schedule of the tenant, or of all that did anything. Raises CommandError for a tenant that is not there."""
    from analyzers.modes.autonomy_schedule import schedule

    window = _window(since, until)
    with open_database("writer", home) as books:
        query = "select tenant_id, tenant from pigou.tenant where %(tenant)s::text is null or tenant = %(tenant)s order by tenant"
        refuse_unknown(books, tenant)
        known = books.execute(query, {"tenant": tenant}).fetchall()
        found = {name: schedule(books, tenant_id, window, rho_irreversible) for tenant_id, name in known}
    return window, {name: rows for name, rows in found.items() if rows}


def _shown(tenant: str, row: Row) -> list[str | None]:
    gain = None if row.gain_usd is None else f"{row.gain_usd:.4g}"
    by = "appraisal" if row.is_appraised else "custom"
    reversible = None if row.is_reversible is None else "yes" if row.is_reversible else "no"
    losses = "; ".join(f"{one.confirmation} {_interval(one, worst=False)}" for one in row.borne)
    worst = "; ".join(f"{one.confirmation} {_interval(one, worst=True)}" for one in row.borne if one.worst is not None) or None
    return [
        tenant,
        row.action_class,
        row.task_class,
        reversible,
        str(row.actions),
        _now(row),
        row.recommended,
        by,
        gain,
        losses,
        worst,
        row.why,
    ]


def _checked(one: Compliance) -> list[str | None]:
    required = None if one.required is None else one.required.confirmation
    counts = [str(one.row.actions), str(one.complied), str(one.weaker), str(one.unstated)]
    return [one.tenant, one.row.action_class, one.row.task_class, required, *counts, _now(one.row)]


def _now(row: Row) -> str:
    return ", ".join(f"{name} {share:.1%}".replace("%", " %") for name, share in row.now.items())


def _interval(borne: Borne, *, worst: bool) -> str:
    of = borne.worst if worst and borne.worst is not None else borne.expected
    if of.value is None or of.low is None or of.high is None:
        return "not known"
    return f"{of.value:.3g} ({of.low:.3g} … {of.high:.3g})"


def _write_json(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    import json

    say(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=1, ensure_ascii=False))
