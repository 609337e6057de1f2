"""Alerts over HTTP: lists, history, and what people do; what cannot be asked; and that it is described."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import psycopg
import pytest

from tests.books import Served, rows, serving
from tests.integration.delivering import open_alert, resolve

ANN = {"who": "ann", "tenant": "acme"}


def ask(served: Served, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Status and answer."""
    connection = http.client.HTTPConnection(served.http, timeout=60)
    try:
        sent = body if isinstance(body, str | bytes) else json.dumps(body) if body is not None else None
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture
def served(dsn: str) -> Iterator[Served]:
    with serving(dsn) as collector:
        yield collector


def numbers(answer: Any) -> list[int]:
    return [alert["alert_id"] for alert in answer["alerts"]]


def test_alerts_are_listed(served: Served, writer: psycopg.Connection) -> None:
    for subject in ("a", "b", "c"):
        open_alert(writer, subject=subject)
    open_alert(writer, rule="books_check", severity="critical")
    open_alert(writer, tenant="beta")
    resolve(writer, 2)
    status, listed = ask(served, "GET", "/v1/alerts?tenant=acme")
    assert (status, numbers(listed), listed["next_before"]) == (200, [4, 3, 1], None)
    newest = listed["alerts"][0]
    assert (newest["rule"], newest["severity"], newest["state"], newest["value"]) == ("books_check", "critical", "open", "0.05")
    assert numbers(ask(served, "GET", "/v1/alerts?tenant=acme&state=resolved&state=open")[1]) == [4, 3, 2, 1]
    assert numbers(ask(served, "GET", "/v1/alerts?tenant=acme&rule=unpriced_share")[1]) == [3, 1]
    status, first = ask(served, "GET", "/v1/alerts?tenant=acme&limit=2")
    assert (numbers(first), first["next_before"]) == ([4, 3], 3)
    assert numbers(ask(served, "GET", f"/v1/alerts?tenant=acme&limit=2&before={first['next_before']}")[1]) == [1]
    assert ask(served, "GET", "/v1/alerts") == (200, {"alerts": [], "next_before": None})


def test_what_people_do(served: Served, writer: psycopg.Connection) -> None:
    open_alert(writer)
    status, shown = ask(served, "POST", "/v1/alerts/1/acknowledge", ANN | {"note": "on it"})
    assert (status, shown["alert"]["state"]) == (200, "acknowledged")
    assert shown["events"][-1] | {"event": "acknowledged", "who": "ann", "note": "on it"} == shown["events"][-1]
    until = datetime.now(UTC) + timedelta(hours=2)
    status, shown = ask(served, "POST", "/v1/alerts/1/mute", ANN | {"until": until.isoformat()})
    assert (status, datetime.fromisoformat(shown["alert"]["muted_until"])) == (200, until)
    assert ask(served, "POST", "/v1/alerts/1/mute", ANN | {"for_s": 60})[1]["alert"]["state"] == "muted"
    status, shown = ask(served, "POST", "/v1/alerts/1/reopen", ANN | {"note": "not mine"})
    assert (status, shown["alert"]["state"], shown["alert"]["muted_until"]) == (200, "open", None)
    assert shown["events"][-1]["is_to_be_told"]
    assert ask(served, "POST", "/v1/alerts/1/reopen", ANN) == (409, {"detail": "alert 1 of acme is open; nothing is to be done"})
    assert ask(served, "POST", "/v1/alerts/1/resolve", ANN)[1]["alert"]["state"] == "resolved"
    status, shown = ask(served, "POST", "/v1/alerts/1/note", ANN | {"note": "it was the gateway"})
    assert (status, shown["alert"]["state"]) == (200, "resolved")
    assert [event["event"] for event in shown["events"]] == [
        "opened", "acknowledged", "muted", "muted", "reopened", "resolved", "noted"
    ]  # fmt: skip
    assert ask(served, "GET", "/v1/alerts/1?tenant=acme") == (200, shown)


ACK = "/v1/alerts/1/acknowledge"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/v1/alerts/7/acknowledge", ANN, 404, "there is no alert 7 of acme"),
        ("POST", ACK, {"who": "ann"}, 404, "there is no alert 1 of default"),
        ("POST", ACK, {"who": "ann", "tenant": "beta"}, 404, "there is no alert 1 of beta"),
        ("GET", "/v1/alerts/1", None, 404, "there is no alert 1 of default"),
        ("POST", "/v1/alerts/2/resolve", ANN, 409, "alert 2 of acme is resolved already"),
        ("POST", "/v1/alerts/2/reopen", ANN, 409, "alert 2 of acme is resolved already"),
        ("POST", "/v1/alerts/1/mute", ANN | {"until": "2020-01-01T00:00:00Z"}, 409, "until a time to come"),
        ("POST", "/v1/alerts/1/mute", ANN, 422, "give one of until and for_s"),
        ("POST", "/v1/alerts/1/mute", ANN | {"for_s": 5, "until": "2099-01-01T00:00:00Z"}, 422, "give one of"),
        ("POST", "/v1/alerts/1/mute", ANN | {"until": "2099-01-01T00:00:00"}, 422, "until: a time with its offset"),
        ("POST", "/v1/alerts/1/mute", ANN | {"for_s": 10**12}, 422, "for_s"),
        ("POST", "/v1/alerts/1/note", ANN, 422, "note"),
        ("POST", "/v1/alerts/1/note", ANN | {"note": "  "}, 422, "a note says something"),
        ("POST", "/v1/alerts/1/note", ANN | {"note": "a\u0000b"}, 422, "note"),
        ("POST", ACK, {"tenant": "acme"}, 422, "who"),
        ("POST", ACK, ANN | {"who": ""}, 422, "who"),
        ("POST", ACK, ANN | {"whom": "x"}, 422, "whom"),
        ("POST", ACK, ANN | {"note": "x" * 20_000}, 413, "larger than 16384 bytes"),
        ("POST", ACK, "no json", 422, "JSON"),
        ("POST", "/v1/alerts/99999999999/acknowledge", ANN, 422, "alert_id"),
        ("POST", "/v1/alerts/x/acknowledge", ANN, 422, "alert_id"),
        ("GET", "/v1/alerts?state=closed", None, 422, "state"),
        ("GET", "/v1/alerts?limit=0", None, 422, "limit"),
        ("GET", "/v1/alerts?tenant=a%00", None, 422, "tenant"),
    ],
)
def test_what_cannot_be_asked(
    served: Served, writer: psycopg.Connection, method: str, path: str, body: object, status: int, said: str
) -> None:
    open_alert(writer)
    resolve(writer, open_alert(writer, subject="other"))
    before = rows(writer, "select * from ledger.alert_events order by at")
    found, answer = ask(served, method, path, body)
    assert (found, said in answer["detail"]) == (status, True), answer
    assert rows(writer, "select * from ledger.alert_events order by at") == before


def test_the_routes_are_described(served: Served, writer: psycopg.Connection) -> None:
    """And what they answer is as described."""
    open_alert(writer)
    described = ask(served, "GET", "/openapi.json")[1]
    acts = {f"/v1/alerts/{{alert_id}}/{act}" for act in ("acknowledge", "mute", "resolve", "reopen", "note")}
    assert acts | {"/v1/alerts", "/v1/alerts/{alert_id}"} <= set(described["paths"])
    for path, at in (("/v1/alerts", "/v1/alerts?tenant=acme"), ("/v1/alerts/{alert_id}", "/v1/alerts/1?tenant=acme")):
        schema = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": described["components"]}
        jsonschema.validate(ask(served, "GET", at)[1], whole, jsonschema.Draft202012Validator)
    seconds = described["components"]["schemas"]["MuteRequest"]["properties"]["for_s"]
    assert {"type": "integer", "minimum": 1, "maximum": 366 * 86_400} in seconds["anyOf"]
