"""Names that calls report, and where their price stands. The wrong price is worse than none."""

from __future__ import annotations

import pytest

from ledger import model_names
from ledger.list_rates import list_rates
from ledger.model_names import RateName, provider_name, resolve


@pytest.mark.parametrize(
    ("reported", "provider"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("anthropic", "anthropic"),
        ("aws.bedrock", "aws"),
        ("bedrock_converse", "aws"),
        ("azure.ai.openai", "azure"),
        ("az.ai.openai", "azure"),
        ("azure.ai.inference", "azure"),
        ("gcp.gemini", "google"),
        ("gcp.vertex_ai", "google"),
        ("gcp.gen_ai", "google"),
        ("vertex_ai", "google"),
        ("google_genai", "google"),
        ("mistral_ai", "mistral"),
        ("mistralai", "mistral"),
        ("x_ai", "x-ai"),
        ("xai", "x-ai"),
        ("groq", "groq"),
        ("deepseek", "deepseek"),
        ("cohere", "cohere"),
        ("perplexity", "perplexity"),
        ("together_ai", "together"),
        ("fireworks_ai", "fireworks"),
        ("ibm.watsonx.ai", "ibm.watsonx.ai"),
        ("vllm", "vllm"),
        (None, "unknown"),
        ("  ", "unknown"),
    ],
)
def test_providers(reported: str | None, provider: str) -> None:
    assert provider_name(reported) == provider


@pytest.mark.parametrize(
    ("provider", "model", "stands_under"),
    [
        ("openai", "gpt-4o-2024-08-06", ("openai", "gpt-4o")),
        ("openai", "GPT-4o-mini", ("openai", "gpt-4o-mini")),
        (None, "text-embedding-3-small", ("openai", "text-embedding-3-small")),
        ("our-gateway", "text-embedding-3-small", ("openai", "text-embedding-3-small")),
        ("openai", "ft:gpt-4o-mini-2024-07-18:org::id", ("openai", "ft:gpt-4o-mini")),
        ("azure.ai.openai", "gpt-4o-2024-11-20", ("azure", "gpt-4o")),
        ("gcp.gemini", "models/gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("gcp.vertex_ai", "projects/p/locations/l/publishers/anthropic/models/claude-opus-4-5", ("google", "claude-opus-4-5")),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", ("google", "claude-sonnet-4-5")),
        (
            "aws.bedrock",
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            ("aws", "regional.anthropic.claude-sonnet-4-20250514-v1:0"),
        ),
        ("anthropic", "anthropic.claude-3-5-sonnet-20240620-v1:0", ("aws", "regional.anthropic.claude-3-5-sonnet-20240620-v1:0")),
        ("openrouter", "anthropic/claude-sonnet-4.5", ("openrouter", "anthropic/claude-sonnet-4.5")),
        ("litellm", "anthropic/claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("litellm", "openrouter/anthropic/claude-sonnet-4.5", ("openrouter", "anthropic/claude-sonnet-4.5")),
        ("litellm", "mistral/mistral-large-latest", ("mistral", "mistral-large")),
        ("openai", "anthropic/claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        (None, "gpt-4o", ("openai", "gpt-4o")),
        (None, "azure/gpt-4o", ("azure", "gpt-4o")),
        ("our-gateway", "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
    ],
)
def test_models_that_the_list_knows(provider: str | None, model: str, stands_under: tuple[str, str]) -> None:
    assert resolve(provider, model) == stands_under


@pytest.mark.parametrize(
    ("provider", "model", "kept"),
    [
        ("openai", "gpt-99-ultra", ("openai", "gpt-99-ultra")),
        ("openai", "my-gpt-4o", ("openai", "my-gpt-4o")),
        ("openai", "deepseek-chat", ("openai", "deepseek-chat")),
        ("azure", "Our-Deployment", ("azure", "our-deployment")),
        ("vllm", "gpt-4o", ("vllm", "gpt-4o")),
        ("vllm", "openai/gpt-oss-120b", ("vllm", "openai/gpt-oss-120b")),
        ("ollama", "deepseek-r1", ("ollama", "deepseek-r1")),
        ("our-gateway", "deepseek-chat", ("our-gateway", "deepseek-chat")),
        ("openai", "google/gemma-3-27b-it", ("openai", "google/gemma-3-27b-it")),
        ("openai", "mistralai/Mistral-7B-Instruct-v0.3", ("openai", "mistralai/mistral-7b-instruct-v0.3")),
        (None, "gpt-oss-120b", ("unknown", "gpt-oss-120b")),
        (None, "gemma-3-27b-it", ("unknown", "gemma-3-27b-it")),
        (None, None, ("unknown", "unknown")),
    ],
)
def test_names_that_are_not_guessed_at(provider: str | None, model: str | None, kept: tuple[str, str]) -> None:
    assert resolve(provider, model) == kept


def test_what_ran_goes_before_what_was_asked_for() -> None:
    assert resolve("azure", "our-deployment", "gpt-4o-2024-11-20") == ("azure", "gpt-4o")
    assert resolve("azure", "gpt-4o", "gpt-4o-2099-01-01-preview") == ("azure", "gpt-4o")
    assert resolve("azure", "asked", "ran") == ("azure", "ran")


def test_every_listed_model_is_found_where_its_rates_stand() -> None:
    priced = {RateName(rate.provider, rate.model) for rate in list_rates(model_names.providers)}
    own = [(p, m) for p in model_names.providers for m in p.models if (p.id, m.id.lower()) in priced]
    elsewhere = [(p.id, m.id, found) for p, m in own if (found := resolve(p.id, m.id)) not in priced]
    assert len(own) > 2000
    # A few ids of the list are not matched by its own rules; they must not be priced as something the list does not have.
    assert len(elsewhere) < len(own) / 50, elsewhere


def test_hostile_names_are_bounded() -> None:
    name = resolve("x" * 10_000, "y" * 10_000)
    assert (len(name.provider), len(name.model)) == (500, 500)
    for number in range(10_000):
        resolve("openai", f"nothing-{number}")
    assert model_names._resolve.cache_info().currsize <= 8192
