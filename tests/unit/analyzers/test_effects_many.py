"""Many segments at once: power, false discoveries, pooling, regret."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analyzers.effects import multiplicity, nuisance, pooling, power, propensity, regret, scores
from analyzers.effects.estimate import Basis, Estimate, InputError
from tests import naive_effects as naive


def normal(value: float, error: float, n: int = 100) -> Estimate:
    return Basis(n, n, "mean", "segment").found(value, error, value - 1.959964 * error, value + 1.959964 * error)


def test_power_is_the_share_of_draws_that_find_it() -> None:
    draws = np.random.default_rng(1).normal(2.5, 1.0, size=200_000)
    assert power.power(2.5, 1.0) == pytest.approx((np.abs(draws) > 1.959964).mean(), abs=0.004)  # four errors of 0.001
    t = draws / np.sqrt(np.random.default_rng(2).chisquare(8, size=200_000) / 8)
    assert power.power(2.5, 1.0, degrees=8) == pytest.approx((np.abs(t) > stats.t.ppf(0.975, 8)).mean(), abs=0.004)


def test_outcomes_needed_is_the_textbooks() -> None:
    # Two groups of 63 find half a standard deviation in 80 % of cases: the usual table of sample sizes.
    assert power.outcomes_needed(2 / math.sqrt(100), 100, 0.5, chance=0.8) == 126


@pytest.mark.parametrize(("n", "materiality"), [(1000, 0.15), (5000, 0.1), (400, 0.5)])
def test_the_exploration_needed_gives_just_that_power(n: int, materiality: float) -> None:
    share = power.exploration_needed(0.5, 0.4, n, materiality)
    assert share is not None
    error = math.sqrt(0.25 / (n * share) + 0.16 / (n * (1 - share)))
    assert power.power(materiality, error) == pytest.approx(0.9, abs=1e-3)


def test_no_exploration_helps_a_log_that_is_too_short() -> None:
    assert power.exploration_needed(0.5, 0.5, 50, 0.05) is None


@pytest.mark.parametrize(
    ("value", "error", "status"),
    [(0.3, 0.1, "identified"), (0.0, 0.01, "identified"), (0.1, 0.1, "not_enough_evidence")],
)
def test_a_verdict_needs_zero_or_materiality_excluded(value: float, error: float, status: str) -> None:
    judged = power.judge(normal(value, error), 0.1)
    assert judged.status == status
    if judged.needs is not None and judged.needs.outcomes is not None:
        error_then = error * math.sqrt(100 / (100 + judged.needs.outcomes))
        assert power.power(0.1, error_then) == pytest.approx(0.9, abs=0.01)


def test_a_verdict_names_the_exploration_that_would_settle_it() -> None:
    rng = np.random.default_rng(12)
    chosen = (rng.random(2000) < 0.02).astype(np.int64)
    cost = 0.2 * rng.normal(size=2000)
    made = propensity.snips(propensity.read_log(chosen, cost, np.where(chosen == 1, 0.02, 0.98), options=2))
    spreads = scores.deviations(made, 1, 0)
    assert spreads == pytest.approx((cost[chosen == 1].std(), cost[chosen == 0].std()), rel=1e-9)
    judged = power.judge(scores.contrast(made, 1, 0), 0.05, deviations=spreads)
    assert judged.status == "not_enough_evidence"
    assert judged.needs is not None
    assert judged.needs.exploration_rate == power.exploration_needed(*spreads, 2000, 0.05)
    few = scores.contrast(made.take(np.arange(400)), 1, 0)
    assert few.status == "not_enough_evidence"
    assert few.needs is not None
    assert few.needs.outcomes is not None


def test_p_values_agree_with_intervals() -> None:
    for value, error in ((0.196, 0.1), (0.1959, 0.1), (-0.4, 0.1), (0.0, 0.1)):
        estimate = normal(value, error)
        assert (multiplicity.p_value(estimate) < 0.05) == estimate.excludes()
        assert multiplicity.p_value(estimate) == pytest.approx(2 * stats.norm.sf(abs(value) / error), rel=1e-5)
    assert multiplicity.p_value(normal(-0.4, 0.1), side="above") == 1.0
    assert multiplicity.p_value(Basis(5, 5, "m", "all").nothing("not_identified", "why")) == 1.0


def test_findings_are_the_loops() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        estimates = [normal(float(v), 1.0) for v in rng.normal(size=30) + 3 * (rng.random(30) < 0.2)]
        expected = naive.benjamini_hochberg([multiplicity.p_value(e) for e in estimates], multiplicity.RATE)
        found = multiplicity.false_discovery(estimates)
        assert set(found.flagged) == expected
        careful = multiplicity.false_discovery(estimates, dependence="any")
        assert set(careful.flagged) <= expected


def test_selected_intervals_are_wider_the_rarer_the_selection() -> None:
    flags = multiplicity.false_discovery([normal(5.0, 1.0), *[normal(0.1, 1.0)] * 9])
    [selected] = flags.selected
    assert selected.level == pytest.approx(1 - multiplicity.RATE / 10)
    assert selected.low == pytest.approx(5.0 - stats.norm.ppf(1 - multiplicity.RATE / 20), abs=1e-4)


def test_estimates_without_numbers_cost_nothing() -> None:
    missing = Basis(5, 5, "m", "all").nothing("not_enough_evidence", "few")
    flags = multiplicity.false_discovery([missing, normal(3.0, 1.0), missing])
    assert flags.flagged == (1,)
    assert math.isnan(flags.adjusted[0])
    assert multiplicity.false_discovery([missing]).flagged == ()


def test_pooled_means_are_the_loops() -> None:
    rng = np.random.default_rng(4)
    errors = rng.uniform(0.2, 0.6, size=12)
    values = 1 + 0.3 * rng.normal(size=12) + errors * rng.normal(size=12)
    pooled = pooling.pool([normal(float(v), float(s)) for v, s in zip(values, errors, strict=True)])
    expected = naive.hierarchical_means(values.tolist(), errors.tolist())
    assert [e.value for e in pooled.estimates] == pytest.approx(expected, abs=0.01)  # grids of 200 and 4000 points


def test_pooling_draws_the_unsure_and_leaves_the_sure() -> None:
    pooled = pooling.pool([normal(0.0, 0.1), normal(0.2, 0.1), normal(-0.2, 0.1), normal(0.1, 0.1), normal(2.0, 1.0)])
    assert pooled.weights[0] > 0.5 > pooled.weights[4]
    assert pooled.estimates[4].numbers()[0] < 0.7
    few = [normal(0.0, 1.0)] * 4
    assert pooling.pool(few).estimates == tuple(few)


def test_regret_is_the_loop() -> None:
    rng = np.random.default_rng(6)
    chosen, outcome = rng.integers(0, 3, size=300), rng.normal(size=300)
    outcome = outcome + 0.5 * (chosen == 2)
    made = propensity.snips(propensity.read_log(chosen, outcome, np.full(300, 1 / 3), options=3))
    fold = nuisance.folds(made.clusters, regret.FOLDS, 0)
    gaps = np.column_stack([made.values(option) - outcome for option in range(3)])
    total = 0.0
    for held in range(regret.FOLDS):
        means = [gaps[fold != held, option].mean() for option in range(3)]
        best = max(range(3), key=means.__getitem__)
        total += sum(gaps[i, best] for i in range(300) if fold[i] == held and means[best] > 0)
    found = regret.regret(made)
    assert found.estimate.value == pytest.approx(total / 300, rel=1e-9)
    assert found.best == 2
    assert found.estimate.excludes()


def test_nothing_better_is_nothing_found() -> None:
    found, values = 0, list[float]()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        chosen = rng.integers(0, 4, size=200)
        made = propensity.snips(propensity.read_log(chosen, rng.exponential(size=200), np.full(200, 0.25), options=4))
        estimate = regret.regret(made).estimate
        found += estimate.numbers()[2] > 0
        values.append(estimate.numbers()[0])
    assert found <= 5
    assert np.mean(values) < 2 * np.std(values) / math.sqrt(100)  # no positive bias beyond two errors
    assert np.mean(values) < 0.02  # the plain maximum of four means would be 0.1 on average


def test_an_option_without_evidence_is_named() -> None:
    chosen = np.array([0] * 50 + [1] * 48 + [2] * 2)
    made = propensity.snips(propensity.read_log(chosen, np.random.default_rng(1).normal(size=100), np.full(100, 0.33), options=3))
    assert "options 2 without evidence" in regret.regret(made).estimate.estimand


def test_a_policys_gain_is_the_loop() -> None:
    rng = np.random.default_rng(8)
    chosen, outcome = rng.integers(0, 2, size=200), rng.normal(size=200)
    share = rng.random(200)
    made = propensity.ips(propensity.read_log(chosen, outcome, np.full(200, 0.5), options=2))
    total = sum((share[i] if chosen[i] == 1 else 1 - share[i]) * outcome[i] / 0.5 - outcome[i] for i in range(200))
    policy = np.column_stack([1 - share, share])
    assert regret.policy_gain(made, policy).value == pytest.approx(total / 200, rel=1e-12)
    with pytest.raises(InputError, match="add up"):
        regret.policy_gain(made, policy / 2)


def test_the_policy_of_segments_is_learnt_on_other_tasks() -> None:
    rng = np.random.default_rng(9)
    places, chosen = np.repeat([0, 1], 400), rng.integers(0, 2, size=800)
    outcome = np.where(places == chosen, 1.0, 0.0) + rng.normal(size=800)  # each segment has its own best
    made = propensity.snips(propensity.read_log(chosen, outcome, np.full(800, 0.5), options=2))
    policy = regret.best_by_segment(made, places)
    assert policy[places == 0, 0].all()
    assert policy[places == 1, 1].all()
    _, _, low, high = regret.policy_gain(made, policy).numbers()
    assert low < 0.5 < high
    assert low > 0


def test_net_value_is_equation_one() -> None:
    net = regret.net_value([0.9, np.nan], [5.0, 1.0], [2.0, 2.0], [0.1, 0.0], v_usd=100.0, lam=0.5, rho=50.0)
    assert net[0] == pytest.approx(100 * 0.9 - 5 - 0.5 * 2 - 50 * 0.1)
    assert math.isnan(net[1])


def test_regret_without_identification_has_no_number() -> None:
    made = propensity.snips(propensity.read_log(np.zeros(50, np.int64), np.ones(50), np.ones(50), options=2))
    assert regret.regret(made).estimate.status == "not_identified"
    assert scores.option_mean(made, 0).status == "identified"
