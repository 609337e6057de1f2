"""What was: the tasks of a period by class, what is stated about their prices, and the limits they are held to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from allocation.problem import Kind
from analyzers.tasks.prices import PriceBook, Statement
from ledger.queries import queries

_SQL = queries("analyzers", "prices")
_TASKS = queries("analyzers", "tasks")
_DAY_S = 86_400.0
_SHORTEST_S = 3_600.0  # a period of a few minutes says nothing of a day
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
class Period:
    """A tenant's period: its classes, its limits, what is stated, and which budgets say nothing here and why. `at` is now."""

    tenant_id: int
    at: datetime
    since: datetime
    until: datetime
    classes: tuple[ClassTotals, ...]
    limits: tuple[Limit, ...]
    book: PriceBook
    patterns: frozenset[str]
    left_out: tuple[tuple[str, str], ...]

    @property
    def seconds(self) -> float:
        """How long it is; an hour at least."""
        return max(_SHORTEST_S, (self.until - self.since).total_seconds())

    @property
    def days(self) -> float:
        """The same in days."""
        return self.seconds / _DAY_S

    @property
    def tasks(self) -> int:
        """How many tasks began in it."""
        return sum(one.tasks for one in self.classes)


def load_period(connection: psycopg.Connection, tenant_id: int, days: int) -> Period:
    """The `days` up to a tenant's last task, or as many of them as there are tasks in."""
    of = {"tenant_id": tenant_id, "days": days}
    row = connection.execute(_SQL["extent"], of).fetchone()
    moment = connection.execute("select now()").fetchone()
    if moment is None:
        raise RuntimeError("the database did not say what time it is")
    since, until = row if row is not None else (moment[0] - timedelta(days=days), moment[0])
    totals = connection.execute(_SQL["class_totals"], {**of, "since": since, "until": until}).fetchall()
    classes = tuple(
        ClassTotals(name, n, priced, cost, latency, loss if telling else None, valued, _float(v), _float(deviation))
        for name, n, priced, cost, latency, telling, loss, valued, v, deviation in totals
    )
    stated = [_statement(row) for row in connection.execute(_TASKS["price_statements"], of)]
    constraints = connection.execute(_SQL["constraints_in_force"], of).fetchall()
    budgets, left_out = _budgets(connection.execute(_SQL["budgets_in_force"], of).fetchall())
    limits = (*budgets, *_limits(constraints))
    patterns = frozenset({EVERY, *(one.task_class for one in stated), *(row[0] for row in constraints)})
    return Period(tenant_id, moment[0], since, until, classes, limits, PriceBook(stated), patterns, left_out)


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


def _statement(row: tuple[Any, ...]) -> Statement:
    named = dict(zip(Statement.__struct_fields__, row, strict=True))
    sources = named.pop("outcome_sources")
    return Statement(**named, outcome_sources=None if sources is None else tuple(sources))


def _limits(rows: Iterable[tuple[str, float | None, float | None]]) -> list[Limit]:
    limits: list[Limit] = []
    for pattern, latency_s, risk_usd in rows:
        if latency_s is not None:
            limits.append(Limit(f"latency_sla {pattern}", "latency_sla", pattern, latency_s))
        if risk_usd is not None:
            limits.append(Limit(f"risk_envelope {pattern}", "risk_envelope", pattern, risk_usd))
    return limits


def _budgets(
    rows: Iterable[tuple[str, str | None, float, float | None, bool]],
) -> tuple[list[Limit], tuple[tuple[str, str], ...]]:
    limits: list[Limit] = []
    left_out: list[tuple[str, str]] = []
    for name, task_class, amount, length_s, is_of_tasks in rows:
        if not is_of_tasks:
            left_out.append((f"budget {name}", "it is of a layer, use, agent or model, not of whole tasks"))
        elif length_s is None:
            left_out.append((f"budget {name}", "it has no end, so that it allows nothing for a period"))
        else:
            limits.append(Limit(f"budget {name}", "compute_budget", task_class or EVERY, amount, length_s))
    return limits, tuple(left_out)


def _float(number: object) -> float | None:
    return None if number is None else float(str(number))
