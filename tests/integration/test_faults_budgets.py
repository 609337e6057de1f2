"""The faults of budgets and alerts that users of other systems reported; each test fails when its guard is taken away."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from analyzers.alerts import evaluate
from ledger.budgets import Held, Terms, hold, set_budget
from ledger.database import connect
from tests.books import AT, chat, export, one, price, rows
from tests.desk import book, collecting

COST = Decimal("0.0003")
"""Of a call in this notation."""


@pytest.fixture
def limited(dsn: str, writer: psycopg.Connection) -> str:
    """Books with a budget of 1 USD."""
    price(writer)
    set_budget(writer, "default", "b", Terms(amount_usd=Decimal(1)), "test")
    return dsn


def ask(connection: psycopg.Connection, hold_id: str, amount: str, ttl_s: int = 600) -> Held:
    return hold(connection, "default", "b", hold_id, Decimal(amount), ttl_s)


class Asking(threading.Thread):
    """Somebody who asks for a hold meanwhile."""

    def __init__(self, dsn: str, hold_id: str, amount: str) -> None:
        super().__init__()
        self._asked = (dsn, hold_id, amount)
        self.outcome: str | None = None

    def run(self) -> None:
        dsn, hold_id, amount = self._asked
        with connect(dsn, "writer", application="asking") as connection:
            self.outcome = ask(connection, hold_id, amount).outcome


@contextmanager
def undecided_hold(dsn: str, owner: psycopg.Connection, asked: Asking) -> Generator[psycopg.Connection]:
    """A connection that holds 0.7 of 1 USD and has not committed, while somebody else asks and waits, or was answered."""
    with connect(dsn, "writer", autocommit=False) as first:
        outcome = "select outcome from pigou.hold(1, 'b', 'first', 0.7, '1 minute')"
        assert one(first, outcome) == "granted"
        asked.start()
        waiting = "select count(*) from pg_stat_activity where application_name = 'asking' and wait_event_type = 'Lock'"
        deadline = time.monotonic() + 30
        while asked.is_alive() and not one(owner, waiting):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield first
    asked.join(30)


def test_fault_concurrent_requests_all_pass_a_budget_check(limited: str, owner: psycopg.Connection) -> None:
    """The second sees what the first was granted, though it asked before that was committed."""
    asked = Asking(limited, "second", "0.7")
    with undecided_hold(limited, owner, asked) as first:
        first.commit()
    assert asked.outcome == "refused"
    assert one(owner, "select spent_usd + held_usd from ledger.budgets") == Decimal("0.7")


def test_fault_a_false_refusal_by_what_never_happened(limited: str, owner: psycopg.Connection) -> None:
    """The first gave up: the second has the room, and was not told otherwise meanwhile."""
    asked = Asking(limited, "second", "0.7")
    with undecided_hold(limited, owner, asked) as first:
        first.rollback()
    assert asked.outcome == "granted"
    assert one(owner, "select spent_usd + held_usd from ledger.budgets") == Decimal("0.7")


def test_fault_a_false_refusal_by_what_is_counted_twice(limited: str, writer: psycopg.Connection) -> None:
    """A call that was booked is spent and no longer held, in one commit and before any clock went round."""
    assert ask(writer, "h", "1").outcome == "granted"
    with collecting(limited) as collector:
        collector.book(export(chat(1, 1, at=(datetime.now(UTC) - AT).total_seconds(), allocation__budget__hold="h")))
    assert one(writer, "select spent_usd, held_usd from ledger.budgets") == (COST, 0)
    assert ask(writer, "next", "0.9997").outcome == "granted"
    assert ask(writer, "more", "0.000001").outcome == "refused"


def test_fault_a_false_refusal_by_what_is_over(limited: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    assert ask(writer, "h", "1").outcome == "granted"
    owner.execute("update pigou.budget_hold set held_at = now() - interval '2 hours', expires_at = now() - interval '1 second'")
    assert ask(writer, "next", "1").outcome == "granted"


def test_fault_a_budget_by_a_client_s_own_count(limited: str, writer: psycopg.Connection) -> None:
    """What calls cost counts whoever made them and whether or not they asked, in the statement that books them."""
    book(limited, [export(chat(1, 1, input=400_000, output=0, at=(datetime.now(UTC) - AT).total_seconds()))])
    refused = ask(writer, "h", "0.3")
    assert (refused.outcome, refused.spent_usd, refused.left_usd) == ("refused", Decimal("0.8"), Decimal("0.2"))


# ── alerts ───────────────────────────────────────────────────────────────────────────────────────────


def evaluations(writer: psycopg.Connection, since: datetime, hours: float) -> datetime:
    """The clock for some hours, every ten minutes; answers when it is."""
    for number in range(round(hours * 6)):
        evaluate(writer, since + timedelta(minutes=10 * number))
    return since + timedelta(hours=hours)


def told(writer: psycopg.Connection) -> list[str]:
    return [event for (event,) in rows(writer, "select event from ledger.alert_events where is_to_be_told order by at, event_id")]


def test_fault_alerts_for_every_request_or_once_and_never_again(limited: str, writer: psycopg.Connection) -> None:
    """Sixty calls without a price, looked at for sixteen hours: one alert, told again at its interval.

    When they are more than a day old it is right; when it happens again it is told again.
    """
    writer.execute(
        "insert into pigou.alert_rule select tenant_id, rule, 2, open_at, close_at, evidence_min, open_evaluations, open_for,"
        " close_evaluations, close_for, stay_for, '6 hours', is_on, 'test' from pigou.alert_rule where rule = 'unpriced_share'"
    )
    book(limited, [export(*(chat(1, n, model="m9") for n in range(1, 61)))])
    now = evaluations(writer, AT + timedelta(hours=1), 16)
    assert one(writer, "select count(*), max(evaluations) from ledger.alerts") == (1, 96)
    assert told(writer) == ["opened", "told again", "told again"]
    now = evaluations(writer, now, 14)
    assert told(writer) == ["opened", "told again", "told again", "told again", "resolved"]
    book(limited, [export(*(chat(2, n, model="m9", at=(now - AT).total_seconds()) for n in range(1, 61)))])
    evaluations(writer, now, 2)
    assert told(writer)[5:] == ["reopened"]
    assert rows(writer, "select state, former_alert_id from ledger.alerts order by alert_id") == [("resolved", None), ("open", 1)]
