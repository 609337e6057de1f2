"""What senders get wrong, as OTLP requests, the same for HTTP and gRPC: a wrong span between two sound calls."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.books import chat, one, plain, request, rows

WRONG = 2


class Case(NamedTuple):
    """A span that is wrong, why it is refused (None: it is stored all the same), and why its call is in suspense."""

    span: Callable[[], Span]
    code: str | None = None
    reason: str | None = None


def _span(**more: Any) -> Callable[[], Span]:
    return lambda: chat(1, WRONG, **more)


def _changed(**fields: Any) -> Callable[[], Span]:
    def build() -> Span:
        span = chat(1, WRONG)
        for name, value in fields.items():
            setattr(span, name, value)
        return span

    return build


def _nested(depth: int) -> Callable[[], Span]:
    return lambda: plain(1, WRONG, deep=functools.reduce(lambda inner, _: [inner], range(depth), "end"))


def _many_values() -> Span:
    return plain(1, WRONG, many=list(range(70_000)))


REFUSED = {
    "no trace id": Case(_changed(trace_id=b""), "bad_trace_id"),
    "a short trace id": Case(_changed(trace_id=b"\1" * 8), "bad_trace_id"),
    "a long trace id": Case(_changed(trace_id=b"\1" * 17), "bad_trace_id"),
    "a trace id of zeros": Case(_changed(trace_id=bytes(16)), "bad_trace_id"),
    "a short span id": Case(_changed(span_id=b"\1"), "bad_span_id"),
    "a span id of zeros": Case(_changed(span_id=bytes(8)), "bad_span_id"),
    "a parent id of wrong length": Case(_changed(parent_span_id=b"\1\2"), "bad_parent_id"),
    "no start": Case(_changed(start_time_unix_nano=0), "missing_time"),
    "a start in milliseconds": Case(_changed(start_time_unix_nano=1_793_610_000_000), "bad_time"),
    "a start in the year 2500": Case(_changed(start_time_unix_nano=16_725_225_600 * 10**9), "bad_time"),
    "lists inside lists": Case(_nested(40), "too_deep"),
    "seventy thousand values": Case(_many_values, "too_many_values"),
}
IN_SUSPENSE = {
    "more cached than went in": Case(_span(input=10, cached=500), reason="negative"),
    "more reasoning than came out": Case(_span(output=10, reasoning=500), reason="negative"),
    "a negative count": Case(_span(input=-5), reason="unreadable"),
    "a count beyond all sense": Case(_span(input=2**62), reason="unreadable"),
    "a count that is text": Case(_span(input="many"), reason="unreadable"),
    "a count that is no number": Case(_span(input=float("nan")), reason="unreadable"),
    "an infinite count": Case(_span(output=float("inf")), reason="unreadable"),
    "half a token": Case(_span(input=1.5), reason="unreadable"),
    "a count that is a list": Case(_span(input=[1, 2]), reason="unreadable"),
    "no counts at all": Case(_span(input=None, output=None), reason="missing"),
}
STORED = {
    "a count in text of digits": Case(_span(input="100", output="10")),
    "a whole count as a floating number": Case(_span(input=100.0)),
    "NUL in text": Case(_span(note="a\0b", user__id="\0")),
    "NUL in a name": Case(_changed(name="a\0b")),
    "an attribute that is no number": Case(_span(score=float("nan"))),
    "an end before the start": Case(_changed(end_time_unix_nano=1)),
    "a response id of a thousand letters": Case(_span(id="".join(chr(0x4E00 + n) for n in range(4000)))),
    "a model's name of a thousand letters": Case(_span(model="".join(chr(0x4E00 + n) for n in range(4000)))),
    "a tenant's name of a thousand letters": Case(_span(tenant__id="".join(chr(0x4E00 + n) for n in range(4000)))),
    "a service tier nobody knows": Case(_span(openai__response__service_tier="imperial")),
    "an enormous claim": Case(_span(gen_ai__usage__cost=1e308)),
    "a claim that is no number": Case(_span(gen_ai__usage__cost=float("nan"))),
    "lists inside lists within the limit": Case(_nested(31)),
}
CASES = REFUSED | IN_SUSPENSE | STORED


def trace_of(name: str) -> int:
    """Each case has a trace of its own, so that all can share one database."""
    return 1000 + list(CASES).index(name)


def wrong(name: str) -> ExportTraceServiceRequest:
    """The request of a case: a sound call, what is wrong, and another sound call."""
    trace = trace_of(name)
    span = CASES[name].span()
    if span.trace_id == plain(1, 1).trace_id:
        span.trace_id = trace.to_bytes(16, "big")
    return request(chat(trace, 1), span, chat(trace, 3))


def refusals(connection: psycopg.Connection) -> dict[str, int]:
    """How many records were refused so far, by code."""
    return dict(rows(connection, "select code, count(*) from ledger.rejections where stage = 'decode' group by code"))


def check_books(connection: psycopg.Connection, name: str, before: dict[str, int], rejected: int, message: str) -> None:
    """Raises unless the sound calls are booked and what is wrong was dealt with and told as its case says."""
    case, trace = CASES[name], f"{trace_of(name):032x}"
    calls = "select status, reason, cost_usd from ledger.calls where trace_id = %s and right(span_id, 1) = %s"
    for sound in "13":
        expect(one(connection, calls, trace, sound)[0], "booked")
    if case.code is not None:
        expect((rejected, refusals(connection)), (1, before | {case.code: before.get(case.code, 0) + 1}))
        expect(case.code in message, True)
        return
    expect((rejected, message, refusals(connection)), (0, "", before))
    expect(one(connection, "select count(*) from ledger.spans where trace_id = %s and right(span_id, 1) = '2'", trace), 1)
    if case.reason is not None:
        status, reason, cost = one(connection, calls, trace, str(WRONG))
        expect((status, case.reason in reason, cost), ("suspense", True, None))


def expect(found: object, wanted: object) -> None:
    """Raises ValueError unless both are equal."""
    if found != wanted:
        raise ValueError(f"found {found!r}, wanted {wanted!r}")


def invalid_utf8() -> bytes:
    """Protobuf whose second span has text that is not UTF-8."""
    marked = request(chat(1, 1), chat(1, WRONG, note="REPLACE"), chat(1, 3)).SerializeToString()
    return marked.replace(b"REPLACE", b"\xff\xfe\xfd\xfc\xfb\xfa\xf9")
