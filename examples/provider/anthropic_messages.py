"""Anthropic's /v1/messages: reading requests, rendering responses and their streams."""

import json
from dataclasses import replace
from typing import Any, Literal

from .answer import Answer, Order, pieces, sse_event
from .conversation import CacheTtl, Conversation, Message, ToolCall, ToolOffer
from .errors import ApiError, OpenWire, Wire, read_request
from .usage import Json, anthropic_usage

API = "messages"
CACHE_MARKS_MAX = 4
OPENING_OUTPUT_TOKENS = 1  # what the first event of a stream counts; the last event's count includes it

# Parameters of the API that are accepted and change nothing in a scripted answer.
ACCEPTED_PARAMS = frozenset(
    {
        "container",
        "inference_geo",
        "metadata",
        "output_config",
        "service_tier",
        "stop_sequences",
        "temperature",
        "tool_choice",
        "top_k",
        "top_p",
    }
)


class CacheControl(Wire):
    """Marks the end of a prefix to be cached, and how long it shall live."""

    type: Literal["ephemeral"]
    ttl: CacheTtl = "5m"


class TextBlock(Wire):
    """Text, in messages and in instructions."""

    type: Literal["text"]
    text: str
    cache_control: CacheControl | None = None
    citations: list[Any] | None = None


class ToolUseBlock(Wire):
    """The model's call of a tool, sent back by the client."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]
    cache_control: CacheControl | None = None
    caller: dict[str, Any] | None = None


class ToolResultBlock(Wire):
    """What a called tool answered."""

    type: Literal["tool_result"]
    tool_use_id: str
    content: str | list[TextBlock] = ""
    is_error: bool = False
    cache_control: CacheControl | None = None


class ThinkingBlock(Wire):
    """The model's own thinking, sent back by the client."""

    type: Literal["thinking"]
    thinking: str
    signature: str


Block = TextBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock


class AnthropicMessage(Wire):
    """One message of either side."""

    role: Literal["user", "assistant"]
    content: str | list[Block]


class Tool(Wire):
    """A tool the model may call."""

    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    type: Literal["custom"] | None = None
    cache_control: CacheControl | None = None


class Thinking(Wire):
    """Whether the model may think before it answers."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: int | None = None
    display: str | None = None


class MessagesRequest(OpenWire):
    """The request, as far as it matters here."""

    model: str
    max_tokens: int
    messages: list[AnthropicMessage]
    system: str | list[TextBlock] = ""
    tools: list[Tool] | None = None
    thinking: Thinking | None = None
    cache_control: CacheControl | None = None
    stream: bool = False


def read(body: bytes) -> Order:
    """Read a request. Raises: ApiError 400 in the vendor's words when it is not one this API takes."""
    request = read_request(MessagesRequest, body, ACCEPTED_PARAMS)
    if request.max_tokens < 1:
        raise ApiError(400, "must be greater than or equal to 1", param="max_tokens")
    if not request.messages:
        raise ApiError(400, "at least one message is required", param="messages")
    _check_tool_results(request.messages)
    _check_cache_marks(request)
    messages = [_message(message) for message in request.messages]
    if request.cache_control is not None and messages[-1].cache_ttl is None:
        messages[-1] = replace(messages[-1], cache_ttl=request.cache_control.ttl)
    system, system_ttl = _preamble(request)
    conversation = Conversation(
        model_name=request.model,
        preamble=system,
        preamble_ttl=system_ttl,
        messages=tuple(messages),
        tools=tuple(ToolOffer(tool.name, tool.input_schema) for tool in request.tools or ()),
        output_tokens_max=request.max_tokens,
        may_reason=request.thinking is not None and request.thinking.type != "disabled",
    )
    return Order(conversation, is_streamed=request.stream)


def _message(message: AnthropicMessage) -> Message:
    if isinstance(message.content, str):
        return Message(role=message.role, text=message.content)
    texts: list[str] = []
    calls: list[ToolCall] = []
    answers: list[str] = []
    ttl: CacheTtl | None = None
    for block in message.content:
        match block:
            case TextBlock():
                texts.append(block.text)
            case ToolUseBlock():
                calls.append(ToolCall(call_id=block.id, name=block.name, arguments=json.dumps(block.input)))
            case ToolResultBlock():
                texts.append(_text(block.content))
                answers.append(block.tool_use_id)
            case ThinkingBlock():
                continue
        ttl = block.cache_control.ttl if block.cache_control else ttl
    return Message(
        role="tool" if answers else message.role,
        text="\n".join(texts),
        calls=tuple(calls),
        answers=tuple(answers),
        cache_ttl=ttl,
    )


def _preamble(request: MessagesRequest) -> tuple[str, CacheTtl | None]:
    """Instructions and the mark of the prefix that tools and instructions make together."""
    controls = [tool.cache_control for tool in request.tools or ()]
    if isinstance(request.system, list):
        controls += [block.cache_control for block in request.system]
    marks = [control for control in controls if control]
    return _text(request.system), marks[-1].ttl if marks else None


def _text(content: str | list[TextBlock]) -> str:
    return content if isinstance(content, str) else "".join(block.text for block in content)


def _check_tool_results(messages: list[AnthropicMessage]) -> None:
    """The message after a tool use holds its result, and results answer only the message before them."""
    open_calls: set[str] = set()
    for at, message in enumerate(messages):
        blocks = message.content if isinstance(message.content, list) else []
        results = {block.tool_use_id for block in blocks if isinstance(block, ToolResultBlock)}
        if results - open_calls:
            text = f"unexpected `tool_use_id` in `tool_result` blocks: {', '.join(sorted(results - open_calls))}"
            raise ApiError(400, text, param=f"messages.{at}")
        if open_calls - results:
            text = f"`tool_use` ids without `tool_result` blocks: {', '.join(sorted(open_calls - results))}"
            raise ApiError(400, text, param=f"messages.{at}")
        open_calls = {block.id for block in blocks if isinstance(block, ToolUseBlock)}
    if open_calls:
        text = f"`tool_use` ids without `tool_result` blocks: {', '.join(sorted(open_calls))}"
        raise ApiError(400, text, param="messages")


def _check_cache_marks(request: MessagesRequest) -> None:
    """At most four marks, and those that live an hour stand before those that live five minutes."""
    holders: list[Tool | Block] = [*(request.tools or ())]
    if isinstance(request.system, list):
        holders += request.system
    for message in request.messages:
        holders += message.content if isinstance(message.content, list) else []
    controls = [None if isinstance(holder, ThinkingBlock) else holder.cache_control for holder in holders]
    ttls = [control.ttl for control in (*controls, request.cache_control) if control]
    if len(ttls) > CACHE_MARKS_MAX:
        raise ApiError(400, f"A maximum of 4 blocks with cache_control may be provided. Found {len(ttls)}.")
    if "1h" in ttls[ttls.index("5m") :] if "5m" in ttls else False:
        raise ApiError(400, "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.")


def render(answer: Answer) -> Json:
    """The whole response."""
    return _envelope(answer) | {
        "content": [_block(block) for block in _blocks(answer)],
        "stop_reason": _stop_reason(answer),
        "usage": anthropic_usage(answer.usage),
    }


def stream(answer: Answer) -> list[str]:
    """The same response as events: input is told with the first, output is cumulative in the last but one."""
    opening_usage = anthropic_usage(answer.usage) | {
        "output_tokens": OPENING_OUTPUT_TOKENS,
        "output_tokens_details": None,
    }
    opening = _envelope(answer) | {"content": [], "stop_reason": None, "usage": opening_usage}
    events: list[Json] = [{"type": "message_start", "message": opening}]
    for index, block in enumerate(_blocks(answer)):
        events += _block_events(index, block)
    usage = anthropic_usage(answer.usage)
    # The breakdown of writes by time to live and the tier are told at the start only.
    closing_usage = {key: usage[key] for key in usage if key not in ("cache_creation", "service_tier")}
    delta = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": closing_usage})
    events.append({"type": "message_stop"})
    return [sse_event(event) for event in events]


def _envelope(answer: Answer) -> Json:
    return {
        "id": answer.response_id,
        "type": "message",
        "role": "assistant",
        "model": answer.model.snapshot,
        "stop_sequence": None,
    }


def _blocks(answer: Answer) -> list[ThinkingBlock | str | ToolCall]:
    blocks: list[ThinkingBlock | str | ToolCall] = []
    if answer.usage.reasoning:
        thought = "The failing test says what total should be; one of its terms must be wrong."
        signature = answer.response_id.removeprefix("msg_")
        blocks.append(ThinkingBlock(type="thinking", thinking=thought, signature=signature))
    if answer.turn.text:
        blocks.append(answer.turn.text)
    return [*blocks, *answer.turn.calls]


def _block(block: ThinkingBlock | str | ToolCall) -> Json:
    match block:
        case ThinkingBlock():
            return block.model_dump()
        case ToolCall():
            return {
                "type": "tool_use",
                "id": block.call_id,
                "name": block.name,
                "input": json.loads(block.arguments),
            }
        case _:
            return {"type": "text", "text": block}


def _block_events(index: int, block: ThinkingBlock | str | ToolCall) -> list[Json]:
    match block:
        case ThinkingBlock():
            begun: Json = {"type": "thinking", "thinking": "", "signature": ""}
            deltas: list[Json] = [
                {"type": "thinking_delta", "thinking": block.thinking},
                {"type": "signature_delta", "signature": block.signature},
            ]
        case ToolCall():
            begun = _block(block) | {"input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(block.arguments)]
        case _:
            begun = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block)]
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _stop_reason(answer: Answer) -> str:
    if answer.turn.is_cut_short:
        return "max_tokens"
    return "tool_use" if answer.turn.calls else "end_turn"
