"""Routes of the API that take small JSON: too large is refused before it is read, and what is wrong is said in one line."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Message

BODY_LIMIT_BYTES = 16 * 1024
NO_NUL = r"^[^\x00]+$"
"""Text that PostgreSQL can hold."""


class BoundedRoute(APIRoute):
    """A route with both."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with both around it."""
        answer = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            taken = 0

            async def receive() -> Message:
                nonlocal taken
                message = await request.receive()
                taken += len(message.get("body", b""))
                if taken > BODY_LIMIT_BYTES:
                    raise HTTPException(413, f"the request is larger than {BODY_LIMIT_BYTES} bytes")
                return message

            try:
                return await answer(Request(request.scope, receive))
            except RequestValidationError as error:
                wrong = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
                said = "; ".join(wrong).encode("utf-8", "replace").decode()  # it may quote half a character
                raise HTTPException(422, said) from error

        return bounded
