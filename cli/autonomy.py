"""`pigou autonomy`: who should confirm which class of action, as a table to adopt, and whether what was done complied."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, SinceOption, TenantOption, UntilOption
from cli.terminal import remark, say

if TYPE_CHECKING:
    from analyzers.modes.autonomy_policy import Compliance
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
        remark(f"of {window.since:%Y-%m-%d} to {window.until:%Y-%m-%d}; losses are USD with their 95 % interval")


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
    header = f"Who confirms which class of action; by what was done from {window.since:%Y-%m-%d} to {window.until:%Y-%m-%d}."
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(written(found, header))
    except FileExistsError:
        raise CommandError(f"{file} is there already", "name another file", exit_code=2) from None
    except OSError as error:
        raise CommandError(f"{file} cannot be written ({error.strerror})", "check the name and its permissions") from error
    say(f"{sum(map(len, found.values()))} classes of action written to {file}: read, change, adopt; then `pigou autonomy check`")


@autonomy_app.command("check")
def check_schedule(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The adopted schedule, YAML or CSV.")],
    home: HomeOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Hold what was done against an adopted schedule; exit code 1 when something was done with less confirmation."""
    from analyzers.modes.autonomy_policy import AutonomyError, compliance, read_schedule
    from cli.rows import write_text

    try:
        adopted = read_schedule(file)
    except AutonomyError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error
    _, found = _schedules(home, tenant, since, until)
    held = [one for name, rows in found.items() for one in compliance(name, rows, adopted)]
    rows = [_checked(one) for one in held]
    if chosen is Format.JSON:
        _write_json(_CHECKED, rows)
    else:
        write_text(_CHECKED, rows, chosen, [name in ("actions", "complied", "weaker", "unstated") for name in _CHECKED])
    weaker, unstated = sum(one.weaker for one in held), sum(one.unstated for one in held)
    if weaker or unstated:
        raise CommandError(
            f"{weaker} actions were done with less confirmation than {file.name} requires, and {unstated} do not state theirs",
            "`pigou autonomy show` says what is borne by it",
        )


def _schedules(
    home: Path | None, tenant: str | None, since: date | None, until: date | None, rho_irreversible: float = 0.0
) -> tuple[Window, dict[str, list[Row]]]:
    """The schedule of the tenant, or of all that did anything. Raises CommandError for a tenant that is not there."""
    from analyzers.modes.autonomy_schedule import schedule
    from analyzers.modes.look import Window

    today = datetime.now(UTC).date()
    last = until or today
    first = since or last - timedelta(days=_DAYS - 1)
    if last < first:
        raise CommandError(f"--until {last} is before --since {first}", "name the first day and the last", exit_code=2)
    window = Window(datetime.combine(first, time.min, UTC), datetime.combine(last + timedelta(days=1), time.min, UTC))
    with open_database("writer", home) as books:
        query = "select tenant_id, tenant from pigou.tenant where %(tenant)s::text is null or tenant = %(tenant)s order by tenant"
        known = books.execute(query, {"tenant": tenant}).fetchall()
        if tenant is not None and not known:
            raise CommandError(f"there is no tenant {tenant!r}", "see `pigou accounts`", exit_code=2)
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
