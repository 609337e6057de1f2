"""Intervals for means that hold at small n: closed forms, no resampling, so that the same data give the same interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from analyzers.effects.estimate import LEVEL, Floats, Ints, ranks

_DEGREES_MIN = 2.0  # below, a t interval says nothing
_SKEWED = 1e-3  # skew of a mean from which an interval allows for it


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean with its sampling spread: `sums` (G,) are the clusters' summed deviations divided by n, so that their squares add
    up to the variance; `skew` is the standardised third moment of the mean (γ/√G); `degrees` are Satterthwaite's."""

    mean: float
    standard_error: float
    skew: float
    degrees: float
    sums: Floats


@dataclass(frozen=True, slots=True)
class Bounds:
    """A mean and the interval around it."""

    value: float
    low: float
    high: float


@lru_cache(maxsize=4096)
def _t(degrees: float, level: float) -> float:
    share = (1 + level) / 2
    return float(special.ndtri(share) if math.isinf(degrees) else special.stdtrit(degrees, share))


def quantile(degrees: float, level: float = LEVEL) -> float:
    """Two-sided critical value of Student's t, normal when `degrees` is infinite. `degrees` is read to two decimals (cached)."""
    return _t(round(degrees, 2) if degrees < 1000 else math.inf, level)


def spread(values: Floats, clusters: Ints, tilt: Floats | None = None) -> Spread:
    """The mean of `values` (weighted by `tilt` where given) and how it would vary over repetitions, with tasks as the unit.

    Shapes: (n,) each; clusters are any whole numbers. Formula: V = G/(G−1)·Σ_g S_g², S_g = Σ_{i∈g} h_i(v_i − v̄)/Σh. Degrees of
    freedom by Satterthwaite's moments, 2·(ΣS²)²/(G·Var S²), at most G−1: what few or heavy-tailed observations leave of them.
    Source: Liang & Zeger 1986 (clusters); Satterthwaite 1946 with the sampled fourth moment.
    """
    weights = np.ones_like(values) if tilt is None else tilt
    total = float(weights.sum())
    mean = float((weights * values).sum()) / total
    codes = ranks(clusters)
    groups = int(codes.max()) + 1
    sums = np.bincount(codes, weights=weights * (values - mean), minlength=groups) / total
    return of_sums(mean, sums)


def of_sums(mean: float, sums: Floats) -> Spread:
    """The spread of an estimate of which each task's pull `sums` (G,) is known: its deviations' sum over the whole, or any sum of
    such pulls, as of a price-weighted total of several outcomes. See `spread` for the formulas."""
    groups = len(sums)
    if groups < 2:
        return Spread(mean, math.inf, 0.0, 0.0, sums)
    squares = sums**2
    total = float(squares.sum())
    variance = total * groups / (groups - 1)
    if variance <= (1e-12 * abs(mean)) ** 2:  # rounding, not spread
        return Spread(mean, 0.0, 0.0, groups - 1.0, sums)
    fourth = float(squares.var(ddof=1)) * groups
    degrees = groups - 1.0 if fourth <= 0 else min(groups - 1.0, 2 * total**2 / fourth)
    third = float((squares * sums).sum()) / total**1.5  # to multiply takes a twentieth of what a third power takes
    if groups > 2:
        third *= math.sqrt(groups * (groups - 1)) / (groups - 2)
    return Spread(mean, math.sqrt(variance), third, max(degrees, _DEGREES_MIN), sums)


def skewed(of: Spread, level: float = LEVEL, *, skew_share: float = 1.0) -> Bounds:
    """Interval for a mean of skewed, unbounded values: a gamma's, or between that and the t interval.

    Of a sum of n events of one size the limits are quantiles of gammas of shape n + 1 and n, in events (Garwood, Biometrika 28,
    1936; weighted: Fay & Feuer, Statistics in Medicine 16, 1997). Such a sum has the skew k = 1/√n; a mean of that skew has the
    limits of 1/k² events. Quantiles are as deep as t's is among normal ones, for a spread that few or heavy-tailed
    observations tell. In a difference of two means whose skews cancel, the long side buys little: `skew_share` below 1 takes
    the rest from the t interval (see `skew_share_of`). Without skew it is the t interval.
    """
    critical, skew = quantile(of.degrees, level), abs(of.skew)
    below = above = critical
    if skew > _SKEWED:
        events, beyond = 1 / skew**2, float(special.ndtr(-critical))
        longer = skew * (float(special.gammainccinv(events + 1, beyond)) - events)
        shorter = skew * (events - float(special.gammaincinv(events, beyond)))
        of_gamma = (shorter, longer) if of.skew > 0 else (longer, shorter)
        below, above = (critical + skew_share * (each - critical) for each in of_gamma)
    return Bounds(of.mean, of.mean - of.standard_error * below, of.mean + of.standard_error * above)


def skew_share_of(joint: Spread) -> float:
    """How much of the gamma's interval each mean of a difference takes, from the skew that is left in the difference itself: half
    without any, all from 0.4 on. Chosen by simulation over lognormal and Pareto outcomes, balanced and explored at 5 %."""
    return 0.5 + 0.5 * min(1.0, abs(joint.skew) / 0.4)


def wilson(mean: float, n_effective: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval for a mean of values in [0, 1] seen `n_effective` times; right also when every value is the same.

    Source: E. B. Wilson, JASA 22 (1927): the means whose own variance μ(1−μ)/n leaves the observed one within z.
    """
    z = quantile(math.inf, level)
    centre = (mean + z * z / (2 * n_effective)) / (1 + z * z / n_effective)
    half = z / (1 + z * z / n_effective) * math.sqrt(mean * (1 - mean) / n_effective + (z / (2 * n_effective)) ** 2)
    return max(0.0, centre - half), min(1.0, centre + half)


def bounded(of: Spread, effective: float, level: float = LEVEL, *, worth: float = 1.0) -> Bounds:
    """Interval for a mean of outcomes in [0, 1] known through weighted scores.

    `effective` is the number of independent tasks behind the mean (Kish). The count that goes into Wilson's formula is
    n* = μ(1−μ)/V, what the scores' variance is worth, drawn towards `effective` by one pseudo-observation, so that an arm in
    which all outcomes are alike is not taken for certain. `worth`: how many passes or fails one outcome tells as much as (1 for
    those themselves, 20 for the share of twenty tests): that many are drawn towards then.
    """
    mean = min(1.0, max(0.0, of.mean))
    told = (mean * (1 - mean) + 1 / effective) / (of.standard_error**2 * effective + 1 / (effective * worth))
    low, high = wilson(mean, max(effective * told, 1e-9), level)
    return Bounds(of.mean, min(low, of.mean), max(high, of.mean))


def difference(option: Bounds, base: Bounds, correlation: float = 0.0) -> Bounds:
    """Interval of a difference of two means from the interval of each (MOVER).

    Each limit takes the distances that matter at that limit, so that skew and bounds of either side are kept.
    Source: Zou & Donner, Statistics in Medicine 27 (2008); Newcombe 1998 for proportions.
    """
    value = option.value - base.value

    def joined(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one + other * other - 2 * correlation * one * other))

    return Bounds(
        value,
        value - joined(option.value - option.low, base.high - base.value),
        value + joined(option.high - option.value, base.value - base.low),
    )


def correlation(one: Spread, other: Spread) -> float:
    """How two means over the same clusters move together; 0 when either does not move."""
    scale = math.sqrt(float((one.sums**2).sum()) * float((other.sums**2).sum()))
    return 0.0 if scale == 0 else max(-1.0, min(1.0, float((one.sums * other.sums).sum()) / scale))


def kish(weights: Floats, clusters: Ints) -> float:
    """Effective number of independent tasks behind weights: (Σ_g W_g)²/Σ_g W_g², W_g summed within tasks. Source: Kish 1965."""
    totals = np.bincount(clusters, weights=weights)
    squares = float((totals**2).sum())
    return 0.0 if squares == 0 else float(totals.sum()) ** 2 / squares
