"""OTLP attribute values as plain Python values that PostgreSQL can store.

What a database would refuse is replaced, not passed on: NaN and the infinities become the text "NaN", "Infinity",
"-Infinity" (as JSON has no such numbers), NUL characters become U+FFFD (PostgreSQL text has no NUL). Bytes become
base64 text.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.content import NO_CONTENT, holds_content, split_content
from collector.decode.canonical import pairs_spelling
from collector.record import Attributes, AttributeValue
from collector.shapes import ByShape, Shape

DEPTH_MAX = 32
VALUES_MAX = 65_536
RECORDS_MAX = 250_000
"""Of one request, with the groups they stand in. An empty record takes two bytes, and two hundred times that to be refused."""

# Attributes met before, by their encoding; senders choose them, so their number and size are bounded. Flat values only: they
# cannot be changed by whoever they are handed to.
_KNOWN: dict[bytes, tuple[str, AttributeValue]] = {}
_LISTS: dict[bytes, tuple[str, tuple[AttributeValue, ...]]] = {}
"""Flat lists, which are handed out as copies."""
_KEYS: dict[bytes, str] = {}
"""Keys by their encoding with its length, which determines it: no other bytes begin like it."""
_KNOWN_MAX = 20_000
_KNOWN_LENGTH_MAX = 160


_ONE_BYTE_MAX = 127
# The first byte of a field: its number and how it is encoded.
_TEXT, _VALUE, _NUMBER = 0x0A, 0x12, 0x18


class Refused(Exception):
    """A record (not the body) breaks a limit. Becomes a `Problem` of the record."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Budget:
    """How many values one record may still hold, nested ones included."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = VALUES_MAX

    def spend(self, count: int) -> None:
        """Raises: Refused when the record holds more than `VALUES_MAX` values."""
        self.left -= count
        if self.left < 0:
            raise Refused("too_many_values", f"more than {VALUES_MAX} attribute values")


def read_attributes(pairs: Sequence[KeyValue], budget: Budget) -> tuple[Attributes, Attributes]:
    """The attributes without content, and the content. A repeated key keeps its last value, as the specification leaves it open.

    This is the hottest loop of the collector (20 rounds a span): text and non-zero integers, which most values are, are
    read without asking the message which kind it holds, and content is looked for in all keys at once.
    """
    budget.spend(len(pairs))
    attributes: Attributes = {
        pair.key: (value := pair.value).string_value or value.int_value or _not_text(value, budget, 1) for pair in pairs
    }
    if NO_CONTENT.issuperset(attributes):
        return attributes, {}
    return split_content(attributes)


def read_encoded(pairs: Iterable[bytes], budget: Budget) -> tuple[Attributes, Attributes]:
    """The same of attributes that are still encoded; see shallow.py. NUL characters are replaced already.

    Raises: Refused also for an attribute that is not valid protobuf.
    """
    attributes, content, _ = read_and_spell(list(pairs), budget)
    return attributes, content


def read_and_spell(pairs: list[bytes], budget: Budget) -> tuple[Attributes, Attributes, bytes]:
    """The same, and the attributes' spelling (see canonical.py)."""
    known = _KNOWN.get
    attributes: Attributes = dict([known(pair) or _decoded(pair, budget) for pair in pairs])
    budget.spend(len(attributes))
    in_order, has_content = _LAYOUTS.of(attributes)
    # With one value for each key, their order follows from the keys.
    spelling = b"".join(in_order(pairs)) if in_order is not None and len(attributes) == len(pairs) else pairs_spelling(pairs)
    if has_content:
        return *split_content(attributes), spelling
    return attributes, {}, spelling


class _Layout(NamedTuple):
    """What follows from the keys of attributes: how to sort their encodings, if they need it, and whether there is content."""

    in_order: Callable[[list[bytes]], Iterable[bytes]] | None
    has_content: bool


def _layout(shape: Shape) -> _Layout:
    has_content = any(map(holds_content, shape))
    if len(shape) < 2 or any("\ufffd" in key for key in shape):  # what may stand for a NUL is not the key as it was sent
        return _Layout(None, has_content)
    order = sorted(range(len(shape)), key=lambda place: _encoded_key(shape[place]))
    return _Layout(itemgetter(*order), has_content)


def _encoded_key(key: str) -> bytes:
    """What the encoding of an attribute begins with: its key, or its value where the key is empty and left out."""
    if not key:
        return bytes((_VALUE,))
    text = key.encode()
    length, size = b"", len(text)
    while size > _ONE_BYTE_MAX:
        length, size = length + bytes((size & _ONE_BYTE_MAX | 0x80,)), size >> 7
    return bytes((_TEXT,)) + length + bytes((size,)) + text


_LAYOUTS = ByShape(_layout)


def _decoded(encoded: bytes, budget: Budget) -> tuple[str, AttributeValue]:
    short = _short_pair(encoded)
    if short is not None:
        return _remembered(encoded, short)
    listed = _LISTS.get(encoded)
    if listed is not None:
        budget.spend(len(listed[1]))
        return listed[0], [*listed[1]]
    try:
        pair = KeyValue.FromString(encoded)
    except DecodeError:
        raise Refused("unparsable_record", "one of its attributes is not valid protobuf") from None
    wire = pair.value
    value = wire.string_value or wire.int_value or _not_text(wire, budget, 1)
    if isinstance(value, (list, dict)):
        return _remembered_list(encoded, clean_text(pair.key), clean_value(value))
    if isinstance(value, str):
        value = clean_text(value)
    key = clean_text(pair.key)
    if len(encoded) > _KNOWN_LENGTH_MAX:
        return key, value
    if len(encoded) <= _ONE_BYTE_MAX and encoded.startswith(head := bytes((_TEXT, len(pair.key))) + pair.key.encode()):
        if len(_KEYS) >= _KNOWN_MAX:
            _KEYS.clear()
        _KEYS[head] = key
    return _remembered(encoded, (key, value))


def _remembered(encoded: bytes, decoded: tuple[str, AttributeValue]) -> tuple[str, AttributeValue]:
    if len(_KNOWN) >= _KNOWN_MAX:
        _KNOWN.clear()
    _KNOWN[encoded] = decoded
    return decoded


def _remembered_list(encoded: bytes, key: str, value: AttributeValue) -> tuple[str, AttributeValue]:
    if (
        isinstance(value, list)
        and len(encoded) <= _KNOWN_LENGTH_MAX
        and not any(isinstance(item, (list, dict)) for item in value)
    ):
        if len(_LISTS) >= _KNOWN_MAX:
            _LISTS.clear()
        _LISTS[encoded] = key, tuple(value)
    return key, value


def _short_pair(encoded: bytes) -> tuple[str, AttributeValue] | None:
    """A short text or a small number under a key met before, without a message made of it; None for whatever else it is.

    Such are most attributes that are new in each span: ids and counts. All lengths take one byte, so that their encoding is
    0A, length, key, 12, length, and then 0A, length, text or 18, number. Source: protobuf.dev, "Encoding".
    """
    size = len(encoded)
    if not 6 <= size <= _ONE_BYTE_MAX or encoded[0] != _TEXT:
        return None
    key_end = 2 + encoded[1]
    at = key_end + 4
    if at > size or encoded[key_end] != _VALUE or encoded[key_end + 1] != size - key_end - 2:
        return None
    key = _KEYS.get(encoded[:key_end])
    if key is None:
        return None
    kind, first = encoded[key_end + 2], encoded[key_end + 3]
    if kind == _TEXT and first == size - at:
        try:
            return key, clean_text(encoded[at:].decode())
        except UnicodeDecodeError:
            return None
    if kind == _NUMBER:
        if size == at and first <= _ONE_BYTE_MAX:
            return key, first
        if size == at + 1 and first > _ONE_BYTE_MAX >= encoded[at]:
            return key, (first & _ONE_BYTE_MAX) | encoded[at] << 7
    return None


def read_value(value: AnyValue, budget: Budget) -> AttributeValue:
    """One value, such as a log record's body."""
    return value.string_value or value.int_value or _not_text(value, budget, 1)


def _not_text(value: AnyValue, budget: Budget, depth: int) -> AttributeValue:
    kind = value.WhichOneof("value")
    if kind == "int_value":
        return value.int_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "double_value":
        return finite_number(value.double_value)
    if kind == "string_value":
        return ""
    if kind is None:
        return None
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode("ascii")
    if depth > DEPTH_MAX:
        raise Refused("too_deep", f"attribute nested deeper than {DEPTH_MAX}")
    if kind == "array_value":
        items = value.array_value.values
        budget.spend(len(items))
        return [item.string_value or _not_text(item, budget, depth + 1) for item in items]
    if kind == "kvlist_value":
        pairs = value.kvlist_value.values
        budget.spend(len(pairs))
        return {pair.key: pair.value.string_value or _not_text(pair.value, budget, depth + 1) for pair in pairs}
    return None  # a kind added by a later version of the protocol


def finite_number(number: float) -> float | str:
    """The number, or its name in proto3 JSON when it is not finite."""
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def clean_text(text: str) -> str:
    """The text with NUL replaced by U+FFFD."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def clean_value(value: AttributeValue) -> AttributeValue:
    """The value with NUL replaced in every string and key."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean_value(item) for item in value]
    if isinstance(value, dict):
        return clean_map(value)
    return value


def clean_map(attributes: Attributes) -> Attributes:
    """The attributes with NUL replaced in every string and key."""
    return {clean_text(key): clean_value(value) for key, value in attributes.items()}
