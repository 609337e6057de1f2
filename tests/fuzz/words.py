"""What a fuzzer puts where: the attribute names that dialects read, and values that are no counts, no texts, no numbers."""

from __future__ import annotations

import math
from typing import Any

from collector.dialects import dialects
from collector.provider_usage import FLAVORS

SCOPES = ("", *sorted({scope for dialect in dialects() for scope in dialect.SCOPES}))

COUNT_NAMES = sorted({name for dialect in dialects() for name in getattr(dialect, "COUNTS", {})})
MARKERS = sorted({name for dialect in dialects() for name in dialect.MARKERS})
PROVIDER_PATHS = sorted({path for flavor in FLAVORS.values() for path in flavor.table})

FACTS = (
    "gen_ai.operation.name", "gen_ai.agent.name", "agent.name", "ai.telemetry.functionId", "gen_ai.conversation.id", "session.id",
    "user.id", "allocation.task.class", "allocation.use", "allocation.layer", "allocation.action.class", "gen_ai.tool.name",
    "gen_ai.response.model", "gen_ai.request.model", "model", "llm.model_name", "gen_ai.provider.name", "gen_ai.system",
    "gen_ai.response.id", "ai.response.id", "litellm.call_id", "request_id", "gen_ai.request.id", "service_tier",
    "openai.response.service_tier", "operation.cost", "litellm.cost.total", "gen_ai.usage.cost", "llm.cost.total", "cost_usd",
    "gen_ai.response.finish_reasons", "llm.finish_reason", "openinference.span.kind", "traceloop.span.kind", "sentry.op",
    "traceloop.entity.name", "llm.request.type", "ai.operationId", "ai.model.id", "ai.model.provider", "event.name", "event.kind",
    "span.type", "langfuse.observation.type", "langfuse.observation.model.name", "server.port", "tenant.id", "service.name",
    "duration_ms", "ai.request.headers.user-agent", "pigou.content_dropped", "gen_ai.input.messages", "input.value",
)  # fmt: skip

# Attributes in which emitters attach a provider's answer or its usage as text, or as a map.
CARRIERS = (
    "usage", "llm.usage", "response.usage", "usage_metadata", "usageMetadata", "metadata.usage_object", "hidden_params",
    "output.value", "response_data", "gcp.vertex.agent.llm_response", "ai.response.providerMetadata",
    "langfuse.observation.usage_details", "langfuse.observation.cost_details",
)  # fmt: skip

NAMES = tuple(dict.fromkeys((*COUNT_NAMES, *MARKERS, *FACTS, *CARRIERS, *(path for path in PROVIDER_PATHS if "." not in path))))

RECORD_NAMES = (
    "chat", "llm_request", "claude_code.api_request", "api_request", "interaction", "tool", "codex.sse_event",
    "codex.tool_result",
    "gemini_cli.api_response", "qwen-code.api_response", "gemini_cli.tool_call", "backend.openai.chat.success-1",
    "backend.openai.chat.finish-" + "9" * 30, "raw_gen_ai_request", "gen_ai.client.inference.operation.details", "",
    "a\0b", "\u202eabc", "\U0001f9ff", "\\N", "\\.", "tab\tline\nreturn\rbackslash\\",
)  # fmt: skip

# What attributes of facts are compared with.
WORDS = (
    "chat", "embeddings", "generate_content", "responses", "execute_tool", "invoke_agent", "rerank", "LLM", "EMBEDDING", "AGENT",
    "CHAIN", "TOOL", "RETRIEVER", "agent", "workflow", "generation", "embedding", "span", "chain", "completion", "openai",
    "anthropic", "aws.bedrock", "strands-agents", "gcp.gemini", "gpt-4o-mini", "claude-sonnet-4-5", "ai.generateText.doGenerate",
    "ai.streamText", "ai.embed.doEmbed", "ai.toolCall", "response.completed", "codex.sse_event", "gemini_cli.api_response",
    "llm_request", "gen_ai.chat", "ai/6.1", "ai/" + "9" * 5000 + ".1", "flex", "auto", "act", "verify", "supply", "acme",
    "chatcmpl-1", "resp_1", "tool_calls",
)  # fmt: skip

TEXTS = (
    "", " ", "0", "5", " 5 ", "-5", "5.0", "1e3", "1_000", "\uff15", "\u0665", "9" * 13, "9" * 400, "NaN", "Infinity",
    "true", "null",
    "a\0b", "\0", "\u202e\u200fabc", "\U0001f9ff" * 3, "\\N", "\\.", "tab\tline\nreturn\rbackslash\\", "'", '"', "\x7f\x01\x1b",
    "\ufffd", "\ue000", "0E+999999999", "1e-30", "1e309", "0.1234567890123456789012345", "sNaN", "-0", "0x10", "é" * 700,
)  # fmt: skip

NUMBERS: tuple[float, ...] = (
    0, 1, 2, 5, 60, 100, 255, 256, 1000, 10**12, 10**12 + 1, -1, -5, 2**31, 2**32, 2**53 + 1, 2**63 - 1, -(2**63),
    0.0, -0.0, 0.5, 5.0, 1e12, 1e13, 1e300, 5e-324, math.nan, math.inf, -math.inf,
)  # fmt: skip

_BIG = "f" * 4500
_DEEP = "[" * 990 + "1" + "]" * 990


def _heard(*counts: str) -> str:
    items = ", ".join(f'{{"modality": "AUDIO"{count and ", "}{count}}}' for count in counts)
    return f'{{"promptTokenCount": 100, "promptTokensDetails": [{items}]}}'


# Texts that parse as an object and are none that a provider sends.
OBJECTS = (
    "{}", "{1: 2, 'prompt_tokens': 3}", "{b'a': 1, 'input_tokens': 3, None: 4}",
    f"{{'prompt_tokens': 0x{_BIG}, 'completion_tokens': 1}}", f"{{'total': 0x{_BIG}}}", f"{{'input': 1, 'output': 0x{_BIG}}}",
    "{'prompt_tokens': 1j, 'completion_tokens': ...}", "{'prompt_tokens': {1, 2}, 'completion_tokens': (3,)}",
    "{'id': '\\ud800', 'model': '\\0', 'usage': {'prompt_tokens': 1, 'completion_tokens': 2}}",
    '{"id": "a\\u0000b", "model": "m\\u0000", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}',
    '{"id": "\\ud800", "model": "\\udfff", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}',
    '{"openai": {"serviceTier": ' + _DEEP + ', "responseId": ' + _DEEP + "}}",
    '{"usage": {"promptTokenCount": 1, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": ' + _DEEP + "}]}}",
    '{"prompt_tokens": ' + _DEEP + ', "completion_tokens": 1}',
    '{"additional_headers": {"llm_provider-request-id": ' + _DEEP + "}}",
    _heard('"tokenCount": true', '"tokenCount": 5'), _heard('"tokenCount": 9', '"tokenCount": -4'),
    _heard('"tokenCount": "9"', '"tokenCount": 4'), _heard('"tokenCount": 9', ""),
    '{"generations": ' + "[" * 500 + '{"message": {"kwargs": {"response_metadata": {"id": "x"}}}}' + "]" * 500 + "}",
    "{" * 300, "{'a': " * 300, "{'a': '\\d'}",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    *NUMBERS,
    *TEXTS,
    True,
    False,
    None,
    b"",
    b"\0\xff",
    [],
    {},
    [5],
    [True],
    {"a": 5},
    ["chat", 1],
    [[["a"]]],
)


def nested(paths: dict[str, Any]) -> dict[str, Any]:
    """Dotted paths as objects inside objects, the way providers write their details; labelled lists for words in capitals."""
    body: dict[str, Any] = {}
    for path, value in paths.items():
        *above, last = path.split(".")
        place = body
        for step in above:
            inside = place.get(step)
            if not isinstance(inside, dict | list):
                inside = place[step] = [] if last.isupper() else {}
            if isinstance(inside, list):
                inside += [{"modality": last, "tokenCount": value}]
                break
            place = inside
        else:
            place[last] = value
    return body
