"""Pydantic AI and Logfire's model integrations.

Read from pydantic-ai 0.2.15, 1.26 and 2.68 as recorded, and logfire 5.6.

Counts are inclusive for every provider, since they come through genai-prices. Runs repeat their calls: as
`gen_ai.usage.*` without an operation until 1.x, as `gen_ai.aggregated_usage.*` since.
"""

from __future__ import annotations

from collector.dialects import otel_genai, shared
from collector.dialects.embedded import mapping_of, read_response
from collector.record import Attributes, Reading, Record
from collector.usage import INCLUSIVE, CountTable, count_table, read_counts

NAME = "pydantic_ai"
VERSION = "pydantic-ai 2.68"
SCOPES: tuple[str, ...] = ("pydantic-ai", "pydantic_ai", "logfire")

_DETAILS = count_table(
    cache_read_tokens=(
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cache_read_input_tokens",
        "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.details.cached_content_tokens",
    ),
    cache_write_tokens=(
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "gen_ai.usage.details.cache_creation_input_tokens",
    ),
    output_reasoning_tokens=(
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "gen_ai.usage.details.thoughts_tokens",
    ),
    input_audio_tokens=("gen_ai.usage.audio.input_tokens", "gen_ai.usage.details.input_audio_tokens"),
    cache_audio_read_tokens=("gen_ai.usage.audio.cache_read.input_tokens", "gen_ai.usage.details.cache_audio_read_tokens"),
    output_audio_tokens=("gen_ai.usage.audio.output_tokens", "gen_ai.usage.details.output_audio_tokens"),
)
COUNTS = CountTable(otel_genai.COUNTS | _DETAILS)
AGGREGATES = CountTable({name.replace("gen_ai.usage.", "gen_ai.aggregated_usage."): count for name, count in COUNTS.items()})
MARKERS = frozenset({"pydantic_ai.new_message_index", "gen_ai.aggregated_usage.input_tokens"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are Pydantic AI's."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """Runs are control totals, requests are calls, the rest tools."""
    attributes = record.attributes
    facts = shared.facts_of(record)
    read = shared.reading(facts, NAME)
    operation = shared.text_of(facts.get("operation"))
    if operation in otel_genai.TOOLS or (operation is None and "gen_ai.tool.name" in attributes):
        return shared.as_tool(read, shared.text_of(facts.get("tool")))
    totals = read_counts(attributes, AGGREGATES)
    counts = read_counts(attributes, COUNTS)
    if operation in otel_genai.AGENTS or totals or (operation is None and "agent" in facts):
        return shared.as_agent(read, facts, totals or counts, INCLUSIVE)
    if operation in otel_genai.CALLS:
        return shared.as_call(
            record,
            read,
            facts,
            counts,
            INCLUSIVE,
            shared.RANK_FRAMEWORK,
            operation,
            is_embedding=operation in otel_genai.EMBEDDINGS,
        )
    if counts and "model" in facts:
        return shared.as_call(record, read, facts, counts, INCLUSIVE, shared.RANK_FRAMEWORK, "chat")
    return _from_response(record, read, facts)


def _from_response(record: Record, read: Reading, facts: shared.Facts) -> Reading:
    """Logfire's older integrations put the usage only into the response they attach."""
    data = mapping_of(record.content.get("response_data"))
    response = read_response(data) if data and "usage" in data else None
    if response is None or response.usage is None or "model" not in facts:
        return read
    facts.setdefault("tier", response.tier)
    return shared.as_call(record, read, facts, response.usage, INCLUSIVE, shared.RANK_FRAMEWORK, "chat")
