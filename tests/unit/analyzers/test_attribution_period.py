"""What a period lost in all, production's margins and the three predictions: agreement with loops, and known economies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.attribution import misallocation as whole
from analyzers.attribution import predictions, production
from analyzers.attribution.appraise import Appraised, appraise
from analyzers.attribution.choices import Choices
from analyzers.attribution.doubt import doubt
from analyzers.attribution.fit import fit
from analyzers.effects.estimate import Basis, InputError
from bench.truth.markets import Drawn, Economy, play
from tests import naive_attribution as naive

ROUTES = Economy(n=2_000, quality=(0.0, 1.5, 1.9), scale_usd=2.0)


def stratum(drawn: Drawn) -> tuple[whole.DecisionSet, Appraised]:
    made = appraise(drawn.choices, seed=1)
    return whole.decision_set("route", "demand", "route", drawn.choices, made), made


@pytest.fixture(scope="module")
def routes() -> Drawn:
    return play(ROUTES, np.random.default_rng(11))


@pytest.fixture(scope="module")
def routed(routes: Drawn) -> tuple[whole.DecisionSet, Appraised]:
    return stratum(routes)


def test_one_stratum_loses_what_its_segments_lose(routes: Drawn, routed: tuple[whole.DecisionSet, Appraised]) -> None:
    one, made = routed
    found = whole.misallocation([one])
    true = float((routes.net.max(axis=1) - routes.net[np.arange(2_000), routes.choices.chosen]).sum())
    value, error, low, high = found.total.numbers()
    learnt = sum(segment.regret.numbers()[0] for segment in made.segments if segment.regret.value is not None)
    most = sum(segment.most_usd for segment in made.segments)
    assert learnt <= value <= most
    assert low <= true <= high
    assert error == pytest.approx(naive.joint_error(one.pull.tolist(), one.tasks.tolist()), rel=1e-9)
    assert sum(share.lost.numbers()[0] for share in found.shares) == pytest.approx(value)
    assert found.counted_twice_usd == 0.0
    assert {share.mode for share in found.shares} <= {"under_routing", "over_routing"}


def test_shares_of_one_chain_are_counted_once(routes: Drawn) -> None:
    """The agent verifies too much exactly where a weak model was chosen: set the route right, and nothing is left to save."""
    rng = np.random.default_rng(3)
    n = 2_000
    weak = routes.choices.chosen == 0
    verified = np.where(weak, rng.random(n) < 0.5, rng.random(n) < 0.5).astype(np.int64)
    wasted = np.where(weak, 0.6, 0.0) * verified  # verifying weak work burns 0.6 USD and finds nothing
    cost = routes.choices.cost_usd + wasted
    first, _ = stratum(replace(routes, choices=replace(routes.choices, cost_usd=cost)))
    features = np.column_stack([routes.choices.features, weak])
    second = Choices(
        ("0", "1"), verified, routes.choices.tasks, routes.choices.decided_at + 5.0, routes.choices.quality, cost,
        routes.choices.own_cost_usd, routes.choices.latency_s, routes.choices.loss_usd, routes.choices.v_usd, routes.choices.lam,
        routes.choices.rho, np.full(n, 0.5), np.full((n, 2), 0.5), "logged", features, (*routes.choices.feature_names, "weak"),
    )  # fmt: skip
    verify = whole.decision_set("verify", "action", "verify", second, appraise(second, seed=1))
    both = whole.misallocation([verify, first])
    [shares_of_verifying] = [[s for s in both.shares if s.kind == "verify"]]
    alone = sum(share.alone_usd for share in shares_of_verifying)
    left = sum(share.lost.numbers()[0] for share in shares_of_verifying)
    assert alone > 100  # 0.6 USD on half of the third that went to the weak model
    assert left < 0.35 * alone
    assert both.counted_twice_usd == pytest.approx(alone - left, rel=1e-6)
    assert both.total.numbers()[0] == pytest.approx(sum(share.lost.numbers()[0] for share in both.shares))


def test_sequential_weights_are_the_loop(routed: tuple[whole.DecisionSet, Appraised]) -> None:
    one, made = routed
    two = replace(one, name="verify", layer="action", kind="verify", decided_at=one.decided_at + 9)
    ordered = [[one, two][place] for place in whole._order([two, one])[::-1]]
    weights = whole._weights(ordered)
    wrong = whole._clearly_wrong(one).tolist()
    bands = [segment.band.label for segment in made.segments]
    cells = [bands.index(bands[code]) for code in one.segment]
    regret = np.nan_to_num(one.regret_usd)
    expected = naive.sequential([regret.tolist(), regret.tolist()], [wrong, wrong], [cells, cells])
    assert [float((regret * weight).sum()) for weight in weights] == pytest.approx(expected)


def test_decisions_are_ordered_as_tasks_take_them(routed: tuple[whole.DecisionSet, Appraised]) -> None:
    one, _ = routed
    early = replace(one, name="late", layer="capital", kind="reuse", decided_at=one.decided_at - 60)
    assert whole._order([one, early]) == [1, 0]


def test_modes_follow_from_kind_and_cost() -> None:
    assert whole.mode_of("route", 2.0) == "over_routing"
    assert whole.mode_of("verify", -2.0) == "under_verification"
    assert whole.mode_of("reuse", -2.0) == "cache_misuse"


def test_two_halves_of_a_period_lose_what_the_whole_does(routed: tuple[whole.DecisionSet, Appraised]) -> None:
    """A segment's loss is divided by where it was lost; each half has its own decisions, and an interval of its own."""
    one, _ = routed
    early = np.arange(len(one)) < len(one) // 2
    halves = [whole.misallocation([replace(one, is_counted=mask)]) for mask in (early, ~early)]
    both = whole.misallocation([one])
    assert sum(half.total.numbers()[0] for half in halves) == pytest.approx(both.total.numbers()[0])
    assert [half.total.n for half in halves] == [1_000, 1_000]
    assert all(half.total.numbers()[1] < both.total.numbers()[1] for half in halves)
    nothing = whole.misallocation([replace(one, is_counted=np.zeros(len(one), dtype=np.bool_))])
    assert (nothing.total.numbers()[0], nothing.shares, nothing.without) == (0.0, (), {})


def test_nothing_appraised_loses_nothing() -> None:
    found = whole.misallocation([])
    assert found.total.numbers() == (0.0, 0.0, 0.0, 0.0)
    drawn = play(Economy(n=1_500, how="deterministic"), np.random.default_rng(1))
    assert whole.misallocation([stratum(drawn)[0]]).without == {"not_identified": 1_500}


def test_a_loss_by_hidden_cause_falls_to_a_small_gamma() -> None:
    confounded = replace(ROUTES, how="confounded", n=6_000)
    drawn = play(confounded, np.random.default_rng(5))
    strong = doubt(fit(drawn.choices, seed=1), 1, 0)
    weaker = play(replace(confounded, quality=(0.0, 0.2, 0.3)), np.random.default_rng(5)).choices
    faint = doubt(fit(weaker, seed=1), 1, 0)
    assert strong is not None
    assert faint is not None
    assert strong.tipping_gamma > faint.tipping_gamma >= 1
    made = appraise(drawn.choices, seed=1)
    assert any("unrecorded cause" in segment.why and segment.tipping_gamma > 1 for segment in made.segments)


def test_margins_are_worth_what_they_bring() -> None:
    rng = np.random.default_rng(2)
    n = 1_500
    dollars = np.exp(0.7 * rng.normal(size=(n, 4))) * np.array([0.01, 0.01, 0.05, 0.02])
    mean = np.clip(0.35 * (dollars[:, 2] / 0.05) ** 0.3 * (dollars[:, 3] / 0.02) ** 0.15, 0, 1)
    quality = (rng.random(n) < mean).astype(np.float64)
    made = production.spending(quality, dollars, np.full(n, 2.0), assignment="recorded", form="cobb_douglas")
    act = next(use for use in made.uses if use.use == "act")
    logs = np.log(dollars)
    logs[:, 2] += np.log(1.001)
    moved = np.clip(0.35 * (np.exp(logs[:, 2]) / 0.05) ** 0.3 * (dollars[:, 3] / 0.02) ** 0.15, 0, 1)
    truth = (moved - mean).mean() / (0.001 * dollars[:, 2].mean())
    _, _, low, high = act.per_dollar.numbers()
    assert low <= truth <= high
    assert act.net.numbers()[0] == pytest.approx(2.0 * act.per_dollar.numbers()[0] - 1)
    assert act.dollars == pytest.approx(dollars[:, 2].mean())
    some = quality.copy()
    some[::3] = np.nan
    assert production.spending(some, dollars, np.full(n, np.nan), assignment="recorded").uses[0].net.status == "not_identified"
    unknown = production.spending(quality, dollars, np.full(n, 2.0), assignment="unknown")
    assert {use.net.status for use in unknown.uses} == {"not_identified"}
    assert unknown.best == ""


def verified(effect: float, n: int = 2_400, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    dose = rng.choice([0.0, 0.1, 0.2, 1.0], size=n)
    chance = np.clip(0.30 - effect * np.minimum(dose, 0.2) / 0.2 + 0.05 * x, 0.01, 0.9)
    return dose, np.where(rng.random(n) < chance, 5.0, 0.0), np.exp(rng.normal(size=n)), x[:, None]


def test_verifying_lowers_risk_until_it_costs_more_than_it_saves() -> None:
    dose, loss, v, x = verified(0.2)
    found = predictions.verifying_lowers_risk(dose, loss, v, assignment="recorded", features=x)
    assert found.verdict == "holds"
    assert found.detail["optimum_usd"].numbers()[0] == pytest.approx(0.2)  # the step to 1 USD saves nothing
    value, _, low, high = found.statistic.numbers()
    assert low <= -1.0 <= high
    assert value < 0
    assert predictions.verifying_lowers_risk(dose, loss, v, assignment="unknown", features=x).verdict == "not identified"
    few = predictions.verifying_lowers_risk(dose[:60], loss[:60], v[:60], assignment="recorded", features=x[:60])
    assert few.verdict == "not enough evidence"
    harmful = predictions.verifying_lowers_risk(*verified(-0.2)[:3], assignment="recorded")
    assert harmful.verdict == "does not hold"
    with pytest.raises(InputError, match="must not be negative"):
        predictions.verifying_lowers_risk(-dose, loss, v, assignment="recorded")


def test_a_cheap_router_fails_the_tail(routes: Drawn) -> None:
    drawn = play(replace(ROUTES, how="explored", exploration=0.5, policy=0, n=6_000), np.random.default_rng(4))
    made = appraise(drawn.choices, seed=1)
    cheap = predictions.banded("all", made.segments, "option-0")
    found = predictions.cheap_router_fails_tail(cheap)
    assert found.verdict == "holds"
    tail = [s for s in made.segments if s.chosen == "option-0"][-1].regret.numbers()
    body = [s for s in made.segments if s.chosen == "option-0"][:-1]
    n = sum(s.n for s in body)
    tail_n = [s for s in made.segments if s.chosen == "option-0"][-1].n
    expected = tail[0] / tail_n - sum(s.regret.numbers()[0] for s in body) / n
    assert found.statistic.value == pytest.approx(expected)
    unidentified = appraise(replace(drawn.choices, assignment="unknown"), seed=1)
    named = predictions.banded("all", unidentified.segments, "option-0")
    assert predictions.cheap_router_fails_tail(named).verdict == "not identified"
    assert predictions.cheap_router_fails_tail([]).verdict == "not enough evidence"
    # A second set that says the same makes it surer and moves nothing; one without a number changes nothing but the count.
    again = predictions.cheap_router_fails_tail([*cheap, *predictions.banded("more", made.segments, "option-0"), *named])
    assert again.statistic.value == pytest.approx(expected)
    assert again.statistic.numbers()[1] < found.statistic.numbers()[1]


@pytest.mark.parametrize(("slope", "verdict"), [(0.004, "holds"), (0.0, "not enough evidence"), (-0.004, "does not hold")])
def test_long_contexts_slow_others(slope: float, verdict: str) -> None:
    rng = np.random.default_rng(8)
    w = 300
    hours = np.arange(w) % 24
    others, own = rng.exponential(50_000, size=w) * (1 + np.sin(hours * 2 * np.pi / 24)), rng.exponential(5_000, size=w)
    noise = np.convolve(rng.normal(size=w + 3), np.ones(4) / 2, mode="valid")  # neighbouring windows go together
    latency = 2 + slope * others / 1000 + 0.5 * np.sin(hours * 2 * np.pi / 24) + 0.1 * noise
    found = predictions.long_contexts_slow_others(latency, others, own_tokens=own, hour=hours)
    assert found.verdict == verdict
    angle = hours * 2 * np.pi / 24
    controls = np.column_stack(
        [
            np.ones(w),
            (own - own.mean()) / own.std(),
            np.linspace(-1, 1, w),
            np.sin(angle),
            np.cos(angle),
            np.sin(2 * angle),
            np.cos(2 * angle),
        ]
    )
    value, error = naive.newey_west((others / 1000).tolist(), latency.tolist(), controls, 4)
    assert found.statistic.numbers()[:2] == pytest.approx((value, error), rel=1e-6)
    assert predictions.long_contexts_slow_others(latency[:20], others[:20], own_tokens=own[:20]).verdict == "not enough evidence"


def test_a_verdict_is_the_side_of_zero() -> None:
    basis = Basis(10, 10, "m", "e")
    assert predictions.verdict(basis.found(1.0, 0.1, 0.8, 1.2), above=True) == "holds"
    assert predictions.verdict(basis.found(1.0, 0.1, 0.8, 1.2), above=False) == "does not hold"
    assert predictions.verdict(basis.found(1.0, 1.0, -0.8, 2.8), above=True) == "not enough evidence"
    assert predictions.verdict(basis.nothing("not_identified", "why"), above=True) == "not identified"


def test_appraised_holds_one_row_per_decision(routed: tuple[whole.DecisionSet, Appraised]) -> None:
    made = routed[1]
    assert made.net_usd.shape == (2_000, 3)
    assert made.pull.sum() == pytest.approx(0.0, abs=1e-6)  # every arm's pulls cancel
