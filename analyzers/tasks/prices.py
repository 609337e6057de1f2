"""What a task is worth, and what its latency and its risk cost: V, λ, ρ and the deadline, as policy states them.

Statements are matched like rates: per price, the class named in full wins over a prefix with a star, the longer prefix over the
shorter, and any over `*`; among equals a tenant's own wins over what is stated for all, and a later revision over an earlier one.
A statement may say that λ or ρ is the dual of a limit: then it is what the price vector said when the task began.
`PriceBook.prices_of` is the one place that answers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

GRACE_S = 15.0
"""After a root has ended exporters send what is left within seconds; what comes later settles the task again."""
SOURCES = ("attribute", "feedback", "test", "evaluation", "score")
"""Which outcome counts, the first that is there, where policy does not say."""
ROOT_STATUS = "root_status"
_EVERY = "*"


class Statement(msgspec.Struct, frozen=True):
    """One row of the price policy. None says nothing of that price. `since` and `until` bound its validity, None is open.

    `lambda_is_dual`, `rho_is_dual`: that price is the dual of a limit, and nobody states its number.
    """

    is_own: bool
    task_class: str
    revision: int
    since: datetime | None
    until: datetime | None
    v_usd: Decimal | None
    lambda_usd_per_s: Decimal | None
    rho: Decimal | None
    deadline_s: float | None
    grace_s: float | None
    outcome_sources: tuple[str, ...] | None
    lambda_is_dual: bool = False
    rho_is_dual: bool = False

    @classmethod
    def read(cls, row: Sequence[Any]) -> Statement:
        """A row as the database answers it, in the order of the fields."""
        named = dict(zip(cls.__struct_fields__, row, strict=True))
        sources = named.pop("outcome_sources")
        return cls(**named, outcome_sources=None if sources is None else tuple(sources))

    def matches(self, task_class: str | None) -> bool:
        """Whether it speaks of a class; of a task without one only `*` does."""
        return _matches(self.task_class, task_class)

    def says(self, price: str) -> bool:
        """Whether it says anything of a price, a field of `Prices`."""
        return getattr(self, price) is not None or self.is_dual(price)

    def is_dual(self, price: str) -> bool:
        """Whether it says that a price is a dual."""
        return {"lambda_usd_per_s": self.lambda_is_dual, "rho": self.rho_is_dual}.get(price, False)

    @property
    def rank(self) -> tuple[bool, int, bool, int]:
        """Orders statements of which several match; the greatest wins."""
        return not self.task_class.endswith("*"), len(self.task_class), self.is_own, self.revision


class Solved(msgspec.Struct, frozen=True):
    """A row of the price vector while it held: λ and ρ as duals, None where one is none or could not be solved."""

    task_class: str
    since: datetime
    until: datetime | None
    lambda_usd_per_s: Decimal | None
    rho: Decimal | None

    @classmethod
    def read(cls, row: Sequence[Any]) -> Solved:
        """A row as the database answers it."""
        return cls(*row)


class Prices(msgspec.Struct, frozen=True):
    """What holds for a class at a time. V in USD, λ in USD per second, ρ in USD per USD; None where it is not known."""

    v_usd: Decimal | None = None
    lambda_usd_per_s: Decimal | None = None
    rho: Decimal | None = None
    deadline_s: float | None = None
    grace_s: float = GRACE_S
    outcome_sources: tuple[str, ...] = SOURCES
    duals: frozenset[str] = frozenset()
    """Which of them are duals of limits."""

    @property
    def source(self) -> str:
        """Where λ and ρ come from: dual as soon as one of them is one."""
        known = [name for name in ("lambda_usd_per_s", "rho") if getattr(self, name) is not None]
        return "none" if not known else "dual" if self.duals.intersection(known) else "policy"


PRICES = tuple(name for name in Prices.__struct_fields__ if name != "duals")
"""What a statement may speak of."""


class PriceBook:
    """All statements that concern a tenant, its own and those for everybody, and what the price vector said of duals."""

    def __init__(self, statements: Iterable[Statement], solved: Iterable[Solved] = ()) -> None:
        self._statements = sorted(statements, key=lambda statement: statement.rank, reverse=True)
        self._solved = sorted(solved, key=lambda row: (not row.task_class.endswith(_EVERY), len(row.task_class)), reverse=True)
        held = (*self._statements, *self._solved)
        self._bounds = sorted({at for one in held for at in (one.since, one.until) if at is not None})
        self._known: dict[tuple[str | None, int], Prices] = {}

    def prices_of(self, task_class: str | None, at: datetime) -> Prices:
        """What holds for tasks of a class that began at a time."""
        key = (task_class, bisect_right(self._bounds, at))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._matched(task_class, at)
        return found

    def stated_by(self, task_class: str | None, at: datetime) -> dict[str, Statement]:
        """By price, the statement that holds for tasks of a class that began at a time; what nobody states is absent."""
        held: dict[str, Statement] = {}
        for statement in self._statements:
            if _holds(statement, at) and statement.matches(task_class):
                for name in PRICES:
                    if statement.says(name):
                        held.setdefault(name, statement)
        return held

    def _matched(self, task_class: str | None, at: datetime) -> Prices:
        held = self.stated_by(task_class, at)
        duals = frozenset(name for name, statement in held.items() if statement.is_dual(name))
        solved = next((row for row in self._solved if _holds(row, at) and _matches(row.task_class, task_class)), None)
        found: dict[str, Any] = {
            name: getattr(solved if name in duals else statement, name, None) for name, statement in held.items()
        }
        return Prices(**found, duals=duals)


def _holds(one: Statement | Solved, at: datetime) -> bool:
    return (one.since is None or one.since <= at) and (one.until is None or at < one.until)


def _matches(pattern: str, task_class: str | None) -> bool:
    """Whether a class, a prefix with a star, or `*` speaks of a class; of a task without one only `*` does."""
    if pattern == _EVERY:
        return True
    if task_class is None:
        return False
    return task_class.startswith(pattern[:-1]) if pattern.endswith(_EVERY) else task_class == pattern
