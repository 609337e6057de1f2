"""OTLP/JSON as the same protobuf messages that the binary encoding gives, so that one reader serves both.

The mapping is proto3's JSON with OTLP's exceptions (specification 1.9): lowerCamelCase names, trace and span ids in
hex, enums as numbers, 64-bit integers as text or numbers, other bytes in base64, unknown names passed over (and told).
"""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import math
import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeGuard, TypeVar, cast

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.decode.values import DEPTH_MAX, RECORDS_MAX, VALUES_MAX, Refused
from collector.errors import TooDeep, TooLarge, Undecodable
from collector.record import Problem

_Request = TypeVar("_Request", bound=Message)
_Convert = Callable[[Any, int], Any]

# A nested map is three messages a level (value, list, pair), and a record's attributes sit five below the body. One more, and
# protobuf would not put the body together around the record.
_NESTING_MAX = 3 * DEPTH_MAX + 5
_RECORDS_AT = 3
"""How deep in a request its records stand."""
_PAIR = "opentelemetry.proto.common.v1.KeyValue"
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_DECIMAL = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?")
_NOT_FINITE = frozenset({"nan", "inf", "-inf", "infinity", "-infinity"})
_HEX_FIELDS = {"trace_id": 32, "span_id": 16, "parent_span_id": 16}
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_RECEIVED_AT = {"resourceSpans": "/v1/traces", "resourceLogs": "/v1/logs", "resourceMetrics": "/v1/metrics"}
# Senders choose the keys: so many are told of, and so much of each.
_WARNINGS_MAX = 20
_SHOWN_MAX = 60
_RECORDS = {"opentelemetry.proto.trace.v1.Span", "opentelemetry.proto.logs.v1.LogRecord", "opentelemetry.proto.metrics.v1.Metric"}


def parse(body: bytes, request: type[_Request], problems: list[Problem], warnings: list[Problem]) -> _Request:
    """The request message of a JSON body; a record that does not fit the mapping is left out and added to `problems`, a key
    that OTLP does not know is passed over and added to `warnings`.

    Raises: Undecodable when the body is not JSON or not an export, TooDeep when it is nested beyond reading, TooLarge when
    it holds too many records.
    """
    document = _document(body)
    if not _is_map(document):
        raise Undecodable("the body is JSON, but not an object with resourceSpans, resourceLogs or resourceMetrics")
    try:
        return _Builder(problems, warnings).message(request.DESCRIPTOR, document, 0)
    except Refused as refused:
        raise Undecodable(f"the body is JSON, but not an OTLP export: {refused.detail}") from None


def _document(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as strict:
        # The standard parser also takes lone surrogates, NaN and integers of any size, which senders do produce.
        try:
            return json.loads(body)
        except RecursionError:
            raise TooDeep("the body is nested deeper than any export is") from None
        except ValueError:
            raise Undecodable(f"the body is not JSON: {strict}") from None


class _Builder:
    """Builds messages by their descriptors; records that do not fit are counted, not raised."""

    def __init__(self, problems: list[Problem], warnings: list[Problem]) -> None:
        self._problems = problems
        self._warnings = warnings
        self._passed_over: set[tuple[str, str]] = set()
        self._left = RECORDS_MAX

    def message(self, descriptor: Any, document: Any, depth: int) -> Any:
        """A message of this type. Raises: Refused for a value that does not fit its field."""
        if not _is_map(document):
            raise Refused("bad_field", f"{descriptor.name} is not an object")
        if depth > _NESTING_MAX:
            raise Refused("too_deep", f"attribute nested deeper than {DEPTH_MAX}")
        fields = _fields(descriptor)
        values: dict[str, Any] = {}
        for key, value in document.items():
            field = fields.get(key)
            if field is None:
                self._pass_over(descriptor, key)
                continue
            if value is None:
                continue
            name, nested, repeated, convert = field
            try:
                if nested is None:
                    values[name] = [convert(item) for item in _list(value)] if repeated else convert(value)
                elif not repeated:
                    values[name] = self.message(nested, value, depth + 1)
                else:
                    values[name] = self._messages(nested, _list(value), depth + 1)
            except (ValueError, TypeError, OverflowError) as fault:
                raise Refused("bad_field", f"{key}: {fault}") from None
        try:
            return GetMessageClass(descriptor)(**values)
        except DecodeError:  # what is inside is nested deeper than protobuf itself goes
            raise Refused("too_deep", f"attribute nested deeper than {DEPTH_MAX}") from None
        except (ValueError, TypeError) as fault:
            raise Refused("bad_field", f"{descriptor.name}: {fault}") from None

    def _pass_over(self, descriptor: Any, key: str) -> None:
        """Warn of a key that a later version of OTLP may know, and that is mistyped more often."""
        met = (descriptor.full_name, key)
        if met in self._passed_over or len(self._passed_over) >= _WARNINGS_MAX:
            return
        self._passed_over.add(met)
        self._warnings.append(Problem("decode", "unknown_key", _no_such_key(descriptor, key)))

    def _messages(self, descriptor: Descriptor, items: list[Any], depth: int) -> list[Any]:
        """The messages of a list. Raises: TooLarge when the request holds too many groups and records."""
        if descriptor.full_name == _PAIR:
            if len(items) > VALUES_MAX:
                raise Refused("too_many_values", f"more than {VALUES_MAX} attribute values")
            return [_text_pair(item) or self.message(descriptor, item, depth) for item in items]
        if depth <= _RECORDS_AT:
            self._left -= len(items)
            if self._left < 0:
                raise TooLarge(f"the export holds more than {RECORDS_MAX} records: send smaller batches")
        if descriptor.full_name in _RECORDS:
            return self._records(descriptor, items, depth)
        return [self.message(descriptor, item, depth) for item in items]

    def _records(self, descriptor: Descriptor, items: list[Any], depth: int) -> list[Any]:
        built: list[Any] = []
        for item in items:
            try:
                built.append(self.message(descriptor, item, depth))
            except Refused as refused:
                self._problems.append(Problem("decode", refused.code, refused.detail))
        return built


def _no_such_key(descriptor: Any, key: str) -> str:
    """That a message has no such key, and which was probably meant."""
    shown = key[:_SHOWN_MAX].encode("utf-8", "replace").decode()
    what = "the export" if descriptor.name.startswith("Export") else descriptor.name
    if what == "the export" and key in _RECEIVED_AT:
        return f"{shown} is received at {_RECEIVED_AT[key]}, and was passed over here"
    known = list(_fields(descriptor))
    near = difflib.get_close_matches(shown, known, n=1)
    mend = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"{what} has no key {shown}, which was passed over; {mend}"


def _text_pair(item: Any) -> KeyValue | None:
    """An attribute with text, which most are, built directly; None for any other, which the descriptors explain."""
    if not _is_map(item) or len(item) != 2:
        return None
    key, value = item.get("key"), item.get("value")
    if not isinstance(key, str) or not _is_map(value) or len(value) != 1:
        return None
    text = value.get("stringValue")
    if not isinstance(text, str):
        return None
    try:
        return KeyValue(key=key, value=AnyValue(string_value=text))
    except ValueError:  # a lone surrogate
        return None


@cache
def _fields(descriptor: Descriptor) -> dict[str, tuple[str, Descriptor | None, bool, Callable[[Any], Any]]]:
    """By JSON name: the field's name, its message type if it has one, whether it repeats, and how its values are converted."""
    return {
        field.json_name: (field.name, field.message_type, field.is_repeated, _converter(field)) for field in descriptor.fields
    }


def _converter(field: FieldDescriptor) -> Callable[[Any], Any]:
    if field.type == FieldDescriptor.TYPE_BYTES:
        digits = _HEX_FIELDS.get(field.name)
        return _base64 if digits is None else partial(_hex, digits)
    if field.type == FieldDescriptor.TYPE_ENUM:
        enum: Any = field.enum_type
        numbers = {value.name: value.number for value in enum.values}
        return lambda value: numbers[value] if isinstance(value, str) and value in numbers else _integer(value)
    return {
        FieldDescriptor.CPPTYPE_STRING: _text,
        FieldDescriptor.CPPTYPE_BOOL: _boolean,
        FieldDescriptor.CPPTYPE_DOUBLE: _double,
        FieldDescriptor.CPPTYPE_FLOAT: _double,
    }.get(field.cpp_type, _integer)


def _is_map(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return cast("list[Any]", value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError("not true or false")


def _integer(value: object) -> int:
    if isinstance(value, bool):
        raise TypeError("not an integer")
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):  # int() takes more: 1_000, other scripts' digits
        return int(value)
    raise TypeError("not an integer")


def _double(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError("not a number")
    if isinstance(value, str) and value.lower() not in _NOT_FINITE and not _DECIMAL.fullmatch(value):
        raise ValueError("not a number")
    number = float(value)
    if isinstance(value, str) and math.isinf(number) and value.lower() not in _NOT_FINITE:
        raise ValueError("number out of range")
    return number


def _hex(digits: int, value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError("not text")
    if not _HEX.fullmatch(value):  # bytes.fromhex() takes spaces, too
        raise ValueError(f"not hexadecimal; OTLP/JSON writes ids as {digits} hexadecimal digits")
    return bytes.fromhex(value)


def _base64(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError("not text")
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except binascii.Error as fault:
        raise ValueError(str(fault)) from None
