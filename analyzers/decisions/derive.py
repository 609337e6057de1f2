"""Choice sets of all layers, derived set-based from the spans and calls of settled tasks: what is stated first, inferred second.

Each kind has a statement that looks at all the tasks of a batch at once and says what was chosen and what was known before.
Where a decision states no menu, its options are all that were ever chosen in decisions like it (`pigou.menu`); when such a menu
grows, the tasks that came before are looked at again, so that nothing depends on the order in which tasks came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg

from ledger.queries import queries

KINDS = ("route", "verify", "confirm", "delegate", "defer", "serve", "cache", "reuse", "update")
"""The kinds of decision that are derived."""
DOSE = "dose"
"""How much of each use goes into a task: no choice among a few options, but how it is decided can be stated like a kind's."""

_SQL = queries("analyzers", "decide")
_DEMAND = queries("analyzers", "decide_demand")
_ACTION = queries("analyzers", "decide_action")
_SUPPLY = queries("analyzers", "decide_supply")
_CAPITAL = queries("analyzers", "decide_capital")
_BATCH = 20_000
"""Tasks of one transaction: enough to be set-based, few enough that a batch stays small and a killed run loses little."""
_OVERLAP = timedelta(seconds=20)
"""A transaction may commit later than it began; deriving again changes nothing."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_STEPS: tuple[LiteralString, ...] = (
    _SQL["take_tasks"],
    _SQL["take_spans"],
    _SQL["take_calls"],
    _SQL["index_taken"],
    _SQL["take_uses_of_agents"],
    _SQL["take_context"],
    _SQL["index_context"],
    _ACTION["take_passes"],
    _ACTION["take_actions"],
    _ACTION["index_steps"],
    _DEMAND["observe_stated_routes"],
    _DEMAND["observe_routing_logs"],
    _DEMAND["observe_unstated_routes"],
    _ACTION["observe_verification"],
    _ACTION["observe_confirmation"],
    _ACTION["observe_delegation"],
    _ACTION["observe_deferral"],
    _SUPPLY["observe_serving"],
    _CAPITAL["observe_caching"],
    _CAPITAL["observe_reuse"],
    _CAPITAL["observe_updates"],
    _SQL["tell_uses_of_agents"],
    _SQL["see_options"],
    _SQL["index_observed"],
    _SQL["derive"],
    _SQL["forget_decisions"],
)


@dataclass(frozen=True, slots=True)
class Derived:
    """What deriving did: tasks looked at, and decisions that are new or not what they were."""

    tasks: int
    decisions: int


def derive(connection: psycopg.Connection, told: Callable[[int, int], None] = lambda _done, _total: None) -> Derived:
    """Derive the decisions of every task settled since the last time; `told` is called with (done, total) tasks.

    Each batch commits by itself; killed, it goes on where it was. Wants a connection in autocommit.
    """
    tasks = decisions = 0
    for tenant_id, tenant, through in connection.execute(_SQL["tenants_with_tasks"]).fetchall():
        since = _NEVER if through is None else through - _OVERLAP
        changed = connection.execute(_SQL["changed_tasks"], {"tenant_id": tenant_id, "since": since}).fetchall()
        for first in range(0, len(changed), _BATCH):
            batch = changed[first : first + _BATCH]
            is_first = through is None and first == 0
            decisions += _derive_batch(connection, tenant_id, tenant, [row[0] for row in batch], is_first=is_first)
            connection.execute(_SQL["mark_decided"], {"tenant_id": tenant_id, "through": batch[-1][1]})
            told(first + len(batch), len(changed))
        tasks += len(changed)
        decisions += _derive_where_menus_grew(connection, tenant_id, tenant)
    return Derived(tasks, decisions)


def state_assignment(
    connection: psycopg.Connection, tenant_id: int, kind: str, task_class: str, assignment: str, source: str
) -> None:
    """State how a kind of decision is made (`recorded`: the context tells all that moved it; `unknown` takes it back).

    `tenant_id` 0 is for every tenant, `task_class` '*' for every class. The decisions concerned are derived again at once.
    """
    stated = {"tenant_id": tenant_id, "kind": kind, "task_class": task_class, "assignment": assignment, "source": source}
    connection.execute(_SQL["state_assignment"], stated)
    for each, tenant, _ in connection.execute(_SQL["tenants_with_tasks"]).fetchall():
        if tenant_id in (0, each):
            concerned = {"tenant_id": each, "kind": kind, "task_class": task_class}
            found = connection.execute(_SQL["tasks_of_assignment"], concerned).fetchall()
            _derive_all(connection, each, tenant, [row[0] for row in found])


def _derive_where_menus_grew(connection: psycopg.Connection, tenant_id: int, tenant: str) -> int:
    """Look again at the tasks whose menus have options that were first seen after they were looked at."""
    grown = connection.execute(_SQL["tasks_of_grown_menus"], {"tenant_id": tenant_id}).fetchall()
    written = _derive_all(connection, tenant_id, tenant, [row[0] for row in grown])
    connection.execute(_SQL["mark_menus"], {"tenant_id": tenant_id})
    return written


def _derive_all(connection: psycopg.Connection, tenant_id: int, tenant: str, trace_ids: Sequence[bytes]) -> int:
    return sum(
        _derive_batch(connection, tenant_id, tenant, trace_ids[first : first + _BATCH], is_first=False)
        for first in range(0, len(trace_ids), _BATCH)
    )


def _derive_batch(
    connection: psycopg.Connection, tenant_id: int, tenant: str, trace_ids: Sequence[bytes], *, is_first: bool
) -> int:
    """One transaction: the decisions of these tasks; answers how many were written."""
    parameters = {"tenant_id": tenant_id, "tenant": tenant, "trace_ids": list(trace_ids), "is_first": is_first}
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        for step in _STEPS:
            cursor.execute(step, parameters)
        cursor.execute(_SQL["write_decisions"], parameters)
        return cursor.rowcount
