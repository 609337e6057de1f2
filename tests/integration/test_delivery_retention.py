"""Deliveries that are over go when they are old enough; what is still to be sent never does, and nobody is told twice for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from analyzers.alerts import escalate
from analyzers.pipeline import run_round
from dashboard.books import Books
from dashboard.components.panel import View
from dashboard.filters import parse
from dashboard.pages.alert import alert_deliveries
from ledger import retention
from ledger.stated_channels import send_again
from tests.books import one, rows, run
from tests.integration.delivering import add_event, channel, deliver, hurry, open_alert, resolve, state, states
from tests.integration.test_retention import NOW
from tests.receivers import Answer, Receiver, receiving
from tests.typed import Typed


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def age(owner: psycopg.Connection, days: int = 100) -> None:
    """As if all that was made and settled so far had been so long ago."""
    for table in ("delivery", "delivery_message"):
        run(owner, f"update pigou.{table} set made_at = made_at - make_interval(days => %s)", days)
        run(owner, f"update pigou.{table} set settled_at = settled_at - make_interval(days => %s)", days)
    run(owner, "update pigou.alert set opened_at = opened_at - make_interval(days => %s)", days)


def messages(owner: psycopg.Connection) -> list[int]:
    return [number for (number,) in rows(owner, "select message_id from pigou.delivery_message order by message_id")]


def test_what_was_told_long_ago_goes(writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel(url=receiver.url))
    old = open_alert(writer)
    deliver(writer)
    resolve(writer, old)
    deliver(writer)
    age(owner)
    new = open_alert(writer)
    deliver(writer)
    resolve(writer, new)
    deliver(writer)
    assert messages(owner) == [1, 2, 3, 4]
    assert retention.delete_deliveries(writer) == 4
    assert states(writer) == [(new, "opened", "ops", "sent"), (new, "resolved", "ops", "sent")]
    assert messages(owner) == [3, 4]
    assert one(owner, "select count(*) from ledger.alert_events") == 4
    assert one(owner, "select now() - gone_before from ledger.retention where kind = 'deliveries'") > timedelta(days=89)
    assert retention.delete_deliveries(writer) == 0


def test_what_is_still_to_be_sent_stays_however_old_it_is(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    """What nobody took yet, and what waits behind it; and both are sent afterwards."""
    state(writer, channel(url=receiver.url))
    receiver.answers = [Answer(503)]
    number = open_alert(writer)
    deliver(writer)
    resolve(writer, number)
    age(owner, 5_000)
    retention.keep(owner, "deliveries", 1, "test")
    assert retention.delete_deliveries(writer) == 0
    assert {row[3] for row in states(writer)} == {"waiting"}
    hurry(owner)
    deliver(writer)
    assert states(writer) == [(number, "opened", "ops", "sent"), (number, "resolved", "ops", "sent")]


def test_what_was_given_up_goes_and_what_is_sent_again_stays(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    state(writer, channel(url=receiver.url))
    number = open_alert(writer)
    resolve(writer, number)
    run(owner, "update pigou.delivery set state = 'dead', settled_at = now(), why = 'down'")
    age(owner)
    assert send_again(writer, "ops", None, "ann") == 2
    assert retention.delete_deliveries(writer) == 0
    run(owner, "update pigou.delivery set state = 'dead', settled_at = now() - interval '100 days', why = 'down'")
    assert retention.delete_deliveries(writer) == 2
    assert states(writer) == []


def test_who_was_told_of_an_open_alert_is_not_forgotten(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    """The last delivery of it stays: it says that it escalated already, and that its end is to be told."""
    state(writer, channel(url=receiver.url, escalate_after=timedelta(minutes=1)))
    number = open_alert(writer)
    later = datetime.now(UTC) + timedelta(hours=1)
    assert escalate(writer, later) == 1
    deliver(writer)
    for _ in range(3):
        add_event(writer, number, "told again")
        deliver(writer)
    age(owner)
    assert retention.delete_deliveries(writer) == 6  # three of four, with their messages
    assert states(writer) == [(number, "told again", "ops", "sent")]
    assert messages(owner) == [4]
    assert escalate(writer, later) == 0
    resolve(writer, number)
    deliver(writer)
    assert states(writer)[1:] == [(number, "resolved", "ops", "sent")]
    assert messages(owner) == [4, 5]


def test_many_go_some_at_a_time(
    writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_DELETED_AT_ONCE", 3)
    state(writer, channel(url=receiver.url), channel("other", url=receiver.url))
    for subject in ("a", "b", "c", "d"):
        resolve(writer, open_alert(writer, subject=subject))
    deliver(writer)
    age(owner)
    assert one(writer, "select pigou.delete_deliveries(3)") == 3
    assert len(states(writer)) == 13
    assert retention.delete_deliveries(writer) >= 13
    assert states(writer) == []


def test_the_clock_deletes_once_a_day(writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel(url=receiver.url))
    resolve(writer, open_alert(writer))
    deliver(writer)
    age(owner)
    run(writer, "insert into pigou.setting (setting, value) values ('retained_on', current_date::text)")
    run_round(writer)
    assert len(states(writer)) == 2
    run(owner, "update pigou.setting set value = '2020-01-01' where setting = 'retained_on'")
    run_round(writer)
    assert states(writer) == []


def test_for_ever_is_for_ever(writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel(url=receiver.url))
    resolve(writer, open_alert(writer))
    deliver(writer)
    age(owner, 30_000)
    retention.keep(owner, "deliveries", None, "test")
    assert retention.delete_deliveries(writer) == 0


def test_the_writer_deletes_nothing_by_itself(writer: psycopg.Connection) -> None:
    for table in ("delivery", "delivery_message"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(writer, f"delete from pigou.{table}")


def test_the_page_says_that_who_was_told_may_be_gone(
    dsn: str, writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver
) -> None:
    state(writer, channel(url=receiver.url, rules=["unpriced_share"]))
    old = open_alert(writer)
    resolve(writer, old)
    deliver(writer)
    age(owner)
    retention.delete_deliveries(writer)
    new = open_alert(writer, rule="suspense_share")
    pages = Books(dsn)
    try:
        said = [
            str(alert_deliveries(View(pages, parse(f"?alert={number}&tenant=acme"), NOW, "/alerts", ""))) for number in (old, new)
        ]
    finally:
        pages.close()
    assert "past its retention" in said[0]
    assert "no channel hears of it" in said[1]


def test_run_says_how_many_went(pigou: Typed, writer: psycopg.Connection, owner: psycopg.Connection, receiver: Receiver) -> None:
    state(writer, channel(url=receiver.url))
    resolve(writer, open_alert(writer))
    deliver(writer)
    age(owner)
    code, out, _ = pigou("retention", "run")
    assert (code, "deliveries: deleted 2 rows\n" in out) == (0, True)
    assert "deliveries,90" in pigou("retention", "show", "--format", "csv")[1]
