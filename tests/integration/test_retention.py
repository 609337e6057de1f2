"""Months of raw rows are made, filled late and dropped; books, calls and their sums stay, and everything still answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from analyzers.decisions.derive import derive
from analyzers.pipeline import run_round
from analyzers.tasks import settle
from dashboard.books import Books
from dashboard.components.panel import View
from dashboard.filters import parse
from dashboard.pages.trace import summary
from ledger import check, retention
from ledger.errors import RetentionError
from ledger.outcomes import LATE
from tests.books import AT, agent, books, chat, export, one, price, rows, run, serving
from tests.desk import book, collecting
from tests.integration.test_budget_api import ask
from tests.settled import settle_all

NOW = datetime.now(UTC)
OLD = (NOW.replace(day=1) - timedelta(days=200)).replace(hour=12)
"""Over half a year ago: past every retention but the one for ever."""
PARTITIONED = (
    "appraisal",
    "call",
    "call_key",
    "control_total",
    "decision",
    "entry",
    "ingest_minute",
    "kept_text",
    "metric_point",
    "record",
    "rejection",
    "spend_minute",
    "transfer",
)


def seconds(at: datetime) -> float:
    """A time in the notation's seconds."""
    return (at - AT).total_seconds()


def trace(number: int, at: datetime) -> list[object]:
    """A parent that states its totals, a call with an identity, and its copy."""
    start = seconds(at)
    return [
        agent(number, 1, input=100, output=10, at=start),
        chat(number, 2, 1, id=f"r{number}", at=start + 1),
        chat(number, 3, 2, id=f"r{number}", cached=4, at=start + 1),
    ]


def keep_the_clock_from_it(writer: psycopg.Connection) -> None:
    """Retention has had its turn of today, so that no round of the clock does what a test is about to."""
    run(writer, "insert into pigou.setting (setting, value) values ('retained_on', current_date::text)")


def came_in_time(owner: psycopg.Connection) -> None:
    """What these books hold of long ago also came long ago."""
    for table in ("record", "call"):
        run(owner, f"update pigou.{table} set recorded_at = started_at where started_at < now() - interval '100 days'")


@pytest.fixture
def aged(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> str:
    """Books with a trace of long ago, which also came long ago, and one of today."""
    price(writer)
    keep_the_clock_from_it(writer)
    book(dsn, [export(*trace(1, OLD)), export(*trace(2, NOW - timedelta(hours=1)))])  # pyright: ignore[reportArgumentType]
    came_in_time(owner)
    return dsn


def partitions(connection: psycopg.Connection, table: str) -> list[str]:
    """The names of a table's partitions."""
    inherited = "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass order by 1"
    return [name.removeprefix("pigou.") for (name,) in rows(connection, inherited, f"pigou.{table}")]


def month(at: datetime) -> str:
    return f"{at:%Y%m}"


# ── months ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_next_month_is_made_ahead_for_every_table_of_volume(
    dsn: str, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    assert [name for (name,) in rows(owner, "select parent from pigou.partitioned order by 1")] == list(PARTITIONED)
    run_round(writer)
    ahead = month(NOW.replace(day=1) + timedelta(days=32))
    assert [table for table in PARTITIONED if f"{table}_{ahead}" not in partitions(writer, table)] == []


def test_late_spans_get_their_old_month(aged: str, writer: psycopg.Connection) -> None:
    for table in ("record", "call", "entry", "transfer", "spend_minute", "control_total", "call_key", "kept_text"):
        assert f"{table}_{month(OLD)}" in partitions(writer, table)
    assert retention.strays(writer) == {}


def test_what_waited_in_a_default_partition_moves_into_its_month(
    dsn: str, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    """As when a span's clock was years ahead, and the year comes."""
    price(writer)
    keep_the_clock_from_it(writer)
    where = OLD - timedelta(days=1000)
    book(dsn, [export(*trace(1, where)), export(*trace(2, where + timedelta(days=40)))])  # pyright: ignore[reportArgumentType]
    waiting = retention.strays(writer)
    assert set(waiting) == {"call", "call_key", "control_total", "entry", "record", "spend_minute", "transfer"}
    before = books(writer, "default")
    definition = one(owner, "select pg_get_functiondef('pigou.ensure_month(date)'::regprocedure)")
    run(owner, definition.replace("24 months", "240 months"))  # as if it were years earlier
    assert one(owner, "select pigou.ensure_month(%s)", where.date())
    assert {table: count * 2 for table, count in retention.strays(owner).items()} == waiting
    assert books(owner, "default") == before
    assert [result for result in check.run(owner) if not result.ok] == []
    for table in ("entry_default", "transfer_default", f"entry_{month(where)}"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            run(owner, f"truncate pigou.{table}")


# ── retention ────────────────────────────────────────────────────────────────────────────────────────


def test_raw_rows_go_and_books_stay(aged: str, writer: psycopg.Connection) -> None:
    told = books(writer, "default")
    dropped = {partition for _, partition in retention.drop_expired(writer)}
    assert dropped >= {f"{table}_{month(OLD)}" for table in ("record", "control_total", "call_key", "spend_minute")}
    assert not any(partition.startswith(("call_2", "entry", "transfer", "spend_hour", "spend_day")) for partition in dropped)
    left = books(writer, "default")
    for view in ("calls", "balances", "live postings", "spend_hourly", "spend_daily", "statuses_daily", "coverage", "accounts"):
        assert left[view] == told[view] != []
    assert len(left["spans"]) == 3
    assert [result for result in check.run(writer) if not result.ok] == []
    assert retention.drop_expired(writer) == []


def test_what_came_late_is_kept_as_long_as_what_came_in_time(dsn: str, writer: psycopg.Connection) -> None:
    price(writer)
    book(dsn, [export(*trace(1, OLD))])  # pyright: ignore[reportArgumentType]
    assert not [gone for kind, gone in retention.drop_expired(writer) if kind == "records"]
    assert one(writer, "select count(*) from ledger.spans") == 3


def test_decisions_of_tasks_whose_records_are_gone_stay_as_they_are(
    dsn: str, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    """A model that is new in the menu has older tasks looked at again, of which nothing is left to be seen."""
    price(writer)
    keep_the_clock_from_it(writer)
    old, new = seconds(OLD), seconds(NOW - timedelta(hours=1))
    checked = chat(1, 3, 1, model="m1", at=old + 2, allocation__use="verify")
    book(dsn, [export(agent(1, 1, task="fix", at=old), chat(1, 2, 1, model="m1", at=old + 1), checked)])
    book(dsn, [export(agent(2, 1, task="fix", at=new), chat(2, 2, 1, model="m2", at=new + 1))])
    came_in_time(owner)
    settle_all(writer)
    derive(writer)
    told = "select kind, chosen, options, context from ledger.decisions where trace_id = %s order by kind"
    before = rows(writer, told, f"{1:032x}")
    assert [(kind, chosen) for kind, chosen, _, _ in before] == [("route", "m1"), ("verify", "1")]
    assert [gone for kind, gone in retention.drop_expired(writer) if kind == "records"]
    book(dsn, [export(agent(3, 1, task="fix", at=new), chat(3, 2, 1, model="m3", at=new + 1))])
    settle_all(writer)
    derive(writer)
    assert one(writer, "select options from ledger.decisions where kind = 'route' and trace_id = %s", f"{2:032x}") == [
        "m1",
        "m2",
        "m3",
    ]
    assert rows(writer, told, f"{1:032x}") == before


def test_an_outcome_of_a_task_whose_records_are_gone_says_that_it_changes_nothing(aged: str, writer: psycopg.Connection) -> None:
    settle(writer, is_all=True)
    before = rows(writer, "select trace_id, quality, revision from ledger.tasks order by trace_id")
    assert [trace for trace, _, _ in before] == [f"{1:032x}", f"{2:032x}"]
    assert [gone for kind, gone in retention.drop_expired(writer) if kind == "records"]
    sent = [{"key": str(number), "trace_id": f"{number:032x}", "quality": 0.5} for number in (1, 2, 3)]
    with serving(aged) as served:
        status, answer = ask(served, "/v1/outcomes", {"outcomes": sent})
    assert (status, answer["why"]) == (200, None)
    assert [(told["status"], told["why"]) for told in answer["outcomes"]] == [("taken", LATE), ("taken", None), ("taken", None)]
    settle(writer, is_all=True)
    after = rows(writer, "select trace_id, quality, revision from ledger.tasks order by trace_id")
    assert after[0] == before[0]
    assert after[1] == (f"{2:032x}", 0.5, 1)


def test_the_pages_say_that_a_trace_is_gone(aged: str, writer: psycopg.Connection) -> None:
    retention.drop_expired(writer)
    pages = Books(aged)
    try:
        view = View(pages, parse(""), NOW, f"/trace/{1:032x}", "")
        assert "past their retention" in str(summary(view))
        assert "past their retention" not in str(summary(View(pages, parse(""), NOW, f"/trace/{2:032x}", "")))
    finally:
        pages.close()


def test_a_span_that_comes_after_its_month_was_dropped(aged: str, writer: psycopg.Connection) -> None:
    """It is refused, and its sender told: what is booked of the month could not be told from it any more."""
    retention.drop_expired(writer)
    spent = one(writer, "select sum(cost_usd) from ledger.calls")
    with collecting(aged) as collector:
        answers = collector.send(export(*trace(1, OLD)), export(chat(1, 4, 1, at=seconds(OLD) + 5)), export(chat(4, 1)))  # pyright: ignore[reportArgumentType]
    assert [answer.rejected for answer in answers] == [3, 1, 0]
    assert all("record_is_past_retention" in answer.message for answer in answers[:2])
    assert one(writer, "select sum(cost_usd) from ledger.calls where trace_id <> lpad('4', 32, '0')") == spent
    assert one(writer, "select sum(records) from ledger.rejections_hourly") == 4
    run_round(writer)
    assert [result for result in check.run(writer) if not result.ok] == []


def test_the_default_partition_is_emptied_too(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    price(writer)
    keep_the_clock_from_it(writer)
    book(dsn, [export(chat(1, 1, at=seconds(OLD) - 3e8), chat(1, 2, at=seconds(NOW) + 3e8))])
    came_in_time(owner)
    assert retention.strays(writer)["record"] == 2
    assert ("records", "record_default") in retention.drop_expired(writer)
    assert retention.strays(writer)["record"] == 1
    assert retention.strays(writer)["transfer"] == 4
    with collecting(dsn) as collector:
        [answer] = collector.send(export(chat(1, 1, at=seconds(OLD) - 3e8)))
    assert "record_is_past_retention" in answer.message
    assert [result for result in check.run(writer) if not result.ok] == []


def test_minutes_past_their_retention_are_no_longer_summed(aged: str, writer: psycopg.Connection) -> None:
    retention.drop_expired(writer)
    kept = one(writer, "select count(*) from ledger.spend_minutely")
    book(aged, [export(chat(3, 1, at=seconds(OLD) - 86400.0 * 40))])
    assert one(writer, "select count(*) from ledger.spend_minutely") == kept == 1
    assert one(writer, "select sum(calls) from ledger.spend_hourly") == 3


def test_the_clock_drops_once_a_day(aged: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    assert not retention.retain_daily(writer)
    run(owner, "update pigou.setting set value = '2020-01-01' where setting = 'retained_on'")
    run_round(writer)
    assert one(writer, "select count(*) from ledger.spans") == 3
    assert one(writer, "select value = current_date::text from pigou.setting where setting = 'retained_on'")


def test_for_ever_keeps_everything(aged: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    for kind in retention.KINDS:
        retention.keep(owner, kind, None, "test")
    assert retention.drop_expired(writer) == []
    assert {row[0] for row in retention.shown(writer)} == set(retention.KINDS)


def test_only_the_owner_decides(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        retention.keep(writer, "records", 1, "test")
    for kind, days in (("entries", 1), ("records", 0), ("records", 40_000)):
        with pytest.raises(RetentionError):
            retention.keep(owner, kind, days, "test")


def test_retention_knows_no_books(owner: psycopg.Connection) -> None:
    named = {table for (tables,) in rows(owner, "select tables from pigou.retained()") for table in tables}
    assert named <= set(PARTITIONED) - {"call", "entry", "transfer"}
