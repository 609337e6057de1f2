"""Effects from decisions whose probabilities were logged: the assignment is known, so that no assumption about context is
needed.

Three estimators with one meaning: inverse propensities (IPS), self-normalised (SNIPS), doubly robust. Each gives `Scores`; ask
`scores.contrast` or `scores.by_segment` for effects. Doubly robust is the one to use; the others show what the model adds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analyzers.effects import nuisance
from analyzers.effects.estimate import Bools, Floats, InputError, Ints, codes, floats, own_clusters
from analyzers.effects.scores import Scores, completed

CERTAIN = 1 - 1e-9  # a propensity above: the others had no chance
CONTRADICTION = 4.0  # standard errors by which an option's weights may miss their mean of 1
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Log:
    """Decisions as logged, checked. See `read_log` for shapes and units."""

    chosen: Ints
    outcome: Floats
    propensity: Floats
    options: int
    clusters: Ints
    features: Floats | None
    menu: Floats | None


def read_log(
    chosen: ArrayLike,
    outcome: ArrayLike,
    propensity: ArrayLike,
    *,
    options: int,
    clusters: ArrayLike | None = None,
    features: ArrayLike | None = None,
    menu: ArrayLike | None = None,
) -> Log:
    """Checked decisions with logged propensities.

    Shapes: chosen (n,) in 0 … options−1; outcome (n,), NaN where unknown; propensity (n,), the probability with which the
    chosen option was chosen, in (0, 1]; clusters (n,) the task of each decision; features (n, d), known before the choice; menu
    (n, K), every option's probability where logged, which tells apart an option that had no chance from one that had no luck
    (two options need none).
    Raises: InputError naming the array.
    """
    outcomes = floats(outcome, "outcome", shape=(-1,), missing=True)
    n = len(outcomes)
    if n == 0:
        raise InputError("outcome is empty: an effect needs decisions")
    known = floats(propensity, "propensity", shape=(n,))
    if known.min() <= 0 or known.max() > 1 + 1e-9:
        raise InputError(f"propensity must lie in (0, 1], got {known.min():g} … {known.max():g}")
    choice = codes(chosen, "chosen", n=n, below=options)
    table = None if menu is None else floats(menu, "menu", shape=(n, options))
    if table is not None and not np.allclose(table[np.arange(n), choice], known, atol=1e-6):
        raise InputError("menu and propensity disagree about the chosen option's probability")
    if table is None and options == 2:
        table = np.where(choice[:, None] == np.arange(2), known[:, None], 1 - known[:, None]).clip(0, 1)
        table[table < 1 - CERTAIN] = 0.0
    context = None if features is None else floats(features, "features", shape=(n, -1))
    return Log(choice, outcomes, known, options, own_clusters(clusters, n), context, table)


def ips(log: Log) -> Scores:
    """Inverse propensity scores: unbiased whatever the outcomes are, noisy where propensities are small.

    Formula: mean of 1{A=a}·Y/p. Outcomes unknown are taken as missing at random within each option.
    Source: Horvitz & Thompson 1952.
    """
    return _scores(log, np.zeros((len(log.outcome), log.options)), _response(log, None), normalise=False, method="ips")


def snips(log: Log) -> Scores:
    """Self-normalised inverse propensity scores: a little bias of order 1/n for much less noise, and equal to the difference of
    means where propensities are constant.

    Formula: Σ1{A=a}Y/p ÷ Σ1{A=a}/p. Source: Hájek 1971; Swaminathan & Joachims 2015.
    """
    return _scores(log, np.zeros((len(log.outcome), log.options)), _response(log, None), normalise=True, method="snips")


def doubly_robust(log: Log, *, learner: nuisance.Learner | None = None, seed: int = 0) -> Scores:
    """Augmented inverse propensity scores with the logged propensities: right whatever the outcome model is, since the
    propensities are known; the model only takes noise away.

    Formula: f_a(x) + 1{A=a}(Y − f_a(x))/p, normalised, with f cross-fitted over tasks.
    Source: Robins, Rotnitzky & Zhao 1994; Dudík, Langford & Li 2011; Chernozhukov et al. 2018 for the cross-fitting.
    """
    fold = nuisance.folds(log.clusters, FOLDS, seed)
    ready = nuisance.design(log.features, log.chosen, log.options, learner)
    fitted = nuisance.outcome_model(ready, log.outcome, log.chosen, log.options, fold, bounded=_bounded(log.outcome))
    return _scores(log, fitted, _response(log, fold), normalise=True, method="doubly robust, logged propensities")


def response_probability(
    outcome: Floats,
    chosen: Ints,
    options: int,
    features: Floats | None,
    fold: Ints | None,
    learner: nuisance.Learner | None = None,
) -> Floats:
    """Shape (n,): the probability that the decision's outcome became known, given its option and (with folds) its features.

    Outcomes are then missing at random: what is not known may depend on option and context, on nothing else.
    """
    known = ~np.isnan(outcome)
    if known.all():
        return np.ones(len(outcome))
    if fold is None or features is None:
        seen = np.bincount(chosen, weights=known, minlength=options) / np.maximum(1, np.bincount(chosen, minlength=options))
        return np.where(seen[chosen] > 0, seen[chosen], 1.0)
    context = np.column_stack([features, np.eye(options)[chosen][:, 1:]])
    ready = nuisance.design(context, known.astype(np.int64), 2, learner)
    return np.maximum(nuisance.probability_model(ready, known.astype(np.int64), 2, fold)[:, 1], 0.01)


def _response(log: Log, fold: Ints | None) -> Floats:
    return response_probability(log.outcome, log.chosen, log.options, log.features, fold)


def _bounded(outcome: Floats) -> bool:
    known = outcome[~np.isnan(outcome)]
    return bool(len(known) and known.min() >= 0 and known.max() <= 1)


def _scores(log: Log, fitted: Floats, response: Floats, *, normalise: bool, method: str) -> Scores:
    n, known = len(log.outcome), ~np.isnan(log.outcome)
    weights = np.zeros((n, log.options))
    weights[np.arange(n), log.chosen] = known / (log.propensity * response)
    impossible = log.menu <= 0 if log.menu is not None else (log.propensity >= CERTAIN)[:, None].repeat(log.options, axis=1)
    impossible[np.arange(n), log.chosen] = False
    weights[impossible] = np.nan
    unidentified = tuple(_why_not(log, impossible[:, option], option) for option in range(log.options))
    return Scores(
        log.outcome,
        weights,
        fitted,
        log.clusters,
        completed(log.outcome, fitted[np.arange(n), log.chosen], response),
        _bounded(log.outcome),
        normalise,
        method,
        _estimand(known),
        unidentified,
    )


def _estimand(known: Bools) -> str:
    share = float(known.mean()) if len(known) else 1.0
    return "all decisions" if share == 1 else f"all decisions, outcomes known of {share:.0%} and missing at random"


def _why_not(log: Log, impossible: Bools, option: int) -> str:
    """Why the log cannot speak of an option, or nothing."""
    possible = ~impossible
    if not possible.any():
        return f"option {option} never had a chance: the others were chosen with certainty"
    took = (log.chosen == option)[possible]
    if not took.any():
        return "" if log.menu is not None else f"option {option} was never chosen, and no menu says that it could have been"
    raw = np.where(took, 1 / log.propensity[possible], 0.0)
    totals = np.bincount(log.clusters[possible], weights=raw)
    error = math.sqrt(float((totals**2).sum()) / float(raw.sum()) / len(raw))
    missed = (float(raw.mean()) - 1) / error
    if abs(missed) > CONTRADICTION:
        return f"the logged propensities contradict the choices: the weights of option {option} average {raw.mean():.2f}, not 1"
    return ""
