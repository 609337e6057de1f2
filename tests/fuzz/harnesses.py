"""One function per kind of input: bytes go through decoding, reading and staging, and what comes out is judged.

What the collector documents that it refuses is no finding; anything else that is raised is one.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any, Literal

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.content import ContentPolicy
from collector.decode import Decoded, DecodedMetrics, decode_logs, decode_metrics, decode_traces
from collector.decompress import COMPRESSIONS, BadCompression, TooLarge, decompress
from collector.dialects import read
from collector.errors import TooDeep, Undecodable
from collector.infer import Rules
from collector.stage import Staging
from ledger.arrivals import Arrivals
from tests.fuzz.oracle import Read, broken, check_arrivals, check_reading
from tests.fuzz.to_json import to_json

Signal = Literal["span", "log", "metric"]
REQUESTS: dict[Signal, type[Any]] = {
    "span": ExportTraceServiceRequest,
    "log": ExportLogsServiceRequest,
    "metric": ExportMetricsServiceRequest,
}
RULES = Rules.default()
POLICIES = (ContentPolicy(), ContentPolicy(keep=True), ContentPolicy(keep=True, redact=True))
UNPACKED_MAX = 1 << 20
_COMPARED_ONE_IN = 8


def decoded(
    signal: Signal, body: bytes, encoding: Literal["protobuf", "json"], policy: ContentPolicy
) -> Decoded | DecodedMetrics | None:
    """What the decoder says of a body; None when it refuses the whole of it."""
    decode = {"span": decode_traces, "log": decode_logs, "metric": decode_metrics}[signal]
    try:
        return decode(body, encoding, policy)
    except (Undecodable, TooDeep):
        return None


def staged(
    signal: Signal, body: bytes, encoding: Literal["protobuf", "json"], policy: ContentPolicy = POLICIES[0]
) -> list[Arrivals]:
    """The body decoded, read, staged and judged; nothing when it was refused as a whole. Raises: Broken."""
    found = decoded(signal, body, encoding, policy)
    if found is None:
        return []
    staging = Staging(signal, len(body), "default")
    done: list[Read] = []
    points = 0
    if isinstance(found, Decoded):
        for record in found.records:
            reading = read(record, RULES)
            check_reading(record, reading)
            staging.add(record, reading)
            done.append((record, reading))
    else:
        points = len(found.points)
        for point in found.points:
            staging.add_point(point)
    for problem in found.problems:
        staging.reject(problem)
    arrivals = staging.arrivals()
    check_arrivals(arrivals, done, points, len(found.problems))
    return arrivals


def protobuf(signal: Signal) -> Callable[[bytes], None]:
    """A harness over protobuf: every record is counted, and one body in some says the same as JSON."""

    def harness(body: bytes) -> None:
        luck = zlib.crc32(body)
        check_protobuf(signal, body, POLICIES[luck % len(POLICIES)], compare=luck % _COMPARED_ONE_IN == 0)

    return harness


def check_protobuf(signal: Signal, body: bytes, policy: ContentPolicy, *, compare: bool) -> None:
    """Every record of a body that protobuf itself can parse is counted; when compared, its JSON form says the same."""
    arrivals = staged(signal, body, "protobuf", policy)
    try:
        message = REQUESTS[signal].FromString(body)
    except DecodeError:  # what is kept of such a body, and told of the rest, has tests of its own
        return
    check_all_counted(signal, message, arrivals)
    if compare:
        message.DiscardUnknownFields()
        with_one_nan(message)
        check_same_as_json(signal, message, staged(signal, message.SerializeToString(), "protobuf", policy), policy)


def with_one_nan(message: Message) -> None:
    """Give every NaN in a message the bits that Python's has: JSON knows one only, and as bytes they are different content."""
    for field, value in message.ListFields():
        if isinstance(value, float):
            if math.isnan(value):
                setattr(message, field.name, math.nan)
        elif isinstance(value, Message):
            with_one_nan(value)
        elif field.message_type is not None:
            for part in value:
                with_one_nan(part)


def check_all_counted(signal: Signal, message: Any, arrivals: list[Arrivals]) -> None:
    """Every span and log record of a message that can be parsed was staged or refused."""
    if signal == "metric":  # a metric holds many points, and is refused as one
        return
    sent = sum(
        len(scoped.spans if signal == "span" else scoped.log_records)
        for group in (message.resource_spans if signal == "span" else message.resource_logs)
        for scoped in (group.scope_spans if signal == "span" else group.scope_logs)
    )
    found = sum(len(group.records) + len(group.rejections) for group in arrivals)
    if found != sent:
        broken("records that are neither stored nor refused", (sent, found))


def check_same_as_json(signal: Signal, message: Any, arrivals: list[Arrivals], policy: ContentPolicy) -> None:
    """The message in JSON is staged as the message in protobuf is."""
    again = staged(signal, to_json(message), "json", policy)
    if not again and all(not group.records and not group.points for group in arrivals):
        return  # JSON refuses as a whole what nests too deeply outside of records
    for one, other in zip(arrivals, again, strict=True):
        for field in ("records", "points", "resources"):
            if getattr(one, field) != getattr(other, field):
                broken(f"{field} differ in JSON", (getattr(one, field), getattr(other, field)))


def json_text(body: bytes) -> None:
    """A harness over JSON, read as each of the signals."""
    policy = POLICIES[zlib.crc32(body) % len(POLICIES)]
    for signal in REQUESTS:
        staged(signal, body, "json", policy)


def compressed(data: bytes) -> None:
    """A harness over packed bodies; the first byte says how they are packed, and the rest is the body."""
    if not data:
        return
    compression = COMPRESSIONS[data[0] % len(COMPRESSIONS)]
    try:
        body = decompress(data[1:], compression, UNPACKED_MAX)
    except (BadCompression, TooLarge):
        return
    if len(body) > UNPACKED_MAX:
        broken("unpacked beyond its limit", len(body))
    if len(body) <= 1 << 16:
        staged("span", body, "protobuf")


HARNESSES: dict[str, Callable[[bytes], None]] = {
    "traces": protobuf("span"),
    "logs": protobuf("log"),
    "metrics": protobuf("metric"),
    "json": json_text,
    "compressed": compressed,
}
