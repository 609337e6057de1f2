"""What the collector hands to the books: records, calls and control totals of one tenant, ready to be posted.

A record is described in full once, as a NewRecord, by the process that reads it. What travels on is its ReadyRecord: the lines
for COPY, written already, and beside them only what the books still need to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

Key: TypeAlias = tuple[bytes, bytes]
"""(trace_id, span_id)."""


class NewText(msgspec.Struct):
    """Text of a record as it will stand in `kept_text`: the content of its attributes, events and body."""

    attributes_json: bytes | None
    events_json: bytes | None
    body_json: bytes | None


class NewRecord(msgspec.Struct):
    """A span or log record as it will stand in `record`. Times are Unix microseconds."""

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
    attributes_json: bytes
    events_json: bytes | None
    links_json: bytes | None
    content_hash: bytes
    text: NewText | None = None


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


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What becomes of a call: the booked copy, or a duplicate of `copy_of`; and what it inherits from its ancestors."""

    copy_of: Key | None = None
    reason: str | None = None
    agent: str | None = None
    task_class: str | None = None


class ReadyCall(msgspec.Struct, array_like=True, gc=False):
    """What choosing among copies, accounts and prices needs of a call, and `row`: the rest of how it is stored.

    `alone` is what becomes of the call if nothing else is known of its trace and of its copies than its own export.
    """

    dialect: str
    provider: str | None
    model: str | None
    rate_provider: str | None
    rate_model: str | None
    service_tier: str
    layer: str | None
    use: str | None
    leaves: dict[str, int]
    total_input_tokens: int | None
    response_id: str | None
    keys: tuple[str, ...]
    strength: int
    problem: str | None
    row: bytes
    alone: Verdict = Verdict()


class ReadyRecord(msgspec.Struct, array_like=True, gc=False):
    """What resolution needs of a record, `row`: how it is stored (ledger/copy_binary.py), and what was read from it.

    `text_row` is how the text that is kept of it is stored; None where none is.
    """

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes | None
    started_us: int
    ended_us: int
    role: str
    agent: str | None
    task_class: str | None
    scope_name: str | None
    content_hash: bytes
    row: bytes
    call: ReadyCall | None = None
    control_line: bytes | None = None
    text_row: bytes | None = None


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
    """All that arrived for one tenant in one export, or in several that are posted together.

    Of two records with one key the first stands, and with it what was read from it.
    """

    tenant: str
    signal: str = "span"
    records: Sequence[ReadyRecord] = []
    """A list, or packed (ledger/packed.py)."""
    points: list[NewPoint] = []
    resources: dict[str, str] = {}
    """Attributes as JSON by resource id."""
    rejections: list[Rejection] = []
    requests: int = 0
    size_bytes: int = 0
    is_judged: bool = False
    """Whether each call says what becomes of it alone (`ReadyCall.alone`), given all these records and no others."""
    draft: Any = None
    """What ledger/draft.py made of it."""
    conflicts: list[Key] = []
    """Records that were there with other content; known once it is posted."""


class Posted(msgspec.Struct):
    """What became of the arrivals of one tenant, in records."""

    tenant: str
    records: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    calls: dict[str, int] = {}
    """Calls written, by status."""
