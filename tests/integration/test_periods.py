"""Closed periods: nothing more is posted to them, and what belongs to them and comes late is posted to the first open day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from analyzers.pipeline import run_round
from ledger import check
from ledger.errors import PeriodError, UnknownTenant
from ledger.periods import close, reopen
from tests.books import AT, chat, export, one, price, rows
from tests.desk import book
from tests.typed import Typed

TENANT = "default"
DAY = (datetime.now(UTC) - timedelta(days=10)).date()
"""The day these tests book on; periods end with days that are over, so that it moves with the clock."""


def seconds(day: date) -> float:
    """Noon of a day in the notation's seconds."""
    return (datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - AT).total_seconds()


@pytest.fixture
def booked(dsn: str, writer: psycopg.Connection) -> str:
    price(writer)
    book(dsn, [export(chat(1, 1, at=seconds(DAY)))])
    return dsn


def posted_days(connection: psycopg.Connection) -> list[tuple[str, date]]:
    return rows(connection, "select kind, posted_on from ledger.entries order by recorded_at, kind")


def test_the_database_refuses_an_entry_in_a_closed_period(booked: str, writer: psycopg.Connection) -> None:
    close(writer, TENANT, DAY, who="ann")
    for posted_on in (DAY, DAY - timedelta(days=40)):
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            writer.execute(
                "insert into pigou.entry (tenant_id, entry_id, kind, source, occurred_at, posted_on)"
                " values (1, gen_random_uuid(), 'call', 'test', now(), %s)",
                (posted_on,),
            )
        assert refused.value.diag.constraint_name == "period_is_open"
    assert len(posted_days(writer)) == 1


def test_what_comes_late_is_posted_to_the_first_open_day(booked: str, writer: psycopg.Connection) -> None:
    close(writer, TENANT, DAY, who="ann")
    before = rows(writer, "select * from ledger.balances where day <= %s order by account, commodity", DAY)
    book(booked, [export(chat(1, 2, at=seconds(DAY) + 60))])
    assert posted_days(writer) == [("call", DAY), ("call", DAY + timedelta(days=1))]
    assert one(writer, "select occurred_at::date from ledger.entries where posted_on > %s", DAY) == DAY
    assert rows(writer, "select * from ledger.balances where day <= %s order by account, commodity", DAY) == before
    assert [result.name for result in check.run(writer) if not result.ok] == []


def test_adjustments_of_a_closed_period_fall_into_the_open_one(booked: str, writer: psycopg.Connection) -> None:
    """A closed month is not re-valued: the difference is booked where it became known."""
    close(writer, TENANT, DAY, who="ann")
    before = rows(writer, "select * from ledger.balances where day <= %s order by account, commodity", DAY)
    price(writer, {"input_tokens": "1", "output_tokens": "1"}, tenant=TENANT)
    assert run_round(writer).rerated_calls == 1
    next_day = DAY + timedelta(days=1)
    assert posted_days(writer) == [("call", DAY), ("adjustment", next_day), ("reversal", next_day)]
    assert rows(writer, "select * from ledger.balances where day <= %s order by account, commodity", DAY) == before
    assert [result.name for result in check.run(writer) if not result.ok] == []


def test_the_period_of_one_tenant_is_no_other_tenants(booked: str, writer: psycopg.Connection) -> None:
    book(booked, [export(chat(1, 1, at=seconds(DAY)), tenant="other")])
    close(writer, TENANT, DAY, who="ann")
    book(booked, [export(chat(1, 2, at=seconds(DAY)), tenant="other")])
    assert rows(writer, "select distinct posted_on from ledger.entries where tenant = 'other'") == [(DAY,)]


def test_closing_further_says_what_was_closed_before(booked: str, writer: psycopg.Connection) -> None:
    assert close(writer, TENANT, DAY - timedelta(days=1), who="ann") is None
    assert close(writer, TENANT, DAY, who="ann") == DAY - timedelta(days=1)
    assert one(writer, "select closed_through from ledger.periods where tenant = %s", TENANT) == DAY


@pytest.mark.parametrize(
    ("tenant", "through", "error"),
    [
        ("nobody", lambda: DAY, UnknownTenant),
        (TENANT, lambda: datetime.now(UTC).date(), PeriodError),
        (TENANT, lambda: DAY - timedelta(days=2), PeriodError),
    ],
    ids=["unknown tenant", "a day that is not over", "earlier than what is closed"],
)
def test_a_period_that_cannot_be_closed(
    booked: str, writer: psycopg.Connection, tenant: str, through: Callable[[], date], error: type[Exception]
) -> None:
    close(writer, TENANT, DAY - timedelta(days=1), who="ann")
    with pytest.raises(error):
        close(writer, tenant, through(), who="ann")
    assert one(writer, "select closed_through from ledger.periods where tenant = %s", TENANT) == DAY - timedelta(days=1)


def test_what_is_opened_again_is_posted_to_and_what_was_posted_elsewhere_stays(booked: str, writer: psycopg.Connection) -> None:
    close(writer, TENANT, DAY, who="ann")
    book(booked, [export(chat(1, 2, at=seconds(DAY) + 60))])
    assert reopen(writer, TENANT, DAY - timedelta(days=3), who="bob", note="closed a week too far") == DAY
    book(booked, [export(chat(1, 3, at=seconds(DAY) + 120))])
    assert posted_days(writer) == [("call", DAY), ("call", DAY + timedelta(days=1)), ("call", DAY)]
    of_day = "select count(*) from ledger.account_postings('expenses', 'cash', '2020-01-01', now(), %s, null, 100)"
    assert [one(writer, of_day, DAY + timedelta(days=more)) for more in (0, 1)] == [4, 2]
    assert [result.name for result in check.run(writer) if not result.ok] == []


def test_who_closed_and_reopened_is_kept(booked: str, owner: psycopg.Connection, writer: psycopg.Connection) -> None:
    close(writer, TENANT, DAY, who="ann", note="month end")
    reopen(writer, TENANT, DAY - timedelta(days=3), who="bob", note="a price came late")
    close(writer, TENANT, DAY, who="ann")
    kept = rows(writer, "select event_id, event, closed_through, who, note from ledger.period_events order by event_id")
    assert kept == [
        (1, "closed", DAY, "ann", "month end"),
        (2, "reopened", DAY - timedelta(days=3), "bob", "a price came late"),
        (3, "closed", DAY, "ann", None),
    ]
    last = rows(writer, "select closed_through, event, who, note, now() - at < interval '1 minute' from ledger.periods")
    assert last == [(DAY, "closed", "ann", None, True)]
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute("update pigou.period_event set who = 'eve'")
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        writer.execute("update pigou.tenant set closed_through = null")
    assert refused.value.diag.constraint_name == "period_is_closed_by_somebody"


@pytest.mark.parametrize(
    ("after", "note", "closed"),
    [(0, "why", None), (0, "why", 0), (1, "why", 0), (-1, " ", 0)],
    ids=["nothing is closed", "the last closed day", "a later day", "no reason"],
)
def test_a_period_that_cannot_be_reopened(
    booked: str, writer: psycopg.Connection, after: int, note: str, closed: int | None
) -> None:
    if closed is not None:
        close(writer, TENANT, DAY, who="ann")
    with pytest.raises(PeriodError):
        reopen(writer, TENANT, DAY + timedelta(days=after), who="ann", note=note)
    assert one(writer, "select count(*) from ledger.period_events where event = 'reopened'") == 0


def test_closing_says_what_is_in_no_sum_of_these_days(booked: str, pigou: Typed) -> None:
    book(booked, [export(chat(3, 1, model="nobody-prices-this", at=seconds(DAY)))])
    command = ("periods", "close", "--tenant", TENANT, "--who", "ann", "--through")
    what = "in no sum of these days: 1 calls without a price, 0 not readable"
    first, second = DAY.isoformat(), (DAY + timedelta(days=1)).isoformat()
    assert pigou(*command, first) == (
        0, f"default: closed through {first}\n",
        f"pigou: {what}; what they cost is posted to later days once it is known (ledger.suspense)\n",
    )  # fmt: skip
    assert pigou(*command, second) == (0, f"default: closed through {second} (before: {first})\n", "")
    assert pigou(*command, second)[0] == 2
    assert pigou("periods", "reopen", "--tenant", TENANT, "--after", first, "--note", "late", "--who", "bob")[0] == 0
    assert pigou("periods", "history", "--format", "csv")[1].count("\n") == 4
    code, out, err = pigou("periods", "close", "--tenant", "defautl", "--through", first)
    assert (code, out, err) == (2, "", "pigou: there is no tenant 'defautl'; did you mean default?\n")
