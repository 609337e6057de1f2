"""What can be kept of a protobuf body that the parser refuses as a whole.

Text that is not UTF-8, or nesting beyond the parser's limit, in one attribute of one record fails the whole export.
The three OTLP requests have the same shape (field 1: groups; of a group, field 1: resource, field 2: scoped lists; of
those, field 1: scope, field 2: records), so the body is cut along it and each record parsed alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from collector.decode.values import RECORDS_MAX
from collector.errors import Undecodable
from collector.record import Problem

_Request = TypeVar("_Request", bound=Message)
_FIELDS_MAX = RECORDS_MAX
_RECORDS_AT = 2  # lists are two levels below the request, and records in them
_LARGE_RECORD_BYTES = 16 * 1024


def parse(body: bytes, request: type[_Request], problems: list[Problem]) -> _Request:
    """The request with every record that can be read alone; the others are added to `problems`.

    Raises: Undecodable when the body does not have the shape of an export, or nothing in it can be read.
    """
    whole: Any = request()
    refused: list[Problem] = []
    groups = whole.DESCRIPTOR.fields[0]
    scoped = groups.message_type.fields_by_number[2]
    records = scoped.message_type.fields_by_number[2]
    record_class = GetMessageClass(records.message_type)
    kept = 0
    for group_bytes in _members(body, 1):
        group = getattr(whole, groups.name).add()
        _merge(group.resource, _members(group_bytes, 1), "resource")
        for list_bytes in _members(group_bytes, 2):
            listed = getattr(group, scoped.name).add()
            _merge(listed.scope, _members(list_bytes, 1), "scope")
            for record_bytes in _members(list_bytes, 2):
                try:
                    getattr(listed, records.name).append(record_class.FromString(record_bytes))
                    kept += 1
                except DecodeError:
                    refused.append(Problem("decode", "unparsable_record", f"{records.message_type.name} is not valid protobuf"))
    if not kept:
        raise Undecodable("the body is not an OTLP export in protobuf")
    problems.extend(refused)
    return whole


def holds_more_than(body: bytes, request: type[Message], limit: int) -> bool:
    """Whether a body has more groups, lists, records and parts of large records (data points, events, links) than that.

    Asked before the body is parsed, at a microsecond a record. A body that does not have the shape of an export is left to the
    parser, if it is not too much already.
    """
    left = limit
    waiting: list[tuple[bytes, Any, int]] = [(body, request.DESCRIPTOR, 0)]
    while waiting:
        data, descriptor, depth = waiting.pop()
        nested = {field.number: field for field in descriptor.fields if field.message_type is not None}
        try:
            for number, part in _parts(data):
                field = nested.get(number)
                if field is None:
                    continue
                left -= field.is_repeated
                if left < 0:
                    return True
                if depth < _RECORDS_AT or len(part) > _LARGE_RECORD_BYTES:
                    waiting.append((part, field.message_type, depth + 1))
        except Undecodable:
            continue
    return False


def _merge(message: Message, parts: Iterator[bytes], what: str) -> None:
    for part in parts:
        try:
            message.MergeFromString(part)
        except DecodeError:
            raise Undecodable(f"the {what} of the export is not valid protobuf") from None


def _members(data: bytes, number: int) -> Iterator[bytes]:
    """The length-delimited fields of this number. Raises: Undecodable when the bytes are not protobuf fields."""
    return (part for at, part in _parts(data) if at == number)


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields with their numbers. Raises: Undecodable when the bytes are not protobuf fields."""
    at, end = 0, len(data)
    for _ in range(_FIELDS_MAX):
        if at == end:
            return
        tag, at = _varint(data, at)
        wire_type = tag & 7
        if wire_type == 2:
            size, at = _varint(data, at)
            if at + size > end:
                break
            yield tag >> 3, data[at : at + size]
            at += size
        elif wire_type == 0:
            _, at = _varint(data, at)
        elif wire_type in (1, 5):
            at += 8 if wire_type == 1 else 4
            if at > end:
                break
        else:
            break
    raise Undecodable("the body is not an OTLP export in protobuf")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise Undecodable("the body is not an OTLP export in protobuf")
