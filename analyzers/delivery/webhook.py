"""The signed webhook: JSON, with the headers of the Standard Webhooks specification (1.0).

`webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`. The timestamp is the
attempt's, so that what was recorded cannot be played again later; the id stays the same in every repetition.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from analyzers.delivery.http_request import request
from analyzers.delivery.message import Message, Outcome, Told
from analyzers.delivery.secret import SecretAbsent, reveal
from ledger.channels import Webhook

_PREFIX = "whsec_"


async def send(settings: Webhook, message: Message, environment: Mapping[str, str], within_s: float) -> Outcome:
    """Send a message's JSON, signed. Raises SecretAbsent."""
    body = body_of(message, settings.page)
    headers = {name: reveal(value, environment) for name, value in settings.headers.items()}
    headers |= signed(message.key, int(time.time()), body, key_of(reveal(settings.secret, environment)))
    headers |= {"Content-Type": "application/json", "Idempotency-Key": message.key}
    url = reveal(settings.url, environment)
    outcome, _ = await request(url, body, headers, ca_file=settings.ca_file, within_s=within_s)
    return outcome


def body_of(message: Message, page: str | None) -> bytes:
    """The same bytes in every repetition."""
    document = {
        "type": f"pigou.alerts.{message.kind}",
        "timestamp": message.made_at,
        "data": {"key": message.key, "title": message.title, "events": [_event(told, message, page) for told in message.told]},
    }
    return msgspec.json.encode(document)


def signed(message_id: str, at_s: int, body: bytes, key: bytes) -> dict[str, str]:
    """The three headers of a request at a time, in seconds since 1970."""
    digest = hmac.digest(key, f"{message_id}.{at_s}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: what follows `whsec_` in base64, or else its bytes. Raises SecretAbsent."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError as error:
        raise SecretAbsent(f"the secret begins with {_PREFIX} and goes on with what is no base64") from error


def _event(told: Told, message: Message, page: str | None) -> dict[str, Any]:
    return {"key": told.key(message.installation), **msgspec.to_builtins(told), "link": told.link(page)}
