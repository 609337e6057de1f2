"""Many segments are looked at, so some look bad by chance: false-discovery control, and intervals for those that were picked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from scipy import special, stats

from analyzers.effects.estimate import Estimate, Floats, InputError
from analyzers.effects.intervals import quantile

Dependence: TypeAlias = Literal["independent", "any"]
Side: TypeAlias = Literal["both", "above"]

RATE = 0.02
"""Share of findings that may be false, on average. A fleet like the demo's has some fifteen segments that truly lose: at one in
twenty, every other fortnight would tell of a failure that is none, and nobody goes on reading a page that does."""


@dataclass(frozen=True, slots=True)
class Flags:
    """Which estimates are findings: `flagged` indices in order; `adjusted` p-values, NaN for estimates without a number;
    `selected`, the flagged estimates with intervals that allow for their having been picked."""

    flagged: tuple[int, ...]
    adjusted: Floats
    selected: tuple[Estimate, ...]


def p_value(estimate: Estimate, null: float = 0.0, *, side: Side = "both") -> float:
    """Two-sided p-value of `null`, consistent with the interval: below 1 − level exactly when the interval excludes it.

    The distance to `null` is measured by the limit on that side, so that skewed intervals give skewed evidence. 1 without a
    number, and with `side` "above" (regret cannot be less than nothing) for values below.
    """
    if estimate.status != "identified":
        return 1.0
    value, _, low, high = estimate.numbers()
    critical = quantile(estimate.degrees, estimate.level)
    reach = value - low if null < value else high - value
    if value == null or (side == "above" and value < null):
        return 1.0
    if reach <= 0:
        return 0.0
    ratio = abs(value - null) / reach * critical
    return 2 * float(special.ndtr(-ratio) if math.isinf(estimate.degrees) else special.stdtr(estimate.degrees, -ratio))


def false_discovery(
    estimates: Sequence[Estimate],
    *,
    rate: float = RATE,
    dependence: Dependence = "independent",
    null: float = 0.0,
    side: Side = "both",
) -> Flags:
    """The findings among many estimates, such that at most `rate` of them are false on average; when nothing is there, a run
    raises anything with at most that probability.

    `dependence`: `independent` (or positively dependent) estimates by Benjamini & Hochberg, JRSS B 57 (1995); `any` by
    Benjamini & Yekutieli 2001, which pays Σ1/i for it. Estimates without a number are no tests and cost nothing.
    Selected intervals: level 1 − R·rate/m (false coverage rate; Benjamini & Yekutieli, JASA 100 (2005)).
    """
    if not 0 < rate < 1:
        raise InputError(f"rate must lie in (0, 1), got {rate}")
    adjusted: Floats = np.full(len(estimates), np.nan)
    tested = [index for index, estimate in enumerate(estimates) if estimate.status == "identified"]
    if not tested:
        return Flags((), adjusted, ())
    raw = np.array([p_value(estimates[index], null, side=side) for index in tested])
    adjusted[tested] = stats.false_discovery_control(raw, method="bh" if dependence == "independent" else "by")
    flagged = tuple(index for index in tested if adjusted[index] <= rate)
    level = 1 - rate * len(flagged) / len(tested)
    return Flags(flagged, adjusted, tuple(widened(estimates[index], level) for index in flagged))


def widened(estimate: Estimate, level: float) -> Estimate:
    """The estimate with its interval at another level: each side's distance scaled by the ratio of critical values."""
    value, _, low, high = estimate.numbers()
    scale = quantile(estimate.degrees, level) / quantile(estimate.degrees, estimate.level)
    return replace(estimate, low=value - scale * (value - low), high=value + scale * (high - value), level=level)
