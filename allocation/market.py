"""Several tenants on one engine: their periods, and what each option takes of the engine, as a market that is cleared.

What a task takes of the engine is one more outcome of its decisions, so that it follows the same rules as seconds do (`moves`):
a task is left as it was, or moved by decisions of one kind. What cannot be moved (other tasks, requests of no task) goes on as it
was, and is taken off the capacity first. Amounts are units of the engine over the whole window; nothing here knows which unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from allocation.clearing import Clearing, Tenant, clear, demand, dual
from allocation.errors import AllocationError
from allocation.moves import Moves, moves
from allocation.period import DAY_S, LATENCY, Period, Together
from allocation.prices import LEVEL, Estimate
from allocation.problem import Floats
from allocation.programme import NOTHING, Held, Solved, build, held_limits, identified, solve_period

_SURE = 1.96  # standard errors


@dataclass(frozen=True, slots=True)
class Use:
    """What the whole task takes of the engine where a comparison's decisions took each option. Shapes (K,): means and their
    standard errors, in units a task; over how many independent `tasks`."""

    mean: Floats
    error: Floats
    tasks: Floats


@dataclass(frozen=True, slots=True)
class Party:
    """A tenant with its period, laid out over the window (`over`), the use of each of its comparisons, and `measured`: the units
    that all its requests took in the window."""

    name: str
    period: Period
    uses: tuple[Use, ...]
    measured: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A tenant in the market. `fixed`: of what it took, what cannot be moved; `left_out`: limits of its own that could not be
    held, each with the reason."""

    party: Party
    of: Moves
    held: tuple[Held, ...]
    solved: Solved
    tenant: Tenant
    fixed: float
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Taking:
    """What a tenant takes of the engine, in units a second: as it was, if it cost nothing, and at the price, where its ties leave
    room between `least` and `most`. `pays_usd_per_day`: the price of all of it."""

    tenant: str
    was: float
    free: float
    takes: float
    least: float
    most: float
    fixed: float
    pays_usd_per_day: float


@dataclass(frozen=True, slots=True)
class Moved:
    """How many decisions a day take an option: as they did, if the engine cost nothing, and at the price."""

    tenant: str
    task_class: str
    kind: str
    option: str
    was: float
    free: float
    takes: float


@dataclass(frozen=True, slots=True)
class Cleared:
    """A market that was cleared. `price` in USD a unit, its interval from estimates drawn anew; `low`, `high` the range of the
    joint programme's dual, in which every price is as right; `groped` where tâtonnement came to, and whether it `agrees`."""

    price: Estimate
    low: float
    high: float | None
    groped: float
    agrees: bool
    rounds: int
    clears: bool
    why: str
    takings: tuple[Taking, ...]
    moved: tuple[Moved, ...]

    @property
    def is_slack(self) -> bool:
        """Whether there is enough for everybody, so that it costs nothing."""
        return self.clears and self.price.value == 0.0


def over(period: Period, seconds: float, tasks: Mapping[str, float], kept: Sequence[bool]) -> Period:
    """The period laid out over a window of so many `seconds` in which each class has so many `tasks`, in the same proportions as
    before; only the comparisons that are `kept` decide anything."""
    ratio = {one.task_class: tasks.get(one.task_class, 0.0) / one.tasks for one in period.classes if one.tasks}
    kept_places = [place for place, one in enumerate(period.compared) if kept[place] and ratio.get(one.task_class, 0.0) > 0]
    place_of = {place: new for new, place in enumerate(kept_places)}
    classes = [
        replace(
            one,
            tasks=one.tasks * by,
            priced=one.priced * by,
            cost_usd=one.cost_usd * by,
            latency_s=one.latency_s * by,
            loss_usd=None if one.loss_usd is None else one.loss_usd * by,
        )
        for one in period.classes
        if (by := ratio.get(one.task_class, 0.0)) > 0
    ]
    compared = [replace(one, chosen=one.chosen * ratio[one.task_class]) for one in (period.compared[p] for p in kept_places)]
    together = [
        Together(one.task_class, one.tasks * ratio[one.task_class], one.v_usd, chosen)
        for one in period.together
        if (
            chosen := {place_of[p]: n * ratio[one.task_class] for p, n in one.chosen.items() if p in place_of}
        )
    ]  # fmt: skip
    return replace(period, seconds=seconds, classes=tuple(classes), compared=tuple(compared), together=tuple(together))


def place(party: Party, *, whole: bool = False) -> Placed | str:
    """The tenant's side of the market, or why it has none. `whole`: tasks that are alike are moved all together or not at all."""
    period = party.period
    if not period.compared:
        return "it has no decision with known alternatives"
    held, unknown = held_limits(period)
    of = moves(period)
    solved = identified(period, solve_period(period, period.means(), held, of), of)
    units = [one.mean for one in party.uses]
    if not any(one.any() for one in units):
        return "no option of its decisions takes anything of it"
    decided = _decided(of, units)
    if decided > (1 + NOTHING) * party.measured + _SURE * _decided_error(party):
        took = f"its options are estimated to have taken {decided:.6g} units where its requests took {party.measured:.6g}"
        return f"{took}: what they take is not identified"
    lost = unknown | solved.dropped | solved.unidentified
    tenant = _tenant(party.name, solved, of, units, whole=whole)
    return Placed(party, of, solved.held, solved, tenant, max(0.0, party.measured - decided), tuple(lost.items()))


def clear_market(
    placed: Sequence[Placed], others: Mapping[str, float], capacity: float, seconds: float, *, seed: int = 0, draws: int = 0,
    whole: bool = False,
) -> Cleared:  # fmt: skip
    """The price at which what tenants take fits the capacity, both in units over the window of so many `seconds`.

    `others`: what tenants took that cannot be moved at all. Raises: AllocationError where there is none of it left to be cleared,
    or tenants need more at whatever price.
    """
    fixed = sum(one.fixed for one in placed) + sum(others.values())
    if fixed > capacity:
        raise AllocationError(
            f"what cannot be moved takes {fixed / seconds:.6g} units a second of a capacity of {capacity / seconds:.6g}",
            "add capacity, or make more of the decisions comparable",
        )
    tenants = [one.tenant for one in placed]
    found = clear(tenants, np.array([capacity - fixed]), divisible=not whole)
    price = float(found.price[0])
    drawn = _drawn(placed, others, capacity, seed, draws, whole=whole)
    frees = [demand(one.tenant, np.zeros(1)) for one in placed]
    takings = [_taking(one, found, k, frees[k], price, seconds) for k, one in enumerate(placed)]
    takings += [_as_it_was(name, units / seconds, price) for name, units in others.items()]
    moved = [
        row
        for one, free, shares in zip(placed, frees, found.shares, strict=True)
        for row in _moved(one, free, shares, seconds, whole=whole)
    ]
    high = found.joint[0].high
    return Cleared(
        _estimate(price, drawn), found.joint[0].low, high if np.isfinite(high) else None, float(found.groped[0]), found.agrees,
        found.rounds, found.clears, found.why, tuple(takings), tuple(moved),
    )  # fmt: skip


def _decided(of: Moves, units: Sequence[Floats]) -> float:
    """What tasks that could be moved took of the engine."""
    return float(of.tasks @ of.levels(_as_outcomes(units))[:, LATENCY])


def _decided_error(party: Party) -> float:
    """By how much that may miss what requests of the window took: the errors of the means, and which tasks came in the window."""
    variance = 0.0
    for of, use in zip(party.period.compared, party.uses, strict=True):
        tasks = of.chosen.sum(axis=0) / of.alike
        variance += float((use.error**2 * tasks * (tasks + use.tasks)).sum())
    return float(np.sqrt(variance))


def _as_outcomes(units: Sequence[Floats]) -> list[Floats]:
    """Uses in the place of seconds: both are amounts of a whole task, of which there is nothing below 0."""
    found: list[Floats] = []
    for one in units:
        table = np.zeros((4, len(one)))
        table[LATENCY] = one
        found.append(table)
    return found


def _tenant(name: str, solved: Solved, of: Moves, units: Sequence[Floats], *, whole: bool) -> Tenant:
    """What tasks could be moved to: what it is worth at the prices that the tenant states, and what it takes of the engine."""
    row = solved.of.row_class
    net, own = solved.of.net_usd[row], solved.of.taken()[:, row]
    means = _as_outcomes(units)
    there = np.isfinite(net)
    use = np.where(there, of.levels(means)[:, LATENCY][:, None] + np.nan_to_num(of.table(means)[:, LATENCY]), 0.0)
    net = np.where(there, net, np.nan)
    left = np.array([one.left for one in solved.of.constraints])
    times = of.tasks
    if whole:
        net, use, own, times = net * times[:, None], use * times[:, None], own * times[None, :, None], np.ones(len(times))
    return Tenant(name, times, net, use[None], own, left)


def _drawn(
    placed: Sequence[Placed], others: Mapping[str, float], capacity: float, seed: int, draws: int, *, whole: bool
) -> Floats:
    """The duals with tasks drawn anew and uses within their errors; infinite where tenants then need more than there is."""
    random = np.random.default_rng(seed)
    prices = np.full(min([draws, *(one.party.period.replicates for one in placed)]), np.inf)
    for draw in range(len(prices)):
        tenants: list[Tenant] = []
        fixed = sum(others.values())
        for one in placed:
            period = one.party.period
            units = [(use.mean + use.error * random.standard_normal(len(use.mean))).clip(0.0) for use in one.party.uses]
            means = period.drawn(draw)
            again = replace(one.solved, of=build(period, means, one.held, one.of))
            tenants.append(_tenant(one.party.name, again, one.of, units, whole=whole))
            fixed += max(0.0, one.party.measured - _decided(one.of, units))
        if fixed <= capacity:
            try:
                prices[draw] = float(dual(tenants, np.array([capacity - fixed]))[0])
            except AllocationError:
                continue  # there is no price in this draw
    return prices


def _estimate(point: float, drawn: Floats) -> Estimate:
    if not len(drawn):
        return Estimate(point)
    ordered = np.sort(drawn)
    cut = int((1 - LEVEL) / 2 * (len(ordered) - 1))
    high = max(point, float(ordered[-1 - cut]))
    return Estimate(point, min(point, float(ordered[cut])), high if np.isfinite(high) else None)


def _taking(one: Placed, found: Clearing, k: int, free: Floats, price: float, seconds: float) -> Taking:
    use = one.tenant.use[0]
    amounts = (
        one.party.measured,
        one.fixed + float((use * free).sum()),
        one.fixed + float(found.takes[k, 0]),
        one.fixed + float(found.least[k, 0]),
        one.fixed + float(found.most[k, 0]),
    )
    was, at_nothing, takes, least, most = (amount / seconds for amount in amounts)
    return Taking(one.party.name, was, at_nothing, takes, least, most, one.fixed / seconds, price * takes * DAY_S)


def _as_it_was(name: str, was: float, price: float) -> Taking:
    """What cannot be moved takes what it took, whatever it pays."""
    return Taking(name, was, was, was, was, was, was, price * was * DAY_S)


def _moved(one: Placed, free: Floats, shares: Floats, seconds: float, *, whole: bool) -> list[Moved]:
    """The decisions of each comparison by option."""
    by = one.of.tasks[:, None] if whole else 1.0
    period, days = one.party.period, seconds / DAY_S
    tables = zip(period.compared, one.of.taken(free * by), one.of.taken(shares * by), strict=True)
    return [
        Moved(one.party.name, of.task_class, of.kind, option, float(was) / days, float(at_nothing) / days, float(takes) / days)
        for of, at_free, at_price in tables
        for option, was, at_nothing, takes in zip(of.options, of.chosen.sum(axis=0), at_free, at_price, strict=True)
    ]
