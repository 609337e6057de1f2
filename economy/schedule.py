"""The period as it goes: all tasks, completions and updates run against the one engine, before anything is emitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from economy import completions
from economy.agents import Run, begin, work
from economy.congestion import Imposed, Visitor, imposed_delays, observed
from economy.engine import Process, serve
from economy.parameters import ENGINE
from economy.spans import Recorder
from economy.tasks import DAY_S, Task, reports, stream
from economy.training import Update, train


@dataclass(frozen=True)
class Schedule:
    """Everything that happened, with what the truth needs to know about it.

    `runs` holds the tasks that were finished when the period ended; the rest were still running and emitted nothing.
    """

    starts_at: datetime
    days: float
    recorder: Recorder
    runs: list[Run]
    updates: list[Update]
    imposed: list[Imposed]
    imposing: list[Visitor]

    @property
    def period_s(self) -> float:
        """Length of the period."""
        return self.days * DAY_S


@dataclass(frozen=True)
class _Piece:
    """One process with the recorder it writes to; `run` is None for completions."""

    recorder: Recorder
    visitor: Visitor
    process: Process
    run: Run | None


def schedule(seed: int, until: datetime, days: float, tasks_per_day: int) -> Schedule:
    """Run the period that ends at `until`. The same arguments give the same schedule, ids included.

    A seed's tasks are the same whenever the period ends, and come as the rhythm of its hours has it. The ids depend on the
    period, so that another fortnight of the same seed is not taken for a repetition of this one.
    """
    until = until.astimezone(UTC)
    starts_at = until - timedelta(days=days)
    ids = Random(f"{seed}/ids/{until.isoformat()}/{days}/{tasks_per_day}")
    recorder = Recorder(starts_at, ids)
    pieces = _pieces(seed, starts_at, days, tasks_per_day, recorder)
    serve(ENGINE, [piece.process for piece in pieces])
    runs: list[Run] = []
    for piece in pieces:
        last_s = max((span.end_s for span in piece.recorder.spans), default=0.0)
        if last_s < days * DAY_S:
            recorder.absorb(piece.recorder)
            if piece.run is not None:
                runs.append(piece.run)
    updates = train(days, recorder, Random(f"{seed}/training"))
    recorder.events = [event for event in recorder.events if event.at_s < days * DAY_S]
    visitors = [piece.visitor for piece in pieces]
    imposing = [visitor for visitor in visitors if visitor.imposes and visitor.visits]
    imposed = imposed_delays(ENGINE, visitors) if imposing else []
    return Schedule(starts_at, days, recorder, runs, updates, imposed, imposing)


def _pieces(seed: int, starts_at: datetime, days: float, tasks_per_day: int, recorder: Recorder) -> list[_Piece]:
    tasks = stream(starts_at, days, tasks_per_day, Random(f"{seed}/tasks"))
    tasks += reports(starts_at, days, tasks_per_day, len(tasks), Random(f"{seed}/reports"))
    pieces = [_task_piece(seed, task, recorder.fork()) for task in tasks]
    rng = Random(f"{seed}/completions")
    for completion in completions.stream(starts_at, days, tasks_per_day, rng):
        fork = recorder.fork()
        visitor = Visitor(completion.tenant, completions.TASK_CLASS, completions.LAMBDA_USD_PER_S, False)
        process = observed(completions.ask(completion, fork, rng), visitor)
        pieces.append(_Piece(fork, visitor, process, None))
    return pieces


def _task_piece(seed: int, task: Task, recorder: Recorder) -> _Piece:
    rng = Random(f"{seed}/task/{task.number}")
    run = begin(task, rng)
    shift_s = 0.0 if task.night_at_s is None else task.night_at_s - task.at_s
    kind = task.cell.kind
    visitor = Visitor(task.tenant, kind.name, kind.lambda_usd_per_s, shift_s != 0.0, shift_s)
    return _Piece(recorder, visitor, observed(work(run, recorder, rng), visitor), run)


def run_alone(task: Task, recorder: Recorder, rng: Random) -> Run:
    """Run one task on an engine of its own: what live play does."""
    run = begin(task, rng)
    serve(ENGINE, [work(run, recorder, rng)])
    return run
