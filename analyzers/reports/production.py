"""What the next dollar of reading, planning, acting and verifying brings in each class of a tenant's tasks (eq. 8 and 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import psycopg
from threadpoolctl import threadpool_limits

from analyzers.attribution.production import Spending, spending
from analyzers.decisions.derive import DOSE
from analyzers.effects.observational import Assignment
from analyzers.modes.look import Window
from analyzers.reports.books import Spent, assignments, spent

STATE_IT = (
    "draw at random how much some tasks may read, plan, act and verify; or, if V and what is known before a task tell all that"
    " moves it, state so: `pigou assignments set dose recorded`"
)


@dataclass(frozen=True, slots=True)
class Produced:
    """Team production of one class of a tenant's tasks. `settled_by`: what is to be done where nothing is identified."""

    tenant: str
    task_class: str
    tasks: int
    assignment: Assignment
    spending: Spending
    settled_by: str


def produced(
    connection: psycopg.Connection, tenant_id: int, tenant: str, window: Window, task_class: str | None = None
) -> list[Produced]:
    """Team production of every class of a tenant's tasks in a window, or of one."""
    of = spent(connection, tenant_id, window)
    stated = assignments(connection, tenant_id, DOSE)
    classes = [name for name in sorted(set(of.task_class)) if task_class in (None, name)]
    with threadpool_limits(1):  # on arrays of this size threads wait for each other
        return [_of_class(of, tenant, name, stated.get(name, "unknown")) for name in classes]


def _of_class(of: Spent, tenant: str, task_class: str, assignment: Assignment) -> Produced:
    mask = of.of([task_class])
    made = margins(of, task_class, assignment)
    known = ~np.isnan(of.quality[mask]) & ~np.isnan(of.usd[mask]).any(axis=1)
    settled = ""
    if not known.any():
        settled = "outcomes of its tasks, and prices of all their calls: no task has both"
    elif assignment == "unknown":
        settled = STATE_IT
    elif all(use.per_dollar.value is None for use in made.uses):
        settled = "more tasks with an outcome and priced calls"
    elif np.isnan(of.v_usd[mask]).all():
        settled = "state V on tasks (allocation.task.value_usd) or in the price policy (`pigou policy`)"
    return Produced(tenant, task_class, int(mask.sum()), assignment, made, settled)


def margins(of: Spent, task_class: str, assignment: Assignment) -> Spending:
    """The margins of a class, given log V and what was known before its tasks."""
    mask = of.of([task_class])
    value = of.v_usd[mask]
    known = of.known(mask)
    if not np.isnan(value).all():
        log_v = np.log(np.maximum(np.where(np.isnan(value), np.nanmean(value), value), 1e-9))
        known = np.column_stack([known, log_v, np.isnan(value)])
    return spending(of.quality[mask], of.usd[mask], value, assignment=assignment, controls=known, tasks=of.tasks[mask])
