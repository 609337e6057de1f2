"""The provider's HTTP face: routes, keys, errors in each vendor's shape, streams, and the ledger of sales."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from . import anthropic_messages, openai_chat, openai_embeddings, openai_responses
from .answer import Answer, Order
from .catalog import MODELS, Vendor
from .errors import ApiError
from .faults import Fault, refusal
from .sales import Sale, SalesLedger
from .shop import Shop, Ticket
from .usage import Json


class ConnectionBroken(Exception):
    """Raised in the middle of a response to break its connection, as a planned abort."""


@dataclass(frozen=True)
class Api:
    """One API that continues conversations: its name, how it reads, and how it answers, whole or streamed."""

    vendor: Vendor
    name: str
    read: Callable[[bytes], Order]
    render: Callable[[Answer], Json]
    stream: Callable[[Answer], list[str]]


def create_provider(
    *,
    seed: int,
    faults: dict[int, Fault] | None = None,
    sales_path: Path | None = None,
    pace_s: float = 0.004,
) -> FastAPI:
    """The provider as an ASGI application.

    `seed` decides every size and id; `faults` maps the ordinal of a request (from 1) to its failure;
    `sales_path` is a JSONL file the sales are appended to; `pace_s` is the time between streamed pieces.
    """
    shop = Shop(seed=seed, faults=faults or {}, ledger=SalesLedger(sales_path))

    def read_response(body: bytes) -> Order:
        return openai_responses.read(body, shop.memory)

    async def embeddings(request: Request) -> Response:
        return _embed(shop, await request.body(), request)

    async def models(request: Request) -> Response:
        return JSONResponse(_model_list("anthropic" if "anthropic-version" in request.headers else "openai"))

    async def sales(_: Request) -> Response:
        return JSONResponse({"seed": seed, "sales": [sale.as_json() for sale in shop.ledger.sales]})

    chat = Api("openai", openai_chat.API, openai_chat.read, openai_chat.render, openai_chat.stream)
    responses = Api("openai", openai_responses.API, read_response, openai_responses.render, openai_responses.stream)
    messages = Api(
        "anthropic",
        anthropic_messages.API,
        anthropic_messages.read,
        anthropic_messages.render,
        anthropic_messages.stream,
    )
    app = FastAPI(title="local model provider", openapi_url=None)
    app.add_route("/v1/chat/completions", _endpoint(shop, chat, pace_s), methods=["POST"])
    app.add_route("/v1/responses", _endpoint(shop, responses, pace_s), methods=["POST"])
    app.add_route("/v1/messages", _endpoint(shop, messages, pace_s), methods=["POST"])
    app.add_route("/v1/embeddings", embeddings, methods=["POST"])
    app.add_route("/v1/models", models, methods=["GET"])
    app.add_route("/sales", sales, methods=["GET"])
    return app


def _endpoint(shop: Shop, api: Api, pace_s: float) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        ticket = shop.take_ticket()
        try:
            _admit(request, api.vendor, ticket)
            answer = shop.answer(ticket, api.read(await request.body()), api.vendor, api.name)
        except ApiError as error:
            return _refuse(error, api.vendor, ticket)
        if answer.order.is_streamed:
            return _streamed(shop, ticket, answer, api, pace_s)
        await asyncio.sleep(pace_s * 5)
        if ticket.fault is Fault.ABORT:
            return _broken(api.render(answer))
        shop.sell(ticket, answer, api.name)
        return JSONResponse(api.render(answer), headers=_headers(ticket))

    return endpoint


def _embed(shop: Shop, body: bytes, request: Request) -> Response:
    ticket = shop.take_ticket()
    try:
        _admit(request, "openai", ticket)
        order = openai_embeddings.read(body)
        model = shop.find(order.model_name, "openai", "embedding")
        openai_embeddings.check_sizes(order, model)
    except ApiError as error:
        return _refuse(error, "openai", ticket)
    payload = openai_embeddings.render(order, model, shop.meter)
    if ticket.fault is Fault.ABORT:
        return _broken(payload)
    sale = Sale(ticket.request_id, None, openai_embeddings.API, model, order.usage, is_streamed=False)
    shop.ledger.record(sale)
    return JSONResponse(payload, headers=_headers(ticket))


def _admit(request: Request, vendor: Vendor, ticket: Ticket) -> None:
    """Check the key, as the vendor does; then let a planned failure happen. Raises: ApiError."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if vendor == "anthropic":
        if not (request.headers.get("x-api-key") or bearer):
            raise ApiError(401, "x-api-key header is required")
        if "anthropic-version" not in request.headers:
            raise ApiError(400, "header is required", param="anthropic-version")
    elif not bearer:
        raise ApiError(401, "You didn't provide an API key.", code="invalid_api_key")
    error = refusal(ticket.fault) if ticket.fault else None
    if error is not None:
        raise error


def _refuse(error: ApiError, vendor: Vendor, ticket: Ticket) -> Response:
    body = error.anthropic_body(ticket.request_id) if vendor == "anthropic" else error.openai_body()
    headers = _headers(ticket)
    if error.retry_after_ms is not None:
        headers["retry-after-ms"] = str(error.retry_after_ms)
    # 529 is Anthropic's own; OpenAI says 503.
    status = 503 if error.status == 529 and vendor == "openai" else error.status
    return JSONResponse(body, status_code=status, headers=headers)


def _streamed(shop: Shop, ticket: Ticket, answer: Answer, api: Api, pace_s: float) -> Response:
    """The events in turn; the sale is booked before the last, so that a client that has it finds it sold."""
    events = api.stream(answer)

    async def body() -> AsyncIterator[str]:
        await asyncio.sleep(pace_s * 3)
        for event in events[: len(events) // 2]:
            yield event
            await asyncio.sleep(pace_s)
        if ticket.fault is Fault.ABORT:
            raise ConnectionBroken
        for event in events[len(events) // 2 : -1]:
            yield event
            await asyncio.sleep(pace_s)
        shop.sell(ticket, answer, api.name)
        yield events[-1]

    return StreamingResponse(body(), media_type="text/event-stream", headers=_headers(ticket))


def _broken(payload: Json) -> Response:
    """Half a response, then nothing: the connection breaks and nothing is sold."""

    async def body() -> AsyncIterator[str]:
        text = json.dumps(payload)
        yield text[: len(text) // 2]
        raise ConnectionBroken

    return StreamingResponse(body(), media_type="application/json")


def _headers(ticket: Ticket) -> dict[str, str]:
    return {"x-request-id": ticket.request_id, "request-id": ticket.request_id}


def _model_list(vendor: Vendor) -> Json:
    names = [model.name for model in MODELS if model.vendor == vendor]
    if vendor == "openai":
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "local"} for name in names]
        return {"object": "list", "data": entries}
    released = "2026-01-01T00:00:00Z"
    entries = [{"type": "model", "id": name, "display_name": name, "created_at": released} for name in names]
    return {"data": entries, "has_more": False, "first_id": names[0], "last_id": names[-1]}
