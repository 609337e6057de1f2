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


@dataclass(slots=True)
class _Stored:
    """A stretch of a chain's piece that one write put into the cache, from token `start` to `end`."""

    write: int
    start: float
    end: float


def writes(touches: Touches, until_s: float, lifetime_s: Floats) -> Writes:
    """Follow every write until it is replaced, or until `lifetime_s` (t,) after its last use lies before `until_s`.

    A read of r tokens covers the first r of the chain's piece, and is credited to the writes that stored them. What is written
    after a read extends what was read; written without a read it replaces what was there. Reads of what no write is known of
    (caches that are kept for nothing) are credited to none.
    """
    touch = np.flatnonzero(touches.written > 0)
    number = {int(index): place for place, index in enumerate(touch)}
    saved, reads, last_s = np.zeros(len(touch)), np.zeros(len(touch), dtype=np.int64), touches.at_s[touch].copy()
    replaced_by = np.full(len(touch), -1, dtype=np.int64)
    uses: list[tuple[int, int, float]] = []
    gain, stored = touches.read_gain, dict[int, list[_Stored]]()
    for index in np.flatnonzero((touches.written > 0) | (touches.read > 0)):
        held = stored.setdefault(int(touches.chain[index]), [])
        read, written = float(touches.read[index]), float(touches.written[index])
        for one in held:
            overlap = min(read, one.end) - one.start
            if overlap > 0:
                saved[one.write] += overlap * gain[index]
                reads[one.write] += 1
                uses.append((one.write, int(index), overlap))
                last_s[one.write] = touches.at_s[index]
        if written > 0:
            for one in held:
                if one.start >= read:
                    replaced_by[one.write] = index
                one.end = min(one.end, read)
            held[:] = [one for one in held if one.end > one.start]
            held.append(_Stored(number[int(index)], read, read + written))
    premium = touches.written[touch] * touches.write_premium[touch]
    over = last_s + lifetime_s[touch] < until_s
    used = np.array(uses, dtype=np.float64).reshape(-1, 3)
    each = Uses(used[:, 0].astype(np.int64), used[:, 1].astype(np.int64), used[:, 2])
    is_closed = (replaced_by >= 0) | over
    return Writes(touch, touches.written[touch], premium, saved, reads, last_s, is_closed, replaced_by, each)
