"""How much unobserved confounding an observational effect survives, and what can be said when it cannot be excluded.

Γ compares the odds of choosing an option with and without what was not recorded: Γ = 1 says that nothing was left out, Γ = 2
that it may double or halve the odds. Logged propensities need none of this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from analyzers.effects.estimate import LEVEL, Bools, Estimate, Floats, InputError
from analyzers.effects.observational import Observed
from analyzers.effects.scores import Scores, contrast, shifted

GAMMA_STATED = 1.5
_GAMMA_MAX = 20.0
_STEPS = 20  # bisections of the tipping point: to 1e-5


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
    scores = _as_if_identified(observed.scores)
    lower = contrast(_extreme(scores, observed, gamma, highest=option, lowest=base, sign=-1.0), option, base, level=level)
    upper = contrast(_extreme(scores, observed, gamma, highest=option, lowest=base, sign=1.0), option, base, level=level)
    return lower, upper


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

    def includes_zero(gamma: float) -> bool:
        lower, upper = bounds(observed, option, base, gamma=gamma, level=level)
        if lower.status != "identified" or upper.status != "identified":
            return True  # weights as uneven as this Γ allows leave no interval: zero cannot be excluded
        return lower.numbers()[2] <= 0 <= upper.numbers()[3]

    low, high = 1.0, _GAMMA_MAX
    if not includes_zero(high):
        return math.inf
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if includes_zero(middle) else (middle, high)
    return high


def _extreme(scores: Scores, observed: Observed, gamma: float, *, highest: int, lowest: int, sign: float) -> Scores:
    """Scores under the weights that push `highest` up and `lowest` down (sign 1) or the other way (sign −1)."""
    weights = scores.weights.copy()
    both = scores.supported(highest, lowest)
    for option, direction in ((highest, sign), (lowest, -sign)):
        rows = both & (np.nan_to_num(weights[:, option]) > 0)
        odds = 1 / np.maximum(observed.propensity[rows, option], 1e-12) - 1
        residual = scores.outcome[rows] - scores.fitted[rows, option]
        weights[rows, option] = _extreme_weights(residual, odds, 1 / observed.response[rows], gamma, direction)
    return shifted(scores, weights)


def _extreme_weights(residual: Floats, odds: Floats, inverse_response: Floats, gamma: float, direction: float) -> Floats:
    """The weights within Γ that make the residuals' weighted mean extreme: Γ on one side of a threshold, 1/Γ on the other."""
    if len(residual) == 0:
        return residual
    order = np.argsort(-direction * residual, kind="stable")
    much, little = (1 + odds * gamma) * inverse_response, (1 + odds / gamma) * inverse_response
    heavy, light = much[order], little[order]
    value = direction * residual[order]
    weight = np.concatenate([[light.sum()], light.sum() + np.cumsum(heavy - light)])
    total = np.concatenate([[(light * value).sum()], (light * value).sum() + np.cumsum((heavy - light) * value)])
    cut = int(np.argmax(total / weight))
    above: Bools = np.zeros(len(residual), dtype=np.bool_)
    above[order[:cut]] = True
    return np.where(above, much, little)
