"""Every dialect: what an emitter writes, and what it is read as."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from collector.dialects import dialect_of, dialects
from tests.unit.collector.emitters import BEEAI, CASES, CHAT, USED, Case, log
from tests.unit.collector.emitters_mixed import MIXED_CASES
from tests.unit.collector.emitters_of_agents import AGENT_CASES
from tests.unit.collector.test_usage import counts
from tests.unit.collector.traffic import call, reading, record


@pytest.mark.parametrize("case", CASES + AGENT_CASES + MIXED_CASES, ids=lambda case: case.name)
def test_calls(case: Case) -> None:
    found = reading(case.attributes, **case.given)
    assert (found.dialect, found.role) == (case.dialect, "call")
    assert found.call is not None
    assert found.call.problem is None
    assert found.call.leaves == counts(case.leaves)
    assert found.call.keys == tuple(case.keys.split())
    assert found.call.claimed_cost_usd == (None if case.claim is None else Decimal(case.claim))
    assert found.call.service_tier == case.tier


VERCEL = {"ai.model.id": "m", "ai.usage.promptTokens": 10, "ai.usage.completionTokens": 5}
AGGREGATE = {"gen_ai.aggregated_usage.input_tokens": 10, "gen_ai.aggregated_usage.output_tokens": 5}
OI = {"llm.token_count.prompt": 10, "llm.token_count.completion": 5}


TOTALS: tuple[dict[str, Any], ...] = (
    {**CHAT, "gen_ai.usage.total_tokens": 9},
    {**CHAT, "usage": '{"total_tokens":9}'},
    {"llm.usage.total_tokens": 9, "llm.request.model": "m"},
    {"total_tokens": 9, "model": "m"},
    {"usage": '{"totalTokens":9}', "model": "m"},
    {"usageMetadata": '{"totalTokenCount":9}', "model": "m"},
    {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.chat.tokenUsage": '{"total_tokens":9}', "mlflow.llm.model": '"m"'},
    {"openinference.span.kind": "LLM", "llm.model_name": "m", "llm.token_count.total": 9},
    {"llm.model_name": "m", "llm.token_count.total": 9},
    {"openinference.span.kind": "LLM", "llm.model_name": "m", "output.value": '{"usage":{"total_tokens":9}}'},
    {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "m",
     "langfuse.observation.usage_details": '{"total":9}'},
    {"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "m", "ai.usage.totalTokens": 9},
)  # fmt: skip


@pytest.mark.parametrize("attributes", TOTALS)
def test_a_total_alone_is_a_call_in_suspense_and_not_of_nothing(attributes: dict[str, Any]) -> None:
    found = call(attributes)
    assert (found.leaves, found.total_input_tokens, found.problem and found.problem.code) == ({}, None, "usage_incomplete")
    assert found.problem is not None
    assert "only a total of 9" in found.problem.detail


def test_a_total_alone_is_all_that_an_embedding_reports() -> None:
    embedding = {**CHAT, "gen_ai.operation.name": "embeddings"}
    assert call({**embedding, "usage": '{"total_tokens":9}'}).leaves == counts("input=9")


def test_a_parent_that_tells_a_total_alone_is_no_call() -> None:
    assert reading({**CHAT, "gen_ai.operation.name": "invoke_agent", "total_tokens": 9}).role == "agent"


OLLAMA = {
    "model": "llama3.2", "created_at": "2026-01-01T00:00:00Z", "done": True, "done_reason": "stop", "total_duration": 4883583458,
    "load_duration": 1334875, "prompt_eval_count": 26, "prompt_eval_duration": 342546000, "eval_count": 298,
    "eval_duration": 4535599000,
}  # fmt: skip
_LANGCHAIN = {"generations": [[{"message": {"kwargs": {"response_metadata": OLLAMA}}}]], "llm_output": None}
_NO_SELLER = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "llama3.2"}


@pytest.mark.parametrize(
    "attributes",
    [
        {"prompt_eval_count": 26, "eval_count": 298, "model": "llama3.2"},
        {"ollama.prompt_eval_count": 26, "ollama.eval_count": 298, "ollama.model": "llama3.2"},
        {"llm.usage.prompt_eval_count": 26, "llm.usage.eval_count": 298, "llm.request.model": "llama3.2"},
        {"usage": '{"prompt_eval_count":26,"eval_count":298}', "model": "llama3.2"},
        {**_NO_SELLER, "prompt_eval_count": 26, "eval_count": 298},
        {**_NO_SELLER, "response": json.dumps({**OLLAMA, "message": {"role": "assistant", "content": "hi"}})},
        {**_NO_SELLER, "ollama.response": json.dumps(OLLAMA)},
        {"openinference.span.kind": "LLM", "llm.model_name": "llama3.2", "output.value": json.dumps(OLLAMA)},
        {"openinference.span.kind": "LLM", "llm.model_name": "llama3.2", "output.value": json.dumps(_LANGCHAIN)},
    ],
)
def test_ollamas_own_counts(attributes: dict[str, Any]) -> None:
    found = call(attributes)
    assert (found.provider, found.model) == ("ollama", "llama3.2"), "nobody else counts by these names"
    assert (found.leaves, found.problem, found.confidence) == (counts("input=26 output=298"), None, "explicit")


def test_ollamas_own_counts_in_part() -> None:
    cached = call({**CHAT, "eval_count": 298})
    assert (cached.provider, cached.leaves, cached.confidence) == ("openai", counts("output=298"), "low"), (
        "the sender's word goes first"
    )
    assert call({**CHAT, "prompt_eval_count": -1, "eval_count": 298}).problem is not None
    assert call({**CHAT, **USED, "prompt_eval_count": 26, "eval_count": 298}).leaves == counts("input=100 output=50")


@pytest.mark.parametrize(
    ("attributes", "given", "role"),
    [
        ({**CHAT, **USED, "gen_ai.operation.name": "invoke_agent"}, {}, "control"),
        ({**CHAT, "gen_ai.operation.name": "invoke_agent"}, {}, "agent"),
        ({**CHAT, **USED, "gen_ai.operation.name": "fetch_response"}, {}, "control"),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "run_tests"}, {}, "tool"),
        ({"gen_ai.operation.name": "upsert_memory"}, {}, "tool"),
        ({"gen_ai.tool.name": "ByeTool"}, {"scope": "ai.koog"}, "tool"),
        ({**CHAT}, {"status": 2}, "plain"),
        ({**CHAT, "error.type": "openai.NotFoundError"}, {"status": 2}, "plain"),
        ({**CHAT, "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}, {"status": 2}, "plain"),
        ({**CHAT, "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}, {}, "call"),
        ({**CHAT, "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 0}, {"status": 2}, "call"),
        ({**CHAT, "gen_ai.usage.input_tokens": 0, "gen_ai.response.id": "resp_1"}, {"status": 2}, "call"),
        ({"usage": '{"prompt_tokens":0,"completion_tokens":0}', "model": "m"}, {"status": 2}, "plain"),
        ({**CHAT, "logfire.span_type": "pending_span"}, {"scope": "logfire.openai"}, "plain"),
        ({**USED, "gen_ai.request.model": "m", "openinference.span.kind": "AGENT"}, {"scope": "shop"}, "control"),
        ({**USED, "gen_ai.request.model": "m", "gen_ai.span.kind": "STEP"}, {"scope": "shop"}, "control"),
        ({**USED, "gen_ai.request.model": "m", "gen_ai.span.kind": "LLM"}, {"scope": "shop"}, "call"),
        ({**CHAT, **USED, "langsmith.span.kind": "llm"}, {"scope": "shop"}, "call"),
        (
            {"mlflow.spanType": '"AGENT"', "mlflow.chat.tokenUsage": '{"input_tokens":1}', "mlflow.llm.model": '"m"'},
            {},
            "control",
        ),
        ({**CHAT, "gen_ai.operation.name": "image", "gen_ai.usage.cost": 0.04}, {"scope": "openlit"}, "call"),
        ({**CHAT, "logfire.span_type": "span"}, {"scope": "logfire.openai"}, "call"),
        ({"ai.operationId": "ai.generateText", **VERCEL}, {}, "control"),
        ({"ai.operationId": "ai.embed", "ai.usage.tokens": 5}, {}, "control"),
        ({"ai.operationId": "ai.toolCall", "ai.toolCall.name": "getWeather"}, {}, "tool"),
        ({**OI, "openinference.span.kind": "AGENT"}, {}, "control"),
        ({**OI, "openinference.span.kind": "CHAIN"}, {}, "control"),
        ({"openinference.span.kind": "CHAIN"}, {}, "plain"),
        ({"openinference.span.kind": "AGENT"}, {}, "agent"),
        ({"openinference.span.kind": "TOOL", "tool.name": "t"}, {}, "tool"),
        ({"openinference.span.kind": "RETRIEVER"}, {}, "tool"),
        ({**OI, "openinference.span.kind": "LLM"}, {**BEEAI, "name": "backend.openai.chat.partial_update-9"}, "plain"),
        ({"agent_name": "joker", "model_name": "m", **USED}, {"scope": "pydantic-ai", "name": "joker run"}, "control"),
        ({"agent_name": "joker", "gen_ai.operation.name": "invoke_agent", **AGGREGATE}, {"scope": "pydantic-ai"}, "control"),
        ({"gen_ai.tool.name": "t"}, {"scope": "pydantic-ai"}, "tool"),
        ({"traceloop.span.kind": "workflow", "traceloop.entity.name": "w"}, {}, "agent"),
        ({"traceloop.span.kind": "task", "traceloop.entity.name": "w"}, {}, "plain"),
        ({"traceloop.span.kind": "tool", "traceloop.entity.name": "t"}, {}, "tool"),
        ({"llm.openai.usage": "{}", "llm.openai.id": "x"}, {"scope": "litellm", "name": "raw_gen_ai_request"}, "plain"),
        ({"langfuse.observation.type": "agent", "langfuse.observation.usage_details": '{"input": 1}'}, {}, "control"),
        ({"langfuse.observation.type": "span"}, {}, "plain"),
        ({"langfuse.observation.type": "tool"}, {"name": "search"}, "tool"),
        ({"sentry.op": "gen_ai.invoke_agent", **USED}, {}, "control"),
        ({**CHAT, **USED, "gen_ai.operation.name": "execute_event_loop_cycle"}, {"scope": "strands.telemetry.tracer"}, "control"),
        ({"gen_ai.operation.name": "execute_tool", "gcp.vertex.agent.event_id": "e", "gen_ai.tool.name": "t"}, {}, "tool"),
        ({}, {"scope": "vllm.llm_engine", "name": "Worker init"}, "plain"),
        ({"span.type": "interaction"}, {"name": "claude_code.interaction"}, "agent"),
        ({"tool_name": "Bash"}, {**log("claude_code.tool_result"), "scope": "com.anthropic.claude_code.events"}, "tool"),
        (
            {"event.name": "codex.sse_event", "event.kind": "response.output_text.delta", "input_token_count": 5},
            log("codex.sse_event"),
            "plain",
        ),
        ({"event.name": "gemini_cli.model_routing", "decision_model": "m"}, log("gemini_cli.model_routing"), "plain"),
        ({"event.name": "gen_ai.choice", "gen_ai.system": "openai"}, log("gen_ai.choice"), "plain"),
        ({"input_tokens": 10, "output_tokens": 5}, {}, "plain"),
        ({"http.request.method": "GET"}, {}, "plain"),
        ({}, {}, "plain"),
    ],
)
def test_roles(attributes: dict[str, Any], given: dict[str, Any], role: str) -> None:
    assert reading(attributes, **given).role == role


def test_a_control_total_is_whole_whatever_the_convention() -> None:
    inclusive = reading(
        {**CHAT, **USED, "gen_ai.operation.name": "invoke_agent", "gen_ai.usage.cache_read.input_tokens": 60}
    ).control
    assert inclusive is not None
    assert (inclusive.input_tokens, inclusive.output_tokens, inclusive.cost_usd) == (100, 50, None)
    exclusive = reading(
        {
            "langfuse.observation.type": "agent",
            "langfuse.observation.usage_details": '{"input": 40, "input_cached_tokens": 60, "output": 50}',
        }
    ).control
    assert exclusive is not None
    assert (exclusive.input_tokens, exclusive.output_tokens) == (100, 50)


def test_context_is_read_by_every_dialect() -> None:
    found = reading(
        {**CHAT, **USED, "gen_ai.agent.name": "triage", "session.id": "s", "user.id": 7, "allocation.task.class": "bug"},
    )
    assert (found.agent, found.conversation_id, found.user_id, found.task_class) == ("triage", "s", "7", "bug")
    inherited = reading({**CHAT, **USED}, resource={"user.id": "r", "allocation.task.class": "bug", "model": "host-model"})
    assert (inherited.user_id, inherited.task_class) == ("r", "bug")
    assert inherited.call is not None
    assert inherited.call.model == "m"


def test_the_response_model_is_believed_before_the_requested() -> None:
    assert call({**CHAT, **USED, "gen_ai.response.model": "m-2025-08-07"}).model == "m-2025-08-07"


@pytest.mark.parametrize(
    ("tier", "read_as"),
    [
        ("default", "standard"), ("auto", "standard"), ("on_demand", "standard"), ("ON_DEMAND", "standard"),
        ("standard", "standard"),
        ("flex", "flex"), ("priority", "priority"), ("batch", "batch"), ("ON_DEMAND_FLEX", "flex"),
    ],
)  # fmt: skip
def test_service_tiers(tier: str, read_as: str) -> None:
    assert call({**CHAT, **USED, "openai.response.service_tier": tier}).service_tier == read_as


@pytest.mark.parametrize(
    ("claim", "read_as"),
    [
        ("0.00009435", "0.00009435"), (0.1, "0.1"), (3, "3"), ("1e-7", "1E-7"), ("-1", None), (float("nan"), None), ("inf", None),
        ("2E+3", "2000"), ("0e999999999", "0"), (True, None), ("free", None), ("1e999999", None), ("9" * 50, None),
        ("1e-40", None),
    ],
)  # fmt: skip
def test_claims_are_exact_or_nothing(claim: Any, read_as: str | None) -> None:
    read = call({**CHAT, **USED, "operation.cost": claim}).claimed_cost_usd
    assert (None if read is None else read.as_tuple()) == (None if read_as is None else Decimal(read_as).as_tuple())


def test_more_detail_is_stronger_and_then_nearness_to_the_caller() -> None:
    sdk = call({**CHAT, **USED})
    gateway = call({**CHAT, **USED, "litellm.call_id": "c"})
    server = call({**USED, "gen_ai.latency.e2e": 1.0})
    engine = call({**CHAT, **USED, "allocation.engine": "e1"})  # an engine's own, whatever its scope
    detailed = call({**CHAT, **USED, "litellm.call_id": "c", "gen_ai.usage.cache_read.input_tokens": 60})
    unreadable = call({**CHAT, **USED, "gen_ai.usage.cache_read.input_tokens": "many"})
    tiered = call({**CHAT, **USED, "litellm.call_id": "c", "openai.response.service_tier": "batch"})
    order = [detailed, tiered, sdk, gateway, server, unreadable]
    assert order == sorted(order, key=lambda one: one.strength, reverse=True)
    assert len({one.strength for one in order}) == len(order)
    assert engine.strength == server.strength


def test_tokens_of_langfuse_that_nobody_can_price_make_a_guess_of_the_rest() -> None:
    details = {"input": 10, "output": 5, "thinking_video": 7}
    kind = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "m"}

    def confidence(**more: int) -> str:
        return call({**kind, "langfuse.observation.usage_details": str({**details, **more})}).confidence

    assert confidence() == "low"
    assert confidence(thinking_video=0) == "explicit"
    assert confidence(total=15) == "explicit"
    assert confidence(total=22, input_cached_tokens=2) == "low"


def test_the_model_of_mlflow_is_its_text() -> None:
    found = call({"mlflow.chat.tokenUsage": '{"input_tokens":1}', "mlflow.llm.model": '"m"', "mlflow.llm.provider": '"p"'})
    assert (found.model, found.provider) == ("m", "p")


def test_ollamas_three_digit_ids_are_no_identity() -> None:
    ollama = {**CHAT, **USED, "gen_ai.response.id": "chatcmpl-123", "server.port": 11434}
    assert call(ollama).keys == ()
    assert call({**ollama, "server.port": 443}).keys == ("response:chatcmpl-123",)


def test_what_stands_for_no_id_is_no_identity() -> None:
    for nothing in ("None", "null", "undefined"):
        found = call({**CHAT, **USED, "gen_ai.response.id": nothing, "gen_ai.request.id": nothing, "litellm.call_id": nothing})
        assert (found.keys, found.response_id) == ((), None)


def test_an_applications_request_is_not_a_calls() -> None:
    assert call({**CHAT, **USED, "request_id": "web-1"}).keys == ()


def test_the_scope_decides_before_the_keys() -> None:
    both = {**CHAT, **USED, **OI, "openinference.span.kind": "LLM"}
    assert reading(both).dialect == "otel_genai"
    assert reading(both, scope="openinference.instrumentation.openai").dialect == "openinference"
    assert reading(both, scope="opentelemetry.instrumentation.openai_v2").dialect == "otel_genai"
    assert reading(both, scope="opentelemetry.instrumentation.openai").dialect == "openllmetry"


def test_the_documented_table_is_the_table() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "telemetry.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page.partition("## Dialects")[2].partition("\n## ")[0], re.MULTILINE) == [
        d.NAME for d in dialects()
    ]


def test_dialects_say_what_they_are() -> None:
    names = [dialect.NAME for dialect in dialects()]
    assert len(names) == len(set(names))
    assert all(dialect.VERSION for dialect in dialects())
    assert dialect_of(record({"http.method": "GET"})) is None
