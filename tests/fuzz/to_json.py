"""A message of OTLP as OTLP/JSON, written from the specification and apart from the collector's own reading of it."""

from __future__ import annotations

import base64
import math
from typing import Any

import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_IDS = {"trace_id", "span_id", "parent_span_id"}
_LONG = {
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_FIXED64,
    FieldDescriptor.TYPE_SFIXED64,
    FieldDescriptor.TYPE_SINT64,
}


def to_json(message: Message) -> bytes:
    """The body."""
    return orjson.dumps(document(message))


def document(message: Message) -> dict[str, Any]:
    """Names in camel case, ids in hex, enums as numbers, long integers as text, numbers that are none by name."""
    fields: dict[str, Any] = {}
    for field, value in message.ListFields():
        fields[field.json_name] = [_value(field, item) for item in value] if field.is_repeated else _value(field, value)
    return fields


def _value(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return document(value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return value.hex() if field.name in _IDS else base64.b64encode(value).decode()
    if field.type in _LONG:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
