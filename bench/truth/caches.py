"""Caches whose every store and loss is known, to judge what is told of them: sent the prompts of a recorded service, or made up.

The provider's side is played piece by piece, with a naive record of each single write; callers only see what telemetry tells.
"""

from __future__ import annotations

import gzip
import json
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from analyzers.modes.cache.prompts import Prompts
from analyzers.modes.cache.touches import previous_of

INPUT, READ, WRITE = 3e-6, 0.3e-6, 3.75e-6
"""USD per token."""
Loss: TypeAlias = Literal["fixed", "memoryless", "capacity"]


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt: when, how many tokens, and the pieces it consists of, in order."""

    at_s: float
    tokens: float
    pieces: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Provider:
    """How a cache loses what it stores: `lifetime_s` after its last use (fixed), at the rate `1/lifetime_s` (memoryless), or when
    more than `pieces_max` are stored, the one longest unused first, and after `lifetime_s` too (capacity)."""

    loss: Loss
    lifetime_s: float
    pieces_max: int = 0


@dataclass(slots=True)
class Written:
    """The provider's own record of one write."""

    premium_usd: float
    saved_usd: float = 0.0


@dataclass(slots=True)
class Played:
    """What callers are told, read and written tokens of each call, and what the provider knows."""

    read: list[float] = field(default_factory=list[float])
    written: list[float] = field(default_factory=list[float])
    saved_usd: list[float] = field(default_factory=list[float])
    writes: list[Written] = field(default_factory=list[Written])


def mooncake(path: Path) -> list[Request]:
    """The recorded requests, to whole pieces of 512 tokens. Raises: OSError when the file cannot be read."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Request(row["timestamp"] / 1000, 512.0 * len(row["hash_ids"]), tuple(row["hash_ids"])) for row in rows]


def play(requests: list[Request], uses: np.ndarray, provider: Provider, rng: np.random.Generator) -> Played:
    """Send the requests; those that do not use the cache neither read it nor leave anything in it."""
    told = Played()
    stored: OrderedDict[int, tuple[float, Written]] = OrderedDict()  # piece → until when it is kept if nobody uses it, its write
    touched = sum(len(request.pieces) for request, caches in zip(requests, uses.tolist(), strict=True) if caches)
    lives = iter(_lives(provider, touched, rng).tolist())
    for request, caches in zip(requests, uses.tolist(), strict=True):
        size = request.tokens / len(request.pieces)
        hits, saved = 0, 0.0
        if caches:
            for piece in request.pieces:
                if piece not in stored or stored[piece][0] < request.at_s:
                    break
                hits += 1
            for place, piece in enumerate(request.pieces):
                if place < hits:
                    write = stored[piece][1]
                    write.saved_usd += size * (INPUT - READ)
                    saved += size * (INPUT - READ)
                else:
                    write = Written(size * (WRITE - INPUT))
                    told.writes.append(write)
                    saved -= write.premium_usd
                stored[piece] = (request.at_s + next(lives), write)
                stored.move_to_end(piece)
            while provider.loss == "capacity" and len(stored) > provider.pieces_max:
                stored.popitem(last=False)
        told.read.append(hits * size if caches else 0.0)
        told.written.append((len(request.pieces) - hits) * size if caches else 0.0)
        told.saved_usd.append(saved)
    return told


def read_by_all(requests: list[Request], provider: Provider, rng: np.random.Generator, times: int = 1) -> list[float]:
    """How many tokens are read in all when every request uses the cache, of each of so many times that they are sent.

    What is lost by age is told without playing it: a piece is there if it lived until it was sent again. All pieces of a prompt
    differ.
    """
    if provider.loss == "capacity":
        every = np.ones(len(requests), dtype=bool)
        return [sum(play(requests, every, provider, rng).read) for _ in range(times)]
    counts = np.array([len(request.pieces) for request in requests], dtype=np.int64)
    starts = np.cumsum(counts) - counts
    place = np.arange(int(counts.sum())) - np.repeat(starts, counts)
    at_s = np.repeat([request.at_s for request in requests], counts)
    previous = previous_of(np.array([piece for request in requests for piece in request.pieces], dtype=np.int64))
    sizes, read = np.array([request.tokens for request in requests]) / counts, list[float]()
    for _ in range(times):
        until_s = at_s + _lives(provider, len(at_s), rng)
        is_there = (previous >= 0) & (until_s[previous] >= at_s)
        hits = np.minimum.reduceat(np.where(is_there, np.repeat(counts, counts), place), starts)
        read.append(float((hits * sizes).sum()))
    return read


def _lives(provider: Provider, n: int, rng: np.random.Generator) -> np.ndarray:
    """How long each of so many touches keeps its piece, in seconds."""
    return provider.lifetime_s * (rng.exponential(size=n) if provider.loss == "memoryless" else np.ones(n))


def prompts_of(requests: list[Request], played: Played) -> Prompts:
    """What telemetry tells of requests that state their pieces; each is a task of its own."""
    n = len(requests)
    zeros = np.zeros(n, dtype=np.int64)
    return Prompts(
        at_s=np.array([r.at_s for r in requests]), whole=np.array([r.tokens for r in requests]), read=np.array(played.read),
        written=np.array(played.written), output=np.full(n, 100.0), is_told=np.ones(n, dtype=bool), input_rate=np.full(n, INPUT),
        read_rate=np.full(n, READ), write_rate=np.full(n, WRITE), lifetime_s=np.full(n, math.inf), sequence=np.arange(n),
        family=zeros, place=zeros, provider=zeros, upstream=zeros, keys=tuple(r.pieces for r in requests),
        value_usd=np.full(n, np.nan),
    )  # fmt: skip
