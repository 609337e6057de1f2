"""What follows for a task, and for its decisions, where somebody said little of it, or where it turns out to be none."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from analyzers.appraise import BEGINNING, END, attribute
from analyzers.decisions.derive import derive
from analyzers.tasks import settle, settlement
from ledger.outcomes import tell
from tests.books import agent, chat, export, plain, price, rows
from tests.desk import Collector, book, collecting
from tests.integration.test_tasks import PRICES, RISKY, feedback, fixed, policy, shadow, sound, task


@pytest.fixture
def collector(dsn: str, writer: psycopg.Connection) -> Iterator[Collector]:
    price(writer)
    with collecting(dsn) as running:
        yield running


@pytest.mark.parametrize("is_all", [False, True])
def test_outcomes_that_wait_for_ever_keep_no_others_waiting(
    collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, is_all: bool
) -> None:
    monkeypatch.setattr(settlement, "_BATCH", 2)
    policy(writer, **PRICES)
    lost = [feedback(f"lost{place}", "response", f"lost{place}", 1.0) for place in range(5)]
    tell(writer, "default", lost[:3])
    tell(writer, "default", [feedback("late", "response", "r1", 0.5)])
    tell(writer, "default", lost[3:])
    while rows(writer, "select from pigou.outcome_waiting where sought_at is null"):
        settle(writer, is_all=is_all)
    for trace in range(1, 2 if is_all else 5):
        collector.book(export(agent(trace, 1), chat(trace, 2, 1, id=f"r{trace}")))
        settle(writer, is_all=is_all)
    assert task(reader, "quality, outcome_source") == (0.5, "feedback")
    assert rows(reader, "select status, count(*) from ledger.outcomes group by 1 order by 1") == [("counts", 1), ("waiting", 5)]


def test_that_nothing_was_lost_releases_a_provision(
    collector: Collector, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    collector.book(fixed(), export(plain(1, 4, 1, **RISKY)))
    tell(writer, "default", [feedback("a", "trace", f"{1:032x}", None, "0")])
    settle(writer)
    assert task(owner, "settled_by, quality, loss_usd, risk_usd") == ("outcome", None, 0, 5)
    assert shadow(owner) == {"expenses:latency:code.fix": Decimal("0.1"), "liabilities:latency:code.fix": Decimal("-0.1")}
    assert sound(owner)


def test_without_a_value_nothing_is_missing_of_what_was_worth_nothing(
    collector: Collector, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    policy(writer, **PRICES)
    collector.book(export(agent(1, 1, allocation__outcome=0), chat(1, 2, 1), agent(2, 1, allocation__outcome=1)))
    settle(writer)
    assert task(reader, "net_usd is not null, unknown") == (True, [])
    assert task(reader, "net_usd is not null, unknown", 2) == (False, ["value_usd"])


def test_what_was_decided_in_a_task_that_is_none_goes_with_it(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    menu: dict[str, Any] = {"allocation__route__candidates": ["m", "n"], "allocation__route__chosen": "m"}
    book(dsn, [export(chat(2, 1, id="r1", at=1, **menu), scope="litellm")])
    settle(writer, is_all=True)
    derive(writer)
    attribute(writer, BEGINNING, END, 0, lambda *_: None)
    assert rows(reader, "select kind, decisions from ledger.regret_daily where kind = 'route'") == [("route", 1)]
    book(dsn, [export(agent(1, 1), chat(1, 2, 1, id="r1", at=1, cached=4))])
    settle(writer, is_all=True)
    assert rows(reader, "select trace_id from ledger.tasks") == [(f"{1:032x}",)]
    assert rows(reader, "select kind from ledger.decisions") == []
    assert rows(reader, "select decisions from ledger.regret_daily") == []


def test_what_a_decision_is_about_was_known_before_it(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    def done(trace: int, what: str, by: str) -> Any:
        stated: dict[str, Any] = {
            "gen_ai__operation__name": "execute_tool", "allocation__action__class": what, "allocation__action__confirmation": by,
        }  # fmt: skip
        return export(agent(trace, 1, task="pay"), chat(trace, 2, 1), plain(trace, 3, 1, name="act", at=2, **stated))

    asked = [(1, "deploy", "human"), (2, "deploy", "none"), (3, "transfer", "human"), (4, "transfer", "none")]
    book(dsn, [done(*one) for one in asked[:2]])
    settle(writer, is_all=True)
    derive(writer)
    known = "select context ->> 'action transfer' from ledger.decisions where kind = 'confirm' order by trace_id"
    assert rows(reader, known) == [(None,), (None,)]  # all of one class: nothing to tell apart
    book(dsn, [done(*one) for one in asked[2:]])
    settle(writer, is_all=True)
    derive(writer)
    assert rows(reader, known) == [("0",), ("0",), ("1",), ("1",)]
    assert rows(reader, "select count(distinct comparison) from ledger.decisions where kind = 'confirm'") == [(1,)]
