"""Records and OTLP bodies for tests, written down as attributes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.content import split_content
from collector.dialects import read
from collector.infer import Rules
from collector.record import Attributes, Call, Reading, Record, Resource, Scope, Signal

TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
SPAN = bytes.fromhex("b7ad6b7169203331")
START_NS = 1_760_000_000_000_000_000
RULES = Rules.default()


def record(attributes: Mapping[str, Any], **given: Any) -> Record:
    """A record with these attributes; content is set apart as decoding does."""
    kept, content = split_content(dict(attributes))
    signal: Signal = given.get("signal", "span")
    return Record(
        signal,
        TRACE,
        SPAN,
        given.get("parent", bytes(7) + b"\1"),
        given.get("name", "chat"),
        3,
        START_NS,
        START_NS + 10**9,
        given.get("status", 0),
        None,
        kept,
        [],
        [],
        Resource(given.get("resource", {}), None),
        Scope(given.get("scope", ""), given.get("version", "")),
        b"",
        content,
    )


def reading(attributes: Mapping[str, Any], **given: Any) -> Reading:
    """What the record is read as."""
    return read(record(attributes, **given), given.get("rules", RULES))


def call(attributes: Mapping[str, Any], **given: Any) -> Call:
    """The call the record is read as."""
    found = reading(attributes, **given)
    assert found.role == "call", found
    assert found.call is not None
    return found.call


def put(value: AnyValue, plain: Any) -> None:
    """Sets an AnyValue."""
    if isinstance(plain, bool):
        value.bool_value = plain
    elif isinstance(plain, int):
        value.int_value = plain
    elif isinstance(plain, float):
        value.double_value = plain
    elif isinstance(plain, str):
        value.string_value = plain
    elif isinstance(plain, bytes):
        value.bytes_value = plain
    elif isinstance(plain, list):
        value.array_value.SetInParent()
        for item in plain:
            put(value.array_value.values.add(), item)
    elif isinstance(plain, dict):
        value.kvlist_value.SetInParent()
        for key, item in plain.items():
            pair = value.kvlist_value.values.add(key=key)
            put(pair.value, item)


def span(attributes: Mapping[str, Any] | None = None, **fields: Any) -> Span:
    """A wire span with these attributes."""
    given: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "name": "chat",
        "start_time_unix_nano": START_NS,
        "end_time_unix_nano": START_NS + 10**9,
    }
    wire = Span(**{**given, **fields})
    for key, plain in (attributes or {}).items():
        put(wire.attributes.add(key=key).value, plain)
    return wire


def export(*spans: Span, resource: Attributes | None = None, scope: str = "tests") -> bytes:
    """A protobuf body with these spans."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for key, plain in (resource or {}).items():
        put(group.resource.attributes.add(key=key).value, plain)
    listed = group.scope_spans.add()
    listed.scope.name = scope
    listed.spans.extend(spans)
    return request.SerializeToString()


def json_value(plain: Any) -> dict[str, Any]:
    """A value in OTLP/JSON."""
    if isinstance(plain, bool):
        return {"boolValue": plain}
    if isinstance(plain, int):
        return {"intValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    if isinstance(plain, bytes):
        return {"bytesValue": base64.b64encode(plain).decode()}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [json_value(item) for item in plain]}}
    if isinstance(plain, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": json_value(item)} for key, item in plain.items()]}}
    return {"stringValue": plain}


def json_span(attributes: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A span in OTLP/JSON with these attributes."""
    return {
        "traceId": TRACE.hex(),
        "spanId": SPAN.hex(),
        "name": "chat",
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": str(START_NS + 10**9),
        "attributes": [{"key": key, "value": json_value(plain)} for key, plain in (attributes or {}).items()],
        **fields,
    }


def json_export(*spans: dict[str, Any]) -> bytes:
    """A JSON body with these spans."""
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "tests"}, "spans": list(spans)}]}]})
