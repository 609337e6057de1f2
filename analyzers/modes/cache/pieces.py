"""Pieces of prompts that were sent again: how long ago, and how much else a cache was sent since.

All pieces of all calls at once: a call's keys stand behind each other, and the calls in order of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from analyzers.effects.estimate import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces that were sent again by calls that state several keys, in the order of calls and prompts. Shapes: (k,).

    `age_s`: since when the piece, or one before it, was sent last, whichever is longest ago: a cache finds a piece only behind
    all those before it. `stored_age_s`: the same since a call that used the cache; NaN where one of them was never cached.
    `own_age_s`: since this piece itself was cached, `sum_s` and `stored_sum_s` the sums of such ages, since it was sent or
    cached, of the piece and all before it. `distance` and `stored_distance`: how many other pieces were sent, or cached, since.
    `is_read`: whether the cache read it. `is_seen`: whether that tells of it: what follows a piece that was lost shows nowhere.
    """

    call: Ints
    tokens: Floats
    age_s: Floats
    stored_age_s: Floats
    own_age_s: Floats
    sum_s: Floats
    stored_sum_s: Floats
    distance: Floats
    stored_distance: Floats
    is_read: Bools
    is_seen: Bools


def pieces_of(
    keys: Sequence[tuple[int, ...]], at_s: Floats, whole: Floats, read: Floats, written: Floats, provider: Ints
) -> Pieces:
    """Pieces that were sent again. Shapes: (n,), calls in order of time; `keys` of each, which tell nothing if there is but one.

    `whole` tokens, of which a cache `read` and `written`. What one provider keeps, another does not.
    """
    counts = np.array([len(each) if len(each) > 1 else 0 for each in keys], dtype=np.int64)
    call = np.repeat(np.arange(len(keys)), counts)
    key = np.fromiter(chain.from_iterable(each for each in keys if len(each) > 1), np.int64, int(counts.sum()))
    place = np.arange(len(call)) - np.repeat(np.cumsum(counts) - counts, counts)
    size = whole[call] / counts[call]
    uses: Bools = (read + written > 0)[call]
    every = np.ones(len(call), dtype=bool)
    since, distance = since_used(key, call, every, at_s[call])
    stored_since, stored_distance = np.full(len(call), np.nan), np.full(len(call), np.nan)
    of = provider[call]
    for one in np.unique(of):
        rows = of == one
        stored_since[rows], stored_distance[rows] = since_used(key[rows], call[rows], uses[rows], at_s[call][rows])
    oldest, oldest_stored, longest, longest_stored = (
        accumulated(np.maximum, each, counts) for each in (since, stored_since, distance, stored_distance)
    )
    total, total_stored = (accumulated(np.add, each, counts) for each in (since, stored_since))
    hits = np.round(np.divide(read[call], size, out=np.zeros(len(call)), where=size > 0))
    again = ~np.isnan(total)  # it and all before it were sent before
    return Pieces(
        call[again], size[again], oldest[again], oldest_stored[again], stored_since[again], total[again], total_stored[again],
        longest[again], longest_stored[again], (place < hits)[again], (uses & (place <= hits))[again],
    )  # fmt: skip


def since_used(key: Ints, call: Ints, uses: Bools, at_s: Floats) -> tuple[Floats, Floats]:
    """How long ago each piece was used last by an earlier call, and how many other keys were used since that call's use of it.

    Shapes: (k,), in order of time, a call's together. `uses`: which pieces are used, and not only looked for. NaN for what never
    was. A call's own uses are not counted: it looks for all its pieces first.
    """
    last = _last_used(key, call, uses)
    found = last >= 0
    age: Floats = np.where(found, at_s - at_s[last], np.nan)
    before = np.concatenate([[0], np.cumsum(uses)])  # how many uses lie before a piece
    first = np.searchsorted(call, call[found], side="left")
    used = np.flatnonzero(uses)
    following = np.full(len(used), len(used), dtype=np.int64)
    order = np.argsort(key[used], kind="stable")
    same = key[used][order[1:]] == key[used][order[:-1]]
    following[order[:-1][same]] = order[1:][same]
    # A key was used since if one of its uses since has no other after it.
    now, then = before[first], before[last[found]] + 1
    distance = np.full(len(key), np.nan)
    distance[found] = _at_least(following, now, now) - _at_least(following, then, now)
    return age, distance


def _last_used(key: Ints, call: Ints, uses: Bools) -> Ints:
    """For each piece the last use of its key by an earlier call; -1 where there was none."""
    n = len(key)
    order = np.argsort(key, kind="stable")
    group = np.concatenate([[0], np.cumsum(key[order[1:]] != key[order[:-1]])])[:n] * (n + 1)
    latest = np.maximum.accumulate(group + np.where(uses[order], order + 1, 0)) - group - 1
    last = np.full(n, -1, dtype=np.int64)
    is_next = group[1:] == group[:-1]
    last[order[1:][is_next]] = latest[:-1][is_next]
    while (own := (last >= 0) & (call[last] == call)).any():
        last[own] = last[last[own]]
    return last


def _at_least(values: Ints, before: Ints, least: Ints) -> Ints:
    """How many of the first `before` values are at least `least`, for each such pair; values are 0 to len(values).

    A wavelet matrix: values are parted by one bit after the other, and each question is followed through the parts. Source:
    Claude, Navarro & Ordóñez, Information Systems 47 (2015).
    """
    start, end = np.zeros(len(before), dtype=np.int64), before.copy()
    count = np.zeros(len(before), dtype=np.int64)
    for bit in reversed(range(len(values).bit_length())):
        is_one = values >> bit & 1
        ones = np.concatenate([[0], np.cumsum(is_one)])
        wants_one = (least >> bit & 1).astype(bool)
        count += np.where(wants_one, 0, ones[end] - ones[start])
        zeros = len(values) - int(ones[-1])
        start = np.where(wants_one, zeros + ones[start], start - ones[start])
        end = np.where(wants_one, zeros + ones[end], end - ones[end])
        values = np.concatenate([values[is_one == 0], values[is_one == 1]])
    return count + end - start


def accumulated(by: np.ufunc, values: Floats, counts: Ints) -> Floats:
    """`by` accumulated within each of the runs of `counts` values that follow one another."""
    made = values.copy()
    starts = (np.cumsum(counts) - counts)[np.argsort(-counts, kind="stable")]
    longer = np.cumsum(np.bincount(counts)[::-1])[::-1]  # how many runs have so many values or more
    for place in range(1, len(longer) - 1):
        at = starts[: longer[place + 1]] + place
        made[at] = by(made[at - 1], made[at])
    return made
