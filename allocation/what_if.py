"""What would be under another limit: the same period solved again, beside how it is solved now.

A limit's level is told per day for money and losses, and per task for seconds, whatever period it is stated for. What is gained
is the programme's objective against how it was: what tasks are worth more less what they take more, at stated prices where no
limit is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from allocation.errors import AllocationError
from allocation.period import DAY_S, ClassTotals, Limit, Period, matches
from allocation.prices import LEVEL, Estimate, Found, find_prices
from allocation.problem import Floats, Kind, Problem
from allocation.programme import NOTHING, Solved, took

BINDS = 1e-9
"""A price below, in USD a day for a unit of the limit, is rounding."""
UNITS: dict[Kind, str] = {"compute_budget": "USD a day", "latency_sla": "seconds a task", "risk_envelope": "USD a day"}


@dataclass(frozen=True, slots=True)
class Supposed:
    """A limit that is supposed, in place of every one of its kind that is stated for the same classes. `level` in the unit of its
    kind; None: no such limit."""

    kind: Kind
    pattern: str
    level: float | None

    @property
    def name(self) -> str:
        """What the limit is called: as a stated one of the kind would be."""
        return f"{'budget' if self.kind == 'compute_budget' else self.kind} {self.pattern}"

    def limit(self) -> Limit | None:
        """It as a limit."""
        if self.level is None:
            return None
        return Limit(self.name, self.kind, self.pattern, self.level, DAY_S if self.kind == "compute_budget" else None)


@dataclass(frozen=True, slots=True)
class Taken:
    """What is brought and taken. `value_usd_per_day` and `net_usd_per_day` of the whole period against how it was, since limits
    may tie classes together; the others of the classes that the limit is for. Not known, or not identified: None."""

    value_usd_per_day: Estimate
    net_usd_per_day: Estimate
    cost_usd_per_day: Estimate
    latency_s: Estimate
    loss_usd_per_day: Estimate


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: the prices, and what is taken."""

    found: Found
    taken: Taken
    level: float | None
    price: Estimate
    """What one unit more of the limit would bring, in USD a day."""


@dataclass(frozen=True, slots=True)
class Response:
    """How prices and allocation respond. `gain` is what the second brings more than the first, in USD a day; None where one of
    them cannot be kept. `as_it_was` what the period took."""

    before: Side
    after: Side
    as_it_was: Taken
    gain: Estimate


def level_of(period: Period, kind: Kind, pattern: str) -> float | None:
    """The level of a limit as it is stated, the tightest where several are; None where none is."""
    return min((daily(one) for one in period.limits if (one.kind, one.pattern) == (kind, pattern)), default=None)


def daily(limit: Limit) -> float:
    """A limit's amount in the unit of its kind."""
    return limit.amount / (limit.period_s / DAY_S) if limit.period_s else limit.amount


def suppose(period: Period, *supposed: Supposed) -> Period:
    """The period under limits that are supposed. One at the level where it is stated is left as it is."""
    return put(period, *(one for one in supposed if one.level != level_of(period, one.kind, one.pattern)))


def put(period: Period, *supposed: Supposed) -> Period:
    """The period with these limits in place of all of their kind that are stated for the same classes."""
    moved = {(one.kind, one.pattern) for one in supposed}
    kept = [one for one in period.limits if (one.kind, one.pattern) not in moved]
    added = [limit for one in supposed if (limit := one.limit()) is not None]
    stated = {**period.stated, **{one.pattern: period.policy(one.pattern) for one in supposed}}
    return replace(period, limits=(*kept, *added), stated=stated)


def respond(period: Period, *supposed: Supposed, now: Found | None = None) -> Response:
    """The period as it is solved now, and under what is supposed. The last of several is the one whose level is told.

    `now`: the prices of the period, where they were found before. Raises: AllocationError where nothing is supposed.
    """
    if not supposed:
        raise AllocationError("nothing is supposed", "suppose a limit")
    of = supposed[-1]
    sides = (period, suppose(period, *supposed))
    first = now or find_prices(period)
    found = [first, first if sides[1].limits == period.limits else find_prices(sides[1])]
    at_prices = found[1].solved.of  # both are told at the prices that are stated under what is supposed
    draws = [_drawn(one, at, at_prices, of.pattern) for one, at in zip(sides, found, strict=True)]
    points = [_totals(one, at.solved, at_prices, of.pattern) for one, at in zip(sides, found, strict=True)]
    before, after = (
        Side(at, _taken(points[k], draws[k], one, of.pattern), level_of(one, of.kind, of.pattern), _price(one, at, of))
        for k, (one, at) in enumerate(zip(sides, found, strict=True))
    )
    is_kept = all(at.solved.is_whole for at in found)
    gain = _estimate(points[1][1] - points[0][1], draws[1][:, 1] - draws[0][:, 1]) if is_kept and period.compared else Estimate()
    return Response(before, after, as_it_was(period, of.pattern), gain)


def as_it_was(period: Period, pattern: str) -> Taken:
    """What the period took of the classes that a pattern speaks of."""
    classes = _covered(period, pattern)
    cost, latency, loss = (_mean(period, classes, kind, 0.0) for kind in ("compute_budget", "latency_sla", "risk_envelope"))
    nothing = Estimate(0.0, 0.0, 0.0)
    return Taken(nothing, nothing, Estimate(cost, cost, cost), Estimate(latency, latency, latency), Estimate(loss, loss, loss))


def _covered(period: Period, pattern: str) -> list[ClassTotals]:
    return [one for one in period.classes if matches(pattern, one.task_class)]


def _totals(period: Period, solved: Solved, at_prices: Problem, pattern: str) -> Floats:
    """Shape (5,): value and net of the whole period in USD a day, then cost, seconds and losses of the covered classes, each less
    what it was."""
    of, shares = solved.of.decisions, solved.solution.shares
    tables = (of.value_usd, of.cost_usd, of.latency_s, of.risk_usd)
    value, cost, latency, loss = ((np.where(of.there, table, 0.0) * shares).sum(axis=1) for table in tables)
    net = value - cost - at_prices.lambda_stated[of.group] * latency - at_prices.rho_stated[of.group] * loss
    covered = np.array([matches(pattern, one.task_class) for one in period.classes] or [False])[of.group]
    moved = [value.sum(), net.sum(), *(one[covered].sum() for one in (cost, latency, loss))]
    return np.array(moved, dtype=np.float64) / np.array([period.days, period.days, 1.0, 1.0, 1.0])


def _drawn(period: Period, found: Found, at_prices: Problem, pattern: str) -> Floats:
    """Shape (replicates, 5): the totals of the programme solved with tasks drawn anew; NaN where its limits could not be kept."""
    drawn = np.full((max(1, len(found.again)), 5), np.nan)
    for replicate, again in enumerate(found.again):
        if not again.dropped:
            drawn[replicate] = _totals(period, again, at_prices, pattern)
    return drawn


def _taken(point: Floats, draws: Floats, period: Period, pattern: str) -> Taken:
    classes = _covered(period, pattern)
    value, net = (_estimate(point[k], draws[:, k]) for k in (0, 1))
    kinds: tuple[Kind, ...] = ("compute_budget", "latency_sla", "risk_envelope")
    told: list[Estimate] = []
    for place, kind in enumerate(kinds, start=2):
        at = _mean(period, classes, kind, float(point[place]))
        drawn = [_mean(period, classes, kind, float(one)) for one in draws[:, place]]
        told.append(_amount(at, _mean(period, classes, kind, 0.0) or 0.0, np.array(drawn, dtype=np.float64)))
    return Taken(value, net, *told)


def _amount(at: float | None, was: float, drawn: Floats) -> Estimate:
    """What is taken. Nobody takes less than nothing: where estimates say so, it is not identified."""
    if at is None or at < -NOTHING * was:
        return Estimate()
    return _estimate(max(0.0, at), drawn.clip(0.0))


def _mean(period: Period, classes: Sequence[ClassTotals], kind: Kind, more: float) -> float | None:
    """What classes took and so much more, in the unit of a kind; None where nothing tells."""
    tasks = sum(one.tasks for one in classes)
    is_known = {
        "compute_budget": any(one.priced for one in classes),
        "latency_sla": tasks > 0,
        "risk_envelope": any(one.loss_usd is not None for one in classes),
    }
    if not is_known[kind]:
        return None
    return (sum(took(one, kind) for one in classes) + more) / (tasks if kind == "latency_sla" else period.days)


def _price(period: Period, found: Found, of: Supposed) -> Estimate:
    """What one unit more of the limit would bring, in USD a day; 0 while it is slack or there is none."""
    named = [one for one in found.solved.held if (one.limit.kind, one.limit.pattern) == (of.kind, of.pattern)]
    if not named:
        return Estimate() if level_of(period, of.kind, of.pattern) is not None else Estimate(0.0, 0.0, 0.0)
    low = high = value = 0.0
    for one in named:
        per_unit = one.scale * (one.limit.amount / daily(one.limit) if daily(one.limit) else 1.0) / period.days
        multiplier = found.multipliers[one.limit.name]
        value += (multiplier.value or 0.0) * per_unit
        low += (multiplier.low or 0.0) * per_unit
        high += (np.inf if multiplier.high is None else multiplier.high) * per_unit
    return Estimate(value if value > BINDS else 0.0, low if low > BINDS else 0.0, high if np.isfinite(high) else None)


def _estimate(point: float, drawn: Floats) -> Estimate:
    """A figure with its percentiles; no interval where nothing was drawn."""
    kept = np.sort(drawn[~np.isnan(drawn)])
    if not len(kept):
        return Estimate(float(point))
    cut = int((1 - LEVEL) / 2 * (len(kept) - 1))
    return Estimate(float(point), min(float(kept[cut]), float(point)), max(float(kept[-1 - cut]), float(point)))
