"""A conversation as the provider sees it once the API's own dress is taken off."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CacheTtl = Literal["5m", "1h"]


@dataclass(frozen=True)
class ToolOffer:
    """A tool the client lets the model call; `schema` is the JSON schema of its arguments."""

    name: str
    schema: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True)
class ToolCall:
    """A call the model made; `arguments` is JSON text, as OpenAI writes it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Message:
    """One message; `answers` are the ids of the calls whose results it brings.

    `cache_ttl` marks the end of a prefix that the client wants cached (Anthropic).
    """

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    answers: tuple[str, ...] = ()
    cache_ttl: CacheTtl | None = None


@dataclass(frozen=True)
class Conversation:
    """What a model is asked to continue.

    `preamble` is all that stands before the first message (instructions); `output_tokens_max` is the
    client's limit, or None; `may_reason` tells whether the client left reasoning switched on.
    """

    model_name: str
    messages: tuple[Message, ...]
    preamble: str = ""
    preamble_ttl: CacheTtl | None = None
    tools: tuple[ToolOffer, ...] = ()
    output_tokens_max: int | None = None
    may_reason: bool = True

    def calls_made(self) -> tuple[ToolCall, ...]:
        """Every tool call of the conversation so far, oldest first."""
        return tuple(call for message in self.messages for call in message.calls)


@dataclass(frozen=True)
class Turn:
    """What the model says next: text, and at most one tool call; cut short when a limit ended it."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    is_cut_short: bool = False

    @property
    def said(self) -> str:
        """All that was generated to be read: the text and the arguments of calls."""
        return self.text + "".join(call.arguments for call in self.calls)


def canonical_arguments(arguments: str) -> str:
    """Tool arguments in one spelling, since SDKs write them anew; text that is not JSON stays as it is."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except json.JSONDecodeError:
        return arguments
