"""Whatever arrives, reading answers; and what it answers adds up."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from collector.decode import decode_traces
from collector.dialects import dialects, read
from collector.errors import Undecodable
from collector.usage import Convention, Counts, Leaves, to_leaves
from tests.unit.collector.traffic import RULES, export, json_export, json_span, record, span

NAMES = sorted({name for dialect in dialects() for name in [*getattr(dialect, "COUNTS", {}), *dialect.MARKERS]})
TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | TEXT
    | st.sampled_from(["12", "LLM", "chat", "{}", "[]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
KEYS = (
    st.sampled_from(NAMES)
    | st.sampled_from(["gen_ai.operation.name", "model", "output.value", "usage", "gen_ai.response.id"])
    | TEXT
)
SCOPES = st.sampled_from(["", *(scope for dialect in dialects() for scope in dialect.SCOPES)])
RECORD_NAMES = st.sampled_from(
    ["chat", "llm_request", "codex.sse_event", "gemini_cli.api_response", "backend.openai.chat.success-1"]
)


@given(st.dictionaries(KEYS, VALUES, max_size=12), SCOPES, RECORD_NAMES, st.sampled_from(["span", "log"]), st.integers(0, 2))
def test_reading_never_raises(attributes: dict[str, Any], scope: str, name: str, signal: str, status: int) -> None:
    found = read(record(attributes, scope=scope, name=name, signal=signal, status=status), RULES)
    assert (found.role == "call") == (found.call is not None)
    assert (found.role == "control") == (found.control is not None)
    if found.call is not None:
        assert (found.call.problem is not None) == (not found.call.leaves)
        assert all(type(quantity) is int and quantity >= 0 for quantity in found.call.leaves.values())


CONVENTIONS = st.builds(Convention, st.booleans(), st.booleans(), st.booleans(), st.booleans())
COUNT_NAMES = st.sampled_from(
    [
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "cache_write_5m_tokens",
        "output_reasoning_tokens",
        "input_audio_tokens",
        "cache_audio_read_tokens",
        "output_audio_tokens",
        "input_tool_tokens",
        "total_tokens",
    ]
)


@given(st.dictionaries(COUNT_NAMES, st.integers(0, 10**6)), CONVENTIONS)
def test_leaves_are_not_negative_and_sum_to_the_whole(counts: Counts, convention: Convention) -> None:
    found = to_leaves(counts, convention)
    if not isinstance(found, Leaves):
        return
    assert all(quantity >= 0 for quantity in found.quantities.values())
    outputs = sum(quantity for name, quantity in found.quantities.items() if name.startswith("output_"))
    inputs = sum(quantity for name, quantity in found.quantities.items() if not name.startswith("output_"))
    if found.total_input_tokens is not None:
        assert inputs == found.total_input_tokens
    if found.total_output_tokens is not None:
        assert outputs == found.total_output_tokens


PLAIN = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(TEXT, PLAIN, max_size=6))
def test_json_and_protobuf_agree(attributes: dict[str, Any]) -> None:
    binary = decode_traces(export(span(attributes)), "protobuf")
    text = decode_traces(json_export(json_span(attributes)), "json")
    assert binary.records == text.records
    assert not binary.problems
    assert "\0" not in "".join(str(key) for key in binary.records[0].attributes)


@given(st.binary(max_size=200), st.sampled_from(["protobuf", "json"]))
def test_no_body_stops_the_decoder(body: bytes, encoding: Any) -> None:
    with contextlib.suppress(Undecodable):
        decode_traces(body, encoding)
