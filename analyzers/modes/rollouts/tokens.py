"""What a token of rollout, reward and update brings (eq. 12), and which ways of training gain how much at which variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analyzers.effects.estimate import LEVEL, Floats

USES = ("rollout", "reward", "update")
_PER = 1e6
_EACH_MIN = 12


@dataclass(frozen=True, slots=True)
class Marginal:
    """Capability per million tokens more of one use, with its interval; the price κ of a million, None where it is not known; and
    capability per USD, which eq. 12 wants equal over the uses."""

    use: str
    gain: float
    low: float
    high: float
    usd: float | None
    gain_per_usd: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """One way of training on the (variance, gain) frontier: its updates' mean gain and their variance. `is_efficient`: no other
    way gains at least as much at no more variance."""

    method: str
    updates: int
    gain: float
    variance: float
    is_efficient: bool


def marginals(gain: Floats, tokens: Floats, usd: Floats, controls: Floats, level: float = LEVEL) -> list[Marginal]:
    """Least squares of gains on the tokens of each use, with `controls` held fixed; uses whose tokens never vary are left out.

    Shapes: gain (n,), tokens and usd (n, 3) in the order of USES with NaN where not told, controls (n, c) with an intercept.
    """
    told = np.flatnonzero([not np.isnan(column).any() and column.std() > 0 for column in tokens.T])
    design = np.column_stack([tokens[:, told] / _PER, controls])
    degrees = len(gain) - design.shape[1]
    if degrees < _EACH_MIN or len(told) == 0:
        return []
    inverse = np.linalg.pinv(design.T @ design)
    found = inverse @ design.T @ gain
    variance = float(((gain - design @ found) ** 2).sum()) / degrees
    critical = float(stats.t.ppf((1 + level) / 2, degrees))
    made: list[Marginal] = []
    for place, column in enumerate(told):
        half = critical * math.sqrt(variance * max(float(inverse[place, place]), 0.0))
        value, spent = float(found[place]), float(usd[:, column].sum())
        price = None if math.isnan(spent) or spent <= 0 else spent / float(tokens[:, column].sum()) * _PER
        made.append(Marginal(USES[column], value, value - half, value + half, price, None if price is None else value / price))
    return made


def frontier(method: Sequence[str], gain: Floats) -> list[Point]:
    """Mean gain and variance by way of training, of those with at least a dozen measured updates; ordered by variance.

    Shape of `gain`: (n,), NaN where not told.
    """
    told = ~np.isnan(gain)
    names, gain = np.array(method)[told], gain[told]
    found = [
        (str(name), int(own.sum()), float(gain[own].mean()), float(gain[own].var(ddof=1)))
        for name in np.unique(names)
        if (own := names == name).sum() >= _EACH_MIN
    ]
    return [
        Point(
            name, n, mean, variance, not any(m >= mean and v <= variance and (m, v) != (mean, variance) for _, _, m, v in found)
        )
        for name, n, mean, variance in sorted(found, key=lambda each: each[3])
    ]
