"""What is answered where nothing is: which address was probably meant, for exporters and people alike."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from collector.faults import nearest

_METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
_OTLP = "OTLP over HTTP is received by POST at /v1/traces, /v1/logs and /v1/metrics; /openapi.json lists all else"


def answer_nowhere(app: FastAPI) -> None:
    """Answer every address that the application has not: 405 where another method is, else 404. To be called last."""

    def nowhere(request: Request) -> Response:
        """Say that there is no such address, and which there are."""
        known = app.openapi()["paths"]
        path = request.url.path
        of = next((known[one] for one in known if _is_at(path, one)), None)
        if path != "/" and path.endswith("/") and any(_is_at(path[:-1], one) for one in known):
            return RedirectResponse(str(request.url.replace(path=path[:-1])), 307)
        if of is not None:
            methods = [method.upper() for method in of]
            return JSONResponse(
                {"detail": f"{path} is asked by {' or '.join(methods)}, not by {request.method}"},
                405,
                {"Allow": ", ".join(methods)},
            )
        near = nearest(path, known)
        guess = near if near.startswith("did you mean") else ""
        return JSONResponse({"detail": f"there is nothing at {path}; {guess}{' ' if guess else ''}{_OTLP}"}, 404)

    app.add_api_route("/{path:path}", nowhere, methods=_METHODS, include_in_schema=False)


def _is_at(path: str, template: str) -> bool:
    parts, wanted = path.split("/"), template.split("/")
    return len(parts) == len(wanted) and all(
        want.startswith("{") or part == want for part, want in zip(parts, wanted, strict=True)
    )
