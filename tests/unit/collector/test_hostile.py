"""What fuzzing found: each input once stopped the reading of an export, was booked unread, or cost out of all proportion."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
import zstandard

from collector import decode
from collector.content import NO_CONTENT, holds_content, redact_secrets
from collector.decode import decode_logs, decode_metrics, decode_traces
from collector.decode.values import RECORDS_MAX, VALUES_MAX
from collector.decompress import BadCompression, decompress
from collector.dialects import registry
from collector.errors import TooLarge, Undecodable
from collector.infer import Rules
from collector.stage import Staging
from collector.usage import INCLUSIVE, Leaves, to_leaves
from ledger.copy_binary import CALL_COLUMNS, RECORD_COLUMNS, columns_of
from tests.books import field
from tests.unit.collector.traffic import RULES, call, json_export, json_span, reading, record

MODEL = {"model": "m"}
HUGE = "0x" + "f" * 5000
DEEP = "[" * 990 + "1" + "]" * 990
VERCEL = {"ai.operationId": "ai.generateText.doGenerate", "ai.usage.inputTokens": 4, "ai.usage.outputTokens": 1}


@pytest.mark.parametrize(
    "attributes",
    [
        {"usage": "{1: 2, 'prompt_tokens': 3, 'completion_tokens': 4}", **MODEL},
        {"usage": f"{{'prompt_tokens': {HUGE}}}", **MODEL},
        {"usage": '{"promptTokenCount": 1, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": ' + DEEP + "}]}", **MODEL},
        {"langfuse.observation.type": "generation", "langfuse.observation.cost_details": f"{{'total': {HUGE}}}"},
        {**VERCEL, "ai.response.providerMetadata": '{"openai": {"serviceTier": ' + DEEP + ', "responseId": ' + DEEP + "}}"},
        {**VERCEL, "ai.request.headers.user-agent": "ai/" + "9" * 5000 + ".1"},
        {"metadata.usage_object": "{'prompt_tokens': 1}",
         "hidden_params": '{"additional_headers": {"llm_provider-request-id": ' + DEEP + "}}"},
    ],
)  # fmt: skip
def test_nothing_attached_stops_the_reading(attributes: dict[str, Any]) -> None:
    assert reading(attributes).role == "call"


@pytest.mark.parametrize("spelling", [repr, lambda usage: orjson.dumps(usage).decode()])
@pytest.mark.parametrize("text", ["a\0b", "\0"])
def test_nul_in_an_attached_response_is_replaced(spelling: Any, text: str) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    found = call({"openinference.span.kind": "LLM"} | {"output.value": spelling({"id": text, "model": text, "usage": usage})})
    assert found.response_id == found.model == text.replace("\0", "\ufffd")


def test_half_a_character_in_an_attached_response_is_replaced() -> None:
    text = "{'id': '\\ud800', 'model': 'm\\udfff', 'usage': {'prompt_tokens': 1, 'completion_tokens': 2}}"
    found = call({"openinference.span.kind": "LLM", "output.value": text})
    assert (found.response_id, found.model) == ("?", "m?")
    assert found.leaves == {"input_tokens": 1, "output_tokens": 2}


@pytest.mark.parametrize(
    ("first", "second"), [(True, 5), (5, True), (9, -4), (-4, 9), ("nine", 4), (4, "nine"), (0.5, 0.5), ([1], 1), ({"a": 1}, 1)]
)
def test_labelled_counts_are_summed_only_when_all_can_be_read(first: Any, second: Any) -> None:
    details = [{"modality": "AUDIO", "tokenCount": count} for count in (first, second)]
    found = call({"usage": {"promptTokenCount": 100, "candidatesTokenCount": 1, "promptTokensDetails": details}, **MODEL})
    assert found.problem is not None
    assert found.problem.code == "count_unreadable"


@pytest.mark.parametrize("second", [4, "4", 4.0])
def test_labelled_counts_are_summed_however_they_are_written(second: Any) -> None:
    details: list[Any] = [{"modality": "AUDIO", "tokenCount": count} for count in ("5", second)] + [{"modality": "AUDIO"}]
    found = call({"usage": {"promptTokenCount": 100, "candidatesTokenCount": 1, "promptTokensDetails": details}, **MODEL})
    assert found.leaves == {"input_tokens": 91, "input_audio_tokens": 9, "output_tokens": 1}


@pytest.mark.parametrize("count", [[5], {"a": 5}, [], {}])
def test_a_count_that_is_a_list_is_not_one_that_is_missing(count: Any) -> None:
    found = call({"usage": {"prompt_tokens": count, "completion_tokens": 3}, **MODEL})
    assert found.problem is not None
    assert found.problem.code == "count_unreadable"


def test_a_cached_count_that_cannot_be_read_is_not_one_that_is_missing() -> None:
    metadata = {"ai.response.providerMetadata": '{"openai": {"cachedPromptTokens": -5}}'}
    assert call({**VERCEL, **metadata}).problem is not None


def test_reads_by_modality_are_reads_although_no_sum_of_them_is_reported() -> None:
    alone = to_leaves({"cache_audio_read_tokens": 5}, INCLUSIVE)
    assert isinstance(alone, Leaves)
    assert alone.quantities == {"cache_audio_read_tokens": 5}
    within = to_leaves(
        {"input_tokens": 100, "output_tokens": 1, "input_audio_tokens": 10, "cache_audio_read_tokens": 4}, INCLUSIVE
    )
    assert isinstance(within, Leaves)
    assert within.quantities == {
        "input_tokens": 90, "input_audio_tokens": 6, "cache_audio_read_tokens": 4, "output_tokens": 1,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["1_000", "\uff15", "\u0665", "+5", " 5", "5.0", "0x5", ""])
def test_text_in_place_of_an_integer_is_digits(text: str) -> None:
    span = json_span()
    span["attributes"] = [{"key": "n", "value": {"intValue": text}}]
    assert [problem.code for problem in decode_traces(json_export(span), "json").problems] == ["bad_field"]


@pytest.mark.parametrize("text", ["1_0.5", "\uff15.0", "0x1p3", "", "1e99999", "9" * 500, "infinit"])
def test_text_in_place_of_a_number_is_a_number(text: str) -> None:
    span = json_span()
    span["attributes"] = [{"key": "n", "value": {"doubleValue": text}}]
    assert [problem.code for problem in decode_traces(json_export(span), "json").problems] == ["bad_field"]


def test_json_nested_deeper_than_protobuf_is_refused_by_record() -> None:
    for depth in (33, 47, 48, 49, 50, 75):
        value: dict[str, Any] = {"intValue": "1"}
        for _ in range(depth):
            value = {"arrayValue": {"values": [value]}}
        deep, sound = json_span(spanId="0102030405060708"), json_span()
        deep["attributes"] = [{"key": "deep", "value": value}]
        found = decode_traces(json_export(deep, sound), "json")
        assert ([problem.code for problem in found.problems], len(found.records)) == (["too_deep"], 1)
        body = orjson.dumps({"resourceSpans": [{"resource": {"attributes": deep["attributes"]}}]})
        try:
            decode_traces(body, "json")
        except Undecodable as refused:
            assert "nested deeper" in str(refused)  # noqa: PT017 - shallow ones are stored without their resource


# ── small requests that cost much ────────────────────────────────────────────────────────────────────


def test_a_request_of_empty_records_is_refused_before_they_are() -> None:
    spans = field(1, field(2, b"\x12\x00" * (RECORDS_MAX + 1)))
    groups = b"\x0a\x00" * (RECORDS_MAX + 1)
    lists = field(1, b"\x12\x00" * (RECORDS_MAX + 1))
    for body in (spans, groups, lists):
        with pytest.raises(TooLarge, match="more than 250000 records"):
            decode_logs(body, "protobuf")
    many = b",".join([b"{}"] * (RECORDS_MAX + 1))
    for body in (b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}' % many, b'{"resourceSpans":[%s]}' % many):
        with pytest.raises(TooLarge, match="more than 250000 records"):
            decode_traces(body, "json")


@pytest.mark.parametrize("kind", [5, 7, 9, 10, 11])
def test_a_metric_of_empty_points_is_refused_before_it_is_parsed(kind: int) -> None:
    """Ten million points of two bytes take a gigabyte once they are parsed."""
    body = field(1, field(2, field(2, field(1, b"m") + field(kind, b"\x0a\x00" * 10_000_000))))
    with pytest.raises(TooLarge, match="more than 250000 records"):
        decode_metrics(body, "protobuf")


@pytest.mark.parametrize("part", [11, 13])
def test_a_span_of_empty_events_or_links_is_refused_before_it_is_parsed(part: int) -> None:
    span = field(1, b"\1" * 16) + field(2, b"\1" * 8) + field(part, b"") * 10_000_000
    with pytest.raises(TooLarge, match="more than 250000 records"):
        decode_traces(field(1, field(2, field(2, span))), "protobuf")


def test_a_large_body_is_looked_at_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing this one would take gigabytes; a sound one of the same size is read."""
    with pytest.raises(TooLarge, match="more than 250000 records"):
        decode_traces(field(1, field(2, b"\x12\x00" * 10_000_000)), "protobuf")
    monkeypatch.setattr(decode, "_LOOKED_AT_FIRST_BYTES", 10)
    sound = field(1, b"\1" * 16) + field(2, b"\1" * 8) + b"\x39" + (10**18).to_bytes(8, "little")
    assert len(decode_traces(field(1, field(2, field(2, sound) * 3)), "protobuf").records) == 3
    with pytest.raises(Undecodable):
        decode_traces(b"\xff" * 100, "protobuf")


def test_empty_attributes_count_as_values() -> None:
    pairs = b"\x4a\x00" * (VALUES_MAX + 1)
    sound = field(1, b"\1" * 16) + field(2, b"\1" * 8) + b"\x39" + (10**18).to_bytes(8, "little")
    found = decode_traces(field(1, field(2, field(2, sound + pairs))), "protobuf")
    assert [problem.code for problem in found.problems] == ["too_many_values"]
    span = {**json_span(), "attributes": [{}] * (VALUES_MAX + 1)}
    assert [problem.code for problem in decode_traces(json_export(span), "json").problems] == ["too_many_values"]


def test_a_zstd_body_of_empty_blocks_is_refused() -> None:
    head = b"\x28\xb5\x2f\xfd\x00\x58"
    with pytest.raises(BadCompression, match="more than 100000 blocks"):
        decompress(head + bytes(3) * 200_000 + b"\x01\x00\x00", "zstd", 1000)
    assert decompress(head + bytes(3) * 1000 + b"\x01\x00\x00" + zstandard.compress(b"a"), "zstd", 1000) == b"a"


def test_what_is_remembered_of_names_is_short() -> None:
    name = "n" * 10_000
    rules = Rules.default()
    assert not holds_content(name)
    assert reading({"gen_ai.agent.name": name}, scope=name, name=name, rules=rules).agent == name
    assert registry.dialect_of(record({}, scope="codex" + name)) is not None
    assert not [known for known in (*NO_CONTENT, *registry._BY_SCOPE) if len(known) > 200]
    assert not [word for names in rules._answers for word in names if word is not None and len(word) > 200]


def test_secrets_within_words_are_not_looked_for_again_and_again() -> None:
    token = "eyJ" + "a" * 20
    assert redact_secrets(f"bearer={token}.{token}.{'b' * 20}") == "bearer=[secret]"
    assert len(re.findall(r"\[secret\]", redact_secrets(f"{token}-" * 1000 + f" {token}.{token}.{'b' * 20}"))) == 1


def test_what_was_found_can_be_staged() -> None:
    """From the record to what is stored, in one go."""
    text = "{'id': '\\ud800" + "x" * 600 + "', 'model': '\\0', 'usage': {'prompt_tokens': 1, 'completion_tokens': 2}}"
    found = record({"openinference.span.kind": "LLM", "output.value": text})
    staging = Staging("span", 1, "default")
    staging.add(found, reading({"openinference.span.kind": "LLM", "output.value": text}, rules=RULES))
    [arrivals] = staging.arrivals()
    [ready] = arrivals.records
    assert ready.call is not None
    assert ready.call.model == "\ufffd"
    assert all(len(key) < 600 for key in ready.call.keys)


def test_names_too_long_for_an_index_are_bounded_and_told_apart() -> None:
    """What is grouped by; whole it stands in the attributes."""
    staging = Staging("span", 1, "default")
    for ending in "ab":
        long = dict.fromkeys(
            ("gen_ai.request.model", "allocation.task.class", "gen_ai.agent.name", "enduser.id"), "n" * 5000 + ending
        )
        told = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 1, **long}
        staging.add(record(told), reading(told, rules=RULES))
    [arrivals] = staging.arrivals()
    rows = [
        {**columns_of(ready.row, RECORD_COLUMNS), **columns_of(ready.call.row, CALL_COLUMNS)}
        for ready in arrivals.records
        if ready.call
    ]
    for name in ("model", "task_class", "agent", "user_id"):
        one, other = (row[name] for row in rows)
        assert one
        assert len(one) == 200
        assert one != other
    assert "n" * 5000 in str(rows[0]["attributes"])
