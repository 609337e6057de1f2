"""Keys that OTLP/JSON does not know are passed over, and told."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from collector.decode import decode_metrics, decode_traces
from tests.unit.collector.traffic import json_span


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"resourceSpan": []}, "the export has no key resourceSpan, which was passed over; did you mean resourceSpans?"),
        ({"resource_spans": []}, "the export has no key resource_spans, which was passed over; did you mean resourceSpans?"),
        ({"resourceLogs": []}, "resourceLogs is received at /v1/logs, and was passed over here"),
        ({"\ud800": 1}, "the export has no key ?, which was passed over; there are resourceSpans"),
        (
            {"resourceSpans": [{"librarySpans": 1}]},
            "ResourceSpans has no key librarySpans, which was passed over; there are resource, scopeSpans, schemaUrl",
        ),
        (
            {"resourceSpans": [{"scopeSpans": [{"spans": [json_span() | {"attribute": []}] * 2}]}]},
            "Span has no key attribute, which was passed over; did you mean attributes?",
        ),
        (
            {"resourceSpans": [{"resource": {"attributes": [{"key": "a", "value": {"int_value": 5}}]}}]},
            "AnyValue has no key int_value, which was passed over; did you mean intValue?",
        ),
    ],
)
def test_a_key_that_otlp_does_not_know_is_told_and_refuses_nothing(document: dict[str, Any], told: str) -> None:
    decoded = decode_traces(json.dumps(document).encode(), "json")
    assert not decoded.problems
    assert [(warning.code, warning.detail) for warning in decoded.warnings] == [("unknown_key", told)]


def test_a_thousand_unknown_keys_are_told_of_a_few() -> None:
    decoded = decode_metrics(orjson.dumps({f"k{number}" * 100: 1 for number in range(1000)}), "json")
    assert len(decoded.warnings) == 20
    assert max(len(warning.detail) for warning in decoded.warnings) < 200
