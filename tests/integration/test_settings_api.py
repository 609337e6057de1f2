"""Rules, channels and saved views over HTTP: what people state, how it is refused and of which field, and tests of channels."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import jsonschema
import psycopg
import pytest

from analyzers.alerts import evaluate
from analyzers.delivery.deliverer import Deliverer
from analyzers.delivery.outbox import Outbox, has_news
from ledger.alerts import AlertError, withdraw_rule
from ledger.post import open_tenants
from ledger.saved_views import save_view
from tests.books import Served, one, rows, serving
from tests.integration.delivering import ENVIRONMENT, add_event, deliver, open_alert, states
from tests.looked import BEGAN, found, look_of
from tests.receivers import Answer, Receiver, receiving
from tests.typed import Typed

ANN = {"who": "ann"}
ACME = ANN | {"tenant": "acme"}


@pytest.fixture
def served(dsn: str) -> Iterator[Served]:
    with serving(dsn) as collector:
        yield collector


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def ask(served: Served, method: str, path: str, body: object = None) -> tuple[int, Any, str | None]:
    """Status, answer, and the field it is about."""
    connection = http.client.HTTPConnection(served.http, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers["Pigou-Field"]
    finally:
        connection.close()


def refused(served: Served, path: str, body: object) -> tuple[int, str, str | None]:
    status, answer, field = ask(served, "POST", path, body)
    return status, answer["detail"], field


def described(served: Served, path: str, at: str | None = None) -> None:
    """What is answered is as OpenAPI says."""
    document = ask(served, "GET", "/openapi.json")[1]
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    answer = ask(served, "GET", at or path)[1]
    jsonschema.validate(answer, {**schema, "components": document["components"]}, jsonschema.Draft202012Validator)


# ── rules ────────────────────────────────────────────────────────────────────────────────────────────


def test_rules_are_changed_and_withdrawn(served: Served, writer: psycopg.Connection, pigou: Typed) -> None:
    open_tenants(writer, ["acme"])
    change = {"open_at": "0.1", "close_at": "0.05", "renotify_every": "4h", "severity": "critical", "is_on": False}
    status, answer, _ = ask(served, "POST", "/v1/rules/unpriced_share", ACME | change)
    shares = [rule for rule in answer["rules"] if rule["rule"] == "unpriced_share"]
    assert (status, [(rule["tenant"], rule["open_at"], rule["is_on"]) for rule in shares]) == (
        200, [(None, "0.02", True), ("acme", "0.1", False)],
    )  # fmt: skip
    assert (shares[1]["source"], shares[1]["severity"], shares[1]["renotify_every"]) == ("ann, over HTTP", "critical", "PT4H")
    described(served, "/v1/rules")
    assert ask(served, "POST", "/v1/rules/unpriced_share/withdraw", ACME)[0] == 200
    in_force = "select tenant, revision from ledger.alert_rules where rule = 'unpriced_share' and is_in_force"
    assert rows(writer, in_force) == [(None, 1)]
    assert rows(writer, "select open_at from pigou.alert_rules_of(1) where rule = 'unpriced_share'")[0][0] * 50 == 1
    assert refused(served, "/v1/rules/unpriced_share/withdraw", ACME)[0] == 409
    assert ask(served, "POST", "/v1/rules/unpriced_share", ACME | {"open_at": "0.3"})[0] == 200
    assert rows(writer, in_force) == [(None, 1), ("acme", 3)], "it began from what is for all"
    assert pigou("alerts", "unset", "unpriced_share", "--tenant", "acme")[:2] == (
        0, "unpriced_share for acme: as for all, revision 4\n",
    )  # fmt: skip
    assert pigou("alerts", "unset", "unpriced_share", "--tenant", "nobody")[0] == 2
    with pytest.raises(AlertError, match="no thresholds of its own"):
        withdraw_rule(writer, "gone", "acme", "test")
    with pytest.raises(psycopg.errors.CheckViolation):
        writer.execute(
            "insert into pigou.alert_rule select * from jsonb_populate_record(null::pigou.alert_rule, (select to_jsonb(r)"
            " || '{\"revision\": 9, \"is_withdrawn\": true}' from pigou.alert_rule r where rule = 'delivery' and tenant_id = 0))"
        )


@pytest.mark.parametrize(
    ("path", "body", "status", "field", "said"),
    [
        ("unpriced_share", ANN | {"open_at": "much"}, 422, "open_at", "'much' is no number"),
        ("unpriced_share", ANN | {"open_at": "NaN"}, 422, "open_at", "'NaN' is no number"),
        ("unpriced_share", ANN | {"close_at": "0.5"}, 422, "close_at", "close at or below it"),
        ("unpriced_share", ANN | {"evidence_min": "-1"}, 422, "evidence_min", "not negative"),
        ("unpriced_share", ANN | {"renotify_every": "0s"}, 422, "renotify_every", "not negative"),
        ("unpriced_share", ANN | {"close_for": "soon"}, 422, "close_for", "'soon' is no length of time; write 90s"),
        ("unpriced_share", ANN | {"grown_by": "0.5"}, 422, "grown_by", "alert_rule_growth_is_more"),
        ("unpriced_share", ANN | {"severity": "grave"}, 422, "severity", "severity"),
        ("unpriced_share", {"open_at": "1"}, 422, "who", "who"),
        ("gone", ANN | {"open_at": "1"}, 404, "rule", "there is no rule 'gone'"),
    ],
)
def test_what_is_no_rule(
    served: Served, writer: psycopg.Connection, path: str, body: object, status: int, field: str, said: str
) -> None:
    before = one(writer, "select count(*) from ledger.alert_rules")
    found = refused(served, f"/v1/rules/{path}", body)
    assert (found[0], said in found[1], found[2]) == (status, True, field), found
    assert one(writer, "select count(*) from ledger.alert_rules") == before


def test_the_alert_of_a_finding_says_what_is_material(writer: psycopg.Connection) -> None:
    """Not that it opens at nothing; a rule that asks for more says that."""
    found(writer, [look_of(4)])
    evaluate(writer, BEGAN + timedelta(seconds=5))
    assert one(writer, "select threshold::float8 from ledger.alerts") == 0.5


# ── channels ─────────────────────────────────────────────────────────────────────────────────────────


def hook(url: str, **more: object) -> Mapping[str, object]:
    return ANN | {"channel": {"kind": "webhook", "url": url, "secret": "env:OPS_SECRET", "group_for": "0s", **more}}


def test_channels_are_stated_paused_and_removed(
    served: Served, writer: psycopg.Connection, receiver: Receiver, pigou: Typed
) -> None:
    status, answer, _ = ask(served, "POST", "/v1/channels/ops", hook(receiver.url))
    assert (status, [(row["channel"], row["state"], row["source"]) for row in answer["channels"]]) == (
        200, [("ops", "not yet used", "ann, over HTTP")],
    )  # fmt: skip
    described(served, "/v1/channels")
    number = open_alert(writer)
    assert ask(served, "POST", "/v1/channels/ops/pause", ANN)[1]["channels"][0]["state"] == "paused"
    assert deliver(writer, ENVIRONMENT) == [], "what waits, waits on"
    add_event(writer, number, "told again")
    ask(served, "POST", "/v1/channels/ops", hook(receiver.url, severity="warning"))
    assert one(writer, "select is_paused from ledger.channels"), "a change does not resume it"
    assert pigou("channels", "resume", "ops")[1] == "channel ops of all tenants resumed\n"
    assert len(deliver(writer, ENVIRONMENT)) == 1
    assert states(writer) == [(number, "opened", "ops", "sent")], "what happened meanwhile is not told"
    assert pigou("channels", "resend", "ops")[1] == "channel ops of all tenants: 0 events that were given up wait again\n"
    assert ask(served, "POST", "/v1/channels/ops/resend", ANN)[1]["channels"][0]["dead"] == 0
    assert pigou("channels", "pause", "ops")[0] == 0
    assert ask(served, "POST", "/v1/channels/ops/remove", ANN)[1] == {"channels": []}
    assert refused(served, "/v1/channels/ops/pause", ANN)[0] == 404
    kept = rows(writer, "select state from ledger.channel_revisions order by revision")
    assert [state for (state,) in kept] == ["on", "paused", "paused", "on", "paused", "removed"]


@pytest.mark.parametrize(
    ("channel", "status", "field", "said"),
    [
        ({}, 422, "kind", "kind is missing; it is webhook"),
        ({"kind": "pigeon"}, 422, "kind", "Invalid value 'pigeon' - at `$.kind`"),
        ({"kind": "slack", "url": "https://hooks.slack.com/T0/B0/xyz"}, 422, "url", "say where the secret is read from"),
        ({"kind": "webhook", "url": "ftp://x", "secret": "env:A"}, 422, "url", "'ftp://x' is no address"),
        ({"kind": "webhook", "url": "http://x", "secret": "shh"}, 422, "secret", "say where the secret is read from"),
        ({"kind": "webhook", "url": "http://x"}, 422, "secret", "missing required field `secret`"),
        ({"kind": "slack", "url": "env:S", "rules": ["gone"]}, 422, "rules", "there is no rule 'gone'; the rules are"),
        ({"kind": "slack", "url": "env:S", "group_for": "soon"}, 422, "group_for", "'soon' is no length of time"),
        ({"kind": "slack", "url": "env:S", "give_up_after": "0s"}, 422, "give_up_after", "longer than nothing"),
        ({"kind": "slack", "url": "env:S", "severity": "grave"}, 422, "severity", "grave"),
        ({"kind": "email", "host": "h", "from": "a", "to": ["b@c"]}, 422, "to", "'a' is no mail address"),
        ({"kind": "email", "host": "h", "from": "a@b", "to": []}, 422, "to", "length >= 1"),
    ],
)
def test_what_is_no_channel(
    served: Served, writer: psycopg.Connection, channel: dict[str, object], status: int, field: str, said: str
) -> None:
    answer = refused(served, "/v1/channels/ops", ANN | {"channel": channel})
    assert (answer[0], said in answer[1], answer[2]) == (status, True, field), answer
    assert "xyz" not in answer[1]
    assert "shh" not in answer[1]
    assert one(writer, "select count(*) from pigou.channel") == 0


def test_a_channel_is_tried_by_who_delivers(served: Served, dsn: str, writer: psycopg.Connection, receiver: Receiver) -> None:
    ask(served, "POST", "/v1/channels/ops", hook(receiver.url))
    assert not has_news(writer)
    status, asked, _ = ask(served, "POST", "/v1/channels/ops/test", ANN)
    assert (status, asked["test_id"], asked["result"]) == (202, 1, None)
    assert has_news(writer)
    deliverer = Deliverer(dsn, ENVIRONMENT)
    deliverer.start()
    try:
        settled = threading.Event()
        test = dict[str, Any]()
        for _ in range(600):
            status, test, _ = ask(served, "GET", "/v1/channels/ops/tests/1")
            if test["result"] or settled.wait(0.1):
                break
    finally:
        deliverer.stop()
    assert (test["result"], test["answer"]) == ("sent", "200 ok")
    assert json.loads(receiver.got[0].body)["type"] == "pigou.alerts.test"
    described(served, "/v1/channels/{channel}/tests/{test_id}", "/v1/channels/ops/tests/1")
    assert one(writer, "select state, test_result from ledger.channels") == ("not yet used", "sent")
    assert ask(served, "GET", "/v1/channels/ops/tests/2")[0] == 404
    assert refused(served, "/v1/channels/gone/test", ANN)[0] == 404


def test_what_a_receiver_refuses_is_said(served: Served, writer: psycopg.Connection, receiver: Receiver) -> None:
    """And a test says nothing of how the channel works, nor is one sent that nobody waits for any more."""
    receiver.answers = [Answer(403, body=b"who are you")]
    ask(served, "POST", "/v1/channels/ops", hook(receiver.url))
    ask(served, "POST", "/v1/channels/ops/test", ANN)
    outbox = Outbox(taken_for_s=30)
    job = outbox.take_test(writer)
    assert job is not None
    assert outbox.take_test(writer) is None, "once each"
    outbox.release(writer, job)
    assert rows(writer, "select result, answer from ledger.channel_tests") == [
        ("failed", "delivery was stopped meanwhile; ask again")
    ]
    ask(served, "POST", "/v1/channels/ops/test", ANN)
    ask(served, "POST", "/v1/channels/ops/remove", ANN)
    assert outbox.take_test(writer) is None
    assert one(writer, "select answer from ledger.channel_tests where test_id = 2") == "the channel was removed"


# ── saved views ──────────────────────────────────────────────────────────────────────────────────────


def test_views_are_saved_renamed_and_removed(served: Served, writer: psycopg.Connection) -> None:
    monday = ANN | {"name": "  Monday   review ", "address": "/alerts?range=7d&tenant=acme&tz=Europe/Berlin"}
    status, answer, _ = ask(served, "POST", "/v1/views", monday)
    assert (status, [(view["name"], view["address"], view["made_by"]) for view in answer["views"]]) == (
        200, [("Monday review", monday["address"], "ann")],
    )  # fmt: skip
    hostile = {"who": "bo", "name": "<script>alert(1)</script>", "address": "/spend"}
    assert [view["name"] for view in ask(served, "POST", "/v1/views", hostile)[1]["views"]] == [hostile["name"], "Monday review"]
    described(served, "/v1/views")
    assert ask(served, "POST", "/v1/views/1/rename", {"who": "bo", "name": "Reviews"})[0] == 200
    assert rows(writer, "select view_id, name, who, made_by from ledger.saved_views order by 1") == [
        (1, "Reviews", "bo", "ann"), (2, hostile["name"], "bo", "bo"),
    ]  # fmt: skip
    assert ask(served, "POST", "/v1/views/2/remove", ANN)[1]["views"][0]["view_id"] == 1
    assert ask(served, "POST", "/v1/views/2/remove", ANN)[0] == 404
    assert save_view(writer, hostile["name"], "/", "ann") == 3, "a name that is free again"
    assert one(writer, "select count(*) from pigou.saved_view") == 5


@pytest.mark.parametrize(
    ("name", "address", "status", "field", "said"),
    [
        ("  ", "/", 409, "name", "a view has a name"),
        ("x" * 81, "/", 409, "name", "1 to 80 characters"),
        ("ALL", "/", 409, "name", "there is a view 'ALL' already"),
        ("a", "https://elsewhere.example/", 409, "address", "no address of a page here"),
        ("a", "//elsewhere.example/", 409, "address", "no address of a page here"),
        ("a", "/\\elsewhere.example/", 409, "address", "no address of a page here"),
        ("a", "/a b", 409, "address", "no address of a page here"),
        ("a", "/" + "x" * 2000, 409, "address", "2000 characters"),
        ("a\x00", "/", 422, "name", "name"),
        ("a", "javascript:alert(1)", 409, "address", "no address of a page here"),
    ],
)
def test_what_is_no_view(
    served: Served, writer: psycopg.Connection, name: str, address: str, status: int, field: str, said: str
) -> None:
    save_view(writer, "all", "/alerts?range=all", "ann")
    answer = refused(served, "/v1/views", ANN | {"name": name, "address": address})
    assert (answer[0], said in answer[1], answer[2]) == (status, True, field), answer
    assert one(writer, "select count(*) from ledger.saved_views") == 1
