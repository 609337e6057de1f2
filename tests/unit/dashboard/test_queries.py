"""Named SQL: what is filled in, what it may read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.filters import Filters, Window, parse
from dashboard.queries import bucket_of, named, statement
from tests.every import every

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
VALUES: dict[str, str | datetime] = {
    "trace_id": "ab", "span_id": "cd", "tenant": "t", "started_at": NOW, "decision_id": "ef", "alert_id": "1",
    "finding_id": "1", "token_hash": "", "q": "u", "rule": "delivery", "channel": "ops", "whose": "t",
}  # fmt: skip
_SOURCE = re.compile(r"\b(?:from|join)\s+(?!lateral\b|\(|max\b|min\b)([a-z_.]+)")
_WITH = re.compile(r"^(?:with )?([a-z_]+) as (?:materialized )?\($", re.MULTILINE)
_CALLED = re.compile(r"\b([a-z_]+\.[a-z_]+)\(")

# What a query names by itself, and words that follow a `from` which is none.
_NAMED_BELOW = re.compile(r"(?:\bwith|\),)\s+([a-z_]+) as (?:materialized )?\(")
_NO_SOURCE = re.compile(r"distinct from|extract\((?:dow|epoch) from|lateral generate_series")


def test_only_the_contract_is_read() -> None:
    def reads_the_contract(name: str) -> None:
        text = statement(name, Filters(), NOW, bucket="hour", values=VALUES).text
        body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
        own = set(_NAMED_BELOW.findall(body)) | set(_WITH.findall(body))
        sources = (set(_SOURCE.findall(_NO_SOURCE.sub("", body))) | set(_CALLED.findall(body))) - own
        assert sources
        assert {source.split(".")[0] for source in sources} == {"ledger"}

    every(named(), reads_the_contract)


def test_every_query_says_what_it_is_for() -> None:
    assert named()
    assert not [name for name, text in named().items() if not text.startswith("-- ")]


def test_a_statement_has_nothing_left_open() -> None:
    def is_closed(name: str) -> None:
        text = statement(name, parse("?layer=action&tenant=acme&status=booked"), NOW, values=VALUES).text
        assert "{" not in text
        assert text.startswith(f"-- {name}: ")

    every(named(), is_closed)


def test_conditions_stand_for_what_the_view_shows() -> None:
    text = statement("spend_total", parse("?range=24h&layer=action&layer=&model=a&model=b&agent="), NOW).text
    assert "from ledger.spend(timestamptz '2026-03-13 10:00Z', timestamptz '2026-03-14 10:00Z')" in text
    assert "(layer = 'action' or layer is null)" in text
    assert "model in ('a', 'b')" in text
    assert "agent is null" in text


def test_a_status_is_asked_for_only_of_what_can_have_it() -> None:
    of_calls, of_decisions = parse("?status=booked"), parse("?status=not_identified")
    assert "status = 'booked'" in statement("calls", of_calls, NOW).text
    assert "status = 'not_identified'" in statement("decisions", of_decisions, NOW).text
    assert "status = " not in statement("calls", of_decisions, NOW).text + statement("decisions", of_calls, NOW).text


def test_columns_of_a_joined_view_are_filtered_by_their_dimension() -> None:
    text = statement("decision", parse("?tenant=acme&model=a"), NOW, values=VALUES).text
    assert "d.tenant = 'acme'" in text
    assert "model" not in text


def test_dollars_a_day_are_of_the_days_that_the_books_know() -> None:
    day = statement("spend_per_day", parse("?range=24h"), NOW).text
    assert "least(max(last_hour) + interval '1 hour', timestamptz '2026-03-14 10:00Z')" in day
    assert "greatest(min(first_hour), timestamptz '2026-03-13 10:00Z')" in day
    assert "timestamptz '" not in statement("spend_per_day", parse("?range=all"), NOW).text


def test_no_condition_is_true() -> None:
    text = statement("spend_total", Filters(range="all"), NOW).text
    assert "where true" in text
    assert "ledger.spend('-infinity', 'infinity')" in text


def test_hours_are_drawn_from_the_hours_sums() -> None:
    text = statement("spend_over_time", parse("?range=24h&layer=action"), NOW, bucket="hour").text
    assert "from (select * from ledger.spend_hourly where hour >= timestamptz '2026-03-13 10:00Z'" in text
    assert "ledger.spend_hourly" not in statement("spend_over_time", parse("?range=24h"), NOW, bucket="day").text


@pytest.mark.parametrize("hostile", ["o'clock", "x\\' or true --", "'); drop table pigou.call; --", "%s %(a)s {limit}", "$$"])
def test_values_are_quoted(hostile: str) -> None:
    filters = Filters(where={"model": (hostile,)})
    text = statement("spend_total", filters, NOW).text
    quoted = "'" + hostile.replace("'", "''") + "'"
    assert (f"model = {quoted}" if "\\" not in hostile else "model =  E'x\\\\'' or true --'") in text


def test_names_are_checked_against_a_list() -> None:
    with pytest.raises(KeyError):
        statement("spend_over_time", Filters(by=("hour; drop table x",)), NOW)
    with pytest.raises(KeyError):
        statement("spend_over_time", Filters(), NOW, bucket="fortnight")


def test_a_missing_value_and_an_unknown_query_are_errors() -> None:
    with pytest.raises(KeyError):
        statement("trace_spans", Filters(), NOW)
    with pytest.raises(KeyError):
        statement("no_such_query", Filters(), NOW)


@pytest.mark.parametrize(
    ("length", "bucket"),
    [
        (timedelta(hours=3), "minute"),
        (timedelta(hours=24), "hour"),
        (timedelta(days=14), "day"),
        (timedelta(days=365), "week"),
        (timedelta(days=3650), "month"),
    ],
)
def test_steps_of_time(length: timedelta, bucket: str) -> None:
    assert bucket_of(Window(NOW - length, NOW)) == bucket
