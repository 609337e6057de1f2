"""The analyzers as a process: what is told through kill -9 in mid-delivery, through outages of receivers, and by two at once.

What is promised is looked at from the receiver: every event is there, under one key, and one message has one body.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import psycopg

from tests.books import one, rows, run
from tests.integration.delivering import SECRET, add_event, channel, open_alert, resolve, state
from tests.pigou_process import clean_environment
from tests.receivers import Answer, Receiver, receiving, wait_for


@contextmanager
def analyzers(dsn: str, within_s: float = 1.0, **secrets: str) -> Generator[subprocess.Popen[str]]:
    """The clock and its delivery, ended at the end if it has not been before. A channel is taken for twice `within_s`."""
    command = [sys.executable, "-m", "analyzers", "--dsn", dsn, "--interval-s", "0.2", "--delivery-within-s", str(within_s)]
    environment = clean_environment() | {"OPS_SECRET": SECRET} | secrets
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def seen(receiver: Receiver) -> tuple[Counter[str], dict[str, set[bytes]]]:
    """How often each event was taken, counting a message once, and the bodies of each message."""
    bodies: dict[str, set[bytes]] = {}
    for got in receiver.got:
        bodies.setdefault(got.headers["webhook-id"], set()).add(got.body)
    taken = {got.headers["webhook-id"]: got for got in receiver.taken}
    return Counter(event["key"] for got in taken.values() for event in got.json["data"]["events"]), bodies


def order(receiver: Receiver) -> dict[tuple[str, int], list[int]]:
    """The events of each alert in the order in which they were taken first."""
    told: dict[tuple[str, int], list[int]] = {}
    for got in receiver.taken:
        for event in got.json["data"]["events"]:
            events = told.setdefault((event["tenant"], event["alert_id"]), [])
            if event["event_id"] not in events:
                events.append(event["event_id"])
    return told


def sooner(owner: psycopg.Connection) -> bool:
    """As if the time until the next attempts were over."""
    run(owner, "update pigou.channel_state set next_at = '-infinity' where next_at > now()")
    run(owner, "update pigou.delivery_message set next_at = '-infinity' where state = 'waiting' and next_at > now()")
    return True


def all_sent(connection: psycopg.Connection) -> bool:
    return one(connection, "select count(*) filter (where state <> 'sent') from ledger.deliveries") == 0


def test_killed_in_mid_delivery(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """Whenever a message has arrived and is not yet answered, three times; and before and after."""
    with receiving() as receiver, ExitStack() as running:
        process = running.enter_context(analyzers(dsn))
        state(writer, channel(url=receiver.url))

        def kill() -> None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

        for number in range(3):
            receiver.answers = [Answer(then=kill)]
            alert = open_alert(writer, subject=str(number))
            process.wait(30)
            add_event(writer, alert, "told again")  # nobody runs
            process = running.enter_context(analyzers(dsn))
            add_event(writer, alert, "told again")
            wait_for(lambda: all_sent(writer))
        resolve(writer, 1)
        wait_for(lambda: all_sent(writer))
        events, bodies = seen(receiver)
        assert set(events.values()) == {1}
        assert len(events) == one(writer, "select count(*) from ledger.alert_events where is_to_be_told") == 10
        assert all(len(same) == 1 for same in bodies.values())
        assert len(receiver.got) >= len(bodies) + 3  # what was killed came again
        assert all(told == sorted(told) for told in order(receiver).values())
        assert rows(writer, "select sum(attempts - 1) >= 3 from pigou.delivery_message") == [(True,)]


def test_outages_of_receivers(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """One fails, hangs and is gone for a while; another goes on meanwhile."""
    with receiving() as healthy, ExitStack() as later, analyzers(dsn):
        with receiving() as receiver:
            state(writer, channel("ops", url=receiver.url), channel("healthy", url=healthy.url))
            receiver.answers = [Answer(503), Answer(hang_s=30), Answer(429, {"retry-after": "1"})]
            for number in range(4):
                open_alert(writer, subject=str(number))
                wait_for(lambda at_least=number + 1: len(seen(healthy)[0]) == at_least)
            wait_for(lambda: sooner(owner) and len(receiver.got) >= 3)
        before = receiver.got
        open_alert(writer, subject="while it is gone")
        gone = "select last_error like 'ConnectError%' from ledger.channels where channel = 'ops'"
        wait_for(lambda: sooner(owner) and one(writer, gone))
        back = later.enter_context(receiving(int(receiver.url.rpartition(":")[2])))
        resolve(writer, 1)
        state(writer, channel("ops", url=back.url + "/"))  # stated anew, it is tried at once
        wait_for(lambda: all_sent(writer))
        back.got[:0] = before
        events, bodies = seen(back)
        assert set(events.values()) == {1}
        assert events.keys() == seen(healthy)[0].keys()
        assert len(events) == 6
        assert all(len(same) == 1 for same in bodies.values())
        assert all(told == sorted(told) for told in order(back).values())


def test_two_analyzers_tell_everything_once(dsn: str, writer: psycopg.Connection) -> None:
    with receiving() as receiver, analyzers(dsn), analyzers(dsn):
        state(writer, *(channel(f"c{number}", url=f"{receiver.url}/{number}") for number in range(3)))
        for number in range(12):
            open_alert(writer, tenant=f"t{number % 3}", subject=str(number))
        wait_for(lambda: all_sent(writer))
        messages = {got.headers["webhook-id"]: got for got in receiver.got}  # a slow answer may have been asked for again
        told = Counter((got.path, event["key"]) for got in messages.values() for event in got.json["data"]["events"])
        assert len(told) == 36
        assert set(told.values()) == {1}


def test_it_stops_in_order(dsn: str, writer: psycopg.Connection) -> None:
    """A message under way is settled before it ends, and what hangs is free for the next at once."""
    with receiving() as slow, analyzers(dsn, 20) as process:
        slow.otherwise = Answer(hang_s=0.5)
        state(writer, channel(url=slow.url))
        open_alert(writer)
        wait_for(lambda: bool(slow.got))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert one(writer, "select state, attempts from ledger.deliveries") == ("sent", 1)
        assert one(writer, "select taken_by is null from pigou.channel_state")


def test_the_database_goes_while_a_message_is_under_way(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """What came of it is written through the next connection; it is not sent again."""
    with receiving() as slow, analyzers(dsn, 20):
        slow.otherwise = Answer(hang_s=0.5)
        state(writer, channel(url=slow.url))
        open_alert(writer)
        wait_for(lambda: bool(slow.got))
        run(owner, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pigou-delivery'")
        wait_for(lambda: all_sent(writer))
        assert (len(slow.got), one(writer, "select attempts from ledger.deliveries")) == (1, 1)


def test_secrets_are_the_processs_and_stay_there(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    """Its environment has them; its log and the database do not, an address that is a secret included."""
    with receiving() as receiver, analyzers(dsn, 20, SLACK_ADDRESS=f"{receiver.url}/secret-path") as process:
        state(
            writer,
            channel("ops", url=receiver.url),
            channel("slack", kind="slack", url="env:SLACK_ADDRESS"),
            channel("other", kind="slack", url="env:NOT_THERE"),
        )
        receiver.answers = [Answer(302, {"location": f"{receiver.url}/secret-path"}), Answer(500)]
        open_alert(writer)
        wait_for(lambda: one(writer, "select count(*) from ledger.channels where last_error is not null") >= 2)
        wait_for(lambda: any("secret-path" in got.path for got in receiver.got))
        add_event(writer, 1, "told again")
        wait_for(lambda: one(writer, "select count(*) filter (where state = 'sent') from ledger.deliveries") >= 2)
        assert one(writer, "select last_error from ledger.channels where channel = 'other'") == "the environment has no NOT_THERE"
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[0]
        kept = [str(row) for view in ("channels", "deliveries") for row in rows(reader, f"select * from ledger.{view}")]
    assert "channel slack" in said or "channel ops" in said
    assert not [text for text in (said, *kept) if "secret-path" in text or SECRET in text]
