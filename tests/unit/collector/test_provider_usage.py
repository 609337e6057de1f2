"""Usage as providers' APIs answer it, by flavor."""

from __future__ import annotations

from typing import Any

import pytest

from collector.provider_usage import FLAVORS, flavor_of, leaves_of, usage_of
from collector.record import Problem
from collector.usage import Leaves
from tests.unit.collector.test_usage import counts

CHAT: dict[str, Any] = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
ANTHROPIC: dict[str, Any] = {
    "input_tokens": 10,
    "output_tokens": 50,
    "cache_read_input_tokens": 60,
    "cache_creation_input_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "server_tool_use": {"web_search_requests": 2},
}
GEMINI: dict[str, Any] = {
    "promptTokenCount": 328,
    "candidatesTokenCount": 39,
    "thoughtsTokenCount": 5,
    "toolUsePromptTokenCount": 7,
    "cachedContentTokenCount": 220,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 70},
        {"modality": "DOCUMENT", "tokenCount": 200},
        {"modality": "IMAGE", "tokenCount": 58},
    ],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 47}, {"modality": "DOCUMENT", "tokenCount": 173}],
}


@pytest.mark.parametrize(
    ("flavor", "usage", "leaves"),
    [
        ("openai_chat", CHAT, "input=40 read=60 audio=0 output=30 thought=20"),
        ("groq", {"prompt_tokens": 42, "completion_tokens": 8, "queue_time": 0.1}, "input=42 output=8"),
        ("openrouter", {**CHAT, "cost": 0.1, "is_byok": False}, "input=40 read=60 audio=0 output=30 thought=20"),
        (
            "openai_responses",
            {"input_tokens": 4020, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 4012}},
            "input=8 read=0 write=4012 output=5",
        ),
        (
            "openai_realtime",
            {
                "response": {
                    "usage": {
                        "input_tokens": 100,
                        "output_tokens": 50,
                        "input_token_details": {
                            "cached_tokens": 30,
                            "audio_tokens": 60,
                            "cached_tokens_details": {"audio_tokens": 20, "text_tokens": 10},
                        },
                        "output_token_details": {"audio_tokens": 40},
                    }
                }
            },
            "input=30 read=10 audio=40 audio_read=20 output=10 audio_out=40",
        ),
        ("embeddings", {"prompt_tokens": 15, "total_tokens": 15}, "input=15"),
        ("anthropic", {"model": "c", "usage": ANTHROPIC}, "input=10 read=60 write_5m=10 write_1h=20 output=50 searches=2"),
        (
            "bedrock",
            {
                "inputTokens": 22,
                "outputTokens": 13,
                "cacheReadInputTokens": 0,
                "cacheWriteInputTokens": 2492,
                "totalTokens": 2527,
            },
            "input=22 read=0 write=2492 output=13",
        ),
        (
            "xai",
            {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 20}},
            "input=10 output=5 thought=20",
        ),
        (
            "perplexity",
            {"prompt_tokens": 10, "completion_tokens": 5, "citation_tokens": 3, "num_search_queries": 1},
            "input=10 output=5 cited=3 searches=1",
        ),
        (
            "cohere",
            {"billed_units": {"input_tokens": 1, "output_tokens": 9}, "tokens": {"input_tokens": 496, "output_tokens": 11}},
            "input=1 output=9",
        ),
        ("litellm", CHAT, "input=40 read=60 audio=0 output=30 thought=20"),
        ("mistral", {"prompt_tokens": 70, "completion_tokens": 12, "num_cached_tokens": 69}, "input=70 output=12"),
    ],
)
def test_flavors(flavor: str, usage: dict[str, Any], leaves: str) -> None:
    found = leaves_of(usage, flavor)
    assert isinstance(found, Leaves), found
    assert found.quantities == counts(leaves)


def test_gemini_modalities_are_disjoint_from_the_caches() -> None:
    found = leaves_of({"usageMetadata": GEMINI}, "gemini")
    assert isinstance(found, Leaves)
    assert found.quantities == {
        "input_tokens": 23,
        "cache_read_tokens": 47,
        "cache_image_read_tokens": 173,
        "input_image_tokens": 85,
        "input_tool_tokens": 7,
        "output_tokens": 39,
        "output_reasoning_tokens": 5,
    }
    assert (found.total_input_tokens, found.total_output_tokens) == (335, 44)


@pytest.mark.parametrize(
    ("usage", "flavor"),
    [
        (CHAT, "openai_chat"), (ANTHROPIC, "anthropic"), (GEMINI, "gemini"), ({"inputTokens": 1}, "bedrock"),
        ({"input_tokens": 1, "output_tokens": 2}, "openai_responses"), ({"prompt_tokens": 1, "citation_tokens": 2}, "perplexity"),
        ({"billed_units": {}}, "cohere"), ({"inputTokens": 1, "cacheReadTokens": 2}, "cursor"), ({"tokens": 5}, None), ({}, None),
    ],
)  # fmt: skip
def test_the_keys_show_the_flavor(usage: dict[str, Any], flavor: str | None) -> None:
    assert flavor_of(usage) == flavor
    assert flavor is None or flavor in FLAVORS


def test_an_unknown_flavor_is_the_callers_fault() -> None:
    with pytest.raises(KeyError):
        leaves_of(CHAT, "abacus")


def test_unreadable_usage_is_a_problem() -> None:
    assert isinstance(leaves_of({"prompt_tokens": "many"}, "openai_chat"), Problem)
    assert isinstance(leaves_of({}, "openai_chat"), Problem)


def test_the_usage_is_found_in_the_body() -> None:
    assert usage_of({"response": {"usage": {"a": 1}}}) == {"a": 1}
    assert usage_of({"prompt_tokens": 1}) == {"prompt_tokens": 1}
