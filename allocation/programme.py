"""A period as a linear programme: what its decisions could be allocated to, and what is left of each limit for them.

Decisions of a task may be several (a route, a check); each moves what the whole task brings and takes. So what the period took is
kept as it was, less what is expected of the options chosen, and the programme allocates the options anew: their effects add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allocation.duals import Solution, solve
from allocation.errors import Infeasible
from allocation.period import COST, LATENCY, LOSS, QUALITY, ClassTotals, Limit, Period, governed
from allocation.problem import Constraint, Floats, Kind, Problem, problem

OUTCOME_OF: dict[Kind, int] = {"compute_budget": COST, "latency_sla": LATENCY, "risk_envelope": LOSS}
"""The outcome that each kind of limit is on."""
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
    could not be, by name, with the reason."""

    of: Problem
    solution: Solution
    held: tuple[Held, ...]
    dropped: dict[str, str]


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


def solve_period(period: Period, means: Sequence[Floats], held: Sequence[Held]) -> Solved:
    """The best allocation at some mean outcomes (4, K) of each comparison. Limits that cannot be kept are dropped, and named."""
    kept, dropped = list(held), dict[str, str]()
    while True:
        of = build(period, means, kept)
        try:
            return Solved(of, solve(of), tuple(kept), dropped)
        except Infeasible as error:
            names = error.names or (_first_to_drop(kept),)
            dropped |= dict.fromkeys(names, error.message)
            kept = [one for one in kept if one.limit.name not in names]


def build(period: Period, means: Sequence[Floats], held: Sequence[Held]) -> Problem:
    """The programme, decisions taken together by comparison and band of V."""
    codes = {one.task_class: code for code, one in enumerate(period.classes)}
    widest = max((len(one.options) for one in period.compared), default=1)
    pieces: list[Floats] = []  # rows of count and group, then value, cost, latency and risk of each alternative
    for compared, mean in zip(period.compared, means, strict=True):
        table = np.full((len(compared.v_usd), 4, widest), np.nan)
        table[:, :, : len(compared.options)] = mean
        table[:, QUALITY] *= compared.v_usd[:, None]
        group = np.full(len(table), codes[compared.task_class])
        pieces.append(np.column_stack([compared.chosen.sum(axis=1), group, table.reshape(len(table), -1)]))
    # Nothing to decide: the period as it was.
    array = np.concatenate(pieces) if pieces else np.zeros((1, 2 + 4 * widest))
    tables = array[:, 2:].reshape(len(array), 4, widest)
    lambda_stated, rho_stated = _stated(period)
    return problem(
        tables[:, QUALITY], tables[:, COST], tables[:, LATENCY], tables[:, LOSS],
        [_constraint(one, period, means) for one in held],
        count=array[:, 0], group=array[:, 1].astype(np.int64), groups=max(1, len(period.classes)),
        lambda_stated=lambda_stated, rho_stated=rho_stated,
    )  # fmt: skip


def taken(period: Period, solved: Solved) -> list[Floats]:
    """Shape (bands, K) for each comparison: how many of its decisions take each option at the optimum."""
    counts, shares = solved.of.decisions.count, solved.solution.shares
    found: list[Floats] = []
    place = 0  # of the programme's rows: by comparison, then band
    for compared in period.compared:
        of = solved.of.row_class[place : place + len(compared.v_usd)]
        part = compared.chosen.sum(axis=1) / np.maximum(counts[of], 1e-300)
        found.append(shares[of, : len(compared.options)] * part[:, None])
        place += len(compared.v_usd)
    return found


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


def _constraint(held: Held, period: Period, means: Sequence[Floats]) -> Constraint:
    outcome = OUTCOME_OF[held.limit.kind]
    names = {period.classes[code].task_class for code in held.classes}
    taken = sum(took(period.classes[code], held.limit.kind) for code in held.classes)
    for compared, mean in zip(period.compared, means, strict=True):
        if compared.task_class in names:
            taken -= float(compared.chosen.sum(axis=0) @ mean[outcome])
    return Constraint(held.limit.name, held.limit.kind, held.limit.amount * held.scale, held.classes, taken)


def _scale(limit: Limit, totals: Sequence[ClassTotals], period: Period) -> float:
    if limit.kind == "compute_budget":
        return period.seconds / (limit.period_s or period.seconds)
    return float(sum(one.tasks for one in totals)) if limit.kind == "latency_sla" else period.days


def _first_to_drop(kept: Sequence[Held]) -> str:
    """Of limits that cannot be kept together: latency gives way before risk, and risk before the budget."""
    return min(kept, key=lambda one: _DROPPED_FIRST.index(one.limit.kind)).limit.name
