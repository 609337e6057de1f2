"""What a fuzzer starts from: the traffic of every emitter that the tests know, and of the benchmark, as bodies."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.load import exports
from tests.fuzz.to_json import to_json
from tests.unit.collector import emitters, emitters_of_agents
from tests.unit.collector.traffic import SPAN, START_NS, TRACE, put, span

CASES = (*emitters.CASES, *emitters_of_agents.AGENT_CASES)


def traces() -> Iterator[ExportTraceServiceRequest]:
    """One small request per emitter, and two traces of the benchmark's load."""
    for case in CASES:
        request = ExportTraceServiceRequest()
        _resource(request.resource_spans.add().resource)
        listed = request.resource_spans[0].scope_spans.add()
        listed.scope.name = case.given.get("scope", "")
        listed.spans.append(span(case.attributes, name=case.given.get("name", "chat"), parent_span_id=bytes(7) + b"\1"))
        yield request
    for body in exports(1, 1, since_ns=START_NS):
        request = ExportTraceServiceRequest.FromString(body)
        del request.resource_spans[0].scope_spans[0].spans[4:]
        yield request


def logs() -> Iterator[ExportLogsServiceRequest]:
    """The same attributes as log records."""
    for case in CASES:
        request = ExportLogsServiceRequest()
        _resource(request.resource_logs.add().resource)
        listed = request.resource_logs[0].scope_logs.add()
        listed.scope.name = case.given.get("scope", "")
        record = listed.log_records.add(trace_id=TRACE, span_id=SPAN, time_unix_nano=START_NS)
        record.event_name = case.given.get("name", "")
        record.body.string_value = case.given.get("name", "body")
        for key, plain in case.attributes.items():
            put(record.attributes.add(key=key).value, plain)
        yield request


def metrics() -> Iterator[ExportMetricsServiceRequest]:
    """One metric of each kind."""
    request = ExportMetricsServiceRequest()
    _resource(request.resource_metrics.add().resource)
    listed = request.resource_metrics[0].scope_metrics.add()
    listed.scope.name = "vllm"
    points: list[Any] = [
        listed.metrics.add(name="queue", unit="1").gauge.data_points.add(as_int=3),
        listed.metrics.add(name="usage").sum.data_points.add(as_double=0.5),
        listed.metrics.add(name="ttft", unit="s").histogram.data_points.add(
            count=3, sum=1.5, explicit_bounds=[0.5, 1.0], bucket_counts=[1, 1, 1]
        ),
        listed.metrics.add(name="e2e").exponential_histogram.data_points.add(count=2, sum=3.0, scale=2, zero_count=1),
        listed.metrics.add(name="old").summary.data_points.add(count=2, sum=3.0),
    ]
    for point in points:
        point.time_unix_nano = START_NS
        put(point.attributes.add(key="model").value, "m")
    points[-1].quantile_values.add(quantile=0.5, value=1.0)
    yield request


def packed() -> Iterator[bytes]:
    """Bodies packed in every way, with the byte before them that says how; and bombs."""
    small = next(traces()).SerializeToString()
    bomb = bytes(8 << 20)
    for body in (small, b"", bomb, small * 300):
        yield b"\0" + body[:10_000]
        yield b"\1" + gzip.compress(body)
        yield b"\1" + gzip.compress(body) * 3
        yield b"\2" + zlib.compress(body)
        yield b"\2" + zlib.compress(body)[2:-4]
        yield b"\3" + zstandard.compress(body)
        yield b"\3" + zstandard.compress(body) + zstandard.compress(body)
    yield b"\1" + gzip.compress(gzip.compress(bomb))


def bodies(harness: str) -> list[bytes]:
    """The seeds of a harness."""
    if harness == "compressed":
        return list(packed())
    makers = {"traces": traces, "logs": logs, "metrics": metrics}
    if harness in makers:
        return [request.SerializeToString() for request in makers[harness]()]
    return [to_json(request) for maker in makers.values() for request in maker()]


def _resource(resource: Any) -> None:
    put(resource.attributes.add(key="service.name").value, "agents")
    put(resource.attributes.add(key="tenant.id").value, "acme")
