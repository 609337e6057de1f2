"""Faults that users of other systems reported. Each test fails when its guard is taken away."""

from __future__ import annotations

from typing import Any

import pytest

from collector.usage import INCLUSIVE, count_table, read_counts, to_leaves
from tests.unit.collector.test_usage import counts
from tests.unit.collector.traffic import call, reading

CHAT: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def test_cached_tokens_are_not_counted_on_top_of_the_input() -> None:
    found = call(
        {**CHAT, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 90}
    )
    assert sum(found.leaves.values()) == 105


def test_cached_tokens_are_not_ignored() -> None:
    found = call(
        {**CHAT, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 90}
    )
    assert found.leaves["input_tokens"] == 10


def test_exclusive_input_is_not_reduced_by_the_cache() -> None:
    found = call(
        {"event.name": "api_request", "input_tokens": 100, "output_tokens": 5, "cache_read_tokens": 90,
         "cache_creation_tokens": 5},
        signal="log", name="claude_code.api_request",
    )  # fmt: skip
    assert found.leaves["input_tokens"] == 100
    assert found.total_input_tokens == 195


def test_output_is_not_derived_from_the_total() -> None:
    found = call(
        {"event.name": "gemini_cli.api_response", "input_token_count": 10, "output_token_count": 5, "thoughts_token_count": 30,
         "total_token_count": 45, "model": "g"},
        signal="log", name="gemini_cli.api_response",
    )  # fmt: skip
    assert found.leaves["output_tokens"] == 5


def test_reasoning_is_charged_once() -> None:
    inside = call(
        {**CHAT, "gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 50, "gen_ai.usage.reasoning.output_tokens": 20}
    )
    assert inside.leaves == counts("input=1 output=30 thought=20")
    on_top = call(
        {
            "usage": '{"promptTokenCount": 1, "candidatesTokenCount": 50, "thoughtsTokenCount": 20, "totalTokenCount": 71}',
            "model": "g",
        }
    )
    assert on_top.leaves == counts("input=1 output=50 thought=20")


def test_parents_that_repeat_usage_are_not_calls() -> None:
    usage = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 50}
    for parent in ("invoke_agent", "invoke_workflow", "agent_step", "fetch_response", "execute_event_loop_cycle"):
        assert reading({**CHAT, **usage, "gen_ai.operation.name": parent}).call is None
    outer = {"ai.operationId": "ai.streamText", "ai.model.id": "m", "ai.usage.inputTokens": 100, "ai.usage.outputTokens": 50}
    assert reading(outer).call is None
    assert reading({**outer, "ai.operationId": "ai.streamText.doStream"}).call is not None


def test_cumulative_stream_events_are_not_summed() -> None:
    event = {"event.name": "codex.sse_event", "input_token_count": 100, "output_token_count": 50, "model": "m"}
    kinds = ["response.created", "response.in_progress", "response.output_text.delta", "response.completed"]
    readings = [reading({**event, "event.kind": kind}, signal="log", name="codex.sse_event") for kind in kinds]
    assert [found.role for found in readings] == ["plain", "plain", "plain", "call"]


def test_chunks_of_one_response_share_their_identity() -> None:
    chunks = [
        call({**CHAT, "gen_ai.response.id": "chatcmpl-x", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": made})
        for made in (1, 2, 3)
    ]
    assert {chunk.keys for chunk in chunks} == {("response:chatcmpl-x",)}


def test_a_failed_attempt_is_not_a_call_of_no_tokens() -> None:
    assert reading({**CHAT, "error.type": "RateLimitError"}, status=2).role == "plain"


def test_a_call_without_usage_is_missed_not_free() -> None:
    found = call(CHAT)
    assert found.problem is not None
    assert (found.problem.code, found.leaves) == ("usage_missing", {})


def test_a_stream_that_broke_after_it_began_may_have_been_billed() -> None:
    found = call({**CHAT, "gen_ai.response.id": "chatcmpl-began"}, status=2)
    assert found.problem is not None
    assert found.problem.code == "usage_missing"


def test_a_failed_call_that_reports_usage_is_billed() -> None:
    assert call({**CHAT, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 0}, status=2).leaves == counts(
        "input=100 output=0"
    )


@pytest.mark.parametrize("value", ["many", -3, float("nan"), 2**62, 1.5, True, [5]])
def test_an_unreadable_count_goes_to_suspense_and_is_named(value: Any) -> None:
    found = call({**CHAT, "gen_ai.usage.input_tokens": value, "gen_ai.usage.output_tokens": 5})
    assert found.problem is not None
    assert (found.problem.code, found.leaves) == ("count_unreadable", {})
    assert "gen_ai.usage.input_tokens" in found.problem.detail


def test_a_negative_leaf_goes_to_suspense() -> None:
    found = call(
        {**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 60}
    )
    assert found.problem is not None
    assert (found.problem.code, found.leaves) == ("negative_leaf", {})


def test_one_call_seen_by_sdk_gateway_server_and_log_shares_a_key() -> None:
    usage = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
    sdk = call({**CHAT, **usage, "gen_ai.response.id": "chatcmpl-0123456789abcdef"})
    gateway = call({**CHAT, **usage, "gen_ai.response.id": "chatcmpl-0123456789abcdef", "litellm.call_id": "g"})
    server = call({"gen_ai.latency.e2e": 1.0, "gen_ai.request.id": "chatcmpl-0123456789abcdef", **usage})
    assert set(sdk.keys) & set(gateway.keys) & set(server.keys)
    span = call(
        {"span.type": "llm_request", "request_id": "req_1", "input_tokens": 1, "output_tokens": 1}, name="claude_code.llm_request"
    )
    logged = call(
        {"request_id": "req_1", "input_tokens": 1, "output_tokens": 1, "cache_creation_tokens": 0},
        signal="log",
        name="claude_code.api_request",
    )
    assert span.keys == logged.keys == ("request:req_1",)


def test_codex_total_is_not_added() -> None:
    found = call(
        {"event.name": "codex.sse_event", "event.kind": "response.completed", "input_token_count": 100, "output_token_count": 50,
         "tool_token_count": 150, "model": "m"}, signal="log", name="codex.sse_event",
    )  # fmt: skip
    assert sum(found.leaves.values()) == 150


def test_zero_is_reported_and_absence_is_unknown() -> None:
    reported = call(
        {**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 0}
    )
    assert reported.leaves["cache_read_tokens"] == 0
    silent = call({**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5})
    assert "cache_read_tokens" not in silent.leaves


def test_counts_of_null_are_absent() -> None:
    assert read_counts({"gen_ai.usage.input_tokens": None}, count_table(input_tokens="gen_ai.usage.input_tokens")) == {}
    assert to_leaves({}, INCLUSIVE).__class__.__name__ == "Problem"
