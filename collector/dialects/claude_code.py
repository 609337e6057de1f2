"""Claude Code: its logs, and the spans of its tracing beta.

Read from Claude Code 2.1 (monitoring documentation and recorded names). The money is in the log
`claude_code.api_request`; spans have tokens and no cost. Both carry the request id, so a call is booked once. Counts
are Anthropic's: three disjoint input buckets. Fast mode (`speed`) is a tier of its own.
"""

from __future__ import annotations

from collector.dialects import shared
from collector.record import Attributes, Reading, Record
from collector.usage import EXCLUSIVE_CACHE, count_table, read_counts

NAME = "claude_code"
VERSION = "claude-code 2.1"
SCOPES: tuple[str, ...] = ("com.anthropic.claude_code",)

COUNTS = count_table(
    input_tokens="input_tokens",
    output_tokens="output_tokens",
    cache_read_tokens=("cache_read_tokens", "cache_read_input_tokens"),
    cache_write_tokens=("cache_creation_tokens", "cache_creation_input_tokens"),
    cache_write_5m_tokens="cache_creation_5m_tokens",
    cache_write_1h_tokens="cache_creation_1h_tokens",
)
MARKERS = frozenset({"event.name", "span.type"})
_REQUEST = frozenset({"cost_usd", "cache_read_tokens", "cache_creation_tokens"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are Claude Code's."""
    if attributes.get("event.name") == "api_request":
        return not _REQUEST.isdisjoint(attributes)
    return attributes.get("span.type") in ("llm_request", "interaction")


def read(record: Record) -> Reading:
    """The API request as a call, tools as tools, interactions as the agent."""
    facts = shared.facts_of(record)
    facts.setdefault("agent", "claude-code")
    facts.setdefault("provider", "anthropic")
    facts["request"] = record.attributes.get("request_id")
    if record.attributes.get("speed") == "fast":
        facts["tier"] = "fast"
    read = shared.reading(facts, NAME)
    event = record.name.removeprefix("claude_code.")
    if event in ("api_request", "llm_request"):
        counts = read_counts(record.attributes, COUNTS)
        rank = shared.RANK_LOG if record.signal == "log" else shared.RANK_SDK
        return shared.as_call(record, read, facts, counts, EXCLUSIVE_CACHE, rank, "chat")
    if event in ("tool", "tool_result"):
        return shared.as_tool(read, shared.text_of(facts.get("tool")))
    if event == "interaction":
        read.role = "agent"
    return read
