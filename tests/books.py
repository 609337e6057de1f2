"""A small notation for tests: spans as an agent would send them, a collector to send them to, and books to compare.

    with collecting(dsn) as collector:
        collector.send(export(agent(1, 1, name="fixer"), chat(1, 2, 1, input=100, output=20, id="r1")))

Traces and spans are numbered; times are seconds after `AT`. The model `m1` of `acme` costs what `price` says.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, LiteralString, cast

import msgspec
import psycopg
import uvicorn
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.export import Export
from collector.grpc_server import start_grpc
from collector.pipeline import Pipeline
from collector.settings import CollectorSettings
from ledger.post import open_tenants
from tests.applications import application
from tests.desk import close_desks

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
SDK = "opentelemetry.instrumentation.genai.openai"
GATEWAY = "litellm"
PRICES = {"input_tokens": "2", "cache_read_tokens": "0.2", "cache_write_tokens": "2.5", "output_tokens": "10"}
"""USD per million tokens of `m1`."""

Value = str | bool | int | float | bytes | list[Any] | None


# ── spans ────────────────────────────────────────────────────────────────────────────────────────────


def chat(
    trace: int,
    span: int,
    parent: int | None = None,
    *,
    input: Value = 100,  # noqa: A002 - the convention's word
    output: Value = 10,
    cached: Value = None,
    written: Value = None,
    reasoning: Value = None,
    id: str | None = None,  # noqa: A002 - the convention's word
    model: str | None = "m1",
    provider: str | None = "acme",
    at: float = 0.0,
    seconds: float = 1.0,
    error: bool = False,
    **more: Any,
) -> Span:
    """A model call by OTel's conventions; a count of None is not reported. `more` are attributes, `__` for the full stop."""
    return plain(
        trace, span, parent, name=f"chat {model}", at=at, seconds=seconds, error=error,
        gen_ai__operation__name="chat", gen_ai__provider__name=provider, gen_ai__request__model=model,
        gen_ai__response__id=id, gen_ai__usage__input_tokens=input, gen_ai__usage__output_tokens=output,
        gen_ai__usage__cache_read__input_tokens=cached, gen_ai__usage__cache_write__input_tokens=written,
        gen_ai__usage__reasoning__output_tokens=reasoning, **more,
    )  # fmt: skip


def agent(
    trace: int,
    span: int,
    parent: int | None = None,
    *,
    name: str = "fixer",
    input: int | None = None,  # noqa: A002 - the convention's word
    output: int | None = None,
    task: str | None = None,
    at: float = 0.0,
    seconds: float = 10.0,
    **more: Any,
) -> Span:
    """An agent's run; with counts it states what its calls used in all."""
    return plain(
        trace, span, parent, name=f"invoke_agent {name}", at=at, seconds=seconds,
        gen_ai__operation__name="invoke_agent", gen_ai__agent__name=name, gen_ai__usage__input_tokens=input,
        gen_ai__usage__output_tokens=output, allocation__task__class=task, **more,
    )  # fmt: skip


def tool(trace: int, span: int, parent: int | None = None, *, name: str = "run_tests", at: float = 0.0) -> Span:
    """A tool's execution."""
    return plain(
        trace, span, parent, name=f"execute_tool {name}", at=at, gen_ai__operation__name="execute_tool", gen_ai__tool__name=name
    )


def plain(
    trace: int,
    span: int,
    parent: int | None = None,
    *,
    name: str = "work",
    at: float = 0.0,
    seconds: float = 1.0,
    error: bool = False,
    **more: Any,
) -> Span:
    """Any span; attributes that are None are left out."""
    started = AT + timedelta(seconds=at)
    return Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=span.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent is not None else b"",
        name=name,
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=_ns(started),
        end_time_unix_nano=_ns(started + timedelta(seconds=seconds)),
        status=Status(code=Status.STATUS_CODE_ERROR if error else Status.STATUS_CODE_UNSET),
        attributes=_attributes(more),
    )


def log(event: str, trace: int | None = None, parent: int | None = None, *, at: float = 0.0, **more: Any) -> LogRecord:
    """A log record with an event's name."""
    return LogRecord(
        time_unix_nano=_ns(AT + timedelta(seconds=at)),
        trace_id=trace.to_bytes(16, "big") if trace is not None else b"",
        span_id=parent.to_bytes(8, "big") if parent is not None else b"",
        event_name=event,
        attributes=_attributes(more),
    )


def _ns(at: datetime) -> int:
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000


def _attributes(values: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key.replace("__", "."), value=any_value(value)) for key, value in values.items() if value is not None]


def any_value(value: Value) -> AnyValue:
    """A value as OTLP carries it."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    return AnyValue() if value is None else AnyValue(string_value=value)


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────


def request(*spans: Span, tenant: str | None = None, service: str = "agents", scope: str = SDK) -> ExportTraceServiceRequest:
    """One OTLP request; resource and scope are those of all its spans."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.extend(_attributes({"service.name": service, "tenant.id": tenant}))
    listed = group.scope_spans.add()
    listed.scope.name, listed.scope.version = scope, "1"
    listed.spans.extend(spans)
    return message


def log_request(*logs: LogRecord, tenant: str | None = None, scope: str = "") -> ExportLogsServiceRequest:
    """One OTLP request of log records."""
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add()
    group.resource.attributes.extend(_attributes({"service.name": "agents", "tenant.id": tenant}))
    listed = group.scope_logs.add()
    listed.scope.name = scope
    listed.log_records.extend(logs)
    return message


def export(*records: Span | LogRecord, tenant: str | None = None, service: str = "agents", scope: str | None = None) -> Export:
    """The same as the collector takes it in, in protobuf."""
    spans = [record for record in records if isinstance(record, Span)]
    logs = [record for record in records if isinstance(record, LogRecord)]
    if logs:
        return as_export(log_request(*logs, tenant=tenant, scope=scope or ""), "log")
    return as_export(request(*spans, tenant=tenant, service=service, scope=scope or SDK))


def as_export(message: Message, signal: Literal["span", "log", "metric"] = "span") -> Export:
    """A request message as the collector takes it in."""
    return Export(signal, message.SerializeToString(), "protobuf", "identity")


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field as protobuf writes it, for what its own library refuses to build."""
    size, length = len(content), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def deep_request(depth: int, *around: Span) -> bytes:
    """A request in which one span has maps inside maps, this many."""
    value = field(1, b"end")
    for _ in range(depth):
        value = field(6, field(1, field(1, b"k") + field(2, value)))
    span = plain(1, 99).SerializeToString() + field(9, field(1, b"deep") + field(2, value))
    return request(*around).SerializeToString() + field(1, field(2, field(2, span)))


# ── prices and books ─────────────────────────────────────────────────────────────────────────────────


def price(
    connection: psycopg.Connection,
    prices: Mapping[str, str] = PRICES,
    *,
    model: str = "m1",
    provider: str = "acme",
    tenant: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    revision: int = 1,
    tier: str = "standard",
    per: int = 1_000_000,
) -> None:
    """Put rates into the price book: the list's, or a tenant's own."""
    tenant_id = 0 if tenant is None else open_tenants(connection, [tenant])[tenant]
    for commodity, usd in prices.items():
        connection.execute(
            "insert into pigou.rate (tenant_id, provider, model, commodity_id, service_tier, revision, valid, price_usd, per,"
            " basis, source) select %s, %s, %s, commodity_id, %s, %s, tstzrange(%s, %s), %s, %s, 'stated', 'test'"
            "   from pigou.commodity where commodity = %s",
            (tenant_id, provider, model, tier, revision, since, until, usd, per, commodity),
        )


_LIVE = """
select trace_id, span_id, line, book, account, commodity, quantity, rate_usd, amount_usd, occurred_at, posted_on
  from ledger.postings p
 where tenant = %(tenant)s and kind in ('call', 'adjustment')
   and not exists (select from ledger.entries r where r.tenant = p.tenant and r.reverses = p.entry_id)
"""
# What tells when and how often something was booked, and not what is booked.
_HISTORY = {"recorded_at", "entry_id", "checked_at"}


def books(connection: psycopg.Connection, tenant: str) -> dict[str, list[tuple[Any, ...]]]:
    """What the books of a tenant say, without when they came to say it: equal for equal telemetry, in whatever order it came."""
    views: tuple[str, ...] = ("calls", "balances", "suspense", "control_totals", "spans", "coverage", "weak_matches", "accounts")
    views += ("spend_minutely", "spend_hourly", "spend_daily", "statuses_hourly", "statuses_daily", "control_totals_hourly")
    views += ("budget_periods", "texts")
    said = {view: _rows(connection, f"select * from ledger.{view} where tenant = %(tenant)s", tenant) for view in views}
    return {**said, "live postings": _rows(connection, _LIVE, tenant)}


def _rows(connection: psycopg.Connection, query: str, tenant: str) -> list[tuple[Any, ...]]:
    cursor = connection.execute(cast(LiteralString, query), {"tenant": tenant})
    hidden = _HISTORY | {"tenant", "opened_at", "mend", "resource_attributes"}
    shown = [n for n, column in enumerate(cursor.description or ()) if column.name not in hidden]
    return sorted((tuple(row[n] for n in shown) for row in cursor.fetchall()), key=repr)


def run(connection: psycopg.Connection, text: str, *values: object) -> psycopg.Cursor[tuple[Any, ...]]:
    """Execute what a test put together itself, so that it may be any text."""
    return connection.execute(cast(LiteralString, text), values or None)


def rows(connection: psycopg.Connection, text: str, *values: object) -> list[tuple[Any, ...]]:
    """All rows that a query answers."""
    return run(connection, text, *values).fetchall()


def one(connection: psycopg.Connection, text: str, *values: object) -> Any:
    """The one value, or the one row, that a query answers."""
    found = rows(connection, text, *values)
    if len(found) != 1:
        raise LookupError(f"{len(found)} rows: {found}")
    return found[0][0] if len(found[0]) == 1 else found[0]


@contextmanager
def cloned(server: str, template: str, name: str) -> Generator[str]:
    """A database like the template, for tests that share one."""
    close_desks()  # nobody may be connected to what is copied
    with psycopg.connect(server, autocommit=True) as connection:
        run(connection, f"create database {name} template {template} strategy file_copy")
    try:
        yield server.replace("/postgres?", f"/{name}?", 1)
    finally:
        close_desks()
        with psycopg.connect(server, autocommit=True) as connection:
            run(connection, f"drop database {name} with (force)")


class Served(msgspec.Struct, frozen=True):
    """Where a collector listens in this process."""

    http: str
    """host:port"""
    grpc: str
    pipeline: Pipeline


@contextmanager
def serving(dsn: str, **settings: Any) -> Generator[Served]:
    """A whole collector on free ports of the loopback interface: HTTP by uvicorn and gRPC, in a thread of their own."""
    listener = socket.create_server(("127.0.0.1", 0))
    given = CollectorSettings(dsn, http_port=listener.getsockname()[1], grpc_port=0, **settings)
    pipeline = Pipeline(given)
    pipeline.start()
    config = uvicorn.Config(application(pipeline, given), log_level="critical", access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    ports: list[int] = []

    async def serve() -> None:
        grpc_server, port = await start_grpc(pipeline, given)
        ports.append(port)
        await server.serve(sockets=[listener])
        await grpc_server.stop(1)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="serving")
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not (server.started and ports):
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the collector did not start")
            time.sleep(0.01)
        yield Served(f"127.0.0.1:{given.http_port}", f"127.0.0.1:{ports[0]}", pipeline)
    finally:
        server.should_exit = True
        thread.join(30)
        pipeline.stop()
        listener.close()
