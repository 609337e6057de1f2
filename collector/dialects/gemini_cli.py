"""Gemini CLI's logs, and those of its descendant Qwen Code.

Read from gemini-cli 0.20 (`gemini_cli.api_response`, `.tool_call`, `.model_routing`). Counts are Gemini's: thoughts
and tool prompts come on top of the candidates' and prompt's counts; cached content is part of the prompt. The total
decides for other backends.
"""

from __future__ import annotations

from collector.dialects import shared
from collector.record import Attributes, Reading, Record
from collector.usage import Convention, count_table, read_counts

NAME = "gemini_cli"
VERSION = "gemini-cli 0.20"
SCOPES: tuple[str, ...] = ("gemini-cli", "gemini_cli", "qwen-code")

_GEMINI = Convention(reasoning_inside=False, reasoning_sure=False)
COUNTS = count_table(
    input_tokens="input_token_count",
    output_tokens="output_token_count",
    total_tokens="total_token_count",
    cache_read_tokens="cached_content_token_count",
    output_reasoning_tokens="thoughts_token_count",
    input_tool_tokens="tool_token_count",
)
_PREFIXES = ("gemini_cli.", "qwen-code.", "qwen_code.")
MARKERS = frozenset({"event.name"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are Gemini CLI's."""
    event = attributes.get("event.name")
    return isinstance(event, str) and event.startswith(_PREFIXES)


def read(record: Record) -> Reading:
    """A response as a call, tool calls as tools; the router's decision is plain, and found by its name.

    The CLI logs a second event of the same response by OTel's names: it is left plain, since nothing joins the two.
    """
    facts = shared.facts_of(record)
    facts.setdefault("agent", "gemini-cli")
    facts.setdefault("provider", "google")
    read = shared.reading(facts, NAME)
    prefix, _, event = record.name.partition(".")
    if record.signal != "log" or prefix + "." not in _PREFIXES:
        return read
    if event == "api_response":
        counts = read_counts(record.attributes, COUNTS)
        return shared.as_call(record, read, facts, counts, _GEMINI, shared.RANK_LOG, "generate_content")
    if event == "tool_call":
        return shared.as_tool(read, shared.text_of(facts.get("tool")))
    return read
