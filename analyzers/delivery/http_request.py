"""One HTTP request of a delivery: bounded in time as a whole and in what is read, redirects not followed."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx2

from analyzers.delivery.message import Outcome

# It logs the address of every request, and an address may be the secret.
logging.getLogger("httpx2").setLevel(logging.WARNING)

ANSWER_BYTES_MAX = 64 * 1024
_TOLD_MAX = 300
_REFUSING = frozenset({400, 405, 406, 411, 413, 414, 415, 422, 431})
"""What is wrong with this request rather than with the receiver: others may be taken."""


async def request(
    url: str, body: bytes, headers: Mapping[str, str], *, ca_file: str | None, within_s: float
) -> tuple[Outcome, bytes]:
    """Send a body, and answer what came of it with what the receiver said."""
    try:
        async with asyncio.timeout(within_s):
            # The library's own time limits are per read and per write: a receiver that drips would never meet them.
            async with httpx2.AsyncClient(verify=_trusted(url, ca_file), timeout=within_s, follow_redirects=False) as client:
                return await _sent(client, url, body, headers)
    except TimeoutError:
        return Outcome("failed", f"no answer within {within_s:g} s"), b""
    except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
        return Outcome("failed", _one_line(f"{type(error).__name__}: {error}")), b""


async def _sent(client: httpx2.AsyncClient, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[Outcome, bytes]:
    async with client.stream("POST", url, content=body, headers={"User-Agent": "pigou", **headers}) as answer:
        said = b""
        async for piece in answer.aiter_bytes():
            said += piece
            if len(said) > ANSWER_BYTES_MAX:
                said = said[:ANSWER_BYTES_MAX]
                break
        told = _one_line(f"{answer.status_code} {said[:4096].decode('utf-8', 'replace')}")
        if answer.is_success:
            return Outcome("sent", told), said
        if answer.is_redirect:
            elsewhere = urlsplit(answer.headers.get("location", "")).netloc or "another path"  # no more: it may be the secret
            told = _one_line(f"{answer.status_code}: it moved to {elsewhere}; redirects are not followed")
        after_s = _retry_after_s(answer.headers.get("retry-after"))
        return Outcome("refused" if answer.status_code in _REFUSING else "failed", told, after_s), said


def _trusted(url: str, ca_file: str | None) -> ssl.SSLContext | bool:
    if not url.lower().startswith("https:"):
        return False  # there is nothing to trust, and reading the system's certificates takes longer than the request
    return ssl.create_default_context(cafile=ca_file)


def _retry_after_s(text: str | None) -> float | None:
    """Seconds of a Retry-After: a number, or a date; None when it is neither."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _one_line(text: str) -> str:
    """What can stand in a table: one line without NUL, not long."""
    line = " ".join(text.replace("\0", "").split())
    return line if len(line) <= _TOLD_MAX else f"{line[: _TOLD_MAX - 1]}…"
