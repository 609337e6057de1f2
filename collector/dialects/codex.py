"""Codex CLI's logs.

Read from codex-rs 0.60 (`codex.sse_event`, `codex.tool_result`). Of a response's events only `response.completed` has
usage, which is cumulative. Counts are OpenAI's and may arrive as text; `tool_token_count` is really input plus output
and adds nothing.
"""

from __future__ import annotations

from collector.dialects import otel_genai, shared
from collector.record import Attributes, Reading, Record
from collector.usage import INCLUSIVE, count_table, read_counts

NAME = "codex"
VERSION = "codex-rs 0.60"
SCOPES: tuple[str, ...] = ("codex",)

COUNTS = count_table(
    input_tokens="input_token_count",
    output_tokens="output_token_count",
    cache_read_tokens="cached_token_count",
    output_reasoning_tokens="reasoning_token_count",
)
MARKERS = frozenset({"event.name"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are Codex's."""
    event = attributes.get("event.name")
    return isinstance(event, str) and event.startswith("codex.")


def read(record: Record) -> Reading:
    """A completed response as a call, tool results as tools."""
    attributes = record.attributes
    facts = shared.facts_of(record)
    facts.setdefault("agent", "codex")
    facts.setdefault("provider", "openai")
    read = shared.reading(facts, NAME)
    if record.signal == "span":
        return otel_genai.read_as(record, NAME, INCLUSIVE, shared.RANK_SDK)
    if record.name == "codex.sse_event" and attributes.get("event.kind") == "response.completed":
        counts = read_counts(attributes, COUNTS)
        return shared.as_call(record, read, facts, counts, INCLUSIVE, shared.RANK_LOG, "responses")
    if record.name == "codex.tool_result":
        return shared.as_tool(read, shared.text_of(facts.get("tool")))
    return read
