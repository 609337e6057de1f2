"""A period as it is solved over: what its tasks took, what limits them, what is stated of prices, and what could have been.

Nothing here knows where it is from. `programme` makes a linear programme of it, `prices` its duals, `what_if` varies its limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from allocation.errors import AllocationError
from allocation.problem import Floats, Kind

DAY_S = 86_400.0
QUALITY, COST, LATENCY, LOSS = range(4)
"""The places of outcomes in tables of them."""
EVERY = "*"
UNCLASSIFIED = ""
"""The class of tasks of which nothing says what they are."""


@dataclass(frozen=True, slots=True)
class ClassTotals:
    """What the tasks of a class took. `cost_usd` is of the `priced` ones, `loss_usd` None where no task tells any; `v_usd` is the
    mean of what `valued` tasks state themselves, with its deviation."""

    task_class: str
    tasks: int
    priced: int
    cost_usd: float
    latency_s: float
    loss_usd: float | None
    valued: int
    v_usd: float | None
    v_deviation: float | None


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit over some classes, in the unit people state it in: USD in the budget's own period, seconds a task, USD a day.

    `pattern` is the class, prefix or '*' that it is stated for; `period_s` the budget's length, None for the others.
    """

    name: str
    kind: Kind
    pattern: str
    amount: float
    period_s: float | None = None


@dataclass(frozen=True, slots=True)
class Stated:
    """What policy states for a class or pattern; None where nobody states it."""

    v_usd: float | None = None
    lambda_usd_per_s: float | None = None
    rho: float | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Decisions of a class and kind with what each option would have brought and taken.

    Shapes: `v_usd` (bands,), the V of each band of them; `chosen` (bands, K), how many took each option; `means` (4, K), quality,
    cost in USD, latency in seconds and loss in USD of each; `draws` (replicates, 4, K), the same with tasks drawn anew. `alike`:
    how many decisions of its task the effect of one speaks for already, since they were chosen alike; 1 where they were not.
    """

    task_class: str
    kind: str
    options: tuple[str, ...]
    v_usd: Floats
    chosen: Floats
    means: Floats
    draws: Floats
    alike: float = 1.0

    @property
    def decisions(self) -> float:
        """How many there are."""
        return float(self.chosen.sum())


@dataclass(frozen=True, slots=True)
class Together:
    """Tasks of a class that are alike, and whose decisions are chosen together. `tasks`: how many, may be fractional; `v_usd`:
    their mean V; `chosen`: by the place of a comparison in the period, (K,) how many of its decisions in these tasks took each
    option."""

    task_class: str
    tasks: float
    v_usd: float
    chosen: Mapping[int, Floats]


@dataclass(frozen=True, slots=True)
class Period:
    """A period to be solved. `seconds`: how long it is; `stated`: what policy says of every class and pattern that
    has prices, and of tasks without a class; `together`: the tasks that `compared` decisions are of.

    Raises: AllocationError where a comparison's decisions are not those of the tasks.
    """

    seconds: float
    classes: tuple[ClassTotals, ...]
    limits: tuple[Limit, ...]
    stated: Mapping[str, Stated]
    compared: tuple[Compared, ...] = ()
    together: tuple[Together, ...] = ()

    def __post_init__(self) -> None:
        held = [0.0 * one.chosen.sum(axis=0) for one in self.compared]
        for of in self.together:
            for place, chosen in of.chosen.items():
                if not 0 <= place < len(held) or self.compared[place].task_class != of.task_class or chosen.sum() <= 0:
                    raise AllocationError(f"tasks of {of.task_class!r} have no decisions of comparison {place}")
                held[place] = held[place] + chosen
            if not of.tasks > 0 or not of.chosen:
                raise AllocationError(
                    f"{of.tasks} tasks of {of.task_class!r} have {len(of.chosen)} comparisons", "leave them out"
                )
        for one, found in zip(self.compared, held, strict=True):
            if not np.allclose(found, one.chosen.sum(axis=0), rtol=1e-6, atol=1e-6):
                raise AllocationError(
                    f"{one.decisions:g} decisions of {one.kind} of {one.task_class!r} are compared, tasks hold {found.sum():g}"
                )

    @property
    def days(self) -> float:
        """How long it is, in days."""
        return self.seconds / DAY_S

    @property
    def tasks(self) -> int:
        """How many tasks began in it."""
        return sum(one.tasks for one in self.classes)

    @property
    def labels(self) -> list[str]:
        """The classes and patterns that have prices."""
        return sorted(set(self.stated) - {UNCLASSIFIED})

    @property
    def replicates(self) -> int:
        """How often tasks were drawn anew."""
        return min((len(one.draws) for one in self.compared), default=0)

    def policy(self, label: str) -> Stated:
        """What policy states for a class or pattern: its own, else that of the best-named pattern that speaks of it."""
        found = self.stated.get(label)
        if found is not None:
            return found
        matching = [name for name in self.stated if name.endswith(EVERY) and matches(name, label)]
        return self.stated[max(matching, key=len)] if matching else Stated()

    def means(self) -> list[Floats]:
        """The mean outcomes (4, K) of each comparison."""
        return [one.means for one in self.compared]

    def drawn(self, replicate: int) -> list[Floats]:
        """The same with tasks drawn anew."""
        return [one.draws[replicate] for one in self.compared]


def governed(limits: Iterable[Limit], task_class: str) -> list[Limit]:
    """The limits that a class is held to: every budget that covers it; of SLAs and of envelopes the one that names it best."""
    matching = [limit for limit in limits if matches(limit.pattern, task_class)]
    best: list[Limit] = [limit for limit in matching if limit.kind == "compute_budget"]
    for kind in ("latency_sla", "risk_envelope"):
        of_kind = [limit for limit in matching if limit.kind == kind]
        best += sorted(of_kind, key=lambda limit: (not limit.pattern.endswith(EVERY), len(limit.pattern)))[-1:]
    return best


def matches(pattern: str, task_class: str) -> bool:
    """Whether a pattern speaks of a class; of tasks without a class only '*' does. A pattern may stand for a class itself."""
    if pattern in (EVERY, task_class):
        return True
    if task_class == UNCLASSIFIED or not pattern.endswith(EVERY):
        return False
    return task_class.removesuffix(EVERY).startswith(pattern[:-1])
