"""Effects from logged propensities agree with the textbook's loops, cover a known truth, and say why when they cannot answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analyzers.effects import intervals, nuisance, propensity, scores
from analyzers.effects.estimate import Basis, Estimate, InputError
from tests import naive_effects as naive

RNG = np.random.default_rng(7)
N = 240
FEATURES = RNG.normal(size=(N, 2))
SHARE = 1 / (1 + np.exp(-FEATURES[:, 0]))
CHOSEN = (RNG.random(N) < SHARE).astype(np.int64)
PROPENSITY = np.where(CHOSEN == 1, SHARE, 1 - SHARE)
COST = FEATURES[:, 0] + 0.5 * CHOSEN + RNG.normal(size=N)
QUALITY = (COST > 0).astype(np.float64)
TASKS = np.arange(N) // 3


def log(outcome: np.ndarray = COST, **more: object) -> propensity.Log:
    return propensity.read_log(CHOSEN, outcome, PROPENSITY, options=2, clusters=TASKS, features=FEATURES, **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("method", "formula"), [(propensity.ips, naive.horvitz_thompson), (propensity.snips, naive.hajek)])
def test_weighted_means_are_the_textbooks(method: object, formula: object) -> None:
    made = method(log())  # pyright: ignore[reportCallIssue]
    for option in (0, 1):
        expected = formula(CHOSEN.tolist(), COST.tolist(), PROPENSITY.tolist(), option)  # pyright: ignore[reportCallIssue]
        assert scores.option_mean(made, option).value == pytest.approx(expected, rel=1e-12)


def test_doubly_robust_is_the_loop() -> None:
    made = propensity.doubly_robust(log(), learner="linear", seed=3)
    fold = nuisance.folds(log().clusters, propensity.FOLDS, 3)
    means = [naive.augmented(FEATURES, CHOSEN, COST, PROPENSITY, fold, option) for option in (0, 1)]
    assert scores.option_mean(made, 0).value == pytest.approx(means[0], rel=1e-9)
    assert scores.contrast(made, 1, 0).value == pytest.approx(means[1] - means[0], rel=1e-9)


def test_errors_are_clustered_as_in_the_loop() -> None:
    made = propensity.snips(log())
    values = made.values(1) - made.values(0)
    expected = naive.clustered_error(values.tolist(), TASKS.tolist())
    assert scores.contrast(made, 1, 0).standard_error == pytest.approx(expected, rel=1e-12)


def test_with_one_propensity_snips_is_the_difference_of_means() -> None:
    made = propensity.snips(propensity.read_log(CHOSEN, COST, np.full(N, 0.5), options=2))
    estimate = scores.contrast(made, 1, 0)
    assert estimate.value == pytest.approx(COST[CHOSEN == 1].mean() - COST[CHOSEN == 0].mean(), rel=1e-12)
    welch = math.sqrt(sum(COST[a == CHOSEN].var(ddof=0) / np.count_nonzero(a == CHOSEN) for a in (0, 1)))
    assert estimate.standard_error == pytest.approx(welch, rel=1e-2)  # n against n − 1


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (3, 20), (20, 20), (50, 100)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert intervals.wilson(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_one_arm_of_equal_outcomes_is_not_certain() -> None:
    chosen = np.array([0] * 20 + [1] * 20)
    made = propensity.snips(propensity.read_log(chosen, np.ones(40), np.full(40, 0.5), options=2))
    low, high = intervals.wilson(1.0, 20.0)
    estimate = scores.option_mean(made, 1)
    assert (estimate.low, estimate.high) == (pytest.approx(low), pytest.approx(high))
    assert scores.contrast(made, 1, 0).excludes() is False


def test_a_skewless_mean_gets_the_t_interval() -> None:
    values = np.concatenate([np.arange(1.0, 11), -np.arange(1.0, 11)])
    of = intervals.spread(values, np.arange(20))
    critical = intervals.quantile(of.degrees)
    assert of.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(20))
    assert intervals.skewed(of).high == pytest.approx(critical * of.standard_error)


@pytest.mark.parametrize("events", [1, 4, 9, 400])
def test_a_sum_of_equal_events_gets_garwoods_limits(events: int) -> None:
    sums = np.zeros(1)
    of = intervals.Spread(float(events), math.sqrt(events), 1 / math.sqrt(events), math.inf, sums)
    expected = stats.chi2.ppf(0.025, 2 * events) / 2, stats.chi2.ppf(0.975, 2 * (events + 1)) / 2
    found = intervals.skewed(of)
    assert (found.low, found.high) == (pytest.approx(expected[0], rel=1e-4), pytest.approx(expected[1], rel=1e-4))
    mirrored = intervals.skewed(intervals.Spread(-float(events), of.standard_error, -of.skew, math.inf, sums))
    assert (mirrored.low, mirrored.high) == (pytest.approx(-found.high), pytest.approx(-found.low))
    half = intervals.skewed(of, skew_share=0.5)
    reach = intervals.quantile(math.inf) * of.standard_error
    assert half.high == pytest.approx((found.high + events + reach) / 2)


def test_rare_losses_are_covered_without_limits_that_say_nothing() -> None:
    """Of 230 tasks one in fifty loses: a normal interval misses a loss that few met, one through the skew's cube root was
    almost three times as wide as a normal one."""
    rng = np.random.default_rng(11)
    covered, wide = 0, list[float]()
    for _ in range(400):
        losses = (rng.random(230) < 0.02) * np.exp(0.4 * rng.normal(size=230) - 0.08)
        if not losses.any():
            continue
        of = intervals.spread(losses.astype(np.float64), np.arange(230))
        found = intervals.skewed(of)
        covered += found.low <= 0.02 <= found.high
        wide.append((found.high - found.low) / (2 * intervals.quantile(math.inf) * of.standard_error))
    assert covered / len(wide) >= 0.97
    assert float(np.median(wide)) < 1.6


def test_limits_of_a_difference_meet_newcombes() -> None:
    one, other = (intervals.Bounds(k / n, *intervals.wilson(k / n, n)) for k, n in ((56, 70), (48, 80)))
    joined = intervals.difference(one, other)
    assert (joined.low, joined.high) == (
        pytest.approx(0.0524, abs=1e-4),
        pytest.approx(0.3339, abs=1e-4),
    )  # Newcombe 1998, table II a


def test_quality_covers_at_small_n() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        chosen = (rng.random(150) < 0.1).astype(np.int64)
        outcome = (rng.random(150) < np.where(chosen == 1, 0.9, 0.8)).astype(np.float64)
        made = propensity.snips(propensity.read_log(chosen, outcome, np.where(chosen == 1, 0.1, 0.9), options=2))
        _, _, low, high = scores.contrast(made, 1, 0).numbers()
        covered += low <= 0.1 <= high
    assert 183 <= covered <= 199  # 95 % of 200 within 2.3 standard errors; the seeds are fixed


def test_unknown_outcomes_are_weighted_back() -> None:
    hidden = np.where((FEATURES[:, 1] > 0.5) & (RNG.random(N) < 0.7), np.nan, COST)
    estimate = scores.contrast(propensity.doubly_robust(log(hidden)), 1, 0)
    full = scores.contrast(propensity.doubly_robust(log()), 1, 0)
    assert "missing at random" in estimate.estimand
    assert abs(estimate.numbers()[0] - full.numbers()[0]) < full.numbers()[1]


def test_an_option_that_had_no_chance_is_not_identified() -> None:
    made = propensity.snips(propensity.read_log(np.zeros(50, np.int64), COST[:50], np.ones(50), options=2))
    estimate = scores.contrast(made, 1, 0)
    assert (estimate.status, estimate.value) == ("not_identified", None)
    assert "never had a chance" in estimate.why


def test_an_option_that_had_no_luck_lacks_evidence() -> None:
    made = propensity.snips(propensity.read_log(np.zeros(50, np.int64), COST[:50], np.full(50, 0.95), options=2))
    assert scores.contrast(made, 1, 0).status == "not_enough_evidence"


def test_rows_decided_with_certainty_are_left_out_by_name() -> None:
    certain = np.where(np.arange(N) < 60, 1.0, PROPENSITY)
    chosen = np.where(np.arange(N) < 60, 0, CHOSEN)
    estimate = scores.contrast(propensity.snips(propensity.read_log(chosen, COST, certain, options=2)), 1, 0)
    assert estimate.n == N - 60
    assert "75%" in estimate.estimand


def test_propensities_that_contradict_the_choices_are_refused() -> None:
    chosen = (np.random.default_rng(1).random(1000) < 0.2).astype(np.int64)
    made = propensity.snips(propensity.read_log(chosen, np.ones(1000), np.full(1000, 0.5), options=2))
    estimate = scores.contrast(made, 1, 0)
    assert estimate.status == "not_identified"
    assert "contradict" in estimate.why


def test_segments_are_the_slices() -> None:
    places = np.arange(N) % 2
    made = propensity.snips(log())
    for place, estimate in scores.by_segment(made, places, 1, 0).items():
        assert estimate == scores.contrast(made.take(places == place), 1, 0)


def test_a_tilt_by_the_bases_propensity_is_the_effect_on_those_that_took_it() -> None:
    rng = np.random.default_rng(5)
    context = rng.integers(0, 2, size=4000)
    share = np.where(context == 1, 0.8, 0.2)
    chosen = (rng.random(4000) < share).astype(np.int64)
    outcome = chosen * np.where(context == 1, 2.0, 1.0)  # no noise: the effect is 2 where context is 1, else 1
    made = propensity.snips(propensity.read_log(chosen, outcome, np.where(chosen == 1, share, 1 - share), options=2))
    on_base = scores.contrast(made, 1, 0, tilt=1 - share)
    assert on_base.numbers()[0] == pytest.approx(1.2, abs=0.08)  # P(context | base) = 0.2; four errors of 0.02
    assert scores.contrast(made, 1, 0).numbers()[0] == pytest.approx(1.5, abs=0.08)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"propensity": np.full(N, 1.5)}, "propensity"),
        ({"propensity": np.zeros(N)}, "propensity"),
        ({"chosen": np.full(N, 2)}, "chosen"),
        ({"chosen": np.full(N, 0.5)}, "chosen"),
        ({"outcome": np.full(N, np.inf)}, "outcome"),
        ({"outcome": np.zeros(0)}, "outcome is empty"),
        ({"clusters": np.zeros(3)}, "clusters"),
        ({"features": np.full((N, 1), np.nan)}, "features"),
        ({"menu": np.full((N, 2), 0.5)}, "menu"),
    ],
)
def test_impossible_arrays_are_named(change: dict[str, np.ndarray], named: str) -> None:
    told = {"chosen": CHOSEN, "outcome": COST, "propensity": PROPENSITY, "options": 2, **change}
    with pytest.raises(InputError, match=named):
        propensity.read_log(**told)  # pyright: ignore[reportArgumentType]


def test_an_estimate_cannot_say_what_it_does_not_know() -> None:
    with pytest.raises(InputError, match="has no numbers"):
        Estimate(0.1, 0.1, 0.0, 0.2, 5, 5, "m", "all", "not_identified", "because")
    with pytest.raises(InputError, match="reason"):
        Basis(5, 5, "m", "all").nothing("not_enough_evidence", "")
    with pytest.raises(InputError, match="all its numbers"):
        Basis(5, 5, "m", "all").found(float("nan"), 0.1, 0.0, 0.2)
    with pytest.raises(InputError, match="no number"):
        Basis(5, 5, "m", "all").nothing("not_identified", "no overlap").numbers()


def test_overlap_counts_effective_tasks() -> None:
    found = scores.overlap(propensity.snips(log()), 1)
    totals = [sum(1 / p for p, a in zip(PROPENSITY[g == TASKS], CHOSEN[g == TASKS], strict=True) if a == 1) for g in range(80)]
    assert found.effective == pytest.approx(sum(totals) ** 2 / sum(t * t for t in totals))
    assert found.weight_max == pytest.approx(max(totals) / sum(totals))
    assert (found.chosen, found.supported) == (int(CHOSEN.sum()), 1.0)
