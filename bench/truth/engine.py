"""A serving engine whose truth can be computed: continuous batching step by step, and the same arrivals served again without some.

Every step gives each running sequence a token. A request is admitted when a place and KV are free, first come first served, at the
end of a step. Its prompt is prefilled either at once, while decoding stands still, or in chunks that ride on decode steps. KV
grows with every token. What `analyzers/modes/congestion` fits is another model: it knows no steps, no chunks and no growth.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analyzers.effects.estimate import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Plant:
    """The constants of an engine. `chunk_tokens` 0: a prefill stalls decoding. `pace` is how much slower everything is in each of
    equal pieces of `pace_s` seconds, again and again: noise, or a machine that is shared with something else."""

    prefill_per_token_s: float = 1 / 9_000
    step_s: float = 0.02
    per_sequence_s: float = 0.0004
    per_kv_token_s: float = 1.5e-7
    chunk_tokens: int = 0
    batch_max: int = 48
    kv_max: float = 160_000.0
    pace: tuple[float, ...] = (1.0,)
    pace_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked, shapes (n,): arrival in seconds, prompt and output tokens, whose (a code), λ in USD per second, and the noise
    of each prefill, a factor."""

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
    told = np.full((4, n), np.nan)
    found = _serve(plant, load, here)
    told[:, here] = found
    return Told(*told)


def _serve(plant: Plant, load: Load, here: Ints) -> Floats:
    arrived, prompt, output = (x[here].tolist() for x in (load.arrived_s, load.prompt, load.output))
    noise = load.noise[here].tolist() if len(load.noise) else [1.0] * len(here)
    n, told = len(here), np.zeros((4, len(here)))
    waiting: deque[int] = deque()
    running: list[tuple[int, int]] = []
    now, steps, reserved, live, following = 0.0, 0, 0.0, 0.0, 0
    filling, pieces, piece_s = -1, 0, 0.0
    pace, count, pace_s = plant.pace, len(plant.pace), plant.pace_s
    while True:
        while following < n and arrived[following] <= now:
            waiting.append(following)
            following += 1
        if filling < 0 and waiting:
            head = waiting[0]
            need = prompt[head] + output[head]
            if not running or (len(running) < plant.batch_max and reserved + need <= plant.kv_max):
                waiting.popleft()
                told[0, head], told[3, head] = now - arrived[head], len(running) + 1
                reserved += need
                filling = head
                work = prompt[head] * plant.prefill_per_token_s * noise[head]
                pieces = math.ceil(prompt[head] / plant.chunk_tokens) if plant.chunk_tokens else 1
                piece_s = work / pieces
        m = pace[int(now / pace_s) % count]
        began = now
        if filling >= 0 and not plant.chunk_tokens:
            now += m * piece_s
            pieces = 0
        elif filling >= 0 or running:
            b = len(running)
            each = m * (
                plant.step_s + plant.per_sequence_s * b + plant.per_kv_token_s * live + (piece_s if filling >= 0 else 0.0)
            )
            grows = m * plant.per_kv_token_s * b
            most = pieces if filling >= 0 else 1 << 40
            if running:
                most = min(most, running[0][0] - steps)
            if filling < 0 and not waiting and following < n:
                most = min(most, _steps_until(arrived[following] - now, each, grows))
            now += most * each + grows * most * (most - 1) / 2
            steps += most
            live += b * most
            if filling >= 0:
                pieces -= most
        elif following < n:
            now = arrived[following]
            continue
        else:
            return told
        if filling >= 0:
            told[1, filling] += now - began
            if pieces == 0:
                heapq.heappush(running, (steps + output[filling], filling))
                told[2, filling] = now
                live += prompt[filling]
                filling = -1
        while running and running[0][0] <= steps:
            _, done = heapq.heappop(running)
            told[2, done] = now - told[2, done]
            reserved -= prompt[done] + output[done]
            live -= prompt[done] + output[done]


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


def one_of(n: int, request: int) -> Bools:
    """The mask of a single request."""
    mask = np.zeros(n, dtype=bool)
    mask[request] = True
    return mask


_CALM_REQUESTS = 30


def of_one(plant: Plant, load: Load, request: int, served: Told) -> Floats:
    """Delay in seconds that one request imposed on each of the others, (n,).

    Serving again without it leaves the engine's steps at another phase for good, which moves every later answer by part of a step,
    either way, and has nothing to do with congestion. So what comes after thirty requests in a row that arrived when it was gone
    and were moved by less than a step is not counted.
    """
    delay = external(plant, load, one_of(len(load.prompt), request), served)
    gone_s = load.arrived_s[request] + served.latency_s[request]
    step_s = max(plant.pace) * (plant.step_s + plant.per_sequence_s * plant.batch_max + plant.per_kv_token_s * plant.kv_max)
    moved = (np.abs(delay) >= step_s) | (load.arrived_s <= gone_s)
    last = np.flatnonzero(moved)
    calm = last[:-1][np.diff(last) > _CALM_REQUESTS]
    until = int(calm[0]) if len(calm) else int(last[-1])
    counted = np.arange(len(delay)) <= until
    return np.where(counted, delay, 0.0)


def utilisation(plant: Plant, load: Load) -> float:
    """Share of the time in which the engine, at a full batch, would be busy with this load: above 1 it never catches up."""
    full = plant.step_s + plant.per_sequence_s * plant.batch_max + plant.per_kv_token_s * plant.kv_max / 2
    held = float((load.prompt + load.output).mean())
    batch = max(1.0, min(plant.batch_max, plant.kv_max / held))
    work = float(load.prompt.sum()) * plant.prefill_per_token_s + float(load.output.sum()) * full / batch
    return work / max(1e-9, float(load.arrived_s[-1] - load.arrived_s[0]))


def faster(plant: Plant, by: float) -> Plant:
    """The same engine, everything so many times as fast."""
    return Plant(
        plant.prefill_per_token_s / by, plant.step_s / by, plant.per_sequence_s / by, plant.per_kv_token_s / by, plant.chunk_tokens,
        plant.batch_max, plant.kv_max, plant.pace, plant.pace_s,
    )  # fmt: skip


def masks(load: Load, tenants: Sequence[int]) -> list[Bools]:
    """The mask of each tenant's requests."""
    return [load.tenant == tenant for tenant in tenants]
