"""Duals, crossovers and inputs against problems that are solved on paper.

usage: python -m bench truth duals

Prints one table: what is asked, the solution on paper, what we give, and how far they are apart. Exit 1 when one is further apart
than it may be: 1e-9 for closed forms, 1e-6 for what a solver gives.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from allocation import cobb_douglas
from allocation.clearing import Tenant, clear
from allocation.duals import Solution, solve
from allocation.faces import price_range
from allocation.problem import Constraint, Floats, Kind, Problem, problem
from allocation.rule import Option, Prices, choose, crossovers

_CLOSED, _SOLVED = 1e-9, 1e-6


@dataclass(frozen=True, slots=True)
class Case:
    """A figure that is known on paper."""

    title: str
    paper: float
    ours: float
    tolerance: float
    took_ms: float

    @property
    def holds(self) -> bool:
        """Whether ours is as near as it must be."""
        return abs(self.ours - self.paper) <= self.tolerance * max(1.0, abs(self.paper))


def main() -> int:
    """Solve every case and print the table; exit 1 when one does not hold."""
    cases = [*_worked_example(), *_cobb_douglas(), *_marginal_tasks(), *_two_constraints(), *_ranges(), *_markets(), *_many()]
    print("| | on paper | ours | apart | may be | ms |")
    print("| --- | --: | --: | --: | --: | --: |")
    for one in cases:
        apart = abs(one.ours - one.paper)
        print(f"| {one.title} | {one.paper:.9g} | {one.ours:.9g} | {apart:.1e} | {one.tolerance:g} | {one.took_ms:.1f} |")
    broken = [one.title for one in cases if not one.holds]
    print(f"\n{len(cases) - len(broken)} of {len(cases)} hold", *broken, sep="\n  ", file=sys.stderr)
    return 1 if broken else 0


def _case(title: str, paper: float, tolerance: float, ours: Callable[[], float]) -> Case:
    began = time.perf_counter()
    found = ours()
    return Case(title, paper, found, tolerance, 1000 * (time.perf_counter() - began))


def _worked_example() -> Iterator[Case]:
    menu = [Option("cheap", 0.7, 1.0, 0.0, 0.05), Option("frontier", 0.9, 5.0, 0.0, 0.01)]

    def surplus(v: float, place: int) -> float:
        return choose(menu, Prices(v, 0.0, 0.0)).terms[place].surplus_usd

    for v, place, paper in ((10.0, 0, 6.0), (10.0, 1, 4.0), (100.0, 0, 69.0), (100.0, 1, 85.0)):
        yield _case(
            f"eq. 1: surplus of {menu[place].name} at V = {v:g}", paper, _CLOSED, lambda v=v, place=place: surplus(v, place)
        )
    for rho, paper in ((0.0, 20.0), (50.0, 10.0)):
        yield _case(
            f"eq. 1: V* at ρ = {rho:g}", paper, _CLOSED, lambda rho=rho: crossovers(menu, Prices(None, 0.0, rho))[0].v_usd
        )


def _cobb_douglas() -> Iterator[Case]:
    alphas, prices, budget = (0.4, 0.3, 0.1), (2.0, 0.5, 3.0), 40.0
    for place, (alpha, price) in enumerate(zip(alphas, prices, strict=True)):
        yield _case(
            f"eq. 8: t* of α = {alpha:g} at p = {price:g}", alpha / 0.8 * budget / price, _CLOSED,
            lambda place=place: cobb_douglas.best_inputs(alphas, prices, budget)[place],
        )  # fmt: skip
    steps = np.linspace(0.0, budget, 4001)

    def by_programme() -> float:
        """The same with two inputs, the first bought in 4,000 steps of which the solver takes the best."""
        output = np.zeros(len(steps))
        output[1:-1] = steps[1:-1] ** 0.6 * (budget - steps[1:-1]) ** 0.4
        found = solve(problem(output[None, :], 0.0, 0.0, 0.0, []))
        return float(steps[int(found.shares[0].argmax())])

    yield _case("eq. 8: spent on α = 0.6 of 1 in steps of 0.01", 24.0, 5e-3, by_programme)


def _tasks(values: Floats, limit: float, kind: Kind = "compute_budget") -> Problem:
    """Tasks of these values between q = 0.7 at 1 USD, 10 s and 0.05 USD of loss, and q = 0.9 at 5 USD, 2 s and 0.01 USD."""
    n = len(values)
    return problem(
        values[:, None] * np.array([0.7, 0.9]), np.tile([1.0, 5.0], (n, 1)), np.tile([10.0, 2.0], (n, 1)),
        np.tile([0.05, 0.01], (n, 1)), [Constraint("limit", kind, limit)],
    )  # fmt: skip


def _marginal_tasks() -> Iterator[Case]:
    values = np.array([30.0, 60.0, 120.0])

    def solved(limit: float, kind: Kind = "compute_budget", v: Floats = values) -> Solution:
        return solve(_tasks(v, limit, kind))

    yield _case("eq. 3: μ_C, V = 60 at the margin", 60 * 0.2 / 4, _SOLVED, lambda: solved(9.0).prices[0].budget_worth)
    yield _case("eq. 3: μ_C, the budget slack", 1.0, _SOLVED, lambda: solved(50.0).prices[0].budget_worth)
    low = np.array([5.0, 10.0, 12.0])
    yield _case(
        "eq. 3: λ, V = 10 at the margin",
        (4 - 2) / 8,
        _SOLVED,
        lambda: solved(18.0, "latency_sla", low).prices[0].lambda_usd_per_s,
    )
    yield _case("eq. 3: λ, the SLA slack", 0.0, _SOLVED, lambda: solved(31.0, "latency_sla", low).prices[0].lambda_usd_per_s)
    yield _case(
        "eq. 3: ρ, V = 10 at the margin", (4 - 2) / 0.04, _SOLVED, lambda: solved(0.09, "risk_envelope", low).prices[0].rho
    )
    yield _case("slackness: Σ μ·slack", 0.0, _SOLVED, lambda: solved(9.0).complementarity_usd)


def _two_constraints() -> Iterator[Case]:
    """A class that the budget divides (μ_B = 2) and one that the SLA does (μ_L = 3): λ = 3/(1 + 2)."""

    def both() -> Solution:
        return solve(
            problem(
                [[0.0, 12.0], [0.0, 3.0]], [[0.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]], 0.0,
                [Constraint("budget", "compute_budget", 2.0), Constraint("sla", "latency_sla", 0.5)],
            )
        )  # fmt: skip

    yield _case("eq. 3: μ_C with an SLA that binds too", 3.0, _SOLVED, lambda: both().prices[0].budget_worth)
    yield _case("eq. 3: λ = μ_L/μ_C", 1.0, _SOLVED, lambda: both().prices[0].lambda_usd_per_s)


def _ranges() -> Iterator[Case]:
    of = _tasks(np.array([30.0, 60.0, 120.0]), 7.0)
    found = price_range(of, solve(of), 0, "budget_worth")
    yield _case("degenerate: least μ_C, V = 60 waits", 60 * 0.2 / 4, _SOLVED, lambda: found.low)
    yield _case("degenerate: greatest μ_C, V = 120 is served", 120 * 0.2 / 4, _SOLVED, lambda: found.high)


def _markets() -> Iterator[Case]:
    def tenant(name: str, count: list[float], worth: list[float], units: list[float]) -> Tenant:
        use = np.column_stack([np.zeros(len(units)), units])[None]
        return Tenant(name, np.array(count), np.column_stack([np.zeros(len(worth)), worth]), use)

    tenants = [tenant("a", [10.0], [3.0], [1.0]), tenant("b", [10.0, 5.0], [2.0, 7.0], [1.0, 2.0])]
    for capacity, paper in ((5.0, 3.5), (15.0, 3.0), (25.0, 2.0), (100.0, 0.0)):
        yield _case(
            f"clearing: joint programme, capacity {capacity:g}", paper, _SOLVED,
            lambda capacity=capacity: float(clear(tenants, np.array([capacity])).price[0]),
        )  # fmt: skip
        yield _case(
            f"clearing: tâtonnement, capacity {capacity:g}", paper, _SOLVED,
            lambda capacity=capacity: float(clear(tenants, np.array([capacity])).groped[0]),
        )  # fmt: skip


def _many() -> Iterator[Case]:
    """Values spread evenly over 0 … 200: with a budget for a share s at the frontier, the margin is at V = 200·(1 − s)."""
    for n in (1_000, 100_000):
        values = (np.arange(n) + 0.5) / n * 200
        share, margin = 0.25, 200 * 0.75 - 100 / n  # the task that the last half dollar goes to
        of = _tasks(values, n + 4 * (share * n + 0.5))
        yield _case(
            f"eq. 3: μ_C among {n:,} distinct tasks", margin * 0.2 / 4, _SOLVED, lambda of=of: solve(of).prices[0].budget_worth
        )


if __name__ == "__main__":
    sys.exit(main())
