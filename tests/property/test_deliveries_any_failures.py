"""Whatever fails, and whoever is killed when: everything is told at least once, once by its key, and in order.

Histories are drawn from seeds: events of alerts, maintenance, two who deliver, and receivers that take, fail, refuse or take and
are not heard. A kill is an attempt of which nothing is written.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from analyzers.delivery.message import Message, Outcome
from analyzers.delivery.outbox import Job, Outbox
from ledger.alerts import Window, end_maintenance, plan_maintenance
from ledger.channels import Channel
from ledger.database import connect
from tests.books import cloned, one, rows
from tests.integration.delivering import add_event, channel, hurry, open_alert, resolve, state

CHANNELS = ("a", "b", "c")
Event = tuple[str, int, int]


class Receivers:
    """What each channel's receiver took, in order, a message that came again under its key only once."""

    def __init__(self) -> None:
        self.told: dict[str, list[Event]] = {name: [] for name in CHANNELS}
        self.messages: dict[str, tuple[str, list[Event]]] = {}
        self.repeated = 0

    def take(self, to: Channel, message: Message) -> None:
        """As a receiver does that remembers keys."""
        events = [(told.tenant, told.alert_id, told.event_id or 0) for told in message.told]
        if message.key in self.messages:
            self.repeated += 1
            assert self.messages[message.key] == (to.name, events), "a repetition is the same message"
            return
        self.messages[message.key] = (to.name, events)
        self.told[to.name] += events


@pytest.fixture(scope="module")
def books(server: str, template: str) -> Iterator[str]:
    with cloned(server, template, "pigou_deliveries") as dsn:
        yield dsn


@pytest.fixture
def connections(books: str) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    with connect(books, "writer") as writer, connect(books, "owner") as owner:
        yield writer, owner


def attempt(writer: psycopg.Connection, outbox: Outbox, receivers: Receivers, draw: random.Random, failing: float) -> bool:
    """Send one message, or not; answers whether there was one."""
    job = outbox.take(writer)
    if job is None:
        return False
    fate = draw.choices(["taken", "failed", "refused", "unheard", "killed", "killed after"], [1 - failing, *[failing / 5] * 5])[0]
    if fate in ("taken", "unheard", "killed after"):
        receivers.take(job.channel, job.message)
    if fate not in ("killed", "killed after"):
        settle(writer, outbox, job, fate)
    return True


def settle(writer: psycopg.Connection, outbox: Outbox, job: Job, fate: str) -> None:
    result = {"taken": "sent", "failed": "failed", "refused": "refused", "unheard": "failed"}[fate]
    outbox.settle(writer, job, Outcome(result, fate))  # pyright: ignore[reportArgumentType]  # one of the four words


def happen(writer: psycopg.Connection, draw: random.Random, tenants: list[str], alive: list[tuple[str, int]]) -> None:
    """Something happens to an alert, or to when it is told."""
    what = draw.choices(["open", "again", "resolve", "plan", "end"], [2, 8, 1, 1, 2])[0]
    if what == "open" or not alive:
        tenant = draw.choice(tenants)
        alive.append((tenant, open_alert(writer, tenant=tenant, subject=str(draw.random()))))
    elif what == "again":
        tenant, alert = draw.choice(alive)
        add_event(writer, alert, "told again", tenant=tenant)
    elif what == "resolve":
        tenant, alert = alive.pop(draw.randrange(len(alive)))
        resolve(writer, alert, tenant)
    elif what == "plan":
        now = datetime.now(UTC)
        of = draw.choice([None, *tenants])
        plan_maintenance(writer, Window(now - timedelta(seconds=1), now + timedelta(days=1), of), who="ann")
    else:
        end_all(writer, 1)


def end_all(writer: psycopg.Connection, at_most: int = 1000) -> None:
    for tenant, number in rows(writer, "select tenant, maintenance_id from ledger.maintenance where state <> 'over'")[:at_most]:
        end_maintenance(writer, number, tenant, who="ann")


@pytest.mark.parametrize("seed", range(8))
def test_everything_is_told_once_by_its_key_and_in_order(
    connections: tuple[psycopg.Connection, psycopg.Connection], seed: int
) -> None:
    writer, owner = connections
    draw = random.Random(seed)
    tenants = [f"s{seed}-{name}" for name in ("x", "y")]
    receivers, outboxes, alive = Receivers(), [Outbox(30), Outbox(30)], list[tuple[str, int]]()
    state(writer, *(channel(name, url="http://127.0.0.1:9", tenants=tenants) for name in CHANNELS))
    for _ in range(100):
        if draw.random() < 0.5:
            happen(writer, draw, tenants, alive)
        else:
            attempt(writer, draw.choice(outboxes), receivers, draw, failing=0.6)
        if draw.random() < 0.25:
            hurry(owner)  # time passes: what was left by a kill is free again
    end_all(writer)
    for _ in range(200):
        hurry(owner)
        if not attempt(writer, outboxes[0], receivers, draw, failing=0.2):
            break
    mine = "select tenant, alert_id, event_id from ledger.alert_events where is_to_be_told and tenant = any(%s)"
    wanted = Counter(rows(writer, mine, tenants))
    for told in receivers.told.values():
        assert Counter(told) == wanted
        for alert in {event[:2] for event in told}:
            numbers = [event[2] for event in told if event[:2] == alert]
            assert numbers == sorted(numbers)
    assert one(writer, "select count(*) from ledger.deliveries where state <> 'sent' and tenant = any(%s)", tenants) == 0
    assert receivers.repeated > 0
