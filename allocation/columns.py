"""The programme of `duals` for many distinct decisions: columns are whole allocations, generated as they are needed.

Given multipliers μ every decision takes by itself the alternative with the highest score V·Q − C − μ·a. What they take together
is one column: a net, and a use of each constraint. The master programme mixes columns, with a row per constraint and one more,
and its duals are the next μ; it ends when no allocation scores higher than those it has (Dantzig & Wolfe 1960), to the solver's
tolerance. Decisions whose choice is then beyond doubt are fixed, and the programme of the others is solved as it is: so the
answer is as exact as a direct one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from allocation.errors import AllocationError
from allocation.highs import minimise
from allocation.problem import Floats

_ROUNDS_MAX = 500
_TOLERANCE = 1e-6  # of the objective's scale: about what HiGHS keeps; the decisions in doubt are solved exactly afterwards
_DOUBTFUL = 4_000  # decisions that are solved exactly in the end, at first; more if that does not suffice
_GAP = 1e-12  # of the objective's scale: what rounding leaves of a decision that is fixed rightly


Direct: TypeAlias = Callable[[Floats, Floats, Floats, Floats], tuple[Floats, Floats] | None]
"""Solves a programme as it is: of count, net, taken and limits the shares and multipliers, or None."""


def solve_by_columns(
    count: Floats, net: Floats, taken: Floats, limits: Floats, solve_directly: Direct
) -> tuple[Floats, Floats] | None:
    """Shares (G, K) and multipliers (m,); None when no allocation keeps the limits.

    Shapes: count (G,); net (G, K), −inf where there is no alternative; taken (m, G, K); limits (m,).
    """
    multipliers = _approximate(count, net, taken, limits)
    if multipliers is None:
        return None
    rows = np.arange(len(count))
    doubtful = _DOUBTFUL
    while True:
        score = net - np.tensordot(multipliers, taken, axes=1)
        two_best = np.partition(score, -2, axis=1)[:, -2:] if net.shape[1] > 1 else np.column_stack([score - np.inf, score])
        doubt = np.argsort(two_best[:, 1] - two_best[:, 0], kind="stable")[:doubtful]
        certain = np.ones(len(count), dtype=np.bool_)
        certain[doubt] = False
        choice = score.argmax(axis=1)
        fixed = taken[:, rows, choice][:, certain] @ count[certain]
        found = solve_directly(count[doubt], net[doubt], taken[:, doubt], limits - fixed)
        if found is not None:
            exact = net - np.tensordot(found[1], taken, axes=1)
            short = (exact.max(axis=1) - exact[rows, choice])[certain]
            if not short.size or float(count[certain] @ short) <= _GAP * float(np.abs(count @ exact.max(axis=1))):
                shares = np.zeros(net.shape)
                shares[rows, choice] = np.where(certain, count, 0.0)
                shares[doubt] = found[0]
                return shares, found[1]
            multipliers = found[1]
        if doubtful >= len(count):
            return found
        doubtful *= 4


def _approximate(count: Floats, net: Floats, taken: Floats, limits: Floats) -> Floats | None:
    """Multipliers to within the solver's tolerance; None when no allocation keeps the limits."""
    scale = max(float((count * np.abs(np.where(np.isfinite(net), net, 0.0)).max(axis=1)).sum()), 1e-300)
    units = np.maximum(np.abs(limits), np.einsum("g,mg->m", count, np.abs(taken).max(axis=2)))
    units = np.where(units > 0, units, 1.0)
    columns = _Columns(count, net / scale, taken / units[:, None, None])
    penalty = 10.0  # missing a limit wholly costs more than all there is to win; more, if that does not suffice
    for start in (np.zeros((1, len(limits))), penalty * np.eye(len(limits))):
        for multipliers in start:
            columns.add(multipliers)
    for _ in range(_ROUNDS_MAX):
        missed, multipliers, bound = _master(columns, limits / units, penalty)
        if columns.add(multipliers) > bound + _TOLERANCE:
            continue
        if missed <= 1e-9:
            return multipliers * scale / units
        if penalty >= 1e6:
            return None
        penalty *= 100.0
    raise AllocationError(f"no optimum within {_ROUNDS_MAX} rounds of columns", "give fewer constraints")


class _Columns:
    """Allocations found so far."""

    def __init__(self, count: Floats, net: Floats, taken: Floats) -> None:
        self._count, self._net, self._taken = count, net, taken
        self.nets: list[float] = []
        self.uses: list[Floats] = []

    def add(self, multipliers: Floats) -> float:
        """Add the allocation that is best at these multipliers; answers its score."""
        score = self._net - np.tensordot(multipliers, self._taken, axes=1)
        choice = score.argmax(axis=1)
        rows = np.arange(len(choice))
        net = float(self._count @ self._net[rows, choice])
        use = self._taken[:, rows, choice] @ self._count
        self.nets.append(net)
        self.uses.append(use)
        return net - float(multipliers @ use)


def _master(columns: _Columns, limits: Floats, penalty: float) -> tuple[float, Floats, float]:
    """What is missed of the limits, the multipliers, and the score that a further allocation must exceed."""
    n, m = len(columns.nets), len(limits)
    uses = np.array(columns.uses).reshape(n, m).T
    answer = minimise(
        np.concatenate([-np.array(columns.nets), np.full(m, penalty)]),
        np.hstack([uses, -np.eye(m)]),
        limits,
        np.concatenate([np.ones(n), np.zeros(m)])[None, :],
        np.ones(1),
    )
    return float(answer.x[n:].sum()), answer.multipliers, float(answer.equal_multipliers[0])
