"""What an update gains by the age of its rollouts in versions, and δ, by which capability fades (eq. 11)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from analyzers.effects.estimate import LEVEL, Bools, Floats

_RATE_MAX = 0.95
_GRID = 96
_RUN = 8
UPDATES_MIN = 12


@dataclass(frozen=True, slots=True)
class Fade:
    """Gains of updates as a function of their lag s: g = start − fall·φ(s), with φ(s) = (1 − (1−rate)^s)/rate.

    `rate`: by which what is still to lose shrinks with every version; 0 where gains fall along a line; `low` and `high` are 0 and
    the largest looked for where nothing tells. `noise`: standard deviation of a gain about the curve, over `degrees`;
    `covariance` of start, fall and rate. `is_falling`: whether gains fall with lag beyond chance.
    """

    rate: float
    low: float
    high: float
    start: float
    fall: float
    noise: float
    n: int
    degrees: int
    covariance: Floats
    is_falling: bool

    def gain(self, lag: Floats) -> Floats:
        """What consuming a batch of that lag adds, g(s), in the unit of the gains."""
        return self.start - self.fall * curve(lag, self.rate)

    def contrast(self, lag: Floats, reference: float, level: float = LEVEL) -> tuple[float, float, float]:
        """Summed gain lost by lags (n,) against all of them being `reference`, with its interval (delta method)."""
        ends, phi, slope = np.append(lag, reference), 0.0, 0.0
        for of, sign in ((ends[:-1], 1.0), (ends[-1:], -float(len(lag)))):
            phi += sign * float(curve(of, self.rate).sum())
            slope += sign * float(_curve_slope(of, self.rate).sum())
        pull = np.array([0.0, phi, self.fall * slope])
        error = math.sqrt(max(float(pull @ self.covariance @ pull), 0.0))
        half = float(stats.t.ppf((1 + level) / 2, self.degrees)) * error
        return self.fall * phi, self.fall * phi - half, self.fall * phi + half


def curve(lag: Floats, rate: float) -> Floats:
    """φ(s) = (1 − (1−rate)^s)/rate: what is lost by lag s, in the unit of what the first version loses; s where the rate is 0."""
    return lag.astype(np.float64) if rate < 1e-9 else -np.expm1(lag * math.log1p(-rate)) / rate


def _curve_slope(lag: Floats, rate: float) -> Floats:
    """dφ/drate; at rate 0 its limit −s(s−1)/2."""
    if rate < 1e-4:
        return np.asarray(-lag * (lag - 1) / 2)
    return np.asarray((lag * (1 - rate) ** (lag - 1) - curve(lag, rate)) / rate)


def trend(n: int) -> Floats:
    """Controls (n, 2) for what changes gradually while training goes on, as when there is less and less to learn: line and
    parabola."""
    time = np.linspace(-1.0, 1.0, n)
    return np.stack([time, time**2 - np.mean(time**2)], axis=1)


def fit(lag: Floats, gain: Floats, controls: Floats | None = None, level: float = LEVEL) -> Fade | None:
    """Least squares over rate, start and fall. None with too few updates, or if all are of one lag.

    Shapes: (n,) each; `controls` (n, c), of mean 0, are held fixed. The rate lies in [0, 0.95]; its interval is the profile
    likelihood's: those whose residual sum of squares exceeds the least by no more than F allows.
    """
    n = len(lag)
    held = np.zeros((n, 0)) if controls is None else controls
    if n < UPDATES_MIN + held.shape[1] or len(np.unique(lag)) < 2:
        return None

    def design(rate: float) -> Floats:
        return np.column_stack([np.ones(n), -curve(lag, rate), held])

    def sum_at(rate: float) -> float:
        return float(((gain - design(rate) @ np.linalg.lstsq(design(rate), gain, rcond=None)[0]) ** 2).sum())

    grid = np.linspace(0.0, _RATE_MAX, _GRID)
    sums = np.array([sum_at(float(rate)) for rate in grid])
    at, step = int(np.argmin(sums)), float(grid[1])
    ends = (max(0.0, float(grid[at]) - step), min(_RATE_MAX, float(grid[at]) + step))
    near = optimize.minimize_scalar(sum_at, bounds=ends, method="bounded")
    rate = float(near.x) if near.fun < sums[at] else float(grid[at])
    columns, least = design(rate), sum_at(rate)
    degrees = n - 3 - held.shape[1]
    variance = least / degrees
    low, high = _bounds(sum_at, grid, sums, rate, least + variance * float(stats.f.ppf(level, 1, degrees)))
    start, fall = (float(part) for part in np.linalg.lstsq(columns, gain, rcond=None)[0][:2])
    pulls = np.column_stack([columns[:, :2], -fall * _curve_slope(lag, rate), columns[:, 2:]])
    covariance: Floats = np.asarray(variance * np.linalg.pinv(pulls.T @ pulls)[:3, :3], dtype=np.float64)
    # Whether gains fall at all is asked at the rate as it is: under no fall there is none.
    error = math.sqrt(variance * float(np.linalg.pinv(columns.T @ columns)[1, 1]))
    is_falling = fall > error * float(stats.t.ppf((1 + level) / 2, degrees))
    return Fade(rate, low, high, start, fall, math.sqrt(variance), n, degrees, covariance, is_falling)


def own_gains(fade: Fade, lag: Floats, gain: Floats, gain_error: Floats) -> Floats:
    """What each batch gained: its own measurement drawn towards what batches of its lag gain, the more the less sure it is.

    Shapes: (n,). `gain_error` is the standard error of each measurement. Where it or the measurement is NaN, which is not told,
    the curve alone speaks.
    Source: shrinkage by the share of the spread about the curve that measuring does not explain (Efron & Morris 1973).
    """
    told = ~np.isnan(gain_error) & ~np.isnan(gain)
    beyond = max(fade.noise**2 - float(np.nanmean(gain_error**2)), 0.0) if np.isfinite(gain_error).any() else 0.0
    own = fade.gain(lag)
    if beyond > 0:
        own[told] += beyond / (beyond + gain_error[told] ** 2) * (gain[told] - own[told])
    return own


def depreciation(capability: Floats, gain: Floats, level: float = LEVEL) -> tuple[float, float, float] | None:
    """δ of eq. 11, the share of capability that is lost from update to update, with its interval: from A' = A + g − δ·A.

    Shapes: (n,), in order: capability before each update and what the update gained, where the gain is measured by itself. None
    with too few. Formula: A_t + g_t − A_{t+1} regressed through zero on A_t, with A_{t−1} + g_{t−1} as instrument: what a
    measurement of A_t is off by stands on both sides otherwise. Errors are those of runs of eight updates (Liang & Zeger 1986),
    for neighbours share a measurement.
    """
    before = capability[:-2] + gain[:-2]
    own, lost = capability[1:-1], capability[1:-1] + gain[1:-1] - capability[2:]
    told = ~np.isnan(before) & ~np.isnan(lost)
    if told.sum() < UPDATES_MIN:
        return None
    before, own, lost = before[told], own[told], lost[told]
    scale, n = float((before * own).sum()), int(told.sum())
    if scale <= 0:
        return None
    value = float((before * lost).sum()) / scale
    pulls = before * (lost - value * own)
    runs = np.arange(n) // max(1, min(_RUN, n // _RUN))
    sums = np.bincount(runs, weights=pulls)
    error = math.sqrt(float((sums**2).sum()) * len(sums) / (len(sums) - 1)) / scale
    half = float(stats.t.ppf((1 + level) / 2, len(sums) - 1)) * error
    return value, value - half, value + half


def _bounds(sum_at: Callable[[float], float], grid: Floats, sums: Floats, best: float, ceiling: float) -> tuple[float, float]:
    """The ends of what `ceiling` allows around the best rate."""

    def cross(inner: float, outer: float) -> float:
        return float(optimize.brentq(lambda rate: sum_at(float(rate)) - ceiling, min(inner, outer), max(inner, outer)))

    below = [float(d) for d, s in zip(grid, sums, strict=True) if d < best and s > ceiling]
    above = [float(d) for d, s in zip(grid, sums, strict=True) if d > best and s > ceiling]
    return (cross(best, below[-1]) if below else 0.0), (cross(best, above[0]) if above else float(grid[-1]))


def decay(lag: Floats, measure: Floats, level: float = LEVEL) -> tuple[float, float, float] | None:
    """The rate per version at which a positive measure (importance ratio, reward) falls with lag, or exp(−KL) does, with its
    interval.

    Shapes: (n,). log measure is regressed on lag through 0 at lag 0, where rollouts are the policy's own. None without any lag.
    """
    use: Bools = (lag > 0) & (measure > 0)
    s, y = lag[use].astype(np.float64), -np.log(measure[use])
    if len(s) < UPDATES_MIN:
        return None
    slope = float((s * y).sum() / (s**2).sum())
    error = math.sqrt(float(((s * (y - slope * s)) ** 2).sum()) * len(s) / (len(s) - 1)) / float((s**2).sum())
    half = float(stats.t.ppf((1 + level) / 2, len(s) - 1)) * error
    return -math.expm1(-slope), -math.expm1(-(slope - half)), -math.expm1(-(slope + half))
