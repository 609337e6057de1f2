"""What the collector hands to the books: records, calls and control totals of one tenant, ready to be posted."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

import msgspec

Key: TypeAlias = tuple[bytes, bytes]
"""(trace_id, span_id)."""

RECORD_COLUMNS = (
    "trace_id, span_id, started_at, ended_at, parent_span_id, signal, role, name, kind, status_code, status_message, service,"
    " scope_name, scope_version, resource_id, agent, task_class, layer, use, attributes, events, links, content_hash"
)


class NewRecord(msgspec.Struct):
    """A span or log record as it will stand in `record`; fields in the order of RECORD_COLUMNS. Times are Unix microseconds."""

    trace_id: bytes
    span_id: bytes
    started_us: int
    ended_us: int
    parent_span_id: bytes | None
    signal: str
    role: str
    name: str
    kind: int
    status_code: int
    status_message: str | None
    service: str | None
    scope_name: str | None
    scope_version: str | None
    resource_id: str
    agent: str | None
    task_class: str | None
    layer: str | None
    use: str | None
    attributes_json: str
    events_json: str | None
    links_json: str | None
    content_hash: bytes
    line: str = ""
    """The same as a line for COPY, when whoever made the record had the time to write it; see ledger/copy_text.py."""


class NewCall(msgspec.Struct):
    """A model call as one record reports it.

    `leaves` maps commodity to quantity, disjoint; empty means that the usage is unreadable, and `problem` says why.
    """

    dialect: str
    confidence: str
    operation: str
    provider: str | None
    model: str | None
    rate_provider: str | None
    rate_model: str | None
    service_tier: str
    layer: str | None
    layer_source: str
    use: str | None
    use_source: str
    conversation_id: str | None
    user_id: str | None
    leaves: dict[str, int]
    total_input_tokens: int | None
    claimed_cost_usd: Decimal | None
    response_id: str | None
    keys: tuple[str, ...]
    strength: int
    problem: str | None


class NewControl(msgspec.Struct):
    """What a parent span says its leaves used: whole input (caches inside) and whole output (reasoning inside)."""

    dialect: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None


class NewPoint(msgspec.Struct):
    """A metric data point, stored plainly: it never posts cost."""

    name: str
    at_us: int
    series_id: str
    unit: str | None
    kind: str
    value: float | None
    detail_json: str | None
    attributes_json: str
    resource_id: str


class Rejection(msgspec.Struct, frozen=True):
    """A record that could not be booked, as a value."""

    signal: str
    stage: str
    code: str
    detail: str


class Arrivals(msgspec.Struct):
    """All that arrived for one tenant in one transaction."""

    tenant: str
    signal: str = "span"
    records: list[NewRecord] = []
    calls: dict[Key, NewCall] = {}
    controls: dict[Key, NewControl] = {}
    points: list[NewPoint] = []
    resources: dict[str, str] = {}
    """Attributes as JSON by resource id."""
    rejections: list[Rejection] = []
    requests: int = 0
    size_bytes: int = 0


class Posted(msgspec.Struct):
    """What became of the arrivals of one tenant, in records."""

    tenant: str
    records: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    calls: dict[str, int] = {}
    """Calls written, by status."""
