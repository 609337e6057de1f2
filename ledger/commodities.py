"""What can be bought: every billable kind of quantity, the three that only the shadow book prices, and dollars themselves.

Billable names are the usage keys of genai-prices, so that a list price finds its commodity by name. In the books they are
*disjoint leaves*: `input_tokens` is fresh input alone (no cached, written, tool or media tokens inside), `output_tokens` is plain
output alone (no reasoning, citation or media tokens inside). A quantity stands under exactly one commodity; cost is the sum.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Unit: TypeAlias = Literal[
    "token", "character", "message", "second", "pixel", "page", "search", "execution", "request", "usd", "quality"
]
Direction: TypeAlias = Literal["input", "output"]
Kind: TypeAlias = Literal[
    "fresh", "cache_read", "cache_write", "plain", "reasoning", "fee", "latency", "risk", "quality", "capital"
]


class Commodity(NamedTuple):
    """One kind of quantity. `kind` says which column of a call it adds up in; fees are neither input nor output tokens."""

    commodity_id: int
    commodity: str
    unit: Unit
    direction: Direction | None
    kind: Kind


# Ids stand in every transfer ever booked: append only, never renumber, never reuse.
COMMODITIES: tuple[Commodity, ...] = (
    Commodity(1, "input_tokens", "token", "input", "fresh"),
    Commodity(2, "cache_read_tokens", "token", "input", "cache_read"),
    Commodity(3, "cache_write_tokens", "token", "input", "cache_write"),
    Commodity(4, "cache_write_5m_tokens", "token", "input", "cache_write"),
    Commodity(5, "cache_write_1h_tokens", "token", "input", "cache_write"),
    Commodity(6, "output_tokens", "token", "output", "plain"),
    Commodity(7, "output_reasoning_tokens", "token", "output", "reasoning"),
    Commodity(8, "output_citation_tokens", "token", "output", "plain"),
    Commodity(9, "input_tool_tokens", "token", "input", "fresh"),
    Commodity(10, "input_text_tokens", "token", "input", "fresh"),
    Commodity(11, "input_audio_tokens", "token", "input", "fresh"),
    Commodity(12, "input_image_tokens", "token", "input", "fresh"),
    Commodity(13, "input_video_tokens", "token", "input", "fresh"),
    Commodity(14, "input_text_tool_tokens", "token", "input", "fresh"),
    Commodity(15, "input_audio_tool_tokens", "token", "input", "fresh"),
    Commodity(16, "input_image_tool_tokens", "token", "input", "fresh"),
    Commodity(17, "input_video_tool_tokens", "token", "input", "fresh"),
    Commodity(18, "cache_text_read_tokens", "token", "input", "cache_read"),
    Commodity(19, "cache_audio_read_tokens", "token", "input", "cache_read"),
    Commodity(20, "cache_image_read_tokens", "token", "input", "cache_read"),
    Commodity(21, "cache_video_read_tokens", "token", "input", "cache_read"),
    Commodity(22, "cache_text_write_tokens", "token", "input", "cache_write"),
    Commodity(23, "cache_audio_write_tokens", "token", "input", "cache_write"),
    Commodity(24, "cache_image_write_tokens", "token", "input", "cache_write"),
    Commodity(25, "cache_video_write_tokens", "token", "input", "cache_write"),
    Commodity(26, "cache_text_write_5m_tokens", "token", "input", "cache_write"),
    Commodity(27, "cache_audio_write_5m_tokens", "token", "input", "cache_write"),
    Commodity(28, "cache_image_write_5m_tokens", "token", "input", "cache_write"),
    Commodity(29, "cache_video_write_5m_tokens", "token", "input", "cache_write"),
    Commodity(30, "cache_text_write_1h_tokens", "token", "input", "cache_write"),
    Commodity(31, "cache_audio_write_1h_tokens", "token", "input", "cache_write"),
    Commodity(32, "cache_image_write_1h_tokens", "token", "input", "cache_write"),
    Commodity(33, "cache_video_write_1h_tokens", "token", "input", "cache_write"),
    Commodity(34, "output_text_tokens", "token", "output", "plain"),
    Commodity(35, "output_audio_tokens", "token", "output", "plain"),
    Commodity(36, "output_image_tokens", "token", "output", "plain"),
    Commodity(37, "output_video_tokens", "token", "output", "plain"),
    Commodity(38, "output_text_reasoning_tokens", "token", "output", "reasoning"),
    Commodity(39, "output_audio_reasoning_tokens", "token", "output", "reasoning"),
    Commodity(40, "output_image_reasoning_tokens", "token", "output", "reasoning"),
    Commodity(41, "output_video_reasoning_tokens", "token", "output", "reasoning"),
    Commodity(42, "output_text_citation_tokens", "token", "output", "plain"),
    Commodity(43, "output_audio_citation_tokens", "token", "output", "plain"),
    Commodity(44, "output_image_citation_tokens", "token", "output", "plain"),
    Commodity(45, "output_video_citation_tokens", "token", "output", "plain"),
    Commodity(46, "input_characters", "character", "input", "fee"),
    Commodity(47, "input_text_messages", "message", "input", "fee"),
    Commodity(48, "audio_seconds", "second", None, "fee"),
    Commodity(49, "input_audio_seconds", "second", "input", "fee"),
    Commodity(50, "output_audio_seconds", "second", "output", "fee"),
    Commodity(51, "input_pixels", "pixel", "input", "fee"),
    Commodity(52, "input_document_pages", "page", "input", "fee"),
    Commodity(53, "input_annotated_document_pages", "page", "input", "fee"),
    Commodity(54, "rerank_searches", "search", None, "fee"),
    Commodity(55, "web_searches", "search", None, "fee"),
    Commodity(56, "social_searches", "search", None, "fee"),
    Commodity(57, "storage_searches", "search", None, "fee"),
    Commodity(58, "code_executions", "execution", None, "fee"),
    Commodity(59, "requests", "request", None, "fee"),
    # The shadow book's: priced by λ, ρ and V, never by a provider.
    Commodity(101, "latency_seconds", "second", None, "latency"),
    Commodity(102, "risk_usd", "usd", None, "risk"),
    Commodity(103, "quality", "quality", None, "quality"),
    # The accrual book's: dollars that were paid already, at rate 1.
    Commodity(104, "capital_usd", "usd", None, "capital"),
)

COMMODITY_BY_NAME: dict[str, Commodity] = {c.commodity: c for c in COMMODITIES}
