"""The line of settlement: look for what came → make due what rules or prices changed → judge what is due → book it.

Each step and each batch is a transaction of its own, under a lock that posting does not take; killed, it goes on where it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg

from analyzers.tasks.arrivals import look
from analyzers.tasks.judge import Facts, Said, Task, due_at, judge
from analyzers.tasks.rules import Judges, judges_of
from analyzers.tasks.write import write
from ledger.queries import queries

_SQL = queries("analyzers", "tasks")
_BATCH = 2_000
"""Traces judged and booked in one transaction: enough to be set-based, few enough to hold locks for a second at most."""
_NEARBY = timedelta(days=8)
"""How far apart in time records of one trace are looked for: as far as posting looks."""
_BEGINNING, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

Progress = Callable[[int, int], None]


class Settled(msgspec.Struct):
    """What settling did: traces that were due, tasks written because they were new or had changed, outcomes read from records or
    found the trace they waited for, and words about outcomes that were refused."""

    traces: int = 0
    changed: int = 0
    outcomes: int = 0
    refused: int = 0


def settle(
    connection: psycopg.Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    is_all: bool = False,
    progress: Progress | None = None,
) -> Settled:
    """Settle every trace that is due: its root ended and it was quiet for its grace, or its outcome is known, and it changed.

    `since` and `until` make all traces that began between them be looked at again, whatever changed. `is_all` says that
    nothing more is on its way: a trace was quiet since it ended, not since it arrived, so that what was recorded elsewhere
    and sent just now is not waited for. `progress` is told how many of how many traces are done. Run it again at any time:
    what is settled and has not changed stays as it is.
    Needs an idle connection with autocommit.
    """
    done = Settled()
    came = look(connection)
    done.outcomes, done.refused = came.outcomes, came.refused
    if since is not None or until is not None:
        with connection.transaction():
            connection.execute(_SQL["lock"])
            connection.execute(_SQL["due_in_period"], {"since": since or _BEGINNING, "until": until or _END})
    _heed_changed_rules(connection)
    if is_all:
        with connection.transaction():
            connection.execute(_SQL["lock"])
            connection.execute(_SQL["due_since_they_ended"])
    _settle_due(connection, done, is_all, progress)
    found = _find_waiting(connection, done, is_all)
    if found:
        done.outcomes += found
        _settle_due(connection, done, is_all, progress)
    return done


def _heed_changed_rules(connection: psycopg.Connection) -> None:
    """Where the price policy or the rules of classes have changed, all of the tenant's tasks are judged again."""
    for tenant_id, mark, judged_by in connection.execute(_SQL["rules_by_tenant"]).fetchall():
        if mark != judged_by:
            with connection.transaction():
                connection.execute(_SQL["lock"])
                connection.execute(_SQL["due_of_tenant"], {"tenant_id": tenant_id})
                connection.execute(_SQL["mark"], {"setting": f"settled_by_rules_of_{tenant_id}", "value": mark})


def _settle_due(connection: psycopg.Connection, done: Settled, is_all: bool, progress: Progress | None) -> None:
    waiting = dict(connection.execute(_SQL["tenants_due"]).fetchall())
    total = done.traces + sum(waiting.values())
    for tenant_id in waiting:
        judges = judges_of(connection, tenant_id)
        while True:
            with connection.transaction():
                connection.execute(_SQL["lock"])
                looked_at, changed = _settle_batch(connection, tenant_id, judges, is_all)
            done.traces += looked_at
            done.changed += changed
            if progress is not None:
                progress(done.traces, max(total, done.traces))
            if looked_at < _BATCH:
                break


def _settle_batch(connection: psycopg.Connection, tenant_id: int, judges: Judges, is_all: bool) -> tuple[int, int]:
    """Judge and book one batch of a tenant's traces that are due: how many were looked at, and how many tasks changed."""
    due = connection.execute(_SQL["due"], {"tenant_id": tenant_id, "limit": _BATCH}).fetchall()
    if not due:
        return 0, 0
    trace_ids: list[bytes] = [row[0] for row in due]
    of = {"tenant_id": tenant_id, "trace_ids": _array(trace_ids)}
    former = {row[0]: row[1:] for row in connection.execute(_SQL["already"], of)}
    facts = _facts(connection, of, due, former)
    said: dict[bytes, list[Said]] = defaultdict(list)
    for row in connection.execute(_SQL["said"], of):
        said[row[0]].append(Said(*row[1:]))
    changed: list[tuple[Task, bytes]] = []
    gone: list[bytes] = []
    later: list[tuple[bytes, datetime]] = []
    for trace_id, seen_at, _, _, now in due:
        trace = facts.get(trace_id)
        before = former.get(trace_id)
        if trace is None or not trace.is_task:
            if before is not None and trace is not None:
                gone.append(trace_id)
            continue
        quiet = min(seen_at, trace.ended_at) if is_all and seen_at is not None else seen_at
        at = None if quiet is None else due_at(trace, said[trace_id], quiet, judges.book, judges.rules)
        if at is not None and at > now:
            later.append((trace_id, at))
            continue
        task = judge(trace, said[trace_id], judges.book, judges.rules)
        content_hash = task.content_hash
        if before is None or before[0] != content_hash:
            changed.append((task, content_hash))
    if changed or gone:
        write(connection, tenant_id, changed, gone)
    postponed = {trace_id for trace_id, _ in later}
    connection.execute(_SQL["done"], {"tenant_id": tenant_id, "trace_ids": _array(t for t in trace_ids if t not in postponed)})
    if later:
        parameters = {"trace_ids": [trace_id for trace_id, _ in later], "due_ats": [at for _, at in later]}
        connection.execute(_SQL["postpone"], {"tenant_id": tenant_id, **parameters})
    return len(due), len(changed) + len(gone)


def _facts(
    connection: psycopg.Connection, of: dict[str, Any], due: Sequence[tuple[Any, ...]], former: dict[bytes, Any]
) -> dict[bytes, Facts]:
    """The traces as telemetry tells them; of those whose records are gone, or never came, nothing."""
    firsts = [row[2] or (former[row[0]][1] if row[0] in former else None) for row in due]
    lasts = [row[3] or (former[row[0]][2] if row[0] in former else None) for row in due]
    known_firsts, known_lasts = [at for at in firsts if at], [at for at in lasts if at]
    is_bounded = len(known_firsts) == len(firsts) and len(known_lasts) == len(lasts)
    between = {
        "since": min(known_firsts) - _NEARBY if is_bounded else _BEGINNING,
        "until": max(known_lasts) + _NEARBY if is_bounded else _END,
    }
    # The batch's own tables have no statistics, and a loop over each of them for each would take minutes.
    connection.execute("set local enable_nestloop = off")
    facts = {row[0]: Facts(*row) for row in connection.execute(_SQL["facts"], {**of, **between})}
    connection.execute("set local enable_nestloop = on")
    return facts


def _array(trace_ids: Iterable[bytes]) -> str:
    """Ids as PostgreSQL reads an array of them: written so it is faster than having them adapted element by element."""
    return "{" + ",".join([f'"\\\\x{trace_id.hex()}"' for trace_id in trace_ids]) + "}"


def _find_waiting(connection: psycopg.Connection, done: Settled, is_all: bool) -> int:
    """Outcomes told of responses and conversations whose traces are known by now; their traces become due.

    Of many that were sought in vain before, a batch is sought again wherever tasks changed, and all of them where `is_all`.
    """
    began = connection.execute(_SQL["now"]).fetchall()[0][0]
    found, every = 0, done.changed > 0
    while True:
        with connection.transaction():
            connection.execute(_SQL["lock"])
            of = {"every": every, "began": began, "limit": _BATCH}
            rows = connection.execute(_SQL["find_waiting"], of).fetchall()
            by_tenant: dict[int, list[bytes]] = defaultdict(list)
            for tenant_id, trace_id in rows:
                if trace_id is not None:
                    by_tenant[tenant_id].append(trace_id)
            for tenant_id, trace_ids in by_tenant.items():
                connection.execute(_SQL["due_now"], {"tenant_id": tenant_id, "trace_ids": trace_ids})
        found += sum(map(len, by_tenant.values()))
        if len(rows) < _BATCH:
            return found
        every = every and is_all
