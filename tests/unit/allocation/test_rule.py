"""Eq. 1 to 8 against the figures that they must give, and against loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation import autonomy, cobb_douglas
from allocation.errors import AllocationError
from allocation.routing import route
from allocation.rule import Gap, Option, Prices, Refusal, choose, crossovers, equimarginal_gaps
from tests.naive_allocation import best_option

CHEAP = Option("cheap", 0.7, 1.0, 0.0, 0.05)
FRONTIER = Option("frontier", 0.9, 5.0, 0.0, 0.01)
EXACT = 1e-9

amounts = st.floats(0, 100, allow_nan=False).map(lambda x: round(x, 3))
shares = st.floats(0, 1).map(lambda x: round(x, 3))


@pytest.mark.parametrize(
    ("v_usd", "rho", "surpluses", "best"),
    [
        (10.0, 0.0, (6.0, 4.0), "cheap"),
        (100.0, 0.0, (69.0, 85.0), "frontier"),
        (20.0, 0.0, (13.0, 13.0), "cheap"),  # at V* itself the cheaper one
        (10.0, 50.0, (3.5, 3.5), "cheap"),
        (10.1, 50.0, (3.57, 3.59), "frontier"),
    ],
)
def test_the_worked_example(v_usd: float, rho: float, surpluses: tuple[float, float], best: str) -> None:
    choice = choose([CHEAP, FRONTIER], Prices(v_usd, 0.0, rho))
    assert [one.surplus_usd for one in choice.terms] == pytest.approx(surpluses, abs=EXACT)
    assert choice.best is not None
    assert choice.best.option == best
    assert choice.worth_it is True


@pytest.mark.parametrize(("rho", "v_star"), [(0.0, 20.0), (50.0, 10.0)])
def test_the_crossover_of_the_worked_example(rho: float, v_star: float) -> None:
    [crossover] = crossovers([CHEAP, FRONTIER], Prices(None, 0.0, rho))
    assert (crossover.below, crossover.above) == ("cheap", "frontier")
    assert crossover.v_usd == pytest.approx(v_star, abs=EXACT)


def test_an_option_that_is_never_best_is_in_no_crossover() -> None:
    middle = Option("middle", 0.75, 4.0, 0.0, 0.0)
    found = crossovers([FRONTIER, middle, CHEAP], Prices(1.0, 0.0, 0.0))
    assert [(one.below, one.above) for one in found] == [("cheap", "frontier")]
    hair = [Option("a", 0.0, 1.0, 0.0, 0.0), Option("b", 5e-324, 2.0, 0.0, 0.0)]
    assert crossovers(hair, Prices(1.0, 0.0, 0.0)) == ()
    assert crossovers([Option("blind", None, 1.0, 0.0, 0.0)], Prices(1.0, 0.0, 0.0)) == ()


@pytest.mark.parametrize(
    ("option", "prices", "why"),
    [
        (Option("a", None, 1.0, 0.0, 0.0), Prices(5.0, 0.0, 0.0), "quality is not known while V is 5"),
        (Option("a", 0.5, None, 0.0, 0.0), Prices(5.0, 0.0, 0.0), "cost_usd is not known"),
        (Option("a", 0.5, 1.0, None, 0.0), Prices(5.0, 0.002, 0.0), "latency_s is not known while λ is 0.002"),
        (Option("a", 0.5, 1.0, 2.0, 0.0), Prices(5.0, None, 0.0), "λ is not known while latency_s is not 0"),
        (Option("a", 0.5, 1.0, 0.0, None), Prices(5.0, None, None), "neither ρ nor risk_usd is known"),
        (Option("a", 0.5, 1.0, 0.0, 0.0), Prices(None, None, None), "V is not known while quality is not 0"),
    ],
)
def test_what_is_not_known_refuses_its_option(option: Option, prices: Prices, why: str) -> None:
    known = Option("known", 0.0, 1.0, 0.0, 0.0)
    choice = choose([option, known], prices)
    assert choice.refused == (Refusal("a", why),)
    assert choice.best is not None
    assert choice.best.option == "known"
    assert choice.worth_it is False


def test_a_slack_sla_makes_unknown_seconds_harmless() -> None:
    choice = choose([Option("a", 0.5, 1.0, None, None)], Prices(5.0, 0.0, 0.0))
    assert choice.best is not None
    assert choice.best.surplus_usd == pytest.approx(1.5, abs=EXACT)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: choose([], Prices(1.0, 0.0, 0.0)), "the menu is empty"),
        (lambda: choose([CHEAP, CHEAP], Prices(1.0, 0.0, 0.0)), "names 'cheap' more than once"),
        (lambda: Prices(-1.0, 0.0, 0.0), "v_usd of the price vector is -1.0"),
        (lambda: Prices(1.0, math.nan, 0.0), "lambda_usd_per_s"),
        (lambda: Option("a", math.inf, 1.0, 0.0, 0.0), "quality of option 'a' is inf"),
    ],
)
def test_what_cannot_be_is_refused(make: object, said: str) -> None:
    assert callable(make)
    with pytest.raises(AllocationError, match=said):
        make()


@given(v=amounts, lam=shares, rho=amounts, menu=st.lists(st.tuples(shares, amounts, amounts, shares), min_size=1, max_size=5))
def test_the_choice_is_that_of_a_loop(v: float, lam: float, rho: float, menu: list[tuple[float, float, float, float]]) -> None:
    options = [Option(str(place), *terms) for place, terms in enumerate(menu)]
    choice = choose(options, Prices(v, lam, rho))
    naive = best_option(v, lam, rho, menu)
    assert choice.best is not None
    assert choice.best.surplus_usd == choice.terms[naive].surplus_usd
    table = np.array(menu)
    routed = route(v, table[:, 0], table[:, 1], table[:, 2], table[:, 3], lambda_usd_per_s=lam, rho=rho)
    assert routed.net_usd[0] == pytest.approx([one.surplus_usd for one in choice.terms], abs=1e-9)


@given(lam=shares, menu=st.lists(st.tuples(shares, amounts, amounts), min_size=2, max_size=5), v=amounts)
def test_crossovers_say_who_is_best_at_every_value(lam: float, menu: list[tuple[float, float, float]], v: float) -> None:
    options = [Option(str(place), q, c, latency, 0.0) for place, (q, c, latency) in enumerate(menu)]
    found = crossovers(options, Prices(None, lam, 0.0))
    assert [one.v_usd for one in found] == sorted(one.v_usd for one in found)
    choice = choose(options, Prices(v, lam, 0.0))
    surplus = {one.option: one.surplus_usd for one in choice.terms}
    said = found[0].below if found else None
    for one in found:
        if v >= one.v_usd:
            said = one.above
    if said is not None:
        assert choice.best is not None
        assert surplus[said] == pytest.approx(choice.best.surplus_usd, abs=1e-6)


def test_equimarginal_gaps() -> None:
    read, verify, blind = Option("read", 0.1, 1.0, 0.0, 0.0), Option("verify", 0.02, 0.5, 2.0, -0.1), Option("x", 0.1, None, 0, 0)
    gaps = equimarginal_gaps([read, verify, blind], Prices(10.0, 0.05, 3.0))
    assert isinstance(gaps[0], Gap)
    assert (gaps[0].gap_usd, gaps[0].ratio) == (pytest.approx(0.0, abs=EXACT), pytest.approx(1.0, abs=EXACT))
    assert isinstance(gaps[1], Gap)
    assert gaps[1].gap_usd == pytest.approx(0.2 - 0.1 + 0.3 - 0.5, abs=EXACT)
    assert gaps[2] == Refusal("x", "cost_usd is not known")


def test_routing_leaves_out_what_is_not_known_and_counts_regret() -> None:
    routed = route([10.0, 100.0, 1.0], [0.7, 0.9], [[1.0, 5.0], [1.0, 5.0], [np.nan, np.nan]])
    assert routed.best.tolist() == [0, 1, -1]
    assert routed.regret_usd([1, 0, 0])[:2] == pytest.approx([2.0, 16.0], abs=EXACT)
    assert np.isnan(routed.regret_usd([1, 0, 0])[2])
    with pytest.raises(AllocationError, match="codes of the 2 models"):
        routed.regret_usd([0, 1, 2])
    with pytest.raises(AllocationError, match="do not fit"):
        route([1.0, 2.0], [[0.1, 0.2]] * 3, 0.0)


# ── autonomy ─────────────────────────────────────────────────────────────────────────────────────────


def test_autonomy_expands_until_the_next_step_costs_more_than_it_brings() -> None:
    levels = [
        autonomy.Level("ask", 0.80, 0.1, 0.00, 1.00),
        autonomy.Level("confirm", 0.85, 0.1, 0.05, 0.40),
        autonomy.Level("act", 0.90, 0.1, 0.60, 0.00, 0.5),
    ]
    found = autonomy.best_level(levels, v_usd=5.0, rho=2.0)
    assert found.best == "confirm"
    assert [step.gain_usd > step.burden_usd for step in found.steps] == [True, False]
    assert autonomy.best_level(levels, v_usd=5.0, rho=0.1).best == "act"
    assert autonomy.best_level(levels, v_usd=5.0, rho=0.1, rho_irreversible=2.0).best == "confirm"
    assert found.utility_usd[0] == pytest.approx(5 * 0.8 - 0.1 - 1.0, abs=EXACT)


def test_autonomy_by_slopes() -> None:
    # p = √a, R = a²: V/(2√a) = 2a, so a = (V/4)^(2/3).
    found = autonomy.expanded(2.0, lambda a: 0.5 / math.sqrt(a), lambda a: 2 * a, 1e-9, 1.0)
    assert found == pytest.approx((2.0 / 4) ** (2 / 3), abs=1e-12)
    assert autonomy.expanded(0.0, lambda _: 1.0, lambda _: 1.0) == 0.0
    assert autonomy.expanded(5.0, lambda _: 1.0, lambda _: 1.0) == 1.0


# ── Cobb–Douglas ─────────────────────────────────────────────────────────────────────────────────────


def test_cobb_douglas_to_the_ninth_place() -> None:
    prices = [cobb_douglas.full_price(1.0, 2.0, 0.1, 0.5, 10.0), cobb_douglas.full_price(2.0, 0.0, 0.0, 0.5, 10.0), 4.0]
    assert prices == pytest.approx([3.0, 2.0, 4.0], abs=EXACT)
    assert cobb_douglas.best_inputs([0.3, 0.2, 0.0], prices, 60.0) == pytest.approx((12.0, 12.0, 0.0), abs=EXACT)


@given(
    alphas=st.lists(st.floats(0.05, 1), min_size=2, max_size=5),
    budget=st.floats(1, 1000),
    data=st.data(),
)
def test_at_the_optimum_a_dollar_brings_the_same_everywhere(alphas: list[float], budget: float, data: st.DataObject) -> None:
    prices = data.draw(st.lists(st.floats(0.1, 10), min_size=len(alphas), max_size=len(alphas)))
    inputs = cobb_douglas.best_inputs(alphas, prices, budget)
    assert sum(t * p for t, p in zip(inputs, prices, strict=True)) == pytest.approx(budget, rel=1e-12)
    per_usd = [m / p for m, p in zip(cobb_douglas.marginal_products(1.0, alphas, inputs), prices, strict=True)]
    assert per_usd == pytest.approx([per_usd[0]] * len(per_usd), rel=1e-9)
    # Moving a hundredth of the budget from one use to another never brings more.
    moved = list(inputs)
    moved[0] -= 0.01 * inputs[0]
    moved[1] += 0.01 * inputs[0] * prices[0] / prices[1]
    assert cobb_douglas.output(1.0, alphas, moved) <= cobb_douglas.output(1.0, alphas, inputs) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("alphas", "prices", "budget"), [([], [], 1.0), ([0.0], [1.0], 1.0), ([-1.0, 2.0], [1.0, 1.0], 1.0), ([1.0], [0.0], 1.0)]
)
def test_no_such_production(alphas: list[float], prices: list[float], budget: float) -> None:
    with pytest.raises(AllocationError):
        cobb_douglas.best_inputs(alphas, prices, budget)


def test_a_complement_that_is_not_used_has_no_finite_product() -> None:
    with pytest.raises(AllocationError, match="infinite"):
        cobb_douglas.marginal_products(1.0, [0.5, 0.5], [0.0, 1.0])
