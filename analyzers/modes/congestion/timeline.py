"""Who was in queue, prefill and decode at once, rebuilt from what each span says of its own times."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analyzers.effects.estimate import Bools, Floats, InputError, Ints


@dataclass(frozen=True, slots=True)
class Served:
    """Requests as one engine served them, in order of arrival; shapes (n,).

    Times in seconds since any common instant. `steps`: decode steps, which are output tokens less accepted drafts.
    `prefill_tokens`: of the prompt (NaN: not told). `kv_tokens`: held from admission to the end. `lam`: the price of a second
    of the request's task in USD (NaN: nobody states one). `group`: whose request it is, a code. `chain`: requests of one chain
    that follow each other were asked for one after the other, the next as long after the answer as it was; -1 stands alone.
    """

    arrived_s: Floats
    queue_s: Floats
    prefill_s: Floats
    decode_s: Floats
    prefill_tokens: Floats
    steps: Floats
    kv_tokens: Floats
    lam: Floats
    group: Ints
    chain: Ints

    def __post_init__(self) -> None:
        n = len(self.arrived_s)
        for name in ("queue_s", "prefill_s", "decode_s", "prefill_tokens", "steps", "kv_tokens", "lam", "group", "chain"):
            if len(getattr(self, name)) != n:
                raise InputError(f"{name} has {len(getattr(self, name))} rows, arrived_s has {n}")
        times = np.concatenate([self.arrived_s, self.queue_s, self.prefill_s, self.decode_s, self.kv_tokens, self.steps])
        if not np.isfinite(times).all():
            raise InputError("times, steps and KV must be numbers: leave out requests that do not tell them")
        if n and (min(self.queue_s.min(), self.prefill_s.min(), self.decode_s.min(), self.kv_tokens.min()) < 0):
            raise InputError("a negative duration or a negative KV")
        if (np.diff(self.arrived_s) < 0).any():
            raise InputError("requests must be in order of arrival")

    @property
    def admitted_s(self) -> Floats:
        """When prefill began."""
        return self.arrived_s + self.queue_s

    @property
    def decoding_s(self) -> Floats:
        """When decoding began."""
        return self.admitted_s + self.prefill_s

    @property
    def ended_s(self) -> Floats:
        """When the last token was out."""
        return self.decoding_s + self.decode_s

    @property
    def latency_s(self) -> Floats:
        """From arrival to the last token."""
        return self.queue_s + self.prefill_s + self.decode_s

    def follows(self) -> tuple[Ints, Floats]:
        """For each request the one that was asked for after its answer (-1: none), and how long after, in seconds."""
        following, gap = np.full(len(self.arrived_s), -1, dtype=np.int64), np.zeros(len(self.arrived_s))
        ended = self.ended_s
        last: dict[int, int] = {}
        for place, chain in enumerate(self.chain.tolist()):
            if chain < 0:
                continue
            before = last.get(chain, -1)
            if before >= 0 and self.arrived_s[place] >= ended[before] - 1e-6:
                following[before] = place
                gap[before] = max(0.0, float(self.arrived_s[place] - ended[before]))
            last[chain] = place
        return following, gap


@dataclass(frozen=True, slots=True)
class Timeline:
    """Stretches of time in which nothing began or ended; shapes (m,), and (n,) for the places of each request's events.

    `lasts_s` of each stretch, `decoding` sequences, `prefilling` requests, `kv` tokens held, and `block`, the part of the day
    or of the period in which it lies. `admitted`, `decodes`, `ends`: at which boundary (0 … m) each request's event lies.
    """

    lasts_s: Floats
    decoding: Floats
    prefilling: Floats
    kv: Floats
    block: Ints
    admitted: Ints
    decodes: Ints
    ends: Ints

    def until(self, rate: Floats) -> Floats:
        """The integral of a rate up to each boundary, shape (m + 1,)."""
        return np.concatenate([[0.0], np.cumsum(rate * self.lasts_s)])


@dataclass(frozen=True, slots=True)
class Blocks:
    """Parts of time in which an engine may be slower as a whole: `count` pieces of `lasts_s`, over and over from `begins_s`."""

    begins_s: float
    lasts_s: float
    count: int

    def of(self, at_s: Floats) -> Ints:
        """The piece in which each time lies."""
        return np.mod(np.floor((at_s - self.begins_s) / self.lasts_s), self.count).astype(np.int64)


_DAY_S = 86_400.0
_REQUESTS_PER_BLOCK = 150
_BLOCKS_MAX = 12


def blocks(served: Served, midnight_s: float = 0.0) -> Blocks:
    """Hours of the day where the requests span three days or more, else equal pieces with enough requests to tell a pace."""
    n = len(served.arrived_s)
    begins = float(served.arrived_s[0]) if n else 0.0
    span = float(served.arrived_s[-1] - begins) if n else 0.0
    if span >= 3 * _DAY_S:
        return Blocks(midnight_s, _DAY_S / 24, 24)
    count = max(1, min(_BLOCKS_MAX, n // _REQUESTS_PER_BLOCK))
    return Blocks(begins, max(span / count, 1e-3), count + 1)  # what is in flight at the end lies in one more


def timeline(served: Served, parts: Blocks) -> Timeline:
    """The stretches between all events of all requests, cut where a block ends."""
    admitted, decodes, ends = served.admitted_s, served.decoding_s, served.ended_s
    if not len(admitted):
        nothing = np.zeros(0, dtype=np.int64)
        return Timeline(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0), nothing, nothing, nothing, nothing)
    first, last = float(admitted.min()), float(ends.max())
    number = math.ceil((first - parts.begins_s) / parts.lasts_s)
    cuts = np.arange(number, math.floor((last - parts.begins_s) / parts.lasts_s) + 1) * parts.lasts_s + parts.begins_s
    at, place = np.unique(np.concatenate([admitted, decodes, ends, cuts]), return_inverse=True)
    n = len(admitted)
    a, d, e = place[:n], place[n : 2 * n], place[2 * n : 3 * n]
    m = len(at)
    began, decoded, ended = (np.bincount(where, minlength=m) for where in (a, d, e))
    held = np.bincount(a, served.kv_tokens, m) - np.bincount(e, served.kv_tokens, m)
    middle = (at[:-1] + at[1:]) / 2
    return Timeline(
        np.asarray(np.diff(at), dtype=np.float64),
        np.cumsum(decoded - ended)[:-1].astype(float),
        np.cumsum(began - decoded)[:-1].astype(float),
        np.maximum(np.cumsum(held)[:-1], 0.0),
        parts.of(middle),
        a.astype(np.int64),
        d.astype(np.int64),
        e.astype(np.int64),
    )


def overtaken(served: Served) -> float:
    """Share of requests that were admitted before one that had come earlier: 0 where first come is first served."""
    if not len(served.arrived_s):
        return 0.0
    admitted = served.admitted_s
    later: Bools = admitted < np.maximum.accumulate(admitted) - 1e-3
    return float(later.mean())
