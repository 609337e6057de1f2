"""Play the economy: a whole fortnight at once, or live in real time."""

from __future__ import annotations

import heapq
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from economy import completions, training
from economy.emit import Destination, Emitter, Protocol
from economy.engine import serve
from economy.parameters import ENGINE
from economy.schedule import run_alone, schedule
from economy.spans import PlannedEvent, PlannedSpan, Recorder
from economy.tasks import draw_task
from economy.truth import Truth, tell

PROGRESS_EVERY = 500
LIVE_TICK_S = 0.5
# Shares of live arrivals that are a completion or a training batch instead of a task.
LIVE_COMPLETIONS, LIVE_TRAINING = 0.13, 0.01


def this_hour() -> datetime:
    """Now, rounded down to the hour: the default end of the fortnight."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True)
class EconomySettings:
    """What to play and where to send it.

    `endpoint` is the base URL of an OTLP collector. `until` ends the period and must carry a time zone and whole seconds;
    `days` before it is the start. `patience_s` is how long one batch is tried again before the play gives up.
    Raises: ValueError for settings that cannot be played.
    """

    endpoint: str = "http://127.0.0.1:4318"
    protocol: Protocol = "http/protobuf"
    seed: int = 1
    until: datetime = field(default_factory=this_hour)
    days: float = 14.0
    tasks_per_day: int = 900
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    patience_s: float = 30.0

    def __post_init__(self) -> None:
        if self.protocol not in ("http/protobuf", "grpc"):
            raise ValueError(f"protocol must be http/protobuf or grpc, not {self.protocol!r}")
        if self.until.tzinfo is None or self.until.microsecond:
            raise ValueError("until must have a time zone and whole seconds")
        if not (math.isfinite(self.days) and 0.0 < self.days <= 366.0):
            raise ValueError(f"days must be above 0 and at most 366, not {self.days}")
        if not 1 <= self.tasks_per_day <= 100_000:
            raise ValueError(f"tasks_per_day must be between 1 and 100000, not {self.tasks_per_day}")

    @property
    def destination(self) -> Destination:
        """Where to export."""
        return Destination(self.endpoint, self.protocol, self.headers, self.patience_s)


Emission = PlannedSpan | PlannedEvent


def in_order(recorder: Recorder) -> list[Emission]:
    """Everything recorded, in the order in which it ended or happened; children before their parents."""
    keyed: list[tuple[float, float, int, Emission]] = []
    for number, span in enumerate(recorder.spans):
        keyed.append((span.end_s, -span.start_s, -number, span))
    for number, event in enumerate(recorder.events):
        keyed.append((event.at_s, 0.0, number, event))
    return [emission for _, _, _, emission in sorted(keyed, key=lambda one: one[:3])]


def play(settings: EconomySettings, on_progress: Callable[[int, int], None] | None = None) -> Truth:
    """Play the whole period through the collector and return its truth.

    `on_progress` is told (emitted, total) as the play goes. Raises: EmissionError when the collector does not take it.
    """
    planned = schedule(settings.seed, settings.until, settings.days, settings.tasks_per_day)
    truth = tell(planned, settings.seed, settings.tasks_per_day)
    emissions = in_order(planned.recorder)
    with Emitter(settings.destination, planned.starts_at) as emitter:
        for number, emission in enumerate(emissions):
            if on_progress is not None and number % PROGRESS_EVERY == 0:
                on_progress(number, len(emissions))
            emit(emitter, emission)
    if on_progress is not None:
        on_progress(len(emissions), len(emissions))
    return truth


def live(settings: EconomySettings, rate_per_minute: float, stop: threading.Event) -> int:
    """Play on in real time until `stop` is set; returns the number of spans delivered.

    Arrivals are Poisson at `rate_per_minute`; all misallocations are on; every task has the engine to itself. A span is
    emitted when its end has come, so spans still running at the stop are not sent, as with any program that is stopped.
    Raises: ValueError for a rate that is not positive; EmissionError when the collector does not take a batch.
    """
    if not (math.isfinite(rate_per_minute) and rate_per_minute > 0.0):
        raise ValueError(f"the rate must be positive, not {rate_per_minute}")
    starts_at = datetime.now(UTC).replace(microsecond=0)
    fleet = _Live(settings.seed, starts_at)
    rng = Random(f"{settings.seed}/live/{starts_at.isoformat()}")
    arrival_s = 0.0
    with Emitter(settings.destination, starts_at) as emitter:
        while not stop.is_set():
            now_s = time.time() - starts_at.timestamp()
            while arrival_s <= now_s:
                fleet.arrive(arrival_s)
                arrival_s += rng.expovariate(rate_per_minute / 60.0)
            for emission in fleet.due(now_s):
                emit(emitter, emission)
            emitter.flush()
            stop.wait(LIVE_TICK_S)
    return emitter.emitted.spans


class _Live:
    """The fleet in real time: what has arrived, and what of it has not yet ended."""

    def __init__(self, seed: int, starts_at: datetime) -> None:
        self._starts_at = starts_at
        self._rng = Random(f"{seed}/fleet/{starts_at.isoformat()}")
        self._pending: list[tuple[float, int, Emission]] = []
        self._arrived = 0
        self._emissions = 0
        self._version = 0

    def arrive(self, at_s: float) -> None:
        """Something arrives: a task, a completion, or a training batch with its update."""
        recorder = Recorder(self._starts_at, self._rng)
        kind = self._rng.random()
        if kind < LIVE_TRAINING:
            self._train(recorder, at_s)
        elif kind < LIVE_TRAINING + LIVE_COMPLETIONS:
            completion = completions.draw_completion(at_s, self._rng)
            serve(ENGINE, [completions.ask(completion, recorder, self._rng)])
        else:
            run_alone(draw_task(self._arrived, at_s, 1.0, self._rng), recorder, self._rng)
        self._arrived += 1
        for emission in in_order(recorder):
            due_s = emission.end_s if isinstance(emission, PlannedSpan) else emission.at_s
            heapq.heappush(self._pending, (due_s, self._emissions, emission))
            self._emissions += 1

    def due(self, now_s: float) -> list[Emission]:
        """Everything that has ended by now, in order."""
        found: list[Emission] = []
        while self._pending and self._pending[0][0] <= now_s:
            found.append(heapq.heappop(self._pending)[2])
        return found

    def _train(self, recorder: Recorder, at_s: float) -> None:
        staleness = training.TRAINING.queue_stale
        generated = max(0, self._version - staleness)
        batch = training.roll_out(recorder, self._rng, generated, at_s)
        gain = training.batch_gain(training.TRAINING, self._version - generated)
        training.update(recorder, batch, generated, self._version, batch.end_s + 1.0, gain)
        self._version += 1


def emit(emitter: Emitter, emission: Emission) -> None:
    """Hand one span or event over for delivery."""
    if isinstance(emission, PlannedSpan):
        emitter.span(emission)
    else:
        emitter.event(emission)
