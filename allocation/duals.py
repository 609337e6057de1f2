"""Prices as the duals of budgets, SLAs and risk envelopes (eq. 3), solved by HiGHS.

The allocation of a period is the linear programme

    maximise  Σ_g Σ_k x_gk · (V·Q_gk − C_gk)      over  x_gk ≥ 0,  Σ_k x_gk = n_g
    subject to  Σ x·C ≤ B  (μ_B),   Σ x·L ≤ S  (μ_L),   Σ x·R ≤ E  (μ_R)

An alternative is used only if it maximises V·Q − (1 + μ_B)·C − μ_L·L − μ_R·R. A dollar of compute is thus worth μ_C = 1 + μ_B;
divided by it this is eq. 1 with the prices (1, λ, ρ) = (μ_C, μ_L, μ_R)/μ_C and the value V/μ_C.

Eq. 3 as printed leaves −C out of the objective. Where its budget binds in earnest (μ_C > 1) both have the same solution and the
same μ_C, since the Lagrangians are equal. Where it does not bind, μ_C would be 0 and the ratios nothing; and with 0 < μ_C < 1 the
last dollars would buy what is worth less than a dollar. With −C in it, a slack budget has μ_B = 0, a dollar is worth a dollar,
λ = μ_L and ρ = μ_R. A latency or risk that has no constraint may have a stated price, which then stands in the objective.

Alternatives may be mixed within a class (x is no whole number); a solution mixes in as many classes as constraints bind at most,
which is nothing against the thousands of decisions of a period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from allocation.columns import solve_by_columns
from allocation.errors import Infeasible
from allocation.highs import Optimum, Programme, minimise_each
from allocation.problem import Floats, Problem

DIRECT_MAX = 20_000
"""Alternatives up to which the programme is handed to HiGHS as it is; beyond, columns are generated."""

_DENSE_MAX = 600  # alternatives up to which making sparse arrays costs more than it saves
_BARELY = 1e-9  # of a limit: what cannot be kept by less is rounding
_PLAINLY = 1e-6  # the same beyond HiGHS's own tolerance, so that it need not be asked


@dataclass(frozen=True, slots=True)
class Usage:
    """A constraint at the optimum. `used` and `limit` in its own unit, with what was taken already; `slack` = limit − used;
    `multiplier` μ in USD per unit: what one unit more would bring."""

    name: str
    kind: str
    limit: float
    used: float
    slack: float
    multiplier: float

    @property
    def relative_slack(self) -> float:
        """Slack as a share of the limit; of a limit of 0 the slack itself."""
        return self.slack / abs(self.limit) if self.limit else self.slack


@dataclass(frozen=True, slots=True)
class GroupPrices:
    """The prices of one group (eq. 3): `budget_worth` μ_C, dollars of value that the last dollar of compute brings; λ in USD per
    second and ρ in USD per USD, both in dollars of compute. Its V is to be divided by `budget_worth`."""

    budget_worth: float
    lambda_usd_per_s: float
    rho: float


@dataclass(frozen=True, slots=True)
class Solution:
    """An optimal allocation and its prices.

    `shares` (G, K): how many decisions of each class take each alternative. `multipliers` (m,) in the order of the constraints.
    `complementarity_usd` is Σ_j μ_j·slack_j + Σ_gk x_gk·(best score of g − score of k): what complementary slackness says is 0,
    and also the distance to the bound that the prices prove; `net_usd` the objective. `mixed` counts classes that mix.
    """

    shares: Floats
    multipliers: Floats
    usages: tuple[Usage, ...]
    prices: tuple[GroupPrices, ...]
    net_usd: float
    complementarity_usd: float
    mixed: int


def solve(of: Problem, *, direct_max: int = DIRECT_MAX) -> Solution:
    """The best allocation and its duals. Raises: Infeasible, naming the constraints that cannot be kept."""
    [found] = solve_each([of], direct_max=direct_max)
    if isinstance(found, Infeasible):
        raise found
    return found


def solve_each(problems: Sequence[Problem], *, direct_max: int = DIRECT_MAX) -> list[Solution | Infeasible]:
    """The best allocation of each problem with its duals, or which of its constraints cannot be kept."""
    starts = [_start(of) for of in problems]
    direct = [one.programme() for one in starts if isinstance(one, _Start) and one.net.size <= direct_max]
    optima = iter(minimise_each(direct))
    return [
        _finish(one, next(optima) if one.net.size <= direct_max else None) if isinstance(one, _Start) else one for one in starts
    ]


@dataclass(frozen=True, slots=True)
class _Start:
    """A problem that needs a solver: the classes that some constraint covers (`held`), and what HiGHS is given of these."""

    of: Problem
    held: Any
    count: Floats
    net: Floats
    taken: Floats
    limits: Floats

    def programme(self) -> Programme:
        """What HiGHS is given."""
        return _programme(self.count, self.net, self.taken, self.limits)


def _start(of: Problem) -> _Start | Solution | Infeasible:
    """What the solver is needed for, or the answer where it is not."""
    net, taken = of.net_usd, of.taken()
    limits = np.array([constraint.left for constraint in of.constraints])
    found = _unlimited(of.decisions.count, net, taken, limits)
    if found is not None:
        return _solution(of, net, taken, *found)
    alone = _alone(of, taken, limits, _PLAINLY)
    if alone is not None:
        return alone
    held = (taken != 0.0).any(axis=(0, 2))  # what no constraint covers is decided already
    held |= not held.any()  # limits are kept to the solver's tolerance, also where nothing can be done about them
    return _Start(of, held, of.decisions.count[held], net[held], taken[:, held], limits)


def _finish(start: _Start, optimum: Optimum | None) -> Solution | Infeasible:
    """The answer; without an optimum columns are generated first."""
    of = start.of
    if optimum is None:
        found = solve_by_columns(start.count, start.net, start.taken, start.limits, solve_programme)
    else:
        found = _read(optimum, start.net.shape)
    net, taken = of.net_usd, of.taken()
    if found is None:
        return _infeasible(of, taken, start.limits)
    shares = _each_at_its_best(of.decisions.count, net)
    shares[start.held] = found[0]
    return _solution(of, net, taken, shares, found[1])


def _unlimited(count: Floats, net: Floats, taken: Floats, limits: Floats) -> tuple[Floats, Floats] | None:
    """Every decision at its best, if no limit minds: an optimum in which nothing has a price, found without a solver."""
    shares = _each_at_its_best(count, net)
    used = np.tensordot(taken, shares, axes=2)
    return (shares, np.zeros(len(limits))) if (used <= limits).all() else None


def _each_at_its_best(count: Floats, net: Floats) -> Floats:
    shares = np.zeros(net.shape)
    shares[np.arange(len(net)), net.argmax(axis=1)] = count
    return shares


def prices_of(of: Problem, multipliers: Floats) -> tuple[GroupPrices, ...]:
    """(1, λ, ρ) = (μ_C, μ_L, μ_R)/μ_C of every group, where μ_C is 1 and the multipliers of all budgets that cover it."""
    prices: list[GroupPrices] = []
    for group in range(of.groups):
        total = {
            "compute_budget": 1.0,
            "latency_sla": float(of.lambda_stated[group]),
            "risk_envelope": float(of.rho_stated[group]),
        }
        for constraint, multiplier in zip(of.constraints, multipliers, strict=True):
            if constraint.covers(group):
                total[constraint.kind] += float(multiplier)
        worth = total["compute_budget"]
        prices.append(GroupPrices(worth, total["latency_sla"] / worth, total["risk_envelope"] / worth))
    return tuple(prices)


def solve_programme(count: Floats, net: Floats, taken: Floats, limits: Floats) -> tuple[Floats, Floats] | None:
    """Shares (G, K) and multipliers (m,) of the programme as it is; None when it is not feasible.

    Shapes: count (G,); net (G, K), −inf where there is no alternative; taken (m, G, K); limits (m,).
    Raises: AllocationError when HiGHS gives up.
    """
    [answer] = minimise_each([_programme(count, net, taken, limits)])
    return _read(answer, net.shape)


def _programme(count: Floats, net: Floats, taken: Floats, limits: Floats) -> Programme:
    classes, options = net.shape
    there = np.isfinite(net)
    rows: Any = taken.reshape(len(limits), net.size)
    each_once: Any = np.repeat(np.eye(classes), options, axis=1) if net.size <= _DENSE_MAX else None
    if each_once is None:
        rows = sparse.csr_array(rows)
        each_once = sparse.kron(sparse.eye_array(classes), np.ones((1, options)), format="csr")
    cost, upper = -np.where(there, net, 0.0).reshape(-1), np.where(there, count[:, None], 0.0).reshape(-1)
    return Programme(cost, rows, limits, each_once, count, upper)


def _read(answer: Optimum, shape: tuple[int, ...]) -> tuple[Floats, Floats] | None:
    return None if answer.status == "infeasible" else (answer.x.reshape(shape), answer.multipliers)


def _solution(of: Problem, net: Floats, taken: Floats, shares: Floats, multipliers: Floats) -> Solution:
    used = np.tensordot(taken, shares, axes=2)
    usages = tuple(
        Usage(c.name, c.kind, c.limit, c.taken + float(use), c.left - float(use), float(multiplier))
        for c, use, multiplier in zip(of.constraints, used, multipliers, strict=True)
    )
    score = net - np.tensordot(multipliers, taken, axes=1)
    lost = np.where(shares > 0, score.max(axis=1, keepdims=True) - np.where(np.isfinite(score), score, 0.0), 0.0)
    unspent = sum(usage.multiplier * usage.slack for usage in usages)
    return Solution(
        shares,
        multipliers,
        usages,
        prices_of(of, multipliers),
        float((np.where(np.isfinite(net), net, 0.0) * shares).sum()),
        unspent + float((shares * lost).sum()),
        int(((shares > 1e-9 * of.decisions.count[:, None]).sum(axis=1) > 1).sum()),
    )


def _infeasible(of: Problem, taken: Floats, limits: Floats) -> Infeasible:
    """Which constraints cannot be kept: alone, with the least that can be had, or only not together."""
    alone = _alone(of, taken, limits, _BARELY)
    if alone is not None:
        return alone
    names = ", ".join(constraint.name for constraint in of.constraints)
    return Infeasible(f"each constraint can be kept, but not together: {names}", "loosen one of them")


def _alone(of: Problem, taken: Floats, limits: Floats, by: float) -> Infeasible | None:
    """The constraints of which the least that can be had is more than their limit, by a share of it."""
    least = (of.decisions.count * np.where(of.decisions.there, taken, np.inf).min(axis=2)).sum(axis=1)
    alone = {
        c.name: f"{c.name} allows {c.limit / c.scale:g}, the least that can be had is {(c.taken + low) / c.scale:g}"
        for c, low, limit in zip(of.constraints, least, limits, strict=True)
        if low > limit + by * max(1.0, abs(limit))
    }
    if not alone:
        return None
    message = "no allocation keeps the constraints: " + "; ".join(alone.values())
    return Infeasible(message, "loosen them, or add cheaper alternatives", alone)
