"""Duals against what small problems give by hand, and what is said where there is no price or more than one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from allocation.clearing import Tenant, clear
from allocation.duals import solve
from allocation.errors import AllocationError, Infeasible
from allocation.faces import price_range
from allocation.problem import Constraint, problem
from allocation.rule import Option, Prices, choose
from tests.naive_allocation import dual_bound

EXACT = 1e-6
QUALITY, COST = np.array([0.7, 0.9]), np.array([1.0, 5.0])


def tasks(values: list[float], **more: float) -> dict[str, Any]:
    """The worked example's two options for tasks of these values."""
    n = len(values)
    return {
        "value_usd": np.array(values)[:, None] * QUALITY,
        "cost_usd": np.tile(COST, (n, 1)),
        "latency_s": np.tile([more.get("cheap_s", 0.0), more.get("frontier_s", 0.0)], (n, 1)),
        "risk_usd": np.tile([more.get("cheap_risk", 0.0), more.get("frontier_risk", 0.0)], (n, 1)),
    }


def test_a_budget_that_binds() -> None:
    """Of tasks worth 30, 60 and 120 the budget lets one and a half have the frontier: the last dollar goes to V = 60."""
    solution = solve(problem(**tasks([30.0, 60.0, 120.0]), constraints=[Constraint("b", "compute_budget", 9.0)]))
    [usage] = solution.usages
    # (V·ΔQ − ΔC)/ΔC = (60·0.2 − 4)/4
    assert usage.multiplier == pytest.approx(2.0, abs=EXACT)
    assert solution.prices[0].budget_worth == pytest.approx(3.0, abs=EXACT)
    assert (usage.used, usage.slack) == pytest.approx((9.0, 0.0), abs=EXACT)
    assert solution.shares[:, 1] == pytest.approx([0.0, 0.5, 1.0], abs=EXACT)
    assert solution.mixed == 1


def test_a_slack_budget_leaves_a_dollar_at_a_dollar() -> None:
    solution = solve(problem(**tasks([10.0, 120.0]), constraints=[Constraint("b", "compute_budget", 50.0)]))
    assert solution.prices[0].budget_worth == 1.0
    assert solution.usages[0].slack == pytest.approx(44.0, abs=EXACT)
    assert solution.shares[:, 1] == pytest.approx([0.0, 1.0], abs=EXACT)


def test_lambda_is_that_of_the_task_at_the_margin() -> None:
    """The SLA of 10 s forces the task worth 10 halfway to the frontier, which loses 4 − 10·0.2 for 8 seconds less."""
    more = tasks([10.0, 60.0, 120.0], cheap_s=10.0, frontier_s=2.0)
    of = problem(**more, constraints=[Constraint("sla", "latency_sla", 10.0)])
    solution = solve(of)
    assert solution.prices[0].lambda_usd_per_s == pytest.approx(2.0 / 8.0, abs=EXACT)
    assert not price_range(of, solution, 0, "lambda_usd_per_s").is_degenerate()
    slack = solve(problem(**more, constraints=[Constraint("sla", "latency_sla", 16.0)]))
    assert slack.prices[0].lambda_usd_per_s == 0.0
    assert slack.usages[0].slack == pytest.approx(2.0, abs=EXACT)


def test_rho_and_a_budget_together_are_counted_in_dollars_of_compute() -> None:
    """Two classes: one mixes by the budget (μ_B), the other by the envelope; (1, λ, ρ) = (μ_C, 0, μ_R)/μ_C."""
    of = problem(
        [[0.0, 12.0], [0.0, 3.0]], [[0.0, 4.0], [0.0, 0.0]], 0.0, [[0.0, 0.0], [0.0, 1.0]],
        constraints=[Constraint("b", "compute_budget", 2.0), Constraint("e", "risk_envelope", 0.5)],
    )  # fmt: skip
    solution = solve(of)
    assert solution.multipliers == pytest.approx([2.0, 3.0], abs=EXACT)
    assert solution.prices[0].budget_worth == pytest.approx(3.0, abs=EXACT)
    assert solution.prices[0].rho == pytest.approx(1.0, abs=EXACT)


def test_eq_3_as_printed_has_the_same_multiplier_where_its_budget_binds() -> None:
    """Maximising ΣV·Q alone has μ_C = V·ΔQ/ΔC of the task at the margin: that of the objective with −C in it, plus 1."""
    of = tasks([30.0, 60.0, 120.0])
    limit = 9.0
    solution = solve(problem(**of, constraints=[Constraint("b", "compute_budget", limit)]))
    slopes = np.linspace(0, 6, 601)
    bounds = [dual_bound(of["value_usd"], of["cost_usd"][None], np.array([limit]), np.array([mu])) for mu in slopes]
    assert solution.prices[0].budget_worth == pytest.approx(slopes[int(np.argmin(bounds))], abs=1e-2)


def test_prices_by_group_and_the_rule_gives_the_allocation_back() -> None:
    """What the programme allocates is what eq. 1 chooses at its prices, with V in dollars of compute."""
    values, group = [30.0, 61.0, 120.0, 30.0, 60.0, 121.0], [0, 0, 0, 1, 1, 1]
    of = problem(
        **tasks(values, cheap_s=10.0, frontier_s=2.0), group=group,
        constraints=[Constraint("b", "compute_budget", 20.0), Constraint("sla", "latency_sla", 14.0, groups=(1,))],
    )  # fmt: skip
    solution = solve(of)
    assert solution.prices[0].lambda_usd_per_s == 0.0
    assert solution.prices[1].lambda_usd_per_s > 0.0
    for g, share in enumerate(solution.shares):
        prices = solution.prices[int(of.decisions.group[g])]
        v = float(of.decisions.value_usd[g, 0] / 0.7) / prices.budget_worth
        options = [Option("cheap", 0.7, 1.0, 10.0, 0.0), Option("frontier", 0.9, 5.0, 2.0, 0.0)]
        choice = choose(options, Prices(v, prices.lambda_usd_per_s, prices.rho))
        assert choice.best is not None
        for terms, taken in zip(choice.terms, share, strict=True):
            assert taken < 1e-9 or terms.surplus_usd == pytest.approx(choice.best.surplus_usd, abs=EXACT)


def test_a_stated_price_stands_in_the_objective() -> None:
    of = problem(**tasks([30.0, 60.0], cheap_s=10.0), constraints=[], lambda_stated=0.5)
    solution = solve(of)
    assert solution.prices[0].lambda_usd_per_s == 0.5
    assert solution.shares[:, 1] == pytest.approx([1.0, 1.0], abs=EXACT)
    assert solve(problem(**tasks([10.0], cheap_s=1.0), constraints=[])).shares[:, 1] == pytest.approx([0.0], abs=EXACT)


def test_where_several_prices_are_right_their_range_is_told() -> None:
    """The budget ends exactly where the task worth 120 is served and the one worth 60 is not."""
    of = problem(**tasks([30.0, 60.0, 120.0]), constraints=[Constraint("b", "compute_budget", 7.0)])
    solution = solve(of)
    found = price_range(of, solution, 0, "budget_worth")
    assert found.is_degenerate()
    assert (found.low, found.high) == pytest.approx((3.0, 6.0), abs=EXACT)
    assert found.low - EXACT <= solution.prices[0].budget_worth <= found.high + EXACT


def test_a_price_without_upper_bound() -> None:
    """All that can be saved is saved: less could not be borne at any price."""
    of = problem(**tasks([120.0]), constraints=[Constraint("b", "compute_budget", 1.0)])
    found = price_range(of, solve(of), 0, "budget_worth")
    assert found.low == pytest.approx(6.0, abs=EXACT)
    assert found.high == np.inf


def test_the_range_of_a_ratio() -> None:
    """λ = μ_L/μ_C where μ_C itself is not determined."""
    of = problem(
        [[0.0, 12.0], [0.0, 3.0]], [[0.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]], 0.0,
        constraints=[Constraint("b", "compute_budget", 4.0), Constraint("s", "latency_sla", 0.5)],
    )  # fmt: skip
    found = price_range(of, solve(of), 0, "lambda_usd_per_s")
    assert (found.low, found.high) == pytest.approx((1.0, 3.0), abs=EXACT)  # 3/μ_C with μ_C from 1 to 3


def test_infeasible_says_which_and_by_how_much() -> None:
    with pytest.raises(Infeasible, match="b allows 1, the least that can be had is 2"):
        solve(problem(**tasks([1.0, 2.0]), constraints=[Constraint("b", "compute_budget", 1.0)]))
    with pytest.raises(Infeasible, match=r"b allows 0\.5, the least that can be had is 1;") as each:
        solve(problem(**tasks([1.0, 2.0]), constraints=[Constraint("b", "compute_budget", 1.0, scale=2.0)]))
    assert list(each.value.alone) == ["b"]
    of = problem(
        **tasks([1.0, 2.0], cheap_s=10.0, frontier_s=1.0),
        constraints=[Constraint("b", "compute_budget", 4.0), Constraint("s", "latency_sla", 4.0)],
    )
    with pytest.raises(Infeasible, match="each constraint can be kept, but not together: b, s"):
        solve(of)
    with pytest.raises(Infeasible):
        solve(of, direct_max=0)


def test_columns_give_what_the_programme_gives() -> None:
    rng = np.random.default_rng(7)
    n = 6000
    value = rng.lognormal(1.5, 1.0, n)[:, None] * np.array([0.6, 0.75, 0.9])
    arrays = [np.tile(one, (n, 1)) for one in ([0.1, 0.5, 2.0], [1.0, 3.0, 8.0], [0.2, 0.1, 0.05])]
    of = problem(
        value, *arrays, constraints=[Constraint("b", "compute_budget", 0.4 * n), Constraint("s", "latency_sla", 2.6 * n),
        Constraint("e", "risk_envelope", 0.17 * n)],
    )  # fmt: skip
    direct, columns = solve(of, direct_max=10**9), solve(of, direct_max=0)
    assert columns.net_usd == pytest.approx(direct.net_usd, rel=1e-9)
    assert columns.complementarity_usd == pytest.approx(0.0, abs=1e-6)
    for j in range(3):
        assert columns.multipliers[j] == pytest.approx(direct.multipliers[j], rel=1e-6, abs=1e-9)


def test_identical_decisions_are_one_class() -> None:
    of = problem(**tasks([30.0] * 500 + [60.0] * 500), constraints=[Constraint("b", "compute_budget", 2000.0)])
    assert of.decisions.count.tolist() == [500.0, 500.0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cost_usd": np.array([[np.nan, 1.0]])}, "cost_usd is not known for an alternative that has a value"),
        ({"latency_s": np.zeros((2, 2))}, r"latency_s has shape \(2, 2\)"),
        ({"value_usd": np.array([[np.nan, np.nan]])}, "decision 0 has no alternative"),
        ({"value_usd": np.array([[np.inf, 1.0]])}, "value_usd is infinite"),
        ({"count": [-1.0]}, "no count below 0"),
        ({"group": [3], "groups": 2}, r"codes outside of 0 … 1"),
        ({"constraints": [Constraint("a", "latency_sla", np.nan)]}, "has the limit nan"),
        ({"constraints": [Constraint("a", "latency_sla", 1.0), Constraint("a", "latency_sla", 2.0)]}, "a name of its own"),
    ],
)
def test_a_problem_that_cannot_be(change: dict[str, object], said: str) -> None:
    given: dict[str, object] = {**tasks([1.0]), "constraints": [], **change}
    with pytest.raises(AllocationError, match=said):
        problem(**given)  # pyright: ignore[reportArgumentType]  # wrong on purpose


# ── clearing ─────────────────────────────────────────────────────────────────────────────────────────


def tenant(name: str, count: list[float], worth: list[float], units: list[float]) -> Tenant:
    """A tenant that may use so many units for each decision, or none."""
    use = np.column_stack([np.zeros(len(units)), units])[None]
    return Tenant(name, np.array(count), np.column_stack([np.zeros(len(worth)), worth]), use)


A, B = tenant("a", [10.0], [3.0], [1.0]), tenant("b", [10.0, 5.0], [2.0, 7.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("capacity", "price"),
    [(25.0, 2.0), (100.0, 0.0), (15.0, 3.0), (5.0, 3.5)],
)
def test_tenants_share_an_engine(capacity: float, price: float) -> None:
    found = clear([A, B], np.array([capacity]))
    assert found.clears
    assert found.agrees
    assert found.price[0] == pytest.approx(price, abs=EXACT)
    assert found.groped[0] == pytest.approx(price, abs=EXACT)
    assert found.least.sum() <= capacity + EXACT
    assert found.price[0] == 0 or found.most.sum() >= capacity - EXACT


def test_what_cannot_be_divided_may_have_no_price() -> None:
    assert clear([A, B], np.array([25.0]), divisible=False).clears
    found = clear([A, B], np.array([22.5]), divisible=False)
    assert not found.clears
    assert found.why.startswith("no clearing price: at [2.0] tenants take from [20.0] to [30.0] of [22.5]")
    assert found.agrees


def test_no_price_helps_when_capacity_is_short_of_what_is_needed() -> None:
    needy = Tenant("n", np.array([3.0]), np.array([[1.0, 2.0]]), np.array([[[2.0, 3.0]]]))
    with pytest.raises(AllocationError, match=r"need at least \[6.0\] of a capacity of \[5.0\]"):
        clear([needy], np.array([5.0]))
    with pytest.raises(AllocationError, match="use has shape"):
        clear([Tenant("n", np.array([3.0]), np.array([[1.0, 2.0]]), np.zeros((2, 1, 2)))], np.array([5.0]))
    with pytest.raises(AllocationError, match="needs tenants"):
        clear([], np.array([5.0]))


def test_menus_of_different_width_share_a_capacity() -> None:
    one = Tenant("one", np.array([4.0]), np.array([[5.0]]), np.array([[[0.0]]]))
    found = clear([one, A], np.array([5.0]))
    assert found.price[0] == pytest.approx(3.0, abs=EXACT)
    assert found.least[0, 0] == 0.0
