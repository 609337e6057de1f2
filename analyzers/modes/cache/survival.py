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
