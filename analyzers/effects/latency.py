"""Effects on latency, which has long tails: means like any other outcome, and quantiles, which an SLA is written in.

For means use `scores.contrast` on seconds: its interval is made for skew. Quantiles have no scores; they are read off the
weighted distribution of each option.
"""

from __future__ import annotations

import math

import numpy as np

from analyzers.effects import intervals
from analyzers.effects.estimate import LEVEL, Basis, Estimate, Floats, InputError
from analyzers.effects.scores import Scores

_TAIL_MIN = 5.0  # effective observations on the shorter side of a quantile


def quantile_of(scores: Scores, option: int, share: float, *, level: float = LEVEL) -> Estimate:
    """The latency that a `share` of decisions would stay within, had this option always been chosen. Unit: the outcome's
    (seconds).

    Formula: inverse of F(t) = Σ1{A=a, Y≤t}/p ÷ Σ1{A=a}/p; limits where F's Wilson interval at the quantile ends, with the
    number of observations that F's clustered variance is worth. Source: Woodruff, JASA 47 (1952).
    Needs five effective tasks beyond the quantile; says how many outcomes are missing otherwise.
    """
    _check(share)
    rows = scores.supported(option)
    refusal = _refusal(scores, option, share, level)
    if refusal is not None:
        return refusal
    bounds = _woodruff(scores.take(rows), option, share, level)
    return _estimate(scores, bounds, level)


def quantile_contrast(scores: Scores, option: int, base: int, share: float, *, level: float = LEVEL) -> Estimate:
    """How much later the `share` quantile comes under `option` than under `base` (seconds; below 0: sooner).

    The difference of two quantiles, not a quantile of differences: no single request need be moved by it. Limits join those of
    both quantiles (MOVER). Shapes and needs as `quantile_of`.
    """
    _check(share)
    for each in (option, base):
        refusal = _refusal(scores, each, share, level)
        if refusal is not None:
            return refusal
    kept = scores.take(scores.supported(option, base))
    one, other = _woodruff(kept, option, share, level), _woodruff(kept, base, share, level)
    return _estimate(scores, intervals.difference(one, other), level)


def _check(share: float) -> None:
    if not 0 < share < 1:
        raise InputError(f"a quantile's share must lie in (0, 1), got {share}")


def _refusal(scores: Scores, option: int, share: float, level: float) -> Estimate | None:
    rows = scores.supported(option)
    basis = _basis(scores.take(rows), level)
    if scores.unidentified[option]:
        return basis.nothing("not_identified", scores.unidentified[option])
    effective = intervals.kish(np.nan_to_num(scores.weights[:, option]), scores.clusters)
    beyond = min(share, 1 - share) * effective
    if beyond < _TAIL_MIN:
        why = f"option {option} has {beyond:.1f} effective tasks beyond the quantile, its interval needs {_TAIL_MIN:.0f}"
        return basis.nothing("not_enough_evidence", why)
    return None


def _woodruff(scores: Scores, option: int, share: float, level: float) -> intervals.Bounds:
    weights = scores.weights[:, option]
    seen = weights > 0
    order = np.argsort(scores.outcome[seen], kind="stable")
    ordered = scores.outcome[seen][order]
    rising = np.cumsum(weights[seen][order])
    rising /= rising[-1]
    value = _inverse(ordered, rising, share)
    below = np.where(seen, (scores.outcome <= value).astype(np.float64) - share, 0.0)
    # Hájek's residual of the indicator: what F at the quantile varies by, tasks as the unit.
    spread = intervals.spread(weights / weights.mean() * below, scores.clusters)
    effective = intervals.kish(weights, scores.clusters)
    worth = share * (1 - share) / spread.standard_error**2 if spread.standard_error > 0 else effective
    low, high = intervals.wilson(share, min(worth, float(seen.sum())), level)
    return intervals.Bounds(value, _inverse(ordered, rising, low), _inverse(ordered, rising, high))


def _inverse(ordered: Floats, rising: Floats, share: float) -> float:
    return float(ordered[min(int(np.searchsorted(rising, share - 1e-12)), len(ordered) - 1)])


def _estimate(scores: Scores, bounds: intervals.Bounds, level: float) -> Estimate:
    error = (bounds.high - bounds.low) / 2 / intervals.quantile(math.inf, level)
    return _basis(scores, level).found(bounds.value, error, bounds.low, bounds.high)


def _basis(scores: Scores, level: float) -> Basis:
    method = f"{scores.method}, weighted quantile"
    return Basis(len(scores.outcome), len(np.unique(scores.clusters)), method, scores.estimand, level)
