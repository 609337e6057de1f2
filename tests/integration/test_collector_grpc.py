"""OTLP over gRPC: the codes of the specification, and a server that lives on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import psycopg
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from collector.export import Answer
from ledger.database import connect
from tests.bad_input import CASES, check_books, invalid_utf8, refusals, wrong
from tests.books import (
    AT,
    Served,
    chat,
    cloned,
    deep_request,
    export,
    log,
    log_request,
    one,
    plain,
    price,
    request,
    run,
    serving,
)  # fmt: skip

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
WAIT_S = 60


@pytest.fixture
def served(dsn: str, writer: psycopg.Connection) -> Iterator[Served]:
    price(writer)
    with serving(dsn) as collector:
        yield collector


@pytest.fixture(scope="module")
def shared(server: str, template: str) -> Iterator[tuple[Served, psycopg.Connection]]:
    """One collector and a reader of its books, for the many cases that tell themselves apart by their traces."""
    with cloned(server, template, "pigou_grpc_cases") as dsn:
        with connect(dsn, "writer") as writer:
            price(writer)
        with serving(dsn) as collector, connect(dsn, "reader") as reader:
            yield collector, reader


@pytest.fixture
def channel(served: Served) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(served.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        yield channel


def send(channel: grpc.Channel, body: bytes, **options: Any) -> ExportTraceServiceResponse:
    """Export bytes as they are."""
    call = channel.unary_unary(EXPORT, response_deserializer=ExportTraceServiceResponse.FromString)
    return call(body, timeout=WAIT_S, **options)


def code(channel: grpc.Channel, body: bytes, **options: Any) -> grpc.StatusCode:
    """The code of a refusal; it always says something."""
    with pytest.raises(grpc.RpcError) as refused:
        send(channel, body, **options)
    assert refused.value.details()
    return refused.value.code()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_an_export_is_booked(channel: grpc.Channel, reader: psycopg.Connection, compression: grpc.Compression) -> None:
    answer = TraceServiceStub(channel).Export(request(chat(1, 1, input=100)), timeout=WAIT_S, compression=compression)
    assert not answer.HasField("partial_success")
    assert one(reader, "select status, input_tokens from ledger.calls") == ("booked", 100)


def test_logs_and_metrics_have_their_own_services(channel: grpc.Channel, reader: psycopg.Connection) -> None:
    LogsServiceStub(channel).Export(log_request(log("something")), timeout=WAIT_S)
    metrics = ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.name = "queue"
    metric.gauge.data_points.add(as_double=0.5, time_unix_nano=int(AT.timestamp()) * 10**9)
    MetricsServiceStub(channel).Export(metrics, timeout=WAIT_S)
    assert one(reader, "select name from ledger.spans") == "something"
    assert one(reader, "select value from ledger.metric_points") == 0.5


def test_an_empty_export_is_valid(channel: grpc.Channel) -> None:
    assert not send(channel, b"").HasField("partial_success")


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_record_is_dealt_with_and_the_rest_is_booked(shared: tuple[Served, psycopg.Connection], name: str) -> None:
    served, reader = shared
    before = refusals(reader)
    with grpc.insecure_channel(served.grpc) as channel:
        told = send(channel, wrong(name).SerializeToString()).partial_success
    check_books(reader, name, before, told.rejected_spans, told.error_message)


@pytest.mark.parametrize("depth", [40, 5000])
def test_a_deep_record_costs_only_itself(channel: grpc.Channel, reader: psycopg.Connection, depth: int) -> None:
    assert send(channel, deep_request(depth, chat(1, 1), chat(1, 3))).partial_success.rejected_spans == 1
    assert one(reader, "select count(*) from ledger.calls where status = 'booked'") == 2


def test_text_that_is_not_utf8_costs_only_its_record(channel: grpc.Channel, reader: psycopg.Connection) -> None:
    assert send(channel, invalid_utf8()).partial_success.rejected_spans == 1
    assert one(reader, "select count(*) from ledger.calls where status = 'booked'") == 2


@pytest.mark.parametrize("body", [b"\xde\xad\xbe\xef", b"{}", request(chat(1, 1)).SerializeToString()[:-20]])
def test_what_cannot_be_decoded_is_the_senders_fault(channel: grpc.Channel, body: bytes) -> None:
    assert code(channel, body) == grpc.StatusCode.INVALID_ARGUMENT


def test_an_unknown_method_is_unimplemented(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Import")(b"", timeout=WAIT_S)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_message_above_the_limit_is_refused(dsn: str) -> None:
    with serving(dsn, body_limit_bytes=1000) as served, grpc.insecure_channel(served.grpc) as channel:
        assert code(channel, b"x" * 1001) == grpc.StatusCode.RESOURCE_EXHAUSTED
        send(channel, request(plain(1, 1)).SerializeToString())


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_bomb_is_refused_while_it_is_unpacked(channel: grpc.Channel, compression: grpc.Compression) -> None:
    """gRPC's own core stops unpacking at the limit of a message, and says so."""
    with pytest.raises(grpc.RpcError) as refused:
        send(channel, bytes(64 * 1024 * 1024), compression=compression)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "Decompressed message larger than max" in (refused.value.details() or "")
    send(channel, request(plain(1, 1)).SerializeToString())


def test_a_full_queue_is_unavailable(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    price(writer)
    body = request(chat(1, 1)).SerializeToString()
    with serving(dsn, queue_limit_bytes=len(body)) as served, grpc.insecure_channel(served.grpc) as channel:
        with owner.transaction():
            run(owner, "lock table pigou.record in exclusive mode")
            waiting = served.pipeline.submit(export(chat(1, 1)))
            assert code(channel, body) == grpc.StatusCode.UNAVAILABLE
        assert waiting.result(30) == Answer("stored")
        send(channel, body)


def test_a_sender_that_gives_up_neither_stops_the_collector_nor_loses_its_export(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, owner: psycopg.Connection
) -> None:
    price(writer)
    with serving(dsn) as served, grpc.insecure_channel(served.grpc) as channel:
        with owner.transaction():
            run(owner, "lock table pigou.record in exclusive mode")
            call = channel.unary_unary(EXPORT, response_deserializer=ExportTraceServiceResponse.FromString)
            with pytest.raises(grpc.RpcError) as late:
                call(request(chat(1, 1)).SerializeToString(), timeout=0.5)
            assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        send(channel, request(chat(1, 2)).SerializeToString())
        assert served.pipeline.health().status == "ok"
    assert one(reader, "select count(*) from ledger.calls where status = 'booked'") == 2
