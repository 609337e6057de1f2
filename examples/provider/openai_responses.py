"""OpenAI's /v1/responses: reading requests, rendering responses and their streams."""

from collections.abc import Mapping
from typing import Any, Literal

from .answer import Answer, Order, pieces, sse_event
from .conversation import Conversation, Message, ToolCall, ToolOffer
from .errors import ApiError, OpenWire, Wire, read_request
from .usage import Json, openai_responses_usage

API = "responses"

# Parameters of the API that are accepted and change nothing in a scripted answer.
ACCEPTED_PARAMS = frozenset(
    {
        "background",
        "conversation",
        "include",
        "max_tool_calls",
        "moderation",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "stream_options",
        "temperature",
        "text",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)

# What a stored response stood for: the conversation up to and with it.
Memory = Mapping[str, tuple[Message, ...]]


class ContentPart(Wire):
    """A piece of text, of either side."""

    type: Literal["input_text", "output_text", "text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class MessageItem(Wire):
    """A message in the input."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[ContentPart]
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class CallItem(Wire):
    """The model's call of a tool, sent back by the client."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: str | None = None


class CallOutputItem(Wire):
    """What a called tool answered."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[ContentPart]
    id: str | None = None
    status: str | None = None


class ReasoningItem(Wire):
    """The model's own reasoning, sent back by the client."""

    type: Literal["reasoning"]
    id: str
    summary: list[Any]
    content: list[Any] | None = None
    encrypted_content: str | None = None
    status: str | None = None


class FunctionTool(Wire):
    """A tool the model may call."""

    type: Literal["function"]
    name: str
    parameters: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class ReasoningOptions(Wire):
    """How much the model may reason before it answers."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class ResponseRequest(OpenWire):
    """The request, as far as it matters here."""

    model: str
    input: str | list[CallItem | CallOutputItem | ReasoningItem | MessageItem]
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, str] | None = None
    reasoning: ReasoningOptions | None = None
    max_output_tokens: int | None = None
    stream: bool | None = None


def read(body: bytes, memory: Memory) -> Order:
    """Read a request; `memory` answers `previous_response_id`.

    Raises: ApiError 400 in the vendor's words when it is not one this API takes.
    """
    request = read_request(ResponseRequest, body, ACCEPTED_PARAMS)
    earlier: tuple[Message, ...] = ()
    if request.previous_response_id is not None:
        if request.previous_response_id not in memory:
            text = f"Previous response with id '{request.previous_response_id}' not found."
            raise ApiError(400, text, param="previous_response_id", code="previous_response_not_found")
        earlier = memory[request.previous_response_id]
    system, messages = _messages(request)
    conversation = Conversation(
        model_name=request.model,
        preamble="\n".join(filter(None, (request.instructions, *system))),
        messages=(*earlier, *messages),
        tools=tuple(ToolOffer(tool.name, tool.parameters or {}) for tool in request.tools or ()),
        output_tokens_max=request.max_output_tokens,
        may_reason=request.reasoning is None or request.reasoning.effort not in ("none", "minimal"),
    )
    _check_tool_results(conversation)
    return Order(conversation, is_streamed=bool(request.stream), echo=_echo(request))


def _messages(request: ResponseRequest) -> tuple[list[str], list[Message]]:
    """System texts and messages of the input; a reasoning item is the model's own and weighs nothing."""
    if isinstance(request.input, str):
        return [], [Message(role="user", text=request.input)]
    system: list[str] = []
    messages: list[Message] = []
    for item in request.input:
        match item:
            case CallItem():
                call = ToolCall(call_id=item.call_id, name=item.name, arguments=item.arguments)
                messages.append(Message(role="assistant", calls=(call,)))
            case CallOutputItem():
                messages.append(Message(role="tool", text=_text(item.output), answers=(item.call_id,)))
            case MessageItem(role="system" | "developer"):
                system.append(_text(item.content))
            case MessageItem(role="assistant"):
                messages.append(Message(role="assistant", text=_text(item.content)))
            case MessageItem():
                messages.append(Message(role="user", text=_text(item.content)))
            case ReasoningItem():
                continue
    return system, messages


def _text(content: str | list[ContentPart]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)


def _check_tool_results(conversation: Conversation) -> None:
    called = {call.call_id for call in conversation.calls_made()}
    answered = {call_id for message in conversation.messages for call_id in message.answers}
    for call_id in sorted(answered - called):
        raise ApiError(400, f"No tool call found for function call output with call_id {call_id}.", param="input")
    for call_id in sorted(called - answered):
        raise ApiError(400, f"No tool output found for function call {call_id}.", param="input")


def _echo(request: ResponseRequest) -> Json:
    tools = [tool.model_dump(exclude_unset=True) for tool in request.tools or ()]
    return {
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "metadata": request.metadata or {},
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": request.previous_response_id,
        "tool_choice": request.tool_choice or "auto",
        "tools": tools,
    }


def render(answer: Answer) -> Json:
    """The whole response."""
    status = "incomplete" if answer.turn.is_cut_short else "completed"
    reason = {"reason": "max_output_tokens"} if answer.turn.is_cut_short else None
    return _response(answer, status) | {
        "incomplete_details": reason,
        "output": _output(answer),
        "usage": openai_responses_usage(answer.usage),
    }


def stream(answer: Answer) -> list[str]:
    """The same response as the API's numbered events; usage comes with the last one."""
    opening = _response(answer, "in_progress") | {"incomplete_details": None, "output": [], "usage": None}
    events: list[Json] = [
        {"type": "response.created", "response": opening},
        {"type": "response.in_progress", "response": opening},
    ]
    for index, item in enumerate(_output(answer)):
        events += _item_events(index, item)
    ending = "response.incomplete" if answer.turn.is_cut_short else "response.completed"
    events.append({"type": ending, "response": render(answer)})
    return [sse_event(event | {"sequence_number": at}) for at, event in enumerate(events)]


def _response(answer: Answer, status: str) -> Json:
    return answer.order.echo | {
        "id": answer.response_id,
        "object": "response",
        "created_at": answer.created_at,
        "status": status,
        "error": None,
        "model": answer.model.snapshot,
        "service_tier": "default",
    }


def _output(answer: Answer) -> list[Json]:
    stem = answer.response_id.removeprefix("resp_")
    items: list[Json] = []
    if answer.usage.reasoning:
        items.append({"id": f"rs_{stem}", "type": "reasoning", "summary": []})
    if answer.turn.text:
        part = {"type": "output_text", "text": answer.turn.text, "annotations": [], "logprobs": []}
        items.append(
            {
                "id": f"msg_{stem}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        )
    items.extend(
        {
            "id": f"fc_{stem}",
            "type": "function_call",
            "call_id": call.call_id,
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }
        for call in answer.turn.calls
    )
    return items


def _item_events(index: int, item: Json) -> list[Json]:
    """An output item as it grows: added, its pieces, done."""
    where: Json = {"item_id": item["id"], "output_index": index}
    added: Json = {"type": "response.output_item.added", "output_index": index}
    done: Json = {"type": "response.output_item.done", "output_index": index, "item": item}
    match item["type"]:
        case "message":
            begun = item | {"status": "in_progress", "content": []}
            return [added | {"item": begun}, *_text_events(where, item), done]
        case "function_call":
            begun = item | {"status": "in_progress", "arguments": ""}
            return [added | {"item": begun}, *_argument_events(where, item), done]
        case _:
            return [added | {"item": item}, done]


def _text_events(where: Json, item: Json) -> list[Json]:
    parts = item["content"]
    if not isinstance(parts, list):
        raise TypeError("a message item holds a list of parts")
    part: Json = parts[0]
    text = str(part["text"])
    place = where | {"content_index": 0}
    return [
        place | {"type": "response.content_part.added", "part": part | {"text": ""}},
        *(place | {"type": "response.output_text.delta", "delta": piece, "logprobs": []} for piece in pieces(text)),
        place | {"type": "response.output_text.done", "text": text, "logprobs": []},
        place | {"type": "response.content_part.done", "part": part},
    ]


def _argument_events(where: Json, item: Json) -> list[Json]:
    arguments = str(item["arguments"])
    name = "response.function_call_arguments"
    return [
        *(where | {"type": f"{name}.delta", "delta": piece} for piece in pieces(arguments)),
        where | {"type": f"{name}.done", "arguments": arguments, "name": item["name"]},
    ]
