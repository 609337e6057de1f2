"""What of an engine is priced and measured, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from analyzers.modes.congestion.refresh import first_day, hours_over

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("now", "last_at", "is_live", "over"),
    [
        (NOON + timedelta(minutes=20), NOON - 5 * HOUR, True, NOON),  # it was idle since
        (NOON + timedelta(minutes=10), NOON - 5 * HOUR, True, NOON - HOUR),  # the last spans of an hour take a while
        (NOON + timedelta(minutes=20), NOON - 4.5 * HOUR, False, NOON - 5 * HOUR),  # more of it is to be loaded
        (NOON + timedelta(minutes=20), NOON + timedelta(minutes=18), False, NOON),
    ],
)
def test_hours_that_are_yet_to_be_loaded_are_not_over(now: datetime, last_at: datetime, is_live: bool, over: datetime) -> None:
    assert hours_over(now, last_at, is_live=is_live) == over


@pytest.mark.parametrize(
    ("came_at", "day"),
    [
        (None, MIDNIGHT - 9 * DAY),  # never measured
        (NOON - HOUR, MIDNIGHT),  # as hours go by
        (NOON - DAY, MIDNIGHT - DAY),  # somewhat late
        (NOON - 3 * DAY, MIDNIGHT - 9 * DAY),  # much, or long ago: all by one fit
    ],
)
def test_what_came_late_is_measured_again(came_at: datetime | None, day: datetime) -> None:
    assert first_day(NOON - 9 * DAY, NOON, came_at) == day
