"""Effects without logged propensities: right where context was recorded, silent where not, a figure on what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.effects import nuisance, observational, scores, sensitivity
from analyzers.effects.estimate import InputError, distinct, ranks
from tests import naive_effects as naive

RNG = np.random.default_rng(11)
N = 500
FEATURES = RNG.normal(size=(N, 2))
HIDDEN = RNG.normal(size=N)
CHOSEN = (RNG.random(N) < 1 / (1 + np.exp(-FEATURES[:, 0]))).astype(np.int64)
OUTCOME = 1.5 * FEATURES[:, 0] + 0.5 * CHOSEN + RNG.normal(size=N)
TASKS = np.arange(N) // 2


def observed(chosen: np.ndarray = CHOSEN, outcome: np.ndarray = OUTCOME, **more: object) -> observational.Observed:
    told = {"options": 2, "assignment": "recorded", "clusters": TASKS, **more}
    return observational.doubly_robust(chosen, outcome, FEATURES, **told)  # pyright: ignore[reportArgumentType]


def test_recorded_confounding_is_removed() -> None:
    estimate = scores.contrast(observed().scores, 1, 0)
    plain = OUTCOME[CHOSEN == 1].mean() - OUTCOME[CHOSEN == 0].mean()
    assert plain > 1.3  # far from 0.5
    _, _, low, high = estimate.numbers()
    assert low < 0.5 < high
    assert high < plain


def test_it_is_the_loop_under_its_own_propensities() -> None:
    made = observed(learner="linear", overlap_min=0.0)
    fold = nuisance.folds(made.scores.clusters, observational.FOLDS, 0)
    own = made.propensity[np.arange(N), CHOSEN]
    for option in (0, 1):
        expected = naive.augmented(FEATURES, CHOSEN, OUTCOME, own, fold, option)
        assert scores.option_mean(made.scores, option).value == pytest.approx(expected, rel=1e-9)


def test_propensities_never_saw_their_own_task() -> None:
    fold = nuisance.folds(np.unique(TASKS, return_inverse=True)[1], observational.FOLDS, 0)
    assert all(len(set(fold[task == TASKS])) == 1 for task in range(N // 2))
    flipped = CHOSEN.copy()
    flipped[fold == 0] = 1 - flipped[fold == 0]
    same = observed(flipped).propensity[fold == 0] == observed().propensity[fold == 0]
    assert same.all()


@pytest.mark.parametrize(("labels", "strength"), [(2, 5.0), (3, 10.0)])  # of two labels scikit-learn penalises one slope for both
def test_propensities_are_those_of_the_likelihoods_top(labels: int, strength: float) -> None:
    rng = np.random.default_rng(5)
    features = rng.normal(size=(400, 3)) * [1.0, 1.0, 30.0]
    label = (features[:, 0] + rng.logistic(size=400) > 0).astype(np.int64) * rng.integers(1, labels, size=400)
    ready, fold = nuisance.design(features, label, labels, "spline"), nuisance.folds(np.arange(400), 4, 0)
    found = nuisance.probability_model(ready, label, labels, fold)
    for held in range(4):
        rest, inside = ready.terms[fold != held], ready.terms[fold == held]
        expected = naive.label_probabilities(rest, label[fold != held].tolist(), labels, strength, inside)
        assert found[fold == held] == pytest.approx(expected, abs=1e-5)


def test_a_label_that_a_fold_lacks_has_no_chance_there() -> None:
    features, fold = RNG.normal(size=(80, 2)), np.arange(80) % 2
    label = np.where(np.arange(80) == 0, 2, (features[:, 0] > 0).astype(np.int64))
    found = nuisance.probability_model(nuisance.design(features, label, 3, "linear"), label, 3, fold)
    assert (found[fold == 0, 2] == 0).all()
    assert (found[fold == 1, 2] > 0).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(80))


@pytest.mark.parametrize("labels", [[3, 3, -2, 7, -2], [0, 1, 2, 1], [10**9, 0, 5], ["b", "a", "b"], [4]])
def test_labels_are_ranked_as_numpy_ranks_them(labels: list[object]) -> None:
    told = np.array(labels)
    different, places = np.unique(told, return_inverse=True)
    assert ranks(told).tolist() == places.tolist()
    assert distinct(told) == len(different)


def test_boosted_learners_serve_too() -> None:
    _, _, low, high = scores.contrast(observed(learner="boosted").scores, 1, 0).numbers()
    assert low < 0.5 < high


def test_decisions_without_overlap_are_trimmed_and_the_estimand_says_so() -> None:
    chosen = (np.random.default_rng(1).random(N) < 1 / (1 + np.exp(-3 * FEATURES[:, 0]))).astype(np.int64)
    outcome = FEATURES[:, 0] + 0.5 * chosen + np.random.default_rng(2).normal(size=N)
    estimate = scores.contrast(observed(chosen, outcome).scores, 1, 0)
    assert estimate.n < N
    assert "where every option compared had a chance" in estimate.estimand


@pytest.mark.parametrize(
    ("chosen", "more", "why"),
    [
        (CHOSEN, {"assignment": "unknown"}, "not recorded"),
        ((FEATURES[:, 0] > 0).astype(np.int64), {}, "no overlap"),
        (np.zeros(N, np.int64), {}, "never chosen"),
        ((HIDDEN + RNG.normal(size=N) > 0).astype(np.int64), {"controls": HIDDEN[:, None]}, "negative control 0"),
    ],
)
def test_what_is_not_identified_has_no_number(chosen: np.ndarray, more: dict[str, object], why: str) -> None:
    estimate = scores.contrast(observed(chosen, OUTCOME, **more).scores, 1, 0)
    assert (estimate.status, estimate.value) == ("not_identified", None)
    assert why in estimate.why


def test_a_control_that_the_option_does_not_move_passes() -> None:
    assert scores.contrast(observed(controls=HIDDEN[:, None]).scores, 1, 0).status == "identified"


def test_without_context_it_is_the_comparison_of_means() -> None:
    made = observational.doubly_robust(CHOSEN, OUTCOME, None, options=2, assignment="recorded")
    value = scores.contrast(made.scores, 1, 0).numbers()[0]
    assert value == pytest.approx(
        OUTCOME[CHOSEN == 1].mean() - OUTCOME[CHOSEN == 0].mean(), abs=0.02
    )  # folds' means differ a little


def test_within_tasks_is_the_loop_and_needs_no_context() -> None:
    rng = np.random.default_rng(3)
    tasks = np.repeat(np.arange(60), 5)
    difficulty = rng.normal(size=60)[tasks]
    chosen = (rng.random(300) < 1 / (1 + np.exp(-2 * difficulty))).astype(np.int64)
    outcome = 0.3 * chosen - 2 * difficulty + 0.1 * rng.normal(size=300)
    gaps: list[float] = []
    for task in range(60):
        arms = [outcome[(tasks == task) & (chosen == option)] for option in (0, 1)]
        if len(arms[0]) and len(arms[1]):
            gaps.append(arms[1].mean() - arms[0].mean())
    estimate = scores.contrast(observational.within_tasks(chosen, outcome, tasks, options=2), 1, 0)
    assert estimate.numbers()[0] == pytest.approx(np.mean(gaps), rel=1e-9)
    assert estimate.numbers()[1] == pytest.approx(np.std(gaps, ddof=1) / np.sqrt(len(gaps)), rel=1e-9)
    assert estimate.clusters == len(gaps)


def test_tasks_that_tried_one_option_only_say_nothing() -> None:
    made = observational.within_tasks(CHOSEN, OUTCOME, np.arange(N), options=2)
    assert scores.contrast(made, 1, 0).status == "not_identified"


def test_without_hidden_confounding_the_bounds_meet_the_effect() -> None:
    made = observed()
    effect = scores.contrast(made.scores, 1, 0)
    for bound in sensitivity.bounds(made, 1, 0, gamma=1.0):
        assert bound.numbers() == pytest.approx(effect.numbers(), rel=1e-9)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_extreme_weights_are_the_best_corner(direction: float) -> None:
    rng = np.random.default_rng(4)
    residual, odds = rng.normal(size=9), rng.exponential(size=9)
    residual.sort()
    weights = sensitivity._Arm(np.arange(9), residual, odds, np.ones(9)).weights(2.0, direction)
    found = float((weights * residual).sum() / weights.sum())
    assert direction * found == pytest.approx(naive.extreme_mean((direction * residual).tolist(), odds.tolist(), 2.0), rel=1e-12)


@pytest.mark.parametrize(("ratio", "e_value"), [(10.73, 20.95), (3.9, 7.26), (1.0, 1.0), (0.5, 3.41)])
def test_e_values_are_the_papers(ratio: float, e_value: float) -> None:
    assert sensitivity._e_value(ratio) == pytest.approx(e_value, abs=0.01)


def test_the_tipping_point_is_where_the_bounds_take_in_zero() -> None:
    made = observed()
    found = sensitivity.sensitivity(made, 1, 0)
    assert found is not None
    assert 1 < found.tipping_gamma < 2
    just_below, just_above = (sensitivity.bounds(made, 1, 0, gamma=found.tipping_gamma * f)[0].numbers()[2] for f in (0.99, 1.01))
    assert just_above < 0 < just_below
    assert found.e_value > found.e_value_limit > 1


def test_the_bound_covers_what_a_hidden_cause_does() -> None:
    covered = plain = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        hidden = rng.choice([-1.0, 1.0], size=400)
        chosen = (rng.random(400) < np.where(hidden > 0, 0.65, 0.35)).astype(np.int64)  # odds × 1.86 at most
        outcome = hidden + rng.normal(size=400)
        made = observational.doubly_robust(chosen, outcome, None, options=2, assignment="unknown")
        lower, upper = sensitivity.bounds(made, 1, 0, gamma=1.86)
        covered += lower.numbers()[2] <= 0 <= upper.numbers()[3]
        plain += scores.contrast(sensitivity._as_if_identified(made.scores), 1, 0).excludes()
    assert covered >= 38
    assert plain >= 36  # the effect that is not there would have been claimed


def test_a_gamma_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="gamma"):
        sensitivity.bounds(observed(), 1, 0, gamma=0.5)
