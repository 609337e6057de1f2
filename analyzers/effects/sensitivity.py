"""How much unobserved confounding an observational effect survives, and what can be said when it cannot be excluded.

Γ compares the odds of choosing an option with and without what was not recorded: Γ = 1 says that nothing was left out, Γ = 2
that it may double or halve the odds. Logged propensities need none of this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from analyzers.effects.estimate import LEVEL, Bools, Estimate, Floats, InputError, Ints
from analyzers.effects.observational import Observed
from analyzers.effects.scores import Scores, contrast, shifted

GAMMA_STATED = 1.5
_GAMMA_MAX = 20.0
_TIPPING = 1e-6  # of the logarithm of the tipping Γ


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What stands beside an observational effect.

    `low`, `high`: the effect's interval if what was left out moves the odds of the choice by at most `gamma`; `point_low`,
    `point_high`: the same without sampling error. `tipping_gamma`: the least Γ at which the interval takes in zero (1 when it
    does already; infinite when none up to 20 does). `e_value`: how strongly, as a risk ratio, something left out would have to
    go with both option and outcome to explain the effect away; `e_value_limit`: to take its interval to zero.
    """

    gamma: float
    low: float
    high: float
    point_low: float
    point_high: float
    tipping_gamma: float
    e_value: float
    e_value_limit: float


def sensitivity(
    observed: Observed, option: int, base: int, *, gamma: float = GAMMA_STATED, level: float = LEVEL
) -> Sensitivity | None:
    """Sensitivity of the contrast of `option` against `base`, identified or not; None when the data give no interval.

    Raises: InputError for Γ below 1. Source: Tan 2006; Zhao, Small & Bhattacharya, JRSS B 81 (2019) for the model and its
    bound, here on the outcome model's residuals; VanderWeele & Ding 2017 for the E-value.
    """
    assumed = _as_if_identified(observed.scores)
    effect = contrast(assumed, option, base, level=level)
    if effect.status != "identified":
        return None
    lower, upper = bounds(observed, option, base, gamma=gamma, level=level)
    if lower.status != "identified" or upper.status != "identified":
        return None
    e_value, e_limit = e_values(observed, option, base, effect)
    _, _, low, _ = lower.numbers()
    _, _, _, high = upper.numbers()
    return Sensitivity(
        gamma,
        low,
        high,
        lower.numbers()[0],
        upper.numbers()[0],
        _tipping(observed, option, base, effect, level),
        e_value,
        e_limit,
    )


def bounds(observed: Observed, option: int, base: int, *, gamma: float, level: float = LEVEL) -> tuple[Estimate, Estimate]:
    """Lowest and highest effect that confounding of strength Γ could hide, each with its interval.

    The truth lies between the first's `low` and the second's `high` in at least `level` of repetitions, if the odds ratio
    between the true and the modelled propensity is within [1/Γ, Γ]. Formula: the residuals' weighted mean under weights 1 +
    z·(1−e)/e, z ∈ [1/Γ, Γ], is extreme at a threshold of the residual.
    """
    if not gamma >= 1:
        raise InputError(f"gamma must be 1 or more, got {gamma}")
    extremes = _Extremes(observed, option, base)
    return extremes.effect(gamma, -1.0, level), extremes.effect(gamma, 1.0, level)


def e_values(observed: Observed, option: int, base: int, effect: Estimate) -> tuple[float, float]:
    """E-value of the effect and of the limit of its interval that is nearer to zero; 1 means: nothing is needed to explain it
    away.

    Outcomes in [0, 1]: the risk ratio of the options' means. Others: exp(0.91·d), d the effect in standard deviations of the
    outcome.
    Formula: RR + √(RR(RR − 1)), RR ≥ 1. Source: VanderWeele & Ding, Annals of Internal Medicine 167 (2017).
    """
    value, _, low, high = effect.numbers()
    limit = 0.0 if low <= 0 <= high else (low if low > 0 else high)
    scores = _as_if_identified(observed.scores)
    if scores.bounded:
        kept = scores.take(scores.supported(option, base))
        reference = min(1.0, max(1e-6, float(kept.values(base).mean())))
        return _e_value(max(reference + value, 1e-6) / reference), _e_value(max(reference + limit, 1e-6) / reference)
    deviation = float(np.nanstd(scores.outcome))
    if deviation == 0:
        return 1.0, 1.0
    return _e_value(math.exp(0.91 * value / deviation)), _e_value(math.exp(0.91 * limit / deviation))


def _e_value(ratio: float) -> float:
    ratio = ratio if ratio >= 1 else 1 / ratio
    return ratio + math.sqrt(ratio * (ratio - 1))


def _as_if_identified(scores: Scores) -> Scores:
    return replace(scores, unidentified=("",) * scores.options)


def _tipping(observed: Observed, option: int, base: int, effect: Estimate, level: float) -> float:
    if not effect.excludes(0.0):
        return 1.0

    value = effect.numbers()[0]
    nearer, extremes = (-1.0 if value > 0 else 1.0), _Extremes(observed, option, base)

    def left(log_gamma: float) -> float:
        """How far the interval's nearer limit is from zero; weights as uneven as this Γ allows may leave no interval at all, so
        that zero cannot be excluded."""
        bound = extremes.effect(math.exp(log_gamma), nearer, level)
        if bound.status != "identified":
            return -abs(value)
        _, _, low, high = bound.numbers()
        return low if value > 0 else -high

    most = math.log(_GAMMA_MAX)
    if left(0.0) <= 0:
        return 1.0
    if left(most) > 0:
        return math.inf
    return math.exp(float(optimize.brentq(left, 0.0, most, xtol=_TIPPING)))


class _Extremes:
    """The effect of `option` over `base` under the weights that make it as large or as small as Γ allows."""

    def __init__(self, observed: Observed, option: int, base: int) -> None:
        self._scores, self._pair = _as_if_identified(observed.scores), (option, base)
        both = self._scores.supported(option, base)
        self._arms = [_Arm.of(self._scores, observed, both, each) for each in self._pair]

    def effect(self, gamma: float, sign: float, level: float) -> Estimate:
        """The largest (sign 1) or least (sign −1) effect."""
        weights = self._scores.weights.copy()
        for option, arm, direction in zip(self._pair, self._arms, (sign, -sign), strict=True):
            weights[arm.rows, option] = arm.weights(gamma, direction)
        return contrast(shifted(self._scores, weights), *self._pair, level=level)


@dataclass(frozen=True, slots=True)
class _Arm:
    """The `rows` that took an option, their residuals rising, with the odds against it and one over the chance of an outcome."""

    rows: Ints
    residual: Floats
    odds: Floats
    inverse_response: Floats

    @classmethod
    def of(cls, scores: Scores, observed: Observed, both: Bools, option: int) -> _Arm:
        rows = np.flatnonzero(both & (np.nan_to_num(scores.weights[:, option]) > 0))
        residual = scores.outcome[rows] - scores.fitted[rows, option]
        order = np.argsort(residual, kind="stable")
        rows = rows[order]
        odds = 1 / np.maximum(observed.propensity[rows, option], 1e-12) - 1
        return cls(rows, residual[order], odds, 1 / observed.response[rows])

    def weights(self, gamma: float, direction: float) -> Floats:
        """The weights of the rows, within Γ, that make the residuals' weighted mean extreme: Γ on one side of a threshold, 1/Γ
        on the other."""
        if len(self.rows) == 0:
            return self.residual
        much, little = (1 + self.odds * gamma) * self.inverse_response, (1 + self.odds / gamma) * self.inverse_response
        heavy, light = (little, much) if direction > 0 else (much, little)  # of the rows before the threshold, and after it
        weight = np.concatenate([[light.sum()], light.sum() + np.cumsum(heavy - light)])
        pulled = np.concatenate([[0.0], np.cumsum((heavy - light) * self.residual)]) + (light * self.residual).sum()
        cut = int(np.argmax(direction * pulled / weight))
        return np.concatenate([heavy[:cut], light[cut:]])
