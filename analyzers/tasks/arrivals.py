"""What came since the last look: traces in which something happened become due, and what records say of outcomes is kept.

Nothing is asked of those who post. Rows are found by when they were recorded, through BRIN indexes; since that is when their
transaction began, the next look begins where the earliest transaction began that was still writing during this one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import orjson
import psycopg

from analyzers.tasks.outcomes import KEYS, NAMES, Evidence, Refused, read_outcomes
from analyzers.tasks.prices import GRACE_S
from ledger.outcomes import Outcome, keep_outcomes
from ledger.queries import queries

_SQL = queries("analyzers", "tasks")
_SEEN = "settled_seen"
_OVERLAP = timedelta(seconds=3)
"""Between a transaction's beginning and its asking for the tenant's lock, by which it is seen to be under way."""
_SLICE, _SLICE_MAX = timedelta(minutes=5), timedelta(days=2)
_TRACES_FEW, _TRACES_MANY = 5_000, 50_000
_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


class Came(msgspec.Struct):
    """What a look found."""

    traces: int = 0
    outcomes: int = 0
    refused: int = 0


def look(connection: psycopg.Connection) -> Came:
    """Take in all that came since the last look, in slices of time, each a transaction of its own that moves the mark."""
    came = Came()
    width = _SLICE
    while True:
        with connection.transaction():
            connection.execute(_SQL["lock"])
            row = connection.execute(_SQL["horizon"], {"grace_s": GRACE_S}).fetchone()
            if row is None or row[1] is None:
                return came
            seen, first, here, grace_s = row
            since = (seen or first) - _OVERLAP
            until = since + width
            is_last = until >= here
            found = _take(connection, since, _FOREVER if is_last else until, grace_s, came)
            connection.execute(_SQL["mark"], {"setting": _SEEN, "value": here if is_last else until + _OVERLAP})
        if is_last:
            return came
        if found < _TRACES_FEW:
            width = min(2 * width, _SLICE_MAX)
        elif found > _TRACES_MANY:
            width = max(width / 2, 2 * _OVERLAP)


def _take(connection: psycopg.Connection, since: datetime, until: datetime, grace_s: float, came: Came) -> int:
    between = {"since": since, "until": until}
    found = connection.execute(_SQL["touch"], {**between, "grace_s": grace_s}).rowcount
    came.traces += found
    told: dict[int, list[bytes]] = defaultdict(list)
    for tenant_id, trace_id in connection.execute(_SQL["told_since"], between):
        told[tenant_id].append(trace_id)
    for tenant_id, outcomes in _read(connection, between, came).items():
        kept = keep_outcomes(connection, tenant_id, outcomes)
        came.outcomes += len(kept.traces) + kept.waiting
        told[tenant_id] += kept.traces
    for tenant_id, trace_ids in told.items():
        connection.execute(_SQL["due_now"], {"tenant_id": tenant_id, "trace_ids": trace_ids})
    return found


def _read(connection: psycopg.Connection, between: dict[str, Any], came: Came) -> dict[int, list[Outcome]]:
    """The outcomes that records tell, by tenant; what cannot be taken is refused."""
    outcomes: dict[int, list[Outcome]] = defaultdict(list)
    refused: dict[str, list[Any]] = {
        name: [] for name in ("tenant_ids", "rejection_ids", "recorded_ats", "signals", "codes", "details")
    }
    rows = connection.execute(_SQL["telling"], {**between, "keys": list(KEYS), "names": list(NAMES)})
    for row in rows:
        tenant_id, trace_id, span_id, parent, signal, name, role, use, ended_at, recorded_at = row[:10]
        attributes, events, links = (orjson.loads(text) if text else None for text in row[10:])
        record = Evidence(
            trace_id, span_id, parent, signal, name, role, use, ended_at, attributes or {}, events or [], links or []
        )
        for word in read_outcomes(record):
            if isinstance(word, Refused):
                refusal = (tenant_id, _refusal_id(record, word), recorded_at, signal, word.code, word.detail)
                for column, value in zip(refused.values(), refusal, strict=True):
                    column.append(value)
            else:
                outcomes[tenant_id].append(word)
    if refused["codes"]:
        came.refused += connection.execute(_SQL["refuse"], refused).rowcount
    return outcomes


def _refusal_id(record: Evidence, refused: Refused) -> UUID:
    said = b"\0".join((record.trace_id, record.span_id, refused.code.encode(), refused.detail.encode()))
    return UUID(bytes=hashlib.blake2b(said, digest_size=16).digest())
