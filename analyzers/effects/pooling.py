"""Partial pooling: small segments borrow from their siblings, as much as the siblings agree, with intervals that stay honest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, special

from analyzers.effects.estimate import Estimate, Floats
from analyzers.effects.intervals import quantile

SEGMENTS_MIN = 5  # fewer say too little about how segments differ
_POINTS = 200


@dataclass(frozen=True, slots=True)
class Pooled:
    """Segments' estimates after pooling, in their order, with what they were pooled towards.

    `mean` and `deviation`: of the segments' true effects; `weights` (S,): how much each kept of its own estimate (1: all).
    """

    estimates: tuple[Estimate, ...]
    mean: float
    deviation: float
    weights: Floats


def pool(estimates: Sequence[Estimate]) -> Pooled:
    """Shrunken estimates of many segments' effects on one outcome.

    Model: own estimate ~ N(θ, s²), θ ~ N(μ, τ²); μ and τ are integrated over, flat in both, so that the intervals allow for how
    little a few segments say about how segments differ. The own error s is taken from the interval's half-width: small samples
    count as uncertain as they are. Intervals cover `level` of the *segments* on average; a single outlying segment may be covered
    less often, which is why a finding on one segment is to be claimed from its own interval. Fewer than five estimates with
    numbers, or estimates without, pass unchanged.
    Source: Morris, JASA 78 (1983); Gelman et al., Bayesian Data Analysis, §5.4.
    """
    usable = [index for index, estimate in enumerate(estimates) if estimate.status == "identified"]
    weights: Floats = np.ones(len(estimates))
    if len(usable) < SEGMENTS_MIN:
        return Pooled(tuple(estimates), math.nan, math.nan, weights)
    values = np.array([estimates[index].numbers()[0] for index in usable])
    errors = np.maximum(np.array([error_of(estimates[index]) for index in usable]), 1e-12)
    grid = _grid(values, errors)
    pooled = list(estimates)
    for index, value, error in zip(usable, values, errors, strict=True):
        keep = grid.deviation**2 / (grid.deviation**2 + error**2)
        weights[index] = float((grid.weight * keep).sum())
        pooled[index] = shrunk(estimates[index], keep * value + (1 - keep) * grid.mean, _left(grid, keep, error), grid.weight)
    mean = float((grid.weight * grid.mean).sum())
    return Pooled(tuple(pooled), mean, float((grid.weight * grid.deviation).sum()), weights)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Posterior over the deviation τ between segments: weight (T,), and μ's mean and variance at each τ."""

    deviation: Floats
    weight: Floats
    mean: Floats
    mean_variance: Floats


def _grid(values: Floats, errors: Floats) -> _Grid:
    reach = 3 * float(values.std()) + float(np.median(errors))
    deviation = (np.arange(_POINTS) + 0.5) / _POINTS * reach
    precision = 1 / (deviation[:, None] ** 2 + errors**2)
    mean_variance = 1 / precision.sum(axis=1)
    mean = (precision * values).sum(axis=1) * mean_variance
    log = 0.5 * np.log(mean_variance) + 0.5 * (np.log(precision) - precision * (values - mean[:, None]) ** 2).sum(axis=1)
    weight = np.exp(log - log.max())
    return _Grid(deviation, weight / weight.sum(), mean, mean_variance)


def _left(grid: _Grid, keep: Floats, error: float) -> Floats:
    """Shape (T,): standard deviation of a segment's effect given its own estimate and τ."""
    return np.sqrt(keep * error**2 + (1 - keep) ** 2 * grid.mean_variance)


def error_of(estimate: Estimate) -> float:
    """The own error of an estimate, taken from its interval's half-width where that is wider."""
    _, error, low, high = estimate.numbers()
    return max(error, (high - low) / 2 / quantile(math.inf, estimate.level))


def shrunk(estimate: Estimate, centres: Floats, deviations: Floats, weight: Floats) -> Estimate:
    """An estimate replaced by its posterior: a mixture of normals over a grid of deviations, (T,) each."""
    heavy = weight > 0
    centres, deviations, weight = centres[heavy], deviations[heavy], weight[heavy]
    value = float((weight * centres).sum())
    variance = float((weight * (deviations**2 + (centres - value) ** 2)).sum())

    def point(share: float) -> float:
        reach = 12 * math.sqrt(variance)
        return float(
            optimize.brentq(
                lambda x: float(weight @ special.ndtr((x - centres) / deviations)) - share, value - reach, value + reach
            )
        )

    tail = (1 - estimate.level) / 2
    return replace(
        estimate,
        value=value,
        standard_error=math.sqrt(variance),
        low=min(point(tail), value),
        high=max(point(1 - tail), value),
        method=f"{estimate.method}, partially pooled",
        status="identified",
        why="",
        degrees=math.inf,
        needs=None,
    )
