"""What is known already about arrivals: everything recorded of their traces, and of the traces that share a call with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import psycopg

from ledger.arrivals import Arrivals, Key, NewCall, NewRecord
from ledger.copy_text import at
from ledger.queries import queries
from ledger.resolve import Evidence, Member

_SQL = queries("ledger", "post")
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


class _Search:
    """The search for everything related to one tenant's arrivals; it asks in rounds until a round finds nothing new."""

    def __init__(self, arrivals: Arrivals, tenant_id: int) -> None:
        self.known: dict[Key, Known] = {}
        self._tenant_id = tenant_id
        self._since = at(min(r.started_us for r in arrivals.records) - _NEARBY_US)
        self._until = at(max(r.started_us for r in arrivals.records) + _NEARBY_US)
        self._traces = {record.trace_id for record in arrivals.records}
        self._keys = {key for call in arrivals.calls.values() for key in call.keys}
        self._asked_traces: set[bytes] = set()
        self._asked_keys: set[str] = set()
        self._pending: list[psycopg.Cursor[tuple[Any, ...]]] = []

    def ask(self, connection: psycopg.Connection) -> bool:
        """Send this round's questions; False when there are none left."""
        self._pending = []
        if self._keys:
            parameters = {"tenant_id": self._tenant_id, "keys": list(self._keys)}
            self._pending.append(connection.execute(_SQL["traces_of_keys"], parameters))
        if self._traces:
            parameters = {
                "tenant_id": self._tenant_id,
                "trace_ids": list(self._traces),
                "since": self._since,
                "until": self._until,
            }
            self._pending.append(connection.execute(_SQL["traces_known"], parameters))
        return bool(self._pending)

    def take_answers(self) -> None:
        """Take in the round's answers and make the next round's questions of them."""
        asked_keys, asked_traces = self._keys, self._traces
        answers = [cursor.fetchall() for cursor in self._pending]
        named = {row[0] for row in answers.pop(0)} if asked_keys else set[bytes]()
        found = {(row[0], row[1]): _known(row) for row in answers.pop(0)} if asked_traces else {}
        self.known |= found
        self._asked_keys |= asked_keys
        self._asked_traces |= asked_traces
        self._keys = {key for there in found.values() if there.member.call for key in there.member.call.keys} - self._asked_keys
        self._traces = named - self._asked_traces


def related(connection: psycopg.Connection, arrivals_of: Mapping[int, Arrivals]) -> dict[int, dict[Key, Known]]:
    """What is known of the arrivals of several tenants, by tenant id; each statement names one tenant.

    Everything recorded of the traces that arrived, and of the traces that share a call with them, and so on.
    """
    searches = {tenant_id: _Search(arrivals, tenant_id) for tenant_id, arrivals in arrivals_of.items() if arrivals.records}
    open_searches = list(searches.values())
    while open_searches:
        with connection.pipeline():
            open_searches = [search for search in open_searches if search.ask(connection)]
        for search in open_searches:
            search.take_answers()
    return {tenant_id: searches[tenant_id].known if tenant_id in searches else {} for tenant_id in arrivals_of}


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
