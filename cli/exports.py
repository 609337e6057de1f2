"""OTLP exports in files: JSON (one export, or one a line), protobuf (one, or length-prefixed), each plain or gzipped."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, cast

import msgspec

from cli.errors import CommandError

if TYPE_CHECKING:
    from google.protobuf.message import Message

Signal: TypeAlias = Literal["traces", "logs", "metrics"]
SIGNALS: tuple[Signal, ...] = ("traces", "logs", "metrics")
JSON, PROTOBUF = "application/json", "application/x-protobuf"
EXPORT_BYTES_MAX = 512 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_RESOURCES_TAG = b"\x0a"  # field 1, length-delimited: how an export of any signal begins


@dataclass(frozen=True)
class Export:
    """One request body. `records` counts its spans, log records or metrics."""

    signal: Signal
    body: bytes
    content_type: str
    records: int
    end_offset: int  # how far into the (unpacked) file it reached, for the progress bar


class Unreadable(CommandError):
    """A file, or a place in it, that is no OTLP."""

    def __init__(self, path: Path, why: str) -> None:
        mend = "replay reads OTLP/JSON, JSON lines, OTLP/protobuf, length-prefixed protobuf, and these gzipped"
        super().__init__(f"{path}: {why}", mend, exit_code=2)


class _Scope(msgspec.Struct):
    spans: list[msgspec.Raw] = []
    log_records: list[msgspec.Raw] = msgspec.field(default=[], name="logRecords")
    metrics: list[msgspec.Raw] = []


class _Resource(msgspec.Struct):
    traces: list[_Scope] = msgspec.field(default=[], name="scopeSpans")
    logs: list[_Scope] = msgspec.field(default=[], name="scopeLogs")
    metrics: list[_Scope] = msgspec.field(default=[], name="scopeMetrics")


def read_exports(path: Path, signal: Signal | None = None) -> Generator[Export]:
    """The exports of a file, in order. `signal` overrides what protobuf bodies look like.

    Raises Unreadable at the first place that is no OTLP; what came before has been yielded.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            file = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw
            yield from _exports(path, file, signal)
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or str(error) or "cannot be read"
        raise Unreadable(path, why) from error


def _exports(path: Path, file: IO[bytes], signal: Signal | None) -> Iterator[Export]:
    head = file.read(4)
    if not head:
        raise Unreadable(path, "the file is empty")
    if len(head) == 4 and head[0] <= EXPORT_BYTES_MAX >> 24 and head[0] not in b"\t\n\r ":
        yield from _length_prefixed(path, file, head, signal)
        return
    if head.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] in (b"{", b"["):
        yield from _json(path, file, head)
        return
    body = head + file.read()
    if body.lstrip()[:1] in (b"{", b"[") and _is_json(body):
        yield from _json_document(path, body)
    elif head.startswith(_RESOURCES_TAG):
        yield _protobuf(path, body, signal, len(body))
    else:
        raise Unreadable(path, "this is no OTLP")


def _length_prefixed(path: Path, file: IO[bytes], head: bytes, signal: Signal | None) -> Iterator[Export]:
    """Frames of a 4-byte big-endian length and that many bytes of protobuf."""
    offset = 0
    while head:
        length = struct.unpack(">I", head)[0] if len(head) == 4 else -1
        body = file.read(length) if 0 <= length <= EXPORT_BYTES_MAX else b""
        if length < 0 or len(body) != length:
            raise Unreadable(path, f"the message at byte {offset} is cut off or no length-prefixed protobuf")
        offset += 4 + length
        if length:
            yield _protobuf(path, body, signal, offset)
        head = file.read(4)


def _json(path: Path, file: IO[bytes], head: bytes) -> Iterator[Export]:
    """JSON lines when the first line is a document of its own, else one document over many lines."""
    first = head.removeprefix(_BYTE_ORDER_MARK) + file.readline()
    if not _is_json(first):
        yield from _json_document(path, first + file.read())
        return
    offset, number = 0, 0
    line = first
    while line:
        offset += len(line)
        number += 1
        if line.strip():
            yield from _json_document(path, line, f"line {number}", offset)
        line = file.readline()


def _json_document(path: Path, body: bytes, place: str = "", offset: int | None = None) -> Iterator[Export]:
    """The exports of one document: an object, or a list of them; each signal in it is an export of its own."""
    where = f"{place}: " if place else ""
    several = body.lstrip().startswith(b"[")
    try:
        if several:
            exports = msgspec.json.decode(body, type=list[dict[str, msgspec.Raw]])
        else:
            exports = [msgspec.json.decode(body, type=dict[str, msgspec.Raw])]
    except msgspec.DecodeError as error:
        raise Unreadable(path, f"{where}not OTLP/JSON ({error})") from error
    known = 0
    for export in exports:
        for signal, key in _RESOURCE_KEYS.items():
            if key in export:
                known += 1
                yield _json_export(path, where, signal, key, export, offset or len(body))
    if not known:
        raise Unreadable(path, f"{where}no resourceSpans, resourceLogs or resourceMetrics in it")


def _json_export(path: Path, where: str, signal: Signal, key: str, export: dict[str, msgspec.Raw], offset: int) -> Export:
    """The body keeps the bytes as they stand in the file, strange values included: judging them is the collector's."""
    try:
        resources = msgspec.json.decode(export[key], type=list[_Resource])
    except msgspec.DecodeError as error:
        raise Unreadable(path, f"{where}{key} is not what OTLP/JSON says ({error})") from error
    scopes = [scope for resource in resources for scope in getattr(resource, signal)]
    field = "log_records" if signal == "logs" else "spans" if signal == "traces" else "metrics"
    records = sum(len(getattr(scope, field)) for scope in scopes)
    body = b'{"' + key.encode() + b'":' + bytes(export[key]) + b"}"
    return Export(signal, body, JSON, records, offset)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


_RESOURCE_KEYS: dict[Signal, str] = {
    "traces": "resourceSpans",
    "logs": "resourceLogs",
    "metrics": "resourceMetrics",
}


def _protobuf(path: Path, body: bytes, signal: Signal | None, offset: int) -> Export:
    candidates: tuple[Signal, ...] = (signal,) if signal else SIGNALS
    for candidate in candidates:
        records = _records(body, candidate)
        if records is not None:
            return Export(candidate, body, PROTOBUF, records, offset)
    if signal:  # named by the user: sent as it is, for the collector to judge
        return Export(signal, body, PROTOBUF, 0, offset)
    raise Unreadable(path, f"the message that ends at byte {offset} is no export of traces, logs or metrics")


def _records(body: bytes, signal: Signal) -> int | None:
    """How many records an export of that signal has, or None when the body is of another kind.

    The three exports look alike on the wire; they differ in the fields of a record, so a record read as the
    wrong kind has unknown fields or identifiers of the wrong length.
    """
    from google.protobuf.message import DecodeError
    from google.protobuf.unknown_fields import UnknownFieldSet

    try:
        export = _message_type(signal).FromString(body)
    except DecodeError:
        return None
    records = _records_of(export, signal)
    if any(len(UnknownFieldSet(record)) for record in records[:20]):
        return None
    if signal == "traces" and not any(len(record.trace_id) == 16 for record in records[:20]):
        return None
    return len(records) or None


def _records_of(export: Message, signal: Signal) -> list[Any]:
    fields = {
        "traces": ("resource_spans", "scope_spans", "spans"),
        "logs": ("resource_logs", "scope_logs", "log_records"),
        "metrics": ("resource_metrics", "scope_metrics", "metrics"),
    }
    resources, scopes, records = fields[signal]
    return [
        record
        for resource in getattr(export, resources)
        for scope in getattr(resource, scopes)
        for record in getattr(scope, records)
    ]


def _message_type(signal: Signal) -> type[Message]:
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        return ExportTraceServiceRequest
    if signal == "logs":
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        return ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    return ExportMetricsServiceRequest
