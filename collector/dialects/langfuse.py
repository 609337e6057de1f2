"""Langfuse SDK spans.

Read from the Langfuse Python SDK 3 and JS SDK 4 (`langfuse.observation.*`, `langfuse.trace.*`).

`usage_details` is JSON whose keys are disjoint and add up; users who pass a provider's usage object through are read
as that provider means it.
"""

from __future__ import annotations

import msgspec

from collector.dialects import otel_genai, shared
from collector.dialects.embedded import Mapping, mapping_of
from collector.provider_usage import flavor_of, leaves_of
from collector.record import Attributes, AttributeValue, Problem, Reading, Record
from collector.usage import ADDITIVE, INCLUSIVE, UNSURE, Leaves, count_table, disjoint_leaves, read_count, read_counts, to_leaves

NAME = "langfuse"
VERSION = "langfuse 3"
SCOPES: tuple[str, ...] = ("langfuse-sdk", "langfuse")

_TYPE = "langfuse.observation.type"
_USAGE = "langfuse.observation.usage_details"
_COST = "langfuse.observation.cost_details"
COUNTS = count_table(
    input_tokens=("input", "input_tokens"),
    output_tokens=("output", "output_tokens"),
    total_tokens=("total", "total_tokens"),
    cache_read_tokens=("input_cached_tokens", "cache_read_input_tokens", "input_cache_read", "cached_tokens"),
    cache_write_tokens=("input_cache_creation", "cache_creation_input_tokens", "input_cache_write", "input_cache_write_tokens"),
    cache_write_5m_tokens=("input_cache_creation_5m", "input_ephemeral_5m_input_tokens"),
    cache_write_1h_tokens=("input_cache_creation_1h", "input_ephemeral_1h_input_tokens"),
    output_reasoning_tokens=("output_reasoning_tokens", "output_reasoning", "reasoning_tokens"),
    input_audio_tokens=("input_audio_tokens", "input_audio"),
    output_audio_tokens=("output_audio_tokens", "output_audio"),
    input_image_tokens=("input_image_tokens", "input_image"),
    output_image_tokens=("output_image_tokens", "output_image"),
)
_CALLS = {"generation": "chat", "embedding": "embeddings"}
_PARENTS = frozenset({"agent", "chain"})
MARKERS = frozenset({_TYPE, _USAGE})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are Langfuse's. Its trace attributes alone are added to other emitters' spans too."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """Generations are calls, agents and chains parents; a span without Langfuse's keys is read by OTel's names."""
    attributes = record.attributes
    kind = shared.text_of(attributes.get(_TYPE))
    if kind is None and _USAGE not in attributes:
        return otel_genai.read_as(record, NAME, UNSURE, shared.RANK_SDK)
    facts = shared.facts_of(record)
    facts.setdefault("model", attributes.get("langfuse.observation.model.name"))
    facts.setdefault("claim", _claim(attributes.get(_COST)))
    read = shared.reading(facts, NAME)
    if kind in ("tool", "retriever"):
        return shared.as_tool(read, shared.text_of(facts.get("tool")) or record.name)
    is_embedding = kind == "embedding"
    usage = _usage(attributes.get(_USAGE), is_embedding)
    if kind in _PARENTS:
        read.agent = read.agent or (record.name if kind == "agent" else None)
        return shared.as_agent(read, facts, usage or {}, ADDITIVE)
    operation = _CALLS.get(kind) if kind else None
    if operation is None and (usage is None or facts["model"] is None):
        return read
    found = usage if usage is not None else read_counts(attributes, otel_genai.COUNTS)
    return shared.as_call(record, read, facts, found, INCLUSIVE, shared.RANK_SDK, operation or "chat", is_embedding=is_embedding)


def _claim(value: AttributeValue) -> AttributeValue:
    """The total of `cost_details`; where it has none, the sum of its parts, all of which must be amounts."""
    details = mapping_of(value) or {}
    if "total" in details:
        return details["total"]
    parts = [shared.claimed_usd(part) for part in details.values()]
    known = [part for part in parts if part is not None]
    return str(sum(known)) if known and len(known) == len(parts) else None


def _usage(value: AttributeValue, is_embedding: bool) -> Leaves | Problem | None:
    """The leaves of `usage_details`; None when there are none."""
    details = mapping_of(value)
    if not details:
        return None
    flavor = _passed_through(details)
    if flavor is not None:
        return leaves_of(details, flavor)
    counts = read_counts(details, COUNTS)
    if isinstance(counts, Problem):
        return counts
    if not counts:
        return None
    parts = counts.keys() - {"input_tokens", "output_tokens", "total_tokens"}
    if any(counts[part] for part in parts):
        total = counts.get("total_tokens")
        if total is not None and total == counts.get("input_tokens", 0) + counts.get("output_tokens", 0):
            return to_leaves(counts, UNSURE)
        leaves: Leaves | Problem = disjoint_leaves(counts)
    else:
        leaves = to_leaves(counts, INCLUSIVE, is_embedding=is_embedding)
    if isinstance(leaves, Leaves) and any(read_count(value) for name, value in details.items() if name not in COUNTS):
        is_told = counts.get("total_tokens") == sum(leaves.quantities.values())
        return leaves if is_told else msgspec.structs.replace(leaves, confidence="low")  # of what nobody can price there is more
    return leaves


def _passed_through(details: Mapping) -> str | None:
    flavor = flavor_of(details)
    return flavor if flavor not in (None, "openai_responses") or "input_tokens_details" in details else None
