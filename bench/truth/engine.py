"""A serving engine whose truth can be computed: continuous batching step by step, and the same arrivals served again without
some.

Every step gives each running sequence a token. A request is admitted when a place and KV are free, first come first served, at
the end of a step. Its prompt is prefilled either at once, while decoding stands still, or in chunks that ride on decode steps.
KV grows with every token. What `analyzers/modes/congestion` fits is another model: it knows no steps, no chunks and no growth.
"""

from __future__ import annotations

import copy
import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from analyzers.effects.estimate import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Plant:
    """The constants of an engine. `chunk_tokens` 0: a prefill stalls decoding. Up to `together` prompts are prefilled at once,
    and end together. `pace` is how much slower everything is in each of equal pieces of `pace_s` seconds, again and again:
    noise, or a machine that is shared with something else."""

    prefill_per_token_s: float = 1 / 9_000
    step_s: float = 0.02
    per_sequence_s: float = 0.0004
    per_kv_token_s: float = 1.5e-7
    chunk_tokens: int = 0
    together: int = 1
    batch_max: int = 48
    kv_max: float = 160_000.0
    pace: tuple[float, ...] = (1.0,)
    pace_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked, shapes (n,): arrival in seconds, prompt and output tokens, whose (a code), λ in USD per second, and the
    noise of each prefill, a factor."""

    arrived_s: Floats
    prompt: Ints
    output: Ints
    tenant: Ints
    lam: Floats
    noise: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class Told:
    """What the engine's spans tell, shapes (n,); NaN for requests that were left out."""

    queue_s: Floats
    prefill_s: Floats
    decode_s: Floats
    batch: Floats

    @property
    def latency_s(self) -> Floats:
        """From arrival to the last token."""
        return self.queue_s + self.prefill_s + self.decode_s


def serve(plant: Plant, load: Load, absent: Bools | None = None) -> Told:
    """Serve a load, without `absent` (n,) where given. Deterministic."""
    n = len(load.arrived_s)
    here = np.arange(n) if absent is None else np.flatnonzero(~absent)
    state = _State(plant, load, here)
    while state.goes_on():
        pass
    told = np.full((4, n), np.nan)
    told[:, here] = np.array([state.queue_s, state.prefill_s, state.decode_s, state.batch])
    return Told(*told)


class _State:
    """The engine at the end of a step. `steps` counts decode steps since the beginning; a sequence is done at one of them."""

    def __init__(self, plant: Plant, load: Load, here: Ints) -> None:
        self.plant = plant
        self.arrived_s: list[float] = load.arrived_s[here].tolist()
        self.prompt: list[int] = load.prompt[here].tolist()
        self.output: list[int] = load.output[here].tolist()
        self.noise: list[float] = load.noise[here].tolist() if len(load.noise) else [1.0] * len(here)
        self.queue_s, self.prefill_s, self.decode_s, self.batch = ([0.0] * len(here) for _ in range(4))
        self.waiting: deque[int] = deque()
        self.running: list[tuple[int, int]] = []
        self.now_s, self.steps, self.reserved, self.live, self.following = 0.0, 0, 0, 0, 0
        self.filling: list[int] = []
        self.ended: list[int] = []
        self.left_out = -1
        self.pieces, self.piece_s = 0, 0.0

    def without(self, request: int) -> _State:
        """The engine as it is, which goes on without a request that has not come yet."""
        other = copy.copy(self)
        for name in ("queue_s", "prefill_s", "decode_s", "batch", "waiting", "running", "filling"):
            setattr(other, name, copy.copy(getattr(self, name)))
        other.ended, other.left_out = [], request
        return other

    def goes_on(self) -> bool:
        """Take in who came, admit, and run until the next event; False when all is done."""
        while self.following < len(self.arrived_s) and self.arrived_s[self.following] <= self.now_s:
            if self.following != self.left_out:
                self.waiting.append(self.following)
            self.following += 1
        if not self.filling and self.waiting:
            self._admit()
        began_s = self.now_s
        if self.filling and not self.plant.chunk_tokens:
            self.now_s += self._pace() * self.piece_s
            self.pieces = 0
        elif self.filling or self.running:
            self._step()
        elif self.following < len(self.arrived_s):
            self.now_s = self.arrived_s[self.following]
        else:
            return False
        for request in self.filling:
            self.prefill_s[request] += self.now_s - began_s
        if self.pieces == 0:
            self._begin_decoding()
        while self.running and self.running[0][0] <= self.steps:
            done = heapq.heappop(self.running)[1]
            self.ended.append(done)
            self.decode_s[done] = self.now_s - self.decode_s[done]
            self.reserved -= self.prompt[done] + self.output[done]
            self.live -= self.prompt[done] + self.output[done]
        return True

    def _pace(self) -> float:
        return self.plant.pace[int(self.now_s / self.plant.pace_s) % len(self.plant.pace)]

    def _admit(self) -> None:
        plant, work = self.plant, 0.0
        while self.waiting and len(self.filling) < plant.together and self._fits(self.waiting[0]):
            head = self.waiting.popleft()
            self.queue_s[head] = self.now_s - self.arrived_s[head]
            self.batch[head] = len(self.running) + len(self.filling) + 1.0
            self.reserved += self.prompt[head] + self.output[head]
            self.filling.append(head)
            work += self.prompt[head] * plant.prefill_per_token_s * self.noise[head]
        tokens = sum(self.prompt[request] for request in self.filling)
        self.pieces = math.ceil(tokens / plant.chunk_tokens) if plant.chunk_tokens else 1
        self.piece_s = work / max(1, self.pieces)

    def _fits(self, request: int) -> bool:
        inside = len(self.running) + len(self.filling)
        need = self.prompt[request] + self.output[request]
        return not inside or (inside < self.plant.batch_max and self.reserved + need <= self.plant.kv_max)

    def _step(self) -> None:
        """As many steps at once as nothing happens in: KV grows by the batch with each."""
        plant, b, m = self.plant, len(self.running), self._pace()
        each = m * (plant.step_s + plant.per_sequence_s * b + plant.per_kv_token_s * self.live)
        grows = m * plant.per_kv_token_s * b
        most = 1 << 40
        if self.filling:
            each += m * self.piece_s
            most = self.pieces
        if self.running:
            most = min(most, self.running[0][0] - self.steps)
        if not self.filling and not self.waiting and self.following < len(self.arrived_s):
            most = min(most, _steps_until(self.arrived_s[self.following] - self.now_s, each, grows))
        self.now_s += most * each + grows * most * (most - 1) / 2
        self.steps += most
        self.live += b * most
        if self.filling:
            self.pieces -= most

    def _begin_decoding(self) -> None:
        for request in self.filling:
            heapq.heappush(self.running, (self.steps + self.output[request], request))
            self.decode_s[request] = self.now_s
            self.live += self.prompt[request]
        self.filling.clear()


def _steps_until(left_s: float, each: float, grows: float) -> int:
    """The least number of steps, one or more, that take so long: n·each + grows·n(n − 1)/2 ≥ left."""
    if grows <= 0:
        return max(1, math.ceil(left_s / each))
    half = each - grows / 2
    return max(1, math.ceil((math.sqrt(half * half + 2 * grows * max(left_s, 0.0)) - half) / grows))


def external(plant: Plant, load: Load, absent: Bools, served: Told | None = None) -> Floats:
    """Delay in seconds that the requests of a mask imposed on each of the others, (n,); 0 for themselves."""
    whole = serve(plant, load) if served is None else served
    delay = whole.latency_s - serve(plant, load, absent).latency_s
    return np.where(absent, 0.0, delay)


_CALM_REQUESTS = 30


def of_some(plant: Plant, load: Load, requests: Ints, served: Told) -> Floats:
    """Delay in seconds that each of some requests, in order of arrival, imposed on each of the others: shape (k, n).

    The engine goes on without the request from where it came. That leaves its steps at another phase for good, which moves
    every later answer by part of a step, either way, and has nothing to do with congestion: so nothing is counted from where,
    the request being gone, thirty answers in a row come within a step of when they came anyway.
    """
    step_s = max(plant.pace) * (plant.step_s + plant.per_sequence_s * plant.batch_max + plant.per_kv_token_s * plant.kv_max)
    whole_s: list[float] = served.latency_s.tolist()
    state = _State(plant, load, np.arange(len(load.prompt)))
    delays = np.zeros((len(requests), len(load.prompt)))
    for row, request in zip(delays, [int(one) for one in requests], strict=True):
        while state.now_s < state.arrived_s[request]:
            state.goes_on()
        other = state.without(request)
        gone_s: float = other.arrived_s[request] + whole_s[request]
        counted = calm = 0
        while calm < _CALM_REQUESTS and other.goes_on():
            for ended in other.ended[counted:]:
                delay = whole_s[ended] - other.queue_s[ended] - other.prefill_s[ended] - other.decode_s[ended]
                row[ended] = delay
                calm = 0 if abs(delay) >= step_s or other.now_s <= gone_s else calm + 1
            counted = len(other.ended)
        row[other.ended[counted - calm : counted]] = 0.0
    return delays


def utilisation(plant: Plant, load: Load) -> float:
    """Share of the time in which the engine, at a full batch, would be busy with this load: above 1 it never catches up."""
    full = plant.step_s + plant.per_sequence_s * plant.batch_max + plant.per_kv_token_s * plant.kv_max / 2
    held = float((load.prompt + load.output).mean())
    batch = max(1.0, min(plant.batch_max, plant.kv_max / held))
    work = float(load.prompt.sum()) * plant.prefill_per_token_s + float(load.output.sum()) * full / batch
    return work / max(1e-9, float(load.arrived_s[-1] - load.arrived_s[0]))


def faster(plant: Plant, by: float) -> Plant:
    """The same engine, everything so many times as fast."""
    return replace(
        plant, prefill_per_token_s=plant.prefill_per_token_s / by, step_s=plant.step_s / by,
        per_sequence_s=plant.per_sequence_s / by, per_kv_token_s=plant.per_kv_token_s / by,
    )  # fmt: skip


def masks(load: Load, tenants: Sequence[int]) -> list[Bools]:
    """The mask of each tenant's requests."""
    return [load.tenant == tenant for tenant in tenants]
