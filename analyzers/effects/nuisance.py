"""Models that only serve an estimator: what outcome was to be expected, how likely each option was. Always cross-fitted.

Learners come from scikit-learn. Whole tasks go into one fold, so that nothing is predicted by what it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from analyzers.effects.estimate import Bools, Floats, Ints

Learner: TypeAlias = Literal["linear", "spline", "boosted"]

_ROWS_PER_TERM = 10  # of the rarest option, before the model may have a term more
_ROWS_MIN = 12  # of an option in the other folds, before its outcome gets a model instead of a mean
_KNOTS = 4
_STEPS_MAX = 100


class Regressor(Protocol):
    """The part of scikit-learn's regressors that is used here."""

    def fit(self, X: Floats, y: Floats) -> object:  # noqa: N803 - scikit-learn's names
        """Learn from rows."""
        ...

    def predict(self, X: Floats) -> Floats:  # noqa: N803 - scikit-learn's names
        """Expected outcomes of rows."""
        ...


class Classifier(Protocol):
    """The part of scikit-learn's classifiers that is used here."""

    classes_: Ints

    def fit(self, X: Floats, y: Ints) -> object:  # noqa: N803 - scikit-learn's names
        """Learn from rows."""
        ...

    def predict_proba(self, X: Floats) -> Floats:  # noqa: N803 - scikit-learn's names
        """Probabilities of each class for rows."""
        ...


@dataclass(frozen=True, slots=True)
class Design:
    """Features as a model reads them, (n, p), and the kind of learner they are meant for."""

    terms: Floats
    learner: Learner


def folds(clusters: Ints, count: int, seed: int) -> Ints:
    """Shape (n,): a fold for each decision, whole tasks together, folds of nearly equal numbers of tasks; repeatable by seed."""
    groups = int(clusters.max()) + 1 if len(clusters) else 0
    assigned = np.arange(groups) % max(2, min(count, groups))
    return np.random.default_rng(seed).permutation(assigned)[clusters].astype(np.int64)


def design(features: ArrayLike | None, chosen: Ints, options: int, learner: Learner | None = None) -> Design:
    """Features made ready: standardised; with splines and products where the rarest option has rows enough for each term.

    Shapes: features (n, d) or None (no context: the models are constants); give lengths and counts as logarithms. `learner`
    None chooses `spline` where it fits and `linear` otherwise; `boosted` (trees) wants thousands of rows and is chosen by name
    only.
    """
    n = len(chosen)
    if features is None:
        return Design(np.zeros((n, 0)), "linear")
    raw = np.asarray(features, dtype=np.float64)
    raw = raw[:, raw.std(axis=0) > 1e-12 * (1 + np.abs(raw.mean(axis=0)))]  # what does not vary says nothing
    if learner == "boosted":
        return Design(raw, "boosted")
    linear = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    rarest = int(np.bincount(chosen, minlength=options).min())
    curved = [column for column in linear.T if len(np.unique(column)) > _KNOTS]
    products = linear.shape[1] * (linear.shape[1] - 1) // 2
    terms = linear.shape[1] + len(curved) * (_KNOTS - 1) + products
    if learner == "linear" or (learner is None and rarest < _ROWS_PER_TERM * terms):
        return Design(linear, "linear")
    width = linear.shape[1]
    spline = np.empty((n, terms))
    spline[:, :width] = linear
    place = width
    for hinge in (hinge for column in curved for hinge in _hinges(column)):
        spline[:, place] = hinge
        place += 1
    for one, other in ((i, j) for i in range(width) for j in range(i)):
        np.multiply(linear[:, one], linear[:, other], out=spline[:, place])
        place += 1
    return Design(spline[:, :place], "spline")


def outcome_model(
    design: Design,
    outcome: Floats,
    chosen: Ints,
    options: int,
    fold: Ints,
    *,
    bounded: bool,
    learnt_from: Bools | None = None,
) -> Floats:
    """Shape (n, K): the outcome to be expected of each option, predicted by models that never saw the decision's own fold.

    Ridge regression, or boosted trees, per option on the rows where it was chosen and the outcome is known; a mean where these
    are few, and the mean over all options where there are none. Predictions are kept within the outcomes seen ([0, 1] if
    bounded). `learnt_from` (n,): the rows that models may learn from, where all are more than they need.
    """
    fitted = np.empty((len(outcome), options))
    known = ~np.isnan(outcome) if learnt_from is None else ~np.isnan(outcome) & learnt_from
    for held in np.unique(fold):
        inside, training = fold == held, (fold != held) & known
        for option in range(options):
            rows = training & (chosen == option)
            fitted[inside, option] = _predicted(design, outcome, rows, training, inside)
    return np.clip(fitted, 0.0, 1.0) if bounded else fitted


def probability_model(design: Design, label: Ints, labels: int, fold: Ints, *, learnt_from: Bools | None = None) -> Floats:
    """Shape (n, labels): the probability of each label given the features, cross-fitted; the labels' shares without features.

    Multinomial logistic regression, or boosted trees. `learnt_from` (n,): the rows that models may learn from, drawn without
    regard to the label.
    """
    probability = np.zeros((len(label), labels))
    model: Classifier | None = None
    for held in np.unique(fold):
        inside, training = fold == held, fold != held
        training = training if learnt_from is None else training & learnt_from
        seen = np.unique(label[training])
        if design.terms.shape[1] == 0 or len(seen) < 2 or int(training.sum()) < _ROWS_MIN:
            shares = np.bincount(label[training], minlength=labels) / max(1, int(training.sum()))
            probability[inside] = shares
            continue
        if model is None or not np.array_equal(model.classes_, seen):
            model = _classifier(design.learner)  # goes on from the last fold's, which had most of the rows
        with _one_thread(design.learner):
            model.fit(design.terms[training], label[training])
            probability[np.ix_(inside, model.classes_)] = model.predict_proba(design.terms[inside])
    return probability


def _predicted(design: Design, outcome: Floats, rows: Bools, training: Bools, inside: Bools) -> Floats | float:
    count = int(rows.sum())
    if count == 0:
        return float(outcome[training].mean()) if training.any() else 0.0
    mean = float(outcome[rows].mean())
    if count < max(_ROWS_MIN, 2 * design.terms.shape[1]) or design.terms.shape[1] == 0:
        return mean
    if design.learner == "boosted":
        model = _trees()
        with _one_thread(design.learner):
            model.fit(design.terms[rows], outcome[rows] - mean)
            predicted = mean + model.predict(design.terms[inside])
    else:
        terms = design.terms[rows]
        middle = terms.mean(axis=0)
        predicted = mean + (design.terms[inside] - middle) @ _ridge(terms - middle, outcome[rows] - mean)
    return np.clip(predicted, float(outcome[rows].min()), float(outcome[rows].max()))


def _hinges(column: Floats) -> Iterator[Floats]:
    """A linear spline's further terms: the column above each of its inner quantiles, standardised."""
    for knot in np.unique(np.quantile(column, np.linspace(0, 1, _KNOTS + 1)[1:-1])):
        hinge = np.maximum(column - knot, 0.0)
        if hinge.std() > 0:
            yield (hinge - hinge.mean()) / hinge.std()


def _one_thread(learner: Learner) -> AbstractContextManager[object]:
    """Trees on a few thousand rows: threads that wait for each other on a busy machine made them fifty times slower."""
    return threadpool_limits(1) if learner == "boosted" else nullcontext()


def _ridge(terms: Floats, outcome: Floats) -> Floats:
    """Coefficients of a ridge regression (penalty 1), terms and outcome centred. A decision set takes sixty small ones, for which
    scikit-learn's own spends ten times as long on checking its arguments as on solving."""
    return np.asarray(np.linalg.solve(terms.T @ terms + np.eye(terms.shape[1]), terms.T @ outcome), dtype=np.float64)


def _trees() -> Regressor:
    # Imported here: scikit-learn takes a second to load, and the commands that only print do not need it.
    from sklearn.ensemble import HistGradientBoostingRegressor

    return cast("Regressor", HistGradientBoostingRegressor(max_iter=80, max_leaf_nodes=15, learning_rate=0.1, random_state=0))


def _classifier(learner: Learner) -> Classifier:
    if learner == "boosted":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return cast(
            "Classifier", HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, learning_rate=0.1, random_state=0)
        )
    from sklearn.linear_model import LogisticRegression

    # Newton's steps, to where another changes nothing: lbfgs at its default tolerance stopped where probabilities were still off
    # by 0.008, which moved a segment's regret by a seventh, and takes twice as long.
    return cast(
        "Classifier", LogisticRegression(C=10.0, solver="newton-cholesky", tol=1e-6, max_iter=_STEPS_MAX, warm_start=True)
    )
