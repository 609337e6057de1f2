"""Usage bodies as providers' APIs answer them, before any telemetry convention.

Read from the providers' API references as of November 2026; unit names after genai-prices 0.2. A *flavor* is one
API's shape and meaning of usage; the same shape may mean different things (xAI counts reasoning on top of completion
tokens, OpenAI inside).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from collector.record import AttributeValue, Problem
from collector.usage import (
    ADDITIVE,
    EXCLUSIVE_CACHE,
    INCLUSIVE,
    REASONING_ON_TOP,
    Convention,
    Counts,
    CountTable,
    Leaves,
    count_table,
    read_count,
    read_counts,
    to_leaves,
)

_CHAT = count_table(
    input_tokens="prompt_tokens",
    output_tokens="completion_tokens",
    total_tokens="total_tokens",
    cache_read_tokens=(
        "prompt_tokens_details.cached_tokens",
        "cache_read_input_tokens",
        "prompt_cache_hit_tokens",
        "cached_tokens",
        "cached_prompt_text_tokens",
        "cache_read_tokens",
    ),
    cache_write_tokens=(
        "prompt_tokens_details.cache_write_tokens",
        "prompt_tokens_details.cache_creation_tokens",
        "cache_write_tokens",
    ),
    output_reasoning_tokens=("completion_tokens_details.reasoning_tokens", "reasoning_tokens"),
    input_audio_tokens="prompt_tokens_details.audio_tokens",
    output_audio_tokens="completion_tokens_details.audio_tokens",
    web_searches="num_search_queries",
)
_PERPLEXITY = count_table(
    input_tokens="prompt_tokens",
    output_tokens="completion_tokens",
    output_reasoning_tokens="reasoning_tokens",
    output_citation_tokens="citation_tokens",
    web_searches="num_search_queries",
)
# LiteLLM answers every provider's usage in OpenAI's shape, with Anthropic's cache lifetimes inside the prompt's details.
_LITELLM = CountTable(
    _CHAT
    | count_table(
        cache_write_tokens=(
            "prompt_tokens_details.cache_write_tokens",
            "prompt_tokens_details.cache_creation_tokens",
            "cache_creation_input_tokens",
        ),
        cache_write_5m_tokens="prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens",
        cache_write_1h_tokens="prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",
    )
)
_RESPONSES = count_table(
    input_tokens="input_tokens",
    output_tokens="output_tokens",
    total_tokens="total_tokens",
    cache_read_tokens=(
        "input_tokens_details.cached_tokens",
        "input_tokens_details.cache_read_input_tokens",
        "cached_input_tokens",
        "cached_tokens",
        "cache_read_tokens",
    ),
    cache_write_tokens=("input_tokens_details.cache_write_tokens", "cache_write_tokens"),
    output_reasoning_tokens=("output_tokens_details.reasoning_tokens", "reasoning_output_tokens", "reasoning_tokens"),
    input_image_tokens="input_tokens_details.image_tokens",
    output_image_tokens="output_tokens_details.image_tokens",
    web_searches="tool_calls_details.search_web.invocation",
)
_REALTIME = count_table(
    input_tokens="input_tokens",
    output_tokens="output_tokens",
    total_tokens="total_tokens",
    cache_read_tokens="input_token_details.cached_tokens",
    cache_audio_read_tokens="input_token_details.cached_tokens_details.audio_tokens",
    cache_image_read_tokens="input_token_details.cached_tokens_details.image_tokens",
    input_audio_tokens="input_token_details.audio_tokens",
    input_image_tokens="input_token_details.image_tokens",
    output_audio_tokens="output_token_details.audio_tokens",
    audio_seconds=("billable_audio_seconds", "seconds"),
    input_text_messages="input_text_messages",
)
_ANTHROPIC = count_table(
    input_tokens="input_tokens",
    output_tokens="output_tokens",
    cache_read_tokens=("cache_read_input_tokens", "cache_read_tokens"),
    cache_write_tokens=("cache_creation_input_tokens", "cache_creation_tokens"),
    cache_write_5m_tokens="cache_creation.ephemeral_5m_input_tokens",
    cache_write_1h_tokens="cache_creation.ephemeral_1h_input_tokens",
    output_reasoning_tokens="output_tokens_details.thinking_tokens",
    web_searches="server_tool_use.web_search_requests",
)
_BEDROCK = count_table(
    input_tokens="inputTokens",
    output_tokens="outputTokens",
    total_tokens="totalTokens",
    cache_read_tokens=("cacheReadInputTokens", "cacheReadInputTokenCount"),
    cache_write_tokens=("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
    cache_write_5m_tokens="cacheDetails.5m",
    cache_write_1h_tokens="cacheDetails.1h",
)
_GEMINI = count_table(
    input_tokens=("promptTokenCount", "prompt_token_count"),
    output_tokens=("candidatesTokenCount", "candidates_token_count", "responseTokenCount", "response_token_count"),
    total_tokens=("totalTokenCount", "total_token_count"),
    cache_read_tokens=("cachedContentTokenCount", "cached_content_token_count"),
    output_reasoning_tokens=("thoughtsTokenCount", "thoughts_token_count"),
    input_tool_tokens=("toolUsePromptTokenCount", "tool_use_prompt_token_count"),
    input_audio_tokens=("promptTokensDetails.AUDIO", "prompt_tokens_details.AUDIO"),
    input_image_tokens=("promptTokensDetails.IMAGE", "prompt_tokens_details.IMAGE"),
    input_video_tokens=("promptTokensDetails.VIDEO", "prompt_tokens_details.VIDEO"),
    output_audio_tokens=("candidatesTokensDetails.AUDIO", "candidates_tokens_details.AUDIO"),
    output_image_tokens=("candidatesTokensDetails.IMAGE", "candidates_tokens_details.IMAGE"),
    output_video_tokens=("candidatesTokensDetails.VIDEO", "candidates_tokens_details.VIDEO"),
    cache_audio_read_tokens=("cacheTokensDetails.AUDIO", "cache_tokens_details.AUDIO"),
    cache_image_read_tokens=("cacheTokensDetails.IMAGE", "cache_tokens_details.IMAGE"),
    cache_video_read_tokens=("cacheTokensDetails.VIDEO", "cache_tokens_details.VIDEO"),
)
_COHERE = count_table(
    input_tokens=("billed_units.input_tokens", "tokens.input_tokens"),
    output_tokens=("billed_units.output_tokens", "tokens.output_tokens"),
    rerank_searches="billed_units.search_units",
)
# Ollama's own API leaves out the prompt's count where the whole prompt was cached.
_OLLAMA = count_table(input_tokens="prompt_eval_count", output_tokens="eval_count")
_MISTRAL_OCR = count_table(input_document_pages="pages_processed")


class Flavor(msgspec.Struct, frozen=True):
    """One API's usage body: where its counts are, what they contain, and whether there is no output to expect."""

    table: CountTable
    convention: Convention
    is_embedding: bool = False


FLAVORS: dict[str, Flavor] = {
    "openai_chat": Flavor(_CHAT, INCLUSIVE),
    "litellm": Flavor(_LITELLM, INCLUSIVE),
    "openai_responses": Flavor(_RESPONSES, INCLUSIVE),
    "openai_realtime": Flavor(_REALTIME, INCLUSIVE),
    "openai_images": Flavor(_RESPONSES, INCLUSIVE),
    "embeddings": Flavor(count_table(input_tokens=("prompt_tokens", "input_tokens", "total_tokens")), INCLUSIVE, True),
    "anthropic": Flavor(_ANTHROPIC, EXCLUSIVE_CACHE),
    "bedrock": Flavor(_BEDROCK, EXCLUSIVE_CACHE),
    "gemini": Flavor(_GEMINI, REASONING_ON_TOP),
    # xAI and Perplexity bill reasoning beside the completion tokens of the same shape.
    "xai": Flavor(_CHAT, REASONING_ON_TOP),
    "perplexity": Flavor(_PERPLEXITY, REASONING_ON_TOP),
    "cohere": Flavor(_COHERE, INCLUSIVE),
    "ollama": Flavor(_OLLAMA, INCLUSIVE),
    "mistral_ocr": Flavor(_MISTRAL_OCR, INCLUSIVE, True),
    "cursor": Flavor(
        count_table(
            input_tokens="inputTokens",
            output_tokens="outputTokens",
            cache_read_tokens="cacheReadTokens",
            cache_write_tokens="cacheWriteTokens",
        ),
        ADDITIVE,
    ),
}
_ALIASES = {
    **dict.fromkeys(("chat", "openai", "groq", "mistral", "openrouter", "azure", "deepseek", "cerebras"), "openai_chat"),
    **dict.fromkeys(("fireworks", "together", "moonshotai", "databricks", "huggingface", "vllm"), "openai_chat"),
    "responses": "openai_responses",
    "realtime": "openai_realtime",
    "images": "openai_images",
    "openai_embeddings": "embeddings",
    "google": "gemini",
    "vertex_ai": "gemini",
    "aws": "bedrock",
    "x-ai": "xai",
}

_ROOTS = (
    ("usage",),
    ("usageMetadata",),
    ("usage_metadata",),
    ("response", "usage"),
    ("result", "usage"),
    ("usage_info",),
    ("meta",),
    ("tokenUsage",),
)
_DEPTH_MAX = 6
_TOTALS = {"total_tokens": "openai_chat", "totalTokens": "bedrock", "totalTokenCount": "gemini", "total_token_count": "gemini"}
_ANTHROPIC_ALONE = frozenset(
    {"cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation_tokens", "cache_creation", "server_tool_use"}
)


def leaves_of(usage_body: Mapping[str, AttributeValue], flavor: str) -> Leaves | Problem:
    """Disjoint leaves of a provider's usage, given as the whole response body or as its usage object alone.

    `flavor`: a name in `FLAVORS`, or a provider's common name for it. Raises: KeyError for a flavor that is not known.
    """
    counts, convention = counts_of(usage_body, flavor)
    if isinstance(counts, Problem):
        return counts
    return to_leaves(counts, convention, is_embedding=FLAVORS[_ALIASES.get(flavor, flavor)].is_embedding)


def counts_of(usage_body: Mapping[str, AttributeValue], flavor: str) -> tuple[Counts | Problem, Convention]:
    """The counts of a provider's usage and what they contain. Raises: KeyError for a flavor that is not known."""
    known = FLAVORS[_ALIASES.get(flavor, flavor)]
    return read_counts(_flat(usage_of(usage_body)), known.table), known.convention


def usage_of(body: Mapping[str, AttributeValue]) -> Mapping[str, AttributeValue]:
    """The usage object within a response body; the body itself when it has none."""
    for path in _ROOTS:
        found: AttributeValue = cast("dict[str, AttributeValue]", body)
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        if isinstance(found, dict):
            return found
    return body


def flavor_of(usage: Mapping[str, AttributeValue]) -> str | None:
    """The flavor that the keys of a usage object show; None when they show none."""
    keys = usage.keys()
    if "prompt_tokens" in keys:
        return "perplexity" if "citation_tokens" in keys else "openai_chat"
    if keys & {"promptTokenCount", "prompt_token_count", "candidatesTokenCount", "candidates_token_count"}:
        return "gemini"
    if "inputTokens" in keys:
        return "cursor" if keys & {"cacheReadTokens", "cacheWriteTokens"} else "bedrock"
    if keys & {"billed_units"}:
        return "cohere"
    if "input_tokens" in keys:
        if keys & {"input_token_details", "output_token_details"}:
            return "openai_realtime"
        if keys & _ANTHROPIC_ALONE:
            return "anthropic"
        return "openai_responses"
    if keys & {"prompt_eval_count", "eval_count"}:
        return "ollama"
    return next((flavor for total, flavor in _TOTALS.items() if total in keys), None)


def _flat(usage: Mapping[str, AttributeValue], prefix: str = "", depth: int = 0) -> dict[str, AttributeValue]:
    """Nested counts under dotted names; lists of (modality, count) and (ttl, count) by their label, equal labels summed."""
    flat: dict[str, AttributeValue] = {}
    for key, value in usage.items():
        name = prefix + key
        flat[name] = value  # also a map or a list: where a count should be, it is one that cannot be read
        if isinstance(value, dict):
            if depth < _DEPTH_MAX:
                flat.update(_flat(value, name + ".", depth + 1))
        elif isinstance(value, list):
            for item in value:
                _add_labelled(flat, name, item)
    return flat


def _add_labelled(flat: dict[str, AttributeValue], name: str, item: AttributeValue) -> None:
    if not isinstance(item, dict):
        return
    label = item.get("modality", item.get("ttl"))
    count = item.get("tokenCount", item.get("token_count", item.get("inputTokens")))
    if not isinstance(label, str) or count is None:
        return
    # Documents are billed as images.
    key = f"{name}.{'IMAGE' if label == 'DOCUMENT' else label}"
    earlier = flat.get(key, 0)
    before, more = read_count(earlier), read_count(count)
    if before is None or more is None:
        flat[key] = count if more is None else earlier  # of which the one that cannot be read makes the sum unreadable
    else:
        flat[key] = before + more
