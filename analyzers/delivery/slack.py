"""Slack, by an incoming webhook: Block Kit within its limits.

A message has at most 50 blocks; a header's text at most 150 characters, a section's 3,000, and all of them together some 12,000.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from analyzers.delivery.http_request import request
from analyzers.delivery.message import Message, Outcome, Told
from analyzers.delivery.secret import reveal
from ledger.channels import Slack

_HEADER_MAX = 150
_EVENT_MAX = 1000
"""Ten events of this length stay below what Slack takes in all."""
_SIGN = {"critical": ":rotating_light:", "warning": ":warning:", "info": ":information_source:"}


async def send(settings: Slack, message: Message, environment: Mapping[str, str], within_s: float) -> Outcome:
    """Send a message's blocks. Raises SecretAbsent."""
    body = msgspec.json.encode(document_of(message, settings.page))
    url = reveal(settings.url, environment)
    headers = {"Content-Type": "application/json"}
    outcome, _ = await request(url, body, headers, ca_file=settings.ca_file, within_s=within_s)
    return outcome


def document_of(message: Message, page: str | None) -> dict[str, Any]:
    """What Slack is sent: `text` for notifications, `blocks` for the channel."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _short(message.title, _HEADER_MAX)}}
    ]
    blocks += [
        {"type": "section", "text": {"type": "mrkdwn", "text": _event(told, page, with_title=len(message.told) > 1)}}
        for told in message.told
    ]
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": f"Pigou, message {message.key}"}]})
    return {"text": _escaped(message.title, _EVENT_MAX), "blocks": blocks}


def _event(told: Told, page: str | None, *, with_title: bool) -> str:
    link = told.link(page)
    head = f"{_SIGN[told.severity]} *{_escaped(told.title, 200)}*\n" if with_title else ""
    tail = f"\n<{_escaped(link, 500)}|alert {told.alert_id}>" if link else f"\nalert {told.alert_id}"
    if told.state != "resolved":
        tail = f"\n_To mend it:_ {_escaped(told.mend, 300)}{tail}"
    if told.note:
        tail = f"\n_{_escaped(told.who or 'Pigou', 60)}:_ {_escaped(told.note, 150)}{tail}"
    return f"{head}{_escaped(told.message, _EVENT_MAX - len(head) - len(tail))}{tail}"


def _escaped(text: str, length_max: int) -> str:
    """Text as Slack's markup has it, cut so that what is written is not longer, and no escape is cut in two."""
    written = ""
    for letter in text:
        piece = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(letter, letter)
        if len(written) + len(piece) > length_max - 1:
            return f"{written}…"
        written += piece
    return written


def _short(text: str, length_max: int) -> str:
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"
