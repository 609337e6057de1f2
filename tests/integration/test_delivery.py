"""The outbox: every event once to every channel that hears of it, in order, through failures; and what is said when it cannot be."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from standardwebhooks import Webhook as Verifier

from analyzers.delivery.outbox import Outbox, due_in_s, has_news
from tests.books import one, rows, run
from tests.integration.delivering import (
    ENVIRONMENT, SECRET, add_event, channel, deliver, hurry, open_alert, resolve, state, states,
)  # fmt: skip
from tests.receivers import Answer, Receiver, receiving


@pytest.fixture
def receiver():  # noqa: ANN201 - a fixture
    with receiving() as found:
        yield found


def keys(receiver: Receiver) -> list[str]:
    return [event["key"] for got in receiver.taken for event in got.json["data"]["events"]]


def told(receiver: Receiver) -> list[list[tuple[int, str]]]:
    """Alert and event of everything taken, message by message."""
    return [[(event["alert_id"], event["event"]) for event in got.json["data"]["events"]] for got in receiver.taken]


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────


def test_an_event_is_told_once_and_signed(writer: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel(url=receiver.url, page="http://127.0.0.1:4320"))
    number = open_alert(writer)
    assert states(writer) == [(number, "opened", "ops", "waiting")]
    assert [outcome.result for outcome in deliver(writer)] == ["sent"]
    assert deliver(writer) == []
    assert states(writer) == [(number, "opened", "ops", "sent")]
    [got] = receiver.got
    document = Verifier(SECRET).verify(got.body, got.headers)
    [event] = document["data"]["events"]
    assert (event["tenant"], event["rule"], event["severity"], event["value"], event["state"]) == (
        "acme", "unpriced_share", "warning", "0.05", "open",
    )  # fmt: skip
    assert event["link"] == f"http://127.0.0.1:4320/alerts?tenant=acme&alert={number}"
    assert got.headers["idempotency-key"] == got.headers["webhook-id"] == document["data"]["key"]
    assert one(writer, "select message_key::text, attempts, answer from ledger.deliveries") == (document["data"]["key"], 1, "200 ok")
