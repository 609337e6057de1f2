"""OpenAI's /v1/chat/completions: reading requests, rendering responses and their streams."""

from typing import Any, Literal

from .answer import Answer, Order, pieces, sse_data
from .conversation import Conversation, Message, ToolCall, ToolOffer
from .errors import ApiError, OpenWire, Wire, read_request
from .usage import Json, openai_chat_usage

API = "chat.completions"

# Parameters of the API that are accepted and change nothing in a scripted answer.
ACCEPTED_PARAMS = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "metadata",
        "modalities",
        "moderation",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "temperature",
        "tool_choice",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
    }
)


class TextPart(Wire):
    """A piece of text content."""

    type: Literal["text"]
    text: str


class FunctionCall(Wire):
    """Which function was called, with which arguments (JSON text)."""

    name: str
    arguments: str


class AssistantCall(Wire):
    """The model's call of a tool, sent back by the client."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class ChatMessage(Wire):
    """One message of any role."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[AssistantCall] | None = None
    tool_call_id: str | None = None

    def text(self) -> str:
        """The content as one text, empty when there is none."""
        if self.content is None:
            return ""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class FunctionSpec(Wire):
    """Name and arguments of a function on offer."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolSpec(Wire):
    """A tool the model may call."""

    type: Literal["function"]
    function: FunctionSpec


class StreamOptions(Wire):
    """What a stream shall tell beside the answer."""

    include_usage: bool = False
    include_obfuscation: bool = False


class ChatRequest(OpenWire):
    """The request, as far as it matters here."""

    model: str
    messages: list[ChatMessage]
    tools: list[ToolSpec] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    reasoning_effort: str | None = None
    n: Literal[1] | None = None


def read(body: bytes) -> Order:
    """Read a request. Raises: ApiError 400 in the vendor's words when it is not one this API takes."""
    request = read_request(ChatRequest, body, ACCEPTED_PARAMS)
    if not request.messages:
        raise ApiError(400, "Expected at least one message.", param="messages", code="empty_array")
    if request.stream_options is not None and not request.stream:
        raise ApiError(400, "'stream_options' is only allowed when 'stream' is true.", param="stream_options")
    _check_tool_results(request.messages)
    system = [message.text() for message in request.messages if message.role in ("system", "developer")]
    conversation = Conversation(
        model_name=request.model,
        preamble="\n".join(system),
        messages=tuple(_message(m) for m in request.messages if m.role not in ("system", "developer")),
        tools=tuple(ToolOffer(t.function.name, t.function.parameters or {}) for t in request.tools or ()),
        output_tokens_max=request.max_completion_tokens or request.max_tokens,
        may_reason=request.reasoning_effort not in ("none", "minimal"),
    )
    wants_usage = request.stream_options is not None and request.stream_options.include_usage
    return Order(conversation, is_streamed=bool(request.stream), wants_usage=wants_usage)


def _message(message: ChatMessage) -> Message:
    calls = tuple(
        ToolCall(call_id=call.id, name=call.function.name, arguments=call.function.arguments) for call in message.tool_calls or ()
    )
    role = message.role if message.role in ("assistant", "tool") else "user"
    answers = (message.tool_call_id,) if message.tool_call_id else ()
    return Message(role=role, text=message.text(), calls=calls, answers=answers)


def _check_tool_results(messages: list[ChatMessage]) -> None:
    """Every tool result answers a call, and every call is answered before anything else is said."""
    open_calls: set[str] = set()
    for at, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                text = "Messages with role 'tool' must answer a preceding message with 'tool_calls'."
                raise ApiError(400, text, param=f"messages.{at}.tool_call_id")
            open_calls.discard(message.tool_call_id)
            continue
        if open_calls:
            text = f"These tool_call_ids have no response messages: {', '.join(sorted(open_calls))}."
            raise ApiError(400, text, param=f"messages.{at}.role")
        open_calls = {call.id for call in message.tool_calls or ()}
    if open_calls:
        text = f"These tool_call_ids have no response messages: {', '.join(sorted(open_calls))}."
        raise ApiError(400, text, param="messages")


def render(answer: Answer) -> Json:
    """The whole response."""
    turn = answer.turn
    message: Json = {"role": "assistant", "content": turn.text or None, "refusal": None, "annotations": []}
    if turn.calls:
        message["tool_calls"] = [_call(call) for call in turn.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(answer)}
    return _envelope(answer, "chat.completion") | {
        "choices": [choice],
        "usage": openai_chat_usage(answer.usage),
    }


def stream(answer: Answer) -> list[str]:
    """The same response as server-sent events; usage comes last, alone, and only when it was asked for."""
    turn = answer.turn
    deltas: list[Json] = []
    deltas.append({"role": "assistant", "content": "", "refusal": None})
    deltas.extend({"content": piece} for piece in pieces(turn.text))
    for index, call in enumerate(turn.calls):
        function = {"name": call.name, "arguments": ""}
        opening = {"index": index, "id": call.call_id, "type": "function", "function": function}
        deltas.append({"tool_calls": [opening]})
        deltas.extend({"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces(call.arguments))
    events = [_chunk(answer, delta, None) for delta in deltas]
    events.append(_chunk(answer, {}, _finish_reason(answer)))
    if answer.order.wants_usage:
        usage = {"choices": [], "usage": openai_chat_usage(answer.usage)}
        events.append(sse_data(_envelope(answer, "chat.completion.chunk") | usage))
    return [*events, "data: [DONE]\n\n"]


def _chunk(answer: Answer, delta: Json, finish_reason: str | None) -> str:
    choice: Json = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    chunk = _envelope(answer, "chat.completion.chunk") | {"choices": [choice]}
    if answer.order.wants_usage:
        chunk["usage"] = None
    return sse_data(chunk)


def _envelope(answer: Answer, kind: str) -> Json:
    return {
        "id": answer.response_id,
        "object": kind,
        "created": answer.created_at,
        "model": answer.model.snapshot,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _call(call: ToolCall) -> Json:
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _finish_reason(answer: Answer) -> str:
    if answer.turn.is_cut_short:
        return "length"
    return "tool_calls" if answer.turn.calls else "stop"
