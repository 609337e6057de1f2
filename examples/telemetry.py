"""Plain OpenTelemetry: what every example starts with, and all that Pigou asks of an agent.

Traces, logs and metrics go to OTEL_EXPORTER_OTLP_ENDPOINT (default http://127.0.0.1:4318), in the protocol
OTEL_EXPORTER_OTLP_PROTOCOL names: `http/protobuf` (default) or `grpc`. Both are the SDK's own variables.
"""

import os

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def start_telemetry(service_name: str) -> TracerProvider:
    """Export this process's spans, logs and metrics; what is still queued is sent when the process ends."""
    if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf") == "grpc":
        span_exporter = grpc_traces.OTLPSpanExporter()
        log_exporter = grpc_logs.OTLPLogExporter()
        metric_exporter = grpc_metrics.OTLPMetricExporter()
    else:
        span_exporter = http_traces.OTLPSpanExporter()
        log_exporter = http_logs.OTLPLogExporter()
        metric_exporter = http_metrics.OTLPMetricExporter()

    resource = Resource.create({"service.name": service_name})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(span_exporter))
    trace.set_tracer_provider(tracer_provider)

    logger_provider = LoggerProvider(resource=resource)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
    set_logger_provider(logger_provider)

    metric_reader = PeriodicExportingMetricReader(metric_exporter)
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[metric_reader]))
    return tracer_provider
