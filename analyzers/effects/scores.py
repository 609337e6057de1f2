"""From weighted outcomes to means and contrasts of options: the one place where an effect gets its interval.

`propensity` and `observational` differ in where the weights come from; what follows is the same for both. Scores are kept as
their components, so that a segment is normalised within itself and one fit serves thousands of segments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from analyzers.effects import intervals
from analyzers.effects.estimate import LEVEL, Basis, Bools, Estimate, Floats, InputError, Ints, Needs, distinct, own_clusters

EFFECTIVE_MIN = {True: 4.0, False: 12.0}  # by `bounded`: below, no interval that we vouch for (measured, docs/methods.md)


@dataclass(frozen=True, slots=True)
class Scores:
    """Weighted outcomes of n decisions over K options.

    `outcome` (n,): NaN where unknown; such rows carry no weight. `weights` (n, K): inverse probability that this option was
    chosen and its outcome seen, 0 for the options not chosen, NaN where an option could not have been chosen (no support).
    `fitted` (n, K): outcome expected of each option before the choice was made; zeros without a model. `clusters` (n,): tasks.
    `made` (n,): the outcome of the choice as it was made, completed by the model where unknown (`completed`).
    `bounded`: outcomes lie in [0, 1]. `normalise`: weights are divided by their mean (Hájek). `unidentified`: one reason for
    each option, empty where there is none.
    """

    outcome: Floats
    weights: Floats
    fitted: Floats
    clusters: Ints
    made: Floats
    bounded: bool
    normalise: bool
    method: str
    estimand: str
    unidentified: tuple[str, ...]
    support_min: float = 0.0

    @property
    def options(self) -> int:
        """How many options there are."""
        return self.weights.shape[1]

    def supported(self, *options: int) -> Bools:
        """Shape (n,): the decisions in which each of these options had a chance."""
        return ~np.asarray(np.isnan(self.weights[:, list(options)]).any(axis=1))

    def take(self, rows: Bools | Ints) -> Scores:
        """The same scores for some of the decisions."""
        return replace(
            self,
            outcome=self.outcome[rows],
            weights=self.weights[rows],
            fitted=self.fitted[rows],
            made=self.made[rows],
            clusters=own_clusters(self.clusters[rows], len(self.clusters[rows])),
        )

    def values(self, option: int, tilt: Floats | None = None) -> Floats:
        """Shape (n,): per-decision scores whose (tilted) mean is the option's mean outcome. All rows must support the option.

        Formula: f + w·(y − f); normalised: f + c + (w/w̄)·(y − f − c) with c = Σw(y − f)/Σw.
        Source: Robins, Rotnitzky & Zhao 1994; without a model Horvitz & Thompson 1952 and Hájek 1971.
        """
        weights, fitted = self.weights[:, option], self.fitted[:, option]
        residual = np.where(weights > 0, self.outcome - fitted, 0.0)
        if not self.normalise:
            return fitted + weights * residual
        tilted = weights if tilt is None else weights * tilt
        total = float(tilted.sum())
        if total <= 0:
            raise InputError(f"no outcome of option {option} is known, so that its mean cannot be normalised")
        centre = float((tilted * residual).sum()) / total
        mean_weight = total / (len(weights) if tilt is None else float(tilt.sum()))
        return fitted + centre + weights / mean_weight * (residual - centre)


def completed(outcome: Floats, expected: Floats, response: Floats) -> Floats:
    """Shape (n,): outcomes whose mean is that of all decisions, though some are unknown: f + 1{known}·(y − f)/r, with the
    expected outcome f and the probability r of becoming known; the outcomes themselves where all are."""
    known = ~np.isnan(outcome)
    return expected + np.where(known, (np.nan_to_num(outcome) - expected) / response, 0.0)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How well an option's logged choices stand for all decisions.

    `supported` is the share of decisions in which it had a chance; `effective` the effective number of independent tasks
    (Kish); `weight_max` the largest share of all weight that one task carries.
    """

    option: int
    chosen: int
    supported: float
    effective: float
    weight_max: float


def overlap(scores: Scores, option: int) -> Overlap:
    """Diagnostics of one option's weights."""
    weights = np.nan_to_num(scores.weights[:, option])
    totals = np.bincount(scores.clusters, weights=weights) if len(weights) else np.zeros(1)
    total = float(totals.sum())
    return Overlap(
        option,
        int((weights > 0).sum()),
        float(scores.supported(option).mean()) if len(weights) else 0.0,
        intervals.kish(weights, scores.clusters) if total else 0.0,
        float(totals.max()) / total if total else 0.0,
    )


def option_mean(scores: Scores, option: int, *, tilt: Floats | None = None, level: float = LEVEL) -> Estimate:
    """Mean outcome had this option always been chosen, over the decisions in which it could have been.

    `tilt` (n,): weights of decisions, for a mean over some kind of them. Unit: the outcome's.
    """
    rows = scores.supported(option)
    answer = _refusal(scores, rows, (option,), tilt, level)
    if answer is not None:
        return answer
    kept, tilted = scores.take(rows), None if tilt is None else tilt[rows]
    spread, bounds = _arm(kept, option, tilted, level)
    return _estimate(kept, bounds, spread.standard_error, spread.degrees, rows, (option,), level)


def contrast(scores: Scores, option: int, base: int, *, tilt: Floats | None = None, level: float = LEVEL) -> Estimate:
    """What `option` brings over `base`: the difference of mean outcomes had each always been chosen (ΔQ, ΔC, ΔL or ΔR of eq.
    1).

    Over the decisions in which both had a chance. `tilt` (n,): weights of decisions; the probability of `base` as tilt gives
    the effect on decisions like those in which `base` was chosen. Unit: the outcome's. The interval joins those of both means
    (MOVER).
    Raises: InputError when the options are equal or do not exist.
    """
    if option == base or not 0 <= option < scores.options or not 0 <= base < scores.options:
        raise InputError(f"a contrast needs two of the options 0 … {scores.options - 1}, got {option} and {base}")
    rows = scores.supported(option, base)
    answer = _refusal(scores, rows, (option, base), tilt, level)
    if answer is not None:
        return answer
    kept, tilted = scores.take(rows), None if tilt is None else tilt[rows]
    joint = intervals.spread(kept.values(option, tilted) - kept.values(base, tilted), kept.clusters, tilted)
    share = intervals.skew_share_of(joint)
    one, upper = _arm(kept, option, tilted, level, share)
    other, lower = _arm(kept, base, tilted, level, share)
    bounds = intervals.difference(upper, lower, intervals.correlation(one, other))
    return _estimate(kept, bounds, joint.standard_error, joint.degrees, rows, (option, base), level)


def deviations(scores: Scores, option: int, base: int) -> tuple[float, float]:
    """Standard deviation of one outcome under each of two options, after what the model expects: what exploration is planned
    with.

    Unit: the outcome's. Formula: √(Σw(y − f − c)²/Σw). Raises: InputError when an option has no known outcome.
    """
    spreads: list[float] = []
    for each in (option, base):
        weights = np.nan_to_num(scores.weights[:, each])
        residual = np.where(weights > 0, scores.outcome - scores.fitted[:, each], 0.0)
        if weights.sum() <= 0:
            raise InputError(f"no outcome of option {each} is known")
        spreads.append(math.sqrt(float(np.average((residual - np.average(residual, weights=weights)) ** 2, weights=weights))))
    return spreads[0], spreads[1]


def by_segment(scores: Scores, segments: Ints, option: int, base: int, *, level: float = LEVEL) -> dict[int, Estimate]:
    """The contrast within each segment, keyed by segment code. Shapes: segments (n,). One sort, then a slice per segment."""
    return {segment: contrast(scores.take(rows), option, base, level=level) for segment, rows in segment_rows(segments)}


def segment_rows(segments: Ints) -> Iterator[tuple[int, Ints]]:
    """Each segment's code with the indices of its rows, in order."""
    order = np.argsort(segments, kind="stable").astype(np.int64)
    found, starts = np.unique(segments[order], return_index=True)
    for segment, rows in zip(found, np.split(order, starts[1:]), strict=True):
        yield int(segment), rows


def shifted(scores: Scores, weights: Floats) -> Scores:
    """The same scores under other weights, for bounds over weights that cannot be known."""
    return replace(scores, weights=weights)


def _arm(
    scores: Scores, option: int, tilt: Floats | None, level: float, skew_share: float = 1.0
) -> tuple[intervals.Spread, intervals.Bounds]:
    weights = scores.weights[:, option]
    spread = intervals.spread(scores.values(option, tilt), scores.clusters, tilt)
    if scores.bounded:
        effective = intervals.kish(weights if tilt is None else weights * tilt, scores.clusters)
        return spread, intervals.bounded(spread, effective, level)
    return spread, intervals.skewed(spread, level, skew_share=skew_share)


def _refusal(scores: Scores, rows: Bools, options: tuple[int, ...], tilt: Floats | None, level: float) -> Estimate | None:
    n, clusters = int(rows.sum()), distinct(scores.clusters[rows])
    basis = Basis(n, clusters, scores.method, scores.estimand, level)
    for option in options:
        if scores.unidentified[option]:
            return basis.nothing("not_identified", scores.unidentified[option])
    if n == 0:
        return basis.nothing("not_identified", f"in no decision had options {options} all a chance")
    if n < scores.support_min * len(rows):
        return basis.nothing(
            "not_identified", f"no overlap: in {n / len(rows):.0%} of decisions had options {options} all a chance"
        )
    wanted = EFFECTIVE_MIN[scores.bounded]
    for option in options:
        weights = scores.weights[rows, option] if tilt is None else scores.weights[rows, option] * tilt[rows]
        effective = intervals.kish(weights, scores.clusters[rows])
        if effective < wanted:
            why = f"option {option} has outcomes worth {effective:.1f} independent tasks, an interval needs {wanted:.0f}"
            more = Needs(outcomes=math.ceil(n * (wanted / effective - 1))) if effective > 0 else None
            return basis.nothing("not_enough_evidence", why, more)
    return None


def _estimate(
    scores: Scores,
    bounds: intervals.Bounds,
    standard_error: float,
    degrees: float,
    rows: Bools,
    options: tuple[int, ...],
    level: float,
) -> Estimate:
    limit = float(len(options) - 1) if scores.bounded else math.inf
    floor = -limit if len(options) == 2 else 0.0
    low, high = bounds.low, bounds.high
    if scores.bounded:  # means of outcomes in [0, 1] and their differences cannot leave their range
        low, high = max(low, floor), min(high, 1.0)
    value = min(max(bounds.value, low), high)
    share = float(rows.mean())
    estimand = scores.estimand if share == 1 else f"{scores.estimand}, where every option compared had a chance ({share:.0%})"
    basis = Basis(int(rows.sum()), distinct(scores.clusters), scores.method, estimand, level)
    return basis.found(value, standard_error, low, high, degrees=degrees)
