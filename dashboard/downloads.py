"""Plain addresses beside the pages: every table as CSV, and the process's health."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime

from flask import Flask, Response, jsonify, request

from dashboard import filters as views
from dashboard.books import Books, BooksUnavailable
from dashboard.queries import Statement, named, statement

ROWS_IN_A_CSV = 1_000_000
_TRACE = re.compile(r"[0-9a-f]{1,64}")


def register(server: Flask, books: Books, clock: Callable[[], datetime]) -> None:
    """Add `/csv/<query>.csv` and `/health` to the server."""

    @server.get("/health")
    def health() -> Response:
        return jsonify(status="ok", database="ok" if books.answers() else "away")

    @server.get("/csv/<name>.csv")
    def csv(name: str) -> Response:
        if name not in named():
            return _refusal(404, f"there is no table named {name}")
        filters = views.parse(request.query_string.decode("ascii", "replace"))
        bucket = request.args.get("bucket", "day")
        values = _values(request.args.get("trace", ""), filters)
        try:
            asked = statement(name, filters, clock(), bucket=bucket, limit=ROWS_IN_A_CSV, values=values)
        except KeyError as missing:
            return _refusal(400, f"{name} needs {missing.args[0]}")
        return _streamed(books, asked)

    @server.after_request
    def harden(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response


def _values(trace: str, filters: views.Filters) -> dict[str, str]:
    """The literals that queries of one thing name, as far as the address has them."""
    named = {"trace_id": trace} if _TRACE.fullmatch(trace) else {}
    named |= {"decision_id": filters.decision} if filters.decision else {}
    named |= {"alert_id": str(filters.alert)} if filters.alert else {}
    named |= {"q": filters.sought} if filters.sought else {}
    return named | ({"finding_id": str(filters.finding)} if filters.finding else {})


def _streamed(books: Books, asked: Statement) -> Response:
    """The first piece is fetched before the answer begins, so that a failing query is an error and not half a file."""
    pieces = books.csv(asked)
    try:
        first = next(pieces, b"")
    except BooksUnavailable as error:
        return _refusal(503, str(error))

    def body() -> Iterator[bytes]:
        yield first
        yield from pieces

    answer = Response(body(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="pigou-{asked.name}.csv"'
    return answer


def _refusal(status: int, reason: str) -> Response:
    return Response(reason + "\n", status=status, mimetype="text/plain")
