"""The prices of a period: duals where a limit is stated, policy elsewhere, with intervals by resampling tasks.

A bootstrap replicate has the options' means of tasks drawn anew, and the programme is solved again at them; 95 % of its prices
lie within the interval. Where an optimum has several duals, the interval holds all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from allocation.faces import Price, price_range
from allocation.moves import Moves, moves
from allocation.period import Limit, Period, governed
from allocation.problem import Floats, Kind
from allocation.programme import Held, Solved, held_limits, identified, solve_each_of, solve_period, taken

LEVEL = 0.95
_BINDS = 1e-9  # a multiplier below is rounding
Status: TypeAlias = Literal["stated", "solved", "infeasible"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A price with its interval. A bound of None is not known, or without limit."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


NOTHING = Estimate()


@dataclass(frozen=True, slots=True)
class ClassPrices:
    """The prices of one class or pattern, as `pigou.price_vector` holds them."""

    task_class: str
    v: Estimate
    v_stated_usd: float | None
    v_source: str
    budget_worth: Estimate
    lam: Estimate
    lambda_source: str
    rho: Estimate
    rho_source: str
    source: str
    constraints: list[dict[str, Any]]
    why: str


@dataclass(frozen=True, slots=True)
class Allocated:
    """How many decisions of a kind take an option: as they did, and as the programme would have them."""

    task_class: str
    kind: str
    option: str
    decisions: float
    best: float


@dataclass(frozen=True, slots=True)
class Found:
    """The prices of a period, and the allocation that they stand for. `net_usd`, which is against how it was, and
    `complementarity_usd` are None where nothing was to be decided."""

    rows: tuple[ClassPrices, ...]
    status: Status
    why: str
    constraints: list[dict[str, Any]]
    allocation: tuple[Allocated, ...]
    decisions: int
    net_usd: float | None
    complementarity_usd: float | None
    solved: Solved
    again: tuple[Solved, ...]
    """The same solved with tasks drawn anew, once for each replicate."""
    multipliers: dict[str, Estimate]
    """By the name of its limit what one unit more of the period's whole would bring, in USD."""

    def of(self, label: str) -> ClassPrices | None:
        """The prices of a class or pattern."""
        return next((row for row in self.rows if row.task_class == label), None)


@dataclass(frozen=True, slots=True)
class _Duals:
    """Multipliers by the name of their limit: at the optimum, and in each replicate (infinite where it could not be kept)."""

    solved: Solved
    point: dict[str, float]
    replicates: dict[str, Floats]
    missing: dict[str, str]


def find_prices(period: Period) -> Found:
    """The prices of every class and pattern of a period."""
    held, unknown = held_limits(period)
    of = moves(period)
    solved = identified(period, solve_period(period, period.means(), held, of), of)
    again = solve_each_of(period, map(period.drawn, range(period.replicates)), solved.held, of)
    duals = _Duals(
        solved,
        {one.limit.name: float(mu) for one, mu in zip(solved.held, solved.solution.multipliers, strict=True)},
        _multipliers(again, [one.limit.name for one in solved.held]),
        unknown | solved.dropped | solved.unidentified,
    )
    rows = [_row(period, label, duals) for label in period.labels]
    status: Status = "infeasible" if solved.dropped else "solved" if period.limits else "stated"
    is_decided = bool(period.compared)
    return Found(
        tuple(rows), status, "; ".join(sorted(set(duals.missing.values()))),
        [_told(one, solved, place) for place, one in enumerate(solved.held)],
        _allocation(period, solved, of), int(sum(one.decisions for one in period.compared)),
        solved.solution.net_usd if is_decided else None, solved.solution.complementarity_usd if is_decided else None,
        solved, again,
        {name: _percentiles(point, duals.replicates[name]) for name, point in duals.point.items()},
    )  # fmt: skip


def _multipliers(again: Sequence[Solved], names: Sequence[str]) -> dict[str, Floats]:
    """Of each limit its multiplier in every replicate, infinite where it could not be kept."""
    found = np.zeros((max(1, len(again)), len(names)))
    for replicate, one in enumerate(again):
        multipliers = {h.limit.name: float(mu) for h, mu in zip(one.held, one.solution.multipliers, strict=True)}
        found[replicate] = [multipliers.get(name, np.inf) for name in names]
    return {name: found[:, place] for place, name in enumerate(names)}


def _row(period: Period, label: str, duals: _Duals) -> ClassPrices:
    limits = governed(period.limits, label)
    by_kind: dict[Kind, list[Limit]] = {kind: [one for one in limits if one.kind == kind] for kind in _KINDS}
    missing = sorted({duals.missing[one.name] for one in limits if one.name in duals.missing})
    policy = period.policy(label)
    worth = _worth(by_kind["compute_budget"], label, period, duals)
    lam, lambda_source = _price(period, label, duals, by_kind, "lambda_usd_per_s", policy.lambda_usd_per_s)
    rho, rho_source = _price(period, label, duals, by_kind, "rho", policy.rho)
    v, v_stated, v_source = _value(period, label, policy.v_usd, worth)
    if any(one.name in duals.missing for one in by_kind["compute_budget"]):
        v, v_source, worth = NOTHING, "none", Estimate(1.0)
    known = any(one.value is not None for one in (v, lam, rho))
    is_dual = "dual" in (v_source, lambda_source, rho_source)
    return ClassPrices(
        label, v, v_stated, v_source, worth, lam, lambda_source, rho, rho_source,
        "dual" if is_dual else "policy" if known else "none",
        [_told(one, duals.solved, place) for place, one in enumerate(duals.solved.held) if one.limit in limits],
        "; ".join(missing),
    )  # fmt: skip


_KINDS: tuple[Kind, ...] = ("compute_budget", "latency_sla", "risk_envelope")
_KIND_OF: dict[Price, Kind] = {"lambda_usd_per_s": "latency_sla", "rho": "risk_envelope"}


def _worth(budgets: Sequence[Limit], label: str, period: Period, duals: _Duals) -> Estimate:
    known = [one.name for one in budgets if one.name in duals.point]
    point = 1.0 + sum(duals.point[name] for name in known)
    if not known:
        return Estimate(1.0, 1.0, 1.0)
    drawn = 1.0 + np.sum([duals.replicates[name] for name in known], axis=0)
    return _interval(point, drawn, duals, period, label, "budget_worth")


def _price(
    period: Period, label: str, duals: _Duals, by_kind: dict[Kind, list[Limit]], price: Price, policy: float | None
) -> tuple[Estimate, str]:
    """λ or ρ in dollars of compute: the dual of the limit that holds the label, else what policy states; and where it is from."""
    budgets = [one.name for one in by_kind["compute_budget"] if one.name in duals.point]
    worth = 1.0 + sum(duals.point[name] for name in budgets)
    drawn_worth = 1.0 + sum((duals.replicates[name] for name in budgets), np.zeros(1))
    limits = by_kind[_KIND_OF[price]]
    if not limits:
        if policy is None:
            return NOTHING, "none"
        return _interval(policy / worth, policy / drawn_worth, duals, period, label, None), "policy"
    name = limits[0].name
    if name not in duals.point:
        return NOTHING, "dual"
    return _interval(duals.point[name] / worth, duals.replicates[name] / drawn_worth, duals, period, label, price), "dual"


def _value(period: Period, label: str, policy: float | None, worth: Estimate) -> tuple[Estimate, float | None, str]:
    """V in dollars of compute with its interval, as it is stated, and where it is from."""
    totals = next((one for one in period.classes if one.task_class == label), None)
    if policy is not None:
        stated = low = high = policy
        source = "policy"
    elif totals is not None and totals.v_usd is not None:
        stated = totals.v_usd
        error = 1.96 * (totals.v_deviation or 0.0) / math.sqrt(max(1, totals.valued))
        low, high, source = max(0.0, stated - error), stated + error, "tasks"
    else:
        return NOTHING, None, "none"
    at = worth.value or 1.0
    interval = Estimate(stated / at, low / worth.high if worth.high else 0.0, high / (worth.low or 1.0))
    return interval, stated, "dual" if at > 1.0 + _BINDS else source


def _interval(point: float, drawn: Floats, duals: _Duals, period: Period, label: str, price: Price | None) -> Estimate:
    """Percentiles of the replicates, widened by every price that is as right as the one found."""
    point, low, high = _bounds(point, drawn)
    code = next((code for code, one in enumerate(period.classes) if one.task_class == label), None)
    if price is not None and code is not None:
        found = price_range(duals.solved.of, duals.solved.solution, code, price)
        low, high = min(low, found.low), max(high, found.high)
    return _bounded(point, low, high)


def _percentiles(point: float, drawn: Floats) -> Estimate:
    return _bounded(*_bounds(point, drawn))


def _bounds(point: float, drawn: Floats) -> tuple[float, float, float]:
    ordered = np.sort(np.nan_to_num(drawn, nan=0.0, posinf=np.inf))
    cut = int((1 - LEVEL) / 2 * (len(ordered) - 1))
    return 0.0 if abs(point) < _BINDS else point, float(ordered[cut]), float(ordered[-1 - cut])


def _bounded(point: float, low: float, high: float) -> Estimate:
    low, high = min(low, point), max(high, point)
    return Estimate(point, 0.0 if low < _BINDS else low, high if np.isfinite(high) else None)


def _told(held: Held, solved: Solved, place: int) -> dict[str, Any]:
    """A limit at the optimum, in the unit that people state it in."""
    usage = solved.solution.usages[place]
    binds = usage.multiplier > _BINDS
    return {
        "name": held.limit.name, "kind": held.limit.kind, "limit": _digits(held.limit.amount),
        "used": _digits(usage.used / held.scale), "slack": _digits(0.0 if binds else max(0.0, usage.slack) / held.scale),
        "relative_slack": _digits(0.0 if binds else max(0.0, usage.relative_slack)),
        "price": _digits(usage.multiplier if binds else 0.0), "is_binding": binds,
    }  # fmt: skip


def _digits(number: float) -> float:
    """Twelve digits: what is beyond is rounding, and would make equal prices look different."""
    return float(f"{number:.12g}")


def _allocation(period: Period, solved: Solved, of: Moves) -> tuple[Allocated, ...]:
    """Who takes what, now and at the optimum, by class, kind and option."""
    found: list[Allocated] = []
    for compared, best in zip(period.compared, taken(solved, of), strict=True):
        found += [
            Allocated(compared.task_class, compared.kind, option, float(n), float(b))
            for option, n, b in zip(compared.options, compared.chosen.sum(axis=0), best, strict=True)
        ]
    return tuple(found)
