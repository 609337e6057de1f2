"""`pigou appraise` and `pigou regret`: what decisions were worth, and what was lost, by whatever tells them apart."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.known import refuse_reversed
from cli.options import Format, FormatOption, HomeOption, SinceOption, TenantOption, UntilOption
from cli.tenants import refuse_unknown
from cli.terminal import nearest, remark, say

if TYPE_CHECKING:
    from psycopg import sql

    from analyzers.appraise import Progress

_OF_COMPARISONS = ("tenant", "layer", "kind", "task_class")
_OF_SEGMENTS = (*_OF_COMPARISONS, "chosen", "best", "value_band")
_OF_DECISIONS = (*_OF_SEGMENTS, "agent", "model", "day", "assignment")
_STEPS = {
    "settle": "settling tasks",
    "decide": "deriving decisions",
    "appraise": "appraising decisions",
    "detect": "looking for what is lost",
    "capitalise": "booking assets",
}


def appraise(
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of what is drawn; equal seeds give equal numbers.")] = 0,
) -> None:
    """Appraise what was decided: settle tasks, derive decisions, say what each was worth, and find what is lost every day.

    What has not changed since the last time is not done again. A run that is stopped goes on where it was.
    """
    from analyzers.alerts import evaluate
    from analyzers.appraise import appraise as run
    from analyzers.capital.capitalise import capitalise
    from analyzers.detect import detect
    from analyzers.produce import produce
    from analyzers.weigh import weigh

    refuse_reversed(since, until)
    first, last = _midnight(since), _midnight(until + timedelta(days=1)) if until else None
    with open_database("writer", home) as books, _progress() as told:
        done = run(books, first, last, seed, told, is_all=True)
        detected = detect(books, first, last, progress=told, is_all=True)
        evaluate(books)
        produce(books)
        weigh(books)
        capitalise(books, progress=told)
    say(
        f"{done.tasks} tasks settled, {done.derived} decisions derived, {done.appraised} appraised in {done.comparisons}"
        f" comparisons ({done.unchanged} as before), {done.discoveries} segments stand; {detected.places} places looked at,"
        f" {detected.opened} findings opened, {detected.resolved} resolved"
    )
    for owner, mode, problem in detected.problems:
        remark(f"{mode} cannot look at {owner}: {problem}")
    if detected.problems:
        raise typer.Exit(1)


def regret(
    home: HomeOption = None,
    by: Annotated[
        str,
        typer.Option("--by", metavar="COLUMNS", help=f"What tells sums apart: {', '.join(_OF_DECISIONS)}; comma-separated."),
    ] = "layer,kind",
    tenant: TenantOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Show what was lost against the best options, with intervals, how much of it is known, and what would settle the rest."""
    from cli.rows import write_cursor

    columns = _columns(by)
    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        if books.execute("select from ledger.segments limit 1").fetchone() is None:
            raise CommandError("nothing is appraised yet", "run `pigou appraise`")
        write_cursor(books.execute(_query(columns), {"tenant": tenant}), chosen)
    if chosen is Format.TABLE:
        remark(_meaning(columns))


def _columns(by: str) -> tuple[str, ...]:
    columns = tuple(dict.fromkeys(part.strip() for part in by.split(",") if part.strip()))
    for column in columns:
        if column not in _OF_DECISIONS:
            raise CommandError(
                f"--by {column!r} is nothing that decisions are told apart by",
                nearest(column, _OF_DECISIONS) or f"there are {', '.join(_OF_DECISIONS)}",
                exit_code=2,
            )
    return columns


def _query(columns: Sequence[str]) -> sql.Composed:
    """Sums by columns: of whole comparisons with a joint interval, of segments or of single decisions with added bounds."""
    from psycopg import sql

    if set(columns) <= set(_OF_COMPARISONS):
        text = _JOINT
    elif set(columns) <= set(_OF_SEGMENTS):
        text = _SEGMENTS
    else:
        text = _DECISIONS
    named = [sql.Identifier(column) for column in columns]
    listed = sql.SQL("").join(sql.SQL("{}, ").format(name) for name in named)
    grouped = sql.SQL("group by {}").format(sql.SQL(", ").join(named)) if named else sql.SQL("")
    matched = sql.SQL("").join(sql.SQL(" and j.{0} is not distinct from s.{0}").format(name) for name in named)
    return sql.SQL(text).format(columns=listed, grouped=grouped, matched=matched)


_COVERAGE = """
       sum(n)::bigint as decisions,
       round(coalesce(sum(n) filter (where status = 'appraised'), 0) / sum(n)::numeric, 3) as appraised,
       round(coalesce(sum(n) filter (where status = 'not_enough_evidence'), 0) / sum(n)::numeric, 3) as not_enough_evidence,
       round(coalesce(sum(n) filter (where status = 'not_identified'), 0) / sum(n)::numeric, 3) as not_identified"""
_SETTLED_BY = """
       count(*) filter (where is_discovery) as standing, max(needs_outcomes) as needs_outcomes,
       round(max(needs_exploration)::numeric, 3) as needs_exploration"""

# The texts below are put together of constants of this module.
_JOINT = f"""
with tasks as (
    select {{columns}}sum(pull_usd) as pull_usd
      from ledger.decisions where pull_usd <> 0 and (%(tenant)s::text is null or tenant = %(tenant)s)
     group by {{columns}}tenant, trace_id
),
joint as (
    select {{columns}}sqrt(sum(pull_usd ^ 2)) as error_usd from tasks {{grouped}}
),
sums as (
    select {{columns}}{_COVERAGE}, round(sum(regret_usd), 6) as regret_usd,
           sqrt(sum(error_usd ^ 2)) as apart_usd, sqrt(sum((regret_usd - regret_low_usd) ^ 2)) as below_usd,
           sqrt(sum((regret_high_usd - regret_usd) ^ 2)) as above_usd,{_SETTLED_BY}
      from ledger.segments where %(tenant)s::text is null or tenant = %(tenant)s {{grouped}}
)
select {{columns}}decisions, appraised, not_enough_evidence, not_identified, regret_usd,
       round(regret_usd - below_usd * together, 6) as regret_low_usd,
       round(regret_usd + above_usd * together, 6) as regret_high_usd, standing, needs_outcomes, needs_exploration
  from (select s.*, greatest(1, coalesce(j.error_usd / nullif(s.apart_usd, 0), 1)) as together
          from sums s left join joint j on true{{matched}}) s
 order by regret_usd desc nulls last, decisions desc"""  # noqa: S608

_SEGMENTS = f"""
select {{columns}}{_COVERAGE},
       round(sum(regret_usd), 6) as regret_usd, round(sum(regret_low_usd), 6) as regret_low_usd,
       round(sum(regret_high_usd), 6) as regret_high_usd,{_SETTLED_BY}
  from ledger.segments where %(tenant)s::text is null or tenant = %(tenant)s
 {{grouped}}
 order by regret_usd desc nulls last, decisions desc"""  # noqa: S608

_DECISIONS = """
select {columns}count(*) as decisions,
       round(avg((status is not distinct from 'appraised')::integer), 3) as appraised,
       round(avg((status is not distinct from 'not_enough_evidence')::integer), 3) as not_enough_evidence,
       round(avg((status is not distinct from 'not_identified')::integer), 3) as not_identified,
       round(sum(regret_usd), 6) as regret_usd, round(sum(regret_low_usd), 6) as regret_low_usd,
       round(sum(regret_high_usd), 6) as regret_high_usd
  from (select d.*, (d.decided_at at time zone 'UTC')::date as day, case when d.kind = 'route' then d.chosen end as model
          from ledger.decisions d where %(tenant)s::text is null or d.tenant = %(tenant)s) d
 {grouped}
 order by regret_usd desc nulls last, decisions desc"""


def _meaning(columns: Sequence[str]) -> str:
    if set(columns) <= set(_OF_COMPARISONS):
        return "the intervals are of the sums, tasks being the unit; shares say how many decisions could be appraised"
    return "the bounds are sums of the parts' bounds: wide, since they suppose that all err to the same side"


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time.min, UTC) if day else None


@contextmanager
def _progress() -> Generator[Progress]:
    """A bar for each step, at a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    console = Console(stderr=True)
    with Bars(console=console, transient=True, disable=not console.is_terminal) as bars:
        shown: dict[str, TaskID] = {}

        def told(step: str, done: int, total: int) -> None:
            if step not in shown:
                shown[step] = bars.add_task(_STEPS[step], total=total)
            bars.update(shown[step], completed=done, total=total)

        yield told
