"""One table turns the pipeline's answers, and the door's, into OTLP's: HTTP status, gRPC code, each signal's response message."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from collector.export import Answer, Encoding
from ledger.credentials import Refused

RETRY_AFTER_S = 1

HTTP_STATUS = {
    "stored": 200,
    "undecodable": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "too_large": 413,
    "unsupported": 415,
    "unavailable": 503,
}
HTTP_HEADERS = {
    "unauthenticated": {"WWW-Authenticate": 'Bearer realm="Pigou"'},
    "unavailable": {"Retry-After": str(RETRY_AFTER_S)},
}
GRPC_CODE = {
    "stored": grpc.StatusCode.OK,
    "undecodable": grpc.StatusCode.INVALID_ARGUMENT,
    "unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "forbidden": grpc.StatusCode.PERMISSION_DENIED,
    "too_large": grpc.StatusCode.INVALID_ARGUMENT,  # RESOURCE_EXHAUSTED without RetryInfo would be dropped all the same
    "unsupported": grpc.StatusCode.UNIMPLEMENTED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
}
CONTENT_TYPE: dict[Encoding, str] = {"protobuf": "application/x-protobuf", "json": "application/json"}

_SUCCESS: dict[str, tuple[type[Message], type[Message], str]] = {
    "span": (ExportTraceServiceResponse, ExportTracePartialSuccess, "rejected_spans"),
    "log": (ExportLogsServiceResponse, ExportLogsPartialSuccess, "rejected_log_records"),
    "metric": (ExportMetricsServiceResponse, ExportMetricsPartialSuccess, "rejected_data_points"),
}


def refusal(refused: Refused) -> Answer:
    """What somebody is told who is not let in. What is not known yet is asked again, like all that is away."""
    if refused.kind == "unknown":
        return Answer("unavailable", message=refused.reason)
    return Answer("unauthenticated" if refused.kind == "nobody" else "forbidden", message=refused.reason)


def success(signal: str, answer: Answer) -> Any:
    """The export response of a signal; `partial_success` is set only when something was refused, or passed over and nothing was
    refused, as the specification asks."""
    response_type, partial_type, field = _SUCCESS[signal]
    if not answer.rejected and not answer.message:
        return response_type()
    partial = partial_type(**{field: answer.rejected, "error_message": answer.message})
    return response_type(partial_success=partial)


def body(message: Message, encoding: Encoding) -> bytes:
    """A response message in the encoding of its request."""
    if encoding == "json":
        return MessageToJson(message, indent=None).encode()
    return message.SerializeToString()


def failure(answer: Answer) -> Status:
    """What an error answer carries: google.rpc.Status with the reason."""
    return Status(code=GRPC_CODE[answer.outcome].value[0], message=answer.message)
