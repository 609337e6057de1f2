"""What is told beside events as they happen: summaries after maintenance, escalation, and what stands open at an Alertmanager."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import psycopg
import pytest

from analyzers.alerts import escalate
from analyzers.delivery.outbox import due_in_s
from ledger.alerts import AlertError, Window, act, end_maintenance, plan_maintenance
from ledger.channels import UnknownChannel
from ledger.queries import queries
from ledger.stated_channels import send_again
from tests.books import one, rows, run
from tests.integration.delivering import add_event, channel, deliver, hurry, open_alert, resolve, state, states
from tests.receivers import Answer, Got, Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def told(receiver: Receiver) -> list[tuple[str, list[tuple[int, str]]]]:
    """Kind, and alert and event of everything taken, message by message."""
    return [
        (got.json["type"].rpartition(".")[2], [(event["alert_id"], event["event"]) for event in got.json["data"]["events"]])
        for got in receiver.taken
    ]


def keys(got: list[Got]) -> set[str]:
    return {event["key"] for one_got in got for event in one_got.json["data"]["events"]}


def test_what_was_given_up_is_sent_after_all_when_somebody_says_so(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    state(writer, channel(url=receiver.url, give_up_after=timedelta(days=2)))
    receiver.otherwise = Answer(503)
    number = open_alert(writer)
    deliver(writer)
    run(owner, "update pigou.delivery set made_at = made_at - interval '3 days'")
    run(owner, "update pigou.channel_state set failing_since = failing_since - interval '3 days'")
    hurry(owner)
    deliver(writer)
    assert states(writer) == [(number, "opened", "ops", "dead")]
    receiver.otherwise = Answer(200)
    assert [send_again(writer, "ops", None, "ann") for _ in range(2)] == [1, 0]
    deliver(writer)
    assert states(writer) == [(number, "opened", "ops", "sent")]
    assert keys(receiver.taken) == keys(receiver.got)
    with pytest.raises(UnknownChannel):
        send_again(writer, "other", None, "ann")


# ── maintenance ──────────────────────────────────────────────────────────────────────────────────────


def window(*, hours: float = 1.0, tenant: str | None = None, rule: str | None = None, subject: str | None = None) -> Window:
    now = datetime.now(UTC)
    return Window(now - timedelta(minutes=1), now + timedelta(hours=hours), tenant, rule, subject)


def test_nothing_is_told_during_maintenance_and_a_summary_after_it(writer: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel(url=receiver.url))
    before = open_alert(writer, subject="before")
    number = plan_maintenance(writer, window(tenant="acme"), who="ann", note="new gateway")
    during = open_alert(writer)
    resolve(writer, during)
    other = open_alert(writer, tenant="beta")
    deliver(writer)
    assert told(receiver) == [("events", [(other, "opened")])]  # what had not left when it began waits too
    assert states(writer) == [
        (before, "opened", "ops", "waiting"), (during, "opened", "ops", "withheld"), (during, "resolved", "ops", "withheld"),
        (other, "opened", "ops", "sent"),
    ]  # fmt: skip
    assert due_in_s(writer) is None
    end_maintenance(writer, number, "acme", who="bob")
    add_event(writer, before, "told again")
    deliver(writer)
    assert told(receiver)[1:] == [
        ("events", [(before, "opened"), (before, "told again")]),
        ("summary", [(during, "opened"), (during, "resolved")]),
    ]
    [summary] = [got for got in receiver.taken if got.json["type"] == "pigou.alerts.summary"]
    assert summary.json["data"]["title"] == "after maintenance: 2 events of 1 alert meanwhile"
    [said] = rows(writer, "select tenant, state, who, note, ended_by from ledger.maintenance")
    assert said == ("acme", "over", "ann", "new gateway", "bob")


def test_events_before_during_and_after_are_told_in_order(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    """Of one alert, though they go into messages of different kinds."""
    state(writer, channel(url=receiver.url))
    receiver.answers = [Answer(503)]
    alert = open_alert(writer)
    deliver(writer)
    number = plan_maintenance(writer, window(rule="unpriced_share", subject="calls"), who="ann")
    add_event(writer, alert, "told again")
    end_maintenance(writer, number, None, who="ann")
    resolve(writer, alert)
    hurry(owner)
    deliver(writer)
    assert told(receiver) == [
        ("events", [(alert, "opened")]),
        ("summary", [(alert, "told again")]),
        ("events", [(alert, "resolved")]),
    ]


def test_a_summary_does_not_wait_for_what_waits_for_company(writer: psycopg.Connection, receiver: Receiver) -> None:
    """Another alert's events that come before it and are not due yet do not hold it up."""
    state(writer, channel(url=receiver.url, group_for=timedelta(hours=1)))
    early = open_alert(writer, subject="early")
    number = plan_maintenance(writer, window(), who="ann")
    add_event(writer, early, "told again")
    during = open_alert(writer, subject="during")
    end_maintenance(writer, number, None, who="ann")
    deliver(writer)
    assert told(receiver) == [("summary", [(during, "opened")])]
    assert deliver(writer) == []


@pytest.mark.parametrize(
    ("of", "is_withheld"),
    [
        ({}, True),
        ({"tenant": "acme"}, True),
        ({"tenant": "beta"}, False),
        ({"rule": "unpriced_share"}, True),
        ({"rule": "books_check"}, False),
        ({"tenant": "acme", "rule": "unpriced_share", "subject": "calls"}, True),
        ({"tenant": "acme", "rule": "unpriced_share", "subject": "else"}, False),
    ],
)
def test_maintenance_of_what(writer: psycopg.Connection, receiver: Receiver, of: dict[str, str], is_withheld: bool) -> None:
    state(writer, channel(url=receiver.url))
    plan_maintenance(writer, window(tenant=of.get("tenant"), rule=of.get("rule"), subject=of.get("subject")), who="ann")
    open_alert(writer)
    assert [row[3] for row in states(writer)] == ["withheld" if is_withheld else "waiting"]


def test_maintenance_that_cannot_be(writer: psycopg.Connection) -> None:
    now = datetime.now(UTC)
    with pytest.raises(AlertError, match="in the time to come"):
        plan_maintenance(writer, Window(now - timedelta(hours=2), now - timedelta(hours=1)), who="ann")
    with pytest.raises(AlertError, match="ends after it begins"):
        plan_maintenance(writer, Window(now + timedelta(hours=2), now + timedelta(hours=1)), who="ann")
    with pytest.raises(AlertError, match="there is no rule 'x'"):
        plan_maintenance(writer, window(rule="x"), who="ann")
    with pytest.raises(AlertError, match="no maintenance 1 of all tenants"):
        end_maintenance(writer, 1, None, who="ann")


# ── escalation ───────────────────────────────────────────────────────────────────────────────────────


def test_what_nobody_acknowledges_is_told_to_a_second_channel(writer: psycopg.Connection, receiver: Receiver) -> None:
    with receiving() as pager:
        state(writer, channel("ops", url=receiver.url), channel("pager", url=pager.url, escalate_after=timedelta(minutes=30)))
        left, looked_after, quiet = (open_alert(writer, subject=subject) for subject in ("a", "b", "c"))
        act(writer, looked_after, "acknowledged", who="ann")
        run(writer, "update pigou.alert set quiet = 1, quiet_since = now() where alert_id = %s", quiet)
        now = datetime.now(UTC)
        assert escalate(writer, now + timedelta(minutes=20)) == 0
        assert escalate(writer, now + timedelta(minutes=31)) == 1
        assert escalate(writer, now + timedelta(minutes=90)) == 0
        deliver(writer)
        assert told(pager) == [("events", [(left, "escalated")])]
        assert one(writer, "select who, note from ledger.alert_events where event = 'escalated'") == (
            None, "not acknowledged; told to pager",
        )  # fmt: skip
        resolve(writer, left)
        resolve(writer, looked_after)
        deliver(writer)
        assert told(pager)[1:] == [("events", [(left, "resolved")])]
        assert [event for _, events in told(receiver) for _, event in events].count("escalated") == 0


def test_what_is_under_maintenance_does_not_escalate(writer: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel("pager", url=receiver.url, escalate_after=timedelta(minutes=30)))
    open_alert(writer)
    plan_maintenance(writer, window(hours=2), who="ann")
    assert escalate(writer, datetime.now(UTC) + timedelta(minutes=60)) == 0
    assert escalate(writer, datetime.now(UTC) + timedelta(minutes=121)) == 1


# ── Alertmanager ─────────────────────────────────────────────────────────────────────────────────────

POSTED = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["labels"],
        "additionalProperties": False,
        "properties": {
            "labels": {
                "type": "object",
                "required": ["alertname"],
                "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
                "additionalProperties": {"type": "string", "minLength": 1},
            },
            "annotations": {
                "type": "object",
                "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
                "additionalProperties": {"type": "string"},
            },
            "startsAt": {"type": "string", "format": "date-time"},
            "endsAt": {"type": "string", "format": "date-time"},
            "generatorURL": {"type": "string", "format": "uri"},
        },
    },
}
"""What POST /api/v2/alerts takes, by the API's documented definition of postableAlerts, and what it checks beyond: names of
labels and annotations, and labels that are not empty."""


class Repeated:
    """What an Alertmanager makes of the requests: every alert by its labels, with when it ends unless something more is heard."""

    def __init__(self, receiver: Receiver) -> None:
        self.standing: dict[tuple[tuple[str, str], ...], tuple[datetime, datetime]] = {}
        for got in receiver.taken:
            assert (got.path, got.headers["content-type"]) == ("/api/v2/alerts", "application/json")
            jsonschema.validate(got.json, POSTED, jsonschema.Draft202012Validator)
            for alert in got.json:
                starts, ends = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
                assert starts < ends
                self.standing[tuple(sorted(alert["labels"].items()))] = (starts, ends)

    def open_at(self, at: datetime) -> list[str]:
        """Subjects of the alerts that are open at a time."""
        return sorted(dict(labels)["subject"] for labels, (_, ends) in self.standing.items() if ends > at)


def repeating(receiver: Receiver, **more: Any) -> Any:
    return channel("am", kind="alertmanager", url=receiver.url, repeat_every_s=600, page="http://127.0.0.1:4320", **more)


def test_what_stands_open_is_repeated_until_it_is_resolved(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    number = open_alert(writer)
    state(writer, repeating(receiver))  # what is open already is told too: it is a state
    assert len(deliver(writer)) == 1
    other = open_alert(writer, subject="other")
    deliver(writer)
    soon = datetime.now(UTC)
    assert Repeated(receiver).open_at(soon + timedelta(seconds=2300)) == ["calls", "other"]
    assert Repeated(receiver).open_at(soon + timedelta(seconds=2500)) == []
    assert (due_in_s(writer) or 0) > 300
    run(owner, "update pigou.channel_state set repeated_at = repeated_at - interval '10 minutes'")
    requests = len(receiver.got)
    assert len(deliver(writer)) == 1
    assert [alert["labels"]["subject"] for alert in receiver.got[requests].json] == ["calls", "other"]
    resolve(writer, number)
    deliver(writer)
    assert Repeated(receiver).open_at(datetime.now(UTC)) == ["other"]
    assert receiver.got[-1].json[0]["annotations"]["state"] == "resolved"
    assert receiver.got[0].json[0]["generatorURL"] == f"http://127.0.0.1:4320/alerts?tenant=acme&alert={number}"
    assert receiver.got[0].json[0]["labels"] == {
        "alertname": "unpriced_share", "tenant": "acme", "subject": "calls", "severity": "warning", "source": "pigou",
    }  # fmt: skip
    resolve(writer, other)
    deliver(writer)
    assert due_in_s(writer) is None


def test_what_is_muted_or_under_maintenance_ends_there(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    muted, maintained, looked_after = (open_alert(writer, subject=subject) for subject in ("a", "b", "c"))
    state(writer, repeating(receiver))
    act(writer, muted, "muted", who="ann", until=datetime.now(UTC) + timedelta(hours=1))
    plan_maintenance(writer, window(subject="b"), who="ann")
    act(writer, looked_after, "acknowledged", who="ann")
    deliver(writer)
    assert [alert["labels"]["subject"] for alert in receiver.got[-1].json] == ["c"]
    assert receiver.got[-1].json[0]["annotations"]["state"] == "acknowledged"
    assert maintained


def test_an_alertmanager_that_is_away_is_an_alert(writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """Though no event waits for it: what it should know is not repeated."""
    with receiving() as receiver:
        state(writer, repeating(receiver))
        open_alert(writer)
        deliver(writer)
    for _ in range(3):
        hurry(owner)
        run(owner, "update pigou.channel_state set repeated_at = repeated_at - interval '10 minutes'")
        deliver(writer)
    assert one(writer, "select state, failures, waiting from ledger.channels") == ("failing", 3, 0)
    now = datetime.now(UTC) + timedelta(minutes=20)
    [found] = writer.execute(queries("analyzers", "alert_rules")["delivery"], {"now": now}).fetchall()
    assert (found[1], 19 <= found[2] <= 25, found[3]) == ("am", True, 3)
