"""How much evidence a question takes: before, to plan exploration; after, to say what "not enough evidence" lacks."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np
from scipy import special, stats

from analyzers.effects.estimate import LEVEL, Estimate, Floats, InputError, Needs
from analyzers.effects.intervals import quantile

POWER = 0.9

_FOLDS = 5  # on four of which an option is picked that is valued on the fifth
_DRAWS = 2_000  # of the options' joint errors: what picking costs is known to within a point of power
_GAPS = tuple(0.5 * step for step in range(9))  # errors of the best by which the others may gain less
_NARROWER = (1.0, 0.3)  # of the others' errors, as shares of the best's


def power(effect: float, standard_error: float, *, level: float = LEVEL, degrees: float = math.inf) -> float:
    """Probability that an interval around an estimate of this effect excludes zero.

    `effect` and `standard_error` in one unit. Formula: P(|T| > t), T non-central with effect/error.
    """
    if standard_error < 0 or not 0 < level < 1:
        raise InputError(f"standard_error must not be negative and level lie in (0, 1), got {standard_error} and {level}")
    if standard_error == 0:
        return 1.0 if effect != 0 else 1 - level
    critical, shift = quantile(degrees, level), abs(effect) / standard_error
    if math.isinf(degrees):
        return float(special.ndtr(shift - critical) + special.ndtr(-critical - shift))
    return float(stats.nct.sf(critical, degrees, shift) + stats.nct.cdf(-critical, degrees, shift))


def picked(gains: Floats, covariance: Floats, reach: Floats, *, demanded: Floats | None = None, least: float = 0.0) -> float:
    """Probability that a gain is found where the best of K options has to be picked: that the policy which picks on the other
    folds has a lower limit above zero, and a value of at least `least`.

    Shapes: `gains` (K,), true, in one unit; `covariance` (K, K) of their estimates from all folds; `reach` (K,) from an estimate
    down to its lower limit, by which is picked; `demanded` (K,), the same at the level that a finding has to pass (as many are
    looked at), by default `reach`. Formula: an option's estimates y_k of five folds are independent and normal, with five times
    the covariance; fold k takes the option j of the highest mean of the other folds less `reach`, and none if that mean is not
    above 0; found is Σy_jk/5 ≥ max(√(Σ demanded_j²/5), least). The best option alone is found with Φ((gain − bar)/error); what
    picking takes from that is the mean over seeded draws that both share, so that one option, or one far ahead, has the formula.
    Source: cross-fitted choice as in `regret`; control variates: Owen, Monte Carlo theory, methods and examples (2013), ch. 8.
    """
    demanded = reach if demanded is None else demanded
    if not len(gains) == len(covariance) == len(reach) == len(demanded) > 0:
        raise InputError(f"gains, covariance and limits must be of the same options, got {len(gains)} and {len(covariance)}")
    best = int(np.argmax(gains))
    variances: Floats = np.asarray(covariance.diagonal(), dtype=np.float64)
    gain, error, bar = float(gains[best]), math.sqrt(float(variances[best])), max(float(demanded[best]), least)
    alone = float(special.ndtr((gain - bar) / error)) if error > 0 else float(gain > bar)
    if len(gains) == 1:
        return alone
    folds = gains + math.sqrt(_FOLDS) * _normals(len(gains)) @ _root(covariance).T
    others = (folds.sum(axis=1, keepdims=True) - folds) / (_FOLDS - 1)
    choice = (others - reach).argmax(axis=2)
    taken = np.take_along_axis(others, choice[:, :, None], axis=2)[:, :, 0] > 0
    value = (taken * np.take_along_axis(folds, choice[:, :, None], axis=2)[:, :, 0]).mean(axis=1)
    limit = np.sqrt((taken * demanded[choice] ** 2).mean(axis=1))
    found = taken.any(axis=1) & (value >= np.maximum(limit, least))
    known = folds[:, :, best].mean(axis=1) >= bar
    return min(1.0, max(0.0, alone + float(found.mean() - known.mean())))


def detectable(standard_error: float, *, chance: float = POWER, level: float = LEVEL, alternatives: int = 1) -> float:
    """The smallest gain of the best of so many alternatives, each known with this error, that is found with this chance, in the
    error's unit.

    Of one: (z_level + z_chance)·error. Of several the best has to be picked, and how much less the others gain is not known: so
    much that it is found (`picked`) wherever they lie, their errors independent. Source: the least favourable configuration of
    Bechhofer, Annals of Mathematical Statistics 25 (1954).
    """
    if alternatives < 1:
        raise InputError(f"alternatives must be at least 1, got {alternatives}")
    return _shift(alternatives, chance, level) * standard_error


def outcomes_needed(
    standard_error: float, n: int, materiality: float, *, chance: float = POWER, level: float = LEVEL, alternatives: int = 1
) -> int:
    """How many outcomes *in all*, mixed as today's n are, find an effect of size `materiality` with this chance, the best of so
    many alternatives.

    Formula: n·(detectable/materiality)². Raises: InputError when materiality is not positive.
    """
    if not materiality > 0:
        raise InputError(f"materiality must be positive, got {materiality}")
    return math.ceil(n * (detectable(standard_error, chance=chance, level=level, alternatives=alternatives) / materiality) ** 2)


def exploration_needed(
    deviation_option: float,
    deviation_base: float,
    n: int,
    materiality: float,
    *,
    chance: float = POWER,
    level: float = LEVEL,
    alternatives: int = 1,
) -> float | None:
    """Least share of choices taken at random from the alternatives with which n decisions find an effect of `materiality`, the
    best of them; None if no share does.

    Deviations are those of one outcome under each option, in materiality's unit; for clustered decisions multiply both by the
    root of the design effect. Formula: the smaller root e of K·σ_b²/(n·e) + σ_a²/(n·(1 − e)) = (materiality/detectable of an
    error of 1)², K alternatives sharing e evenly.
    """
    if not materiality > 0 or n < 1:
        raise InputError(f"materiality must be positive and n at least 1, got {materiality} and {n}")
    target = n * (materiality / detectable(1.0, chance=chance, level=level, alternatives=alternatives)) ** 2
    one, other = alternatives * deviation_option**2, deviation_base**2
    if one == 0:
        return 0.0 if other <= target else None
    # target·e² − (target + one − other)·e + one = 0
    middle = target + one - other
    under_root = middle**2 - 4 * target * one
    if under_root < 0 or middle <= 0:
        return None
    share = 2 * one / (middle + math.sqrt(under_root))
    return share if share < 1 else None


def judge(
    estimate: Estimate, materiality: float, *, chance: float = POWER, deviations: tuple[float, float] | None = None
) -> Estimate:
    """The estimate as a verdict on a material effect: what neither excludes zero nor excludes `materiality` is not enough
    evidence.

    An interval that excludes zero is a finding, one within ±materiality says that nothing material is there; both stay
    `identified`. Anything between keeps its numbers, becomes `not_enough_evidence`, and `needs` says how many more outcomes
    would settle it with this chance, and, given the `deviations` of one outcome under option and base (`scores.deviations`),
    which share of random choices would have settled it in as many decisions as there were. Estimates without numbers pass
    unchanged.
    """
    if not materiality > 0:
        raise InputError(f"materiality must be positive, got {materiality}")
    if estimate.status != "identified":
        return estimate
    _, error, low, high = estimate.numbers()
    if estimate.excludes(0.0) or -materiality < low <= high < materiality:
        return estimate
    rate = None
    if deviations is not None:
        rate = exploration_needed(*deviations, estimate.n, materiality, chance=chance, level=estimate.level)
    more = max(1, outcomes_needed(error, estimate.n, materiality, chance=chance, level=estimate.level) - estimate.n)
    why = f"the interval {low:.3g} … {high:.3g} holds both nothing and a material effect ({materiality:.3g})"
    return replace(estimate, status="not_enough_evidence", why=why, needs=Needs(more, rate))


@lru_cache(maxsize=64)
def _shift(alternatives: int, chance: float, level: float) -> float:
    """The gain of the best of so many alternatives, in its errors, that is found with this chance wherever the others lie."""
    critical = quantile(math.inf, level)
    if alternatives == 1:
        return critical + float(special.ndtri(chance))

    def found(shift: float, gap: float, narrower: float) -> float:
        gains, errors = np.full(alternatives, shift - gap), np.full(alternatives, narrower)
        gains[0], errors[0] = shift, 1.0
        return picked(gains, np.diag(errors**2), critical * errors)

    shift = _shift(alternatives - 1, chance, level)
    while (worst := min((found(shift, *where), where) for where in product(_GAPS, _NARROWER)))[0] < chance:
        low, high = shift, shift + 4.0
        while high - low > 1e-3:
            middle = (low + high) / 2
            low, high = (middle, high) if found(middle, *worst[1]) < chance else (low, middle)
        shift = high
    return shift


@lru_cache(maxsize=4)
def _normals(options: int) -> Floats:
    """Shape (draws, folds, K): standard normal, the same in every run."""
    return np.random.default_rng(17).normal(size=(_DRAWS, _FOLDS, options))


def _root(covariance: Floats) -> Floats:
    """A square root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
