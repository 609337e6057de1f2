"""The load of a round, and what the books must say of it, worked out from the load alone.

Nothing of the collector's reading or of the ledger's pricing is used here: the expectation is a second, independent one.
"""

from __future__ import annotations

import functools
import gzip
import random
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bench import load

SpanKey: TypeAlias = tuple[str, bytes, bytes]
"""(tenant, trace_id, span_id)."""

TENANTS = 4
TRACES_PER_EXPORT = 2
_PER_MILLION = 1_000_000
_HOUR_NS = 3600 * 10**9
_TEXT = "gen_ai.input.messages"
_BOMB_BYTES = 65 * 1024 * 1024  # just above what the collector unpacks


class Expected(NamedTuple):
    """What the books must say of one span. `leaves` and `cost_usd` are None for a span that is no call."""

    started_us: int
    leaves: dict[str, int] | None
    cost_usd: Decimal | None
    text: str
    """What is to be kept beside it."""


class Outgoing(NamedTuple):
    """One export as it is sent, and the spans in it. A broken one must be refused with 400 or 413."""

    body: bytes
    compression: str
    spans: dict[SpanKey, Expected]
    broken: bool = False


def prices() -> dict[tuple[str, str], dict[str, Decimal]]:
    """USD per million tokens by (provider, model) and commodity: distinct everywhere, so that no mistake cancels another."""
    return {
        offer: {
            "input_tokens": Decimal(2 + number),
            "cache_read_tokens": Decimal(1 + number) / 10,
            "output_tokens": Decimal(11 + 3 * number),
        }
        for number, offer in enumerate(load.MODELS)
    }


def plain(exports: int, seed: str) -> list[Outgoing]:
    """Exports of a few whole traces each."""
    return [Outgoing(body, "identity", spans_of(body)) for body in _bodies(exports, seed)]


def compressed(exports: int, seed: str) -> list[Outgoing]:
    """The same under gzip, so that their size is about what a spool can make of them."""
    return [Outgoing(gzip.compress(out.body, 6, mtime=0), "gzip", out.spans) for out in plain(exports, seed)]


def repeated(exports: int, seed: str) -> list[Outgoing]:
    """Traces torn over many exports, every export one to three times, all in any order."""
    draw = random.Random(f"{seed}:repeated")
    whole = [ExportTraceServiceRequest.FromString(body) for body in _bodies(exports // 2, seed)]
    spans = [span for request in whole for span in request.resource_spans[0].scope_spans[0].spans]
    draw.shuffle(spans)
    size = max(1, len(spans) // len(whole))
    torn = [_packed(whole[0], spans[first : first + size]) for first in range(0, len(spans), size)]
    sent = [out for out in torn for _ in range(draw.randint(1, 3))]
    draw.shuffle(sent)
    return sent


def skewed(exports: int, seed: str) -> list[Outgoing]:
    """Spans whose emitters' clocks jump by hours and days, forth and back, between spans and within them."""
    draw = random.Random(f"{seed}:skewed")
    skewed_exports: list[Outgoing] = []
    for body in _bodies(exports, seed):
        request = ExportTraceServiceRequest.FromString(body)
        offset_ns = 0
        for span in request.resource_spans[0].scope_spans[0].spans:
            if draw.random() < 0.3:
                hours = draw.choice((1, 5, 24, 24 * 9, 24 * 40, 24 * 400))
                offset_ns = draw.choice((-1, 1)) * (hours * _HOUR_NS + draw.randrange(_HOUR_NS))
            span.start_time_unix_nano += offset_ns
            if draw.random() < 0.9:  # else the clock jumped while the span was open
                span.end_time_unix_nano += offset_ns
        changed = request.SerializeToString()
        skewed_exports.append(Outgoing(changed, "identity", spans_of(changed)))
    return skewed_exports


def broken(seed: str) -> list[Outgoing]:
    """An export cut off in its compression (400), and one that unpacks to more than the collector takes (413)."""
    [body] = _bodies(1, f"{seed}:broken")
    return [Outgoing(gzip.compress(body, mtime=0)[:-40], "gzip", spans_of(body), broken=True), _bomb()]


def spans_of(body: bytes) -> dict[SpanKey, Expected]:
    """What the books must say of the spans of an export."""
    request = ExportTraceServiceRequest.FromString(body)
    spans = [span for group in request.resource_spans for scoped in group.scope_spans for span in scoped.spans]
    return dict(map(_expected, spans))


def _expected(span: Span) -> tuple[SpanKey, Expected]:
    told = {pair.key: pair.value for pair in span.attributes}
    key = (told["tenant.id"].string_value, span.trace_id, span.span_id)
    started_us = span.start_time_unix_nano // 1000
    text = told[_TEXT].string_value
    if told["gen_ai.operation.name"].string_value != "chat":
        return key, Expected(started_us, None, None, text)
    cached = told["gen_ai.usage.cache_read.input_tokens"].int_value
    leaves = {
        "input_tokens": told["gen_ai.usage.input_tokens"].int_value - cached,
        "cache_read_tokens": cached,
        "output_tokens": told["gen_ai.usage.output_tokens"].int_value,
    }
    price = prices()[told["gen_ai.provider.name"].string_value, told["gen_ai.request.model"].string_value]
    cost_usd = sum((price[leaf] * count for leaf, count in leaves.items()), Decimal(0)) / _PER_MILLION
    return key, Expected(started_us, {leaf: count for leaf, count in leaves.items() if count}, cost_usd, text)


def _bodies(exports: int, seed: str) -> Iterable[bytes]:
    """Exports of the load, every span with some text."""
    since_ns = time.time_ns() - _HOUR_NS
    for body in load.exports(exports * TRACES_PER_EXPORT, seed, TENANTS, since_ns, TRACES_PER_EXPORT):
        request = ExportTraceServiceRequest.FromString(body)
        for span in (span for group in request.resource_spans for scoped in group.scope_spans for span in scoped.spans):
            span.attributes.add(key=_TEXT).value.string_value = f"what {span.span_id.hex()} was asked"
        yield request.SerializeToString()


def _packed(like: ExportTraceServiceRequest, spans: Sequence[Span]) -> Outgoing:
    request = ExportTraceServiceRequest()
    request.CopyFrom(like)
    scoped = request.resource_spans[0].scope_spans[0]
    del scoped.spans[:]
    scoped.spans.extend(spans)
    body = request.SerializeToString()
    return Outgoing(body, "identity", spans_of(body))


@functools.cache
def _bomb() -> Outgoing:
    [body] = _bodies(1, "bomb")
    request = ExportTraceServiceRequest.FromString(body)
    padding = KeyValue(key="padding")
    padding.value.bytes_value = bytes(_BOMB_BYTES)
    request.resource_spans[0].resource.attributes.append(padding)
    return Outgoing(gzip.compress(request.SerializeToString(), 1, mtime=0), "gzip", spans_of(body), broken=True)
