"""What emitters of OTel's, OpenInference's and OpenLLMetry's kind write, and what it is read as."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson


class Case(NamedTuple):
    """What arrives, and the dialect, leaves, keys and claim it is read as."""

    name: str
    attributes: dict[str, Any]
    dialect: str
    leaves: str
    keys: str = ""
    claim: str | None = None
    given: Mapping[str, Any] = MappingProxyType({})
    tier: str = "standard"


def log(name: str) -> dict[str, Any]:
    return {"signal": "log", "name": name}


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.provider.name": "openai"}
USED = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 50}
CLAUDE = {"input_tokens": 2, "output_tokens": 50, "cache_read_tokens": 60, "cache_creation_tokens": 30, "model": "c"}
BEEAI = {"scope": "openinference.instrumentation.beeai"}
LITELLM_USAGE = str(
    {
        "completion_tokens": 50,
        "prompt_tokens": 100,
        "total_tokens": 150,
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": None},
        "prompt_tokens_details": {
            "cached_tokens": 60,
            "cache_write_tokens": 30,
            "cache_creation_tokens": 30,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        },
        "cost": 0.1,
    }
)
OPENAI_BODY = orjson.dumps(
    {
        "id": "chatcmpl-embedded-response",
        "model": "gpt-5-2025-08-07",
        "service_tier": "flex",
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 60}},
    }
).decode()
LANGCHAIN_BODY = orjson.dumps(
    {"generations": [[{"message": {"kwargs": {"response_metadata": {"id": "chatcmpl-from-langchain", "token_usage": {}}}}}]]}
).decode()

CASES: list[Case] = [
    Case("otel", {**CHAT, **USED, "gen_ai.response.id": "resp_1"}, "otel_genai", "input=100 output=50", "response:resp_1"),
    Case(
        "otel, cached and reasoning",
        {
            **CHAT,
            **USED,
            "gen_ai.usage.cache_read.input_tokens": 60,
            "gen_ai.usage.cache_write.input_tokens": 30,
            "gen_ai.usage.reasoning.output_tokens": 20,
            "openai.response.service_tier": "flex",
            "openai.request.service_tier": "auto",
        },
        "otel_genai",
        "input=10 read=60 write=30 output=30 thought=20",
        tier="flex",
    ),
    Case(
        "otel, deprecated names",
        {
            "gen_ai.system": "openai",
            "gen_ai.request.model": "m",
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 50,
        },
        "otel_genai",
        "input=100 output=50",
    ),
    Case(
        "otel, text digits and whole floats",
        {**CHAT, "gen_ai.usage.input_tokens": "100", "gen_ai.usage.output_tokens": 50.0},
        "otel_genai",
        "input=100 output=50",
    ),
    Case(
        "otel, audio",
        {**CHAT, **USED, "gen_ai.usage.audio.input_tokens": 40, "gen_ai.usage.audio.output_tokens": 25},
        "otel_genai",
        "input=60 audio=40 output=25 audio_out=25",
    ),
    Case(
        "anthropic's own sdk span",
        {
            **CHAT,
            **USED,
            "gen_ai.usage.cache_write.input_tokens": 30,
            "gen_ai.usage.cache_read.input_tokens": 0,
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 10,
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 20,
            "anthropic.request.id": "req_9",
            "anthropic.response.service_tier": "standard",
        },
        "otel_genai",
        "input=70 read=0 write_5m=10 write_1h=20 output=50",
        "request:req_9",
        given={"scope": "com.anthropic.sdk.python", "version": "2.12.0"},
    ),
    Case(
        "embeddings",
        {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 15},
        "otel_genai",
        "input=15",
    ),
    Case("koog", {**CHAT, **USED}, "otel_genai", "input=100 output=50", given={"scope": "ai.koog", "version": "0.3.0"}),
    Case(
        "an operation of the emitter's own",
        {**CHAT, **USED, "gen_ai.operation.name": "task_decomposition"},
        "otel_genai",
        "input=100 output=50",
    ),
    Case(
        "otel's names over bedrock, from an emitter nobody knows",
        {**CHAT, **USED, "gen_ai.provider.name": "aws.bedrock", "gen_ai.usage.cache_read.input_tokens": 160},
        "bedrock",
        "input=100 read=160 output=50",
    ),
    Case(
        "cache counts that are not otel's, from an emitter nobody knows",
        {**CHAT, **USED, "gen_ai.usage.cache_read_input_tokens": 160},
        "otel_genai",
        "input=100 read=160 output=50",
    ),
    Case(
        "openinference",
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "m",
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 50,
            "llm.token_count.total": 150,
            "llm.token_count.prompt_details.cache_read": 60,
            "llm.token_count.completion_details.reasoning": 20,
            "llm.cost.total": 0.25,
        },
        "openinference",
        "input=40 read=60 output=30 thought=20",
        claim="0.25",
    ),
    Case(
        "openinference leaking bedrock's exclusive input",
        {
            "openinference.span.kind": "LLM",
            "llm.token_count.prompt": 10,
            "llm.token_count.completion": 50,
            "llm.token_count.total": 120,
            "llm.token_count.prompt_details.cache_read": 60,
        },
        "openinference",
        "input=10 read=60 output=50",
    ),
    Case(
        "openinference, usage only in the attached response",
        {"openinference.span.kind": "LLM", "llm.model_name": "gpt-5", "output.value": OPENAI_BODY},
        "openinference",
        "input=40 read=60 output=50",
        "response:chatcmpl-embedded-response",
        given={"scope": "openinference.instrumentation.agno"},
        tier="flex",
    ),
    Case(
        "openinference over langchain, id in the attached generations",
        {
            "openinference.span.kind": "LLM",
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 50,
            "output.value": LANGCHAIN_BODY,
        },
        "openinference",
        "input=100 output=50",
        "response:chatcmpl-from-langchain",
    ),
    Case(
        "openinference embedding",
        {"openinference.span.kind": "EMBEDDING", "llm.token_count.total": 15},
        "openinference",
        "input=15",
    ),
    Case(
        "beeai success",
        {"openinference.span.kind": "LLM", "llm.token_count.prompt": 7, "llm.token_count.completion": 3},
        "beeai",
        "input=7 output=3",
        "beeai:0af7651916cd43dd8448eb211c80319c:backend.openai.chat:16",
        given={**BEEAI, "name": "backend.openai.chat.success-16"},
    ),
    Case(
        "openllmetry",
        {
            **CHAT,
            **USED,
            "gen_ai.usage.total_tokens": 150,
            "gen_ai.usage.cache_read_input_tokens": 60,
            "gen_ai.usage.cache_creation_input_tokens": 30,
        },
        "openllmetry",
        "input=10 read=60 write=30 output=50",
        given={"scope": "opentelemetry.instrumentation.anthropic", "version": "0.62.4"},
    ),
    Case(
        "openllmetry, old names",
        {
            "llm.request.type": "chat",
            "gen_ai.request.model": "m",
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 50,
            "llm.usage.total_tokens": 150,
        },
        "openllmetry",
        "input=100 output=50",
    ),
    Case(
        "litellm",
        {
            **CHAT,
            **USED,
            "litellm.call_id": "c1",
            "gen_ai.response.id": "resp_1",
            "metadata.usage_object": LITELLM_USAGE,
            "gen_ai.cost.total_cost": 0.1,
            "hidden_params": '{"additional_headers": {"llm_provider-request-id": "req_7"}}',
        },
        "litellm",
        "input=10 read=60 write_5m=10 write_1h=20 output=30 thought=20",
        "response:resp_1 gateway:c1 request:req_7",
        claim="0.1",
        given={"scope": "litellm", "name": "litellm_request"},
    ),
    Case(
        "litellm, newer names",
        {**CHAT, **USED, "litellm.call_id": "c1", "litellm.cost.total": 0.5, "litellm.end_user.id": "u"},
        "litellm",
        "input=100 output=50",
        "gateway:c1",
        claim="0.5",
    ),
    Case(
        "pydantic ai",
        {
            **CHAT,
            **USED,
            "gen_ai.usage.cache_read.input_tokens": 60,
            "gen_ai.usage.details.reasoning_tokens": 20,
            "operation.cost": "0.00009435",
        },
        "pydantic_ai",
        "input=40 read=60 output=30 thought=20",
        claim="0.00009435",
        given={"scope": "pydantic-ai", "version": "2.68.0"},
    ),
    Case(
        "logfire's openai integration, usage in the response",
        {
            "gen_ai.request.model": "m",
            "response_data": orjson.dumps({"usage": {"prompt_tokens": 100, "completion_tokens": 50}}).decode(),
        },
        "pydantic_ai",
        "input=100 output=50",
        given={"scope": "logfire.openai"},
    ),
]
