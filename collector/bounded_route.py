"""Requests of the collector's own JSON endpoints: bounded in size, and answered in one line when something in them is wrong."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Message

from ledger.pool import Connections

FIELD_HEADER = "Pigou-Field"
"""Says which field of a request an answer of 4xx is about, where it is about one."""
NO_NUL = r"^[^\x00]+$"
"""Text without the character that PostgreSQL cannot hold."""


def bounded_route(limit_bytes: int) -> type[APIRoute]:
    """Routes that refuse what is too large before it is read (413), and say in one line what is wrong with a request (422)."""

    class Bounded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def bounded(request: Request) -> Response:
                taken = 0

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
                    wrong = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
                    said = "; ".join(wrong).encode("utf-8", "replace").decode()  # it may quote half a character
                    field = next((str(one["loc"][1]) for one in error.errors() if len(one["loc"]) > 1), "")
                    raise HTTPException(422, said, {FIELD_HEADER: field} if field.isidentifier() else None) from error

            return bounded

    return Bounded


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
