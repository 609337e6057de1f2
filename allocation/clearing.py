"""Prices that clear a capacity which several tenants share, such as an engine's prefill, decode and KV.

Every tenant takes, at a price p, the alternatives that are best for itself, V·Q − C − λ·L − ρ·R − p·u, and keeps limits of its
own (a budget, an SLA, an envelope) while it does. A price clears when what they take together fits the capacity, and is all of it
wherever p is above 0. It is found twice: by tâtonnement, which knows only what tenants take at a price, and as the dual of the
joint programme of all of them; the answer says whether the two agree.

With decisions that cannot be divided there may be no such price: demand jumps over the capacity. Then the answer says so, and
between which amounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse

from allocation.columns import solve_by_columns
from allocation.duals import DIRECT_MAX, solve_programme
from allocation.errors import AllocationError
from allocation.faces import Range, multiplier_range
from allocation.highs import minimise
from allocation.problem import Bools, Floats, Ints

_ROUNDS_MAX = 5_000
_PRECISION = 1e-11  # of a price's scale, to which a step shrinks
_PROGRAMMES_PRECISION = 1e-10  # the same where every round solves programmes, which are no more precise than that
_TIE = 1e-8  # of a class's scores: alternatives as good as the best
_SAME = 1e-7  # of a price's scale, to which the solver of programmes is precise: two that differ by less are one
_NEAR = 1e-3  # of a price, and of what is at stake, by which two ways may differ
_NO_PRICE = 1e-10  # of a price's scale: what is below is rounding
_KEPT = 1e-6  # of a limit: to which a tenant's own are held where ties are told apart


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant's decisions: `count` (G,); `net_usd` (G, K), what each alternative is worth before the shared capacity is paid,
    NaN where there is none; `use` (r, G, K), units of each shared resource. Limits of its own, if it has any: `taken` (m, G, K),
    what each alternative takes of them, and `left` (m,), what there is."""

    name: str
    count: Floats
    net_usd: Floats
    use: Floats
    taken: Floats | None = None
    left: Floats | None = None


@dataclass(frozen=True, slots=True)
class Clearing:
    """What the market says. Prices in USD per unit of each resource, shape (r,).

    `price` are the duals of the joint programme, `joint` the range in which they are as right; `groped` is where tâtonnement came
    to in `rounds`, and `gap_usd` by how much the bound that its price proves exceeds the optimum: 0 at a price that clears.
    `agrees`: with one resource its price lies in the range, to a thousandth; with several the gap is below a thousandth of what
    is at stake.
    `shares`, one (G, K) a tenant: the optimum of the joint programme, `takes` (tenants, r) what it takes; `least` and `most` what
    each tenant takes at `price`, its ties decided either way. `why` is empty when it clears.
    """

    price: Floats
    joint: tuple[Range, ...]
    groped: Floats
    gap_usd: float
    rounds: int
    agrees: bool
    shares: tuple[Floats, ...]
    takes: Floats
    least: Floats
    most: Floats
    clears: bool
    why: str


def clear(tenants: Sequence[Tenant], capacity: Floats, *, divisible: bool = True) -> Clearing:
    """The clearing price of each resource. `divisible`: tied decisions may be split, and as fractions.

    Raises: AllocationError on shapes that do not fit, or when tenants need more than the capacity at whatever price.
    """
    of = _together(tenants, capacity)
    r = len(capacity)
    shares, price = _solved(of, tenants, capacity)
    joint = [multiplier_range(of.count, of.net, of.taken, of.room, shares, row) for row in range(r)]
    groped, bound, rounds = _tatonnement(of, r)
    optimum = float((np.where(np.isfinite(of.net), of.net, 0.0) * shares).sum())
    stake = float(of.count @ np.where(np.isfinite(of.net), np.abs(of.net), 0.0).max(axis=1))
    agrees = bound - optimum <= _NEAR * stake
    if r == 1:
        near = max(_SAME, _NEAR * float(groped[0]))
        agrees = joint[0].low - near <= float(groped[0]) <= joint[0].high + near
    tied = _tied(of, price)
    least, most = (
        np.array([_extreme(of, r, tenant, tied, shares, price, high) for tenant in range(len(tenants))]) for high in (False, True)
    )
    why = "" if divisible else _why_not(of, r, tied, price)
    per = of.usd / of.units  # a price of ours, in USD per unit
    return Clearing(
        price[:r] * per[:r], tuple(Range(float(one.low * per[row]), float(one.high * per[row])) for row, one in enumerate(joint)),
        groped[:r] * per[:r], (bound - optimum) * of.usd, rounds, agrees,
        tuple(shares[of.owner == k, : one.net_usd.shape[1]] for k, one in enumerate(tenants)),
        np.array([_used(of, of.owner == k, shares)[:r] * of.units[:r] for k in range(len(tenants))]),
        least * of.units[:r], most * of.units[:r], not why, why,
    )  # fmt: skip


def dual(tenants: Sequence[Tenant], capacity: Floats) -> Floats:
    """Shape (r,): the duals alone, for programmes that are solved many times. Raises as `clear`."""
    of = _together(tenants, capacity)
    r = len(capacity)
    return _solved(of, tenants, capacity)[1][:r] * of.usd / of.units[:r]


def demand(of: Tenant, price: Floats) -> Floats:
    """Shape (G, K): what a tenant takes at a price (r,) of each shared resource when it asks nobody else.

    Raises: AllocationError when it cannot keep limits of its own.
    """
    one = _together([of], np.full(len(price), np.inf))
    mine = np.ones(len(one.count), dtype=np.bool_)
    return _response(one, mine, price * one.units[: len(price)] / one.usd)[: len(of.count), : of.net_usd.shape[1]]


@dataclass(frozen=True, slots=True)
class _Market:
    """All tenants' classes in one table, in units of the largest amounts, so that solvers' tolerances mean the same everywhere.
    `taken` (R, G, K) of the shared resources and then of each tenant's own limits, `room` (R,) what there is of them; `units`
    (R,) and `usd`: how much one of ours is. `owner` (G,) the tenant, `whose` (R,) the tenant of a limit, −1 where shared."""

    count: Floats
    net: Floats
    taken: Floats
    room: Floats
    units: Floats
    usd: float
    owner: Ints
    whose: Ints


def _solved(of: _Market, tenants: Sequence[Tenant], capacity: Floats) -> tuple[Floats, Floats]:
    """The joint programme: shares and all multipliers."""
    solved = _programme(of.count, of.net, of.taken, of.room)
    if solved is not None:
        return solved[0], np.where(solved[1] > _NO_PRICE, solved[1], 0.0)
    least = np.zeros(len(capacity))
    for k, one in enumerate(tenants):
        mine, own = of.owner == k, of.whose == k
        there = np.isfinite(of.net[mine])
        for row in range(len(capacity)):
            use = np.where(there, -of.taken[row][mine], -np.inf)
            found = _programme(of.count[mine], use, of.taken[own][:, mine], of.room[own])
            if found is None:
                raise AllocationError(f"tenant {one.name!r} cannot keep limits of its own", "loosen them, or leave them out")
            least[row] += float((np.where(there, of.taken[row][mine], 0.0) * found[0]).sum()) * of.units[row]
    raise AllocationError(
        f"no price clears: tenants need at least {_said(least)} of a capacity of {_said(capacity)}",
        "add capacity, or an alternative that needs none",
    )


def _programme(count: Floats, net: Floats, taken: Floats, limits: Floats) -> tuple[Floats, Floats] | None:
    if net.size <= DIRECT_MAX or not len(limits):
        return solve_programme(count, net, taken, limits)
    return solve_by_columns(count, net, taken, limits, solve_programme)


def _response(of: _Market, mine: Bools, price: Floats) -> Floats:
    """Shape (G, K): what tenants with these classes take at a price of the first resources, each keeping limits of its own."""
    score = of.net - np.tensordot(price, of.taken[: len(price)], axes=1)
    shares = np.zeros(of.net.shape)
    rows = np.arange(len(of.count))
    shares[rows, score.argmax(axis=1)] = of.count
    for k in np.unique(of.whose[(of.whose >= 0)]):
        its = mine & (of.owner == k)
        found = _programme(of.count[its], score[its], of.taken[of.whose == k][:, its], of.room[of.whose == k])
        if found is None:
            raise AllocationError("a tenant cannot keep limits of its own", "loosen them, or leave them out")
        shares[its] = found[0]
    return np.where(mine[:, None], shares, 0.0)


def _tatonnement(of: _Market, r: int) -> tuple[Floats, float, int]:
    """Raise the price of what is short and lower that of what is left over. The price with the lowest bound, that bound, rounds.

    The bound Σ max(net − p·u) + p·room is convex in p, and what is left over is its slope: with one resource a step that is
    halved whenever its direction turns finds the kink; with several, steps that shrink as 1/√t come as near as one waits. Then
    tenants' own limits are priced in the same way, since one more programme in each of thousands of rounds would take minutes.
    """
    priced = 1 if r == 1 else len(of.room)
    room = of.room[:priced]
    spread = np.where(np.isfinite(of.net), of.net, -np.inf).max(axis=1) - np.where(np.isfinite(of.net), of.net, np.inf).min(
        axis=1
    )
    scale = max(float(spread.max(initial=0.0)), 1e-12) / np.maximum(np.abs(of.taken[:priced]).max(axis=(1, 2)), 1e-12)
    price, best, lowest = np.zeros(priced), np.zeros(priced), np.inf
    everyone = np.ones(len(of.count), dtype=np.bool_)
    rows = np.arange(len(of.count))
    step, turned, is_bracketed = 0.25, 0.0, False
    least = _PROGRAMMES_PRECISION if (of.whose >= 0).any() else _PRECISION
    for done in range(_ROUNDS_MAX):
        if r == 1:
            shares = _response(of, everyone, price)
        else:
            shares = np.zeros(of.net.shape)
            shares[rows, (of.net - np.tensordot(price, of.taken, axes=1)).argmax(axis=1)] = of.count
        used = np.tensordot(of.taken[:priced], shares, axes=2)
        bound = float((np.where(shares > 0, of.net, 0.0) * shares).sum() + price @ (room - used))
        if bound < lowest:
            best, lowest = price, bound
        excess = used - room
        excess = np.where((np.abs(excess) <= 1e-12 * np.maximum(1.0, np.abs(room))) | ((price == 0) & (excess < 0)), 0.0, excess)
        if not excess.any() or step <= least:
            return price, bound, done
        if r == 1:
            direction = np.sign(excess)
            crossed = float(direction[0]) * turned < 0
            is_bracketed |= crossed
            if crossed or not is_bracketed:
                step *= 0.5 if crossed else 2.0
            turned = float(direction[0])
            price = np.maximum(0.0, price + direction * step * scale)
        else:
            slope = excess * scale
            price = np.maximum(0.0, price + slope / float(np.linalg.norm(slope)) * scale * step / np.sqrt(done + 1.0))
    return best, lowest, _ROUNDS_MAX


def _tied(of: _Market, price: Floats) -> Bools:
    """Shape (G, K): the alternatives that are best at these prices of everything, to within rounding."""
    score = of.net - np.tensordot(price, of.taken, axes=1)
    best = score.max(axis=1, keepdims=True)
    size = np.maximum(1.0, np.where(np.isfinite(of.net), np.abs(of.net), 0.0).max(axis=1, keepdims=True))
    return np.asarray(score >= best - _TIE * size)


def _used(of: _Market, mine: Bools, shares: Floats) -> Floats:
    """Shape (R,): what shares of some classes take."""
    return np.tensordot(of.taken[:, mine], shares[mine], axes=2)


def _extreme(of: _Market, r: int, tenant: int, tied: Bools, shares: Floats, price: Floats, high: bool) -> Floats:
    """Shape (r,): the least or the most that a tenant's best alternatives take of each resource while its own limits are kept."""
    mine, own = of.owner == tenant, of.whose == tenant
    taken, best = of.taken[:r, mine], tied[mine]
    if not own.any():
        picked = np.where(best, taken, -np.inf).max(axis=2) if high else np.where(best, taken, np.inf).min(axis=2)
        return picked @ of.count[mine]
    classes, options = np.nonzero(best)
    limits, room = of.taken[own][:, mine][:, classes, options], of.room[own]
    near = _KEPT * np.maximum(1.0, np.abs(room))
    used_up = price[own] > 0
    found = np.array(_used(of, mine, shares)[:r])
    for row in range(r):
        use = taken[row][classes, options]
        answer = minimise(
            -use if high else use, np.vstack([limits, -limits[used_up]]), np.concatenate([room + near, (near - room)[used_up]]),
            _each_once(classes, int(mine.sum())), of.count[mine],
        )  # fmt: skip
        if answer.status == "optimal":  # else the solver's tolerance leaves only the joint optimum, which is among them
            found[row] = use @ answer.x
    return found


def _each_once(classes: Ints, count: int) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(classes)), (classes, np.arange(len(classes)))), shape=(count, len(classes)))


def _why_not(of: _Market, r: int, tied: Bools, price: Floats) -> str:
    """Why the price does not clear where nothing can be divided, or nothing: some choice among equals must take all of what has a
    price, and fit the rest."""
    classes, options = np.nonzero(tied)
    near = 1e-7 * np.maximum(1.0, np.abs(of.room))
    answer = optimize.milp(
        np.zeros(len(classes)),
        integrality=np.ones(len(classes), dtype=np.int64),
        bounds=optimize.Bounds(0, of.count[classes]),
        constraints=[
            optimize.LinearConstraint(_each_once(classes, len(of.count)), of.count, of.count),
            optimize.LinearConstraint(
                of.taken[:, classes, options], np.where(price > 0, of.room - near, -np.inf), of.room + near
            ),
        ],
    )
    if answer.status == 0:
        return ""
    units = of.units[:r]
    low = np.where(tied, of.taken[:r], np.inf).min(axis=2) @ of.count * units
    high = np.where(tied, of.taken[:r], -np.inf).max(axis=2) @ of.count * units
    jump = (
        f"at {_said(price[:r] * of.usd / units)} tenants take from {_said(low)} to {_said(high)} of {_said(of.room[:r] * units)}"
    )
    return f"no clearing price: {jump}, and no choice among equals takes it all; ration what is tied"


def _said(amounts: Floats) -> str:
    return str([float(f"{amount:.9g}") for amount in amounts])


def _together(tenants: Sequence[Tenant], capacity: Floats) -> _Market:
    """All tenants' classes in one table, the narrower menus filled up with alternatives that are not there."""
    if not tenants or np.isnan(capacity).any() or (capacity < 0).any():
        raise AllocationError("a market needs tenants and capacities of at least 0")
    widest = max(tenant.net_usd.shape[1] for tenant in tenants)
    nets: list[Floats] = []
    shared: list[Floats] = []
    for tenant in tenants:
        shape = (len(capacity), *tenant.net_usd.shape)
        if tenant.use.shape != shape or tenant.count.shape != shape[1:2]:
            raise AllocationError(f"tenant {tenant.name!r}: use has shape {tenant.use.shape}, expected {shape}")
        padded = np.pad(tenant.net_usd, ((0, 0), (0, widest - shape[2])), constant_values=np.nan)
        nets.append(np.where(np.isnan(padded), -np.inf, padded))
        shared.append(_there(tenant.use, padded))
    sizes = [len(tenant.count) for tenant in tenants]
    owner = np.repeat(np.arange(len(tenants)), sizes).astype(np.int64)
    net = np.concatenate(nets)
    rows, room, whose = [np.concatenate(shared, axis=1)], [capacity], [np.full(len(capacity), -1, dtype=np.int64)]
    for k, tenant in enumerate(tenants):
        if tenant.taken is None or tenant.left is None or not len(tenant.left):
            continue
        if tenant.taken.shape != (len(tenant.left), *tenant.net_usd.shape):
            raise AllocationError(f"tenant {tenant.name!r}: taken has shape {tenant.taken.shape} for {len(tenant.left)} limits")
        its = np.zeros((len(tenant.left), *net.shape))
        its[:, owner == k] = _there(tenant.taken, nets[k])
        rows.append(its)
        room.append(tenant.left)
        whose.append(np.full(len(tenant.left), k, dtype=np.int64))
    taken = np.concatenate(rows)
    units = np.abs(taken).max(axis=(1, 2), initial=0.0)
    units = np.where(units > 0, units, 1.0)
    usd = float(np.abs(np.where(np.isfinite(net), net, 0.0)).max(initial=0.0)) or 1.0
    return _Market(
        np.concatenate([tenant.count for tenant in tenants]), net / usd, taken / units[:, None, None],
        np.concatenate(room) / units, units, usd, owner, np.concatenate(whose),
    )  # fmt: skip


def _there(amounts: Floats, net: Floats) -> Floats:
    """Amounts over the widest menu; 0 where there is no alternative."""
    padded = np.pad(amounts, ((0, 0), (0, 0), (0, net.shape[1] - amounts.shape[2])))
    return np.where(np.isfinite(net), padded, 0.0)
