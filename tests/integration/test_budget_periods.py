"""Periods of budgets by the calendar of a zone, the pace within them, and revisions, which leave old reports as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg
import pytest

from ledger.budgets import ANY, Terms, set_budget
from ledger.errors import BudgetError
from ledger.periods import close
from tests.books import AT, agent, chat, export, one, price, rows, run
from tests.desk import book
from tests.integration.test_budgets import COST, TENANT, ask, budget, now_s, usd


@pytest.fixture
def priced(dsn: str, writer: psycopg.Connection) -> str:
    price(writer)
    return dsn


# ── periods ──────────────────────────────────────────────────────────────────────────────────────────

BERLIN = ZoneInfo("Europe/Berlin")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("period", "at", "begins", "ends", "hours"),
    [
        ("day", "2026-03-29T12:00", "2026-03-29T00:00", "2026-03-30T00:00", 23),
        ("day", "2026-10-25T02:30", "2026-10-25T00:00", "2026-10-26T00:00", 25),
        ("day", "2026-11-02T23:59:59", "2026-11-02T00:00", "2026-11-03T00:00", 24),
        ("day", "2026-11-03T00:00", "2026-11-03T00:00", "2026-11-04T00:00", 24),
        ("week", "2026-10-25T23:00", "2026-10-19T00:00", "2026-10-26T00:00", 169),
        ("week", "2026-10-26T00:00", "2026-10-26T00:00", "2026-11-02T00:00", 168),
        ("month", "2026-10-31T23:59", "2026-10-01T00:00", "2026-11-01T00:00", 745),
        ("month", "2026-02-28T12:00", "2026-02-01T00:00", "2026-03-01T00:00", 672),
    ],
)
def test_periods_follow_the_calendar_of_their_zone(
    writer: psycopg.Connection, period: str, at: str, begins: str, ends: str, hours: int
) -> None:
    ask_zone = "(%s, %s, 'Europe/Berlin', '[2020-01-01,)')"
    given = (period, local(at))
    found = one(writer, f"select pigou.period_start{ask_zone}, pigou.period_end{ask_zone}", *given, *given)
    assert found == (local(begins), local(ends))
    assert (found[1] - found[0]).total_seconds() == hours * 3600


def test_a_day_of_25_hours_is_one_period(priced: str, writer: psycopg.Connection) -> None:
    """The night in which clocks go back: calls in both of its two o'clocks, one second before and one after its midnights."""
    budget(writer, period="day", time_zone="Europe/Berlin", valid_from=datetime(2026, 10, 1, tzinfo=UTC))
    moments = [
        datetime(2026, 10, 24, 21, 59, 59, tzinfo=UTC),  # the day before
        datetime(2026, 10, 24, 22, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # half past two, summer time
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),  # half past two, winter time
        datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC),
        datetime(2026, 10, 25, 23, 0, tzinfo=UTC),  # the day after
    ]
    book(priced, [export(*(chat(1, n + 1, at=(moment - AT).total_seconds()) for n, moment in enumerate(moments)))])
    found = rows(writer, "select period_from, period_until, calls from ledger.budget_periods order by 1")
    assert found == [
        (local("2026-10-24"), local("2026-10-25"), 1),
        (local("2026-10-25"), local("2026-10-26"), 4),
        (local("2026-10-26"), local("2026-10-27"), 1),
    ]


def test_a_new_period_begins_with_nothing_spent(priced: str, writer: psycopg.Connection) -> None:
    """What was held before it still counts in it, since the call may yet begin."""
    budget(writer, period="day", valid_from=datetime(2026, 1, 1, tzinfo=UTC))
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(seconds=1)
    book(priced, [export(chat(1, 1, input=400_000, output=0, at=(yesterday - AT).total_seconds()))])
    ask(writer, "h", "0.25")
    spent_held = "select spent_usd, held_usd from pigou.budgets_at(%s)"
    assert one(writer, spent_held, yesterday) == (usd("0.8"), usd("0.25"))
    assert one(writer, spent_held, yesterday + timedelta(seconds=1)) == (0, usd("0.25"))
    assert ask(writer, "today", "0.75").outcome == "granted"


def test_a_budget_that_begins_within_a_period(priced: str, writer: psycopg.Connection) -> None:
    budget(writer, valid_from=AT, valid_until=AT + timedelta(hours=1))
    book(priced, [export(*(chat(1, 1 + n, at=at) for n, at in enumerate((-1, 0, 3599, 3600))))])
    asked = "select period_from, period_until, calls from pigou.budgets_at(%s)"
    assert one(writer, asked, AT + timedelta(minutes=30)) == (AT, AT + timedelta(hours=1), 2)
    assert rows(writer, asked, AT - timedelta(seconds=1)) == rows(writer, asked, AT + timedelta(hours=1)) == []


def test_pace_and_forecast_are_a_run_rate(priced: str, writer: psycopg.Connection) -> None:
    began = datetime.now(UTC) - timedelta(days=3)
    budget(writer, "0.0006", period="total", valid_from=began, valid_until=began + timedelta(days=12))
    budget(writer, "1", "endless", period="total", valid_from=began)
    book(priced, [export(chat(1, 1, at=now_s(1)))])
    rounded = "select spent_share, round(elapsed_share, 2), round(pace, 1), round(forecast_usd, 4) from ledger.budgets"
    assert one(writer, f"{rounded} where budget = 'b'") == (usd("0.5"), usd("0.25"), 2, usd("0.0012"))
    endless = "select elapsed_share, pace, forecast_usd from ledger.budgets where budget = 'endless'"
    assert one(writer, endless) == (None, None, None)


# ── revisions ────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_is_a_further_revision_and_old_reports_hold(priced: str, writer: psycopg.Connection) -> None:
    month_before = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    assert budget(writer, "1", agent="fixer", valid_from=month_before - timedelta(days=10)) == 1
    old = chat(1, 1, at=(month_before - AT).total_seconds())
    book(priced, [export(old, agent(1, 5, name="x")), export(chat(2, 2, 3, at=now_s()), agent(2, 3, name="fixer", at=now_s()))])
    assert budget(writer, "2") == 2
    assert set_budget(writer, TENANT, "b", Terms(agent=ANY, model="m1"), "test") == 3
    named = "select revision, amount_usd, agent, model, spent_usd, calls from ledger.budgets"
    assert one(writer, named) == (3, 2, None, "m1", COST, 1)
    assert rows(writer, "select revision, amount_usd, agent, calls from ledger.budget_periods order by 1") == [
        (1, 1, "fixer", 1), (2, 2, "fixer", 1), (3, 2, None, 1),
    ]  # fmt: skip
    at = month_before + timedelta(hours=1)
    assert one(writer, "select revision, amount_usd from pigou.budgets_at(%s)", at) == (1, 1)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        writer.execute("update pigou.budget set amount_usd = 5")


@pytest.mark.parametrize("role", ["owner"])
def test_budgets_are_append_only(dsn: str, writer: psycopg.Connection, role: str, owner: psycopg.Connection) -> None:
    budget(writer)
    for change in ("update pigou.budget set amount_usd = 5", "delete from pigou.budget", "truncate pigou.budget"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            run(owner, change)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (Terms(), "has no amount yet"),
        (Terms(amount_usd=Decimal(1), layer="actn"), "there is no layer 'actn'; name one of action, capital, demand, supply"),
        (Terms(amount_usd=Decimal(1), use="verfy"), "there is no use 'verfy'; name one of route, read,"),
        (Terms(amount_usd=Decimal(1), period="year"), "period 'year' is none of day, week, month, total"),
        (Terms(amount_usd=Decimal(1), time_zone="Mars/Olympus"), "no time zone 'Mars/Olympus'"),
        (Terms(amount_usd=Decimal(1), valid_until=datetime(2020, 1, 1, tzinfo=UTC)), "before it begins"),
    ],
)
def test_terms_that_cannot_hold(writer: psycopg.Connection, terms: Terms, said: str) -> None:
    with pytest.raises(BudgetError, match=said):
        set_budget(writer, TENANT, "b", terms, "test")
    assert rows(writer, "select budget from ledger.budgets") == []


def test_a_budget_counts_when_a_call_began_not_when_it_was_posted(priced: str, writer: psycopg.Connection) -> None:
    """What comes late for a closed period is posted to the first open day, and spent when it was spent."""
    day = (datetime.now(UTC) - timedelta(days=10)).date()
    began = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    budget(writer, period="day", valid_from=began - timedelta(days=5))
    close(writer, TENANT, day, who="ann")
    book(priced, [export(chat(1, 1, at=(began - AT).total_seconds()))])
    assert one(writer, "select posted_on from ledger.entries") == day + timedelta(days=1)
    assert one(writer, "select period_from::date, spent_usd from ledger.budget_periods") == (day, COST)
