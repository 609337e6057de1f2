"""Outcomes: how well tasks went, as somebody or something said. What was told is never changed; the same word twice is one row.

An outcome may be told of a trace, or of a response or a conversation whose trace is not known yet: then it waits for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
import psycopg

from ledger.post import open_tenants
from ledger.queries import queries

Source: TypeAlias = Literal["attribute", "evaluation", "score", "feedback", "test", "incident"]
Subject: TypeAlias = Literal["trace", "response", "conversation"]

Told: TypeAlias = Literal["taken", "late", "waiting", "known", "conflict"]
"""taken: of its trace; late: so too, but the records of its task are past retention, so that it is not settled again; waiting:
until the trace of its response or conversation is known; known: told before; conflict: its key was used for something else
before, and that stands."""

AHEAD_MAX = timedelta(hours=1)
"""How far a sender may be ahead: of several outcomes the latest counts, so that one of a later day would go on counting."""
LATE = "the records of its task are past retention: it is kept, and the task stays as it was settled"
LOSS_MAX_USD = Decimal(10) ** 15
_SQL = queries("ledger", "outcomes")
_COLUMNS = ("outcome_id", "source", "subject", "subject_id", "name", "quality", "loss_usd", "occurred_at", "detail")


def share(number: object) -> Decimal:
    """A quality as the books of outcomes hold it: to twelve places."""
    return round(Decimal(str(number)), 12)


class Outcome(msgspec.Struct, frozen=True):
    """One word about how a task went: `quality` in [0, 1], or a realised `loss_usd`, or both.

    `subject_id` is what it is of: 32 hexadecimal digits of a trace, or the id of a response or a conversation. `key` names the
    word within its source: the same key is the same word. `span_id` is a step of the trace, None the whole of it.
    """

    source: Source
    key: str
    subject: Subject
    subject_id: str
    span_id: bytes | None
    name: str
    quality: Decimal | None
    loss_usd: Decimal | None
    occurred_at: datetime
    detail: dict[str, Any] = {}
    is_dated: bool = True
    """Whether its sender said when it occurred; else `occurred_at` is when it came."""

    @property
    def outcome_id(self) -> UUID:
        """Of source and key; within a tenant the same on every machine and in every order of arrival."""
        return UUID(bytes=hashlib.blake2b(f"{self.source}\0{self.key}".encode(), digest_size=16).digest())


class _Stored(NamedTuple):
    """What is stored under the key of an outcome."""

    quality: Decimal | None
    loss_usd: Decimal | None
    name: str
    subject_id: str | None
    span_id: bytes | None
    occurred_at: datetime
    note: str | None
    is_waiting: bool


class Kept(msgspec.Struct, frozen=True):
    """What became of some outcomes: traces of which something new was told, how many wait, and how many had been told before."""

    traces: list[bytes]
    waiting: int
    known: int


def keep_outcomes(connection: psycopg.Connection, tenant_id: int, outcomes: Sequence[Outcome]) -> Kept:
    """Write down what was told, in the caller's transaction; what was told before is left as it is."""
    direct = [_row(outcome) for outcome in outcomes if outcome.subject == "trace"]
    waiting = [_row(outcome) for outcome in outcomes if outcome.subject != "trace"]
    traces: list[bytes] = []
    held = 0
    if direct:
        rows = {"tenant_id": tenant_id, "rows": msgspec.json.encode(direct).decode()}
        traces = [row[0] for row in connection.execute(_SQL["keep_outcomes"], rows)]
    if waiting:
        rows = {"tenant_id": tenant_id, "rows": msgspec.json.encode(waiting).decode()}
        held = connection.execute(_SQL["keep_waiting"], rows).rowcount
    return Kept(traces, held, len(outcomes) - len(traces) - held)


def tell(connection: psycopg.Connection, tenant: str, outcomes: Sequence[Outcome]) -> list[Told]:
    """Write down what somebody says, in a transaction of its own; what became of each, in order.

    A trace, response or conversation need not be known yet, and neither need the tenant.
    """
    with connection.transaction():
        connection.execute(_SQL["show_writing"])
        tenant_id = open_tenants(connection, [tenant])[tenant]
        new = {row[0] for row in connection.execute(_SQL["unknown_ids"], _ids(tenant_id, outcomes))}
        keep_outcomes(connection, tenant_id, outcomes)
        stored = {row[0]: _Stored(*row[1:]) for row in connection.execute(_SQL["stored"], _ids(tenant_id, outcomes))}
        traces = [bytes.fromhex(outcome.subject_id) for outcome in outcomes if outcome.subject == "trace"]
        gone = {row[0] for row in connection.execute(_SQL["past_retention"], {"tenant_id": tenant_id, "trace_ids": traces})}
    told: list[Told] = []
    for outcome in outcomes:
        if _contradicts(outcome, stored[outcome.outcome_id]):
            told.append("conflict")
        elif outcome.outcome_id in new:
            told.append("waiting" if stored[outcome.outcome_id].is_waiting else "late" if outcome.subject_id in gone else "taken")
            new.discard(outcome.outcome_id)
        else:
            told.append("known")
    return told


def _contradicts(outcome: Outcome, stored: _Stored) -> bool:
    """Whether it says something else than what is stored under its key."""
    told = (outcome.quality, outcome.loss_usd, outcome.name, outcome.detail.get("note"))
    return (
        (stored.quality, stored.loss_usd, stored.name, stored.note) != told
        or (outcome.is_dated and stored.occurred_at != outcome.occurred_at)
        or (outcome.subject == "trace" and stored.span_id != outcome.span_id)
        or (stored.subject_id is not None and stored.subject_id != outcome.subject_id)
    )


def _ids(tenant_id: int, outcomes: Iterable[Outcome]) -> dict[str, Any]:
    return {"tenant_id": tenant_id, "outcome_ids": [outcome.outcome_id for outcome in outcomes]}


def _row(outcome: Outcome) -> dict[str, Any]:
    """As PostgreSQL reads it from JSON."""
    row = {name: getattr(outcome, name) for name in _COLUMNS}
    row["trace_id"] = f"\\x{outcome.subject_id}" if outcome.subject == "trace" else None
    row["span_id"] = None if outcome.span_id is None else f"\\x{outcome.span_id.hex()}"
    return row
