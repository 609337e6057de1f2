"""What passes between an API and the shop: an order read from a request, an answer to render."""

import json
from dataclasses import dataclass, field

from .catalog import Model
from .conversation import Conversation, Turn
from .usage import Json, Usage

PIECE_CHARS = 24


@dataclass(frozen=True)
class Order:
    """A request that was read: what to continue, and how the client wants the answer.

    `wants_usage` matters only for streams of chat completions, which report usage only on demand.
    `echo` holds request fields that the API repeats in its response.
    """

    conversation: Conversation
    is_streamed: bool = False
    wants_usage: bool = True
    echo: Json = field(default_factory=dict[str, object])


@dataclass(frozen=True)
class Answer:
    """A response that is ready to be rendered in the API's shape; `created_at` is in Unix seconds."""

    response_id: str
    created_at: int
    order: Order
    model: Model
    turn: Turn
    usage: Usage


def sse_data(payload: Json) -> str:
    """A server-sent event without a name, as chat completions stream."""
    return f"data: {json.dumps(payload)}\n\n"


def sse_event(payload: Json) -> str:
    """A server-sent event named after its payload's `type`, as Responses and Messages stream."""
    return f"event: {payload['type']}\ndata: {json.dumps(payload)}\n\n"


def pieces(text: str) -> list[str]:
    """Text cut into the pieces it is streamed in; joined they are the text again."""
    return [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]
