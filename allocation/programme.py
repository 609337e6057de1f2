"""A period as a linear programme: what its tasks could be moved to, and what is left of each limit beyond what they took.

Each task is left as it was or moved by one kind of decision (`moves`), so that effects of several decisions are never added up.
All amounts are against how it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from allocation.duals import Solution, solve, solve_each
from allocation.errors import Infeasible
from allocation.moves import Moves
from allocation.period import COST, LATENCY, LOSS, QUALITY, ClassTotals, Limit, Period, governed
from allocation.problem import Constraint, Floats, Kind, Problem, problem

NOTHING = 0.05
"""Of what was taken: what comes out by less than this below nothing is taken for nothing; estimates miss the books by as much."""
_DROPPED_FIRST: tuple[Kind, ...] = ("latency_sla", "risk_envelope", "compute_budget")


@dataclass(frozen=True, slots=True)
class Held:
    """A limit with the classes it holds (codes), and how many of its own units the period makes of it: limit × scale."""

    limit: Limit
    classes: tuple[int, ...]
    scale: float


@dataclass(frozen=True, slots=True)
class Solved:
    """The period's best allocation. `held` are the limits that were kept, in the order of the solution's; `dropped` those that
    could not be, by name, with the reason; `unidentified` those of which it would take less than nothing, which cannot be."""

    of: Problem
    solution: Solution
    held: tuple[Held, ...]
    dropped: dict[str, str]
    unidentified: dict[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether all limits are kept."""
        return not self.dropped and not self.unidentified


def held_limits(period: Period) -> tuple[tuple[Held, ...], dict[str, str]]:
    """The limits that hold some class of the period, and those of which nothing can be said, with the reason."""
    names = [one.task_class for one in period.classes]
    held: list[Held] = []
    unknown: dict[str, str] = {}
    for limit in period.limits:
        classes = tuple(code for code, name in enumerate(names) if limit in governed(period.limits, name))
        totals = [period.classes[code] for code in classes]
        if not classes:
            unknown[limit.name] = f"no task of the period is held to {limit.name}"
        elif limit.kind == "risk_envelope" and all(one.loss_usd is None for one in totals):
            unknown[limit.name] = f"no task that is held to {limit.name} tells an expected or realised loss"
        elif limit.kind == "compute_budget" and not any(one.priced for one in totals):
            unknown[limit.name] = f"no task that is held to {limit.name} has a cost"
        else:
            held.append(Held(limit, classes, _scale(limit, totals, period)))
    return tuple(held), unknown


def solve_period(period: Period, means: Sequence[Floats], held: Sequence[Held], of: Moves) -> Solved:
    """The best allocation at some mean outcomes (4, K) of each comparison. Limits that cannot be kept are dropped, and named."""
    kept, dropped = list(held), dict[str, str]()
    while True:
        programme = build(period, means, kept, of)
        try:
            return Solved(programme, solve(programme), tuple(kept), dropped, {})
        except Infeasible as error:
            said = {name: f"no allocation keeps it: {why}" for name, why in error.alone.items()}
            said = said or {_first_to_drop(kept): error.message}
            dropped |= {name: f"{why}, by changing one kind of decision in each task" for name, why in said.items()}
            kept = [one for one in kept if one.limit.name not in said]


def solve_each_of(period: Period, many: Iterable[Sequence[Floats]], held: Sequence[Held], of: Moves) -> tuple[Solved, ...]:
    """The same at each of many mean outcomes, which takes a fraction of the time of one after the other."""
    drawn = list(many)
    programmes = [build(period, means, held, of) for means in drawn]
    found = zip(drawn, programmes, solve_each(programmes), strict=True)
    return tuple(
        solve_period(period, means, held, of)
        if isinstance(solution, Infeasible)
        else Solved(programme, solution, tuple(held), {}, {})
        for means, programme, solution in found
    )


def identified(period: Period, solved: Solved, of: Moves) -> Solved:
    """The same without the limits of which it takes less than nothing: what options take is then not known well enough to say
    what is left of them, or what they cost. They are slack there, so that nothing else changes."""
    below = {
        usage.name: f"what would be used of {usage.name} at best comes out below nothing: neither that nor a price is identified"
        for usage, one in zip(solved.solution.usages, solved.of.constraints, strict=True)
        if usage.used < -NOTHING * max(abs(one.taken), abs(one.limit))
    }
    if not below:
        return solved
    again = solve_period(period, period.means(), [one for one in solved.held if one.limit.name not in below], of)
    return replace(again, dropped=solved.dropped | again.dropped, unidentified=below)


def build(period: Period, means: Sequence[Floats], held: Sequence[Held], of: Moves) -> Problem:
    """The programme: groups of tasks, each with how it was and what it could be moved to."""
    lambda_stated, rho_stated = _stated(period)
    constraints, groups = [_constraint(one, period) for one in held], max(1, len(period.classes))
    if not period.together:  # nothing to decide: the period as it was
        return problem(0.0, 0.0, 0.0, 0.0, constraints, groups=groups, lambda_stated=lambda_stated, rho_stated=rho_stated)
    table = of.table(means)
    return problem(
        table[:, QUALITY] * of.v_usd[:, None], table[:, COST], table[:, LATENCY], table[:, LOSS], constraints,
        count=of.tasks, group=of.group, groups=groups, lambda_stated=lambda_stated, rho_stated=rho_stated,
    )  # fmt: skip


def taken(solved: Solved, of: Moves) -> list[Floats]:
    """Shape (K,) for each comparison: how many of its decisions take each option at the optimum."""
    if not len(of.tasks):
        return []
    same = solved.of.row_class
    part = of.tasks / solved.of.decisions.count[same]
    return of.taken(solved.solution.shares[same] * part[:, None])


def took(of: ClassTotals, kind: Kind) -> float:
    """What the tasks of a class took. Tasks whose cost is not known are taken to have cost what the others did."""
    if kind == "compute_budget":
        return of.cost_usd / of.priced * of.tasks if of.priced else 0.0
    return of.latency_s if kind == "latency_sla" else of.loss_usd or 0.0


def _stated(period: Period) -> tuple[Floats, Floats]:
    """λ and ρ by class, of those that no limit is held to of that kind; 0 where nobody states one."""
    lam, rho = np.zeros(max(1, len(period.classes))), np.zeros(max(1, len(period.classes)))
    for code, one in enumerate(period.classes):
        prices = period.policy(one.task_class)
        kinds = {limit.kind for limit in governed(period.limits, one.task_class)}
        lam[code] = 0.0 if "latency_sla" in kinds else prices.lambda_usd_per_s or 0.0
        rho[code] = 0.0 if "risk_envelope" in kinds else prices.rho or 0.0
    return lam, rho


def _constraint(held: Held, period: Period) -> Constraint:
    taken = sum(took(period.classes[code], held.limit.kind) for code in held.classes)
    return Constraint(held.limit.name, held.limit.kind, held.limit.amount * held.scale, held.classes, taken, held.scale)


def _scale(limit: Limit, totals: Sequence[ClassTotals], period: Period) -> float:
    if limit.kind == "compute_budget":
        return period.seconds / (limit.period_s or period.seconds)
    return float(sum(one.tasks for one in totals)) if limit.kind == "latency_sla" else period.days


def _first_to_drop(kept: Sequence[Held]) -> str:
    """Of limits that cannot be kept together: latency gives way before risk, and risk before the budget."""
    return min(kept, key=lambda one: _DROPPED_FIRST.index(one.limit.kind)).limit.name
