"""The serving engine: arrivals queue, prefill stalls decoding, contexts occupy KV; congestion follows from that.

`serve` is an event simulation in closed loop. A process is a generator that yields an `Arrival` and is sent the `Service`
it received; it may then ask again. Processes that need no engine simply never yield.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from economy.parameters import EngineParameters


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request reaching the engine `at_s`: prompt tokens, of which `cached_tokens` need no prefill, and output tokens."""

    at_s: float
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int

    @property
    def kv_tokens(self) -> int:
        """KV held while the request runs."""
        return self.prompt_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Service:
    """How a request was served. Times in seconds; `batch` is the number of sequences decoded beside it at its start."""

    arrived_s: float
    queue_s: float
    prefill_s: float
    decode_s: float
    kv_tokens: int
    batch: int
    proposed: int
    accepted: int

    @property
    def ended_s(self) -> float:
        """When the last token was out."""
        return self.arrived_s + self.queue_s + self.prefill_s + self.decode_s

    @property
    def latency_s(self) -> float:
        """From arrival to the last token."""
        return self.queue_s + self.prefill_s + self.decode_s


# A sequence is done within this of its last step: late in a fortnight, a second is only exact to 1e-10.
_DONE_STEPS = 1e-6

Process: TypeAlias = Generator[Arrival, Service, None]


def acceptance(engine: EngineParameters, prompt_tokens: int) -> float:
    """Share of drafted tokens that are accepted: lower on long contexts."""
    return engine.acceptance_long if prompt_tokens >= engine.long_context_tokens else engine.acceptance_short


def tokens_per_step(engine: EngineParameters, prompt_tokens: int) -> float:
    """Tokens a sequence gains per decode step, with speculation."""
    return 1.0 + engine.drafted * acceptance(engine, prompt_tokens)


def step_time_s(engine: EngineParameters, batch: int, kv_tokens: int) -> float:
    """Duration of one decode step."""
    return engine.step_s + engine.step_per_sequence_s * batch + engine.step_per_kv_token_s * kv_tokens


def idle_latency_s(engine: EngineParameters, prompt_tokens: float, cached_tokens: float, output_tokens: float) -> float:
    """Latency of a request that finds the engine empty."""
    steps = output_tokens / tokens_per_step(engine, int(prompt_tokens))
    step_s = step_time_s(engine, 1, int(prompt_tokens + output_tokens))
    return (prompt_tokens - cached_tokens) / engine.prefill_tokens_per_s + steps * step_s


@dataclass(slots=True)
class _Sequence:
    """A request inside the engine; `remaining` counts decode steps still to do."""

    arrival: Arrival
    process: Process
    remaining: float
    admitted_s: float = 0.0
    decoding_s: float = 0.0
    batch: int = 0


@dataclass(slots=True)
class _State:
    engine: EngineParameters
    now_s: float = 0.0
    waiting: deque[_Sequence] = field(default_factory=deque)
    running: list[_Sequence] = field(default_factory=list)
    prefilling: _Sequence | None = None
    prefill_ends_s: float = 0.0
    kv_tokens: int = 0

    def admit(self) -> None:
        """Start the prefill of the head of the queue when a place and KV are free; nobody overtakes it."""
        if self.prefilling is not None or not self.waiting:
            return
        head = self.waiting[0]
        occupied = bool(self.running)
        is_full = len(self.running) >= self.engine.batch_max
        too_large = self.kv_tokens + head.arrival.kv_tokens > self.engine.kv_capacity_tokens
        if occupied and (is_full or too_large):
            return
        self.waiting.popleft()
        head.admitted_s = self.now_s
        head.batch = len(self.running) + 1
        self.kv_tokens += head.arrival.kv_tokens
        fresh = head.arrival.prompt_tokens - head.arrival.cached_tokens
        self.prefilling = head
        self.prefill_ends_s = self.now_s + fresh / self.engine.prefill_tokens_per_s

    def next_event_s(self) -> float | None:
        """When a prefill or the shortest decode ends; None while idle."""
        if self.prefilling is not None:
            return self.prefill_ends_s
        if self.running:
            return self.now_s + min(sequence.remaining for sequence in self.running) * self._step_s()
        return None

    def advance(self, to_s: float) -> None:
        """Let time pass up to the next event; decoding stands still during a prefill."""
        if self.prefilling is None and self.running:
            steps = (to_s - self.now_s) / self._step_s()
            for sequence in self.running:
                sequence.remaining -= steps
        self.now_s = to_s

    def complete(self) -> list[_Sequence]:
        """Turn a finished prefill into a running sequence, or take out finished sequences."""
        if self.prefilling is not None:
            self.prefilling.decoding_s = self.now_s
            self.running.append(self.prefilling)
            self.prefilling = None
            return []
        done = [sequence for sequence in self.running if sequence.remaining <= _DONE_STEPS]
        self.running = [sequence for sequence in self.running if sequence.remaining > _DONE_STEPS]
        self.kv_tokens -= sum(sequence.arrival.kv_tokens for sequence in done)
        return done

    def _step_s(self) -> float:
        return step_time_s(self.engine, len(self.running), self.kv_tokens)


def serve(engine: EngineParameters, processes: Iterable[Process]) -> int:
    """Run all processes to their ends through one engine and return the number of requests served.

    Deterministic: ties are broken by the order of `processes`. Raises: ValueError when a process asks in the past.
    """
    arrivals: list[tuple[float, int, Arrival, Process]] = []
    sequence_number = served = 0
    for process in processes:
        first = next(process, None)
        if first is not None:
            heapq.heappush(arrivals, (first.at_s, sequence_number, first, process))
            sequence_number += 1
    state = _State(engine)
    while arrivals or state.waiting or state.running or state.prefilling is not None:
        event_s = state.next_event_s()
        if arrivals and (event_s is None or arrivals[0][0] <= event_s):
            at_s, _, arrival, process = heapq.heappop(arrivals)
            state.advance(at_s)
            steps = arrival.output_tokens / tokens_per_step(engine, arrival.prompt_tokens)
            state.waiting.append(_Sequence(arrival, process, steps))
        elif event_s is not None:
            state.advance(event_s)
            for done in state.complete():
                served += 1
                again = _deliver(engine, state.now_s, done)
                if again is not None:
                    heapq.heappush(arrivals, (again.at_s, sequence_number, again, done.process))
                    sequence_number += 1
        state.admit()
    return served


def _deliver(engine: EngineParameters, now_s: float, done: _Sequence) -> Arrival | None:
    """Tell a process how it was served and take its next request, if any."""
    arrival = done.arrival
    steps = round(arrival.output_tokens / tokens_per_step(engine, arrival.prompt_tokens))
    service = Service(
        arrived_s=arrival.at_s,
        queue_s=done.admitted_s - arrival.at_s,
        prefill_s=done.decoding_s - done.admitted_s,
        decode_s=now_s - done.decoding_s,
        kv_tokens=arrival.kv_tokens,
        batch=done.batch,
        proposed=steps * engine.drafted,
        accepted=max(arrival.output_tokens - steps, 0),
    )
    try:
        again = done.process.send(service)
    except StopIteration:
        return None
    if again.at_s < now_s:
        raise ValueError(f"a process asked the engine at {again.at_s} s, before {now_s} s")
    return again
