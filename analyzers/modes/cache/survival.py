"""How long caches keep what is stored: δ_S of eq. 10 and the survival of stored prefixes, from hits and misses at known ages.

Nobody tells when something was lost; it is seen only when the same prefix is sent again: at that age it was there, or it was not
(current-status data). Age counts from the last use, which renews what it uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from analyzers.effects.estimate import LEVEL, Bools, Floats

_AGE_MIN_S = 1e-3
_TURNS = 6


@dataclass(frozen=True, slots=True)
class Survival:
    """The share of stored prefixes that is there at an age: a step from `share[k]` at `age_s[k]` on. Nothing is said to survive
    beyond the greatest age at which anything was found."""

    age_s: Floats
    share: Floats

    def at(self, age_s: Floats) -> Floats:
        """The share kept at ages, between those seen by a straight line; 0 beyond what was seen. Shapes: (n,) to (n,)."""
        if len(self.age_s) == 0:
            return np.zeros(len(age_s))
        return np.where(age_s > self.age_s[-1], 0.0, np.interp(age_s, self.age_s, self.share))


@dataclass(frozen=True, slots=True)
class Depreciation:
    """δ_S: lost per second of what is stored, with its interval; `high` None: nothing bounds it. `lifetime_s`: between which ages
    everything was kept until and nothing after, where that is how it looks."""

    value: float
    low: float
    high: float | None
    n: int
    lifetime_s: tuple[float, float] | None

    @property
    def per_hour(self) -> tuple[float, float, float | None]:
        """The share lost in an hour, with its interval: 1 − exp(−3600·δ)."""
        high = None if self.high is None else -math.expm1(-3600 * self.high)
        return -math.expm1(-3600 * self.value), -math.expm1(-3600 * self.low), high


def survival(age_s: Floats, kept: Floats, weights: Floats) -> Survival:
    """The falling step that fits best what was kept at each age: its maximum likelihood, by pooling adjacent violators.

    Shapes: (n,) each; `kept` is the share that was found, 0 or 1 where it is one piece. Source: Ayer et al., Annals of
    Mathematical Statistics 26 (1955). Sums of fitted and seen are equal.
    """
    use = weights > 0
    age_s, kept, weights = age_s[use], kept[use], weights[use]
    if not (kept > 0).any():
        return Survival(np.zeros(0), np.zeros(0))
    ages, codes = np.unique(age_s, return_inverse=True)
    mass = np.bincount(codes, weights=weights)
    mean = np.bincount(codes, weights=weights * kept) / mass
    share = optimize.isotonic_regression(mean, weights=mass, increasing=False).x
    last = int(np.flatnonzero(mean > 0)[-1]) + 1
    return Survival(ages[:last], np.asarray(share[:last], dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Limits:
    """A cache that keeps everything up to an age, and up to so many others used since.

    Each limit lies between the greatest that was kept and the least that was lost by it, infinite where nothing was.
    """

    age_s: tuple[float, float]
    distance: tuple[float, float]

    def at(self, age_s: Floats, distance: Floats) -> Floats:
        """The share kept, (n,) each; a straight line between what was kept and what was lost: the limit lies anywhere there."""
        return _below(self.age_s, age_s) * _below(self.distance, distance)


def _below(limit: tuple[float, float], x: Floats) -> Floats:
    kept, lost = limit
    if math.isinf(lost):
        return np.where(x <= kept, 1.0, 0.0)
    return np.clip((lost - x) / max(lost - kept, 1e-12), 0.0, 1.0)


_NO_LIMIT = (math.inf, math.inf)


def limits(age_s: Floats, distance: Floats, kept: Floats, weights: Floats) -> Limits:
    """The two limits that tell best, by weight, what was kept from what was not.

    Shapes: (n,) each, `kept` 0 or 1. One limit is found exactly with the other held fixed, in turn from both sides until neither
    moves; the better of the two ends counts. Where nothing was lost by either, nothing is said to be kept beyond what was seen.
    """
    found: list[tuple[float, Limits]] = []
    for is_age_first in (True, False):
        age, most = _NO_LIMIT, _NO_LIMIT
        for turn in range(2 * _TURNS):
            before = age, most
            if is_age_first == (turn % 2 == 0):
                age = _limit(age_s, kept, np.where(distance <= most[0], weights, 0.0))
            else:
                most = _limit(distance, kept, np.where(age_s <= age[0], weights, 0.0))
            if turn and before == (age, most):
                break
        if age == most == _NO_LIMIT and (kept > 0).any():
            age, most = ((float(x[kept > 0].max()), math.inf) for x in (age_s, distance))
        of = Limits(age, most)
        found.append((float((weights * (kept - of.at(age_s, distance)) ** 2).sum()), of))
    return min(found, key=lambda one: one[0])[1]


def _limit(x: Floats, kept: Floats, weights: Floats) -> tuple[float, float]:
    """Between which values to cut an axis so that the least weight is kept behind the cut and lost before it; none where that is
    nowhere."""
    order = np.argsort(x, kind="stable")
    at, held, lost = x[order], (weights * kept)[order], (weights * (1 - kept))[order]
    wrong = np.concatenate([[0.0], np.cumsum(lost)]) + (float(held.sum()) - np.concatenate([[0.0], np.cumsum(held)]))
    possible = np.concatenate([[True], np.diff(at) > 0, [True]])  # no cut between equals
    wrong = np.where(possible, wrong, np.inf)
    least = float(wrong.min())
    if wrong[-1] <= least:
        return _NO_LIMIT
    places = np.flatnonzero(wrong <= least)  # all that lies between equally good cuts has no weight
    first, last = int(places[0]), int(places[-1])
    return (float(at[first - 1]) if first else 0.0), float(at[last])


def depreciation(age_s: Floats, kept: Bools, level: float = LEVEL) -> Depreciation | None:
    """δ_S under which a stored prefix is lost at a constant rate: P(kept at age a) = exp(−δ·a). None without ages.

    Shapes: (n,). The interval is the profile likelihood's. Formula: log L = −δ·Σ_kept a + Σ_lost log(1 − exp(−δ·a)).
    """
    if len(age_s) == 0:
        return None
    ages = np.maximum(age_s, _AGE_MIN_S)
    held, lost = float(ages[kept].sum()), ages[~kept]
    lifetime = _lifetime(ages, kept)
    if len(lost) == 0:
        return Depreciation(0.0, 0.0, float(stats.chi2.ppf(level, 1)) / (2 * held), len(ages), lifetime)

    def log_likelihood(log_delta: float) -> float:
        delta = math.exp(log_delta)
        return -delta * held + float(np.log(-np.expm1(-delta * lost)).sum())

    least, most = math.log(1e-3 / float(ages.max())), math.log(50.0 / float(ages.min()))
    if held == 0:
        return Depreciation(math.exp(most), _crossing(log_likelihood, most, least, 0.0, level) or 0.0, None, len(ages), lifetime)
    least -= math.log(1 + len(ages))
    found = optimize.minimize_scalar(
        lambda x: -log_likelihood(x), bounds=(least, most), method="bounded", options={"xatol": 1e-8}
    )
    best, top = float(found.x), -float(found.fun)
    low = _crossing(log_likelihood, best, least, top, level)
    return Depreciation(math.exp(best), low or 0.0, _crossing(log_likelihood, best, most, top, level), len(ages), lifetime)


def _crossing(log_likelihood: Callable[[float], float], inner: float, outer: float, top: float, level: float) -> float | None:
    """Where the likelihood has fallen by what `level` allows, between two log rates; None when it does not fall so far."""
    floor = top - float(stats.chi2.ppf(level, 1)) / 2
    if log_likelihood(outer) >= floor:
        return None
    if log_likelihood(inner) <= floor:
        return math.exp(inner)
    return math.exp(float(optimize.brentq(lambda x: log_likelihood(float(x)) - floor, min(inner, outer), max(inner, outer))))


def _lifetime(ages: Floats, kept: Bools) -> tuple[float, float] | None:
    """The ages between which a fixed lifetime must lie: nothing lost before, nothing kept after. None if it is not one."""
    if kept.all() or not kept.any():
        return None
    oldest, youngest = float(ages[kept].max()), float(ages[~kept].min())
    return (oldest, youngest) if oldest < youngest else None
