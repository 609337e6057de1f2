"""Data points of metrics."""

from __future__ import annotations

from typing import Any

import orjson

from collector.content import CONTENT_DROPPED, ContentPolicy
from collector.decode import decode_metrics
from tests.unit.collector.traffic import START_NS


def test_content_of_metrics_is_never_kept() -> None:
    """It would be part of what tells series apart, and stay as long as these."""
    point = {"timeUnixNano": str(START_NS), "asInt": "3", "attributes": [{"key": "prompt", "value": {"stringValue": "x"}}]}
    metrics = {"metrics": [{"name": "queue", "gauge": {"dataPoints": [point]}}]}
    body = orjson.dumps({"resourceMetrics": [{"scopeMetrics": [metrics]}]})
    assert [p.attributes for p in decode_metrics(body, "json", ContentPolicy(keep=True)).points] == [{CONTENT_DROPPED: 1}]


def test_metrics_become_points() -> None:
    points: dict[str, Any] = {
        "metrics": [
            {"name": "queue", "unit": "1", "gauge": {"dataPoints": [{"timeUnixNano": str(START_NS), "asInt": "3"}]}},
            {"name": "sum", "sum": {"dataPoints": [{"timeUnixNano": str(START_NS), "asDouble": 0.5}]}},
            {
                "name": "latency",
                "histogram": {
                    "dataPoints": [
                        {
                            "timeUnixNano": str(START_NS),
                            "count": "3",
                            "sum": 6.0,
                            "bucketCounts": ["1", "2"],
                            "explicitBounds": [1.0],
                        }
                    ]
                },
            },
            {"name": "undated", "gauge": {"dataPoints": [{"asInt": "3"}]}},
            {"name": "nan", "gauge": {"dataPoints": [{"timeUnixNano": str(START_NS), "asDouble": "NaN"}]}},
        ]
    }
    decoded = decode_metrics(orjson.dumps({"resourceMetrics": [{"scopeMetrics": [points]}]}), "json")
    assert [(p.name, p.kind, p.value) for p in decoded.points] == [
        ("queue", "gauge", 3.0),
        ("sum", "sum", 0.5),
        ("latency", "histogram", None),
    ]
    assert decoded.points[2].detail == {"count": 3, "sum": 6.0, "bounds": [1.0], "counts": [1, 2]}
    assert [problem.code for problem in decoded.problems] == ["missing_time"]


def test_a_bad_point_costs_only_itself() -> None:
    points = [{"timeUnixNano": str(at), "asInt": str(number)} for number, at in enumerate((START_NS, 5, 0, START_NS + 1))]
    metrics = {"metrics": [{"name": "queue", "gauge": {"dataPoints": points}}]}
    decoded = decode_metrics(orjson.dumps({"resourceMetrics": [{"scopeMetrics": [metrics]}]}), "json")
    assert [point.value for point in decoded.points] == [0.0, 3.0]
    assert [problem.code for problem in decoded.problems] == ["bad_time", "missing_time"]
