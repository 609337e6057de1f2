"""Routes of JSON for programs: what is too large is refused before it is read, and what is wrong is said in one line."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Message


def bounded_route(limit_bytes: int) -> type[APIRoute]:
    """The class of routes whose requests are of so many bytes at most."""

    class Bounded(APIRoute):
        """Refuses what is too large with 413, and what is wrong with 422 and one line."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """The handler with both around it."""
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
                    raise HTTPException(422, said) from error

            return bounded

    return Bounded
