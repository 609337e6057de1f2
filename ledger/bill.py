"""A bill: what some days of the books cost, beside the days that they are compared with."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple


class Days(NamedTuple):
    """Days of the books, `until` excluded."""

    since: date
    until: date

    @property
    def last(self) -> date:
        """The last day of them."""
        return self.until - timedelta(days=1)


def month_of(day: date) -> Days:
    """The month of the calendar that a day is in."""
    first = day.replace(day=1)
    return Days(first, (first + timedelta(days=32)).replace(day=1))


def former(days: Days) -> Days:
    """What days are compared with.

    Of a month, or what there is of one, the same days of the month before; of other days as many just before.
    """
    if days.since.day == 1 and days.until <= month_of(days.since).until:
        before = month_of(days.since - timedelta(days=1))
        is_whole = days.until.day == 1
        return before if is_whole else Days(before.since, min(before.since + (days.until - days.since), before.until))
    return Days(days.since - (days.until - days.since), days.since)
