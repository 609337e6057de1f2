"""The line of appraisal: settle → decide → attribute → appraise.

Each comparison (decisions that are compared with each other) is a transaction of its own: a run that is killed goes on where it
was, and what has not changed since it was last appraised, by the same method and seed, is not done again. Equal input, method and
seed give equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec
import numpy as np
import psycopg
from psycopg.types.json import Jsonb
from threadpoolctl import threadpool_limits

from analyzers.across import discover, lend
from analyzers.apart import processes_max, worked_apart
from analyzers.attribution import appraise as attribution
from analyzers.attribution.appraise import Appraised
from analyzers.attribution.later import Later
from analyzers.attribution.segments import Segment, explored
from analyzers.decisions import derive
from analyzers.decisions.load import Comparison, Loaded, comparison_of, load
from analyzers.decisions.store import STATUSES, Opinions, store
from analyzers.effects.estimate import Bools, Estimate
from analyzers.tasks import settle
from ledger.queries import queries

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told (step, done, total) as the line goes: steps are settle, decide and appraise."""

BEGINNING, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
UNAVAILABLE = "nothing says that there was a stored answer, so there may have been no choice"

_SQL = queries("analyzers", "appraise")
_MANY = 100_000
"""Decisions from which starting further processes, some seconds each, pays."""
_UNIDENTIFIED = STATUSES.index("not_identified")


@dataclass(frozen=True, slots=True)
class Done:
    """What the line did. `appraised` decisions in `comparisons`; `unchanged` comparisons were left as they were."""

    tasks: int
    derived: int
    comparisons: int
    unchanged: int
    appraised: int
    discoveries: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run for one tenant."""

    tenant_id: int
    run_id: int
    seed: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Piece:
    """One comparison that a run has to do, `of` so many."""

    run: Run
    comparison: Comparison
    of: int


def appraise(
    connection: psycopg.Connection,
    since: datetime | None = None,
    until: datetime | None = None,
    seed: int = 0,
    progress: Progress = lambda _step, _done, _total: None,
    *,
    is_all: bool = False,
) -> Done:
    """Run the line to its end over the decisions made from `since` to before `until` (None: without limit).

    `is_all` says that nothing more is on its way, as `settle` understands it. Wants an idle connection in autocommit. Of
    several that appraise one database, one works at a time.
    """
    first, last = since or BEGINNING, until or END
    with _alone(connection):
        began = connection.execute(_SQL["now"]).fetchone()
        settled = settle(connection, is_all=is_all, progress=lambda done, total: progress("settle", done, total))
        derived = derive.derive(connection, lambda done, total: progress("decide", done, total))
        attributed = attribute(connection, first, last, seed, progress)
        if first == BEGINNING and last == END and began is not None:
            connection.execute(_SQL["mark_appraised"], {"began": began[0]})
    return replace(attributed, tasks=settled.changed, derived=derived.decisions)


def attribute(
    connection: psycopg.Connection,
    since: datetime,
    until: datetime,
    seed: int,
    progress: Progress,
    processes: int | None = None,
) -> Done:
    """Appraise the decisions that are there: every comparison that is not what it was when it was last appraised.

    `processes` None: as many as there are cores where there is much to do, else this one alone.
    """
    runs: list[Run] = []
    pieces: list[Piece] = []
    unchanged = 0
    for tenant_id, _ in connection.execute(_SQL["tenants_with_decisions"]).fetchall():
        of = {"tenant_id": tenant_id, "since": since, "until": until}
        rows = connection.execute(_SQL["comparisons"], of).fetchall()
        changed = [comparison_of(tenant_id, row) for row in rows if row[10] != _fingerprint(seed, row[9])]
        unchanged += len(rows) - len(changed)
        runs.append(_begin(connection, tenant_id, seed, since, until))
        pieces += [Piece(runs[-1], comparison, len(changed)) for comparison in changed]
    total, passed, appraised = sum(piece.comparison.decisions for piece in pieces), 0, 0
    if processes is None:
        processes = processes_max() if total >= _MANY else 1
    pieces.sort(key=lambda piece: -piece.comparison.decisions)  # the longest first, so that none is left alone at the end
    for piece, written in worked_apart(connection, appraise_piece, pieces, processes):
        appraised += written
        passed += piece.comparison.decisions
        progress("appraise", passed, total)
    return Done(0, 0, len(pieces), unchanged, appraised, sum(_end(connection, run) for run in runs))


def _fingerprint(seed: int, rows: object) -> str:
    return f"{attribution.METHOD} {seed} {rows}"


@contextmanager
def _alone(connection: psycopg.Connection) -> Generator[None]:
    connection.execute(_SQL["lock_appraising"])
    try:
        yield
    finally:
        if not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            connection.execute(_SQL["unlock_appraising"])


def _begin(connection: psycopg.Connection, tenant_id: int, seed: int, since: datetime, until: datetime) -> Run:
    stated = {"tenant_id": tenant_id, "method": attribution.METHOD, "seed": seed, "since": since, "until": until}
    row = connection.execute(_SQL["begin_run"], stated).fetchone()
    if row is None:
        raise RuntimeError("the database did not number the run")
    return Run(tenant_id, row[0], seed, since, until)


def appraise_piece(connection: psycopg.Connection, piece: Piece) -> int:
    """One comparison, in one transaction; answers how many decisions were appraised."""
    run, comparison = piece.run, piece.comparison
    key = {"tenant_id": run.tenant_id, "comparison": comparison.comparison}
    with connection.transaction():
        loaded = load(connection, comparison, run.since, run.until)
        with threadpool_limits(1):  # on arrays of this size threads wait for each other: ten times the CPU for nothing
            made = attribution.appraise(loaded.choices, seed=run.seed)
        made = _without_doubtful_choices(_without_unsummed_regrets(made), loaded)
        written = store(connection, run.tenant_id, comparison.comparison, run.run_id, _opinions(loaded, made))
        connection.execute(_SQL["forget_segments"], key)
        connection.execute(_SQL["forget_latency_effects"], key)
        if run.since > BEGINNING or run.until < END:
            connection.execute(_SQL["forget_outside"], {**key, "since": run.since, "until": run.until})
        with connection.cursor() as cursor:
            meant = _intended(loaded, made)
            cursor.executemany(
                _SQL["write_segment"],
                [{**key, "segment": place, **_segment_row(each), **meant[place]} for place, each in enumerate(made.segments)],
            )
            cursor.executemany(_SQL["write_latency_effect"], [{**key, **_latency_row(each)} for each in made.later])
        connection.execute(
            _SQL["write_comparison"],
            {
                **key, "layer": comparison.layer, "kind": comparison.kind, "task_class": comparison.task_class,
                "options": list(comparison.options), "assignment": comparison.assignment, "run_id": run.run_id,
                "fingerprint": _fingerprint(run.seed, comparison.fingerprint), "method": made.method, "n": written,
            },
        )  # fmt: skip
        connection.execute(
            _SQL["tell_run"], {"tenant_id": run.tenant_id, "run_id": run.run_id, "decisions": written, "of": piece.of}
        )
    return written


def _end(connection: psycopg.Connection, run: Run) -> int:
    """Say what is said of all of the tenant's segments together, and end the run; answers how many are findings."""
    with connection.transaction():
        connection.execute(_SQL["forget_comparisons"], {"tenant_id": run.tenant_id})
        standing = discover(connection, run.tenant_id)
        lend(connection, run.tenant_id)
        connection.execute(_SQL["end_run"], {"tenant_id": run.tenant_id, "run_id": run.run_id})
    return standing


def _opinions(loaded: Loaded, made: Appraised) -> Opinions:
    terms = (made.value_usd, made.cost_usd, made.latency_usd, made.risk_usd, made.net_usd, made.error_usd)
    numbers = (made.regret_usd, made.low_usd, made.high_usd, made.pull)
    return Opinions(loaded.ids, loaded.decided_us, terms, made.best, *numbers, made.status, made.segment)


def _without_unsummed_regrets(made: Appraised) -> Appraised:
    """The appraisals with regrets only where their segment's sum is known: others would add up to what nobody says."""
    numbered = np.array([each.regret.value is not None for each in made.segments], dtype=bool)
    silent: Bools = ~numbered[made.segment]
    for array in (made.regret_usd, made.low_usd, made.high_usd):
        array[silent] = np.nan
    return made


def _without_doubtful_choices(made: Appraised, loaded: Loaded) -> Appraised:
    """The appraisals without claims about decisions that may have had no alternative: they were there to compare others with."""
    doubtful: Bools = loaded.is_comparable_only
    if not doubtful.any():
        return made
    segments = tuple(
        _unclaimed(each) if doubtful[made.segment == place].all() else each for place, each in enumerate(made.segments)
    )
    for array, nothing in ((made.regret_usd, np.nan), (made.low_usd, np.nan), (made.high_usd, np.nan), (made.pull, 0.0)):
        array[doubtful] = nothing
    made.best[doubtful] = -1
    made.status[doubtful] = _UNIDENTIFIED
    return replace(made, segments=segments, later=tuple(replace(each, later=_silent(each.later)) for each in made.later))


def _unclaimed(each: Segment) -> Segment:
    return replace(
        each,
        best="",
        regret=_silent(each.regret),
        changes={},
        change_errors={},
        downstream=None,
        status="not_identified",
        why=UNAVAILABLE,
        needs=None,
        intended=None,
    )


def _silent(of: Estimate) -> Estimate:
    """The estimate without its numbers."""
    return replace(
        of, value=None, standard_error=None, low=None, high=None, status="not_identified", why=UNAVAILABLE, needs=None
    )  # fmt: skip


def _intended(loaded: Loaded, made: Appraised) -> list[dict[str, object]]:
    """Of each segment how many decisions were chosen to learn, and itself without these, where that is another one."""
    learning, codes, many = explored(loaded.choices), made.segment, len(made.segments)
    of_all, usd = np.bincount(codes[learning], minlength=many), np.nan_to_num(made.regret_usd)
    told = np.bincount(codes, weights=np.where(learning, 0.0, usd), minlength=many)
    rows: list[dict[str, object]] = []
    for each, count, told_usd in zip(made.segments, of_all.tolist(), told.tolist(), strict=True):
        row = None if each.intended is None else {**_segment_row(each.intended), "told_usd": told_usd}
        rows.append({"learning": count, "intended": None if row is None else Jsonb(row, dumps=_plain)})
    return rows


def _plain(row: object) -> bytes:
    return msgspec.json.encode(row, enc_hook=lambda json: json.obj if isinstance(json, Jsonb) else float(json))


def _segment_row(each: Segment) -> dict[str, object]:
    band, regret = each.band, each.regret
    numbers: Sequence[float | None] = (regret.value, regret.standard_error, regret.low, regret.high)
    downstream = each.downstream
    return {
        "label": each.label,
        "value_band": "" if np.isnan(band.low_usd) else band.label,
        "value_low_usd": None if np.isnan(band.low_usd) else band.low_usd,
        "value_high_usd": band.high_usd if np.isfinite(band.high_usd) else None,
        "chosen": each.chosen,
        "best": each.best,
        "n": each.n,
        "tasks": each.tasks,
        "regret_usd": numbers[0],
        "standard_error": numbers[1],
        "regret_low_usd": numbers[2],
        "regret_high_usd": numbers[3],
        "degrees": regret.degrees if np.isfinite(regret.degrees) else None,
        "changes": Jsonb(each.changes),
        "change_errors": Jsonb(each.change_errors),
        "option_errors": Jsonb({name: list(errors) for name, errors in each.option_errors.items()}),
        "downstream_usd": None if downstream is None else downstream.value,
        "downstream_low_usd": None if downstream is None else downstream.low,
        "downstream_high_usd": None if downstream is None else downstream.high,
        "materiality_usd": each.materiality_usd,
        "most_usd": None if regret.value is None else each.most_usd,
        "together": each.together,
        "status": each.status,
        "why": each.why,
        "needs_outcomes": None if each.needs is None else each.needs.outcomes,
        "needs_exploration": None if each.needs is None else each.needs.exploration_rate,
    }


def _latency_row(each: Later) -> dict[str, object]:
    of = each.later
    return {
        "option": each.option, "base": each.base, "share": each.share, "base_s": None if of.value is None else each.base_s,
        "later_s": of.value, "later_low_s": of.low, "later_high_s": of.high, "n": of.n, "tasks": of.clusters, "status": of.status,
        "why": of.why, "needs_outcomes": None if of.needs is None else of.needs.outcomes,
        "needs_exploration": None if of.needs is None else of.needs.exploration_rate,
    }  # fmt: skip
