"""What is to be allocated: classes of decisions with their alternatives, and the constraints over them.

The objective is what the allocation is worth less what it costs, in USD: Σ x·(V·Q − C − λ·L − ρ·R), where λ and ρ stand for
prices that are stated (0 where they are to be solved for).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allocation.errors import AllocationError

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Kind: TypeAlias = Literal["compute_budget", "latency_sla", "risk_envelope"]
KINDS: tuple[Kind, ...] = ("compute_budget", "latency_sla", "risk_envelope")


@dataclass(frozen=True, slots=True)
class Decisions:
    """G classes of identical decisions over K alternatives.

    `count` (G,): how many decisions, may be fractional; `group` (G,): the code of the group of prices they belong to, such as a
    task class; `value_usd`, `cost_usd`, `latency_s`, `risk_usd` (G, K): V·Q, C, L, R of each alternative, NaN in `value_usd`
    where there is no such alternative.
    """

    count: Floats
    group: Ints
    value_usd: Floats
    cost_usd: Floats
    latency_s: Floats
    risk_usd: Floats

    @property
    def there(self) -> Bools:
        """Shape (G, K): which alternatives there are."""
        return ~np.isnan(self.value_usd)

    def amounts(self, kind: Kind) -> Floats:
        """Shape (G, K): what one decision for each alternative takes of a constraint's kind; 0 where there is no alternative."""
        taken = {"compute_budget": self.cost_usd, "latency_sla": self.latency_s, "risk_envelope": self.risk_usd}[kind]
        return np.where(self.there, taken, 0.0)

    def with_count(self, count: Floats) -> Decisions:
        """The same classes, in other numbers."""
        return replace(self, count=count)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A limit on what some groups (None: all) take together of one kind, in USD, seconds or USD of expected loss.

    `taken` is taken of it already, by what is not decided here; a `limit` may so be exceeded by anything at all. `scale`: how
    many of these units one is of those in which people state it.
    """

    name: str
    kind: Kind
    limit: float
    groups: tuple[int, ...] | None = None
    taken: float = 0.0
    scale: float = 1.0

    @property
    def left(self) -> float:
        """What is left for the decisions."""
        return self.limit - self.taken

    def covers(self, group: int) -> bool:
        """Whether it binds decisions of this group."""
        return self.groups is None or group in self.groups


@dataclass(frozen=True, slots=True)
class Problem:
    """Decisions with their constraints, and prices stated beforehand by group (shape (groups,), 0: none)."""

    decisions: Decisions
    constraints: tuple[Constraint, ...]
    lambda_stated: Floats
    rho_stated: Floats
    row_class: Ints
    """Shape (n,): the class that each decision given is of."""

    @property
    def net_usd(self) -> Floats:
        """Shape (G, K): the objective of one decision for each alternative; −inf where there is none."""
        of, group = self.decisions, self.decisions.group
        waiting = self.lambda_stated[group][:, None] * of.amounts("latency_sla")
        loss = self.rho_stated[group][:, None] * of.amounts("risk_envelope")
        return np.where(of.there, np.nan_to_num(of.value_usd) - of.amounts("compute_budget") - waiting - loss, -np.inf)

    def taken(self) -> Floats:
        """Shape (m, G, K): what one decision for each alternative takes of each constraint."""
        of = self.decisions
        taken = np.zeros((len(self.constraints), *of.value_usd.shape))
        for row, constraint in enumerate(self.constraints):
            covered = np.ones(len(of.count), dtype=np.bool_)
            if constraint.groups is not None:
                covered = np.isin(of.group, np.asarray(constraint.groups, dtype=np.int64))
            taken[row] = np.where(covered[:, None], of.amounts(constraint.kind), 0.0)
        return taken

    @property
    def groups(self) -> int:
        """How many groups of prices there are."""
        return len(self.lambda_stated)


def problem(
    value_usd: ArrayLike,
    cost_usd: ArrayLike,
    latency_s: ArrayLike,
    risk_usd: ArrayLike,
    constraints: Sequence[Constraint],
    *,
    count: ArrayLike | None = None,
    group: ArrayLike | None = None,
    groups: int | None = None,
    lambda_stated: ArrayLike = 0.0,
    rho_stated: ArrayLike = 0.0,
) -> Problem:
    """A problem, checked, with identical decisions taken together.

    Shapes: value_usd (n, K), NaN where a decision has no such alternative; cost_usd, latency_s and risk_usd alike; count (n,),
    how many decisions each row stands for (1); group (n,), 0 … groups−1 (0). Raises: AllocationError naming the array.
    """
    value = np.atleast_2d(np.asarray(value_usd, dtype=np.float64))
    n = len(value)
    there = ~np.isnan(value)
    if not there.any(axis=1).all():
        raise AllocationError(f"decision {int(np.argmin(there.any(axis=1)))} has no alternative", "leave it out")
    others = [_like(value, name, one) for name, one in (("cost_usd", cost_usd), ("latency_s", latency_s), ("risk_usd", risk_usd))]
    number = np.ones(n) if count is None else np.asarray(count, dtype=np.float64)
    code = np.zeros(n, dtype=np.int64) if group is None else np.asarray(group, dtype=np.int64)
    if number.shape != (n,) or code.shape != (n,) or not (np.isfinite(number) & (number >= 0)).all():
        raise AllocationError(f"count and group must have {n} rows, and no count below 0")
    total = int(groups if groups is not None else code.max(initial=0) + 1)
    if code.min(initial=0) < 0 or code.max(initial=0) >= total:
        raise AllocationError(f"group holds codes outside of 0 … {total - 1}")
    for constraint in constraints:
        if not np.isfinite(constraint.left):
            raise AllocationError(f"constraint {constraint.name!r} has the limit {constraint.left}", "give a finite number")
    names = [constraint.name for constraint in constraints]
    if len(set(names)) < len(names):
        raise AllocationError(f"constraints are named {names}", "give each a name of its own")
    if not np.isfinite(value[there]).all():
        raise AllocationError("value_usd is infinite somewhere", "give finite numbers")
    merged, row_class = _merged(number, code, [value, *others])
    stated = [np.broadcast_to(np.asarray(one, dtype=np.float64), (total,)) for one in (lambda_stated, rho_stated)]
    return Problem(merged, tuple(constraints), stated[0], stated[1], row_class)


def _like(value: Floats, name: str, given: ArrayLike) -> Floats:
    array = np.asarray(given, dtype=np.float64)
    if array.ndim and array.shape != value.shape:
        raise AllocationError(f"{name} has shape {array.shape}, value_usd {value.shape}", "give the same shape")
    array = np.where(np.isnan(value), 0.0, np.broadcast_to(array, value.shape))
    if not np.isfinite(array).all():
        raise AllocationError(
            f"{name} is not known for an alternative that has a value", "leave out alternatives that are not known"
        )
    return array


def _merged(count: Floats, group: Ints, arrays: list[Floats]) -> tuple[Decisions, Ints]:
    """Identical rows once, with their counts summed: what makes thousands of decisions a small problem."""
    keys = np.column_stack([group.astype(np.float64), *(np.nan_to_num(array, nan=np.inf) for array in arrays)])
    _, first, codes = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    codes = codes.reshape(-1).astype(np.int64)
    summed = np.bincount(codes, weights=count, minlength=len(first))
    value, cost, latency, risk = (array[first] for array in arrays)
    return Decisions(summed.astype(np.float64), group[first], value, cost, latency, risk), codes
