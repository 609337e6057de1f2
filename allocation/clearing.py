"""Prices that clear a capacity which several tenants share, such as an engine's prefill, decode and KV.

Every tenant takes, at a price p, the alternatives that are best for itself: V·Q − C − λ·L − ρ·R − p·u. A price clears when what
they take together fits the capacity, and is all of it wherever p is above 0. It is found twice: by tâtonnement, which knows only
what tenants take at a price, and as the dual of the joint programme of all of them; the answer says whether the two agree.

With decisions that cannot be divided there may be no such price: demand jumps over the capacity. Then the answer says so, and
between which amounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse

from allocation.duals import solve_programme
from allocation.errors import AllocationError
from allocation.faces import Range, multiplier_range
from allocation.problem import Floats

_ROUNDS_MAX = 5_000
_PRECISION = 1e-11  # of a price's scale, to which a step shrinks
_TIE = 1e-8  # of a class's scores: alternatives as good as the best


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant's decisions: `count` (G,); `net_usd` (G, K), what each alternative is worth before the shared capacity is paid,
    NaN where there is none; `use` (r, G, K), units of each shared resource."""

    name: str
    count: Floats
    net_usd: Floats
    use: Floats


@dataclass(frozen=True, slots=True)
class Clearing:
    """What the market says. Prices in USD per unit of each resource, shape (r,).

    `price` are the duals of the joint programme, `joint` the range in which they are as right; `groped` is where tâtonnement came
    to in `rounds`, and `gap_usd` by how much the bound that its price proves exceeds the optimum: 0 at a price that clears.
    `agrees`: with one resource its price lies in the range; with several the gap is below a thousandth of what is at stake.
    `least` and `most` (tenants, r): what each takes at `price`, its ties decided either way. `why` is empty when it clears.
    """

    price: Floats
    joint: tuple[Range, ...]
    groped: Floats
    gap_usd: float
    rounds: int
    agrees: bool
    least: Floats
    most: Floats
    clears: bool
    why: str


def clear(tenants: Sequence[Tenant], capacity: Floats, *, divisible: bool = True) -> Clearing:
    """The clearing price of each resource. `divisible`: tied decisions may be split, and as fractions.

    Raises: AllocationError on shapes that do not fit, or when tenants need more than the capacity at whatever price.
    """
    count, net, use, owner = _together(tenants, capacity)
    solved = solve_programme(count, net, use, capacity)
    if solved is None:
        least = np.where(np.isfinite(net), use, np.inf).min(axis=2) @ count
        raise AllocationError(
            f"no price clears: tenants need at least {least.tolist()} of a capacity of {capacity.tolist()}",
            "add capacity, or an alternative that needs none",
        )
    shares, price = solved
    joint = tuple(multiplier_range(count, net, use, capacity, shares, row) for row in range(len(capacity)))
    groped, bound, rounds = _tatonnement(count, net, use, capacity)
    optimum = float((np.where(np.isfinite(net), net, 0.0) * shares).sum())
    stake = float(count @ np.where(np.isfinite(net), np.abs(net), 0.0).max(axis=1))
    agrees = bound - optimum <= 1e-3 * stake
    if len(capacity) == 1:
        near = 1e-6 * max(1.0, abs(float(groped[0])))
        agrees = joint[0].low - near <= float(groped[0]) <= joint[0].high + near
    tied = _tied(net, use, price)
    least, most = (
        np.array(
            [np.where(owner == tenant, _extreme(use, tied, high) * count, 0.0).sum(axis=1) for tenant in range(len(tenants))]
        )
        for high in (False, True)
    )
    why = _why_not(count, use, tied, capacity, price, divisible=divisible)
    return Clearing(price, joint, groped, bound - optimum, rounds, agrees, least, most, not why, why)


def _tatonnement(count: Floats, net: Floats, use: Floats, capacity: Floats) -> tuple[Floats, float, int]:
    """Raise the price of what is short and lower that of what is left over. The price with the lowest bound, that bound, rounds.

    The bound Σ max_k(net − p·u) + p·capacity is convex in p, and what is left over is its slope: with one resource a step that is
    halved whenever its direction turns finds the kink; with several, steps that shrink as 1/√t come as near as one waits.
    """
    spread = np.where(np.isfinite(net), net, -np.inf).max(axis=1) - np.where(np.isfinite(net), net, np.inf).min(axis=1)
    scale = max(float(spread.max(initial=0.0)), 1e-12) / np.maximum(np.abs(use).max(axis=(1, 2)), 1e-12)
    price, best, lowest = np.zeros(len(capacity)), np.zeros(len(capacity)), np.inf
    rows = np.arange(len(count))
    step, turned = 0.5, 0.0
    for done in range(_ROUNDS_MAX):
        score = net - np.tensordot(price, use, axes=1)
        choice = score.argmax(axis=1)
        bound = float(count @ score[rows, choice] + price @ capacity)
        if bound < lowest:
            best, lowest = price, bound
        excess = use[:, rows, choice] @ count - capacity
        excess = np.where((np.abs(excess) <= 1e-12 * np.maximum(1.0, capacity)) | ((price == 0) & (excess < 0)), 0.0, excess)
        if not excess.any() or step <= _PRECISION:
            return price, bound, done
        if len(capacity) == 1:
            direction = np.sign(excess)
            step = step / 2 if float(direction[0]) * turned < 0 else step
            turned = float(direction[0])
            price = np.maximum(0.0, price + direction * step * scale)
        else:
            slope = excess * scale
            price = np.maximum(0.0, price + slope / float(np.linalg.norm(slope)) * scale * step / np.sqrt(done + 1.0))
    return best, lowest, _ROUNDS_MAX


def _tied(net: Floats, use: Floats, price: Floats) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Shape (G, K): the alternatives that are best at this price, to within rounding."""
    score = net - np.tensordot(price, use, axes=1)
    best = score.max(axis=1, keepdims=True)
    size = np.maximum(1.0, np.where(np.isfinite(net), np.abs(net), 0.0).max(axis=1, keepdims=True))
    return np.asarray(score >= best - _TIE * size)


def _extreme(use: Floats, tied: np.ndarray[tuple[int, int], np.dtype[np.bool_]], high: bool) -> Floats:
    """Shape (r, G): the most or the least that a class's best alternatives take of each resource."""
    return np.where(tied, use, -np.inf).max(axis=2) if high else np.where(tied, use, np.inf).min(axis=2)


def _why_not(
    count: Floats,
    use: Floats,
    tied: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
    capacity: Floats,
    price: Floats,
    *,
    divisible: bool,
) -> str:
    """Why the price does not clear, or nothing: some choice among equals must take all of what has a price, and fit the rest."""
    classes, options = np.nonzero(tied)
    near = 1e-7 * np.maximum(1.0, np.abs(capacity))
    answer = optimize.milp(
        np.zeros(len(classes)),
        integrality=np.full(len(classes), 0 if divisible else 1),
        bounds=optimize.Bounds(0, count[classes]),
        constraints=[
            optimize.LinearConstraint(
                sparse.csr_array((np.ones(len(classes)), (classes, np.arange(len(classes)))), shape=(len(count), len(classes))),
                count,
                count,
            ),
            optimize.LinearConstraint(use[:, classes, options], np.where(price > 0, capacity - near, -np.inf), capacity + near),
        ],
    )
    if answer.status == 0:
        return ""
    low, high = ((_extreme(use, tied, which) @ count).tolist() for which in (False, True))
    jump = f"at {price.tolist()} tenants take from {low} to {high} of {capacity.tolist()}"
    return f"no clearing price: {jump}, and no choice among equals takes it all; ration what is tied"


def _together(
    tenants: Sequence[Tenant], capacity: Floats
) -> tuple[Floats, Floats, Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """All tenants' classes in one table, the narrower menus filled up with alternatives that are not there."""
    if not tenants or not np.isfinite(capacity).all() or (capacity < 0).any():
        raise AllocationError("a market needs tenants and capacities of at least 0")
    widest = max(tenant.net_usd.shape[1] for tenant in tenants)
    nets: list[Floats] = []
    uses: list[Floats] = []
    for tenant in tenants:
        shape = (len(capacity), *tenant.net_usd.shape)
        if tenant.use.shape != shape or tenant.count.shape != shape[1:2]:
            raise AllocationError(f"tenant {tenant.name!r}: use has shape {tenant.use.shape}, expected {shape}")
        more = widest - tenant.net_usd.shape[1]
        padded = np.pad(tenant.net_usd, ((0, 0), (0, more)), constant_values=np.nan)
        nets.append(np.where(np.isnan(padded), -np.inf, padded))
        uses.append(np.pad(tenant.use, ((0, 0), (0, 0), (0, more))))
    owner = np.repeat(np.arange(len(tenants)), [len(tenant.count) for tenant in tenants]).astype(np.int64)
    return np.concatenate([tenant.count for tenant in tenants]), np.concatenate(nets), np.concatenate(uses, axis=1), owner
