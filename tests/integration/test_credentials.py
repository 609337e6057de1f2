"""Credentials at a collector's ports: who is let in to what, over HTTP and gRPC, for which tenant, and from when to when."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from google.protobuf.json_format import Parse
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from collector import guard
from ledger import credentials
from ledger.credentials import RIGHTS
from ledger.database import connect
from tests.books import Served, chat, one, price, request, rows, run, serving
from tests.doors import OTLP, PROTOBUF, ask, away, comes, filled, make, revoke, routes, send


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_ASKED_EVERY_S", 0.05)


@pytest.fixture
def served(dsn: str, writer: psycopg.Connection) -> Iterator[Served]:
    price(writer)
    with serving(dsn) as collector:
        yield collector


# ── who is let in ────────────────────────────────────────────────────────────────────────────────────


def test_without_any_credential_everybody_is(served: Served) -> None:
    assert send(served, None, chat(1, 1)).status == 200
    assert send(served, "pigou_whatever", chat(1, 2)).status == 200
    assert ask(served, "GET", "/v1/prices").status == 200


def test_with_one_every_route_but_health_wants_it(dsn: str) -> None:
    token = make(dsn, "all")
    with serving(dsn) as served:
        for method, path in routes():
            reply, said = ask(served, method, filled(path)), (method, path)
            if path == "/health":
                assert reply.status == 200, said
                continue
            assert reply.status == 401, said
            assert reply.headers["www-authenticate"] == 'Bearer realm="Pigou"', said
            if method != "HEAD":
                told = Parse(reply.body, Status()).message if path in OTLP else reply.reason
                assert told == "a credential is wanted: send the header `Authorization: Bearer TOKEN`", said
            assert ask(served, method, filled(path), token + "x").status == 401, said
            assert ask(served, method, filled(path), token).status != 401, said
        for path in ("/", "/docs", "/v1/nothing", "//health", "/health/", "/HEALTH", "/v1/../health"):
            assert ask(served, "GET", path).status == 401, path


def test_no_route_is_answered_to_one_who_may_something_else(dsn: str) -> None:
    tokens = {right: make(dsn, right, right) for right in RIGHTS}
    with serving(dsn) as served:
        for method, path in routes():
            if path == "/health":
                continue
            by_right = {right: ask(served, method, filled(path), token).status for right, token in tokens.items()}
            assert sum(status == 403 for status in by_right.values()) == 2, (method, path, by_right)
            allowed = next(right for right, status in by_right.items() if status != 403)
            assert (allowed == "read") == (method in ("GET", "HEAD") or path == "/v1/quote"), (method, path)
            assert (allowed == "ingest") == (path in OTLP or path == "/v1/outcomes" or "/holds" in path), (method, path)


def test_openapi_says_so(dsn: str) -> None:
    token = make(dsn, "reader", "read")
    with serving(dsn) as served:
        told = json.loads(ask(served, "GET", "/openapi.json", token).body)
    assert told["security"] == [{"credential": []}, {}]
    assert told["components"]["securitySchemes"]["credential"]["scheme"] == "bearer"
    for path, operations in told["paths"].items():
        for operation in operations.values():
            assert {"401", "403"} <= operation["responses"].keys() or (path == "/health" and operation["security"] == [])


def test_a_refused_export_is_told_as_otlp_says(dsn: str) -> None:
    make(dsn, "all")
    reader = make(dsn, "reader", "read")
    with serving(dsn) as served:
        nobody, other = send(served, None, chat(1, 1)), send(served, reader, chat(1, 1))
    assert (nobody.status, nobody.headers["content-type"], Status.FromString(nobody.body).code) == (401, PROTOBUF, 16)
    assert (other.status, Status.FromString(other.body).code) == (403, 7)
    assert Status.FromString(other.body).message == "the credential reader may read; this wants one that may ingest"


def test_what_may_not_be_sent_is_not_read(dsn: str) -> None:
    make(dsn, "all")
    with serving(dsn) as served:
        assert ask(served, "POST", "/v1/rates", None, b"{" * 10).status == 401
        connection = http.client.HTTPConnection(served.http, timeout=10)
        connection.putrequest("POST", "/v1/traces")
        connection.putheader("Content-Length", "1000000")
        connection.endheaders()
        assert connection.getresponse().status == 401  # though nothing of the body came
        connection.close()


# ── from when to when ────────────────────────────────────────────────────────────────────────────────


def test_making_and_revoking_takes_effect_within_seconds(dsn: str, served: Served) -> None:
    assert ask(served, "GET", "/v1/rules").status == 200
    first = make(dsn, "first")
    comes(served, None, 401)
    comes(served, first, 200)
    second = make(dsn, "second")
    comes(served, second, 200)
    revoke(dsn, "first")
    comes(served, first, 401)
    assert "was revoked" in ask(served, "GET", "/v1/rules", first).reason
    assert ask(served, "GET", "/v1/rules", second).status == 200
    revoke(dsn, "second", is_last=True)
    comes(served, None, 200)


def test_time_runs_out_without_anybody_asking_the_database(dsn: str) -> None:
    token = make(dsn, "brief", until=datetime.now(UTC) + timedelta(seconds=1.5))
    with serving(dsn) as served:
        assert ask(served, "GET", "/v1/rules", token).status == 200
        with away(dsn):
            comes(served, token, 401)
        assert "was valid until" in ask(served, "GET", "/v1/rules", token).reason
        assert ask(served, "GET", "/v1/rules").status == 401  # it opens nothing


def test_what_was_known_last_holds_while_the_database_is_away(dsn: str, writer: psycopg.Connection, tmp_path: Path) -> None:
    price(writer)
    token = make(dsn, "agent", "ingest", tenant="acme")
    with serving(dsn, spool=tmp_path / "spool") as served:
        with away(dsn):
            time.sleep(0.3)  # asked in vain some times
            assert send(served, None, chat(1, 1)).status == 401
            assert send(served, token, chat(1, 2)).status == 200
        with connect(dsn, "reader") as reader:
            spans = wait_for_spans(reader, 1)
    assert spans == [("acme", "0000000000000002")]


def wait_for_spans(reader: psycopg.Connection, count: int) -> list[tuple[Any, ...]]:
    """Tenant and span of what is in the books, once there is so much."""
    deadline = time.monotonic() + 30
    while len(found := rows(reader, "select tenant, span_id from ledger.calls order by span_id")) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_a_collector_that_starts_without_the_database_is_not_open(dsn: str, tmp_path: Path) -> None:
    """Not without anything known; and with what the collector before it knew it holds to that."""
    with away(dsn), serving(dsn, spool=tmp_path / "spool") as served:
        refused = send(served, None, chat(1, 1))
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert "not known until the database answers" in Status.FromString(refused.body).message
        assert ask(served, "GET", "/v1/rules").status == 503
        assert ask(served, "GET", "/health").status == 200
        with grpc.insecure_channel(served.grpc) as channel, pytest.raises(grpc.RpcError) as error:
            TraceServiceStub(channel).Export(request(chat(1, 1)), timeout=60)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    with serving(dsn, spool=tmp_path / "spool") as served:
        token = make(dsn, "agent", "ingest")
        comes(served, None, 401)
    assert (tmp_path / "spool" / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert token not in (tmp_path / "spool" / "credentials.json").read_text()
    with away(dsn), serving(dsn, spool=tmp_path / "spool") as served:
        assert send(served, None, chat(1, 1)).status == 401
        assert send(served, token, chat(1, 2)).status == 200
    (tmp_path / "spool" / "credentials.json").write_text("{")
    with away(dsn), serving(dsn, spool=tmp_path / "spool") as served:
        assert send(served, token, chat(1, 3)).status == 503


def test_an_open_collector_stays_so_through_a_start_without_the_database(dsn: str, tmp_path: Path) -> None:
    with serving(dsn, spool=tmp_path / "spool"):
        pass
    with away(dsn), serving(dsn, spool=tmp_path / "spool") as served:
        assert send(served, None, chat(1, 1)).status == 200


# ── gRPC ─────────────────────────────────────────────────────────────────────────────────────────────


def over_grpc(served: Served, *metadata: tuple[str, str], spans: Any = None) -> ExportTraceServiceResponse | grpc.StatusCode:
    """What an export comes to."""
    with grpc.insecure_channel(served.grpc) as channel:
        try:
            return TraceServiceStub(channel).Export(spans or request(chat(1, 1)), timeout=60, metadata=metadata)
        except grpc.RpcError as error:
            return error.code() if error.details() else grpc.StatusCode.UNKNOWN


def test_grpc_wants_it_too(dsn: str, reader: psycopg.Connection) -> None:
    acme, person = make(dsn, "acme", "ingest", tenant="acme"), make(dsn, "person", "read", "operate")
    with serving(dsn) as served:
        assert over_grpc(served) is grpc.StatusCode.UNAUTHENTICATED
        assert over_grpc(served, ("authorization", f"Bearer {acme}x")) is grpc.StatusCode.UNAUTHENTICATED
        assert over_grpc(served, ("authorization", f"Bearer {person}")) is grpc.StatusCode.PERMISSION_DENIED
        spans = request(chat(1, 1), chat(1, 2, tenant__id="globex"))
        told = over_grpc(served, ("authorization", f"bearer {acme}"), spans=spans)
        assert isinstance(told, ExportTraceServiceResponse)
        assert (told.partial_success.rejected_spans, told.partial_success.error_message[:12]) == (1, "other_tenant")
        revoke(dsn, "acme")
        comes(served, acme, 401)
        assert over_grpc(served, ("authorization", f"Bearer {acme}")) is grpc.StatusCode.UNAUTHENTICATED
    assert rows(reader, "select tenant, span_id from ledger.spans") == [("acme", "0000000000000001")]


# ── in the books ─────────────────────────────────────────────────────────────────────────────────────


def test_nobody_but_the_owner_makes_or_revokes_and_nothing_else_changes(
    dsn: str, owner: psycopg.Connection, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    token = make(dsn, "agent", "ingest", tenant="acme")
    for connection, statement in (
        (writer, "insert into pigou.credential select 'x', 'x', null, may, null, now(), 'x', null, null from pigou.credential"),
        (writer, "update pigou.credential set revoked_at = now(), revoked_by = 'x'"),
        (reader, "select token_hash from pigou.credential"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(connection, statement)
    for statement in (
        "delete from pigou.credential",
        "truncate pigou.credential",
        "update pigou.credential set may = '{ingest,operate}'",
        "update pigou.credential set tenant_id = null, revoked_at = now(), revoked_by = 'x'",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            run(owner, statement)
    shown = rows(reader, "select * from ledger.credentials")
    assert token not in str(shown)
    assert credentials.hash_of(token).hex() not in str(shown)
    assert one(reader, "select name from ledger.credential_of(%s)", credentials.hash_of(token)) == "agent"
    assert rows(reader, "select name from ledger.credential_of(%s)", credentials.hash_of("x")) == []
    make(dsn, "other")
    revoke(dsn, "agent")
    assert rows(reader, "select name from ledger.credential_of(%s)", credentials.hash_of(token)) == []
    for statement in ("update pigou.credential set revoked_at = null, revoked_by = null where name = 'agent'",
                      "update pigou.credential set revoked_by = 'y' where name = 'agent'"):  # fmt: skip
        with pytest.raises(psycopg.errors.RestrictViolation):
            run(owner, statement)


def test_a_name_is_given_again_once_it_was_revoked(dsn: str, owner: psycopg.Connection) -> None:
    first = make(dsn, "agent")
    with pytest.raises(credentials.CredentialError, match="there is a credential agent already; revoke it first"):
        make(dsn, "agent")
    make(dsn, "other")
    revoke(dsn, "agent")
    second = make(dsn, "agent")
    assert len({first, second}) == 2
    assert rows(owner, "select name, state from ledger.credentials order by created_at") == [
        ("agent", "revoked"), ("other", "valid"), ("agent", "valid"),
    ]  # fmt: skip
