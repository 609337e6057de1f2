"""The outbox: every event once to every channel that hears of it, in order, through failures; what is said when it cannot be."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from standardwebhooks import Webhook as Verifier

from analyzers.alerts import evaluate
from analyzers.delivery.message import Outcome
from analyzers.delivery.outbox import Outbox, due_in_s, has_news
from ledger.alerts import set_rule
from ledger.database import connect
from ledger.stated_channels import remove_channel
from tests.books import AT, chat, export, one, price, rows, run
from tests.desk import book
from tests.integration.delivering import (
    SECRET,
    add_event,
    channel,
    deliver,
    hurry,
    open_alert,
    resolve,
    state,
    states,
)  # fmt: skip
from tests.receivers import Answer, Receiver, receiving

NOON = AT + timedelta(hours=3)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
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
    assert one(writer, "select message_key::text, attempts, answer from ledger.deliveries") == (
        document["data"]["key"],
        1,
        "200 ok",
    )


def test_a_channel_hears_of_what_its_filter_says(writer: psycopg.Connection, receiver: Receiver) -> None:
    state(
        writer,
        channel("all", url=receiver.url),
        channel("severe", url=receiver.url, severity="critical"),
        channel("books", url=receiver.url, rules=["books_check"]),
        channel("some", url=receiver.url, tenants=["beta"]),
        channel("own", url=receiver.url, tenant="acme"),
    )
    open_alert(writer)
    open_alert(writer, rule="books_check", severity="critical")
    open_alert(writer, tenant="beta")
    found = rows(
        writer, "select tenant, rule, array_agg(channel order by channel) from ledger.deliveries group by 1, 2 order by 1, 2"
    )
    assert found == [
        ("acme", "books_check", ["all", "books", "own", "severe"]),
        ("acme", "unpriced_share", ["all", "own"]),
        ("beta", "unpriced_share", ["all", "some"]),
    ]


def test_events_of_one_round_are_one_message(writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver) -> None:
    """They wait for each other for as long as the channel says."""
    state(writer, channel(url=receiver.url, group_for=timedelta(hours=1)))
    numbers = [open_alert(writer, subject=subject) for subject in ("a", "b", "c")]
    assert deliver(writer) == []
    assert (due_in_s(writer) or 0) > 3000
    assert has_news(writer)
    run(owner, "update pigou.delivery set made_at = made_at - interval '1 hour'")
    assert len(deliver(writer)) == 1
    assert told(receiver) == [[(number, "opened") for number in numbers]]
    assert (
        receiver.got[0].json["data"]["title"].startswith("warning 3 events of 3 alerts, first opened: unpriced_share a of acme")
    )


def test_what_happens_in_an_outage_is_told_after_it_in_order(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    state(writer, channel(url=receiver.url))
    receiver.otherwise = Answer(503)
    first = open_alert(writer)
    deliver(writer)
    second = open_alert(writer, subject="other")
    add_event(writer, first, "told again")
    resolve(writer, first)
    hurry(owner)
    deliver(writer)
    receiver.otherwise = Answer()
    for _ in range(3):
        hurry(owner)
        deliver(writer)
    assert told(receiver) == [[(first, "opened")], [(second, "opened"), (first, "told again"), (first, "resolved")]]
    assert len(set(keys(receiver))) == len(keys(receiver)) == 4
    assert len({got.body for got in receiver.got}) == 2  # a repetition is the same to the byte
    assert {got.headers["webhook-id"] for got in receiver.got} == {got.json["data"]["key"] for got in receiver.taken}


def test_what_a_receiver_refuses_holds_up_only_its_alert(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    state(writer, channel(url=receiver.url))
    bad = open_alert(writer, subject="bad")
    receiver.answers = [Answer(400, body=b"no such subject")]
    assert [outcome.result for outcome in deliver(writer)] == ["refused"]
    add_event(writer, bad, "told again")
    good = open_alert(writer, subject="good")
    deliver(writer)
    assert told(receiver) == [[(good, "opened")]]
    assert one(writer, "select state, failures, last_error from ledger.channels") == ("working", 0, "400 no such subject")
    hurry(owner)
    deliver(writer)
    assert told(receiver) == [[(good, "opened")], [(bad, "opened")], [(bad, "told again")]]


@pytest.mark.parametrize(
    ("answer", "result", "said"),
    [
        (Answer(500, body=b"broken"), "failed", "500 broken"),
        (Answer(302, {"location": "http://127.0.0.1:1/x"}), "failed", "302: it moved to 127.0.0.1:1; redirects"),
        (Answer(401), "failed", "401 ok"),
        (Answer(404), "failed", "404 ok"),
        (Answer(422, body=b"x" * 200_000), "refused", "422 xxx"),
        (Answer(429, {"retry-after": "120"}), "failed", "429 ok"),
        (Answer(200, hang_s=30), "failed", "no answer within 0.5 s"),
        (Answer(200, drip=True), "failed", "no answer within 0.5 s"),
        (Answer(204, body=b""), "sent", "204"),
    ],
)  # fmt: skip
def test_answers(writer: psycopg.Connection, receiver: Receiver, answer: Answer, result: str, said: str) -> None:
    state(writer, channel(url=receiver.url))
    open_alert(writer)
    receiver.answers = [answer]
    [outcome] = deliver(writer, within_s=0.5 if answer.hang_s or answer.drip else 10)
    assert (outcome.result, outcome.answer.startswith(said), len(outcome.answer) <= 300) == (result, True, True)
    assert one(writer, "select state, answer from ledger.deliveries") == (
        "sent" if result == "sent" else "waiting",
        outcome.answer,
    )
    if result == "failed":
        failing, error, wait_s = one(
            writer, "select state, last_error, extract(epoch from next_at - last_error_at) from ledger.channels"
        )
        assert (failing, error) == ("failing", outcome.answer)
        assert (119 < wait_s < 121) if answer.status == 429 else (2.4 < wait_s < 5.1)


def test_nobody_there_and_no_secret(writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    with receiving() as gone:
        pass
    state(writer, channel("gone", url=gone.url), channel("mute", url=gone.url, kind="webhook", secret="env:EMPTY"))
    state(writer, channel("file", url=gone.url, kind="webhook", secret="file:/nowhere/secret"))
    open_alert(writer)
    answers = sorted({outcome.answer for outcome in deliver(writer)})  # a slow machine tries one again meanwhile
    assert answers[0].startswith("ConnectError")
    assert answers[1:] == [
        "the environment has no EMPTY",
        "the secret's file /nowhere/secret cannot be read: No such file or directory",
    ]


def test_a_channel_of_another_version_holds_up_nobody(writer: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel("a", url=receiver.url), channel("b", url=receiver.url))
    columns = "rules, tenants, severity_min, escalate_after, group_for, give_up_after, is_on, source"
    run(
        writer,
        f"insert into pigou.channel (tenant_id, channel, revision, kind, settings, {columns})"
        f" select tenant_id, channel, 2, kind, settings || '{{\"later\": 1}}', {columns} from pigou.channel where channel = 'a'",
    )
    open_alert(writer)
    assert deliver(writer) == []
    assert [outcome.result for outcome in deliver(writer)] == ["sent"]
    found = rows(writer, "select channel, state, last_error from ledger.channels order by 1")
    assert [row[:2] for row in found] == [("a", "failing"), ("b", "working")]
    assert "is not of this version: Object contains unknown field `later`" in found[0][2]


def test_attempts_grow_rarer(writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel(url=receiver.url))
    receiver.otherwise = Answer(503)
    open_alert(writer)
    waits: list[float] = []
    for _ in range(12):
        hurry(owner)
        deliver(writer)
        waits.append(float(one(writer, "select extract(epoch from next_at - last_error_at) from ledger.channels")))
    assert all(2.5 * 2**n - 0.1 <= wait <= 5.1 * 2**n for n, wait in enumerate(waits[:8]))
    assert all(899.9 <= wait <= 1800.1 for wait in waits[9:])
    assert one(writer, "select attempts from ledger.deliveries") == 12


def test_the_clocks_own_events_are_delivered(dsn: str, writer: psycopg.Connection, receiver: Receiver) -> None:
    """As the evaluation makes them, with the alert as it was; nothing is left of one that was rolled back."""
    price(writer)
    set_rule(writer, "unpriced_share", None, "test", severity="critical", renotify_every=timedelta(hours=1))
    state(writer, channel(url=receiver.url, severity="critical"))
    book(dsn, [export(*(chat(1, n, model="m9" if n < 5 else "m1") for n in range(1, 61)))])
    for minutes in (0, 5):
        evaluate(writer, NOON + timedelta(minutes=minutes))
    with contextlib.suppress(ZeroDivisionError), writer.transaction():
        evaluate(writer, NOON + timedelta(minutes=10))
        assert states(writer) == [(1, "opened", "ops", "waiting")]
        raise ZeroDivisionError
    assert states(writer) == []
    for minutes in (10, 15, 80, 26 * 60, 26 * 60 + 40, 27 * 60 + 40):
        evaluate(writer, NOON + timedelta(minutes=minutes))
    deliver(writer)
    events = [event for got in receiver.taken for event in got.json["data"]["events"]]
    assert [(event["event"], event["state"], event["severity"]) for event in events] == [
        ("opened", "open", "critical"), ("told again", "open", "critical"), ("resolved", "resolved", "critical"),
    ]  # fmt: skip
    assert events[0]["message"].startswith("4 of 60 calls of default in the past day have no price")


# ── what cannot be told ──────────────────────────────────────────────────────────────────────────────


def test_what_cannot_be_told_for_days_is_dead_and_said(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    """The message, and what waited behind it for as long; what came later keeps its time."""
    state(writer, channel(url=receiver.url, give_up_after=timedelta(days=2)))
    receiver.otherwise = Answer(503, body=b"down")
    first = open_alert(writer)
    deliver(writer)
    add_event(writer, first, "told again")
    second = open_alert(writer, subject="other")
    run(owner, "update pigou.delivery set made_at = made_at - interval '3 days' where event_id < 3")
    run(owner, "update pigou.channel_state set failing_since = failing_since - interval '3 days'")
    add_event(writer, first, "told again")
    hurry(owner)
    deliver(writer)
    assert states(writer) == [
        (first, "opened", "ops", "dead"), (first, "told again", "ops", "dead"), (first, "told again", "ops", "waiting"),
        (second, "opened", "ops", "dead"),
    ]  # fmt: skip
    assert one(writer, "select dead, waiting, last_error from ledger.channels") == (3, 1, "503 down")
    assert {row[0] for row in rows(writer, "select answer from ledger.deliveries where state = 'dead'")} == {"503 down"}


def test_what_only_waited_for_us_is_not_given_up(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    """Nobody delivered for a week; one failure then is no reason."""
    state(writer, channel(url=receiver.url, give_up_after=timedelta(days=2)))
    receiver.answers = [Answer(503)]
    open_alert(writer)
    run(owner, "update pigou.delivery set made_at = made_at - interval '7 days'")
    deliver(writer)
    hurry(owner)
    deliver(writer)
    assert one(writer, "select state, attempts from ledger.deliveries") == ("sent", 2)


def test_what_a_removed_channel_waited_for_is_dropped(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    state(writer, channel(url=receiver.url))
    receiver.answers = [Answer(503)]
    open_alert(writer)
    deliver(writer)
    open_alert(writer, subject="other")
    remove_channel(writer, "ops", None, "test")
    assert [row[3] for row in states(writer)] == ["dropped", "dropped"]
    assert rows(writer, "select * from ledger.channels") == []
    hurry(owner)
    assert deliver(writer) == []
    open_alert(writer, subject="third")
    state(writer, channel(url=receiver.url))
    number = open_alert(writer, subject="fourth")
    deliver(writer)
    assert told(receiver) == [[(number, "opened")]]


# ── several who deliver ──────────────────────────────────────────────────────────────────────────────


def test_a_channel_is_one_processs_at_a_time(writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver) -> None:
    """What another has taken since is not settled twice."""
    state(writer, channel("a", url=receiver.url), channel("b", url=receiver.url))
    open_alert(writer)
    one_, other = Outbox(30), Outbox(30)
    first, second = one_.take(writer), other.take(writer)
    assert first is not None
    assert second is not None
    assert {first.channel.name, second.channel.name} == {"a", "b"}
    assert (one_.take(writer), other.take(writer)) == (None, None)
    run(owner, "update pigou.channel_state set taken_until = now() where channel = %s", first.channel.name)
    again = other.take(writer)  # its time is over
    assert again is not None
    assert (again.message_id, again.message.key) == (first.message_id, first.message.key)
    sent = Outcome("sent", "200")
    assert one_.settle(writer, first, sent) is None
    assert other.settle(writer, again, sent) == "sent"
    one_.release(writer, first)
    assert other.settle(writer, second, sent) == "sent"


def test_many_who_deliver_send_everything_once(dsn: str, writer: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, *(channel(f"c{n}", url=receiver.url) for n in range(6)))

    def work(number: int) -> None:
        with connect(dsn, "writer") as connection:
            for step in range(5):
                open_alert(connection, tenant=f"t{number}", subject=str(step))
                deliver(connection)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    deliver(writer, at_most=500)
    told_of = Counter(keys(receiver))
    assert len(told_of) == 20
    assert set(told_of.values()) == {6}
    assert one(writer, "select count(*) filter (where state = 'sent'), count(*) from ledger.deliveries") == (120, 120)


# ── the rule of delivery ─────────────────────────────────────────────────────────────────────────────


def test_a_channel_that_keeps_failing_is_an_alert_told_through_others(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    with receiving() as broken:
        broken.otherwise = Answer(500, body=b"out of order")
        state(writer, channel("broken", url=broken.url, tenant="acme"), channel("ops", url=receiver.url))
        open_alert(writer)
        for _ in range(3):
            hurry(owner)
            deliver(writer)
        now = datetime.now(UTC)
        evaluate(writer, now)
        assert rows(writer, "select rule from ledger.alerts where rule = 'delivery'") == []
        evaluate(writer, now + timedelta(minutes=11))
        [found] = rows(writer, "select tenant, subject, severity, message, mend from ledger.alerts where rule = 'delivery'")
        assert found[:3] == ("acme", "broken", "critical")
        assert found[3].startswith("1 event of acme cannot be told through channel broken since ")
        assert found[3].endswith(": 500 out of order")
        assert "pigou channels test broken --tenant 'acme'" in found[4]
        assert rows(writer, "select channel from ledger.deliveries where rule = 'delivery'") == [("ops",)]
        broken.otherwise = Answer()
        hurry(owner)
        deliver(writer)
    for minutes in (80, 81):
        evaluate(writer, now + timedelta(minutes=minutes))
    assert one(writer, "select state from ledger.alerts where rule = 'delivery'") == "resolved"


def test_what_was_given_up_is_an_alert(writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel(url=receiver.url))
    receiver.otherwise = Answer(410, body=b"gone")
    open_alert(writer)
    for _ in range(3):
        deliver(writer)
        run(owner, "update pigou.delivery set made_at = made_at - interval '4 days'")
        run(owner, "update pigou.channel_state set failing_since = failing_since - interval '4 days'")
        hurry(owner)
    assert [row[3] for row in states(writer)] == ["dead"]
    evaluate(writer, datetime.now(UTC))
    assert one(writer, "select subject, round(value) >= 4 * 24 * 60 from ledger.alerts where rule = 'delivery'") == ("ops", True)
