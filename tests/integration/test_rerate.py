"""Prices that come late: what waited is booked, what was charged at another rate is adjusted, old reports stay as they were."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from analyzers.pipeline import run_round
from ledger import check
from ledger.post import open_tenants
from ledger.rerate import RerateResult, rerate
from tests.books import AT, PRICES, agent, books, chat, export, one, price, rows
from tests.desk import book, collecting

TENANT = "default"
CALLS = [export(agent(1, 1, input=1600, output=60), *(chat(1, n, 1, input=400, cached=100, output=15) for n in range(2, 6)))]


def again(connection: psycopg.Connection) -> RerateResult:
    return rerate(connection, open_tenants(connection, [TENANT])[TENANT])


def cost(connection: psycopg.Connection) -> Decimal | None:
    return one(connection, "select sum(cost_usd) from ledger.calls")


def faults(connection: psycopg.Connection) -> list[str]:
    return [example for result in check.run(connection) for example in result.examples]


def report_as_of(connection: psycopg.Connection, at: datetime) -> list[tuple[object, ...]]:
    """Every account as anyone would have seen it then: the postings recorded by that time."""
    return rows(
        connection,
        "select account, commodity, sum(quantity), sum(amount_usd), count(*) filter (where amount_usd is null)"
        "  from ledger.postings where recorded_at <= %s group by account, commodity order by 1, 2",
        at,
    )


def now(connection: psycopg.Connection) -> datetime:
    return one(connection, "select clock_timestamp()")


def test_what_waited_is_booked_when_its_price_comes(dsn: str, writer: psycopg.Connection) -> None:
    book(dsn, CALLS)
    assert rows(writer, "select status, count(*) from ledger.calls group by 1") == [("unpriced", 4)]
    price(writer)
    assert again(writer) == RerateResult(4, 0)
    assert cost(writer) == 4 * Decimal("0.00077")
    assert one(writer, "select count(*) from ledger.suspense") == 0
    assert rows(writer, "select kind, count(*) from ledger.entries group by 1 order by 1") == [
        ("adjustment", 4), ("call", 4), ("reversal", 4),
    ]  # fmt: skip
    assert again(writer) == RerateResult(0, 0), "a second time there is nothing to do"
    assert faults(writer) == []


def test_a_price_for_some_kinds_is_not_enough(dsn: str, writer: psycopg.Connection) -> None:
    book(dsn, CALLS)
    price(writer, {"input_tokens": "2", "output_tokens": "10"})
    assert again(writer) == RerateResult(0, 4)
    assert cost(writer) is None


def test_prices_late_give_the_same_books_as_prices_in_time(dsn: str, writer: psycopg.Connection) -> None:
    with collecting(dsn) as collector:
        collector.book(export(*(chat(1, n, input=100 + n) for n in range(1, 6)), tenant="late"))
        price(writer)
        collector.book(export(*(chat(1, n, input=100 + n) for n in range(1, 6)), tenant="in time"))
    run_round(writer)
    assert books(writer, "late") == books(writer, "in time")


def test_a_negotiated_price_entered_late_is_applied_from_its_date(dsn: str, writer: psycopg.Connection) -> None:
    """Fault: a price with a start date in the past that only new calls are charged with."""
    price(writer)
    book(dsn, [export(chat(1, 1, at=-3600)), export(chat(1, 2, at=3600))])
    price(writer, dict.fromkeys(PRICES, "1"), tenant=TENANT, since=AT)
    assert again(writer).adjusted == 1
    assert rows(writer, "select cost_usd from ledger.calls order by started_at") == [(Decimal("0.0003"),), (Decimal("0.00011"),)]
    assert faults(writer) == []


def test_the_price_of_one_tenant_is_no_other_tenants(dsn: str, writer: psycopg.Connection) -> None:
    price(writer)
    book(dsn, [export(chat(1, 1), tenant="a"), export(chat(1, 1), tenant="b")])
    price(writer, dict.fromkeys(PRICES, "1"), tenant="a")
    assert run_round(writer).rerated_calls == 1
    assert rows(writer, "select tenant, cost_usd from ledger.calls order by 1") == [
        ("a", Decimal("0.00011")),
        ("b", Decimal("0.0003")),
    ]


def test_the_clock_applies_every_late_price_once(dsn: str, writer: psycopg.Connection) -> None:
    """A corrected list price reaches what was booked at the wrong one, without anybody asking for it; nothing else moves."""
    price(writer, PRICES, until=AT + timedelta(days=1))
    book(dsn, [export(chat(1, 1), chat(1, 2, model="m2"))])
    price(writer, {"input_tokens": "4"}, revision=2, since=AT - timedelta(days=1), until=AT + timedelta(hours=1))
    assert run_round(writer).rerated_calls == 1
    assert cost(writer) == Decimal("0.0005")
    assert run_round(writer).rerated_calls == 0
    assert faults(writer) == []


def test_a_fee_per_request_that_comes_late_is_charged(dsn: str, writer: psycopg.Connection) -> None:
    price(writer)
    book(dsn, [export(chat(1, 1))])
    price(writer, {"requests": "1000"}, tenant=TENANT)
    assert again(writer).adjusted == 1
    assert cost(writer) == Decimal("0.0013")
    assert again(writer).adjusted == 0
    assert faults(writer) == []


def test_todays_price_list_does_not_revalue_what_it_does_not_date(dsn: str, writer: psycopg.Connection) -> None:
    """Fault: a closed month costs something else because the list of today says so."""
    price(writer, until=AT + timedelta(days=1))
    book(dsn, [export(chat(1, 1))])
    before = books(writer, TENANT)
    price(writer, dict.fromkeys(PRICES, "99"), since=AT + timedelta(days=1))
    assert again(writer).adjusted == 0
    assert books(writer, TENANT) == before


@pytest.mark.parametrize("late", [dict.fromkeys(PRICES, "1"), {"requests": "1000"}])
def test_rerating_leaves_every_earlier_report_as_it_was(dsn: str, writer: psycopg.Connection, late: dict[str, str]) -> None:
    book(dsn, CALLS)
    moments = [now(writer)]
    reports = [report_as_of(writer, moments[0])]
    for change in ({"revision": 1}, {"revision": 2, "tenant": TENANT}):
        price(writer, late if "tenant" in change else PRICES, **change)  # type: ignore[arg-type]
        assert again(writer).adjusted == 4
        moments.append(now(writer))
        reports.append(report_as_of(writer, moments[-1]))
    assert len({repr(report) for report in reports}) == 3, "each re-rating changed the books"
    assert [report_as_of(writer, moment) for moment in moments] == reports
    assert faults(writer) == []


def test_rerating_what_is_more_than_one_portion(dsn: str, writer: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.rerate._CHUNK", 3)
    book(dsn, [export(*(chat(1, n, at=n) for n in range(1, 11)))])
    price(writer)
    assert again(writer) == RerateResult(10, 0)
    assert faults(writer) == []
