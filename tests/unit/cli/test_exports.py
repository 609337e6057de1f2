"""Reading recorded OTLP: every form is recognised by its content, and what is none is refused with its place."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cli.errors import CommandError
from cli.exports import JSON, PROTOBUF, Signal, read_exports

TRACE_ID, SPAN_ID = "0102030405060708090a0b0c0d0e0f10", "0102030405060708"


def spans(count: int = 1) -> dict[str, Any]:
    one = {"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "chat", "startTimeUnixNano": "5", "endTimeUnixNano": "6"}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [one] * count}]}]}


def logs(count: int = 1) -> dict[str, Any]:
    one = {"timeUnixNano": "5", "body": {"stringValue": "hello"}}
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [one] * count}]}]}


def metrics(kind: str = "sum") -> dict[str, Any]:
    one = {"name": "tokens", "unit": "1", kind: {"dataPoints": [{"timeUnixNano": "5", "asInt": "3"}]}}
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [one]}]}]}


def protobuf(message: type[Message], export: dict[str, Any]) -> bytes:
    def unhex(value: Any) -> Any:
        """OTLP/JSON says ids in hex, protobuf's own JSON in base64."""
        import base64

        if isinstance(value, list):
            return [unhex(item) for item in value]
        if not isinstance(value, dict):
            return value
        ids = ("traceId", "spanId")
        return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ids else unhex(v) for k, v in value.items()}

    return ParseDict(unhex(export), message()).SerializeToString()


def framed(*bodies: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(body)) + body for body in bodies)


def lines(*exports: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(export).encode() + b"\n" for export in exports)


TRACES = protobuf(ExportTraceServiceRequest, spans(3))
LOGS = protobuf(ExportLogsServiceRequest, logs(2))
SUMS = protobuf(ExportMetricsServiceRequest, metrics())
GAUGES = protobuf(ExportMetricsServiceRequest, metrics("gauge"))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(json.dumps(spans(2)).encode(), [("traces", JSON, 2)], id="one JSON export"),
        pytest.param(json.dumps(spans(2), indent=2).encode(), [("traces", JSON, 2)], id="over many lines"),
        pytest.param(b"\n\n " + json.dumps(logs(2), indent=2).encode(), [("logs", JSON, 2)], id="after blank lines"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps(logs()).encode(), [("logs", JSON, 1)], id="after a byte order mark"),
        pytest.param(
            lines(spans(), logs(2), metrics()), [("traces", JSON, 1), ("logs", JSON, 2), ("metrics", JSON, 1)], id="JSON lines"
        ),
        pytest.param(lines(spans()) + b"\n" + lines(logs()).strip(), [("traces", JSON, 1), ("logs", JSON, 1)], id="ragged lines"),
        pytest.param(json.dumps([spans(), logs()]).encode(), [("traces", JSON, 1), ("logs", JSON, 1)], id="a JSON list"),
        pytest.param(json.dumps(spans() | logs()).encode(), [("traces", JSON, 1), ("logs", JSON, 1)], id="two signals in one"),
        pytest.param(json.dumps({"resourceSpans": []}).encode(), [("traces", JSON, 0)], id="nothing inside"),
        pytest.param(TRACES, [("traces", PROTOBUF, 3)], id="protobuf traces"),
        pytest.param(LOGS, [("logs", PROTOBUF, 2)], id="protobuf logs"),
        pytest.param(SUMS, [("metrics", PROTOBUF, 1)], id="protobuf sums"),
        pytest.param(GAUGES, [("metrics", PROTOBUF, 1)], id="protobuf gauges"),
        pytest.param(
            framed(TRACES, LOGS, SUMS),
            [("traces", PROTOBUF, 3), ("logs", PROTOBUF, 2), ("metrics", PROTOBUF, 1)],
            id="length-prefixed",
        ),
    ],
)
def test_every_form_is_read(
    tmp_path: Path, pack: Callable[[bytes], bytes], content: bytes, expected: list[tuple[str, str, int]]
) -> None:
    file = tmp_path / "recorded"
    file.write_bytes(pack(content))
    found = list(read_exports(file))
    assert [(export.signal, export.content_type, export.records) for export in found] == expected
    assert found[-1].end_offset in (len(content), len(content.removeprefix(b"\xef\xbb\xbf")))


def test_json_numbers_reach_the_collector_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "recorded"
    file.write_bytes(b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"x": 1e400, "y": 12345678901234567890123}]}]}]}')
    [export] = read_exports(file)
    assert b'{"x": 1e400, "y": 12345678901234567890123}' in export.body


def test_protobuf_bodies_are_sent_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "recorded"
    file.write_bytes(framed(TRACES, LOGS))
    assert [export.body for export in read_exports(file)] == [TRACES, LOGS]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"hello world, this is text", "this is no OTLP"),
        (b'{"resourceSpans": [', "not OTLP/JSON"),
        (b'{"resourceSpans": 7}', "resourceSpans is not what OTLP/JSON says"),
        (b'{"other": 1}', "no resourceSpans, resourceLogs or resourceMetrics in it"),
        (lines(spans()) + b"{broken\n", "line 2: not OTLP/JSON"),
        (framed(TRACES)[:-5], "the message at byte 0 is cut off"),
        (framed(TRACES) + b"\x00\x00", "is cut off"),
        (framed(b"no protobuf at all"), "is no export of traces, logs or metrics"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "is no export of traces, logs or metrics"),
        (gzip.compress(TRACES, mtime=0)[:20], "ended before the end-of-stream marker"),
    ],
)
def test_what_is_no_otlp_is_refused_with_its_place(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "recorded"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=why) as refused:
        list(read_exports(file))
    assert refused.value.exit_code == 2
    assert str(file) in str(refused.value)


def test_what_came_before_a_broken_place_is_read(tmp_path: Path) -> None:
    file = tmp_path / "recorded"
    file.write_bytes(framed(TRACES, TRACES)[:-1])
    exports = read_exports(file)
    assert next(exports).body == TRACES
    with pytest.raises(CommandError, match=f"the message at byte {len(TRACES) + 4} is cut off"):
        next(exports)


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_a_named_signal_is_taken_at_its_word(tmp_path: Path, signal: Signal) -> None:
    file = tmp_path / "recorded"
    file.write_bytes(framed(b"no protobuf at all"))
    [export] = read_exports(file, signal)
    assert (export.signal, export.body) == (signal, b"no protobuf at all")
