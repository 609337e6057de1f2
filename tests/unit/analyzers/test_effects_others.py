"""Production, risk, tails and latency quantiles against textbook formulas and known truths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analyzers.effects import latency, production, propensity, risk, tails
from analyzers.effects.estimate import InputError
from tests import naive_effects as naive

RNG = np.random.default_rng(21)
TOKENS = np.exp(0.7 * RNG.normal(size=(600, 4)) + 6)
LOGS = np.log1p(TOKENS)
ALPHA = np.array([0.1, 0.05, 0.3, 0.15])
EXACT = 0.02 * np.exp(LOGS @ ALPHA)
PRICE = np.array([1e-6, 1e-5, 1e-5, 5e-6])


def test_a_cobb_douglas_without_noise_is_recovered() -> None:
    made = production.team_production(EXACT, TOKENS, PRICE, assignment="recorded")
    assert made.form == "translog"
    share = TOKENS / (1 + TOKENS)
    for k, product in enumerate(made.products):
        expected = ALPHA[k] * (EXACT * share[:, k]).sum() / (TOKENS[:, k] * PRICE[k]).sum()
        assert product.per_dollar.value == pytest.approx(expected, rel=1e-5)
        assert product.elasticity.value == pytest.approx(ALPHA[k], rel=3e-3)
    assert all(estimate.value == pytest.approx(0.0, abs=1e-5) for estimate in made.complements.values())
    assert made.scale.value == pytest.approx(ALPHA.sum(), rel=1e-5)
    assert made.concave
    assert all(made.diminishing.values())


def test_complements_are_recovered_and_told_from_substitutes() -> None:
    centred = LOGS - LOGS.mean(axis=0)
    quality = EXACT * np.exp(0.2 * centred[:, 2] * centred[:, 3] - 0.1 * centred[:, 0] * centred[:, 1])
    made = production.team_production(quality, TOKENS, PRICE, assignment="recorded")
    assert made.complements["act", "verify"].value == pytest.approx(0.2, abs=1e-5)
    assert made.complements["read", "plan"].value == pytest.approx(-0.1, abs=1e-5)


def test_coefficients_and_errors_are_the_newton_loops() -> None:
    quality = (np.random.default_rng(1).random(600) < np.minimum(EXACT, 1)).astype(np.float64)
    centred = LOGS - LOGS.mean(axis=0)
    terms = np.column_stack([np.ones(600), centred])
    expected = naive.poisson_fit(terms, quality)
    fit = production._fit(quality, centred, [], np.zeros((600, 0)))
    assert fit.coefficients == pytest.approx(expected, rel=1e-5, abs=1e-7)
    mean = np.exp(terms @ expected)
    bread = np.linalg.inv((terms * mean[:, None]).T @ terms)
    leverage = mean * np.diag(terms @ bread @ terms.T)
    meat = sum(np.outer(z, z) * ((y - m) / (1 - h)) ** 2 for z, y, m, h in zip(terms, quality, mean, leverage, strict=True))
    errors = np.sqrt(np.diag(bread @ np.asarray(meat) @ bread))
    assert np.sqrt((fit.influence**2).sum(axis=0)) == pytest.approx(errors, rel=1e-4)


def test_equal_products_are_tested() -> None:
    quality = (np.random.default_rng(2).random(600) < np.minimum(EXACT, 1)).astype(np.float64)
    unequal = production.team_production(quality, TOKENS, np.array([1e-6, 1e-4, 1e-4, 1e-4]), assignment="recorded")
    equal = production.team_production(quality, TOKENS, ALPHA * 1e-5, assignment="recorded")
    assert equal.equal_p > 0.01
    assert 0 <= unequal.equal_p <= 1


def test_tokens_that_follow_difficulty_identify_nothing() -> None:
    made = production.team_production(EXACT, TOKENS, PRICE, assignment="unknown")
    assert {p.per_dollar.status for p in made.products} == {"not_identified"}


def test_few_tasks_and_uses_that_do_not_vary_are_told() -> None:
    few = production.team_production(EXACT[:30], TOKENS[:30], PRICE, assignment="recorded")
    assert few.products[0].per_dollar.status == "not_enough_evidence"
    still = TOKENS.copy()
    still[:, 1] = 400.0
    made = production.team_production(EXACT, still, PRICE, assignment="recorded")
    assert "plan tokens do not vary" in made.products[1].per_dollar.why
    assert made.products[2].per_dollar.status == "identified"


def test_uses_of_which_none_varies_are_told_whatever_else_does() -> None:
    draws = np.random.default_rng(4)
    made = production.team_production(
        draws.random(200), np.full((200, 4), 30.0), np.full(4, 1e-6), assignment="recorded", controls=draws.normal(size=(200, 2))
    )
    assert {product.per_dollar.status for product in made.products} == {"not_identified"}
    assert made.products[0].per_dollar.why == "no use of tokens varies between tasks"


def test_the_allocation_is_cobb_douglas() -> None:
    tokens = production.allocation([0.1, 0.0, 0.3], [1.0, 2.0, 5.0], 80.0)
    assert tokens.tolist() == pytest.approx([0.25 * 80, 0.0, 0.75 * 80 / 5])
    with pytest.raises(InputError, match="allocation"):
        production.allocation([0.0], [1.0], 80.0)


@pytest.mark.parametrize(("hits", "n"), [(0, 30), (2, 200), (30, 30)])
def test_rates_are_scipys_exact(hits: int, n: int) -> None:
    expected = stats.binomtest(hits, n).proportion_ci(method="exact")
    _, _, low, high = risk.rate(hits, n).numbers()
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_expected_loss_is_the_mean_loss_and_knows_its_worst() -> None:
    losses = np.zeros(500)
    losses[:12] = np.linspace(10, 120, 12)
    found = risk.expected_loss(losses)
    assert found.expected.value == pytest.approx(losses.mean())
    assert found.rate.value == pytest.approx(12 / 500)
    assert found.severity.value == pytest.approx(65.0)
    limits = [found.rate.numbers()[3] / found.rate.numbers()[0], found.severity.numbers()[3] / found.severity.numbers()[0]]
    expected = losses.mean() * math.exp(math.hypot(*(math.log(x) for x in limits)))
    assert found.expected.high == pytest.approx(expected)
    capped = risk.expected_loss(losses, consequence_max_usd=120.0)
    assert capped.severity.numbers()[3] <= 120.0


def test_no_incident_says_nothing_of_consequences_unless_a_worst_case_is_stated() -> None:
    assert risk.expected_loss(np.zeros(100)).expected.status == "not_enough_evidence"
    stated = risk.expected_loss(np.zeros(100), consequence_max_usd=1000.0).expected
    assert stated.numbers()[2:] == pytest.approx((0.0, 1000 * (1 - 0.025**0.01)))
    two = np.r_[np.zeros(98), 5.0, 7.0]
    few = risk.expected_loss(two).expected
    assert few.status == "not_enough_evidence"
    assert few.needs is not None
    assert few.needs.outcomes == 150  # three more incidents at 2 in 100


def test_incidents_of_one_task_count_as_fewer() -> None:
    losses = np.zeros(400)
    losses[:40] = 1.0
    alone = risk.expected_loss(losses).rate
    together = risk.expected_loss(losses, clusters=np.arange(400) // 10).rate
    assert together.numbers()[3] > alone.numbers()[3]
    assert together.value == pytest.approx(alone.value)


def test_classes_are_taken_apart() -> None:
    losses, kinds = np.r_[np.full(30, 2.0), np.zeros(70)], np.r_[np.zeros(50, np.int64), np.ones(50, np.int64)]
    found = risk.by_class(losses, kinds, consequence_max_usd={1: 10.0})
    assert found[0].rate.value == pytest.approx(0.6)
    assert found[1].expected.value == 0.0


def test_pooled_rates_lie_between_own_and_overall() -> None:
    counts, actions = [0, 1, 2, 8, 40, 3], [50, 100, 90, 1000, 500, 150]
    pooled = risk.pooled_rates(counts, actions)
    overall = sum(counts) / sum(actions)
    for k, n, estimate in zip(counts, actions, pooled, strict=True):
        value, _, low, high = estimate.numbers()
        assert low < value < high
        assert min(k / n, overall) - 0.003 < value < max(k / n, overall) + 0.003
    # One class alone knows its own rate: half a count of prior at most.
    [alone] = risk.pooled_rates([400], [1000])
    assert alone.value == pytest.approx(0.4, abs=0.01)


def test_cvar_of_a_large_share_is_the_mean_of_the_worst() -> None:
    losses = np.random.default_rng(3).exponential(size=500)
    found = tails.cvar(losses, 0.2)
    assert found.value == pytest.approx(naive.worst_mean(losses.tolist(), 0.2), rel=2e-3)  # quantiles between two losses


def test_cvar_of_a_fitted_tail_is_the_likelihoods() -> None:
    losses = np.asarray(stats.genpareto.rvs(0.2, size=1000, random_state=5))
    found = tails.cvar(losses, 0.05)
    ordered = np.sort(losses)
    threshold, excess = ordered[1000 - 126], ordered[-125:] - ordered[1000 - 126]
    shape, _, scale = stats.genpareto.fit(excess, floc=0)
    zeta = 0.05 / 0.125
    expected = threshold + scale * ((zeta**-shape - 1) / shape + zeta**-shape / (1 - shape))
    assert found.value == pytest.approx(expected, rel=0.02)  # the profile runs over a grid of shapes
    assert "peaks over threshold" in found.method


def test_cvar_of_rare_losses_is_their_expectation_over_the_share() -> None:
    losses = np.zeros(1000)
    losses[:20] = np.linspace(1, 3, 20)
    assert tails.cvar(losses, 0.05).value == pytest.approx(losses.mean() / 0.05)


def test_cvar_without_a_tail_needs_a_stated_worst_case() -> None:
    losses = np.random.default_rng(4).exponential(size=40)
    assert tails.cvar(losses, 0.05).status == "not_enough_evidence"
    bound = tails.cvar(losses, 0.05, consequence_max_usd=100.0)
    assert bound.value == pytest.approx(naive.worst_mean(losses.tolist(), 0.05))
    assert bound.high == 100.0  # forty losses cannot exclude that the worst twentieth is all of the worst kind
    with pytest.raises(InputError, match="share"):
        tails.cvar(losses, 1.5)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_latency_quantiles_are_the_loops(share: float) -> None:
    rng = np.random.default_rng(6)
    explored = rng.uniform(0.3, 0.7, size=400)
    chosen = (rng.random(400) < explored).astype(np.int64)
    seconds = np.exp(rng.normal(size=400)) + chosen
    probability = np.where(chosen == 1, explored, 1 - explored)
    made = propensity.snips(propensity.read_log(chosen, seconds, probability, options=2))
    values = [
        naive.weighted_quantile(seconds[chosen == a].tolist(), (1 / probability[chosen == a]).tolist(), share) for a in (0, 1)
    ]
    assert latency.quantile_of(made, 1, share).value == pytest.approx(values[1])
    estimate = latency.quantile_contrast(made, 1, 0, share)
    assert estimate.value == pytest.approx(values[1] - values[0])
    assert estimate.numbers()[2] < values[1] - values[0] < estimate.numbers()[3]


def test_an_extreme_quantile_of_few_lacks_evidence() -> None:
    made = propensity.snips(propensity.read_log(np.arange(60) % 2, np.arange(60.0), np.full(60, 0.5), options=2))
    assert latency.quantile_contrast(made, 1, 0, 0.99).status == "not_enough_evidence"
    with pytest.raises(InputError, match="share"):
        latency.quantile_of(made, 1, 1.0)
