"""The shop: takes an order, has it answered and measured, and books the sale once it is handed over."""

import hashlib
import time
from dataclasses import dataclass, replace

from .answer import Answer, Order
from .catalog import Model, Vendor, find_model
from .conversation import Message, Turn
from .errors import ApiError
from .faults import Fault
from .meter import BYTES_PER_TOKEN, Meter, text_tokens
from .sales import Sale, SalesLedger
from .script import next_turn
from .usage import Usage

ID_PREFIXES = {"chat.completions": "chatcmpl-", "responses": "resp_", "messages": "msg_"}
CALL_PREFIXES = {"openai": "call_", "anthropic": "toolu_"}


@dataclass(frozen=True)
class Ticket:
    """A request's place in the order of requests, and the failure planned for it, if any."""

    ordinal: int
    request_id: str
    fault: Fault | None


class Shop:
    """All state of a provider: how many requests came, what the cache holds, what was sold, what was said."""

    def __init__(self, *, seed: int, faults: dict[int, Fault], ledger: SalesLedger) -> None:
        self.meter = Meter(seed)
        self.ledger = ledger
        self.memory: dict[str, tuple[Message, ...]] = {}
        self._seed = seed
        self._faults = faults
        self._requests = 0

    def take_ticket(self) -> Ticket:
        """Count a request, whatever becomes of it."""
        self._requests += 1
        name = self._name("request", self._requests)
        return Ticket(self._requests, f"req_{name}", self._faults.get(self._requests))

    def answer(self, ticket: Ticket, order: Order, vendor: Vendor, api: str) -> Answer:
        """Continue the order's conversation and measure it; nothing is sold yet.

        Raises: ApiError 404 for a model that is not on sale, 400 for a prompt beyond its context.
        """
        model = self.find(order.conversation.model_name, vendor, "chat")
        prompt_tokens = self.meter.prompt_tokens(order.conversation, model)
        if prompt_tokens > model.prompt_tokens_max:
            text = f"prompt is too long: {prompt_tokens} tokens > {model.prompt_tokens_max} maximum"
            raise ApiError(400, text, code="context_length_exceeded")
        call_id = CALL_PREFIXES[vendor] + self._name("call", ticket.ordinal)
        mood = self.meter.draw((0, 999), "mood", str(ticket.ordinal))
        turn = next_turn(order.conversation, call_id, mood)
        usage = self.meter.measure(order.conversation, turn, model)
        answer = Answer(
            response_id=ID_PREFIXES[api] + self._name("response", ticket.ordinal),
            created_at=int(time.time()),
            order=order,
            model=model,
            turn=_within_limit(turn, usage),
            usage=usage,
        )
        if api == "responses":
            said = Message(role="assistant", text=answer.turn.text, calls=answer.turn.calls)
            self.memory[answer.response_id] = (*order.conversation.messages, said)
        return answer

    def find(self, name: str, vendor: Vendor, kind: str) -> Model:
        """The model on sale under this name. Raises: ApiError 404."""
        model = find_model(name, vendor)
        if model is None or model.kind != kind:
            raise ApiError(404, f"The model '{name}' does not exist.", param="model", code="model_not_found")
        return model

    def sell(self, ticket: Ticket, answer: Answer, api: str) -> None:
        """Book the sale of an answer that is being handed over whole."""
        self.ledger.record(
            Sale(
                request_id=ticket.request_id,
                response_id=answer.response_id,
                api=api,
                model=answer.model,
                usage=answer.usage,
                is_streamed=answer.order.is_streamed,
            )
        )

    def _name(self, kind: str, ordinal: int) -> str:
        """An id's random-looking part: the same for the same seed and place in the order of requests."""
        return hashlib.sha256(f"{self._seed}/{kind}/{ordinal}".encode()).hexdigest()[:24]


def _within_limit(turn: Turn, usage: Usage) -> Turn:
    """The turn as far as its measured output reaches: a call that does not fit is not made."""
    if text_tokens(turn.said) <= usage.output:
        return turn
    return replace(turn, text=turn.text[: usage.output * BYTES_PER_TOKEN], calls=(), is_cut_short=True)
