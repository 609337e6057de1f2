"""Run one example against the local provider and write down what its instrumentation exported.

    python examples/record.py openai_otel_v2 --out recordings/openai_otel_v2

writes traces.pb, logs.pb and metrics.pb (export requests as OTLP protobuf, each preceded by its length as
four bytes, big-endian), spans.txt (the same for reading) and sales.json (what the provider sold).
"""

import argparse
import gzip
import http.server
import json
import os
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

EXAMPLES = Path(__file__).resolve().parent
SIGNALS = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics"}
TEXT_CHARS_MAX = 1_000


class Receiver(http.server.ThreadingHTTPServer):
    """An OTLP/HTTP receiver that keeps the bodies it was sent, by signal."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: dict[str, list[bytes]] = {signal: [] for signal in SIGNALS.values()}

    @property
    def url(self) -> str:
        """Where to export to."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        if not isinstance(self.server, Receiver):
            raise TypeError("this handler serves a Receiver")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies[SIGNALS[self.path]].append(body)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not worth a line each."""


def record(example: str, out: Path, seed: int, faults: str) -> int:
    """Run an example, write the recording to `out`, and return the example's exit code."""
    out.mkdir(parents=True, exist_ok=True)
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    command = [sys.executable, "-m", "examples.provider", "--seed", str(seed), "--faults", faults]
    provider = subprocess.Popen(command, cwd=EXAMPLES.parent, stdout=subprocess.PIPE, text=True)
    try:
        ready: str = provider.stdout.readline() if provider.stdout else ""
        urls: dict[str, str] = dict(part.split("=", 1) for part in ready.split()[1:])
        if "openai" not in urls:
            raise RuntimeError("the provider did not start")
        environment = os.environ | {
            "OPENAI_BASE_URL": urls["openai"],
            "OPENAI_API_KEY": "local",
            "ANTHROPIC_BASE_URL": urls["anthropic"],
            "ANTHROPIC_API_KEY": "local",
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }
        run = subprocess.run([sys.executable, str(EXAMPLES / f"{example}.py")], env=environment, check=False)
        with urllib.request.urlopen(urls["sales"]) as answer:
            sales = json.load(answer)
    finally:
        provider.terminate()
        provider.wait()
        receiver.shutdown()
    for signal, bodies in receiver.bodies.items():
        framed = b"".join(struct.pack(">I", len(body)) + body for body in bodies)
        (out / f"{signal}.pb").write_bytes(framed)
    (out / "sales.json").write_text(json.dumps(sales, indent=1) + "\n", encoding="utf-8")
    (out / "spans.txt").write_text(describe(receiver.bodies), encoding="utf-8")
    return run.returncode


def describe(bodies: dict[str, list[bytes]]) -> str:
    """What was exported, for reading: spans as trees, then log records and metrics."""
    lines: list[str] = []
    spans: list[tuple[InstrumentationScope, Span]] = []
    for body in bodies["traces"]:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            lines.append(f"resource {_attributes(resource.resource.attributes)}")
            spans += [(scope.scope, span) for scope in resource.scope_spans for span in scope.spans]
    known = {span.span_id for _, span in spans}
    children: dict[bytes, list[tuple[InstrumentationScope, Span]]] = {}
    for scope, span in sorted(spans, key=lambda pair: pair[1].start_time_unix_nano):
        parent = span.parent_span_id if span.parent_span_id in known else b""
        children.setdefault(parent, []).append((scope, span))
    _describe_tree(children, b"", 0, lines)
    for body in bodies["logs"]:
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
            for scope in resource.scope_logs:
                for log in scope.log_records:
                    name = f"{scope.scope.name} {scope.scope.version}"
                    lines.append(f"log [{name}] event={log.event_name} span={log.span_id.hex()}")
                    lines.append(f"    body={_value(log.body)} {_attributes(log.attributes)}")
    for body in bodies["metrics"]:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource.scope_metrics:
                lines += [f"metric [{scope.scope.name}] {_one_line(metric)}" for metric in scope.metrics]
    return "\n".join(lines) + "\n"


def _describe_tree(
    children: dict[bytes, list[tuple[InstrumentationScope, Span]]],
    parent: bytes,
    depth: int,
    lines: list[str],
) -> None:
    for scope, span in children.get(parent, []):
        pad = "    " * depth
        kind = Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_")
        status = Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_")
        took_ms = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
        lines.append(f"{pad}span {span.name!r} [{scope.name} {scope.version}] {kind} {status} {took_ms:.1f}ms")
        ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
        lines.append(f"{pad}  ids trace={ids[0]} span={ids[1]} parent={ids[2]}")
        lines += [f"{pad}  {pair.key} = {_value(pair.value)}" for pair in span.attributes]
        lines += [f"{pad}  event {event.name} {_attributes(event.attributes)}" for event in span.events]
        lines += [f"{pad}  link {link.trace_id.hex()} {link.span_id.hex()}" for link in span.links]
        _describe_tree(children, span.span_id, depth + 1, lines)


def _attributes(pairs: Iterable[KeyValue]) -> str:
    return "{" + ", ".join(f"{pair.key}={_value(pair.value)}" for pair in pairs) + "}"


def _value(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    if kind is None:
        return "None"
    if kind == "array_value":
        return "[" + ", ".join(_value(part) for part in value.array_value.values) + "]"
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    content = getattr(value, kind)
    text = repr(content)
    return f"{text[:TEXT_CHARS_MAX]}… ({len(text)} chars)" if len(text) > TEXT_CHARS_MAX else text


def _one_line(message: Message) -> str:
    return " ".join(str(message).split())


def main() -> int:
    """Record one example; the exit code is the example's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("example", choices=sorted(path.stem for path in EXAMPLES.glob("*.py")))
    parser.add_argument("--out", type=Path, required=True, help="folder to write the recording to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default="", help="failures by ordinal of request, such as 2:rate_limit")
    arguments = parser.parse_args()
    return record(arguments.example, arguments.out, arguments.seed, arguments.faults)


if __name__ == "__main__":
    sys.exit(main())
