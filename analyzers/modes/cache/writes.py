"""What each cache write cost beyond fresh input, and what the reads of it saved: facts of the books, nothing estimated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzers.effects.estimate import Bools, Floats, Ints
from analyzers.modes.cache.touches import Touches


@dataclass(frozen=True, slots=True)
class Uses:
    """Reads of what was written, in order of time: of which write, by which touch, of how many tokens. Shapes: (u,)."""

    write: Ints
    touch: Ints
    tokens: Floats


@dataclass(frozen=True, slots=True)
class Writes:
    """Writes in order of time. Shapes: (w,). `touch`: by which each was made; `reads`: touches that read any of it; `last_s`:
    when it was last used; `is_closed`: nothing more can be saved by it, for it was replaced or its lifetime is over.
    `replaced_by`: the touch that did, -1 where none. `uses`: every read of them.
    """

    touch: Ints
    tokens: Floats
    premium_usd: Floats
    saved_usd: Floats
    reads: Ints
    last_s: Floats
    is_closed: Bools
    replaced_by: Ints
    uses: Uses

    @property
    def is_unpaid(self) -> Bools:
        """Closed, and what was saved did not repay the premium."""
        return self.is_closed & (self.saved_usd < self.premium_usd)


def writes(touches: Touches, until_s: float, lifetime_s: Floats) -> Writes:
    """Follow every write until it is replaced, or until `lifetime_s` (t,) after its last use lies before `until_s`.

    A read of r tokens covers the first r of the chain's piece, and is credited to the writes that stored them. What is written
    after a read extends what was read; written without a read it replaces what was there. Reads of what no write is known of
    (caches that are kept for nothing) are credited to none.
    """
    touch = np.flatnonzero(touches.written > 0)
    number = np.full(len(touches.chain), -1, dtype=np.int64)
    number[touch] = np.arange(len(touch))
    extends = touches.chain[(touches.written > 0) & (touches.read > 0)]
    is_extended = np.bincount(extends, minlength=int(touches.chain.max(initial=-1)) + 1)[touches.chain] > 0
    used = (touches.written > 0) | (touches.read > 0)
    followed = (
        _replaced(touches, np.flatnonzero(used & ~is_extended), number),
        _extended(touches, np.flatnonzero(used & is_extended), number),
    )
    uses, replaced_by = _together([one[0] for one in followed]), np.maximum(followed[0][1], followed[1][1])
    saved: Floats = np.zeros(len(touch))
    np.add.at(saved, uses.write, uses.tokens * touches.read_gain[uses.touch])
    last_s = touches.at_s[touch].copy()
    np.maximum.at(last_s, uses.write, touches.at_s[uses.touch])
    premium = touches.written[touch] * touches.write_premium[touch]
    is_closed = (replaced_by >= 0) | (last_s + lifetime_s[touch] < until_s)
    reads = np.bincount(uses.write, minlength=len(touch))
    return Writes(touch, touches.written[touch], premium, saved, reads, last_s, is_closed, replaced_by, uses)


def _replaced(touches: Touches, rows: Ints, number: Ints) -> tuple[Uses, Ints]:
    """The reads of writes, and by which touch each was replaced, of chains in which no write extends one: there is always one
    stretch at most, that of the last write."""
    order = np.argsort(touches.chain[rows], kind="stable")
    at = rows[order]
    chain, is_write = touches.chain[at], touches.written[at] > 0
    start = np.concatenate([[True], chain[1:] != chain[:-1]])[: len(at)]
    first = np.maximum.accumulate(np.where(start, np.arange(len(at)), 0))
    latest = np.maximum.accumulate(np.where(is_write, np.arange(len(at)), -1))
    held = np.where(latest >= first, latest, -1)
    reads = np.flatnonzero(~is_write & (held >= 0))
    replaced_by = np.full(int((number >= 0).sum()), -1, dtype=np.int64)
    later = np.flatnonzero(is_write & ~start)
    before = held[later - 1]
    replaced_by[number[at[before[before >= 0]]]] = at[later[before >= 0]]
    write, touch = number[at[held[reads]]], at[reads]
    return Uses(write, touch, np.minimum(touches.read[touch], touches.written[at[held[reads]]])), replaced_by


@dataclass(slots=True)
class _Stored:
    """A stretch of a chain's piece that one write put into the cache, from token `start` to `end`."""

    write: int
    start: float
    end: float


def _extended(touches: Touches, rows: Ints, number: Ints) -> tuple[Uses, Ints]:
    """The same of chains in which writes extend what was read, one touch after the other."""
    replaced_by = np.full(int((number >= 0).sum()), -1, dtype=np.int64)
    uses: list[tuple[int, int, float]] = []
    stored: dict[int, list[_Stored]] = {}
    columns = (touches.chain[rows], touches.read[rows], touches.written[rows], number[rows])
    for index, chain, read, written, write in zip(rows.tolist(), *(each.tolist() for each in columns), strict=True):
        held = stored.setdefault(chain, [])
        for one in held:
            overlap = min(read, one.end) - one.start
            if overlap > 0:
                uses.append((one.write, index, overlap))
        if written > 0:
            for one in held:
                if one.start >= read:
                    replaced_by[one.write] = index
                one.end = min(one.end, read)
            held[:] = [one for one in held if one.end > one.start]
            held.append(_Stored(write, read, read + written))
    table = np.array(uses, dtype=np.float64).reshape(-1, 3)
    return Uses(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2]), replaced_by


def _together(parts: list[Uses]) -> Uses:
    """Reads in order of time; those by one touch stay in theirs."""
    touch = np.concatenate([part.touch for part in parts])
    order = np.argsort(touch, kind="stable")
    write, tokens = np.concatenate([part.write for part in parts]), np.concatenate([part.tokens for part in parts])
    return Uses(write[order], touch[order], tokens[order])
