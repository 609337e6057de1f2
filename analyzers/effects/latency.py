"""Effects on latency, which has long tails: means like any other outcome, and quantiles, which an SLA is written in.

For means use `scores.contrast` on seconds: its interval is made for skew. Quantiles have no scores; they are read off the
weighted distribution of each option.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analyzers.effects import intervals
from analyzers.effects.estimate import LEVEL, Basis, Estimate, Floats, InputError, Ints, Needs, distinct, ranks
from analyzers.effects.scores import Scores

TAIL_MIN = 5.0  # effective observations on the shorter side of a quantile


@dataclass(frozen=True, slots=True)
class Ordered:
    """The outcomes of one option in order: what its quantiles are read off.

    Shapes (m,) of the decisions that took it and whose outcome is known: `values`, `weights` the share of all weight that each
    carries, `reached` these summed, `tasks` from 0. `effective`: independent tasks (Kish).
    """

    values: Floats
    reached: Floats
    weights: Floats
    tasks: Ints
    effective: float

    def at(self, share: float, *, level: float = LEVEL) -> intervals.Bounds:
        """The quantile and its interval.

        Formula: inverse of F(t) = Σ1{A=a, Y≤t}/p ÷ Σ1{A=a}/p; limits where F's Wilson interval at the quantile ends, with the
        number of observations that F's clustered variance is worth. Source: Woodruff, JASA 47 (1952).
        """
        low, high = intervals.wilson(share, self._worth(share), level)
        return intervals.Bounds(self.value(share), self.value(low), self.value(high))

    def value(self, share: float) -> float:
        """The first outcome at which the share is reached."""
        return float(self.values[min(int(np.searchsorted(self.reached, share - 1e-12)), len(self.values) - 1)])

    def lacks(self, share: float) -> float:
        """By how many times too few effective tasks lie beyond a quantile for its interval; at most 1 where there are enough."""
        return TAIL_MIN / max(min(share, 1 - share) * self.effective, 1e-9)

    def _worth(self, share: float) -> float:
        # Hájek's residual of the indicator: what F at the quantile varies by, tasks as the unit.
        below = (self.values <= self.value(share)).astype(np.float64) - share
        sums = np.bincount(self.tasks, weights=self.weights * below)
        error = intervals.of_sums(0.0, np.asarray(sums, dtype=np.float64)).standard_error
        worth = share * (1 - share) / error**2 if error > 0 else self.effective
        return min(worth, float(len(self.values)))


def ordered(scores: Scores, option: int) -> Ordered:
    """The outcomes of an option over decisions that all support it. Raises: InputError when none of them is known."""
    weights = scores.weights[:, option]
    taken = np.flatnonzero(weights > 0)
    if len(taken) == 0:
        raise InputError(f"no outcome of option {option} is known")
    taken = taken[np.argsort(scores.outcome[taken], kind="stable")]
    kept, tasks = weights[taken], ranks(scores.clusters[taken])
    total = float(kept.sum())
    return Ordered(scores.outcome[taken], np.cumsum(kept) / total, kept / total, tasks, intervals.kish(kept, tasks))


def quantile_of(scores: Scores, option: int, share: float, *, level: float = LEVEL) -> Estimate:
    """The latency that a `share` of decisions would stay within, had this option always been chosen. Unit: the outcome's
    (seconds).

    Needs five effective tasks beyond the quantile; says how many outcomes are missing otherwise. See `Ordered.at`.
    """
    _check(share)
    kept = scores.take(scores.supported(option))
    refusal = _refusal(kept, (option,), share, level)
    if refusal is not None:
        return refusal
    return estimate(basis_of(kept, level), ordered(kept, option).at(share, level=level))


def quantile_contrast(scores: Scores, option: int, base: int, share: float, *, level: float = LEVEL) -> Estimate:
    """How much later the `share` quantile comes under `option` than under `base` (seconds; below 0: sooner).

    The difference of two quantiles, not a quantile of differences: no single request need be moved by it. Limits join those of
    both quantiles (MOVER). Over the decisions in which both had a chance. Needs as `quantile_of`.
    """
    _check(share)
    kept = scores.take(scores.supported(option, base))
    refusal = _refusal(kept, (option, base), share, level)
    if refusal is not None:
        return refusal
    one, other = (ordered(kept, each).at(share, level=level) for each in (option, base))
    return estimate(basis_of(kept, level), intervals.difference(one, other))


def estimate(basis: Basis, bounds: intervals.Bounds) -> Estimate:
    """The answer that bounds give, with half their width as the error."""
    error = (bounds.high - bounds.low) / 2 / intervals.quantile(math.inf, basis.level)
    return basis.found(bounds.value, error, bounds.low, bounds.high)


def basis_of(scores: Scores, level: float = LEVEL) -> Basis:
    """What quantiles of these decisions rest on."""
    method = f"{scores.method}, weighted quantile"
    return Basis(len(scores.outcome), distinct(scores.clusters), method, scores.estimand, level)


def too_few(basis: Basis, of: Ordered, share: float, name: str) -> Estimate:
    """The answer where an option has too few outcomes for a quantile: how many more like these, or which share of decisions
    choosing it at random, would be enough."""
    times = of.lacks(share)
    rate = TAIL_MIN / (min(share, 1 - share) * basis.clusters)
    beyond = min(share, 1 - share) * of.effective
    why = f"{name} has {beyond:.1f} effective tasks beyond the quantile, its interval needs {TAIL_MIN:.0f}"
    needs = Needs(max(1, math.ceil(basis.n * (times - 1))), rate if rate < 1 else None)
    return basis.nothing("not_enough_evidence", why, needs)


def _check(share: float) -> None:
    if not 0 < share < 1:
        raise InputError(f"a quantile's share must lie in (0, 1), got {share}")


def _refusal(kept: Scores, options: tuple[int, ...], share: float, level: float) -> Estimate | None:
    basis = basis_of(kept, level)
    for option in options:
        if kept.unidentified[option]:
            return basis.nothing("not_identified", kept.unidentified[option])
    if len(kept.outcome) == 0:
        return basis.nothing("not_identified", f"in no decision had options {options} all a chance")
    for option in options:
        if not (kept.weights[:, option] > 0).any():
            return basis.nothing("not_enough_evidence", f"no outcome of option {option} is known")
        of = ordered(kept, option)
        if of.lacks(share) > 1:
            return too_few(basis, of, share, f"option {option}")
    return None
