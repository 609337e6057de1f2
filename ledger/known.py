"""What is known already about arrivals: everything recorded of their traces, and of the traces that share a call with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import psycopg

from ledger.arrivals import Arrivals, Key
from ledger.copy_text import at, text_array
from ledger.draft import EarlyDraft
from ledger.queries import queries
from ledger.resolve import Member, evidence_of

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


class Search:
    """The search for everything related to one tenant's arrivals; it asks in rounds until a round finds nothing new.

    Everything recorded of the traces that arrived, and of the traces that share a call with them, and so on.
    """

    def __init__(self, group: Sequence[Arrivals], tenant_id: int) -> None:
        self.known: dict[Key, Known] = {}
        self._tenant_id = tenant_id
        drafts = [arrivals.draft for arrivals in group if isinstance(arrivals.draft, EarlyDraft)]
        records = [record for arrivals in group if arrivals.draft is None for record in arrivals.records]
        started = [record.started_us for record in records]
        started += [at_us for draft in drafts for at_us in draft.started_us]
        if started:
            self._since, self._until = at(min(started) - _NEARBY_US), at(max(started) + _NEARBY_US)
        self._traces: set[bytes] = {record.trace_id for record in records}.union(*(draft.traces for draft in drafts))
        self._keys: set[str] = {key for record in records if record.call is not None for key in record.call.keys}
        self._keys.update(*(draft.keys for draft in drafts))
        self._asked_keys: set[str] = set()
        self._answer: psycopg.Cursor[tuple[Any, ...]] | None = None

    def ask(self, connection: psycopg.Connection) -> bool:
        """Send this round's question; False when there is none left."""
        if not self._traces and not self._keys:
            return False
        parameters = {
            "tenant_id": self._tenant_id,
            # Arrays as text: writing them so is faster than having them adapted element by element.
            "trace_ids": "{" + ",".join([f'"\\\\x{trace_id.hex()}"' for trace_id in self._traces]) + "}",
            "keys": text_array(self._keys),
            "since": self._since,
            "until": self._until,
            "never": None,
        }
        self._answer = connection.execute(_SQL["traces_known"], parameters, prepare=True)
        return True

    def take_answer(self) -> bool:
        """Take in the round's answer and make the next round's question of it; False when nothing new came up."""
        found = {} if self._answer is None else {(row[0], row[1]): _known(row) for row in self._answer.fetchall()}
        self._answer = None
        self.known |= found
        self._asked_keys |= self._keys
        self._traces = set[bytes]()
        self._keys = {key for there in found.values() if there.member.call for key in there.member.call.keys} - self._asked_keys
        return bool(self._keys)


def search_on(connection: psycopg.Connection, searches: Iterable[Search]) -> None:
    """Take in the answers of searches that have asked, and ask on until nothing new comes up."""
    going_on = [search for search in searches if search.take_answer()]
    while going_on:
        with connection.pipeline():
            for search in going_on:
                search.ask(connection)
        going_on = [search for search in going_on if search.take_answer()]


def _known(row: tuple[Any, ...]) -> Known:
    (trace_id, span_id, parent, started_us, role, agent, task_class, content_hash) = row[:8]
    (status, keys, strength, leaves, response_id, call_agent, call_task_class, copy_trace, copy_span, reason) = row[8:18]
    ended_us, emitter = row[18:]
    evidence = None
    if status is not None:
        evidence = evidence_of(tuple(keys), leaves, strength, response_id, emitter)
    member = Member(trace_id, span_id, parent, started_us, role, agent, task_class, evidence, ended_us)
    copy_of = (copy_trace, copy_span) if copy_span is not None else None
    return Known(member, content_hash, status, call_agent, call_task_class, copy_of, reason)
