"""Hypothesis' strategies for any request of OTLP, sensible and not."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.fuzz.words import CARRIERS, NAMES, OBJECTS, PROVIDER_PATHS, RECORD_NAMES, SCOPES, TEXTS, VALUES, WORDS, nested
from tests.unit.collector.emitters import CASES, Case
from tests.unit.collector.emitters_of_agents import AGENT_CASES
from tests.unit.collector.traffic import START_NS, put

TIME_MAX = 2**64 - 1
DAY_NS = 86_400 * 10**9

TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from([*TEXTS, *WORDS])
COUNTS = st.integers(0, 500) | st.sampled_from(["5", 5.0, 10**12, 10**12 + 1, -1, True, 0.5, "five"])
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | TEXT | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
ATTACHED = st.dictionaries(st.sampled_from(PROVIDER_PATHS), COUNTS | st.sampled_from(VALUES), max_size=6).map(nested)


def deep(levels: int, as_map: bool) -> Any:
    """A value this many levels inside others."""
    value: Any = "end"
    for _ in range(levels):
        value = {"k": value} if as_map else [value]
    return value


VALUE: SearchStrategy[Any] = st.one_of(
    COUNTS,
    st.sampled_from(VALUES),
    st.sampled_from(WORDS),
    st.sampled_from(OBJECTS),
    NESTED,
    ATTACHED,
    ATTACHED.map(repr),
    st.builds(deep, st.integers(0, 60), st.booleans()),
)
PAIRS = st.lists(
    st.tuples(st.sampled_from(NAMES), COUNTS | st.sampled_from(WORDS))
    | st.tuples(st.sampled_from([*NAMES, *CARRIERS]) | TEXT, VALUE),
    max_size=12,
)


EMITTED = st.sampled_from([None, *CASES, *AGENT_CASES])
"""What a known emitter writes, to which something is added; or nothing."""


def ids(length: int) -> SearchStrategy[bytes]:
    """Ids as they should be, mostly."""
    right = st.binary(min_size=length, max_size=length).map(lambda drawn: drawn if any(drawn) else b"\1" * length)
    wrong = st.sampled_from([b"", bytes(length)]) | st.binary(max_size=20)
    return st.integers(0, 19).flatmap(lambda luck: right if luck < 19 else wrong)


TIMES = st.integers(START_NS, START_NS + DAY_NS) | st.sampled_from([0, 1, 10**9, START_NS, 7_258_118_400 * 10**9, TIME_MAX])
ENUMS: SearchStrategy[Any] = st.integers(-2, 30)


@st.composite
def traces(draw: DrawFn, times: SearchStrategy[int] = TIMES) -> ExportTraceServiceRequest:
    """Spans with events and links."""
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        group = request.resource_spans.add()
        _pairs(draw, group.resource.attributes)
        listed = group.scope_spans.add()
        listed.scope.name, listed.scope.version = draw(st.sampled_from(SCOPES) | TEXT), draw(TEXT)
        for _ in range(3 - draw(st.integers(0, 3))):
            known = draw(EMITTED)
            span = listed.spans.add()
            span.trace_id, span.span_id, span.parent_span_id = draw(ids(16)), draw(ids(8)), draw(ids(8))
            span.name, span.kind = draw(_names(known)), draw(ENUMS)
            span.start_time_unix_nano, span.end_time_unix_nano = draw(times), draw(times)
            span.status.code, span.status.message = draw(ENUMS), draw(TEXT)
            _pairs(draw, span.attributes, known)
            for _ in range(draw(st.integers(0, 1))):
                event = span.events.add(name=draw(TEXT), time_unix_nano=draw(times))
                _pairs(draw, event.attributes)
                link = span.links.add(trace_id=draw(ids(16)), span_id=draw(ids(8)))
                _pairs(draw, link.attributes)
    return request


@st.composite
def logs(draw: DrawFn, times: SearchStrategy[int] = TIMES) -> ExportLogsServiceRequest:
    """Log records, some inside spans."""
    request = ExportLogsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        group = request.resource_logs.add()
        _pairs(draw, group.resource.attributes)
        listed = group.scope_logs.add()
        listed.scope.name = draw(st.sampled_from(SCOPES) | TEXT)
        for _ in range(3 - draw(st.integers(0, 3))):
            known = draw(EMITTED)
            record = listed.log_records.add()
            record.trace_id, record.span_id = draw(ids(16) | st.just(b"")), draw(ids(8) | st.just(b""))
            record.time_unix_nano, record.observed_time_unix_nano = draw(times), draw(times)
            record.severity_number, record.severity_text = draw(ENUMS), draw(TEXT)
            record.event_name = draw(_names(known))
            put(record.body, draw(VALUE.filter(is_carried)))
            _pairs(draw, record.attributes, known)
    return request


@st.composite
def metrics(draw: DrawFn, times: SearchStrategy[int] = TIMES) -> ExportMetricsServiceRequest:
    """Metrics of every kind."""
    request = ExportMetricsServiceRequest()
    listed = request.resource_metrics.add().scope_metrics.add()
    listed.scope.name = draw(TEXT)
    numbers = st.floats()
    for _ in range(draw(st.integers(0, 3))):
        metric = listed.metrics.add(name=draw(TEXT), unit=draw(TEXT))
        kind = draw(st.sampled_from(["gauge", "sum", "histogram", "exponential_histogram", "summary", None]))
        for _ in range(draw(st.integers(0, 2)) if kind else 0):
            point = getattr(metric, str(kind)).data_points.add()
            point.time_unix_nano, point.flags = draw(times), draw(st.sampled_from([0, 0, 0, 1, 2]))
            _pairs(draw, point.attributes)
            if kind in ("gauge", "sum"):
                if draw(st.booleans()):
                    point.as_int = draw(st.integers(-(2**63), 2**63 - 1))
                elif draw(st.booleans()):
                    point.as_double = draw(numbers)
                continue
            point.count, point.sum = draw(st.integers(0, TIME_MAX)), draw(numbers)
            if kind == "histogram":
                point.explicit_bounds.extend(draw(st.lists(numbers, max_size=3)))
                point.bucket_counts.extend(draw(st.lists(st.integers(0, TIME_MAX), max_size=3)))
            elif kind == "summary":
                point.quantile_values.add(quantile=draw(numbers), value=draw(numbers))
            else:
                point.positive.bucket_counts.extend(draw(st.lists(st.integers(0, TIME_MAX), max_size=3)))
    return request


MESSAGES: dict[str, SearchStrategy[Any]] = {"span": traces(), "log": logs(), "metric": metrics()}


def is_carried(value: Any) -> bool:
    """Whether protobuf can carry the value: whole numbers up to 64 bits, and no halves of characters."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, list):
        return all(map(is_carried, value))
    return all(map(is_carried, [*value, *value.values()])) if isinstance(value, dict) else True


def _names(known: Case | None) -> SearchStrategy[str]:
    return st.sampled_from(RECORD_NAMES) | TEXT if known is None else st.just(known.given.get("name", "chat"))


def _pairs(draw: DrawFn, attributes: Any, known: Case | None = None) -> None:
    for key, value in known.attributes.items() if known else ():
        put(attributes.add(key=key).value, value)
    for key, value in draw(PAIRS):
        if is_carried(value):
            put(attributes.add(key=key).value, value)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a JSON document."""
    items: Any = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    return [found for key, value in items for found in ((*path, key), *places(value, (*path, key)))]


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> None:
    """Puts a value into a JSON document."""
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value


JSON_VALUE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=8), st.just([]), st.just({}),
    st.sampled_from(["\ud800", "1" * 30, "1_000", "\uff15", 10**400, "0x10", [[]], {"stringValue": 5}, -1, "-1", 1e300]),
)  # fmt: skip
