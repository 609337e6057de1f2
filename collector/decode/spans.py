"""Spans of an OTLP trace export as records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as WireResource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.content import ContentPolicy, kept_text, stored_attributes, with_count
from collector.decode.canonical import canonical, digest, has_nul, pairs_spelling
from collector.decode.values import (
    VALUES_MAX,
    Budget,
    Refused,
    clean_map,
    clean_text,
    read_and_spell,
    read_attributes,
    read_encoded,
)
from collector.record import Attributes, Event, Link, Problem, Record, Resource, Scope

# A record outside 1970..2200 would also overflow partitions and timestamptz arithmetic; clocks that are merely skewed pass.
TIME_MAX_NS = 7_258_118_400 * 10**9
# No agent ran before; what is earlier has another unit, and would be booked where nobody looks.
TIME_MIN_NS = 946_684_800 * 10**9
_TOO_COARSE = (("seconds", 10**11), ("milliseconds", 10**14), ("microseconds", TIME_MIN_NS))
SKEWED = "pigou.ended_before_started_ns"

_NO_TRACE = bytes(16)
_NO_SPAN = bytes(8)


def read_resource(wire: WireResource, policy: ContentPolicy, warnings: list[Problem]) -> Resource:
    """The resource; one that breaks a limit loses its lists and maps rather than its records, or whose they are."""
    try:
        attributes, content = read_attributes(wire.attributes, Budget())
    except Refused as refused:
        flat = [pair for pair in wire.attributes if pair.value.WhichOneof("value") not in ("array_value", "kvlist_value")]
        attributes, content = read_attributes(flat[:VALUES_MAX], Budget())
        attributes["pigou.resource_refused"] = refused.detail
        warnings.append(Problem("decode", refused.code, f"lists and maps of a resource were passed over: {refused.detail}"))
    attributes = clean_map(stored_attributes(attributes, content, policy.dropping))
    service = attributes.get("service.name")
    return Resource(attributes, service if isinstance(service, str) and service else None)


def read_scope(wire: InstrumentationScope) -> Scope:
    """The instrumentation scope."""
    return Scope(clean_text(wire.name), clean_text(wire.version))


def read_span(span: Span, resource: Resource, scope: Scope, policy: ContentPolicy) -> Record:
    """One span, its attributes still encoded (see shallow.py). Raises: Refused when ids, times or sizes cannot be accepted."""
    trace_id, span_id = span.trace_id, span.span_id
    check_ids(trace_id, span_id)
    parent = span.parent_span_id
    if parent and len(parent) != 8:
        raise Refused("bad_parent_id", f"parent span id has {len(parent)} bytes, not 8")
    started, ended = span.start_time_unix_nano, span.end_time_unix_nano
    check_time(started, "start time")
    if ended > TIME_MAX_NS:
        raise Refused("bad_time", f"end time {ended} ns is after the year 2200")
    budget = Budget()
    pairs = list(encoded(span))
    attributes, content, pairs_spelled = read_and_spell(pairs, budget)
    wire_events, wire_links, wire_status = span.events, span.links, span.status
    events = [_event(event, budget) for event in wire_events] if wire_events else []
    links = [_link(link, budget, policy) for link in wire_links] if wire_links else []
    name, message = span.name, wire_status.message
    kind, status = span.kind, wire_status.code
    spelling = canonical(
        ["span", trace_id.hex(), span_id.hex(), parent.hex(), name, kind, started, ended, status, message, len(pairs)]
    )
    parts = [spelling, pairs_spelled]
    parts += map(_event_spelling, wire_events)
    parts += map(_link_spelling, wire_links)
    content_hash = digest(*parts)
    if has_nul(spelling):
        name, message = clean_text(name), clean_text(message)
    stored = stored_attributes(attributes, content, policy) if content or policy.redact else attributes
    text = kept_text(content, events, None, policy) if policy.keep else None
    if text is not None:
        stored = with_count(stored, text)
    if ended < started:
        # A span still open, or a clock set back: the duration is unknown, and a negative one would be refused downstream.
        if ended:
            stored = {**stored, SKEWED: started - ended}
        ended = started
    return Record(
        "span", trace_id, span_id, parent if parent and parent != _NO_SPAN else None, name,
        kind if 0 <= kind <= 5 else 0, started, ended, status if 0 <= status <= 2 else 0, message or None,
        stored, [_stored_event(event, said, policy) for event, said in events] if events else [], links,
        resource, scope, content_hash, content, None, text,
    )  # fmt: skip


def check_ids(trace_id: bytes, span_id: bytes) -> None:
    """Raises: Refused for ids of a wrong length or of zeros only."""
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        raise Refused("bad_trace_id", f"trace id {trace_id[:32].hex() or 'missing'} is not 16 bytes, not all zero")
    if len(span_id) != 8 or span_id == _NO_SPAN:
        raise Refused("bad_span_id", f"span id {span_id[:32].hex() or 'missing'} is not 8 bytes, not all zero")


def check_time(at_ns: int, what: str) -> None:
    """Raises: Refused for a missing time, or one before the year 2000 or after 2200."""
    if at_ns <= 0:
        raise Refused("missing_time", f"{what} is missing")
    if at_ns > TIME_MAX_NS:
        raise Refused("bad_time", f"{what} {at_ns} ns is after the year 2200")
    if at_ns < TIME_MIN_NS:
        unit = next(unit for unit, below in _TOO_COARSE if at_ns < below)
        raise Refused("bad_time", f"{what} {at_ns} ns is before the year 2000; is it in {unit}? OTLP's times are in nanoseconds")


def encoded(message: Span | Span.Event | Span.Link | LogRecord) -> Iterable[bytes]:
    """The attributes of a shallow message. Raises: Refused when they are more than a record may hold."""
    if len(message.attributes) > VALUES_MAX:
        raise Refused("too_many_values", f"more than {VALUES_MAX} attribute values")
    return cast("Iterable[bytes]", message.attributes)


def _event_spelling(event: Span.Event) -> bytes:
    return canonical([event.name, event.time_unix_nano, len(event.attributes)]) + pairs_spelling(encoded(event))


def _link_spelling(link: Span.Link) -> bytes:
    return canonical([link.trace_id.hex(), link.span_id.hex(), len(link.attributes)]) + pairs_spelling(encoded(link))


def _event(event: Span.Event, budget: Budget) -> tuple[Event, Attributes]:
    budget.spend(1)
    attributes, content = read_encoded(encoded(event), budget)
    return Event(clean_text(event.name), min(event.time_unix_nano, TIME_MAX_NS), attributes), content


def _stored_event(event: Event, content: Attributes, policy: ContentPolicy) -> Event:
    return Event(event.name, event.at_ns, stored_attributes(event.attributes, content, policy))


def _link(link: Span.Link, budget: Budget, policy: ContentPolicy) -> Link:
    budget.spend(1)
    attributes, content = read_encoded(encoded(link), budget)
    return Link(link.trace_id, link.span_id, stored_attributes(attributes, content, policy.dropping))
