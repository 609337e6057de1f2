"""The door to HiGHS: linear programmes as arrays, solutions with their duals.

HiGHS takes milliseconds to begin, whatever a programme's size. Small programmes that have nothing to do with each other are
therefore handed to it many at once, one beside the other along the diagonal of one matrix: 200 of eight variables take a
twentieth of the time. Large ones would take longer so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from scipy import optimize, sparse

from allocation.errors import AllocationError
from allocation.problem import Floats

Status: TypeAlias = Literal["optimal", "infeasible", "unbounded"]
_SMALL = 100  # variables up to which programmes are solved many at once
_AT_ONCE = 1_600  # variables of all of these
_STATUS: dict[int, Status] = {0: "optimal", 2: "infeasible", 3: "unbounded"}


@dataclass(frozen=True, slots=True)
class Programme:
    """Minimise cost·x over rows·x ≤ limits, equal_rows·x = equal, 0 ≤ x ≤ upper; rows are arrays or sparse arrays.

    Shapes: cost and upper (n,); rows (m, n); limits (m,); equal_rows (e, n); equal (e,).
    """

    cost: Floats
    rows: Any
    limits: Floats
    equal_rows: Any
    equal: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Optimum:
    """A programme's answer. Unless `status` is optimal the arrays are empty. `multipliers` of the rows are at least 0: by how
    much the least cost would fall with one unit more of its limit; `equal_multipliers` may have either sign."""

    status: Status
    x: Floats
    cost: float
    multipliers: Floats
    equal_multipliers: Floats


def minimise(cost: Floats, rows: Any, limits: Floats, equal_rows: Any, equal: Floats, upper: Floats | None = None) -> Optimum:
    """Minimise cost·x over rows·x ≤ limits, equal_rows·x = equal, 0 ≤ x ≤ upper; rows may be arrays or sparse arrays.

    Raises: AllocationError when HiGHS gives up.
    """
    some = len(limits) > 0
    bounds = np.column_stack([np.zeros(len(cost)), np.full(len(cost), np.inf) if upper is None else upper])
    answer = cast(
        Any,
        optimize.linprog(
            cost, A_ub=rows if some else None, b_ub=limits if some else None, A_eq=equal_rows, b_eq=equal,
            bounds=cast(Any, bounds), method="highs",
        ),
    )  # fmt: skip
    status = _STATUS.get(int(answer.status))
    if status is None and int(answer.status) == 4 and "unbounded" in str(answer.message).lower():
        status = "unbounded"  # or infeasible, which presolve does not tell apart; ours are feasible where this can happen
    if status is None:
        raise AllocationError(f"HiGHS gave up: {answer.message}")
    if status != "optimal":
        return Optimum(status, np.zeros(0), np.inf, np.zeros(0), np.zeros(0))
    multipliers = np.maximum(-np.asarray(answer.ineqlin.marginals, dtype=np.float64), 0.0) if some else np.zeros(0)
    equal_multipliers = -np.asarray(answer.eqlin.marginals, dtype=np.float64)
    return Optimum(status, np.asarray(answer.x, dtype=np.float64), float(answer.fun), multipliers, equal_multipliers)


def minimise_each(programmes: Sequence[Programme]) -> list[Optimum]:
    """The optimum of each. Raises: AllocationError when HiGHS gives up."""
    found: list[Optimum] = []
    for beside in _batches(programmes):
        found += _side_by_side(beside) if len(beside) > 1 else [_alone(beside[0])]
    return found


def _batches(programmes: Sequence[Programme]) -> Iterator[list[Programme]]:
    """Programmes in their order, small ones together."""
    batch: list[Programme] = []
    size = 0
    for one in programmes:
        n = len(one.cost)
        if batch and (n > _SMALL or size + n > _AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += n if n <= _SMALL else _AT_ONCE
    if batch:
        yield batch


def _alone(of: Programme) -> Optimum:
    return minimise(of.cost, of.rows, of.limits, of.equal_rows, of.equal, of.upper)


def _side_by_side(programmes: Sequence[Programme]) -> list[Optimum]:
    """All as one, which has an optimum if each of them has; otherwise each alone."""
    answer = minimise(
        np.concatenate([one.cost for one in programmes]),
        sparse.block_diag([one.rows for one in programmes], format="csr"),
        np.concatenate([one.limits for one in programmes]),
        sparse.block_diag([one.equal_rows for one in programmes], format="csr"),
        np.concatenate([one.equal for one in programmes]),
        np.concatenate([one.upper for one in programmes]),
    )
    if answer.status != "optimal":
        return [_alone(one) for one in programmes]
    xs = np.split(answer.x, np.cumsum([len(one.cost) for one in programmes])[:-1])
    multipliers = np.split(answer.multipliers, np.cumsum([len(one.limits) for one in programmes])[:-1])
    equal = np.split(answer.equal_multipliers, np.cumsum([len(one.equal) for one in programmes])[:-1])
    return [
        Optimum("optimal", x, float(one.cost @ x), mu, nu)
        for one, x, mu, nu in zip(programmes, xs, multipliers, equal, strict=True)
    ]
