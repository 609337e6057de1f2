"""Who waits for whom on the engine: every request observed, and the same requests served again had the reports run at night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from economy.engine import Arrival, Process, Service, serve
from economy.parameters import EngineParameters


@dataclass
class Visitor:
    """A task's requests to the engine, as served. `imposes` marks the long-context reports after the onset."""

    tenant: str
    task_class: str
    lambda_usd_per_s: float
    imposes: bool
    night_shift_s: float = 0.0
    visits: list[tuple[Arrival, Service]] = field(default_factory=list)

    @property
    def latency_s(self) -> float:
        """Time spent at the engine over all requests."""
        return sum(service.latency_s for _, service in self.visits)


def observed(process: Process, visitor: Visitor) -> Process:
    """The same process, its visits noted."""
    arrival = next(process, None)
    while arrival is not None:
        service = yield arrival
        visitor.visits.append((arrival, service))
        try:
            arrival = process.send(service)
        except StopIteration:
            return


def _again(visitor: Visitor, shift_s: float, latencies_s: list[float]) -> Process:
    """The visitor's requests once more, `shift_s` later, thinking as long between them as it did."""
    at_s = visitor.visits[0][0].at_s + shift_s
    previous_end_s: float | None = None
    for arrival, service in visitor.visits:
        gap_s = 0.0 if previous_end_s is None else arrival.at_s - previous_end_s
        moved = Arrival(at_s + gap_s, arrival.prompt_tokens, arrival.cached_tokens, arrival.output_tokens)
        received = yield moved
        latencies_s.append(received.latency_s)
        at_s, previous_end_s = received.ended_s, service.ended_s


@dataclass(frozen=True)
class Imposed:
    """Delay that the reports imposed on one other visitor, in seconds and at that visitor's own λ."""

    visitor: Visitor
    delay_s: float

    @property
    def usd(self) -> float:
        """λ·ΔL."""
        return self.delay_s * self.visitor.lambda_usd_per_s


def imposed_delays(engine: EngineParameters, visitors: Sequence[Visitor]) -> list[Imposed]:
    """Delay imposed on every visitor but the reports, in their order: latency as it was minus latency with night reports.

    Computed by serving all requests again on the same engine, those of the reports shifted to their night slots.
    """
    came = [visitor for visitor in visitors if visitor.visits]
    latencies: list[list[float]] = [[] for _ in came]
    serve(
        engine,
        [
            _again(visitor, visitor.night_shift_s if visitor.imposes else 0.0, latency)
            for visitor, latency in zip(came, latencies, strict=True)
        ],
    )
    return [
        Imposed(visitor, visitor.latency_s - sum(latency))
        for visitor, latency in zip(came, latencies, strict=True)
        if not visitor.imposes
    ]
