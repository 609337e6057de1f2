"""OTLP over HTTP as senders do it and as they get it wrong: the answers of the specification, and a collector that lives on."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import psycopg
import pytest
import zstandard
from google.protobuf.json_format import MessageToDict, Parse
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

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
    rows,
    run,
    serving,
)  # fmt: skip
from tests.integration.test_budget_api import ask

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@pytest.fixture
def served(dsn: str, writer: psycopg.Connection) -> Iterator[Served]:
    price(writer)
    with serving(dsn) as collector:
        yield collector


@pytest.fixture(scope="module")
def shared(server: str, template: str) -> Iterator[tuple[Served, psycopg.Connection]]:
    """One collector and a reader of its books, for the many cases that tell themselves apart by their traces."""
    with cloned(server, template, "pigou_http_cases") as dsn:
        with connect(dsn, "writer") as writer:
            price(writer)
        with serving(dsn) as collector, connect(dsn, "reader") as reader:
            yield collector, reader


def post(
    served: Served, body: bytes | Iterator[bytes], content_type: str = PROTOBUF, path: str = "/v1/traces", **headers: str
) -> Reply:
    connection = http.client.HTTPConnection(served.http, timeout=60)
    try:
        sent = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request("POST", path, body, sent)
        answer = connection.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def get(served: Served, path: str) -> int:
    """The status of what is asked for."""
    connection = http.client.HTTPConnection(served.http, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def otlp_json(message: ExportTraceServiceRequest) -> bytes:
    """As OTLP spells JSON: ids in hex, which protobuf's own mapping would write in base64."""
    document = MessageToDict(message)
    for group, wire in zip(document["resourceSpans"], message.resource_spans, strict=True):
        for listed, scoped in zip(group["scopeSpans"], wire.scope_spans, strict=True):
            for span, original in zip(listed.get("spans", []), scoped.spans, strict=True):
                span["traceId"], span["spanId"] = original.trace_id.hex(), original.span_id.hex()
                span["parentSpanId"] = original.parent_span_id.hex()
    return json.dumps(document).encode()


def success(reply: Reply) -> ExportTraceServiceResponse:
    """The response message, in the encoding that the answer names."""
    assert reply.status == 200, reply
    if reply.headers["content-type"] == JSON:
        return Parse(reply.body, ExportTraceServiceResponse())
    assert reply.headers["content-type"] == PROTOBUF
    return ExportTraceServiceResponse.FromString(reply.body)


def failure(reply: Reply, status: int) -> str:
    """The message of an error answer."""
    assert reply.status == status, reply
    if reply.headers["content-type"] == JSON:
        return Parse(reply.body, Status()).message
    assert reply.headers["content-type"] == PROTOBUF
    return Status.FromString(reply.body).message


# ── what is right ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON, "application/json; charset=utf-8"])
def test_an_export_is_answered_in_its_own_encoding(served: Served, reader: psycopg.Connection, content_type: str) -> None:
    sent = request(chat(1, 1, input=100, output=10))
    body = sent.SerializeToString() if content_type == PROTOBUF else otlp_json(sent)
    reply = post(served, body, content_type)
    assert reply.headers["content-type"] == content_type.partition(";")[0]
    assert not success(reply).HasField("partial_success")
    assert one(reader, "select status, input_tokens, output_tokens from ledger.calls") == ("booked", 100, 10)


def test_the_same_export_in_both_encodings_is_one(served: Served, reader: psycopg.Connection) -> None:
    sent = request(chat(1, 1, 7, input=100, cached=40, note="ä", score=0.5, flags=[True, "x", 3], raw=b"\0\1"))
    success(post(served, sent.SerializeToString()))
    success(post(served, otlp_json(sent), JSON))
    assert one(reader, "select sum(records), sum(duplicates), sum(conflicts) from ledger.ingest") == (1, 1, 0)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.ZstdCompressor().compress), ("identity", bytes)],
)
def test_compressed_bodies_are_unpacked(
    served: Served, reader: psycopg.Connection, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    success(post(served, pack(request(chat(1, 1)).SerializeToString()), Content_Encoding=encoding))
    assert one(reader, "select count(*) from ledger.calls") == 1


@pytest.mark.parametrize(("body", "content_type"), [(b"", PROTOBUF), (b"{}", JSON)])
def test_an_empty_export_is_valid(served: Served, body: bytes, content_type: str) -> None:
    assert not success(post(served, body, content_type)).HasField("partial_success")


def test_a_mistyped_key_is_told_and_the_rest_is_booked(served: Served, reader: psycopg.Connection) -> None:
    """As a warning: nothing is refused, so that nothing is counted as rejected and nothing need be sent again."""
    body = otlp_json(request(chat(1, 1, input=100, output=20))).replace(b'"kind"', b'"spanKind"')
    told = success(post(served, body, JSON)).partial_success
    assert (told.rejected_spans, told.error_message) == (
        0,
        "unknown_key: Span has no key spanKind, which was passed over; did you mean spanId?",
    )
    assert rows(reader, "select status from ledger.calls") == [("booked",)]
    told = success(post(served, b'{"resourceSpan": []}', JSON)).partial_success
    assert "did you mean resourceSpans?" in told.error_message


def test_a_use_that_is_none_is_told_once(served: Served, reader: psycopg.Connection) -> None:
    sent = request(*[chat(1, number, allocation__use="planning") for number in (1, 2)], plain(1, 3, allocation__use="act"))
    told = success(post(served, sent.SerializeToString())).partial_success
    assert (told.rejected_spans, told.error_message) == (
        0,
        "unknown_word: allocation.use is planning, which was passed over; did you mean plan?",
    )
    assert one(reader, "select count(*) from ledger.calls where use_source = 'none'") == 2


def test_a_body_packed_in_secret_is_told_how_to_say_so(served: Served) -> None:
    packed = gzip.compress(request(chat(1, 1)).SerializeToString())
    assert failure(post(served, packed), 400).endswith("; it begins like gzip: send Content-Encoding: gzip")
    assert "begins like" not in failure(post(served, packed[:-4], Content_Encoding="gzip"), 400)


def test_logs_and_metrics_have_their_own_answers(served: Served, reader: psycopg.Connection) -> None:
    logs = post(served, log_request(log("something")).SerializeToString(), path="/v1/logs")
    assert ExportLogsServiceResponse.FromString(logs.body) == ExportLogsServiceResponse()
    metrics = ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.name = "vllm:num_requests_waiting"
    metric.gauge.data_points.add(as_int=3, time_unix_nano=int(AT.timestamp()) * 10**9)
    told = post(served, metrics.SerializeToString(), path="/v1/metrics")
    assert ExportMetricsServiceResponse.FromString(told.body) == ExportMetricsServiceResponse()
    assert one(reader, "select name, value from ledger.metric_points") == ("vllm:num_requests_waiting", 3)
    assert one(reader, "select name from ledger.spans where signal = 'log'") == "something"


def test_it_says_that_it_is_well(served: Served) -> None:
    assert get(served, "/health") == 200


# ── what is wrong with a record ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_record_is_dealt_with_and_the_rest_is_booked(shared: tuple[Served, psycopg.Connection], name: str) -> None:
    served, reader = shared
    before = refusals(reader)
    sent = wrong(name)
    told = success(post(served, sent.SerializeToString())).partial_success
    check_books(reader, name, before, told.rejected_spans, told.error_message)
    again = success(post(served, otlp_json(sent), JSON)).partial_success
    assert again.rejected_spans == told.rejected_spans, "JSON and protobuf are read alike"
    assert (told.error_message == again.error_message) or "id" in name


@pytest.mark.parametrize("depth", [40, 90, 5000])
def test_a_deep_record_costs_only_itself(served: Served, reader: psycopg.Connection, depth: int) -> None:
    """Protobuf's library stops at a hundred levels for the whole message; what is around the deep record is kept."""
    told = success(post(served, deep_request(depth, chat(1, 1), chat(1, 3)))).partial_success
    assert told.rejected_spans == 1
    assert one(reader, "select count(*) from ledger.calls where status = 'booked'") == 2


def test_a_deep_record_in_json_costs_only_itself(served: Served, reader: psycopg.Connection) -> None:
    deep = b'{"kvlistValue":{"values":[{"key":"k","value":' * 40 + b"{}" + b"}]}}" * 40
    body = otlp_json(request(chat(1, 1), plain(1, 2, deep="HERE"), chat(1, 3))).replace(b'{"stringValue": "HERE"}', deep)
    told = success(post(served, body, JSON)).partial_success
    assert told.rejected_spans == 1
    assert "too_deep" in told.error_message
    assert one(reader, "select count(*) from ledger.calls where status = 'booked'") == 2


def test_text_that_is_not_utf8_costs_only_its_record(served: Served, reader: psycopg.Connection) -> None:
    told = success(post(served, invalid_utf8()))
    assert told.partial_success.rejected_spans == 1
    assert one(reader, "select count(*) from ledger.calls where status = 'booked'") == 2


def test_half_a_surrogate_pair_in_json_is_replaced(served: Served, reader: psycopg.Connection) -> None:
    body = otlp_json(request(chat(1, 1, note="HERE"))).replace(b'"HERE"', b'"\\ud800"').replace(b'"agents"', b'"\\udfff"')
    success(post(served, body, JSON))
    assert one(reader, "select status from ledger.calls") == "booked"


def test_one_key_with_another_content_is_kept_and_reported(served: Served, reader: psycopg.Connection) -> None:
    sent = [request(chat(1, 1, input=n)).SerializeToString() for n in (100, 999, 100)]
    told = [success(post(served, body)).partial_success for body in sent]
    said = f"conflict: span {1:016x} of trace {1:032x} came before with other content, which stays"
    assert [(one.rejected_spans, one.error_message) for one in told] == [(0, ""), (0, said), (0, "")]
    assert one(reader, "select input_tokens from ledger.calls") == 100
    assert one(reader, "select record from ledger.conflicts")["attributes"]["gen_ai.usage.input_tokens"] == 999
    assert one(reader, "select sum(conflicts), sum(duplicates), sum(records) from ledger.ingest") == (1, 1, 1)


@pytest.mark.parametrize("place", range(5))
def test_a_record_that_postgresql_refuses_is_rejected_alone(served: Served, owner: psycopg.Connection, place: int) -> None:
    run(owner, "alter table pigou.record add constraint no_poison check (name <> 'poison')")
    spans = [chat(1, n + 1, model="m1") for n in range(5)]
    spans[place] = plain(1, place + 1, name="poison")
    told = success(post(served, request(*spans).SerializeToString())).partial_success
    assert told.rejected_spans == 1
    assert "23514" in told.error_message
    assert one(owner, "select count(*) from ledger.calls where status = 'booked'") == 4
    code, detail = one(owner, "select code, detail from ledger.rejections where stage = 'post'")
    assert code == "23514"
    assert f"{place + 1:016x}" in detail
    assert one(owner, "select sum(records), sum(rejected), sum(requests) from ledger.ingest") == (4, 1, 1)


def test_a_record_too_large_for_an_index_is_rejected_and_not_sent_again_for_ever(
    served: Served, owner: psycopg.Connection
) -> None:
    """PostgreSQL's limits (class 54) are about the record, although the driver files them with outages."""
    run(owner, "create index a_small_page on pigou.record (name)")
    name = "".join(chr(0x4E00 + n) for n in range(1900))
    told = success(post(served, request(chat(1, 1), plain(1, 2, name=name), chat(1, 3)).SerializeToString())).partial_success
    assert told.rejected_spans == 1
    assert "54000" in told.error_message
    assert one(owner, "select count(*) from ledger.calls where status = 'booked'") == 2


def test_a_fault_of_ours_rejects_nothing(served: Served, owner: psycopg.Connection, reader: psycopg.Connection) -> None:
    """A privilege that is missing says nothing of the record: it must be sent again, and be booked then."""
    run(owner, "revoke insert on pigou.entry from pigou_writer")
    body = request(chat(1, 1)).SerializeToString()
    reply = post(served, body)
    failure(reply, 503)
    run(owner, "grant insert on pigou.entry to pigou_writer")
    success(post(served, body))
    assert rows(reader, "select code from ledger.rejections") == []
    assert one(reader, "select status from ledger.calls") == "booked"


# ── what is wrong with a request ─────────────────────────────────────────────────────────────────────

DEEP_JSON = b'{"resourceSpans":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
UNDECODABLE: dict[str, tuple[bytes, str, dict[str, str]]] = {
    "rubbish": (b"\xde\xad\xbe\xef", PROTOBUF, {}),
    "half a message": (request(chat(1, 1)).SerializeToString()[:-20], PROTOBUF, {}),
    "JSON as protobuf": (b'{"resourceSpans": []}', PROTOBUF, {}),
    "protobuf as JSON": (request(chat(1, 1)).SerializeToString(), JSON, {}),
    "half a JSON": (b'{"resourceSpans": [', JSON, {}),
    "a JSON list": (b"[]", JSON, {}),
    "a JSON of another shape": (b'{"resourceSpans": 7}', JSON, {}),
    "not gzip": (b"not gzip", PROTOBUF, {"Content_Encoding": "gzip"}),
    "half a gzip": (gzip.compress(request(chat(1, 1)).SerializeToString())[:-9], PROTOBUF, {"Content_Encoding": "gzip"}),
    "not zstd": (b"not zstd", PROTOBUF, {"Content_Encoding": "zstd"}),
    "empty gzip": (b"", PROTOBUF, {"Content_Encoding": "gzip"}),
}


@pytest.mark.parametrize("name", UNDECODABLE)
def test_what_cannot_be_decoded_is_the_senders_fault(served: Served, reader: psycopg.Connection, name: str) -> None:
    body, content_type, headers = UNDECODABLE[name]
    reply = post(served, body, content_type, **headers)
    assert failure(reply, 400)
    assert reply.headers["content-type"] == content_type
    assert "retry-after" not in reply.headers
    assert one(reader, "select count(*) from ledger.spans") == 0


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_an_unknown_content_type_is_refused(served: Served, content_type: str) -> None:
    assert content_type in failure(post(served, b"", content_type), 415)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip"])
def test_an_unknown_compression_is_refused(served: Served, encoding: str) -> None:
    assert encoding in failure(post(served, b"", Content_Encoding=encoding), 415)


def test_an_announced_body_above_the_limit_is_refused_unread(dsn: str) -> None:
    with serving(dsn, body_limit_bytes=1000) as served:
        host, port = served.http.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as wire:
            wire.sendall(
                b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1001\r\n\r\n"
            )
            assert b" 413 " in wire.recv(1000).split(b"\r\n")[0]


def test_a_body_of_unknown_length_is_refused_at_the_limit(dsn: str) -> None:
    with serving(dsn, body_limit_bytes=1000) as served:
        reply = post(served, iter([b"x" * 100] * 11))
        assert "1000" in failure(reply, 413)
        success(post(served, iter([request(plain(1, 1)).SerializeToString()])))


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.ZstdCompressor().compress)],
)
def test_a_bomb_is_too_large(served: Served, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """What it costs is held by tests/unit/collector/test_decompress.py."""
    packed = pack(bytes(65 * 1024 * 1024))
    assert len(packed) < 1_000_000
    failure(post(served, packed, Content_Encoding=encoding), 413)
    success(post(served, request(plain(1, 1)).SerializeToString()))


def test_a_document_too_deep_to_be_read_is_too_large(served: Served) -> None:
    failure(post(served, DEEP_JSON, JSON), 413)
    success(post(served, request(plain(1, 1)).SerializeToString()))


def test_a_full_queue_asks_to_come_back(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """While the books are held up: one request waits, the next is sent away with a time, and after that all goes on."""
    price(writer)
    body = request(chat(1, 1)).SerializeToString()
    with serving(dsn, queue_limit_bytes=len(body)) as served:
        with owner.transaction():
            run(owner, "lock table pigou.record in exclusive mode")
            waiting = served.pipeline.submit(export(chat(1, 1)))
            reply = post(served, body)
            failure(reply, 503)
            assert int(reply.headers["retry-after"]) >= 1
        assert waiting.result(30) == Answer("stored")
        success(post(served, body))


def test_paths_and_methods_that_are_not_there(served: Served) -> None:
    assert post(served, b"", path="/v1/other").status == 404
    assert get(served, "/v1/traces") == 405
    received = "OTLP over HTTP is received by POST at /v1/traces, /v1/logs and /v1/metrics; /openapi.json lists all else"
    for method, path, status, said in (
        ("POST", "/", 404, f"there is nothing at /; {received}"),
        ("POST", "/v1/trace", 404, f"there is nothing at /v1/trace; did you mean /v1/traces or /v1/rates? {received}"),
        ("GET", "/v1/traces", 405, "/v1/traces is asked by POST, not by GET"),
        ("OPTIONS", "/v1/logs", 405, "/v1/logs is asked by POST, not by OPTIONS"),
        ("DELETE", "/v1/findings/3", 405, "/v1/findings/3 is asked by GET, not by DELETE"),
    ):
        assert ask(served, path, "{}", method) == (status, {"detail": said})
    found = post(served, b"", path="/v1/traces/")
    assert (found.status, found.headers["location"]) == (307, f"http://{served.http}/v1/traces")
