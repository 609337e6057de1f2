"""Days and moments as people type them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
import typer

from cli.options import parse_beginning, parse_day, parse_moment, parse_time


def test_days() -> None:
    today = datetime.now(UTC).date()
    assert parse_day("2026-01-31") == date(2026, 1, 31)
    assert parse_day("today") in (today, today + timedelta(days=1))
    assert parse_day("yesterday") in (today - timedelta(days=1), today)
    assert parse_day("7d") in (today - timedelta(days=7), today - timedelta(days=6))


def test_moments() -> None:
    assert parse_moment("2026-01-31T12:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert parse_moment("2026-01-31 12:00:01") == datetime(2026, 1, 31, 12, 0, 1, tzinfo=UTC)
    told = parse_moment("2026-01-31T12:00+02:00")
    assert told == datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    assert f"{told:%Y-%m-%d %H:%M}" == "2026-01-31 10:00", "it is told in UTC"
    assert parse_moment("2026-01-31") == datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert parse_beginning("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
    assert parse_beginning("2026-01-31T12:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert parse_beginning("2026-01-31T12:00+02:00") == told
    assert parse_time("2026-01-31") == date(2026, 1, 31)


@pytest.mark.parametrize("text", ["", "31.1.2026", "2026-02-30", "d", "-1d", "soon"])
def test_what_is_no_day_is_a_wrong_argument(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a day; write 2026-01-31, today, yesterday or 7d"):
        parse_day(text)


def test_what_is_no_moment_is_a_wrong_argument() -> None:
    with pytest.raises(typer.BadParameter, match="is not a time; write 2026-01-31T12:00 or a day"):
        parse_moment("25:00")
