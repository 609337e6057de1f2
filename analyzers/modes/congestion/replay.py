"""The same requests served again by the fitted engine, without some of them.

What each request asked of the engine is taken from how it was served (its prefill in seconds of an engine that does nothing
else, its steps by the time it decoded), so that with nobody left out the replay gives what was observed as far as the engine's
rules hold: first come, first served; a place and room in KV are needed; a prefill slows decoding; a step is slower the more
there is in it.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analyzers.effects.estimate import Bools, Floats
from analyzers.modes.congestion.fit import Engine, gangs, rates
from analyzers.modes.congestion.timeline import Blocks, Served, Timeline, timeline


@dataclass(frozen=True, slots=True)
class Jobs:
    """What the requests ask of the engine, as plain lists, which a loop reads fastest.

    `again`: the request that follows, or -1. `heads`: those that follow none, in order of arrival.
    """

    arrived_s: list[float]
    prefill_s: list[float]
    steps: list[float]
    kv: list[float]
    again: list[int]
    gap_s: list[float]
    heads: list[int]


def jobs(served: Served, engine: Engine) -> Jobs:
    """The work of each request by what it was seen to take."""
    line = timeline(served, engine.parts)
    decode, prefill = rates(engine.parameters(), engine.pace, line)
    stepped = line.until(decode)
    again, gap = served.follows()
    followed = np.zeros(len(again), dtype=bool)
    followed[again[again >= 0]] = True
    return Jobs(
        served.arrived_s.tolist(),
        _prefills(served, engine, line, prefill).tolist(),
        (stepped[line.ends] - stepped[line.decodes]).tolist(),
        served.kv_tokens.tolist(),
        again.tolist(),
        gap.tolist(),
        np.flatnonzero(~followed).tolist(),
    )


_ARRIVES, _TURNS, _ENDS, _CUT = range(4)  # what happens next; a turn is from prefill to decoding

_SAME_STEP = 1e-6  # those that end with one step leave together, before the next prefill can hold them up


class _Rules(NamedTuple):
    """The engine, ready for the loop."""

    step_s: float
    per_sequence_s: float
    per_kv_token_s: float
    mixing: float
    pace: list[float]
    parts: Blocks
    lanes: int
    in_gangs: bool
    batch_max: float
    kv_max: float


def _prefills(served: Served, engine: Engine, line: Timeline, rate: Floats) -> Floats:
    """The seconds of prefill that each request took of the engine; prompts share them by their tokens in a gang, else evenly."""
    if not engine.in_gangs:
        filled = line.until(rate / np.maximum(line.prefilling, 1.0))
        return filled[line.decodes] - filled[line.admitted]
    filled = line.until(rate)
    gang = gangs(served)
    known = np.isfinite(served.prefill_tokens)
    tokens = np.where(known, served.prefill_tokens, np.nanmean(served.prefill_tokens) if known.any() else 1.0) + 1.0
    return (filled[line.decodes] - filled[line.admitted]) * tokens / np.bincount(gang, tokens)[gang]


class Run:
    """A replay under way. `latency_s` is filled as requests end; those that are left out stay NaN."""

    __slots__ = (
        "absent", "asked", "began_s", "decoding", "ended", "jobs", "kv", "latency_s", "next_head", "now_s", "piece",
        "prefilled", "prefilling", "rules", "stepped", "waiting",
    )  # fmt: skip

    def __init__(self, engine: Engine, work: Jobs, absent: Bools | None = None) -> None:
        a, b, c, w = engine.parameters().tolist()
        self.rules = _Rules(
            a, b, c, w, engine.pace.tolist(), engine.parts, engine.lanes, engine.in_gangs, engine.batch_max, engine.kv_max
        )
        self.jobs = work
        self.absent = bytearray(len(work.arrived_s)) if absent is None else bytearray(absent.astype(np.uint8).tobytes())
        self.latency_s: dict[int, float] = {}
        self.began_s: dict[int, float] = {}
        self.ended: list[int] = []
        self.now_s, self.stepped, self.prefilled, self.kv, self.next_head = 0.0, 0.0, 0.0, 0.0, 0
        self.waiting: deque[int] = deque()
        self.decoding: list[tuple[float, int]] = []
        self.prefilling: list[tuple[float, int]] = []
        self.asked: list[tuple[float, int]] = []
        if work.heads:
            self.now_s = work.arrived_s[work.heads[0]]
        self.piece = self._piece()

    def copy(self) -> Run:
        """Another run from here on; what has ended is not copied."""
        other: Run = Run.__new__(Run)
        other.rules, other.jobs, other.absent = self.rules, self.jobs, bytearray(self.absent)
        other.latency_s, other.ended = {}, []
        inside = [i for _, i in self.decoding] + [i for _, i in self.prefilling] + list(self.waiting)
        other.began_s = {i: self.began_s[i] for i in inside}
        other.now_s, other.stepped, other.prefilled = self.now_s, self.stepped, self.prefilled
        other.kv, other.next_head, other.piece = self.kv, self.next_head, self.piece
        other.waiting, other.decoding = deque(self.waiting), list(self.decoding)
        other.prefilling, other.asked = list(self.prefilling), list(self.asked)
        return other

    @property
    def is_empty(self) -> bool:
        """Whether nobody is inside, waits, or will ask for having been answered."""
        return not (self.decoding or self.prefilling or self.waiting or self.asked)

    def coming(self) -> tuple[float, int]:
        """When the next request arrives, and which; never and -1 when none does."""
        heads = self.jobs.heads
        head = heads[self.next_head] if self.next_head < len(heads) else -1
        at_s = self.jobs.arrived_s[head] if head >= 0 else math.inf
        if self.asked and self.asked[0][0] < at_s:
            return self.asked[0]
        return at_s, head

    def until(self, arrival: int = -1, ends: int = -1) -> None:
        """Go on until just before a request arrives, until so many more have ended, or to the end of all."""
        a, b, c, w, pace, parts, _, in_gangs, _, _ = self.rules
        decoding, prefilling, waiting = self.decoding, self.prefilling, self.waiting
        enough = len(self.ended) + ends if ends >= 0 else math.inf
        while len(self.ended) < enough:
            if waiting and len(prefilling) < self.rules.lanes:
                self._admit()
            step = pace[self.piece % parts.count] * (a + b * (len(decoding) or 1) + c * self.kv)
            beside = 1.0 / (1.0 + w * step)
            speed = w * beside if prefilling else 1.0 / step
            beside /= 1 if in_gangs else len(prefilling) or 1
            at_s, comes = self.coming()
            event, lasts = _ARRIVES, at_s - self.now_s
            if prefilling and (left := max(0.0, (prefilling[0][0] - self.prefilled) / beside)) < lasts:
                event, lasts = _TURNS, left
            if decoding and speed > 0 and (left := max(0.0, (decoding[0][0] - self.stepped) / speed)) < lasts:
                event, lasts = _ENDS, left
            if (decoding or prefilling) and (cut := parts.begins_s + (self.piece + 1) * parts.lasts_s - self.now_s) < lasts:
                event, lasts = _CUT, max(0.0, cut)
            if event == _ARRIVES and (comes < 0 or comes == arrival):
                return
            self.now_s += lasts
            if prefilling:
                self.prefilled += lasts * beside
            if decoding:
                self.stepped += lasts * speed
            self._happens(event, comes)

    def _fits(self, request: int) -> bool:
        inside = len(self.decoding) + len(self.prefilling)
        room = inside < self.rules.batch_max and self.kv + self.jobs.kv[request] <= self.rules.kv_max * (1 + 1e-9)
        return room or not inside

    def _admit(self) -> None:
        """Let in who fits, in order; a gang only when none is under way, and it ends when the work of all of it is done."""
        if self.rules.in_gangs and self.prefilling:
            return
        done_s = self.prefilled
        while self.waiting and len(self.prefilling) < self.rules.lanes and self._fits(self.waiting[0]):
            request = self.waiting.popleft()
            self.kv += self.jobs.kv[request]
            done_s = self.jobs.prefill_s[request] + (done_s if self.rules.in_gangs else self.prefilled)
            heapq.heappush(self.prefilling, (done_s, request))
        if self.rules.in_gangs:
            self.prefilling[:] = [(done_s, request) for _, request in self.prefilling]

    def _happens(self, event: int, comes: int) -> None:
        if event == _ARRIVES:
            self._arrives(comes)
            if not (self.decoding or self.prefilling):
                self.piece = self._piece()
        elif event == _TURNS:
            done_s = self.prefilling[0][0]
            while self.prefilling and self.prefilling[0][0] <= done_s + 1e-9:
                turned = heapq.heappop(self.prefilling)[1]
                heapq.heappush(self.decoding, (self.stepped + self.jobs.steps[turned], turned))
        elif event == _ENDS:
            self._ends(heapq.heappop(self.decoding)[1])
            while self.decoding and self.decoding[0][0] <= self.stepped + _SAME_STEP:
                self._ends(heapq.heappop(self.decoding)[1])
        else:
            self.piece += 1

    def _piece(self) -> int:
        """Of the pieces of time in which the pace may differ, the one it is now, counted on without end."""
        parts = self.rules.parts
        return math.floor((self.now_s - parts.begins_s) / parts.lasts_s + 1e-12)

    def _arrives(self, request: int) -> None:
        if self.asked and self.asked[0][1] == request:
            heapq.heappop(self.asked)
        else:
            self.next_head += 1
        if not self.absent[request]:
            self.began_s[request] = self.now_s
            self.waiting.append(request)
        elif self.jobs.again[request] >= 0:
            after = self.jobs.again[request]
            heapq.heappush(self.asked, (max(self.now_s, self.jobs.arrived_s[after]), after))

    def _ends(self, request: int) -> None:
        self.kv -= self.jobs.kv[request]
        self.latency_s[request] = self.now_s - self.began_s.pop(request)
        self.ended.append(request)
        if self.jobs.again[request] >= 0:
            heapq.heappush(self.asked, (self.now_s + self.jobs.gap_s[request], self.jobs.again[request]))


def latencies(engine: Engine, work: Jobs, absent: Bools | None = None) -> Floats:
    """Latency of every request in seconds, (n,), with `absent` (n,) left out; NaN for these."""
    run = Run(engine, work, absent)
    run.until()
    found = np.full(len(work.arrived_s), np.nan)
    if run.latency_s:
        found[list(run.latency_s)] = list(run.latency_s.values())
    return found
