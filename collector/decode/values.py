"""OTLP attribute values as plain Python values that PostgreSQL can store.

What a database would refuse is replaced, not passed on: NaN and the infinities become the text "NaN", "Infinity",
"-Infinity" (as JSON has no such numbers), NUL characters become U+FFFD (PostgreSQL text has no NUL). Bytes become
base64 text.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.content import NO_CONTENT, split_content
from collector.record import Attributes, AttributeValue

DEPTH_MAX = 32
VALUES_MAX = 65_536

# Attributes met before, by their encoding; senders choose them, so their number and size are bounded. Flat values only: they
# cannot be changed by whoever they are handed to.
_KNOWN: dict[bytes, tuple[str, AttributeValue]] = {}
_KNOWN_MAX = 20_000
_KNOWN_LENGTH_MAX = 160


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


def read_attributes(pairs: Iterable[KeyValue], budget: Budget) -> tuple[Attributes, Attributes]:
    """The attributes without content, and the content. A repeated key keeps its last value, as the specification leaves it open.

    This is the hottest loop of the collector (20 rounds a span): text and non-zero integers, which most values are, are
    read without asking the message which kind it holds, and content is looked for in all keys at once.
    """
    attributes: Attributes = {
        pair.key: (value := pair.value).string_value or value.int_value or _not_text(value, budget, 1) for pair in pairs
    }
    budget.spend(len(attributes))
    if NO_CONTENT.issuperset(attributes):
        return attributes, {}
    return split_content(attributes)


def read_encoded(pairs: Iterable[bytes], budget: Budget) -> tuple[Attributes, Attributes]:
    """The same of attributes that are still encoded; see shallow.py. NUL characters are replaced already.

    Raises: Refused also for an attribute that is not valid protobuf.
    """
    known = _KNOWN.get
    attributes: Attributes = dict([known(pair) or _decoded(pair, budget) for pair in pairs])
    budget.spend(len(attributes))
    if NO_CONTENT.issuperset(attributes):
        return attributes, {}
    return split_content(attributes)


def _decoded(encoded: bytes, budget: Budget) -> tuple[str, AttributeValue]:
    try:
        pair = KeyValue.FromString(encoded)
    except DecodeError:
        raise Refused("unparsable_record", "one of its attributes is not valid protobuf") from None
    wire = pair.value
    value = wire.string_value or wire.int_value or _not_text(wire, budget, 1)
    if isinstance(value, (list, dict)):
        return clean_text(pair.key), clean_value(value)
    if isinstance(value, str):
        value = clean_text(value)
    decoded = (clean_text(pair.key), value)
    if len(encoded) <= _KNOWN_LENGTH_MAX:
        if len(_KNOWN) >= _KNOWN_MAX:
            _KNOWN.clear()
        _KNOWN[encoded] = decoded
    return decoded


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
