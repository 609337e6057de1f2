"""Sending recorded OTLP: what is said back is counted, what is to be sent again is, and nothing is sent twice for nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTracePartialSuccess, ExportTraceServiceResponse

from cli.errors import CommandError
from cli.exports import JSON, PROTOBUF, Export
from cli.replay import Reply, Sender, in_parallel

PARTIAL = {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "bad id,\n twice"}}


class Collector:
    """A local server that answers as scripted and keeps what it was sent; the last answer is repeated."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = [(200, {}, b"{}")]
        self.received: list[tuple[str, str, bytes]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.received.append((self.path, self.headers["Content-Type"], body))
                status, headers, answer = collector.answers[0]
                if len(collector.answers) > 1:
                    collector.answers.pop(0)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    started = Collector()
    thread = threading.Thread(target=started.server.serve_forever)
    thread.start()
    yield started
    started.server.shutdown()
    thread.join()
    started.server.server_close()


def spans(content_type: str = JSON, records: int = 5) -> Export:
    return Export("traces", b"{}", content_type, records, 2)


def send(collector: Collector, export: Export, patience_s: float = 10.0) -> Reply:
    with closing(Sender(collector.url, {"x-tenant": "acme"}, patience_s)) as sender:
        return sender.send(export)


@pytest.mark.parametrize(
    ("export", "answer", "expected"),
    [
        (spans(), b"{}", Reply("traces", 5)),
        (spans(), b"", Reply("traces", 5)),
        (spans(), json.dumps(PARTIAL).encode(), Reply("traces", 5, 2, "bad id, twice")),
        (spans(), b'{"partialSuccess": {"errorMessage": "only a remark"}}', Reply("traces", 5)),
        (spans(PROTOBUF), b"", Reply("traces", 5)),
        (
            spans(PROTOBUF),
            ExportTraceServiceResponse(
                partial_success=ExportTracePartialSuccess(rejected_spans=1, error_message="no")
            ).SerializeToString(),
            Reply("traces", 5, 1, "no"),
        ),
        (
            Export("logs", b"", PROTOBUF, 4, 0),
            ExportLogsServiceResponse(
                partial_success=ExportLogsPartialSuccess(rejected_log_records=3, error_message="no")
            ).SerializeToString(),
            Reply("logs", 4, 3, "no"),
        ),
    ],
)
def test_what_was_refused_is_counted(collector: Collector, export: Export, answer: bytes, expected: Reply) -> None:
    collector.answers = [(200, {}, answer)]
    assert send(collector, export) == expected


@pytest.mark.parametrize(
    ("content_type", "answer", "reason"),
    [
        (JSON, b'{"code": 3, "message": "not\\nOTLP"}', "status 400: not OTLP"),
        (PROTOBUF, Status(code=3, message="not OTLP").SerializeToString(), "status 400: not OTLP"),
        (JSON, b"<html>proxy</html>", "status 400: <html>proxy</html>"),
    ],
)
def test_an_export_that_is_refused_whole_is_not_sent_again(
    collector: Collector, content_type: str, answer: bytes, reason: str
) -> None:
    collector.answers = [(400, {}, answer)]
    assert send(collector, spans(content_type)) == Reply("traces", 5, 5, reason)
    assert len(collector.received) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_export_is_sent_again_until_it_is_taken(collector: Collector, status: int) -> None:
    collector.answers = [(status, {"Retry-After": "0"}, b""), (status, {}, b""), (200, {}, b"{}")]
    assert send(collector, spans()) == Reply("traces", 5)
    assert len(collector.received) == 3
    assert {(path, kind) for path, kind, _ in collector.received} == {("/v1/traces", JSON)}


def test_a_wait_that_is_longer_than_the_patience_is_not_waited_for(collector: Collector) -> None:
    collector.answers = [(503, {"Retry-After": "3600"}, b"")]
    with pytest.raises(CommandError, match=r"does not take the exports \(status 503\)"):
        send(collector, spans())
    assert len(collector.received) == 1


def test_nobody_there_is_said_at_once(collector: Collector) -> None:
    collector.server.server_close()
    with pytest.raises(CommandError, match=r"nothing answers at .*; start `pigou up`"):
        send(collector, spans(), patience_s=600)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "ftp://here", "http://"])
def test_an_endpoint_that_is_no_url_is_a_wrong_argument(endpoint: str) -> None:
    with pytest.raises(CommandError, match="is no address of a collector") as refused:
        Sender(endpoint, {}, 1.0)
    assert refused.value.exit_code == 2


def test_answers_of_what_was_sent_come_before_the_fault_of_the_file() -> None:
    def broken_after(count: int) -> Iterator[Export]:
        for _ in range(count):
            yield spans()
        raise CommandError("cut off", exit_code=2)

    answered: list[Reply] = []

    def collect(width: int, work: Callable[[Export], Reply]) -> None:
        for _, reply in in_parallel(work, broken_after(7), width):
            answered.append(reply)

    for width in (1, 3, 20):
        answered.clear()
        with pytest.raises(CommandError, match="cut off"):
            collect(width, lambda export: Reply(export.signal, export.records))
        assert len(answered) == 7


def test_no_more_is_read_ahead_than_is_under_way() -> None:
    taken = 0
    answered = 0

    def items() -> Iterator[Export]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            assert taken - answered <= 4
            yield spans()

    for _ in in_parallel(lambda export: Reply("traces", export.records), items(), 4):
        answered += 1
    assert answered == 50
