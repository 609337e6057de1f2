"""OTLP over HTTP: protobuf and JSON, gzip, deflate and zstd, on /v1/traces, /v1/logs and /v1/metrics."""

from __future__ import annotations

import asyncio
from typing import Literal

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import Scope

from collector import answers
from collector.alert_api import alert_router
from collector.budget_api import budget_router
from collector.channel_api import channel_router
from collector.clearing_api import clearing_router
from collector.decompress import COMPRESSIONS
from collector.door import Door, asking, describe
from collector.export import Answer, Encoding, Export
from collector.finding_api import finding_router
from collector.inbox import Overloaded
from collector.maintenance_api import maintenance_router
from collector.nowhere import answer_nowhere
from collector.outcome_api import outcome_router
from collector.pipeline import Pipeline
from collector.price_api import price_router
from collector.rate_api import rate_router
from collector.rule_api import rule_router
from collector.settings import CollectorSettings
from collector.view_api import view_router

_PATHS: dict[str, Literal["span", "log", "metric"]] = {"/v1/traces": "span", "/v1/logs": "log", "/v1/metrics": "metric"}
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


def build_app(pipeline: Pipeline, settings: CollectorSettings) -> FastAPI:
    """The collector's HTTP side over a running pipeline."""
    app = FastAPI(title="Pigou collector", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.add_middleware(Door, pipeline=pipeline, write=_refused)

    async def export(request: Request) -> Response:
        """Take in one OTLP export; the answer follows the commit."""
        content_type = _content_type(request.headers)
        encoding = _ENCODINGS.get(content_type)
        compression = request.headers.get("content-encoding", "identity").strip().lower() or "identity"
        if encoding is None:
            reason = f"Content-Type {content_type!r} is not one of {', '.join(_ENCODINGS)}"
            return _failed(Answer("unsupported", message=reason), "json")
        if compression not in COMPRESSIONS:
            reason = f"Content-Encoding {compression!r} is not one of {', '.join(COMPRESSIONS)}"
            return _failed(Answer("unsupported", message=reason), encoding)
        body = await _read(request, settings.body_limit_bytes)
        if body is None:
            reason = f"the request is larger than {settings.body_limit_bytes} bytes: send smaller batches"
            return _failed(Answer("too_large", message=reason), encoding)
        signal = _PATHS[request.url.path]
        try:
            reply = pipeline.submit(Export(signal, body, encoding, compression, asking().tenant))
        except Overloaded:
            return _failed(Answer("unavailable", message="too much is waiting to be stored; send it again"), encoding)
        answer = await asyncio.wrap_future(reply)
        if answer.outcome != "stored":
            return _failed(answer, encoding)
        message = answers.success(signal, answer)
        return Response(answers.body(message, encoding), media_type=answers.CONTENT_TYPE[encoding])

    app.include_router(budget_router(settings.dsn, settings.default_tenant))
    app.include_router(outcome_router(settings.dsn, settings.default_tenant))
    app.include_router(price_router(settings.dsn, settings.default_tenant))
    app.include_router(clearing_router(settings.dsn))
    app.include_router(rate_router(settings.dsn, settings.default_tenant))
    app.include_router(alert_router(settings.dsn, settings.default_tenant))
    app.include_router(finding_router(settings.dsn, settings.default_tenant))
    app.include_router(rule_router(settings.dsn))
    app.include_router(channel_router(settings.dsn))
    app.include_router(maintenance_router(settings.dsn))
    app.include_router(view_router(settings.dsn))
    for path in _PATHS:
        app.add_api_route(
            path, export, methods=["POST"], response_class=Response, tags=["otlp"], name=f"export {path.rpartition('/')[2]}",
            responses={status: {"description": reason, "content": _content()} for status, reason in _REASONS.items()},
            openapi_extra={"requestBody": {"required": True, "content": _content()}},
        )  # fmt: skip

    @app.get("/health", responses={503: {"description": "Nothing is stored: the database is away, or a part of it has ended"}})
    async def health() -> Response:
        """Whether exports are being stored: 200, also while only the spool keeps them; or 503."""
        found = await asyncio.to_thread(pipeline.health)
        told = {"status": found.status, "reason": found.reason, "spool": found.spool and found.spool._asdict()}
        content = orjson.dumps({key: value for key, value in told.items() if value is not None})
        return Response(content, status_code=503 if found.status == "unavailable" else 200, media_type="application/json")

    describe(app)
    answer_nowhere(app)
    return app


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


def _refused(answer: Answer, scope: Scope) -> Response:
    """What somebody is told who is not let in: of an export as OTLP says it, else as the API says everything."""
    if scope["path"] in _PATHS:
        return _failed(answer, _ENCODINGS.get(_content_type(Headers(scope=scope)), "json"))
    status, headers = answers.HTTP_STATUS[answer.outcome], answers.HTTP_HEADERS.get(answer.outcome)
    return JSONResponse({"detail": answer.message}, status, headers)


def _failed(answer: Answer, encoding: Encoding) -> Response:
    return Response(
        answers.body(answers.failure(answer), encoding),
        status_code=answers.HTTP_STATUS[answer.outcome],
        media_type=answers.CONTENT_TYPE[encoding],
        headers=answers.HTTP_HEADERS.get(answer.outcome),
    )
