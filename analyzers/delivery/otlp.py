"""Log records to an OTLP endpoint: protobuf over HTTP, one record per event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from analyzers.delivery.http_request import request
from analyzers.delivery.message import Message, Outcome, Told
from analyzers.delivery.secret import reveal
from ledger.channels import Otlp

_PATH = "/v1/logs"
_SEVERITY = {
    "info": SeverityNumber.SEVERITY_NUMBER_INFO,
    "warning": SeverityNumber.SEVERITY_NUMBER_WARN,
    "critical": SeverityNumber.SEVERITY_NUMBER_ERROR,
}


async def send(settings: Otlp, message: Message, environment: Mapping[str, str], within_s: float) -> Outcome:
    """Export a message's events. Raises SecretAbsent.

    A receiver that took the request and rejected records of it must not be sent it again (OTLP, partial success): they are lost.
    """
    headers = {name: reveal(value, environment) for name, value in settings.headers.items()}
    headers["Content-Type"] = "application/x-protobuf"
    url = reveal(settings.url, environment).rstrip("/")
    url = url if url.endswith(_PATH) else url + _PATH
    body = request_of(message, settings.page).SerializeToString()
    outcome, said = await request(url, body, headers, ca_file=settings.ca_file, within_s=within_s)
    if outcome.result != "sent":
        return Outcome(outcome.result, outcome.answer.partition(" ")[0] if said else outcome.answer, outcome.retry_after_s)
    try:
        partial = ExportLogsServiceResponse.FromString(said).partial_success
    except DecodeError:
        return Outcome("failed", "what answered is no OTLP endpoint: its answer is no ExportLogsServiceResponse")
    if partial.rejected_log_records:
        return Outcome("lost", f"{partial.rejected_log_records} records rejected: {partial.error_message}"[:300])
    return Outcome("sent", "taken")


def request_of(message: Message, page: str | None) -> ExportLogsServiceRequest:
    """The events as log records."""
    exported = ExportLogsServiceRequest()
    group = exported.resource_logs.add()
    group.resource.attributes.append(_attribute("service.name", "pigou"))
    scope = group.scope_logs.add()
    scope.scope.name = "pigou.alerts"
    scope.log_records.extend(_record(told, message, page) for told in message.told)
    return exported


def _record(told: Told, message: Message, page: str | None) -> LogRecord:
    attributes = {
        "pigou.event.key": told.key(message.installation),
        "pigou.message.key": message.key,
        "pigou.event": told.event or told.state,
        "tenant.id": told.tenant,
        "pigou.alert.id": told.alert_id,
        "pigou.alert.rule": told.rule,
        "pigou.alert.subject": told.subject,
        "pigou.alert.severity": told.severity,
        "pigou.alert.state": told.state,
        "pigou.alert.value": told.value,
        "pigou.alert.threshold": told.threshold,
        "pigou.alert.mend": told.mend,
        "pigou.who": told.who,
        "pigou.note": told.note,
        "url.full": told.link(page),
    }
    return LogRecord(
        time_unix_nano=_ns(told.at or message.made_at),
        observed_time_unix_nano=_ns(message.made_at),
        severity_number=_SEVERITY[told.severity],
        severity_text=told.severity,
        event_name="pigou.alert",
        body=AnyValue(string_value=told.message),
        attributes=[_attribute(name, value) for name, value in attributes.items() if value is not None],
    )


def _attribute(name: str, value: str | int) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value))


def _ns(at: datetime) -> int:
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000
