"""Changes to bodies that keep them bodies: a fuzzer that only flips bytes never gets past the parser.

`Raw` changes bytes blindly (libFuzzer's own mutator); it has its share here too.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from random import Random
from typing import Any, cast

import zstandard
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue

from tests.fuzz.harnesses import REQUESTS, Signal
from tests.fuzz.words import CARRIERS, NAMES, NUMBERS, OBJECTS, PROVIDER_PATHS, RECORD_NAMES, SCOPES, TEXTS, VALUES, WORDS, nested
from tests.unit.collector.traffic import put

Raw = Callable[[bytes, int], bytes]
Mutator = Callable[[bytes, int, Random, Raw], bytes]

_RAW_SHARE = 0.15
_ID_LENGTHS = (0, 1, 7, 8, 8, 8, 9, 15, 16, 16, 16, 17, 64)


def odd_value(luck: Random) -> Any:
    """A value as somebody might send it: a count, a word, or what is neither."""
    kind = luck.random()
    if kind < 0.3:
        return luck.randrange(2000)
    if kind < 0.5:
        return luck.choice(VALUES)
    if kind < 0.7:
        return luck.choice(WORDS)
    if kind < 0.8:
        return luck.choice(OBJECTS)
    return attached(luck)


def attached(luck: Random) -> Any:
    """A provider's answer with some of its counts changed: as JSON, in Python's spelling, or as a map."""
    paths = {luck.choice(PROVIDER_PATHS): luck.choice((5, 50, 100, luck.choice(VALUES))) for _ in range(luck.randrange(1, 7))}
    usage: Any = nested(paths)
    kind = luck.randrange(6)
    if kind == 0:
        usage = {"id": luck.choice(TEXTS), "model": luck.choice(WORDS), "service_tier": luck.choice(WORDS), "usage": usage}
    elif kind == 1:
        usage = {"openai": {"usage": usage, "responseId": luck.choice(VALUES), "cachedPromptTokens": luck.choice(VALUES)}}
    elif kind == 2:
        metadata = {"id": luck.choice(VALUES), "token_usage": usage}
        usage = {"generations": [[{"message": {"kwargs": {"response_metadata": metadata}}}]]}
    spelling = luck.randrange(4)
    if spelling == 0:
        return repr(usage)
    if spelling == 1:
        return usage
    return json.dumps(usage, default=repr)


def message(signal: Signal) -> Mutator:
    """Changes to a parsed request: keys, values, ids and times, or whole parts repeated and left out."""

    def mutate(data: bytes, size_max: int, luck: Random, raw: Raw) -> bytes:
        if luck.random() < _RAW_SHARE:
            return raw(data, size_max)
        try:
            request = REQUESTS[signal].FromString(data)
        except DecodeError:
            return raw(data, size_max)
        for _ in range(luck.choice((1, 1, 2, 3, 6))):
            _change(_somewhere(request, luck), luck)
        changed = request.SerializeToString()
        return changed if len(changed) <= size_max else raw(data, size_max)

    return mutate


def _somewhere(inside: Message, luck: Random) -> Any:
    while True:
        below = [(field, value) for field, value in inside.ListFields() if field.message_type is not None]
        if not below or luck.random() < 0.15:
            return inside
        field, value = luck.choice(below)
        inside = luck.choice(value) if field.is_repeated else value


def _change(part: Any, luck: Random) -> None:
    if isinstance(part, AnyValue):
        _put(part, odd_value(luck))
    elif isinstance(part, KeyValue):
        _change_pair(part, luck)
    elif isinstance(part, InstrumentationScope):
        part.name = luck.choice(SCOPES)
    else:
        _change_field(part, luck.choice(part.DESCRIPTOR.fields), luck)


def _change_pair(pair: KeyValue, luck: Random) -> None:
    kind = luck.random()
    if kind < 0.3:
        pair.key = luck.choice(CARRIERS)
        _put(pair.value, luck.choice(OBJECTS) if kind < 0.15 else attached(luck))
        return
    if kind < 0.7:
        pair.key = luck.choice(NAMES)
    _put(pair.value, odd_value(luck))


def _put(value: AnyValue, odd: Any) -> None:
    value.Clear()
    try:
        put(value, odd)
    except ValueError:  # an integer beyond 64 bits, or half a character: protobuf has none
        value.string_value = ascii(odd)


def _change_field(part: Any, field: Any, luck: Random) -> None:
    if field.is_repeated:
        _change_list(getattr(part, field.name), field, luck)
    elif field.message_type is not None:
        getattr(part, field.name).SetInParent()
    else:
        try:
            setattr(part, field.name, _scalar(field, luck))
        except ValueError:  # out of this field's range
            part.ClearField(field.name)


def _change_list(items: Any, field: Any, luck: Random) -> None:
    if items and luck.random() < 0.3:
        del items[luck.randrange(len(items))]
    elif field.message_type is None:
        items.append(_scalar(field, luck) if field.type == FieldDescriptor.TYPE_STRING else luck.choice((0, 1, 3)))
    elif items and luck.random() < 0.5:
        items.add().CopyFrom(luck.choice(items))
    else:
        added = items.add()
        if isinstance(added, KeyValue):
            added.key = luck.choice(TEXTS)
            _change_pair(added, luck)


def _scalar(field: Any, luck: Random) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return luck.choice((*TEXTS, *RECORD_NAMES, *WORDS))
    if field.type == FieldDescriptor.TYPE_BYTES:
        length = luck.choice(_ID_LENGTHS)
        return bytes(length) if luck.random() < 0.2 else luck.randbytes(length)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return luck.choice(NUMBERS)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return luck.random() < 0.5
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return luck.choice((-1, 0, 1, 2, 3, 5, 17, 99))
    return luck.choice((0, 1, -1, 1_760_000_000_000_000_000, 7_258_118_400 * 10**9, 2**63 - 1, 2**64 - 1, 2**31 - 1))


def document(data: bytes, size_max: int, luck: Random, raw: Raw) -> bytes:
    """Changes to a JSON document: values of other types, members renamed, repeated and left out."""
    if luck.random() < _RAW_SHARE:
        return raw(data, size_max)
    try:
        root = json.loads(data)
    except (ValueError, RecursionError):
        return raw(data, size_max)
    for _ in range(luck.choice((1, 1, 2, 3, 6))):
        _change_place(root, luck)
    changed = json.dumps(root, default=repr, ensure_ascii=luck.random() < 0.5).encode("utf-8", "replace")
    return changed if len(changed) <= size_max else raw(data, size_max)


def _change_place(place: Any, luck: Random) -> None:
    while isinstance(place, dict | list) and place:
        place = cast("Any", place)
        key: Any = luck.choice(list(place)) if isinstance(place, dict) else luck.randrange(len(place))
        if isinstance(place[key], dict | list) and luck.random() < 0.9:
            place = place[key]
            continue
        kind = luck.random()
        if kind < 0.1:
            del place[key]
        elif kind < 0.2 and isinstance(place, list):
            place.append(place[key])
        elif kind < 0.3 and isinstance(place, dict):
            place[luck.choice(("arrayValue", "kvlistValue", "intValue", "boolValue", "doubleValue", "bytesValue"))] = place[key]
        elif key == "key":
            place[key] = luck.choice(NAMES)
        else:
            place[key] = luck.choice((odd_value(luck), "\ud800", 10**400, "1" * 30, "\udfff\0", str(luck.randrange(2000))))
        return


def packed(data: bytes, size_max: int, luck: Random, raw: Raw) -> bytes:
    """Changes before and after packing, parts put behind each other, and ends cut off."""
    kind = luck.random()
    if kind < 0.4 or not data:
        return raw(data, size_max)
    how = luck.randrange(1, 4)
    body = _unpacked(data)
    if kind < 0.8:
        body = raw(body[:4096] or b"\0", 8192)
    part = (gzip.compress, zlib.compress, zstandard.compress)[how - 1](body)
    if kind > 0.9:
        part = part * luck.randrange(1, 70)
    if kind > 0.95:
        part = part[: luck.randrange(len(part))]
    return (bytes([how]) + part)[:size_max]


def _unpacked(data: bytes) -> bytes:
    try:
        if data[0] % 4 == 3:
            return zstandard.ZstdDecompressor().stream_reader(data[1:]).read(1 << 16)
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data[1:], 1 << 16)
    except (zlib.error, zstandard.ZstdError):
        return data[1:]


MUTATORS: dict[str, Mutator] = {
    "traces": message("span"),
    "logs": message("log"),
    "metrics": message("metric"),
    "json": document,
    "compressed": packed,
}
