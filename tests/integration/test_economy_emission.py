"""The economy through the real SDK and its exporters: what a collector receives, byte for byte, and what happens without one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from economy.__main__ import main
from economy.emit import EmissionError
from economy.play import EconomySettings, live, play
from economy.schedule import schedule

UNTIL = datetime(2026, 11, 20, 18, tzinfo=UTC)


@dataclass
class Received:
    """Bodies in order of arrival, by path; `answers` are statuses still to give before 200; `body` is answered."""

    port: int = 0
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    body: bytes = b""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def traces(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for path, body in self.bodies if path == "/v1/traces"]

    def spans(self) -> list[Span]:
        return [s for request in self.traces() for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]


def handler(received: Received) -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = received.answers.pop(0) if received.answers else 200
            if status == 200:
                received.bodies.append((self.path, body))
                received.headers.append({key.lower(): value for key, value in self.headers.items()})
            answer = received.body if status == 200 else b""
            self.send_response(status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            """Say nothing."""

    return Receiver


@contextmanager
def receiving() -> Generator[Received]:
    received = Received()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(received))
    received.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[Received]:
    with receiving() as received:
        yield received


def settings(endpoint: str, **changes: object) -> EconomySettings:
    values: dict[str, object] = {"endpoint": endpoint, "seed": 3, "until": UNTIL, "days": 1.0, "tasks_per_day": 100, **changes}
    return EconomySettings(**values)  # pyright: ignore[reportArgumentType]


def plain(value: AnyValue) -> object:
    if value.HasField("array_value"):
        return [plain(one) for one in value.array_value.values]
    return getattr(value, str(value.WhichOneof("value")))


def attributes(span: Span) -> dict[str, object]:
    return {pair.key: plain(pair.value) for pair in span.attributes}


def test_everything_planned_arrives_once_as_valid_otlp_with_its_ids_and_times(receiver: Received) -> None:
    told: list[tuple[int, int]] = []
    truth = play(settings(receiver.endpoint), lambda done, total: told.append((done, total)))
    planned = schedule(3, UNTIL, 1.0, 100)
    spans = {span.span_id: span for span in receiver.spans()}
    assert len(receiver.spans()) == len(spans) == len(planned.recorder.spans) == truth.counts["spans"]
    base_ns = int(planned.starts_at.timestamp()) * 10**9
    for want in planned.recorder.spans:
        span = spans[want.span_id.to_bytes(8, "big")]
        assert span.trace_id == want.trace_id.to_bytes(16, "big")
        assert span.parent_span_id == (want.parent_id.to_bytes(8, "big") if want.parent_id is not None else b"")
        assert (span.name, len(span.links)) == (want.name, len(want.links))
        assert span.start_time_unix_nano == base_ns + round(want.start_s * 1e6) * 1000
        assert span.end_time_unix_nano == base_ns + round(want.end_s * 1e6) * 1000
        assert attributes(span) == {key: list(v) if isinstance(v, (list, tuple)) else v for key, v in want.attributes.items()}
    assert told[-1] == (len(planned.recorder.spans) + len(planned.recorder.events),) * 2
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_events_arrive_as_named_log_records_in_the_context_of_their_span(receiver: Received) -> None:
    play(settings(receiver.endpoint), lambda *_: None)
    planned = schedule(3, UNTIL, 1.0, 100)
    records = [
        record
        for path, body in receiver.bodies
        if path == "/v1/logs"
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    assert sorted((r.event_name, r.span_id) for r in records) == sorted(
        (event.name, event.span_id.to_bytes(8, "big")) for event in planned.recorder.events
    )
    assert all(len(r.trace_id) == 16 and r.time_unix_nano == r.observed_time_unix_nano > 0 for r in records)
    scores = [r for r in records if r.event_name == "gen_ai.evaluation.result"]
    assert scores
    assert all("gen_ai.evaluation.score.value" in {pair.key for pair in r.attributes} for r in scores)


def test_batches_are_in_time_order_and_name_service_and_tenant(receiver: Received) -> None:
    play(settings(receiver.endpoint), lambda *_: None)
    latest = 0
    for request in receiver.traces():
        ends = [s.end_time_unix_nano for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
        assert 1 <= len(ends) <= 500
        assert min(ends) >= latest
        latest = max(ends)
        for resource in request.resource_spans:
            named = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            assert named["service.name"]
            assert named["tenant.id"] in {"acme", "globex", "initech"}


def test_the_same_seed_and_end_give_the_same_bytes() -> None:
    bodies: list[list[tuple[str, bytes]]] = []
    for _ in range(2):
        with receiving() as received:
            play(settings(received.endpoint), lambda *_: None)
            bodies.append(received.bodies)
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) > 2


def test_headers_are_sent_with_every_export(receiver: Received) -> None:
    play(settings(receiver.endpoint, days=0.2, headers={"Authorization": "Bearer demo"}), lambda *_: None)
    assert receiver.headers
    assert {headers.get("authorization") for headers in receiver.headers} == {"Bearer demo"}


def test_a_collector_that_is_busy_for_a_while_gets_everything(receiver: Received) -> None:
    receiver.answers = [503, 500, 429]
    truth = play(settings(receiver.endpoint, days=0.2), lambda *_: None)
    assert len(receiver.spans()) == truth.counts["spans"]
    assert not receiver.answers


def test_a_refusal_for_good_ends_the_play_at_once(receiver: Received) -> None:
    receiver.answers = [401] * 10
    started = time.monotonic()
    with pytest.raises(EmissionError, match="answered 401"):
        play(settings(receiver.endpoint, days=0.2), lambda *_: None)
    assert time.monotonic() - started < 20.0
    assert receiver.bodies == []


def test_rejected_records_are_told_at_the_end(receiver: Received) -> None:
    partial = trace_service_pb2.ExportTracePartialSuccess(rejected_spans=2, error_message="two bad ids")
    receiver.body = trace_service_pb2.ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    with pytest.raises(EmissionError, match="two bad ids"):
        play(settings(receiver.endpoint, days=0.2), lambda *_: None)


def test_without_a_collector_the_play_says_so(receiver: Received, capsys: pytest.CaptureFixture[str]) -> None:
    with receiving() as gone:
        endpoint = gone.endpoint
    with pytest.raises(EmissionError) as caught:
        play(settings(endpoint, days=0.2, patience_s=0.1), lambda *_: None)
    assert endpoint in str(caught.value)
    assert caught.value.unsent > 0
    receiver.answers = [404]
    assert main(["--endpoint", receiver.endpoint, "--days", "0.2", "--until", "2026-11-20T18:00:00+00:00"]) == 1
    assert "answered 404" in capsys.readouterr().err


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self) -> None:
        self.spans = 0

    def Export(  # noqa: N802 (the service's name)
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        self.spans += sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self) -> None:
        self.records = 0

    def Export(  # noqa: N802 (the service's name)
        self, request: ExportLogsServiceRequest, context: grpc.ServicerContext
    ) -> logs_service_pb2.ExportLogsServiceResponse:
        self.records += sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)
        return logs_service_pb2.ExportLogsServiceResponse()


def test_grpc_delivers_the_same_counts() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    traces, logs = _Traces(), _Logs()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(traces, server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(logs, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        truth = play(settings(f"http://127.0.0.1:{port}", protocol="grpc"), lambda *_: None)
    finally:
        server.stop(None).wait()
    assert {"spans": traces.spans, "events": logs.records} == {key: truth.counts[key] for key in ("spans", "events")}


def test_live_play_emits_ended_spans_until_it_is_stopped(receiver: Received) -> None:
    stop = threading.Event()
    spans: list[int] = []
    player = threading.Thread(target=lambda: spans.append(live(settings(receiver.endpoint), 1_200.0, stop)))
    started_ns = time.time_ns() - 10**9
    player.start()
    wait_for(lambda: len(receiver.spans()) > 20)
    stop.set()
    player.join(timeout=20.0)
    assert not player.is_alive()
    received = receiver.spans()
    assert spans == [len(received)]
    assert len({span.span_id for span in received}) == len(received)
    assert all(started_ns <= span.start_time_unix_nano <= span.end_time_unix_nano <= time.time_ns() for span in received)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
