"""Effects from decisions whose probabilities were not logged: identified only if what moved the choice was recorded.

Propensities and outcomes are modelled from the context known before the choice, cross-fitted over tasks and combined doubly
robustly; decisions without overlap are trimmed and the estimand says so. Whether the context suffices is the caller's word
(`assignment`), which negative controls can refute and `sensitivity` puts a figure on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analyzers.effects import nuisance
from analyzers.effects.estimate import Bools, Floats, InputError, Ints, codes, floats, own_clusters
from analyzers.effects.propensity import FOLDS, response_probability
from analyzers.effects.scores import Scores, completed, contrast

Assignment: TypeAlias = Literal["recorded", "unknown"]

NOT_RECORDED = "what moved the choice was not recorded, so that context cannot be told from effect"
OVERLAP_MIN = 0.05  # estimated propensity below which a decision says nothing of an option
SUPPORT_MIN = 0.2  # share of decisions with overlap below which the rest are an anecdote
PREDICTABLE = 4.0  # standard errors by which choices may be more predictable than their propensities say
CONTROL_LEVEL = 0.01  # p-value (Bonferroni over controls) at which a negative control refutes the context


@dataclass(frozen=True, slots=True)
class Observed:
    """Scores under estimated propensities, with what sensitivity analysis needs of them.

    `propensity` (n, K): the estimated probability of each option; `response` (n,): that of the outcome becoming known.
    """

    scores: Scores
    propensity: Floats
    response: Floats


def doubly_robust(
    chosen: ArrayLike,
    outcome: ArrayLike,
    features: ArrayLike | None,
    *,
    options: int,
    assignment: Assignment,
    clusters: ArrayLike | None = None,
    controls: ArrayLike | None = None,
    overlap_min: float = OVERLAP_MIN,
    learner: nuisance.Learner | None = None,
    seed: int = 0,
) -> Observed:
    """Doubly robust scores from observation, within one task class.

    Shapes: chosen (n,) in 0 … options−1; outcome (n,), NaN where unknown; features (n, d), known before the choice, or None;
    clusters (n,) the task of each decision; controls (n, k): *negative controls*, figures that the choice cannot have moved
    (they were fixed before it) and that are not among the features. `assignment`: `recorded` when everything that moved both
    choice and outcome is among the features, `unknown` otherwise: then no effect is identified and only `sensitivity.bounds`
    has something to say. An effect of the option on a negative control refutes `recorded`. Decisions in which an option's
    propensity is below `overlap_min` are not used for contrasts of that option.
    Formula: f_a(x) + 1{A=a}(Y − f_a(x))/e_a(x), normalised; right if either model is.
    Source: Robins, Rotnitzky & Zhao 1994; Chernozhukov et al. 2018 (cross-fitting); Crump et al. 2009 (trimming); Lipsitch et
    al. 2010 (negative controls). Raises: InputError naming the array.
    """
    outcomes = floats(outcome, "outcome", shape=(-1,), missing=True)
    n = len(outcomes)
    if n == 0:
        raise InputError("outcome is empty: an effect needs decisions")
    choice, tasks = codes(chosen, "chosen", n=n, below=options), own_clusters(clusters, n)
    context = None if features is None else floats(features, "features", shape=(n, -1))
    fold = nuisance.folds(tasks, FOLDS, seed)
    ready = nuisance.design(context, choice, options, learner)
    propensity = nuisance.probability_model(ready, choice, options, fold)
    response = response_probability(outcomes, choice, options, context, fold, learner)
    known = outcomes[~np.isnan(outcomes)]
    bounded = bool(len(known) and known.min() >= 0 and known.max() <= 1)
    fitted = nuisance.outcome_model(ready, outcomes, choice, options, fold, bounded=bounded)
    weights = _weights(choice, outcomes, propensity, response, overlap_min)
    scores = Scores(
        outcomes,
        weights,
        fitted,
        tasks,
        completed(outcomes, fitted[np.arange(n), choice], response),
        bounded,
        True,
        "doubly robust, estimated propensities",
        "all decisions"
        if len(known) == n
        else f"all decisions, outcomes known of {len(known) / max(n, 1):.0%} and missing at random",
        reasons(propensity, choice, assignment, overlap_min),
        SUPPORT_MIN,
    )
    if assignment == "recorded" and controls is not None and not any(scores.unidentified):
        scores = _checked(scores, floats(controls, "controls", shape=(n, -1)), ready, choice, options, fold)
    return Observed(scores, propensity, response)


def within_tasks(chosen: ArrayLike, outcome: ArrayLike, clusters: ArrayLike, *, options: int) -> Scores:
    """Scores that compare options inside one task only, so that whatever the task carries (its difficulty) cancels.

    Only tasks that tried every option and have an outcome of each count; each weighs the same. Needs that the order of attempts
    does not decide their outcome: retries after a failure are *not* such a comparison. Shapes: (n,) each.
    Formula: mean over tasks of (mean of b in the task − mean of a in the task). Source: the paired difference, Fisher 1935.
    """
    outcomes = floats(outcome, "outcome", shape=(-1,), missing=True)
    n = len(outcomes)
    choice, tasks = codes(chosen, "chosen", n=n, below=options), own_clusters(clusters, n)
    if len(tasks) == 0:
        raise InputError("within_tasks needs at least one decision")
    groups, known = int(tasks.max()) + 1, ~np.isnan(outcomes)
    count = np.zeros((groups, options))
    np.add.at(count, (tasks[known], choice[known]), 1)
    complete: Bools = np.asarray((count > 0).all(axis=1))
    size = np.bincount(tasks, minlength=groups)
    weights = np.zeros((n, options))
    rows = np.flatnonzero(known & complete[tasks])
    # Within a task an option's weights add up to 1, so that every task weighs the same in the Hájek mean.
    weights[rows, choice[rows]] = 1 / count[tasks[rows], choice[rows]]
    weights[~complete[tasks]] = np.nan
    bounded = bool(len(rows) and outcomes[rows].min() >= 0 and outcomes[rows].max() <= 1)
    reason = "" if complete.any() else "no task tried every option"
    estimand = f"tasks that tried every option ({complete.mean():.0%} of {len(size)})"
    # What was made of each task is the mean of its outcomes; scaled so that a mean over rows weighs every task the same.
    seen = np.maximum(np.bincount(tasks, weights=known, minlength=groups), 1)
    scale = size[complete].sum() / max(1, int(complete.sum())) / seen[tasks]
    made = np.where(known, np.nan_to_num(outcomes) * scale, 0.0)
    zeros, reasons = np.zeros((n, options)), (reason,) * options
    return Scores(outcomes, weights, zeros, tasks, made, bounded, True, "within tasks", estimand, reasons)


def _weights(chosen: Ints, outcome: Floats, propensity: Floats, response: Floats, overlap_min: float) -> Floats:
    n, known = len(outcome), ~np.isnan(outcome)
    weights = np.zeros(propensity.shape)
    own = np.maximum(propensity[np.arange(n), chosen], 1e-12)
    weights[np.arange(n), chosen] = known / (own * response)
    weights[propensity < overlap_min] = np.nan
    return weights


def reasons(propensity: Floats, chosen: Ints, assignment: Assignment, overlap_min: float = OVERLAP_MIN) -> tuple[str, ...]:
    """For each option why its effect is not identified under these estimated propensities (n, K); empty where nothing hinders."""
    whole = ""
    surplus = _predictability(propensity, chosen, overlap_min)
    if assignment == "unknown":
        whole = NOT_RECORDED
    elif surplus > PREDICTABLE:
        whole = f"no overlap: choices are more predictable than any propensity fitted to them ({surplus:.1f} errors)"
    options = range(propensity.shape[1])
    return tuple(_why_not(propensity[:, option], chosen, option, overlap_min) or whole for option in options)


def _why_not(propensity: Floats, chosen: Ints, option: int, overlap_min: float) -> str:
    if not (chosen == option).any():
        return f"option {option} was never chosen"
    share = float((propensity >= overlap_min).mean())
    if share < SUPPORT_MIN:
        return f"no overlap: in {share:.0%} of decisions did option {option} have a propensity of {overlap_min:g} or more"
    return ""


def _predictability(propensity: Floats, chosen: Ints, overlap_min: float) -> float:
    """By how many standard errors the choices made are likelier than the propensities expect, where these show overlap.

    A rule that always chooses the same in the same context cannot be fitted by a smooth model, which then shows overlap where
    there is none: its choices come true too often. Formula: Σ(log e_A − Σe·log e) over its standard deviation.
    """
    kept = propensity[(propensity >= overlap_min).sum(axis=1) > 1]
    if len(kept) == 0:
        return 0.0
    took = chosen[(propensity >= overlap_min).sum(axis=1) > 1]
    logs = np.log(np.maximum(kept, 1e-12))
    expected = (kept * logs).sum(axis=1)
    variance = float((kept * logs**2).sum() - (expected**2).sum())
    return float((logs[np.arange(len(kept)), took] - expected).sum()) / math.sqrt(variance) if variance > 1e-12 else 0.0


def _refuse(scores: Scores, why: str) -> Scores:
    return replace(scores, unidentified=tuple(own or why for own in scores.unidentified))


def _checked(scores: Scores, controls: Floats, ready: nuisance.Design, chosen: Ints, options: int, fold: Ints) -> Scores:
    """The scores, refused when an option seems to move a negative control."""
    pairs = [(option, control) for option in range(1, options) for control in range(controls.shape[1])]
    for option, control in pairs:
        values: Floats = controls[:, control]
        fitted = nuisance.outcome_model(ready, values, chosen, options, fold, bounded=False)
        placebo = contrast(replace(scores, outcome=values, fitted=fitted, bounded=False), option, 0)
        if placebo.status != "identified":
            continue
        value, error, _, _ = placebo.numbers()
        p = 2 * float(stats.t.sf(abs(value) / error, placebo.degrees)) if error > 0 else 1.0
        if p * len(pairs) < CONTROL_LEVEL:
            return _refuse(
                scores, f"negative control {control} moves with option {option} (p = {p:.2g}): context left out moves both"
            )
    return scores
