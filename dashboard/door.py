"""The pages' door: once a credential was made, nothing but `/health` is answered without one that may read.

A browser is asked for a token once and keeps it in a cookie that no script reads and no other site sends; programs send it as
they send it to the collector. What is done on pages is asked of the collector with the same token, which says whether it may.
Pages show all tenants' rows, and their filters narrow what is looked at, not what may be: a tenant's credential is refused.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from html import escape
from typing import cast

import msgspec
from flask import Flask, Response, g, has_request_context, redirect, request

from dashboard.books import Books, BooksUnavailable
from dashboard.filters import Filters
from dashboard.queries import statement
from ledger.credentials import ANYBODY, Credential, Known, Refused, admit, bearer, hash_of, known_of

FRESH_S = 2.0
"""How long what the database said of a token holds, so that the questions of one page are one."""
OPEN_PATHS = ("/health", "/login", "/logout")
_COOKIE = "pigou"
_TOKENS_MAX = 1_000
_STATUS = {"unknown": 503, "nobody": 401, "forbidden": 403}
_OWN_ADDRESS = re.compile(r"/(?![/\\])[^\x00-\x20\x7f]*")
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{again}<title>Pigou</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 18vh auto 0; padding: 0 1rem; }}
input, button {{ font: inherit; padding: .4rem .6rem; box-sizing: border-box; }}
input {{ width: 100%; margin: .3rem 0 .8rem; }}
</style>
</head>
<body>
<main>
<h1>Pigou</h1>
<p role="status">{reason}</p>
{form}
</main>
</body>
</html>
"""
_WANTED = (
    "These books are shown to whoever has a credential: `pigou credentials create NAME --may read` makes one and tells its token."
)
_FORM = """<form method="post" action="/login">
<label>Token of a credential that may read
<input name="token" type="password" autocomplete="current-password" required autofocus></label>
<input name="next" type="hidden" value="{after}">
<button>Enter</button>
</form>"""
_LEAVE = '<form method="post" action="/logout"><button>Leave</button></form>'
_AGAIN = '<meta http-equiv="refresh" content="{seconds}">\n'


class Door:
    """Decides who sees the pages. Safe to share between threads."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._said: dict[bytes, tuple[float, Known]] = {}

    def admit(self, token: str | None) -> Credential | Refused:
        """Who shows this token, or why they see no page."""
        found = admit(self._known(token), token, "read", datetime.now(UTC))
        if isinstance(found, Refused) or found.tenant is None:
            return found
        return Refused("forbidden", f"pages show all tenants, and the credential {found.name} is of tenant {found.tenant} alone")

    def _known(self, token: str | None) -> Known | None:
        """What the database says of a token, or said last while it does not answer."""
        shown = b"" if token is None else hash_of(token)
        at, said = self._said.get(shown, (0.0, None))
        if said is not None and time.monotonic() - at < FRESH_S:
            return said
        try:
            asked = statement("credential", Filters(), datetime.now(UTC), values={"token_hash": shown.hex()})
            row = self._books.run(asked).only()
        except BooksUnavailable:
            return said
        if len(self._said) >= _TOKENS_MAX:
            self._said.clear()
        held = [] if row["name"] is None else [msgspec.convert({**row, "token_hash": shown}, Credential)]
        known = Known(bool(row["is_closed"]), known_of(held).credentials)
        self._said[shown] = time.monotonic(), known
        return known


def register(server: Flask, books: Books) -> None:
    """Stand before every address of the server."""
    door = Door(books)

    @server.before_request
    def ask() -> Response | None:
        if request.path in OPEN_PATHS:
            return None
        found = door.admit(token_shown())
        if isinstance(found, Refused):
            return _refused(found, request.full_path.rstrip("?"))
        g.asking = found
        return None

    @server.get("/login")
    def login() -> Response:
        found = door.admit(token_shown())
        if isinstance(found, Refused):
            return _refused(found, "/")
        return _page(f"You are let in as {found.name}.", "" if found is ANYBODY else _LEAVE, 200)

    @server.post("/login")
    def enter() -> Response:
        after, token = request.form.get("next", "/"), request.form.get("token", "").strip()
        after = after if _OWN_ADDRESS.fullmatch(after) else "/"
        if request.headers.get("Sec-Fetch-Site") not in (None, "same-origin"):
            return _refused(Refused("forbidden", "another site sent this request"), after)
        found = door.admit(token)
        if isinstance(found, Refused):
            return _refused(found, after)
        answer = cast(Response, redirect(after, 303))
        answer.set_cookie(_COOKIE, token, httponly=True, samesite="Strict", secure=request.is_secure)
        return answer

    @server.post("/logout")
    def leave() -> Response:
        answer = cast(Response, redirect("/login", 303))
        answer.delete_cookie(_COOKIE, httponly=True, samesite="Strict", secure=request.is_secure)
        return answer


def token_shown() -> str | None:
    """The token of the request that is being answered: the header's, else the cookie's."""
    return bearer(request.headers.get("Authorization")) or request.cookies.get(_COOKIE)


def is_named() -> bool:
    """Whether the request that is being answered was let in by a credential."""
    return has_request_context() and g.get("asking", ANYBODY) is not ANYBODY


def _refused(refused: Refused, after: str) -> Response:
    """Why somebody is not let in; to a browser that asks for a page with a form, while a token would help."""
    status = _STATUS[refused.kind]
    if "text/html" not in request.headers.get("Accept", ""):
        answer = Response(refused.reason + "\n", status, mimetype="text/plain")
    elif refused.kind == "unknown":
        answer = _page("The books do not answer. This page asks again by itself.", "", status, again_s=5)
    else:
        # A link from elsewhere comes without the cookie; the page itself then asks with it.
        from_elsewhere = request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site"
        is_asked_first = request.method == "GET" and not token_shown()
        reason = _WANTED if is_asked_first else refused.reason
        answer = _page(
            reason, _FORM.format(after=escape(after)), status, again_s=0 if from_elsewhere and is_asked_first else None
        )
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="Pigou"'
    if status == 503:
        answer.headers["Retry-After"] = "1"
    return answer


def _page(reason: str, form: str, status: int, again_s: int | None = None) -> Response:
    again = "" if again_s is None else _AGAIN.format(seconds=again_s)
    answer = Response(_PAGE.format(reason=escape(reason), form=form, again=again), status, mimetype="text/html")
    answer.headers["Cache-Control"] = "no-store"
    return answer
