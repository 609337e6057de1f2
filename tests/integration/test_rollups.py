"""Roll-ups say what the calls say, whatever becomes of the calls; and no page that sums reads a call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import psycopg
import pytest

from analyzers.pipeline import run_round
from dashboard.filters import parse
from dashboard.queries import bucket_of, named, statement
from ledger import check
from ledger.rerate import rerate
from tests.books import AT, agent, chat, export, one, price, rows, run, tool
from tests.desk import book, collecting

_HOUR = AT.replace(minute=0, second=0, microsecond=0)
# Those that show single calls, spans or rows, each bounded by a limit, by one trace or by one decision.
SHOW_SINGLE_ROWS = {
    "calls", "decisions", "conflicts", "control_total_differences", "trace_summary", "trace_spans", "trace_span", "trace_text",
    "trace_text_gone", "trace_call", "decision", "decision_options", "decision_neighbours", "decision_findings", "trace_findings",
    "finding_segments", "trace_task", "trace_decisions",
    "found", "alert", "alert_history", "alert_deliveries", "alert_deliveries_gone", "alert_finding", "alert_terms", "alert_cases",
    "alert_budget", "alert_share", "alert_spend", "alert_rule", "rule_history", "alert_channel", "channel_history",
    "channel_tests", "statement_entries", "entry", "entry_transfers", "claims", "price_alternatives",
    "finding", "finding_terms", "finding_days", "finding_examples", "finding_events", "credential",
}  # fmt: skip
RAW = (
    "call", "record", "kept_text", "entry", "transfer", "metric_point", "call_key", "rejection", "decision", "appraisal", "task",
)  # fmt: skip


def rolled_up(connection: psycopg.Connection) -> check.CheckResult:
    """The check of the roll-ups against the calls."""
    return next(result for result in check.run(connection) if result.name == "rollups_are_sums")


def equal(connection: psycopg.Connection) -> bool:
    """Whether the roll-ups hold something, and all of it is what the calls sum to."""
    result = rolled_up(connection)
    assert result.examples == []
    return result.checked > 0


def test_what_no_call_reported_is_unknown(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    price(writer)
    book(dsn, [export(chat(1, 1, input=100, output=10), chat(1, 2, input=50, output=5, at=2), chat(1, 3, model="m9", at=3))])
    told = "select calls, input_tokens, cache_read_tokens, reasoning_tokens, cost_usd, unpriced_calls, unpriced_tokens"
    for view in ("spend_minutely", "spend_hourly", "spend_daily"):
        assert rows(reader, f"{told} from ledger.{view} where model = 'm1'") == [
            (2, 150, None, None, Decimal("0.000450"), 0, None)
        ]
        assert rows(reader, f"{told} from ledger.{view} where model = 'm9'") == [(1, 100, None, None, None, 1, 110)]
    assert equal(writer)


def test_a_late_agent_moves_the_sums_to_its_name(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    price(writer)
    book(dsn, [export(chat(1, 2, 1), chat(1, 3, 1, at=1))])
    assert rows(reader, "select agent, calls from ledger.spend_hourly") == [(None, 2)]
    book(dsn, [export(agent(1, 1, name="fixer", task="fix_tests"))])
    assert rows(reader, "select agent, task_class, calls from ledger.spend_hourly") == [("fixer", "fix_tests", 2)]
    assert rows(reader, "select agent, calls from ledger.spend_daily") == [("fixer", 2)]
    assert equal(writer)


def test_a_call_that_turns_out_to_be_a_copy_leaves_the_sums(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    price(writer)
    book(dsn, [export(chat(1, 2, id="r"))])
    book(dsn, [export(chat(2, 1, cached=10, id="r", at=3600))])
    assert rows(reader, "select hour, calls, cache_read_tokens from ledger.spend_hourly") == [(_HOUR + timedelta(hours=1), 1, 10)]
    statuses = "select status, calls, cost_usd is not null from ledger.statuses_daily order by 1"
    assert rows(reader, statuses) == [("booked", 1, True), ("duplicate", 1, False)]
    assert equal(writer)


def test_a_late_price_moves_calls_out_of_suspense(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    book(dsn, [export(chat(1, 1), chat(1, 2, input=1, cached=5, at=1))])
    waiting = "select account, calls, tokens, first_at, last_at from ledger.suspense order by 1"
    assert rows(reader, waiting) == [
        ("suspense:unpriced", 1, 110, _HOUR, _HOUR),
        ("suspense:unreadable", 1, None, _HOUR, _HOUR),
    ]
    assert equal(writer)
    price(writer)
    assert rerate(writer, one(writer, "select tenant_id from pigou.tenant where tenant = 'default'")).adjusted == 1
    assert rows(reader, waiting) == [("suspense:unreadable", 1, None, _HOUR, _HOUR)]
    assert one(reader, "select sum(cost_usd) from ledger.spend_daily") == Decimal("0.0003")
    assert equal(writer)


def test_a_rate_that_is_superseded_moves_the_dollars(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    price(writer)
    book(dsn, [export(chat(1, 1))])
    price(writer, {"input_tokens": "4", "output_tokens": "10"}, revision=2)
    run_round(writer)
    assert one(reader, "select cost_usd from ledger.spend_hourly") == Decimal("0.0005")
    assert equal(writer)


def test_calls_deleted_by_the_owner_leave_the_sums(dsn: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    price(writer)
    book(dsn, [export(chat(1, 1), chat(1, 2, at=1))])
    run(owner, "delete from pigou.call where span_id = '\\x0000000000000001'")
    assert one(owner, "select calls from ledger.spend_hourly") == 1
    run(owner, "delete from pigou.call")
    assert rows(owner, "select * from ledger.spend_hourly") == []
    assert rows(owner, "select * from ledger.coverage") == []
    assert rolled_up(owner).ok


def test_claims_are_summed_beside_what_is_charged(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    long = "m" * 200
    told = [chat(1, 1, operation__cost=0.5), chat(1, 2, at=1), chat(1, 3, at=2, model=long, operation__cost=0.5)]
    book(dsn, [export(*told)])
    assert rows(reader, "select * from ledger.claims_daily") == [], "what has no price cannot be compared"
    price(writer)
    price(writer, model=long)
    rerate(writer, one(writer, "select tenant_id from pigou.tenant where tenant = 'default'"))
    sums = (
        "select length(model), calls, differing_calls, claimed_usd, cost_usd, difference_usd from ledger.claims_daily order by 1"
    )
    line = (1, 1, Decimal("0.5"), Decimal("0.0003"), Decimal("0.4997"))
    assert rows(reader, sums) == [(2, *line), (150, *line)]
    price(writer, {"input_tokens": "4999", "output_tokens": "10"}, revision=2)
    run_round(writer)
    assert rows(reader, sums)[0] == (2, 1, 0, Decimal("0.5"), Decimal("0.5"), Decimal(0))
    assert equal(writer)


def test_nobody_else_writes_them(dsn: str, writer: psycopg.Connection) -> None:
    for table in ("spend_minute", "spend_hour", "spend_day", "coverage_day", "suspense_hour", "control_hour", "claim_day"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(writer, f"delete from pigou.{table}")


def test_windows_cut_at_any_hour_give_the_same_sums(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    """`ledger.spend` takes whole days from the days' sums and the rest from the hours'."""
    price(writer)
    spans = [chat(n, 1, input=2**n % 1009, at=n * 4000.0) for n in range(1, 90)]
    book(dsn, [export(*spans)])
    edges = [None, *(AT.replace(minute=0) + timedelta(hours=h) for h in (0, 1, 14, 15, 16, 23, 38, 39, 40, 63, 86, 87, 110))]
    for since in edges:
        for until in edges:
            low, high = since or "-infinity", until or "infinity"
            bounds = "started_at >= %s::timestamptz and started_at < %s::timestamptz and status <> 'duplicate'"
            wanted = one(
                reader, f"select coalesce(sum(input_tokens), 0), sum(cost_usd) from ledger.calls where {bounds}", low, high
            )
            of_spend = "select coalesce(sum(input_tokens), 0), sum(cost_usd) from ledger.spend(%s::timestamptz, %s::timestamptz)"
            assert one(reader, of_spend, low, high) == wanted
            counted = "select coalesce(sum(calls), 0), sum(cost_usd) from ledger.statuses(%s::timestamptz, %s::timestamptz)"
            assert one(reader, counted, low, high)[1] == wanted[1]


@pytest.mark.parametrize(
    "search",
    ["?range=all", "?since=2026-11-20T00:00Z&until=2026-11-22T05:00Z", "?range=all&model=m2", "?range=all&status=unpriced"],
)
def test_the_newest_calls_are_listed_wherever_they_are_looked_for(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, search: str
) -> None:
    """Only the hours that hold so many are looked at."""
    price(writer)
    book(dsn, [export(*(chat(n, 1, model=f"m{n % 3}", at=n * 5000.0) for n in range(1, 61)))])
    filters, now = parse(search), AT + timedelta(days=5)
    whole = [row[-1] for row in rows(reader, statement("calls", filters, now, limit=1000).text)]
    assert whole == sorted(whole, key=whole.index)
    for limit in (1, 2, 5, 17, 59, 60, 61):
        assert [row[-1] for row in rows(reader, statement("calls", filters, now, limit=limit).text)] == whole[:limit]
        oldest = rows(reader, statement("calls", parse(f"{search}&sort=started_at"), now, limit=limit).text)
        assert [row[-1] for row in oldest] == whole[::-1][:limit]


def test_ingest_and_rejections_are_summed_by_hour(dsn: str, reader: psycopg.Connection) -> None:
    with collecting(dsn) as collector:
        collector.book(export(chat(1, 1), tool(1, 2)), export(chat(1, 1)))
    kept = "sum(requests), sum(records), sum(duplicates), sum(bytes)"
    assert one(reader, f"select {kept} from ledger.ingest_hourly") == one(reader, f"select {kept} from ledger.ingest")
    assert one(reader, "select sum(requests), sum(duplicates) from ledger.ingest_hourly") == (2, 1)


# ── what pages read ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("search", ["?range=3h", "?range=14d", "?range=all", "?since=2026-11-01T05:00Z&model=m1&tenant=a"])
def test_no_page_that_sums_reads_raw_rows(dsn: str, reader: psycopg.Connection, search: str) -> None:
    now = datetime(2026, 11, 25, 9, tzinfo=UTC)
    filters = parse(search)
    bucket = bucket_of(filters.window(now))
    bucket = "hour" if bucket == "minute" else bucket
    offenders: dict[str, set[str]] = {}
    for name in sorted(set(named()) - SHOW_SINGLE_ROWS - {"appraisal_version"}):
        read = set(_tables(_plan(reader, statement(name, filters, now, bucket=bucket).text)))
        assert read, name
        if raw := {table for table in read if re.sub(r"_(default|\d{6})$", "", table) in RAW}:
            offenders[name] = raw
    assert not offenders


def test_the_names_of_those_that_do_are_names_of_queries() -> None:
    assert set(named()) >= SHOW_SINGLE_ROWS


@pytest.mark.parametrize("name", sorted(SHOW_SINGLE_ROWS))
def test_those_that_show_single_rows_are_bounded(name: str) -> None:
    bounds = (
        "limit {limit}",
        "{trace_id}",
        "{decision_id}",
        "{alert_id}",
        "{finding_id}",
        "{rule}",
        "{channel}",
        "{entry}",
        "{whose}",
        "{started_at}",
        "{token_hash}",
    )
    assert any(bound in named()[name] for bound in bounds)


@pytest.mark.parametrize(("view", "table"), [("calls", "call_"), ("serving", "record_")])
def test_a_plan_that_reads_single_rows_is_found(reader: psycopg.Connection, view: str, table: str) -> None:
    read = set(_tables(_plan(reader, f"select count(*) from ledger.{view}")))
    assert any(name.startswith(table) for name in read)


def _plan(connection: psycopg.Connection, text: str) -> Any:
    [(plan,)] = run(connection, "explain (format json, verbose) " + text).fetchall()
    return plan if isinstance(plan, list) else orjson.loads(plan)


def _tables(node: Any) -> Iterator[str]:
    """The tables of schema `pigou` that a plan reads, wherever in it."""
    if isinstance(node, dict):
        if node.get("Schema") == "pigou" and "Relation Name" in node:
            yield node["Relation Name"]
        for value in node.values():
            yield from _tables(value)
    elif isinstance(node, list):
        for item in node:
            yield from _tables(item)


def test_the_calls_of_a_trace_are_found_through_an_index(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, owner: psycopg.Connection
) -> None:
    price(writer)
    book(dsn, [export(chat(1, 1), chat(1, 2, at=1)), export(chat(2, 1))])
    wanted = rows(reader, "select * from ledger.calls where trace_id = %s order by started_at", f"{1:032x}")
    assert rows(reader, "select * from ledger.trace_calls(%s)", f"{1:032x}") == wanted
    assert len(wanted) == 2
    assert rows(reader, "select * from ledger.trace_calls('no id')") == []
