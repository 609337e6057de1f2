"""How far prices are determined: where an optimum has several duals, every price between two bounds is as right as another.

The duals of an optimum are those multipliers under which no alternative scores higher than those in use (complementary
slackness): one inequality in μ for each, in m unknowns. Bounds of a price μ_L/μ_C are linear programmes over that set once it is
scaled by μ_C (Charnes & Cooper 1962). Rows are added as they turn out to be violated, since few of them matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from allocation.duals import Solution
from allocation.errors import AllocationError
from allocation.highs import minimise
from allocation.problem import Floats, Problem

Price: TypeAlias = Literal["budget_worth", "lambda_usd_per_s", "rho"]
_KIND_OF = {"lambda_usd_per_s": "latency_sla", "rho": "risk_envelope"}
_ROWS_ADDED = 50
_ROUNDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest price that the optimum allows; equal, but for rounding, where it is determined. `high` is
    infinite where one unit less could not be borne at all."""

    low: float
    high: float

    def is_degenerate(self, tolerance: float = 1e-6) -> bool:
        """Whether several prices are right."""
        return self.high - self.low > tolerance * max(1.0, abs(self.low))


def price_range(of: Problem, solution: Solution, group: int, price: Price) -> Range:
    """The range of one price of one group at an optimum, in the unit of `GroupPrices`."""
    rows, gains = _rows(of.decisions.count, of.net_usd, of.taken(), solution.shares)
    binding = [j for j, usage in enumerate(solution.usages) if is_binding(usage.slack, usage.limit, usage.used)]
    rows = rows[:, binding]
    budgets = _indicator(of, binding, "compute_budget", group)
    if price == "budget_worth":
        low, high = (_bound(rows, gains, np.zeros_like(budgets), budgets, sign) for sign in (1.0, -1.0))
        return Range(1.0 + low, 1.0 + high)
    stated = float((of.lambda_stated if price == "lambda_usd_per_s" else of.rho_stated)[group])
    goal = _indicator(of, binding, _KIND_OF[price], group)
    return Range(*(_bound(rows, gains, budgets, goal, sign, stated=stated) for sign in (1.0, -1.0)))


def multiplier_range(count: Floats, net: Floats, taken: Floats, limits: Floats, shares: Floats, row: int) -> Range:
    """The range of one constraint's multiplier at an optimum of a programme, in the shapes of `duals.solve_programme`."""
    used = np.tensordot(taken, shares, axes=2)
    binding = [j for j in range(len(limits)) if is_binding(float(limits[j] - used[j]), float(limits[j]), float(used[j]))]
    rows, gains = _rows(count, net, taken, shares)
    goal = np.array([j == row for j in binding], dtype=np.float64)
    return Range(*(_bound(rows[:, binding], gains, np.zeros_like(goal), goal, sign) for sign in (1.0, -1.0)))


def is_binding(slack: float, limit: float, used: float) -> bool:
    """Whether nothing is left of a limit, to the solver's tolerance."""
    return abs(slack) <= 1e-7 * max(1.0, abs(limit), abs(used))


def _indicator(of: Problem, binding: list[int], kind: str, group: int) -> Floats:
    """1 for each binding constraint of this kind that covers the group."""
    constraints = [of.constraints[j] for j in binding]
    return np.array([one.kind == kind and one.covers(group) for one in constraints], dtype=np.float64)


def _rows(count: Floats, net: Floats, taken: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Inequalities d·μ ≥ gain, one for each alternative against each one in use: d (r, m) is what it takes more."""
    differences: list[Floats] = []
    gains: list[Floats] = []
    in_use = shares > 1e-9 * np.maximum(count[:, None], 1e-300)
    for option in range(net.shape[1]):
        classes = np.flatnonzero(in_use[:, option] & (count > 0))
        more = (taken[:, classes, :] - taken[:, classes, option][:, :, None]).transpose(1, 2, 0)
        gain = net[classes] - net[classes, option][:, None]
        there = np.isfinite(gain)
        there[:, option] = False
        differences.append(more[there])
        gains.append(gain[there])
    return np.concatenate(differences), np.concatenate(gains)


def _bound(rows: Floats, gains: Floats, budgets: Floats, goal: Floats, sign: float, *, stated: float = 0.0) -> float:
    """Least (sign 1) or greatest (−1) of (goal·μ + stated)/(1 + budgets·μ) over the set of multipliers.

    Unknowns: y = t·μ and t = 1/(1 + budgets·μ).
    """
    m = rows.shape[1]
    if m == 0:
        return stated
    size = np.maximum(np.abs(rows).max(axis=1, initial=0.0), np.abs(gains))
    kept = size > 0
    table = np.column_stack([rows, -gains])[kept] / size[kept][:, None]  # table·(y, t) ≥ 0
    active = np.zeros(len(table), dtype=np.bool_)
    for _ in range(_ROUNDS_MAX):
        answer = minimise(
            sign * np.append(goal, stated),
            -table[active],
            np.zeros(int(active.sum())),
            np.append(budgets, 1.0)[None, :],
            np.ones(1),
        )
        if answer.status == "infeasible":
            raise AllocationError("the range of a price was asked for at an allocation that is not an optimum")
        point = answer.x if answer.status == "optimal" else None
        # An unbounded price shows which way it grows; rows that forbid this way may still be waiting.
        direction = point if point is not None else np.append(goal, 0.0)
        violation = table @ direction
        waiting = ~active & (violation < -1e-9)
        if not waiting.any():
            if point is None and not active.all():
                active[:] = True
                continue
            return float("inf") if point is None else max(0.0, float(sign * answer.cost))
        worst = np.argsort(np.where(waiting, violation, np.inf))[:_ROWS_ADDED]
        active[worst[waiting[worst]]] = True
    raise AllocationError("the range of a price was not found", "give fewer constraints")
