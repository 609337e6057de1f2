"""The collector's HTTP door: nothing but `/health` is answered without a credential once one was made.

It stands before everything else: of a request that may not be made nothing is read, and no route can be forgotten.
Whose rows a request may be about, its route asks of `whose`: a tenant's credential is for that tenant's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from fastapi import FastAPI, HTTPException
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from collector import answers
from collector.export import Answer
from collector.pipeline import Pipeline
from ledger.credentials import ANYBODY, Credential, Refused, Right, bearer, tenant_of

OPEN_PATHS = ("/health",)
_INGESTING = re.compile(r"/v1/(traces|logs|metrics|outcomes|budgets/[^/]+/holds(/[^/]+/release)?)")
"""What those ask who make calls: they report them, say how tasks went, and hold a budget's money before they make one."""
_READING = ("/v1/quote",)
_DEFAULT = TypeVar("_DEFAULT", str, str | None)

_asking: ContextVar[Credential] = ContextVar("asking", default=ANYBODY)


def right_of(method: str, path: str) -> Right:
    """What somebody must be allowed to do to ask this; what changes anything is operating, unless it is said to be less."""
    if _INGESTING.fullmatch(path):
        return "ingest"
    return "read" if method in ("GET", "HEAD") or path in _READING else "operate"


def asking() -> Credential:
    """The credential of the request that is being answered."""
    return _asking.get()


def whose(named: str | None, default: _DEFAULT) -> _DEFAULT:
    """The tenant that a request is about which names this one: `default` where it names none and is for all tenants.

    Raises HTTPException (403) when the credential is another tenant's.
    """
    found = tenant_of(asking(), named)
    if isinstance(found, Refused):
        raise HTTPException(403, found.reason)
    return found or default


def for_all_tenants(what: str) -> None:
    """Raise HTTPException (403) when the credential is one tenant's: `what` is all tenants' business."""
    if asking().tenant is not None:
        raise HTTPException(403, f"{what}, and the credential {asking().name} is of tenant {asking().tenant} alone")


class Door:
    """Lets requests through to the application whose sender may make them."""

    def __init__(self, app: ASGIApp, pipeline: Pipeline, write: Callable[[Answer, Scope], Response]) -> None:
        """`write` makes a response of what a sender is told who is not let in."""
        self._app = app
        self._pipeline = pipeline
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            token = bearer(Headers(scope=scope).get("authorization"))
            found = self._pipeline.guard.admit(token, right_of(scope["method"], scope["path"]))
            if isinstance(found, Refused):
                await self._write(answers.refusal(found), scope)(scope, receive, send)
                return
            _asking.set(found)
        await self._app(scope, receive, send)


def describe(app: FastAPI) -> None:
    """Say in the application's OpenAPI that a credential is wanted."""
    plainly = app.openapi

    def described() -> dict[str, Any]:
        told = plainly()
        told.setdefault("components", {})["securitySchemes"] = {
            "credential": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token that `pigou credentials create` told; wanted as soon as one was made.",
            }
        }
        told["security"] = [{"credential": []}, {}]  # an installation without any wants none
        for path in OPEN_PATHS:
            for operation in told["paths"][path].values():
                operation["security"] = []
        return told

    app.openapi = described
