"""Regret: what was lost by not taking the best option, when which is best is itself estimated.

The largest of several noisy means is too large on average (the winner's curse). So the best option is picked on some tasks and
valued on others, and the interval's lower limit holds for all options at once: where nothing is better, nothing is found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analyzers.effects import intervals, nuisance
from analyzers.effects.estimate import LEVEL, Basis, Bools, Estimate, Floats, InputError, Ints, codes, distinct, floats
from analyzers.effects.scores import EFFECTIVE_MIN, Scores, segment_rows

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Regret:
    """Regret per decision of what was chosen against the best single option (or leaving things as they are, when that is best).

    `best`: the option with the largest estimated net, −1 when no option beats what was chosen. `estimate`: its value is not
    pushed up by choosing among noisy options and may be below 0, which the truth cannot; `low` above 0 is a finding.
    """

    best: int
    estimate: Estimate


def net_value(
    quality: ArrayLike,
    cost_usd: ArrayLike,
    latency_s: ArrayLike,
    loss_usd: ArrayLike,
    *,
    v_usd: ArrayLike,
    lam: ArrayLike,
    rho: ArrayLike,
) -> Floats:
    """Net value of each decision's outcome, eq. 1: V·Q − C − λ·L − ρ·R, in USD; NaN where one of them is unknown.

    Shapes: (n,) each, or one price for all. Units: quality in [0, 1]; V in USD per unit of quality; λ in USD per second; ρ
    without.
    """
    parts = [
        floats(x, name, missing=True)
        for x, name in ((quality, "quality"), (cost_usd, "cost_usd"), (latency_s, "latency_s"), (loss_usd, "loss_usd"))
    ]
    prices = [floats(x, name) for x, name in ((v_usd, "v_usd"), (lam, "lam"), (rho, "rho"))]
    return np.asarray(prices[0] * parts[0] - parts[1] - prices[1] * parts[2] - prices[2] * parts[3], dtype=np.float64)


def regret(scores: Scores, *, level: float = LEVEL, seed: int = 0) -> Regret:
    """Regret of the choices as made against the best single option, per decision, over decisions in which every option had a
    chance.

    `scores` of net values in USD (see `net_value`). Formula: max(0, max_b μ_b − μ_chosen).
    Value: the option picked on four fifths of the tasks, if it is better than what was chosen there, valued on the rest, five
    times over; right on average when nothing is better, a little low when several options are nearly best.
    Interval: from the largest of the options' simultaneous lower limits (Bonferroni over options) to the largest of their upper
    limits; it covers the true maximum in `level` of repetitions or more.
    Options without evidence are left out and named.
    Source: eq. 1 and 4; Andrews, Kitagawa & McCloskey, QJE 139 (2024) for the curse.
    """
    rows = scores.supported(*range(scores.options))
    kept = scores.take(rows)
    usable = [option for option in range(scores.options) if _usable(kept, option)]
    named = [str(option) for option in range(scores.options) if option not in usable]
    estimand = f"{scores.estimand}; options {', '.join(named)} without evidence" if named else scores.estimand
    basis = Basis(int(rows.sum()), distinct(kept.clusters), f"regret, {scores.method}", estimand, level)
    if all(scores.unidentified):
        return Regret(-1, basis.nothing("not_identified", scores.unidentified[0]))
    if len(usable) < 2:
        reason = next((why for why in scores.unidentified if why), "")
        if reason:
            return Regret(-1, basis.nothing("not_identified", reason))
        return Regret(-1, basis.nothing("not_enough_evidence", "fewer than two options have evidence"))
    gaps = np.column_stack([kept.values(option) - kept.made for option in usable])
    simultaneous = 1 - (1 - level) / len(usable)
    strict = [_gap(kept, option, simultaneous) for option in usable]
    each = [_gap(kept, option, level) for option in usable]
    low = max(bounds.low for bounds in strict)
    high = max(0.0, *(bounds.high for bounds in each))
    value, pulls = _cross_fitted(gaps, kept.clusters, seed)
    error = intervals.spread(pulls, kept.clusters).standard_error
    means = gaps.mean(axis=0)
    best = usable[int(np.argmax(means))] if means.max() > 0 else -1
    return Regret(best, basis.found(value, error, low, high))


def by_segment(scores: Scores, segments: Ints, *, level: float = LEVEL, seed: int = 0) -> dict[int, Regret]:
    """The regret within each segment, keyed by segment code. Shapes: segments (n,)."""
    return {segment: regret(scores.take(rows), level=level, seed=seed) for segment, rows in segment_rows(segments)}


def policy_gain(scores: Scores, policy: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """What a policy would have gained per decision over the choices as made (its regret, when the policy is the best one
    known).

    Shapes: policy (n, K), the probability of each option in each decision, rows adding up to 1; it must not have been fitted on
    these decisions (see `best_by_segment`). Formula: mean of Σ_a π(a|x)·score_a − Y. Decisions where the policy wants an option
    that had no chance are left out, and the estimand says so. Source: Dudík, Langford & Li 2011.
    """
    wanted = floats(policy, "policy", shape=scores.weights.shape)
    if (wanted < 0).any() or not np.allclose(wanted.sum(axis=1), 1):
        raise InputError("policy must hold probabilities that add up to 1 in each decision")
    rows: Bools = ~np.asarray((np.isnan(scores.weights) & (wanted > 0)).any(axis=1))
    share = float(rows.mean()) if len(rows) else 0.0
    estimand = scores.estimand if share == 1 else f"{scores.estimand}, where the policy had a chance ({share:.0%})"
    basis = Basis(int(rows.sum()), distinct(scores.clusters[rows]), f"policy, {scores.method}", estimand, level)
    reasons = [why for option, why in enumerate(scores.unidentified) if why and wanted[:, option].any()]
    if reasons or not rows.any():
        why = reasons[0] if reasons else "the policy wants options that never had a chance"
        return basis.nothing("not_identified", why)
    kept, chance = scores.take(rows), wanted[rows]
    weight = np.nan_to_num(kept.weights) * chance
    effective = intervals.kish(weight.sum(axis=1), kept.clusters)
    if effective < EFFECTIVE_MIN[False]:
        wanted_tasks = EFFECTIVE_MIN[False]
        why = f"the policy agrees with choices worth {effective:.1f} independent tasks, an interval needs {wanted_tasks:.0f}"
        return basis.nothing("not_enough_evidence", why)
    gain = _policy_values(kept, chance) - kept.made
    of = intervals.spread(gain, kept.clusters)
    bounds = intervals.skewed(of, level)
    return basis.found(bounds.value, of.standard_error, bounds.low, bounds.high, degrees=of.degrees)


def best_by_segment(scores: Scores, segments: ArrayLike, *, seed: int = 0) -> Floats:
    """Shape (n, K): the policy that takes in each segment the option that did best there *on other tasks*.

    Cross-fitted, so that `policy_gain` of it is not flattered by the choice; conservative, since picking on fewer tasks picks
    worse. Segments without evidence keep to the best option overall.
    """
    places = codes(segments, "segments", n=len(scores.outcome))
    fold = nuisance.folds(scores.clusters, FOLDS, seed)
    policy = np.zeros(scores.weights.shape)
    for held in np.unique(fold):
        training = scores.take(fold != held)
        overall = _best(training)
        best = {segment: _best(training.take(rows), overall) for segment, rows in segment_rows(places[fold != held])}
        for row in np.flatnonzero(fold == held):
            policy[row, best.get(int(places[row]), overall)] = 1.0
    return policy


def _best(scores: Scores, otherwise: int = 0) -> int:
    """The option with the largest mean among those with evidence."""
    means = [_mean(scores, option) for option in range(scores.options)]
    return otherwise if all(mean == -np.inf for mean in means) else int(np.argmax(means))


def _mean(scores: Scores, option: int) -> float:
    kept = scores.take(scores.supported(option))
    return float(kept.values(option).mean()) if _usable(kept, option) else -np.inf


def _usable(kept: Scores, option: int) -> bool:
    if kept.unidentified[option] or len(kept.outcome) == 0:
        return False
    return intervals.kish(np.nan_to_num(kept.weights[:, option]), kept.clusters) >= EFFECTIVE_MIN[False]


def _gap(kept: Scores, option: int, level: float) -> intervals.Bounds:
    """What always taking `option` would have gained over the choices as made: the interval joins those of both means."""
    own = intervals.spread(kept.values(option), kept.clusters)
    made = intervals.spread(kept.made, kept.clusters)
    share = intervals.skew_share_of(intervals.spread(kept.values(option) - kept.made, kept.clusters))
    upper, lower = intervals.skewed(own, level, skew_share=share), intervals.skewed(made, level, skew_share=share)
    return intervals.difference(upper, lower, intervals.correlation(own, made))


def _cross_fitted(gaps: Floats, clusters: Ints, seed: int) -> tuple[float, Floats]:
    """Mean gap of the option picked on the other folds, 0 where none is better there; and each row's part in it."""
    fold = nuisance.folds(clusters, FOLDS, seed)
    pulls = np.zeros(len(gaps))
    for held in np.unique(fold):
        inside: Bools = fold == held
        means = gaps[~inside].mean(axis=0)
        if means.max() > 0:
            pulls[inside] = gaps[inside, int(np.argmax(means))]
    return float(pulls.mean()), pulls


def _policy_values(kept: Scores, chance: Floats) -> Floats:
    """Shape (n,): doubly robust scores of the policy, the residuals' weights normalised over all that it would have done."""
    weight = np.nan_to_num(kept.weights) * chance
    own = weight.sum(axis=1)
    fitted = (chance * kept.fitted).sum(axis=1)
    residual = np.where(weight > 0, kept.outcome[:, None] - kept.fitted, 0.0)
    pulled = (weight * residual).sum(axis=1)
    if not kept.normalise:
        return fitted + pulled
    centre = float(pulled.sum() / own.sum())
    return fitted + centre + (pulled - own * centre) / float(own.mean())
