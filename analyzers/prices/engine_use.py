"""What an engine served: of every tenant by the hour, and for whole tasks by the option that their decisions took.

The use of an option is a mean over the tasks that took it, weighted by inverse chances where a router logs them. It says what
moving a task would take if, within a class, nothing moved both the choice and how much a task asks of the engine. What is assumed
and what is not known is told in docs/price-vector.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import psycopg

from allocation.market import Use
from allocation.period import UNCLASSIFIED, Compared
from ledger.engine_capacity import Resource
from ledger.queries import queries

UNITS: dict[Resource, str] = {"prefill": "prefill token", "decode": "decode token", "kv": "KV token second"}
"""What a resource is counted in: fresh prompt tokens, output tokens, tokens of context held in KV for a second."""
TASKS_MIN = 4.0
"""Tasks (Kish) that an option's use must be worth, as for its other outcomes."""
TOLD_MIN = 0.5
"""Of the tasks that took an option, the share that must tell what they took of the engine."""

_SQL = queries("analyzers", "clearing")
_DAY = timedelta(days=1)


class Window(NamedTuple):
    """From when until when, and of each day which hours in UTC: so many from `first_hour` on."""

    since: datetime
    until: datetime
    first_hour: int = 0
    hours: int = 24

    @property
    def seconds(self) -> float:
        """How long that is, in seconds."""
        found, at = 0.0, self.since
        while at < self.until:
            over = min(self.until, at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
            if (at.hour - self.first_hour) % 24 < self.hours:
                found += (over - at).total_seconds()
            at = over
        return found


class Someone(NamedTuple):
    """A tenant, and of when its prices were looked at last; None: never."""

    tenant_id: int
    tenant: str
    since: datetime | None
    until: datetime | None


class OptionUse(NamedTuple):
    """What whole tasks took of the engine where decisions took an option: over `known` of so many `tasks`, which are worth
    `effective` independent ones. None: not known of any."""

    task_class: str
    kind: str
    option: str
    tasks: int
    known: int
    mean: float | None
    error: float | None
    effective: float | None

    @property
    def why(self) -> str:
        """Why it is not known, or nothing."""
        if self.known < TOLD_MIN * self.tasks:
            return f"of {self.tasks} tasks that took {self.option}, {self.known} tell what they took of the engine"
        if self.mean is None or (self.effective or 0.0) < TASKS_MIN:
            return f"{self.option} was taken by the worth of {self.effective or 0:.1f} tasks of {TASKS_MIN:.0f}"
        return ""


class Hour(NamedTuple):
    """What requests took in an hour: how many there were, how many of them tell it, and what these took."""

    hour: datetime
    requests: int
    told: int
    units: float


@dataclass(frozen=True, slots=True)
class Served:
    """What the engine served of a tenant in the window, the tasks of each class that began in it, and the use of its options."""

    someone: Someone
    hours: tuple[Hour, ...]
    tasks: dict[str, float]
    uses: tuple[OptionUse, ...]

    @property
    def units(self) -> float:
        """What all its requests took."""
        return sum(one.units for one in self.hours)

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(one.requests for one in self.hours)


def tenants(connection: psycopg.Connection) -> list[Someone]:
    """Everybody, with the last look at their prices."""
    return [Someone(*row) for row in connection.execute(_SQL["market_tenants"]).fetchall()]


def read_served(
    connection: psycopg.Connection, engine: str, resource: Resource, window: Window, of: Sequence[Someone]
) -> list[Served]:
    """What an engine served. Reads everything in one transaction, and writes a temporary table only."""
    found: list[Served] = []
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        cursor.execute(_SQL["make_served"])
        models: set[str] = set()
        for one in of:
            first, last = min(window.since, one.since or window.since), max(window.until, one.until or window.until)
            asked = {
                "tenant_id": one.tenant_id, "engine": engine, "resource": resource, "since": first - _DAY, "until": last + _DAY
            }  # fmt: skip
            cursor.execute(_SQL["take_served"], asked)
            models |= {model for (model,) in cursor.execute(_SQL["served_models"], asked).fetchall()}
        cursor.execute(_SQL["index_served"])
        for one in of:
            given = {"tenant_id": one.tenant_id, **window._asdict()}
            hours = tuple(Hour(*row) for row in cursor.execute(_SQL["served_by_hour"], given).fetchall())
            uses: list[OptionUse] = []
            tasks: dict[str, float] = {}
            if one.since is not None:
                look = {"tenant_id": one.tenant_id, "since": one.since, "until": one.until, "models": sorted(models)}
                uses = [OptionUse(*row) for row in cursor.execute(_SQL["option_uses"], look).fetchall()]
                tasks = dict(cursor.execute(_SQL["window_tasks"], given).fetchall())
            found.append(Served(one, hours, tasks, tuple(uses)))
    return found


def use_of(compared: Compared, uses: Sequence[OptionUse]) -> Use | str:
    """The use of a comparison's options, or why it is not known: of none of them is it taken to be 0."""
    known = {one.option: one for one in uses if (one.task_class, one.kind) == (compared.task_class, compared.kind)}
    found: list[OptionUse] = []
    for option in compared.options:
        one = known.get(option)
        if one is None:
            return f"nobody took {option}"
        if one.why:
            return one.why
        found.append(one)
    means, errors, tasks = (
        np.array([getattr(one, name) for one in found], dtype=np.float64) for name in ("mean", "error", "effective")
    )
    return Use(means, errors, tasks)


def name_of(compared: Compared) -> str:
    """What a comparison is called where it is left out."""
    whose = "unclassified tasks" if compared.task_class == UNCLASSIFIED else compared.task_class
    return f"{compared.kind} of {whose} ({', '.join(compared.options)})"
