"""Spans and logs of emitters nobody knows that carry a provider's usage under the provider's own names.

Bare (`prompt_tokens`), under a prefix (`llm.usage.prompt_tokens`), or as one JSON object (`usage`). A model must be
named too, so that other counters called `input_tokens` are not taken for calls. What the names mean is only the first
guess: the total decides.
"""

from __future__ import annotations

import msgspec

from collector.dialects import shared
from collector.dialects.embedded import mapping_of
from collector.provider_usage import counts_of, flavor_of
from collector.record import Attributes, AttributeValue, Problem, Reading, Record
from collector.usage import UNSURE, Counts, Leaves, to_leaves

NAME = "raw"
VERSION = "1"
SCOPES: tuple[str, ...] = ()

_PREFIXES = (
    "", "usage.", "llm.usage.", "response.usage.", "llm.response.usage.", "openai.usage.", "anthropic.usage.", "ollama.",
    "ollama.usage.", "ollama.response.", "response.", "gen_ai.response.",
)  # fmt: skip
_MARKERS = (
    "prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount", "prompt_token_count", "prompt_eval_count", "eval_count",
    "total_tokens", "totalTokens", "totalTokenCount", "total_token_count",
)  # fmt: skip
_MARKED = frozenset(prefix + marker for prefix in _PREFIXES for marker in _MARKERS)
_OBJECTS = ("usage", "llm.usage", "response.usage", "usage_metadata", "usageMetadata", "mlflow.chat.tokenUsage")
_MODELS = ("llm.model", "ollama.model", "request.model", "response.model", "mlflow.llm.model")
_PARENTS = ("AGENT", "CHAIN")
MARKERS = _MARKED | frozenset(_OBJECTS)


def claims(attributes: Attributes) -> bool:
    """Whether the keys hold a provider's usage."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """A call when usage and a model are there."""
    facts = shared.facts_of(record)
    read = shared.reading(facts, NAME)
    attributes = record.attributes
    if "model" not in facts:
        facts["model"] = next((_plain(attributes[name]) for name in _MODELS if attributes.get(name)), None)
    usage = read_usage(attributes)
    if usage is None or facts["model"] is None:
        return read
    if "mlflow.llm.provider" in attributes:
        facts.setdefault("provider", _plain(attributes["mlflow.llm.provider"]))
    if _plain(attributes.get("mlflow.spanType")) in _PARENTS:
        return shared.as_agent(read, facts, usage, UNSURE)
    add_facts(facts, attributes)
    return shared.as_call(record, read, facts, usage, UNSURE, shared.RANK_SDK, shared.text_of(facts.get("operation")) or "chat")


def read_usage(attributes: Attributes) -> Counts | Leaves | Problem | None:
    """A provider's usage among the attributes; None where there is none, no counts where its object holds none."""
    if MARKERS.isdisjoint(attributes):
        return None
    usage = _usage(attributes)
    flavor = flavor_of(usage) if usage else None
    if usage is None or flavor is None:
        return None
    counts, convention = counts_of(usage, flavor)
    if isinstance(counts, Problem) or not counts.keys() - {"total_tokens"}:
        return counts  # whether a total is enough is the operation's to say
    return to_leaves(counts, msgspec.structs.replace(convention, cache_sure=False, reasoning_sure=False))


def add_facts(facts: shared.Facts, attributes: Attributes) -> None:
    """What a provider's usage tells beside the counts: the service tier (Anthropic's), or by its names that Ollama served."""
    usage = None if MARKERS.isdisjoint(attributes) else _usage(attributes)
    if usage is None:
        return
    if "service_tier" in usage:
        facts.setdefault("tier", usage["service_tier"])
    if flavor_of(usage) == "ollama":
        facts.setdefault("provider", "ollama")


def _plain(value: AttributeValue) -> AttributeValue:
    """MLflow writes its attributes as JSON, also text."""
    return value[1:-1] if isinstance(value, str) and len(value) > 2 and value[0] == value[-1] == '"' else value


def _usage(attributes: Attributes) -> dict[str, AttributeValue] | None:
    for name in _OBJECTS:
        if (found := mapping_of(attributes.get(name))) is not None:
            return found
    for prefix in _PREFIXES:
        if any(prefix + marker in attributes for marker in _MARKERS):
            return {key.removeprefix(prefix): value for key, value in attributes.items() if key.startswith(prefix)}
    return None
