"""From the names a call reports to the names its price stands under.

Providers and models go by many names (`aws.bedrock`, `models/gemini-2.5-pro`, `anthropic/claude-sonnet-4-5`, dated snapshots).
The list's own matching rules decide; what is added here are the providers' names in the OpenTelemetry dialects and the prefixes
that gateways and clouds put before a model. A wrong price is worse than none: a name that is not recognised keeps its reported
form, and the call stays unpriced until a rate names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from genai_prices.data import providers
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import ModelInfo, Provider

from ledger.list_rates import offer_name

UNKNOWN = "unknown"
"""Stands for a provider or a model that the record does not name, so that a rate can still name it."""

NAME_LENGTH_MAX = 500


class RateName(NamedTuple):
    """Where the price of a call stands, in lower case."""

    provider: str
    model: str


# gen_ai.provider.name, gen_ai.system and the SDKs' own words, where the list's matching would miss or mistake them.
# None: a server of whatever model, so that the model's name says nothing about who is paid.
_ALIASES: dict[str, str | None] = {
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.inference": "azure",
    "azure_openai": "azure",
    "azure-openai": "azure",
    "azureopenai": "azure",
    "azure_ai": "azure",
    "azure.openai": "azure",
    "microsoft.foundry": "azure",
    "gcp.gen_ai": "google",
    "gen_ai": "google",
    "x_ai": "x-ai",
    "x.ai": "x-ai",
    "fireworks_ai": "fireworks",
    "fireworks.ai": "fireworks",
    "together.ai": "together",
    "togetherai": "together",
    "mistral.ai": "mistral",
    "perplexity_ai": "perplexity",
    "perplexity-ai": "perplexity",
    "z.ai": "zai",
    "z_ai": "zai",
    "converse": "aws",
    "aws_bedrock_converse": "aws",
    "custom_openai": None,
    "openai_compatible": None,
    "openai-compatible": None,
    "openai_like": None,
    "openai-like": None,
    "vllm": None,
    "hosted_vllm": None,
    "sglang": None,
    "ollama": None,
    "ollama_chat": None,
    "llamafile": None,
    "llama_cpp": None,
    "llama.cpp": None,
    "lm_studio": None,
    "lmstudio": None,
    "tgi": None,
    "triton": None,
    "local": None,
    "huggingface": None,
    "hugging_face": None,
    "ibm.watsonx.ai": None,
    "watsonx": None,
}

# Gateways are not the seller, and put the seller's name before the model's.
_GATEWAYS = frozenset({"litellm", "litellm_proxy", "portkey", "helicone", "gateway"})
_NOT_SAID = _GATEWAYS | {"", UNKNOWN, "none", "null", "_other", "other", "langchain"}

# Sellers whose models nobody else serves from open weights, but for these families: the model's name alone tells the price.
_CLOSED = frozenset({"anthropic", "openai", "google", "x-ai", "voyageai", "elevenlabs", "cursor"})
_OPEN_FAMILY = re.compile(r"gpt-oss|gemma|grok-[12]\b|whisper")

# Names under which weights are published: `mistralai/Mistral-7B` may run on anybody's machine.
_PUBLISHERS = frozenset({
    "openai", "google", "mistralai", "moonshotai", "minimaxai", "deepseek-ai", "zai-org", "cohere", "cohereforai", "coherelabs",
    "meta", "meta-llama", "xai-org",
})  # fmt: skip

_BEDROCK_ID = re.compile(r"^(arn:aws[\w-]*:bedrock:|((us|eu|apac|ap|au|ca|jp|us-gov|global)\.)?"
                         r"(ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen|stability|writer)\.)")  # fmt: skip
_PUBLISHER_PATH = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/")


def resolve(provider: str | None, model: str | None, response_model: str | None = None) -> RateName:
    """The price book's (provider, model) for the names a call reports; the reported names in lower case when it has none.

    `model` is the best name the record has; when the request's and the response's differ, the response's says what ran and is
    tried first. Answers are cached, for a bounded number of names.
    """
    return _resolve(_clean(provider), _clean(model), _clean(response_model))


@lru_cache(maxsize=8192)
def _resolve(provider: str, model: str, response_model: str) -> RateName:
    for reported in (response_model, model):
        if reported and len(reported) <= NAME_LENGTH_MAX and (found := _find(provider, reported)):
            return found
    return RateName(provider_name(provider), (response_model or model)[:NAME_LENGTH_MAX] or UNKNOWN)


def provider_name(reported: str | None) -> str:
    """The price book's name of a provider, or the reported one in lower case."""
    clean = _clean(reported)
    seller = _seller(clean)
    return seller.id if seller else clean[:NAME_LENGTH_MAX] or UNKNOWN


def _clean(name: str | None) -> str:
    # Longer ones fit no rule; what is remembered of them must stay small, and senders choose the names.
    return (name or "")[: NAME_LENGTH_MAX + 1].strip().lower()


def _find(provider: str, model: str) -> RateName | None:
    seller = _seller(provider)
    if seller is not None and (found := _sold_by(seller, model)):
        return found
    if provider in _ALIASES and _ALIASES[provider] is None:
        return None
    for head, owner, rest in _prefixes(model):
        may_be_weights = head in _PUBLISHERS and provider not in _GATEWAYS and not _is_closed(owner, rest)
        if not may_be_weights and (found := _sold_by(owner, rest)):
            return found
    return _by_model(model, anyone=provider in _NOT_SAID) if seller is None else None


def _is_closed(seller: Provider, model: str) -> bool:
    return seller.id in _CLOSED and not _OPEN_FAMILY.search(model)


def _seller(provider: str) -> Provider | None:
    """The provider of the list that a reported name means. The library's rules match parts of names, so aliases come first."""
    if provider in _NOT_SAID or len(provider) > NAME_LENGTH_MAX:
        return None
    known = _ALIASES.get(provider, provider)
    return find_provider_by_id(providers, known) if known else None


def _sold_by(seller: Provider, model: str) -> RateName | None:
    for name in _spellings(model):
        # Not through the library's snapshot: its caches keep every name ever asked for, and names come from outside.
        found = seller.find_model(name, all_providers=providers)
        if found is not None:
            return RateName(seller.id, offer_name(seller, _owner(seller, found), found, _own_names(seller.id)))
    return None


def _spellings(model: str) -> Iterator[str]:
    """A model's name as reported, and without the path that Google's interfaces put before it."""
    yield model
    if (bare := _PUBLISHER_PATH.sub("", model)) != model:
        yield bare


def _prefixes(model: str) -> Iterator[tuple[str, Provider, str]]:
    """Sellers that a model's own name points at: `<provider>/<model>`, outermost first, and Bedrock's model ids."""
    rest = model
    for _ in range(3):
        head, slash, rest = rest.partition("/")
        if not slash:
            break
        if (seller := _seller(head)) is not None:
            yield head, seller, rest
    aws = find_provider_by_id(providers, "aws")
    if aws is not None and _BEDROCK_ID.match(model):
        yield "", aws, model


def _by_model(model: str, *, anyone: bool) -> RateName | None:
    """The seller whose naming rule the model fits, else the only seller of closed models that lists it.

    A gateway we do not know may serve open weights itself, at its own price.
    """
    for name in _spellings(model):
        for seller in providers:
            if seller.model_match is not None and seller.model_match.is_match(name):
                trusted = _is_closed(seller, name) or (anyone and seller.id not in _CLOSED)
                return _sold_by(seller, name) if trusted else None
        owners = [seller for seller in providers if _is_closed(seller, name) and seller.find_model(name, all_providers=providers)]
        if len(owners) == 1:
            return _sold_by(owners[0], name)
    return None


def _owner(seller: Provider, model: ModelInfo) -> Provider:
    if any(model is own for own in seller.models):
        return seller
    return next(p for p in providers if any(model is own for own in p.models))


@cache
def _own_names(provider_id: str) -> frozenset[str]:
    return frozenset(model.id.lower() for p in providers if p.id == provider_id for model in p.models)
