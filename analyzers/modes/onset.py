"""Since when: the time from which the share of a bad choice is what it is now, by counts over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analyzers.effects.estimate import Floats, InputError, floats

SIGNIFICANCE = 0.01  # of each test: several are made, of what is left after the last change found
CHANGE_MIN = 0.2  # in the share: a policy that is switched moves it by more, the mix of tasks by less
SIDE_MIN = 12.0  # chances on each side of a change


@dataclass(frozen=True, slots=True)
class Onset:
    """When the present regime began.

    `place`: the first of its bins, 0 where no change was found. `p`: of the test that found it, 1 where none did. `before` and
    `after`: the share of chances taken on either side; `before` is None where no change was found, and a share is NaN where
    there was no chance.
    """

    place: int
    p: float
    before: float | None
    after: float

    @property
    def has_risen(self) -> bool:
        """Whether the share rose: the bad choice began, rather than ended."""
        return self.before is not None and self.after > self.before


def onset(taken: ArrayLike, chances: ArrayLike) -> Onset:
    """The last time at which the share `taken` of `chances` changed.

    Shapes: (b,) each, counts by bin in the order of time, taken ≤ chances. A change is tested by the largest excursion of
    S_k = Σ_{i≤k}(taken_i − p̂·chances_i) over its standard deviation √(φ·N·p̂(1−p̂)), whose law without a change is Kolmogorov's;
    φ ≥ 1 is Pearson's dispersion on both sides of the split, so that a share that merely wavers is no change. The split is the
    binomial likelihood's. What follows a change is tested again, so that a fault that ended and another that began are told
    apart.
    Source: Csörgő & Horváth, Limit Theorems in Change-Point Analysis (1997), §1.4. Raises: InputError.
    """
    hits = floats(taken, "taken", shape=(-1,))
    of = floats(chances, "chances", shape=hits.shape)
    if (hits < 0).any() or (hits > of).any():
        raise InputError("taken must lie in 0 … chances in every bin")
    found = Onset(0, 1.0, None, _share(hits, of))
    start = fell = 0
    while (split := _split(hits[start:], of[start:])) is not None:
        place, p = split
        before = _share(hits[start : start + place], of[start : start + place])
        start += place
        found = Onset(start, p, before, _share(hits[start:], of[start:]))
        fell = fell if found.has_risen else start
    return _first_rise(found, hits, of, fell)


def _first_rise(found: Onset, hits: Floats, of: Floats, fell: int) -> Onset:
    """The onset where a rise went before the one found, since the share last `fell`: what is taken oftener and oftener began when
    it was first taken oftener."""
    while found.has_risen and (split := _split(hits[fell : found.place], of[fell : found.place])) is not None:
        at = fell + split[0]
        before, between = _share(hits[fell:at], of[fell:at]), _share(hits[at : found.place], of[at : found.place])
        if between <= before:
            break
        found = replace(found, place=at, p=split[1], before=before)
    return found


def _share(hits: Floats, of: Floats) -> float:
    total = float(of.sum())
    return float(hits.sum()) / total if total > 0 else math.nan


def _split(hits: Floats, of: Floats) -> tuple[int, float] | None:
    """The bin from which on the share is another, and the test's p; None where it is not, or nobody could tell."""
    total, taken = float(of.sum()), float(hits.sum())
    if len(of) < 2 or total < 2 * SIDE_MIN or not 0 < taken < total:
        return None
    left, left_hits = np.cumsum(of)[:-1], np.cumsum(hits)[:-1]
    possible = (left >= SIDE_MIN) & (total - left >= SIDE_MIN)
    if not possible.any():
        return None
    likelihood = _likelihood(left_hits, left) + _likelihood(taken - left_hits, total - left)
    at = int(np.argmax(np.where(possible, likelihood, -np.inf)))
    before, after = left_hits[at] / left[at], (taken - left_hits[at]) / (total - left[at])
    if abs(after - before) < CHANGE_MIN:
        return None
    share = taken / total
    deviation = math.sqrt(_dispersion(hits, of, at + 1) * total * share * (1 - share))
    excursion = float(np.abs(left_hits - share * left).max()) / deviation
    p = float(stats.kstwobign.sf(excursion))
    return (at + 1, p) if p < SIGNIFICANCE else None


def _likelihood(hits: Floats, of: Floats) -> Floats:
    """Binomial log likelihood of counts at their own share."""
    share = np.divide(hits, of, out=np.zeros_like(hits), where=of > 0)
    ones = hits * np.log(np.where(share > 0, share, 1.0))
    return np.asarray(ones + (of - hits) * np.log(np.where(share < 1, 1 - share, 1.0)))


def _dispersion(hits: Floats, of: Floats, at: int) -> float:
    """Pearson's χ² over its degrees of freedom, with a share of its own on either side of `at`; at least 1."""
    squares, bins = 0.0, 0
    for side in (slice(None, at), slice(at, None)):
        share = _share(hits[side], of[side])
        if not 0 < share < 1:
            bins += int((of[side] > 0).sum())
            continue
        seen = of[side] > 0
        expected = share * of[side][seen]
        squares += float(((hits[side][seen] - expected) ** 2 / (expected * (1 - share))).sum())
        bins += int(seen.sum())
    return max(1.0, squares / max(1, bins - 2))
