"""What people do on a page: asked of the collector over HTTP, since the pages themselves only ever read.

The process that draws what anybody's telemetry says holds no connection that may write. What is done to alerts, findings, rules,
channels and views goes the way that it goes for everybody, `POST /v1/…` of the collector, with its checks and with the token
that the browser showed. While no credential was made, the pages ask it only on behalf of a browser that reached them by a name of
this machine's own: another site's page that points its own name at the loopback interface is refused. A request that another
site sends always is.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Literal, TypeAlias
from urllib.parse import quote, urlsplit

from flask import request

from dashboard.door import is_named, token_shown

Act: TypeAlias = Literal["acknowledge", "mute", "resolve", "reopen", "note", "dismiss", "restore"]

WITHIN_S = 10.0
PRICES_WITHIN_S = 90.0  # thousands of calls are booked again before the answer
ANSWER_BYTES_MAX = 256 * 1024
_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Target:
    """One alert or finding: a tenant's, by its number there."""

    kind: Literal["alerts", "findings"]
    tenant: str
    number: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Why something was not done, in the collector's words, and which field of what was asked it is about, if it is about one."""

    reason: str
    field: str | None = None


def refused_here() -> str | None:
    """Why the request that is being answered must not act; None where it may."""
    return refusal(request.host, request.headers.get("Sec-Fetch-Site"), is_named=is_named())


def refusal(host: str, site: str | None, *, is_named: bool = False) -> str | None:
    """Why a browser's request must not act, from its headers Host and Sec-Fetch-Site; None where it may.

    `is_named`: it was let in by a credential.
    """
    if not is_named and not _LOOPBACK.fullmatch(host):
        return (
            "Nothing was done: no credential was made yet, so the page acts only for this machine "
            "(http://127.0.0.1 or http://localhost). Use `pigou alerts` there."
        )
    if site not in (None, "same-origin"):
        return "Nothing was done: another site sent this request."
    return None


def act(
    collector: str, target: Target, what: Act, *, who: str, note: str | None, more: Mapping[str, object] | None = None
) -> str | None:
    """Ask the collector to do something to one alert or finding. Answers what is in the way, None when it is done."""
    body: dict[str, object] = {"tenant": target.tenant, "who": who, **(more or {})}
    if note:
        body["note"] = note
    refused = ask(collector, f"/v1/{target.kind}/{target.number}/{what}", body)
    return refused.reason if refused else None


def ask(collector: str, path: str, body: Mapping[str, object]) -> Refused | None:
    """Ask the collector for something. Answers what is in the way, None when it is done."""
    try:
        status, answer, field = _post(collector, path, json.dumps(body).encode())
    except (OSError, HTTPException, ValueError) as error:
        return Refused(f"the collector does not answer at {collector} ({error}); start it with `pigou up`")
    return None if status in (200, 202) else Refused(_reason(status, answer), field)


def give_prices(collector: str, body: dict[str, object]) -> tuple[dict[str, object], str | None]:
    """Ask the collector to add prices, or what they would change. Answers what it says, and what is in the way."""
    try:
        status, answer, _ = _post(collector, "/v1/rates", json.dumps(body).encode(), PRICES_WITHIN_S)
        return (json.loads(answer), None) if status == 200 else ({}, _reason(status, answer))
    except (OSError, HTTPException, ValueError) as error:
        return {}, f"the collector does not answer at {collector} ({error}); start it with `pigou up`"


def within(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


def _post(collector: str, path: str, body: bytes, within_s: float = WITHIN_S) -> tuple[int, bytes, str | None]:
    parts = urlsplit(collector)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=within_s)
    try:
        headers = {"Content-Type": "application/json"}
        if is_named():
            headers["Authorization"] = f"Bearer {token_shown()}"
        connection.request("POST", parts.path.rstrip("/") + path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_BYTES_MAX), answer.headers["Pigou-Field"]
    finally:
        connection.close()


def _reason(status: int, answer: bytes) -> str:
    """What the collector said, in its own words where they can be read."""
    try:
        said = json.loads(answer)["detail"]
    except (ValueError, KeyError, TypeError):
        said = None
    return said if isinstance(said, str) else f"the collector answered {status}"
