"""Emission by the real OpenTelemetry SDK: planned spans and events become SDK spans and log records, exported over OTLP.

Ids come from the plan through the SDK's own `IdGenerator`; times are given at start and end. One batch is exported while
the next is gathered, and no further one is begun before it was taken, so that nothing can be dropped unnoticed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Literal, Self, TypeAlias

import requests
from google.protobuf.message import DecodeError
from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import (
    LoggerProvider,
    LogRecordProcessor,
    ReadableLogRecord,
    ReadWriteLogRecord,
)
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from economy.spans import PlannedEvent, PlannedSpan

Protocol: TypeAlias = Literal["http/protobuf", "grpc"]

BATCH_SPANS = 500
EXPORT_TIMEOUT_S = 10.0
_FIRST_BACKOFF_S = 0.5
_SAMPLED = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT, "server": SpanKind.SERVER}
_SCOPES = {"engine": "vllm.llm_engine"}


class EmissionError(Exception):
    """The collector did not take what was emitted. `unsent` counts the records of the batch that failed."""

    def __init__(self, endpoint: str, reason: str, unsent: int) -> None:
        super().__init__(f"the collector at {endpoint} {reason} ({unsent} records not delivered)")
        self.endpoint = endpoint
        self.reason = reason
        self.unsent = unsent


@dataclass(frozen=True)
class Destination:
    """Where to export: a base URL for `http/protobuf`, a target for `grpc`. Retries last at most `patience_s` per batch."""

    endpoint: str
    protocol: Protocol
    headers: Mapping[str, str]
    patience_s: float


@dataclass
class Emitted:
    """What was handed over for delivery so far; delivered once a flush has returned."""

    spans: int = 0
    events: int = 0
    requests: int = 0


class PlannedIds(IdGenerator):
    """The SDK's id generator, answering with the ids of the plan."""

    def __init__(self) -> None:
        self.trace_id = 0
        self.span_id = 0

    def generate_span_id(self) -> int:
        """The span about to be started."""
        return self.span_id

    def generate_trace_id(self) -> int:
        """The trace about to be started."""
        return self.trace_id

    def is_trace_id_random(self) -> bool:
        """The plan draws all 128 bits."""
        return True


class _Spans(SpanProcessor):
    """Gathers ended spans until they are exported."""

    def __init__(self) -> None:
        self.gathered: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.gathered.append(span)


class _Logs(LogRecordProcessor):
    """Gathers log records until they are exported."""

    def __init__(self) -> None:
        self.gathered: list[ReadWriteLogRecord] = []

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self.gathered.append(log_record)

    def shutdown(self) -> None:
        """Nothing is held open."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 (the SDK's signature)
        """Exports are the emitter's."""
        return True


class _Answers:
    """Reads the collector's HTTP answers, which the SDK's exporters do not show: the last status, and rejected records."""

    def __init__(self) -> None:
        self.status = 0
        self.rejected = 0
        self.message = ""

    def read(self, response: requests.Response, *_: object, **__: object) -> None:
        """A hook of `requests`: note the status and any partial success."""
        self.status = response.status_code
        if response.status_code != 200 or not response.content:
            return
        try:
            if response.url.endswith("/v1/logs"):
                logs = ExportLogsServiceResponse.FromString(response.content).partial_success
                rejected, message = logs.rejected_log_records, logs.error_message
            else:
                spans = ExportTraceServiceResponse.FromString(response.content).partial_success
                rejected, message = spans.rejected_spans, spans.error_message
        except DecodeError:
            return
        self.rejected += rejected
        self.message = message or self.message

    @property
    def is_final(self) -> bool:
        """Whether the last answer cannot be mended by trying again."""
        return 400 <= self.status < 500 and self.status != 429


class Emitter:
    """Emits planned spans and events in the order given and exports them in batches, within a `with` block.

    Raises: EmissionError from `span`, `event` and `flush` when a batch is not taken within the destination's patience or
    is refused for good; at the end of the block when the collector rejected single records.
    """

    def __init__(self, destination: Destination, starts_at: datetime) -> None:
        self.emitted = Emitted()
        self._destination = destination
        self._starts_ns = round(starts_at.timestamp() * 1e6) * 1_000
        self._answers = _Answers()
        self._span_exporter, self._log_exporter = _exporters(destination, self._answers)
        self._ids = PlannedIds()
        self._spans = _Spans()
        self._logs = _Logs()
        self._tracers: dict[tuple[str, str], Tracer] = {}
        self._loggers: dict[tuple[str, str], Logger] = {}
        self._exports = ThreadPoolExecutor(max_workers=1, thread_name_prefix="export")
        self._under_way: Future[None] | None = None

    def span(self, planned: PlannedSpan) -> None:
        """Start and end one span at its simulated times."""
        self._ids.trace_id, self._ids.span_id = planned.trace_id, planned.span_id
        context = Context()
        if planned.parent_id is not None:
            is_remote = planned.parent_service != planned.service
            context = _inside(planned.trace_id, planned.parent_id, is_remote)
        span = self._tracer(planned.service, planned.tenant).start_span(
            planned.name,
            context=context,
            kind=_KINDS[planned.kind],
            attributes=planned.attributes,
            links=[Link(_span_context(trace, span, True)) for trace, span in planned.links],
            start_time=self._at_ns(planned.start_s),
        )
        if planned.error is not None:
            span.set_status(Status(StatusCode.ERROR, planned.error))
        span.end(self._at_ns(planned.end_s))
        if len(self._spans.gathered) >= BATCH_SPANS:
            self._export_spans()

    def event(self, planned: PlannedEvent) -> None:
        """Emit one event in the context of its span."""
        at_ns = self._at_ns(planned.at_s)
        self._logger(planned.service, planned.tenant).emit(
            timestamp=at_ns,
            observed_timestamp=at_ns,
            context=_inside(planned.trace_id, planned.span_id, False),
            severity_number=SeverityNumber.ERROR if planned.severe else SeverityNumber.INFO,
            severity_text="ERROR" if planned.severe else "INFO",
            attributes=planned.attributes,
            event_name=planned.name,
        )
        if len(self._logs.gathered) >= BATCH_SPANS:
            self._export_logs()

    def flush(self) -> None:
        """Export whatever was gathered, and return once it was taken."""
        self._export_spans()
        self._export_logs()
        self._settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Deliver the rest unless something failed, and shut the exporters down."""
        try:
            if kind is None:
                self.flush()
        finally:
            self._exports.shutdown()
            self._span_exporter.shutdown()
            self._log_exporter.shutdown()
        if kind is None:
            self._tell_rejected()

    def _tell_rejected(self) -> None:
        if self._answers.rejected:
            reason = f"rejected records: {self._answers.message or 'no reason given'}"
            raise EmissionError(self._destination.endpoint, reason, self._answers.rejected)

    def _export_spans(self) -> None:
        batch, self._spans.gathered = self._spans.gathered, []
        if batch:
            self._begin(lambda: self._span_exporter.export(batch) is SpanExportResult.SUCCESS, len(batch))
            self.emitted.spans += len(batch)

    def _export_logs(self) -> None:
        gathered, self._logs.gathered = self._logs.gathered, []
        batch = [
            ReadableLogRecord(one.log_record, one.resource or Resource({}), one.instrumentation_scope, one.limits)
            for one in gathered
        ]
        if batch:
            self._begin(lambda: self._log_exporter.export(batch) is LogRecordExportResult.SUCCESS, len(batch))
            self.emitted.events += len(batch)

    def _begin(self, export: Callable[[], bool], count: int) -> None:
        """Begin a delivery once the one before it has ended well."""
        self._settle()
        self._under_way = self._exports.submit(self._deliver, export, count)

    def _settle(self) -> None:
        """Wait for the delivery under way. Raises: EmissionError when it failed."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def _deliver(self, export: Callable[[], bool], count: int) -> None:
        """Export one batch, trying again with growing pauses: the collector may be restarting."""
        deadline_s = time.monotonic() + self._destination.patience_s
        backoff_s = _FIRST_BACKOFF_S
        self._answers.status = 0
        while not export():
            if self._answers.is_final:
                raise EmissionError(self._destination.endpoint, f"answered {self._answers.status}", count)
            if time.monotonic() + backoff_s > deadline_s:
                raise EmissionError(self._destination.endpoint, "did not answer", count)
            time.sleep(backoff_s)
            backoff_s *= 2
        self.emitted.requests += 1

    def _at_ns(self, at_s: float) -> int:
        """Unix nanoseconds, on whole microseconds so that no digit depends on a platform's rounding."""
        return self._starts_ns + round(at_s * 1e6) * 1_000

    def _tracer(self, service: str, tenant: str) -> Tracer:
        tracer = self._tracers.get((service, tenant))
        if tracer is None:
            provider = TracerProvider(
                sampler=ALWAYS_ON, resource=_resource(service, tenant), id_generator=self._ids, shutdown_on_exit=False
            )
            provider.add_span_processor(self._spans)
            tracer = provider.get_tracer(_SCOPES.get(service, f"fleet.{service}"), "1.0.0")
            self._tracers[(service, tenant)] = tracer
        return tracer

    def _logger(self, service: str, tenant: str) -> Logger:
        logger = self._loggers.get((service, tenant))
        if logger is None:
            provider = LoggerProvider(resource=_resource(service, tenant), shutdown_on_exit=False)
            provider.add_log_record_processor(self._logs)
            logger = provider.get_logger(_SCOPES.get(service, f"fleet.{service}"), "1.0.0")
            self._loggers[(service, tenant)] = logger
        return logger


def _exporters(destination: Destination, answers: _Answers) -> tuple[SpanExporter, LogRecordExporter]:
    """The SDK's own OTLP exporters for the destination's protocol."""
    endpoint, headers = destination.endpoint.rstrip("/"), dict(destination.headers)
    if destination.protocol == "grpc":
        insecure = not endpoint.startswith("https://")
        lower = {key.lower(): value for key, value in headers.items()}
        return (
            GrpcSpanExporter(endpoint=endpoint, insecure=insecure, headers=lower, timeout=EXPORT_TIMEOUT_S),
            GrpcLogExporter(endpoint=endpoint, insecure=insecure, headers=lower, timeout=EXPORT_TIMEOUT_S),
        )
    session = requests.Session()
    session.trust_env = False  # a proxy of the environment is not for telemetry of this machine
    session.hooks["response"].append(answers.read)
    return (
        HttpSpanExporter(f"{endpoint}/v1/traces", headers=headers, timeout=EXPORT_TIMEOUT_S, session=session),
        HttpLogExporter(f"{endpoint}/v1/logs", headers=headers, timeout=EXPORT_TIMEOUT_S, session=session),
    )


def _resource(service: str, tenant: str) -> Resource:
    return Resource(
        {
            "service.name": service,
            "service.namespace": "fleet",
            "service.version": "1.0.0",
            "tenant.id": tenant,
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.version": version("opentelemetry-sdk"),
        }
    )


def _span_context(trace_id: int, span_id: int, is_remote: bool) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote, _SAMPLED)


def _inside(trace_id: int, span_id: int, is_remote: bool) -> Context:
    return set_span_in_context(NonRecordingSpan(_span_context(trace_id, span_id, is_remote)), Context())
