"""How much evidence a question takes: before, to plan exploration; after, to say what "not enough evidence" lacks."""

from __future__ import annotations

import math
from dataclasses import replace

from scipy import special, stats

from analyzers.effects.estimate import LEVEL, Estimate, InputError, Needs
from analyzers.effects.intervals import quantile

POWER = 0.9


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


def detectable(standard_error: float, *, chance: float = POWER, level: float = LEVEL) -> float:
    """The smallest effect that is found with this chance: (z_level + z_chance)·error, in the error's unit."""
    return (quantile(math.inf, level) + float(special.ndtri(chance))) * standard_error


def outcomes_needed(standard_error: float, n: int, materiality: float, *, chance: float = POWER, level: float = LEVEL) -> int:
    """How many outcomes *in all*, mixed as today's n are, find an effect of size `materiality` with this chance.

    Formula: n·(detectable/materiality)². Raises: InputError when materiality is not positive.
    """
    if not materiality > 0:
        raise InputError(f"materiality must be positive, got {materiality}")
    return math.ceil(n * (detectable(standard_error, chance=chance, level=level) / materiality) ** 2)


def exploration_needed(
    deviation_option: float,
    deviation_base: float,
    n: int,
    materiality: float,
    *,
    chance: float = POWER,
    level: float = LEVEL,
) -> float | None:
    """Least share of random choices of an option with which n decisions find an effect of `materiality`; None if no share does.

    Deviations are those of one outcome under each option, in materiality's unit; for clustered decisions multiply both by the
    root of the design effect. Formula: the smaller root e of σ_b²/(n·e) + σ_a²/(n·(1 − e)) = (materiality/(z_level +
    z_chance))².
    """
    if not materiality > 0 or n < 1:
        raise InputError(f"materiality must be positive and n at least 1, got {materiality} and {n}")
    target = n * (materiality / detectable(1.0, chance=chance, level=level)) ** 2
    one, other = deviation_option**2, deviation_base**2
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
