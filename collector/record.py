"""What travels through the collector: a record as received, and what a dialect reads from it.

A *record* is one span or one log record. A *reading* is what its dialect understood: the role it plays in its trace and, for a
model call, the disjoint quantities it used. Readings are values: a record that cannot be read carries a `Problem` instead
of raising.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

AttributeValue: TypeAlias = "str | bool | int | float | bytes | list[AttributeValue] | dict[str, AttributeValue] | None"
Attributes: TypeAlias = dict[str, AttributeValue]

Signal: TypeAlias = Literal["span", "log"]
Role: TypeAlias = Literal["call", "control", "tool", "agent", "plain"]
Confidence: TypeAlias = Literal["explicit", "inferred", "low"]
Source: TypeAlias = Literal["explicit", "inferred", "none"]


class Resource(msgspec.Struct, frozen=True):
    """Who emitted: the OTLP resource, shared by all its records."""

    attributes: Attributes
    service: str | None


class Scope(msgspec.Struct, frozen=True):
    """Which library emitted: the instrumentation scope."""

    name: str
    version: str


class Event(msgspec.Struct, frozen=True):
    """A span event. `at_ns` is Unix time in nanoseconds."""

    name: str
    at_ns: int
    attributes: Attributes


class Link(msgspec.Struct, frozen=True):
    """A link to another span."""

    trace_id: bytes
    span_id: bytes
    attributes: Attributes


class Text(msgspec.Struct):
    """Content of a record that is kept beside it: of its attributes, its events (place, name, content) and its body."""

    attributes: Attributes
    events: list[tuple[int, str, Attributes]]
    body: AttributeValue


class Record(msgspec.Struct):
    """One span or log record with its ids checked (16 and 8 bytes, not all zero) and its attributes as plain values.

    Log records without a trace get ids derived from their content, so that a repeated export has the same key; a log record
    inside a span has that span as its parent. Times are Unix nanoseconds.

    `content` holds the attributes with prompt, completion and tool text. It is there for reading (some emitters put the usage
    into the response they attach) and is never stored: `text` is, where the operator keeps content.
    """

    signal: Signal
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes | None
    name: str
    kind: int
    started_ns: int
    ended_ns: int
    status_code: int
    status_message: str | None
    attributes: Attributes
    events: list[Event]
    links: list[Link]
    resource: Resource
    scope: Scope
    content_hash: bytes
    content: Attributes = {}
    body: AttributeValue = None
    text: Text | None = None


class Point(msgspec.Struct, frozen=True):
    """One metric data point. `value` is set for gauges and sums, `detail` (count, sum, buckets, quantiles) for the others."""

    name: str
    unit: str | None
    kind: Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"]
    at_ns: int
    value: float | None
    detail: dict[str, AttributeValue] | None
    attributes: Attributes
    resource: Resource
    scope: Scope


class Problem(msgspec.Struct, frozen=True):
    """Why something could not be read or booked; a value that is stored, counted and told to the sender."""

    stage: Literal["decode", "read", "post"]
    code: str
    detail: str


class Call(msgspec.Struct):
    """One model call as one record reports it.

    `leaves` maps commodity (see ledger/commodities.py) to a non-negative whole quantity; the commodities are disjoint, so the
    cost is the sum over them. A kind that the record does not report is absent (unknown), never 0. When `problem` is set the
    call goes to suspense and `leaves` is empty.
    """

    operation: str
    provider: str | None
    model: str | None
    leaves: dict[str, int]
    total_input_tokens: int | None
    confidence: Confidence
    service_tier: str = "standard"
    problem: Problem | None = None
    claimed_cost_usd: Decimal | None = None
    response_id: str | None = None
    keys: tuple[str, ...] = ()
    strength: int = 0


class ControlTotal(msgspec.Struct, frozen=True):
    """What a parent says its leaves used: whole input (caches inside), whole output (reasoning inside), cost if it claims one."""

    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None = None


class Reading(msgspec.Struct):
    """What was understood of a record.

    `call` is set for role `call`, `control` for role `control`, `warning` for a word of ours that is none.
    """

    role: Role
    dialect: str
    agent: str | None = None
    task_class: str | None = None
    conversation_id: str | None = None
    user_id: str | None = None
    tool: str | None = None
    action_class: str | None = None
    layer: str | None = None
    layer_source: Source = "none"
    use: str | None = None
    use_source: Source = "none"
    call: Call | None = None
    control: ControlTotal | None = None
    warning: Problem | None = None
