"""Requests of the collector's own JSON endpoints: bounded in size, and answered in one line when something in them is wrong."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.types import Message

from collector.faults import faults, nearest
from ledger.pool import Connections

FIELD_HEADER = "Pigou-Field"
"""Says which field of a request an answer of 4xx is about, where it is about one."""


class Refusal(BaseModel):
    """Why a request was not followed."""

    detail: str = Field(description="What is wrong, where, and how to mend it, in one line.")


_REASONS = {
    401: "A credential is wanted, and none that is valid was shown",
    402: "There is no room for it",
    403: "The credential may not do this, or not for this tenant",
    404: "There is no such thing",
    409: "It is in the way of what was said or done before",
    413: "The request is too large",
    422: "Something in the request is wrong",
    503: "The database is away or has too much to do; try again after `Retry-After` seconds",
}


def bounded_route(limit_bytes: int) -> type[APIRoute]:
    """Routes that refuse what is too large before it is read (413), and say in one line what is wrong with a request (422)."""

    class Bounded(APIRoute):
        def __init__(self, *given: Any, responses: Mapping[int | str, Mapping[str, Any]] | None = None, **named: Any) -> None:
            super().__init__(*given, responses=_described(responses or {}), **named)

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()
            asked = self.body_field.field_info.annotation if self.body_field is not None else None
            parameters = _parameters(self.dependant)

            async def bounded(request: Request) -> Response:
                taken = 0
                unknown = sorted(set(request.query_params) - parameters)
                if unknown:
                    raise HTTPException(422, f"query.{unknown[0]}: {_no_such(unknown[0], parameters)}")

                async def receive() -> Message:
                    nonlocal taken
                    message = await request.receive()
                    taken += len(message.get("body", b""))
                    if taken > limit_bytes:
                        raise HTTPException(413, f"the request is larger than {limit_bytes} bytes")
                    return message

                try:
                    return await answer(Request(request.scope, receive))
                except RequestValidationError as error:
                    said = faults(error.errors(), asked, ("body",))
                    field = next((str(one["loc"][1]) for one in error.errors() if len(one["loc"]) > 1), "")
                    raise HTTPException(422, said, {FIELD_HEADER: field} if field.isidentifier() else None) from error
                except AnyHTTPException as error:
                    if error.status_code != 400:
                        raise
                    raise HTTPException(422, _unreadable(error)) from error

            return bounded

    return Bounded


def _parameters(of: Dependant) -> frozenset[str]:
    """What an address may ask, by name."""
    return frozenset(one.alias for one in of.query_params).union(*map(_parameters, of.dependencies))


def _no_such(name: str, parameters: frozenset[str]) -> str:
    return "there is no such parameter; " + (nearest(name, sorted(parameters)) if parameters else "the address takes none")


def _unreadable(error: AnyHTTPException) -> str:
    """Why a body could not be read at all, which FastAPI answers with 400 and does not say."""
    if isinstance(error.__cause__, UnicodeDecodeError):
        return f"body: it is not UTF-8 at byte {error.__cause__.start}; send JSON in UTF-8"
    return f"body: it cannot be read as JSON ({type(error.__cause__).__name__})"


def _described(responses: Mapping[int | str, Mapping[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """The answers of a route as OpenAPI tells them: all that are refusals have one shape, where nothing else is said."""
    told: dict[int | str, dict[str, Any]] = {401: {}, 403: {}, 413: {}, 422: {}}
    told |= {status: dict(one) for status, one in responses.items()}
    for status, one in told.items():
        if isinstance(status, int) and status >= 400:
            model = one.get("model")
            one["model"] = Refusal if model is None else model | Refusal
            one.setdefault("description", _REASONS[status])
    return told


def while_serving(connections: Connections) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """The lifespan of routes over a database: their connections are opened with the application and closed with it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        connections.open()
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(connections.close)

    return lifespan
