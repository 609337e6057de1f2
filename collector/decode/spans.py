"""Spans of an OTLP trace export as records."""

from __future__ import annotations

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as WireResource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.content import ContentPolicy, kept_attributes
from collector.decode.canonical import canonical, digest, has_nul, merged
from collector.decode.values import Budget, Refused, clean_map, clean_text, read_attributes
from collector.record import Attributes, Event, Link, Record, Resource, Scope

# A record outside 1970..2200 would also overflow partitions and timestamptz arithmetic; clocks that are merely skewed pass.
TIME_MAX_NS = 7_258_118_400 * 10**9
SKEWED = "pigou.ended_before_started_ns"

_NO_TRACE = bytes(16)
_NO_SPAN = bytes(8)


def read_resource(wire: WireResource) -> Resource:
    """The resource; one that breaks a limit loses its attributes rather than its records."""
    try:
        attributes, content = read_attributes(wire.attributes, Budget())
    except Refused as refused:
        return Resource({"pigou.resource_refused": refused.detail}, None)
    attributes = clean_map({**attributes, **content})
    service = attributes.get("service.name")
    return Resource(attributes, service if isinstance(service, str) and service else None)


def read_scope(wire: InstrumentationScope) -> Scope:
    """The instrumentation scope."""
    return Scope(clean_text(wire.name), clean_text(wire.version))


def read_span(span: Span, resource: Resource, scope: Scope, policy: ContentPolicy) -> Record:
    """One span. Raises: Refused when its ids, times or sizes cannot be accepted."""
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
    attributes, content = read_attributes(span.attributes, budget)
    events = [_event(event, budget) for event in span.events] if span.events else []
    links = [_link(link, budget) for link in span.links] if span.links else []
    name, message = span.name, span.status.message
    kind, status = span.kind, span.status.code
    spelling = canonical(
        [
            "span", trace_id.hex(), span_id.hex(), parent.hex(), name, kind, started, ended, status, message,
            merged(attributes, content),
            [[event.name, event.at_ns, merged(event.attributes, dropped)] for event, dropped in events],
            [[link.trace_id.hex(), link.span_id.hex(), link.attributes] for link in links],
        ]
    )  # fmt: skip
    if has_nul(spelling):
        name, message = clean_text(name), clean_text(message)
        attributes, content = clean_map(attributes), clean_map(content)
        events = [(Event(clean_text(e.name), e.at_ns, clean_map(e.attributes)), clean_map(c)) for e, c in events]
        links = [Link(link.trace_id, link.span_id, clean_map(link.attributes)) for link in links]
    stored = kept_attributes(attributes, content, policy) if content or policy.redact else attributes
    if ended < started:
        # A span still open, or a clock set back: the duration is unknown, and a negative one would be refused downstream.
        if ended:
            stored = {**stored, SKEWED: started - ended}
        ended = started
    return Record(
        "span", trace_id, span_id, parent if parent and parent != _NO_SPAN else None, name,
        kind if 0 <= kind <= 5 else 0, started, ended, status if 0 <= status <= 2 else 0, message or None,
        stored, [_stored_event(event, dropped, policy) for event, dropped in events] if events else [], links,
        resource, scope, digest(spelling), content,
    )  # fmt: skip


def check_ids(trace_id: bytes, span_id: bytes) -> None:
    """Raises: Refused for ids of a wrong length or of zeros only."""
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        raise Refused("bad_trace_id", f"trace id {trace_id[:32].hex() or 'missing'} is not 16 bytes, not all zero")
    if len(span_id) != 8 or span_id == _NO_SPAN:
        raise Refused("bad_span_id", f"span id {span_id[:32].hex() or 'missing'} is not 8 bytes, not all zero")


def check_time(at_ns: int, what: str) -> None:
    """Raises: Refused for a missing time or one after the year 2200."""
    if at_ns <= 0:
        raise Refused("missing_time", f"{what} is missing")
    if at_ns > TIME_MAX_NS:
        raise Refused("bad_time", f"{what} {at_ns} ns is after the year 2200")


def _event(event: Span.Event, budget: Budget) -> tuple[Event, Attributes]:
    budget.spend(1)
    attributes, content = read_attributes(event.attributes, budget)
    return Event(event.name, min(event.time_unix_nano, TIME_MAX_NS), attributes), content


def _stored_event(event: Event, content: Attributes, policy: ContentPolicy) -> Event:
    return Event(event.name, event.at_ns, kept_attributes(event.attributes, content, policy))


def _link(link: Span.Link, budget: Budget) -> Link:
    budget.spend(1)
    attributes, content = read_attributes(link.attributes, budget)
    return Link(link.trace_id, link.span_id, {**attributes, **content})
