"""Vercel AI SDK spans.

Read from the AI SDK 5.0.76 and 6.0.68 as recorded, and the names of 6's `inputTokenDetails`.

`ai.generateText`, `ai.streamText`, `ai.embed` … repeat the usage of the `.doGenerate`, `.doStream`, `.doEmbed` under
them. Since 6 the input contains cached tokens for every provider; before, Anthropic's and Bedrock's did not. The
provider's own usage, where its metadata carries it, is exact and wins.
"""

from __future__ import annotations

import re

from collector.dialects import otel_genai, shared
from collector.dialects.embedded import Mapping, mapping_of
from collector.provider_usage import leaves_of
from collector.record import Attributes, Problem, Reading, Record
from collector.usage import INCLUSIVE, UNSURE, UNSURE_EXCLUSIVE, Convention, Counts, Leaves, count_table, read_counts

NAME = "vercel_ai"
VERSION = "ai 6.0"
SCOPES: tuple[str, ...] = ("ai.",)

_OPERATION = "ai.operationId"
_EMBED_INPUT = "ai.usage.tokens"
COUNTS = count_table(
    input_tokens=("ai.usage.inputTokens", "ai.usage.promptTokens", _EMBED_INPUT, "gen_ai.usage.input_tokens"),
    output_tokens=("ai.usage.outputTokens", "ai.usage.completionTokens", "gen_ai.usage.output_tokens"),
    total_tokens="ai.usage.totalTokens",
    cache_read_tokens=("ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
    cache_write_tokens="ai.usage.inputTokenDetails.cacheWriteTokens",
    output_reasoning_tokens=("ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"),
)
_OPENAI_DETAILS = count_table(cache_read_tokens="cachedPromptTokens", output_reasoning_tokens="reasoningTokens")
_CALL = re.compile(r"\.do(Generate|Stream|Embed|Rerank)\b")
_MAJOR = re.compile(r"\bai/([0-9]{1,4})\.")
_EXCLUSIVE_PROVIDERS = ("anthropic", "amazon-bedrock", "bedrock", "google.vertex.anthropic", "vertex.anthropic")
MARKERS = frozenset({_OPERATION})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are the AI SDK's."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """Inner operations are calls, outer ones control totals, tool calls tools."""
    attributes = record.attributes
    operation = attributes.get(_OPERATION)
    if not isinstance(operation, str):
        return otel_genai.read_as(record, NAME, INCLUSIVE, shared.RANK_FRAMEWORK)
    facts = shared.facts_of(record)
    read = shared.reading(facts, NAME)
    if operation == "ai.toolCall":
        return shared.as_tool(read, shared.text_of(facts.get("tool")))
    counts = read_counts(attributes, COUNTS)
    metadata = _metadata(attributes)
    if isinstance(counts, dict):
        counts = _with_openai_details(counts, metadata)
    if _CALL.search(operation) is None:
        return shared.as_agent(read, facts, _provider_usage(metadata) or counts, _convention(attributes))
    facts.setdefault("tier", metadata.get("serviceTier") or _usage_of(metadata).get("service_tier"))
    if "response" not in facts:
        facts["response"] = metadata.get("responseId")
    is_embedding = "Embed" in operation or "Rerank" in operation
    return shared.as_call(
        record, read, facts, _provider_usage(metadata) or counts, _convention(attributes), shared.RANK_FRAMEWORK,
        "embeddings" if "Embed" in operation else "rerank" if is_embedding else "chat", is_embedding=is_embedding,
    )  # fmt: skip


def _convention(attributes: Attributes) -> Convention:
    if "ai.usage.inputTokenDetails.noCacheTokens" in attributes or "ai.usage.inputTokenDetails.cacheReadTokens" in attributes:
        return INCLUSIVE
    agent = attributes.get("ai.request.headers.user-agent")
    version = _MAJOR.search(agent) if isinstance(agent, str) else None
    if version is not None and int(version.group(1)) >= 6:
        return INCLUSIVE
    provider = attributes.get("ai.model.provider")
    if isinstance(provider, str) and provider.startswith(_EXCLUSIVE_PROVIDERS):
        return UNSURE_EXCLUSIVE
    return UNSURE


def _metadata(attributes: Attributes) -> Mapping:
    """The provider's part of `providerMetadata`, which is keyed by provider."""
    metadata = mapping_of(attributes.get("ai.response.providerMetadata")) or {}
    for part in metadata.values():
        if isinstance(part, dict):
            return part
    return {}


def _provider_usage(metadata: Mapping) -> Leaves | Problem | None:
    """Anthropic's own usage object: the only place with the lifetimes of its cache writes."""
    usage = _usage_of(metadata)
    if not {"input_tokens", "output_tokens"} <= usage.keys():
        return None
    leaves = leaves_of(usage, "anthropic")
    return leaves if isinstance(leaves, Leaves) else None


def _usage_of(metadata: Mapping) -> Mapping:
    usage = metadata.get("usage")
    return usage if isinstance(usage, dict) else {}


def _with_openai_details(counts: Counts, metadata: Mapping) -> Counts | Problem:
    details = read_counts(metadata, _OPENAI_DETAILS)
    return {**details, **counts} if isinstance(details, dict) else details
