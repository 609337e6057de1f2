"""Data points of an OTLP metrics export. Metrics are kept as observations; they never post cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint

from collector.content import ContentPolicy, stored_attributes
from collector.decode.spans import check_time
from collector.decode.values import Budget, Refused, clean_map, clean_text, finite_number, read_attributes
from collector.record import Attributes, AttributeValue, Point, Problem, Resource, Scope

_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def read_metric(
    metric: Metric, resource: Resource, scope: Scope, policy: ContentPolicy, problems: list[Problem]
) -> Iterator[Point]:
    """The points of one metric; a point without a recorded value is left out, one of a bad time or size added to `problems`.

    Raises: Refused for a metric without a name or data.
    """
    kind: Any = metric.WhichOneof("data")
    if kind not in _KINDS:
        raise Refused("bad_metric", f"metric {metric.name[:100]!r} has no data of a known kind")
    if not metric.name:
        raise Refused("bad_metric", "metric without a name")
    name, unit = clean_text(metric.name), clean_text(metric.unit) or None
    for point in getattr(metric, kind).data_points:
        if point.flags & 1:
            continue
        try:
            check_time(point.time_unix_nano, "time of a data point")
            attributes = _attributes(point, policy)
        except Refused as refused:
            problems.append(Problem("decode", refused.code, refused.detail))
            continue
        value, detail = (_number(point), None) if kind in ("gauge", "sum") else (None, _DETAIL[kind](point))
        if value is not None or detail is not None:
            yield Point(name, unit, kind, point.time_unix_nano, value, detail, attributes, resource, scope)


def _attributes(point: Any, policy: ContentPolicy) -> Attributes:
    """What tells the point's series from others: content does not, and is dropped also where that of spans and logs is kept."""
    attributes, content = read_attributes(point.attributes, Budget())
    return clean_map(stored_attributes(attributes, content, policy.dropping))


def _number(point: NumberDataPoint) -> float | None:
    kind = point.WhichOneof("value")
    if kind is None:
        return None
    value = float(point.as_int) if kind == "as_int" else point.as_double
    return value if isinstance(finite_number(value), float) else None


def _histogram(point: Any) -> dict[str, AttributeValue]:
    return {
        "count": point.count,
        "sum": finite_number(point.sum) if point.HasField("sum") else None,
        "bounds": [finite_number(bound) for bound in point.explicit_bounds],
        "counts": list(point.bucket_counts),
    }


def _exponential(point: Any) -> dict[str, AttributeValue]:
    return {
        "count": point.count,
        "sum": finite_number(point.sum) if point.HasField("sum") else None,
        "scale": point.scale,
        "zero_count": point.zero_count,
        "positive": {"offset": point.positive.offset, "counts": list(point.positive.bucket_counts)},
        "negative": {"offset": point.negative.offset, "counts": list(point.negative.bucket_counts)},
    }


def _summary(point: Any) -> dict[str, AttributeValue]:
    return {
        "count": point.count,
        "sum": finite_number(point.sum),
        "quantiles": [[finite_number(q.quantile), finite_number(q.value)] for q in point.quantile_values],
    }


_DETAIL = {"histogram": _histogram, "exponential_histogram": _exponential, "summary": _summary}
