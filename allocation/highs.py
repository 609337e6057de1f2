"""The door to HiGHS: linear programmes as arrays, solutions with their duals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from scipy import optimize

from allocation.errors import AllocationError
from allocation.problem import Floats

Status: TypeAlias = Literal["optimal", "infeasible", "unbounded"]
_STATUS: dict[int, Status] = {0: "optimal", 2: "infeasible", 3: "unbounded"}


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
