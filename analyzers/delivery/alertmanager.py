"""Prometheus's Alertmanager, by its API v2: a state rather than an event is told, again and again while it lasts.

What is not repeated ends by itself: every alert carries when it will have ended if nothing more is heard, four repetitions from
now, as Prometheus itself does it. What is resolved carries when it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from analyzers.delivery.http_request import request
from analyzers.delivery.message import Message, Outcome, Told
from analyzers.delivery.secret import reveal
from ledger.channels import Alertmanager

_PATH = "/api/v2/alerts"
_REPETITIONS = 4


async def send(settings: Alertmanager, message: Message, environment: Mapping[str, str], within_s: float) -> Outcome:
    """Send each alert of a message as it stands. Raises SecretAbsent."""
    body = msgspec.json.encode(alerts_of(message, settings, datetime.now(UTC)))
    headers = {name: reveal(value, environment) for name, value in settings.headers.items()}
    headers["Content-Type"] = "application/json"
    url = reveal(settings.url, environment).rstrip("/")
    url = url if url.endswith(_PATH) else url + _PATH
    outcome, _ = await request(url, body, headers, ca_file=settings.ca_file, within_s=within_s)
    return outcome


def alerts_of(message: Message, settings: Alertmanager, now: datetime) -> list[dict[str, Any]]:
    """The alerts of a message as the API has them. Labels say which alert it is and never change while it is open."""
    ends_at = now + timedelta(seconds=_REPETITIONS * settings.repeat_every_s)
    return [_alert(told, settings.page, told.resolved_at or ends_at) for told in message.alerts()]


def _alert(told: Told, page: str | None, ends_at: datetime) -> dict[str, Any]:
    labels = {
        "alertname": told.rule,
        "tenant": told.tenant,
        "subject": told.subject,
        "severity": told.severity,
        "source": "pigou",
    }
    annotations = {
        "summary": told.title,
        "description": told.message,
        "mend": told.mend,
        "alert_id": str(told.alert_id),
        "state": told.state,
        "value": told.value,
        "threshold": told.threshold,
    }
    alert: dict[str, Any] = {
        "labels": {name: value for name, value in labels.items() if value},  # an empty label is none
        "annotations": annotations,
        "startsAt": told.opened_at,
        "endsAt": max(ends_at, told.opened_at + timedelta(milliseconds=1)),  # one that ends before it starts is refused
    }
    if link := told.link(page):
        alert["generatorURL"] = link
    return alert
