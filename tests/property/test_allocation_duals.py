"""Complementary slackness, and that no allocation beats what the duals allow, on any small problem."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from allocation.clearing import Tenant, clear
from allocation.duals import solve
from allocation.errors import Infeasible
from allocation.faces import price_range
from allocation.problem import Constraint, Floats, Kind, Problem, problem
from tests.naive_allocation import best_allocation, dual_bound, least_bound

KINDS: list[Kind] = ["compute_budget", "latency_sla", "risk_envelope"]
amounts = st.integers(0, 40).map(lambda x: x / 4)


@st.composite
def problems(draw: st.DrawFn, constraints: int = 3) -> Problem:
    classes, options = draw(st.integers(1, 4)), draw(st.integers(2, 3))

    def table() -> Floats:
        return np.array([[draw(amounts) for _ in range(options)] for _ in range(classes)])

    value, cost, latency, risk = table() * 3, table(), table(), table()
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=constraints))
    limits = [
        Constraint(f"{kind} {place}", kind, draw(amounts) * classes / 2, taken=draw(st.sampled_from([0.0, 0.0, 1.0])))
        for place, kind in enumerate(kinds)
    ]
    return problem(value, cost, latency, risk, limits)


@settings(max_examples=150, deadline=None)
@given(of=problems())
def test_complementary_slackness(of: Problem) -> None:
    """Either a constraint binds or its price is 0; and what is used scores as high as anything."""
    try:
        solution = solve(of)
    except Infeasible:
        assume(False)
        return
    size = 1.0 + abs(solution.net_usd)
    assert solution.complementarity_usd == pytest.approx(0.0, abs=1e-6 * size)
    for usage in solution.usages:
        assert usage.slack >= -1e-6 * (1 + abs(usage.limit))
        assert usage.multiplier >= 0
        assert usage.multiplier * usage.slack == pytest.approx(0.0, abs=1e-6 * size)
    if all(usage.slack > 1e-6 for usage in solution.usages if usage.kind == "latency_sla"):
        assert solution.prices[0].lambda_usd_per_s == 0.0
    assert solution.shares.sum(axis=1) == pytest.approx(of.decisions.count)


@settings(max_examples=100, deadline=None)
@given(of=problems())
def test_no_allocation_exceeds_the_optimum_and_the_duals_prove_it(of: Problem) -> None:
    try:
        solution = solve(of)
    except Infeasible:
        assert best_allocation(of.net_usd, of.taken(), np.array([c.left for c in of.constraints])) is None
        return
    limits = np.array([constraint.left for constraint in of.constraints])
    rows = np.repeat(np.arange(len(of.decisions.count)), of.decisions.count.astype(int))
    whole = best_allocation(of.net_usd[rows], of.taken()[:, rows], limits)
    assert whole is None or whole[0] <= solution.net_usd + 1e-6 * (1 + abs(solution.net_usd))
    bound = dual_bound(of.net_usd[rows], of.taken()[:, rows], limits, solution.multipliers)
    assert bound == pytest.approx(solution.net_usd, abs=1e-6 * (1 + abs(solution.net_usd)))


@settings(max_examples=100, deadline=None)
@given(of=problems(constraints=1))
def test_one_constraint_against_all_slopes(of: Problem) -> None:
    try:
        solution = solve(of)
    except Infeasible:
        assume(False)
        return
    rows = np.repeat(np.arange(len(of.decisions.count)), of.decisions.count.astype(int))
    naive = least_bound(of.net_usd[rows], of.taken()[:, rows], np.array([of.constraints[0].left]))
    assert solution.net_usd == pytest.approx(naive, abs=1e-6 * (1 + abs(naive)))


@settings(max_examples=100, deadline=None)
@given(of=problems())
def test_prices_lie_in_their_range(of: Problem) -> None:
    try:
        solution = solve(of)
    except Infeasible:
        assume(False)
        return
    for name in ("budget_worth", "lambda_usd_per_s", "rho"):
        found = price_range(of, solution, 0, name)
        price = getattr(solution.prices[0], name)
        near = 1e-6 * (1 + abs(price))
        assert found.low - near <= price <= found.high + near


@settings(max_examples=60, deadline=None)
@given(of=problems())
def test_columns_agree_with_the_programme(of: Problem) -> None:
    try:
        direct = solve(of)
    except Infeasible:
        with pytest.raises(Infeasible):
            solve(of, direct_max=0)
        return
    columns = solve(of, direct_max=0)
    assert columns.net_usd == pytest.approx(direct.net_usd, abs=1e-6 * (1 + abs(direct.net_usd)))
    assert columns.complementarity_usd == pytest.approx(0.0, abs=1e-6 * (1 + abs(direct.net_usd)))


@settings(max_examples=60, deadline=None)
@given(
    worth=st.lists(st.tuples(st.integers(1, 5), amounts, st.integers(1, 8)), min_size=1, max_size=6),
    capacity=st.integers(0, 60),
)
def test_the_market_and_the_joint_programme_agree(worth: list[tuple[int, float, int]], capacity: int) -> None:
    tenants = [
        Tenant(str(k), np.array([float(n)]), np.array([[0.0, value]]), np.array([[[0.0, float(units)]]]))
        for k, (n, value, units) in enumerate(worth)
    ]
    found = clear(tenants, np.array([float(capacity)]))
    assert found.agrees
    assert found.clears
    assert found.gap_usd == pytest.approx(0.0, abs=1e-6 * (1 + sum(n * value for n, value, _ in worth)))


@settings(max_examples=25, deadline=None)
@given(
    worth=st.lists(st.tuples(st.integers(1, 5), amounts, st.integers(1, 8), st.integers(0, 8)), min_size=2, max_size=4),
    capacity=st.integers(0, 60),
    kept=st.integers(0, 100),
)
def test_they_agree_while_a_tenant_keeps_a_limit_of_its_own(
    worth: list[tuple[int, float, int, int]], capacity: int, kept: int
) -> None:
    """The first may take a share of what its tasks would take of something else, and is free to take nothing of it."""
    tenants = [
        Tenant(str(k), np.array([float(n)]), np.array([[0.0, value]]), np.array([[[0.0, float(units)]]]))
        for k, (n, value, units, _) in enumerate(worth)
    ]
    n, _, _, other = worth[0]
    limit = (np.array([[[0.0, float(other)]]]), np.array([kept / 100 * n * other]))
    tenants[0] = Tenant("0", tenants[0].count, tenants[0].net_usd, tenants[0].use, *limit)
    found = clear(tenants, np.array([float(capacity)]))
    assert found.agrees
    assert found.gap_usd == pytest.approx(0.0, abs=1e-6 * (1 + sum(n * value for n, value, *_ in worth)))
    assert (found.shares[0] * limit[0][0]).sum() <= limit[1][0] + 1e-6
    assert found.takes.sum() <= capacity + 1e-5
    assert (found.least <= found.takes + 1e-4).all()
    assert (found.takes <= found.most + 1e-4).all()
