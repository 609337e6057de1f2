"""What is known already about arrivals: everything recorded of their traces, and of the traces that share a call with them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
import psycopg

from ledger.arrivals import Arrivals, Key, NewCall, NewRecord
from ledger.queries import queries
from ledger.resolve import Evidence, Member

_SQL = queries("ledger", "post")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEARBY_US = 8 * 24 * 3600 * 1_000_000
"""How far apart in time records of one trace are looked for: bounds the partitions a look-up touches."""


class Known(msgspec.Struct):
    """A record that is in the database already, and the status of its call if it is one."""

    member: Member
    content_hash: bytes
    status: str | None
    agent: str | None
    task_class: str | None
    copy_of: Key | None
    reason: str | None


def related(connection: psycopg.Connection, arrivals: Arrivals, tenant_id: int) -> dict[Key, Known]:
    """Everything recorded of the traces that arrived, and of the traces that share a call with them, and so on."""
    known: dict[Key, Known] = {}
    if not arrivals.records:
        return known
    since = at(min(r.started_us for r in arrivals.records) - _NEARBY_US)
    until = at(max(r.started_us for r in arrivals.records) + _NEARBY_US)
    asked: set[bytes] = set()
    asked_keys: set[str] = set()
    traces = {record.trace_id for record in arrivals.records}
    keys = {key for call in arrivals.calls.values() for key in call.keys}
    while traces or keys:
        if keys:
            rows = connection.execute(_SQL["traces_of_keys"], {"tenant_id": tenant_id, "keys": list(keys)})
            traces |= {row[0] for row in rows}
            asked_keys |= keys
        traces -= asked
        if not traces:
            break
        found = _known_of(connection, tenant_id, traces, since, until)
        asked |= traces
        known |= found
        keys = {key for there in found.values() if there.member.call for key in there.member.call.keys} - asked_keys
        traces = set[bytes]()
    return known


def _known_of(
    connection: psycopg.Connection, tenant_id: int, traces: Iterable[bytes], since: str, until: str
) -> dict[Key, Known]:
    rows = connection.execute(
        _SQL["traces_known"],
        {"tenant_id": tenant_id, "trace_ids": list(traces), "since": since, "until": until},
    ).fetchall()
    return {(row[0], row[1]): _known(row) for row in rows}


def _known(row: tuple[Any, ...]) -> Known:
    (trace_id, span_id, parent, started_us, role, agent, task_class, content_hash) = row[:8]
    (status, keys, strength, leaves, response_id, call_agent, call_task_class, copy_trace, copy_span, reason) = row[8:18]
    ended_us, emitter = row[18:]
    evidence = None
    if status is not None:
        evidence = _evidence(tuple(keys), leaves, strength, response_id, emitter)
    member = Member(trace_id, span_id, parent, started_us, role, agent, task_class, evidence, ended_us)
    copy_of = (copy_trace, copy_span) if copy_span is not None else None
    return Known(member, content_hash, status, call_agent, call_task_class, copy_of, reason)


def member_of(record: NewRecord, call: NewCall | None) -> Member:
    """A record that is about to be written, as the resolution sees it."""
    evidence = None
    if call is not None:
        evidence = _evidence(call.keys, call.leaves, call.strength, call.response_id, record.scope_name)
    return Member(
        record.trace_id,
        record.span_id,
        record.parent_span_id,
        record.started_us,
        record.role,
        record.agent,
        record.task_class,
        evidence,
        record.ended_us,
    )


def _evidence(
    keys: tuple[str, ...], leaves: dict[str, int], strength: int, response_id: str | None, emitter: str | None
) -> Evidence:
    usage = tuple(sorted(leaves.items()))
    return Evidence(keys, bool(leaves), len(leaves), strength, sum(leaves.values()), response_id, emitter, usage)


def at(us: int) -> str:
    """Unix microseconds as PostgreSQL reads a timestamp."""
    second, fraction = divmod(us, 1_000_000)
    return f"{_second(second)}.{fraction:06d}+00"


@lru_cache(maxsize=8192)
def _second(second: int) -> str:
    """A whole second; records of one export share most of theirs."""
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S")
