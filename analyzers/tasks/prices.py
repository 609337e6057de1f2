"""What a task is worth, and what its latency and its risk cost: V, λ, ρ and the deadline, as policy states them.

Statements are matched like rates: per price, the class named in full wins over a prefix with a star, the longer prefix over the
shorter, and any over `*`; among equals a tenant's own wins over what is stated for all, and a later revision over an earlier one.
`PriceBook.prices_of` is the one place that answers; prices solved as duals are to be answered there too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

GRACE_S = 15.0
"""After a root has ended exporters send what is left within seconds; what comes later settles the task again."""
SOURCES = ("attribute", "feedback", "test", "evaluation", "score")
"""Which outcome counts, the first that is there, where policy does not say."""
ROOT_STATUS = "root_status"


class Statement(msgspec.Struct, frozen=True):
    """One row of the price policy. None says nothing of that price. `since` and `until` bound its validity, None is open."""

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

    def matches(self, task_class: str | None) -> bool:
        """Whether it speaks of a class; of a task without one only `*` does."""
        if self.task_class == "*":
            return True
        if task_class is None:
            return False
        return task_class.startswith(self.task_class[:-1]) if self.task_class.endswith("*") else task_class == self.task_class

    @property
    def rank(self) -> tuple[bool, int, bool, int]:
        """Orders statements of which several match; the greatest wins."""
        return not self.task_class.endswith("*"), len(self.task_class), self.is_own, self.revision


class Prices(msgspec.Struct, frozen=True):
    """What policy states for a class at a time. V in USD, λ in USD per second, ρ in USD per USD; None where nobody states it."""

    v_usd: Decimal | None = None
    lambda_usd_per_s: Decimal | None = None
    rho: Decimal | None = None
    deadline_s: float | None = None
    grace_s: float = GRACE_S
    outcome_sources: tuple[str, ...] = SOURCES

    @property
    def source(self) -> str:
        """Where λ and ρ come from."""
        return "none" if self.lambda_usd_per_s is None and self.rho is None else "policy"


class PriceBook:
    """All statements that concern a tenant: its own and those for everybody."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._statements = sorted(statements, key=lambda statement: statement.rank, reverse=True)
        self._bounds = sorted({at for s in self._statements for at in (s.since, s.until) if at is not None})
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
            valid = (statement.since is None or statement.since <= at) and (statement.until is None or at < statement.until)
            if valid and statement.matches(task_class):
                for name in Prices.__struct_fields__:
                    if getattr(statement, name) is not None:
                        held.setdefault(name, statement)
        return held

    def _matched(self, task_class: str | None, at: datetime) -> Prices:
        held = self.stated_by(task_class, at)
        return Prices(**{name: getattr(statement, name) for name, statement in held.items()})
