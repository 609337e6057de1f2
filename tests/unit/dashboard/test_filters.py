"""The URL as the only state of a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dashboard.filters import (
    ALERT_STATES,
    BY,
    DECISION_DIMENSIONS,
    DECISION_SORTS,
    DIMENSIONS,
    EVERY_DIMENSION,
    RANGES,
    SORTS,
    STATUSES,
    VERDICTS,
    Filters,
    Window,
    days,
    describe,
    parse,
    span_said,
)

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
hours = some.integers(0, 876_000).map(lambda hour: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(hours=hour))
values = some.one_of(some.none(), some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
places = some.dictionaries(
    some.sampled_from(sorted(EVERY_DIMENSION)), some.lists(values, min_size=1, max_size=3, unique=True).map(tuple)
)


@given(
    some.sampled_from(sorted(RANGES)),
    places,
    some.permutations(sorted(DIMENSIONS)).map(lambda all_of_them: tuple(all_of_them[:3])),
    some.sampled_from((None, *STATUSES, *VERDICTS, *ALERT_STATES)),
    some.sampled_from((*SORTS, *DECISION_SORTS)),
    some.booleans(),
    some.one_of(some.none(), some.uuids().map(str)),
    some.one_of(some.none(), some.integers(1, 10**9 - 1)),
)
def test_a_view_survives_its_address(
    span: str,
    where: dict[str, tuple[str | None, ...]],
    by: tuple[str, ...],
    status: str | None,
    sort: str,
    live: bool,
    decision: str | None,
    number: int | None,
) -> None:
    view = Filters(range=span, where=where, by=by, status=status, sort=f"-{sort}", live=live, decision=decision, alert=number)
    assert parse(view.search()) == view
    view = Filters(range=span, where=where, status=status, finding=number)
    assert parse(view.search()) == view


@given(hours, some.integers(1, 10_000))
def test_an_absolute_range_survives_its_address(since: datetime, length: int) -> None:
    view = Filters(range=None, since=since, until=since + timedelta(hours=length))
    assert parse(view.search()) == view


@given(some.text())
def test_no_address_is_an_error(search: str) -> None:
    assert isinstance(parse(f"?{search}").window(NOW), Window)


def test_the_default_view_needs_no_query() -> None:
    assert Filters().search() == ""
    assert parse("") == parse(None) == Filters()


def test_what_is_not_understood_is_named() -> None:
    view = parse("?range=fortnight&colour=red&by=moon&layer=action&sort=beauty&since=yesterday")
    assert view.where == {"layer": ("action",)}
    assert view.by == BY
    assert view.problems == ("range=fortnight", "colour=red", "by=moon", "sort=beauty", "since=yesterday")


def test_a_page_takes_along_only_the_filters_that_it_knows() -> None:
    view = parse(
        "?range=7d&kind=route&model=a&tenant=acme&status=appraised&sort=-regret_usd&id=0193b7a0-0000-7000-8000-000000000000"
    )
    assert view.within(DIMENSIONS) == parse("?range=7d&model=a&tenant=acme")
    assert view.within(DECISION_DIMENSIONS) == parse("?range=7d&kind=route&tenant=acme")


def test_decisions_are_ordered_by_what_decisions_have() -> None:
    assert [parse(search).decision_sort for search in ("", "?sort=latency_ms", "?sort=decided_at")] == [
        "-regret_usd",
        "-regret_usd",
        "decided_at",
    ]


def test_an_id_is_that_of_a_decision_or_named_as_a_mistake() -> None:
    assert parse("?id=0193B7A0-0000-7000-8000-00000000000F").decision == "0193b7a0-0000-7000-8000-00000000000f"
    assert parse("?id=%27%3B+drop+table").problems == ("id='; drop table",)


def test_a_number_is_that_of_a_finding_or_an_alert() -> None:
    assert (parse("?id=12").finding, parse("?id=12").decision) == (12, None)
    assert parse("?tenant=acme&alert=7").alert == 7
    assert parse("?alert=0&alert=-1&alert=1e3&alert=12345678901&alert=²").problems == (
        "alert=0",
        "alert=-1",
        "alert=1e3",
        "alert=12345678901",
        "alert=²",
    )


def test_an_absolute_range_is_chosen_and_said_in_its_time_zone() -> None:
    view = parse("?since=2026-03-28T00:00%2B01:00&until=2026-03-30T00:00%2B02:00&tz=Europe/Berlin")
    assert view.window(NOW) == Window(datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))
    assert describe(view, NOW) == "from 28 Mar 2026 to 29 Mar 2026 (Europe/Berlin)"
    assert view.search() == "?since=2026-03-28T00:00%2B01:00&until=2026-03-30T00:00%2B02:00&tz=Europe%2FBerlin"
    assert parse(view.search()) == view
    assert days("2026-03-28", "2026-03-29", view.place) == (view.since, view.until), "the clocks go forward in between"
    for wrong in ("Mars/Olympus", "../../etc/passwd", "America", "/etc/localtime"):
        assert parse(f"?tz={wrong}").problems == (f"tz={wrong}",)


def test_a_range_that_ends_before_it_begins_is_named() -> None:
    view = parse("?since=2026-03-02T00:00Z&until=2026-03-01T00:00Z")
    assert view.problems == ("since is not before until",)
    assert view.range == Filters().range


def test_relative_ranges_of_days_begin_at_midnight_and_include_the_running_hour() -> None:
    window = Filters(range="14d").window(NOW)
    assert window == Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 14, 10, tzinfo=UTC))
    assert Filters(range="24h").window(NOW).since == datetime(2026, 3, 13, 10, tzinfo=UTC)
    assert Filters(range="all").window(NOW) == Window(None, None)


def test_the_last_hour_of_a_day_still_counts_its_day() -> None:
    late = datetime(2026, 3, 14, 23, 30, tzinfo=UTC)
    assert Filters(range="7d").window(late) == Window(datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC))


def test_the_window_before_has_the_same_length() -> None:
    window = Filters(range="24h").window(NOW)
    before = window.before()
    assert before == Window(datetime(2026, 3, 12, 10, tzinfo=UTC), datetime(2026, 3, 13, 10, tzinfo=UTC))
    assert Window(None, None).before() is None


def test_freezing_makes_a_relative_range_absolute() -> None:
    frozen = Filters(range="24h").frozen_at(NOW)
    assert frozen.range is None
    assert frozen.window(NOW + timedelta(days=9)) == Filters(range="24h").window(NOW)
    assert Filters(range="all").frozen_at(NOW) == Filters(range="all")


def test_an_empty_value_means_not_attributed() -> None:
    assert parse("?layer=&layer=action").where == {"layer": (None, "action")}


def test_calendar_days_include_the_last() -> None:
    assert days("2026-03-01", "2026-03-02") == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("", "over 14 days"),
        ("?range=24h", "in the last 24 hours"),
        ("?range=all", "in all"),
        ("?range=month", "in March 2026 so far"),
        ("?range=last_month", "in February 2026"),
        ("?since=2026-03-03T00:00Z&until=2026-03-06T00:00Z", "from 3 Mar 2026 to 5 Mar 2026 UTC"),
        ("?since=2026-03-03T07:00Z", "since 3 Mar 2026 07:00 UTC"),
        ("?until=2026-03-03T07:00Z", "before 3 Mar 2026 07:00 UTC"),
    ],
)
def test_ranges_in_words(search: str, said: str) -> None:
    assert describe(parse(search), NOW) == said


@pytest.mark.parametrize(
    ("search", "before", "after"),
    [
        ("", "15–28 Feb 2026 UTC", "15–28 Mar 2026 UTC"),
        ("?range=24h", "12 Mar 2026 10:00 to 13 Mar 2026 10:00 UTC", "14 Mar 2026 10:00 to 15 Mar 2026 10:00 UTC"),
        ("?range=month", "February 2026", "April 2026"),
        ("?range=last_month", "January 2026", "March 2026"),
        ("?since=2026-02-01T00:00Z&until=2026-03-01T00:00Z", "January 2026", "March 2026"),
        ("?since=2025-12-01T00:00Z&until=2026-01-01T00:00Z", "November 2025", "January 2026"),
        ("?since=2026-03-03T00:00Z&until=2026-03-04T00:00Z", "2 Mar 2026 UTC", "4 Mar 2026 UTC"),
        ("?tz=Europe/Berlin&range=last_month", "January 2026", "March 2026"),
    ],
)
def test_a_period_has_one_before_and_one_after(search: str, before: str, after: str) -> None:
    view = parse(search)
    for steps, said in ((-1, before), (1, after)):
        window = view.stepped(NOW, steps)
        assert window is not None
        assert span_said(view.between(window), NOW) == said


def test_a_month_is_the_calendars_of_its_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    view = parse("?tz=Europe/Berlin&range=month")
    assert view.window(NOW) == Window(datetime(2026, 3, 1, tzinfo=berlin), datetime(2026, 3, 14, 10, tzinfo=UTC))
    after = view.stepped(NOW, 1)
    assert after == Window(datetime(2026, 4, 1, tzinfo=berlin), datetime(2026, 5, 1, tzinfo=berlin)), "an hour's change is inside"


@pytest.mark.parametrize("search", ["?range=all", "?since=2026-03-03T00:00Z"])
def test_a_time_without_end_has_no_neighbours(search: str) -> None:
    assert parse(search).stepped(NOW, -1) is None


def test_whole_days_are_those_touched() -> None:
    window = parse("?since=2026-03-03T07:00Z&until=2026-03-05T00:00Z").window(NOW).whole_days()
    assert window == Window(datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC))
    assert parse("?range=all").window(NOW).whole_days() == Window(None, None)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"])
def test_a_month_of_any_zone_is_that_month_of_the_books(zone: str) -> None:
    """A bill of October is October's, and held against September's, wherever it is read."""
    view = parse(f"?range=last_month&tz={zone}").book_days(datetime(2026, 11, 20, 15, tzinfo=UTC))
    assert view.window(NOW) == Window(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
    assert span_said(view, NOW) == "October 2026"


def test_what_one_page_asks_stays_on_it() -> None:
    view = parse("?account=expenses:action&cross=model,month&of=tokens&top=5&day=2026-03-01&tenant=acme")
    assert view.problems == ()
    assert view.asked == {
        "account": "expenses:action", "cross": "model,month", "of": "tokens", "top": "5", "day": "2026-03-01",
    }  # fmt: skip
    assert parse(view.search()) == view
    assert view.asking(day=None, book="cash").asked == {
        "account": "expenses:action", "cross": "model,month", "of": "tokens", "top": "5", "book": "cash",
    }  # fmt: skip
    assert view.within(DIMENSIONS).search() == "?tenant=acme"


@pytest.mark.parametrize(
    "search", ["cross=model", "cross=model,model", "cross=model,nonsense", "of=euros", "day=tomorrow", "entry=1"]
)
def test_what_a_page_cannot_be_asked_is_named(search: str) -> None:
    assert parse(f"?{search}").problems == (search,)
