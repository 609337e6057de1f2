"""Quantiles of latency, pooling in groups and the risk of actions against loops of another hand and known truths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.across import Sibling, borrowed
from analyzers.attribution.choices import Choices
from analyzers.attribution.fit import fit
from analyzers.attribution.later import Later, later
from analyzers.attribution.segments import Band, Found, Segment, correlated
from analyzers.effects.estimate import Basis, Estimate, Floats, InputError
from analyzers.effects.latency import quantile_contrast
from analyzers.effects.propensity import read_log, snips
from analyzers.effects.risk import pooled_rates
from analyzers.effects.siblings import pool_groups
from analyzers.reports.risk import Acted, weighed
from tests import naive_effects as naive

# ── seconds ──────────────────────────────────────────────────────────────────────────────────────────


def world(n: int, seed: int, *, shift: float = 0.4, lam: float = 0.01, assignment: str = "logged") -> Choices:
    """n tasks of which hard ones wait longer and are given option b more often; b multiplies what each waits by e^shift."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(size=n)
    p = np.where(hard > 0, 0.5, 0.2)
    chosen = (rng.random(n) < p).astype(np.int64)
    waits = np.exp(1 + 0.5 * hard + 0.6 * rng.normal(size=n))
    unknown = np.full(n, np.nan)
    return Choices(
        ("a", "b"), chosen, np.arange(n), np.linspace(1.7e9, 1.701e9, n), (rng.random(n) < 0.7).astype(np.float64),
        np.full(n, 0.1), unknown, np.where(chosen == 1, waits * np.exp(shift), waits), unknown, np.full(n, 2.0), np.full(n, lam),
        unknown, np.where(chosen == 1, p, 1 - p), np.column_stack([1 - p, p]),
        "logged" if assignment == "logged" else "unknown", hard[:, None], ("hard",),
    )  # fmt: skip


def of(choices: Choices) -> dict[float, Later]:
    return {each.share: each for each in later(fit(choices, seed=1))}


def test_confounded_seconds_are_weighed_to_be_those_of_all() -> None:
    choices = world(3000, 3)
    assert choices.menu is not None
    found = of(choices)
    weights = 1 / choices.menu[np.arange(3000), choices.chosen]
    hard = np.random.default_rng(8).normal(size=400_000)
    waits = np.exp(1 + 0.5 * hard + 0.6 * np.random.default_rng(9).normal(size=400_000))
    for share, each in found.items():
        took = [choices.chosen == option for option in (0, 1)]
        a, b = (naive.weighted_quantile(choices.latency_s[rows].tolist(), weights[rows].tolist(), share) for rows in took)
        assert (each.option, each.base, each.base_s) == ("b", "a", pytest.approx(a))
        value, _, low, high = each.later.numbers()
        assert value == pytest.approx(b - a)
        true = float(np.quantile(waits, share)) * (np.exp(0.4) - 1)
        assert low <= true <= high
        plain = [float(np.quantile(choices.latency_s[rows], share)) for rows in took]
        assert plain[1] - plain[0] > high, "hard tasks wait longer, whoever answers"
        assert each.later.status == "identified"


def test_seconds_that_do_not_differ_say_what_would_settle_it() -> None:
    for each in of(world(800, 14, shift=0.0)).values():
        assert each.later.status == "not_enough_evidence"
        assert each.later.low is not None
        assert each.later.high is not None
        assert each.later.low <= 0 <= each.later.high
        assert each.later.needs is not None
        assert (each.later.needs.outcomes or 0) > 0


def test_seconds_are_unknown_where_nothing_tells_them_apart() -> None:
    unpriced = of(world(300, 5, lam=np.nan))[0.5].later
    assert (unpriced.status, unpriced.value) == ("not_identified", None)
    assert "λ is not known: state it" in unpriced.why
    alone = of(world(300, 5, assignment="unknown"))[0.95].later
    assert (alone.status, alone.value) == ("not_identified", None)
    assert "was not recorded" in alone.why
    assert later(fit(replace(world(300, 5), unmoved=("latency",)), seed=1)) == ()


def test_an_option_taken_on_other_work_has_no_number() -> None:
    choices = world(600, 6)
    assert choices.menu is not None
    rare = np.where(choices.features[:, 0] > 1.0, 0.5, 0.01)
    chosen = (np.random.default_rng(2).random(600) < np.where(choices.features[:, 0] > 1.0, 0.5, 0.0)).astype(np.int64)
    told = replace(
        choices, chosen=chosen, propensity=np.where(chosen == 1, rare, 1 - rare), menu=np.column_stack([1 - rare, rare])
    )  # fmt: skip
    for each in of(told).values():
        assert each.later.value is None
        assert "hard" in each.later.why or "beyond the quantile" in each.later.why or "average" in each.later.why


def test_a_quantile_needs_both_options_where_both_had_a_chance() -> None:
    outcome = np.arange(40.0)
    chosen = np.r_[np.ones(20, np.int64), np.zeros(20, np.int64)]
    menu = np.r_[np.tile([0.0, 1.0], (20, 1)), np.tile([0.5, 0.5], (20, 1))]
    log = read_log(chosen, outcome, menu[np.arange(40), chosen], options=2, menu=menu)
    found = quantile_contrast(snips(log), 1, 0, 0.5)
    assert (found.status, found.value) == ("not_enough_evidence", None) or found.status == "not_identified"


# ── siblings ─────────────────────────────────────────────────────────────────────────────────────────

BASIS = Basis(50, 50, "own", "these")
STEPS = (np.arange(24) + 0.5) / 24


def known(value: float, error: float) -> Estimate:
    return BASIS.found(value, error, value - 1.959964 * error, value + 1.959964 * error)


def test_groups_are_pooled_as_one_dense_normal_says() -> None:
    rng = np.random.default_rng(4)
    groups = [0, 0, 0, 1, 1, 2, 3, 3]
    errors = (0.3 + rng.random(8)).tolist()
    values: list[float | None] = (1 + np.array([0.5, -0.4, 0.1, 0.9])[groups] + rng.normal(size=8) * errors).tolist()
    values[4] = None
    estimates = [
        BASIS.nothing("not_enough_evidence", "few") if v is None else known(v, e) for v, e in zip(values, errors, strict=True)
    ]
    pooled = pool_groups(estimates, groups, [0.5] * 8)
    assert pooled is not None
    seen = np.array([v for v in values if v is not None])
    reach = 3 * seen.std() + float(np.median([e for v, e in zip(values, errors, strict=True) if v is not None]))
    expected = naive.grouped_means(values, errors, groups, 0.5, STEPS * reach)
    for one, (mean, deviation) in zip(pooled.estimates, expected, strict=True):
        value, error, low, high = one.numbers()
        assert (value, error) == pytest.approx((mean, deviation), rel=2e-3, abs=2e-3)
        assert low < value < high
    assert pooled.weights[4] == 0, "all of it is its siblings'"
    assert all(0 < weight < 1 for k, weight in enumerate(pooled.weights) if k != 4)


def test_what_is_not_identified_borrows_nothing_and_few_groups_lend_nothing() -> None:
    estimates = [known(1.0, 0.5), known(2.0, 0.5), known(0.5, 0.5), BASIS.nothing("not_identified", "confounded")]
    pooled = pool_groups(estimates, [0, 1, 2, 3], [0.0] * 4)
    assert pooled is not None
    assert pooled.estimates[3] is estimates[3]
    assert pool_groups(estimates, [0, 0, 1, 3], [0.0] * 4) is None
    assert pool_groups([], [], []) is None
    with pytest.raises(InputError, match="one correlation"):
        pool_groups(estimates, [0, 1, 2, 3], [1.0] * 4)


def _coverage(between: float, within: float, correlation: float) -> tuple[float, float]:
    """Of segments in five groups of three, and how wide beside their own intervals."""
    hits, widths = list[bool](), list[float]()
    for seed in range(40):
        rng = np.random.default_rng([seed, 11])
        groups = np.repeat(np.arange(5), 3)
        true = 1 + between * rng.normal(size=5)[groups] + within * rng.normal(size=15)
        errors = np.exp(0.5 * rng.normal(size=15))
        together = np.sqrt(correlation) * rng.normal(size=5)[groups] + np.sqrt(1 - correlation) * rng.normal(size=15)
        estimates = [known(v, e) for v, e in zip(true + errors * together, errors, strict=True)]
        pooled = pool_groups(estimates, groups.tolist(), [correlation] * 15)
        assert pooled is not None
        for one, own, truth in zip(pooled.estimates, estimates, true, strict=True):
            _, _, low, high = one.numbers()
            hits.append(low <= truth <= high)
            widths.append((high - low) / (own.numbers()[3] - own.numbers()[2]))
    return float(np.mean(hits)), float(np.mean(widths))


@pytest.mark.parametrize(("between", "within", "correlation"), [(0.0, 0.0, 0.6), (1.0, 0.0, 0.6), (0.7, 0.7, 0.0)])
def test_pooled_intervals_hold_and_are_narrower(between: float, within: float, correlation: float) -> None:
    covers, width = _coverage(between, within, correlation)
    assert covers > 0.92
    assert width < 0.9


def test_errors_of_bands_that_lend_go_together() -> None:
    pulls = np.array([0.5, -0.5, 0.2, -0.2])
    rows = np.arange(4)
    assert correlated([_found(0, rows, pulls), _found(0, rows, pulls), _found(1, rows, pulls)], rows) == [0.95, 0.95, 0.0]
    apart = [_found(0, rows[:2], pulls[:2]), _found(0, rows[2:], pulls[2:])]
    assert correlated(apart, rows) == [0.0, 0.0]


def _found(chosen: int, rows: np.ndarray, pulls: Floats) -> Found:
    nothing = BASIS.nothing("not_enough_evidence", "few")
    segment = Segment("", Band(0, 1), "", "", 4, 4, nothing, {}, None, (), 0.0, "not_enough_evidence", "few", None, 1.0)
    return Found(segment, rows, chosen, {}, [(rows, pulls)])


def test_classes_of_another_size_lend_by_what_is_material() -> None:
    siblings = [
        Sibling(k, 0, True, known(2.0 + 0.1 * k, 0.3), 0.0, material) for k, material in enumerate((1.0, 100.0, 10_000.0))
    ]
    open_one = Sibling(9, 0, False, BASIS.nothing("not_enough_evidence", "few"), 0.0, 50.0)
    [lent] = borrowed([*siblings, open_one])
    assert (lent.comparison, lent.own, lent.segments, lent.sets) == (9, 0.0, 3, 3)
    assert lent.usd == pytest.approx(50 * 2.1, rel=0.05)
    assert lent.low_usd < lent.usd < lent.high_usd
    assert borrowed(siblings) == [], "who has evidence borrows nothing"


# ── risk ─────────────────────────────────────────────────────────────────────────────────────────────


def acted(task_class: str, tasks: int, losses: tuple[float, ...] = (), **more: object) -> Acted:
    plain = Acted("mail", task_class, tasks, tasks, tasks, None, None, 0, None, losses, 2.0, 5.0)
    return replace(plain, **more)


def test_the_tail_counts_where_what_is_rare_is_grave() -> None:
    [mild] = weighed("acme", [acted("chat", 200, (1.0,) * 6)], tells_losses=True)
    assert (mild.is_tail, mild.priced.value) == (False, pytest.approx(2 * 6 / 200)), "it loses less than the task is worth"
    [grave] = weighed("acme", [acted("chat", 200, (20.0,) * 6)], tells_losses=True)
    assert (grave.is_tail, grave.priced.value) == (True, pytest.approx(2 * naive.worst_mean([20.0] * 6 + [0.0] * 194, 0.05)))
    [frequent] = weighed("acme", [acted("chat", 200, (20.0,) * 30)], tells_losses=True)
    assert not frequent.is_tail, "what happens often is no tail"
    [undone] = weighed("acme", [acted("chat", 200, (1.0,) * 6, is_reversible=False)], tells_losses=True)
    assert undone.is_tail


def test_what_is_not_known_of_risk_is_said() -> None:
    [silent] = weighed("acme", [acted("chat", 200)], tells_losses=False)
    assert (silent.of.rate.value, silent.priced.value) == (None, None)
    assert "nobody ever told a loss" in silent.why
    [untold] = weighed("acme", [acted("chat", 200, told=0)], tells_losses=True)
    assert "no task that did it has an outcome" in untold.why
    [some] = weighed("acme", [acted("chat", 200, (1.0,) * 6, told=150)], tells_losses=True)
    assert "50 of 200 tasks have no outcome" in some.why
    [free] = weighed("acme", [acted("chat", 200, (1.0,) * 6, rho=None)], tells_losses=True)
    assert free.of.expected.value == pytest.approx(6 / 200)
    assert (free.priced.value, free.priced.status) == (None, "not_enough_evidence")
    assert "ρ is not known" in free.why
    [above] = weighed("acme", [acted("chat", 200, (30.0,) * 6, worst_usd=10.0)], tells_losses=True)
    assert "above the worst case that is stated" in above.why
    [few] = weighed("acme", [acted("chat", 200, (1.0,) * 2)], tells_losses=True)
    assert few.of.expected.needs is not None
    assert "worst case" in few.why


def test_all_classes_are_the_sum_of_each_and_small_ones_borrow() -> None:
    cells = [acted("a", 400, (9.0,) * 8), acted("b", 300, (9.0,) * 6), acted("c", 20), acted("d", 600, (9.0,) * 12)]
    whole, *parts = weighed("acme", cells, tells_losses=True)
    assert (whole.acted.task_class, whole.acted.tasks, len(whole.acted.losses_usd), whole.pooled) == ("*", 1320, 26, None)
    assert whole.of.expected.value == pytest.approx(9 * 26 / 1320)
    small = parts[2]
    assert small.pooled is not None
    assert small.of.rate.high is not None
    assert small.pooled.high is not None
    assert small.pooled.high < small.of.rate.high
    assert small.pooled.numbers()[2] <= 0.02 <= small.pooled.numbers()[3]
    two = weighed("acme", cells[:2], tells_losses=True)
    assert all(one.pooled is None for one in two), "two classes say nothing of how classes differ"


def test_pooled_rates_of_few_classes_hold() -> None:
    hits: list[bool] = []
    for seed in range(30):
        rng = np.random.default_rng([seed, 12])
        true = rng.gamma(1.5, 0.02 / 1.5, size=4)
        exposure = rng.integers(20, 400, size=4).astype(np.float64)
        rates = pooled_rates(rng.poisson(true * exposure).astype(np.float64), exposure)
        hits += [one.numbers()[2] <= rate <= one.numbers()[3] for one, rate in zip(rates, true, strict=True)]
    assert np.mean(hits) > 0.9
