"""OTLP bodies in, records out. Pure: no database, no network, no clock.

A body that cannot be parsed at all raises `Undecodable`. A single record that breaks a rule becomes a `Problem`, and
the rest of the body is kept: that is what the `partial_success` of an OTLP answer counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.content import ContentPolicy
from collector.decode import otlp_json, salvage
from collector.decode.logs import read_log
from collector.decode.metrics import read_metric
from collector.decode.shallow import shallow
from collector.decode.spans import read_resource, read_scope, read_span
from collector.decode.values import RECORDS_MAX, Refused
from collector.errors import TooLarge, Undecodable
from collector.record import Point, Problem, Record, Resource, Scope

__all__ = ["Decoded", "DecodedMetrics", "Encoding", "Undecodable", "decode_logs", "decode_metrics", "decode_traces"]

Encoding: TypeAlias = Literal["protobuf", "json"]
_Request = TypeVar("_Request", ExportTraceServiceRequest, ExportLogsServiceRequest, ExportMetricsServiceRequest)

DROP_CONTENT = ContentPolicy()

# An empty record is two bytes on the wire and some 170 once it is parsed: a large body is looked at before it is.
_LOOKED_AT_FIRST_BYTES = 1024 * 1024


class Decoded(msgspec.Struct):
    """Records of one body in the order they came, one problem per record that was refused, warnings of what was passed over."""

    records: list[Record]
    problems: list[Problem]
    warnings: list[Problem] = []


class DecodedMetrics(msgspec.Struct):
    """Data points of one body, one problem per point or metric that was refused, and warnings of what was passed over."""

    points: list[Point]
    problems: list[Problem]
    warnings: list[Problem] = []


def decode_traces(body: bytes, encoding: Encoding, policy: ContentPolicy = DROP_CONTENT) -> Decoded:
    """The spans of an ExportTraceServiceRequest. Raises: Undecodable, TooDeep, TooLarge."""
    decoded = Decoded([], [])
    request = _parse_shallow(body, encoding, ExportTraceServiceRequest, decoded)
    for group in request.resource_spans:
        resource = read_resource(group.resource, policy, decoded.warnings)
        for scoped in group.scope_spans:
            scope = read_scope(scoped.scope)
            _collect(decoded, scoped.spans, read_span, resource, scope, policy)
    return decoded


def decode_logs(body: bytes, encoding: Encoding, policy: ContentPolicy = DROP_CONTENT) -> Decoded:
    """The log records of an ExportLogsServiceRequest. Raises: Undecodable, TooDeep, TooLarge."""
    decoded = Decoded([], [])
    request = _parse_shallow(body, encoding, ExportLogsServiceRequest, decoded)
    for group in request.resource_logs:
        resource = read_resource(group.resource, policy, decoded.warnings)
        for scoped in group.scope_logs:
            scope = read_scope(scoped.scope)
            _collect(decoded, scoped.log_records, read_log, resource, scope, policy)
    return decoded


def decode_metrics(body: bytes, encoding: Encoding, policy: ContentPolicy = DROP_CONTENT) -> DecodedMetrics:
    """The data points of an ExportMetricsServiceRequest. Raises: Undecodable, TooDeep, TooLarge."""
    decoded = DecodedMetrics([], [])
    request = _parse(body, encoding, ExportMetricsServiceRequest, decoded)
    for group in request.resource_metrics:
        resource = read_resource(group.resource, policy, decoded.warnings)
        for scoped in group.scope_metrics:
            scope = read_scope(scoped.scope)
            for metric in scoped.metrics:
                try:
                    decoded.points.extend(read_metric(metric, resource, scope, policy, decoded.problems))
                except Refused as refused:
                    decoded.problems.append(Problem("decode", refused.code, refused.detail))
    return decoded


_Item = TypeVar("_Item")


def _collect(
    decoded: Decoded,
    items: Iterable[_Item],
    read: Callable[[_Item, Resource, Scope, ContentPolicy], Record],
    resource: Resource,
    scope: Scope,
    policy: ContentPolicy,
) -> None:
    records = decoded.records
    for item in items:
        try:
            records.append(read(item, resource, scope, policy))
        except Refused as refused:
            decoded.problems.append(Problem("decode", refused.code, refused.detail))


def _parse_shallow(body: bytes, encoding: Encoding, request: type[_Request], decoded: Decoded) -> _Request:
    """The request with the attributes of its records left encoded."""
    if encoding == "json":
        whole = otlp_json.parse(body, request, decoded.problems, decoded.warnings)
        return shallow(request).FromString(whole.SerializeToString())
    return _parse(body, encoding, shallow(request), decoded)


def _parse(body: bytes, encoding: Encoding, request: type[_Request], decoded: Decoded | DecodedMetrics) -> _Request:
    if encoding == "json":
        return otlp_json.parse(body, request, decoded.problems, decoded.warnings)
    if len(body) > _LOOKED_AT_FIRST_BYTES and salvage.holds_more_than(body, request, RECORDS_MAX):
        raise TooLarge(f"the export holds more than {RECORDS_MAX} records: send smaller batches")
    try:
        parsed = request.FromString(body)
    except DecodeError:
        # One broken string makes the parser refuse the whole export: look for the record it is in and keep the others.
        parsed = salvage.parse(body, request, decoded.problems)
    _check_number(parsed)
    return parsed


def _check_number(request: Any) -> None:
    """The three requests have the same shape; see salvage.py. Raises: TooLarge."""
    groups = getattr(request, request.DESCRIPTOR.fields[0].name)
    number = len(groups)
    for group in groups if number <= RECORDS_MAX else ():
        lists = getattr(group, group.DESCRIPTOR.fields_by_number[2].name)
        number += len(lists)
        if number > RECORDS_MAX:
            break
        number += sum(len(getattr(listed, listed.DESCRIPTOR.fields_by_number[2].name)) for listed in lists)
    if number > RECORDS_MAX:
        raise TooLarge(f"the export holds more than {RECORDS_MAX} records: send smaller batches")
