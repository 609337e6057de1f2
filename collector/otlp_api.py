"""OTLP over HTTP: protobuf and JSON, gzip, deflate and zstd, on /v1/traces, /v1/logs and /v1/metrics."""

from __future__ import annotations

import asyncio

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRouter
from starlette.datastructures import Headers
from starlette.types import Scope

from collector import answers
from collector.decompress import COMPRESSIONS
from collector.door import asking
from collector.export import Answer, Encoding, Export, SignalSent
from collector.inbox import Overloaded
from collector.pipeline import Pipeline

_PATHS: dict[str, SignalSent] = {"/v1/traces": "span", "/v1/logs": "log", "/v1/metrics": "metric"}
_ENCODINGS: dict[str, Encoding] = {"application/x-protobuf": "protobuf", "application/json": "json"}
_REASONS = {
    200: "Stored; `partial_success` tells what was refused",
    400: "It cannot be read, and must not be sent again as it is",
    401: "A credential is wanted, and none that is valid was shown",
    403: "The credential may not send",
    413: "It is too large: send smaller batches",
    415: "It is of a kind that is not read",
    503: "Nothing was stored: send it again after `Retry-After` seconds",
}


def otlp_router(pipeline: Pipeline, limit_bytes: int) -> APIRouter:
    """The routes that take in exports of up to so many bytes."""
    router = APIRouter()

    async def export(request: Request) -> Response:
        """Take in one OTLP export; the answer follows the commit."""
        signal, encoding, compression = _PATHS[request.url.path], _encoding(request.headers), _compression(request.headers)
        if encoding is None:
            reason = f"Content-Type {_content_type(request.headers)!r} is not one of {', '.join(_ENCODINGS)}"
            return refuse(signal, Answer("unsupported", message=reason), "json")
        if compression not in COMPRESSIONS:
            reason = f"Content-Encoding {compression!r} is not one of {', '.join(COMPRESSIONS)}"
            return refuse(signal, Answer("unsupported", message=reason), encoding)
        body = await _read(request, limit_bytes)
        if body is None:
            reason = f"the request is larger than {limit_bytes} bytes: send smaller batches"
            return refuse(signal, Answer("too_large", message=reason), encoding)
        try:
            reply = pipeline.submit(Export(signal, body, encoding, compression, asking().tenant))
        except Overloaded:
            return _failed(Answer("unavailable", message="too much is waiting to be stored; send it again"), encoding)
        answer = await asyncio.wrap_future(reply)
        if answer.outcome != "stored":
            return _failed(answer, encoding)
        message = answers.success(signal, answer)
        return Response(answers.body(message, encoding), media_type=answers.CONTENT_TYPE[encoding])

    def refuse(signal: SignalSent, answer: Answer, encoding: Encoding) -> Response:
        pipeline.own.answered(signal, answer.outcome)
        return _failed(answer, encoding)

    for path in _PATHS:
        router.add_api_route(
            path, export, methods=["POST"], response_class=Response, tags=["otlp"], name=f"export {path.rpartition('/')[2]}",
            responses={status: {"description": reason, "content": _content()} for status, reason in _REASONS.items()},
            openapi_extra={"requestBody": {"required": True, "content": _content()}},
        )  # fmt: skip
    return router


def turned_away(pipeline: Pipeline, answer: Answer, scope: Scope) -> Response:
    """What somebody is told who is not let in: of an export as OTLP says it, else as the API says everything."""
    signal = _PATHS.get(scope["path"])
    if signal is not None:
        pipeline.own.answered(signal, answer.outcome)
        return _failed(answer, _encoding(Headers(scope=scope)) or "json")
    status, headers = answers.HTTP_STATUS[answer.outcome], answers.HTTP_HEADERS.get(answer.outcome)
    return JSONResponse({"detail": answer.message}, status, headers)


def _content() -> dict[str, dict[str, object]]:
    """An OTLP message, which its own protocol describes."""
    return {content_type: {} for content_type in _ENCODINGS}


async def _read(request: Request, limit_bytes: int) -> bytes | None:
    """The request's body, or None when it is larger than the limit."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit_bytes:
        return None
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit_bytes:
            return None
        parts.append(part)
    return b"".join(parts)


def _content_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _encoding(headers: Headers) -> Encoding | None:
    return _ENCODINGS.get(_content_type(headers))


def _compression(headers: Headers) -> str:
    return headers.get("content-encoding", "identity").strip().lower() or "identity"


def _failed(answer: Answer, encoding: Encoding) -> Response:
    return Response(
        answers.body(answers.failure(answer), encoding),
        status_code=answers.HTTP_STATUS[answer.outcome],
        media_type=answers.CONTENT_TYPE[encoding],
        headers=answers.HTTP_HEADERS.get(answer.outcome),
    )
