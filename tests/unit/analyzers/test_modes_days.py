"""By how many days a sum is divided: against the mean of each time of the day, and where only the length is left."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.effects.estimate import Floats
from analyzers.modes.days import DAY_S, days_of

HOUR = 3600.0


def office(days: int) -> Floats:
    """A part every half hour from nine to five."""
    return np.array([day * DAY_S + 9 * HOUR + half * HOUR / 2 for day in range(days) for half in range(16)])


@pytest.mark.parametrize("days", [2, 3, 7, 14])
@pytest.mark.parametrize("until_hour", [17.0, 20.0, 24.0, 32.5])
def test_office_hours_are_as_dear_a_day_whenever_the_look_ends(days: int, until_hour: float) -> None:
    at = office(days)
    found = days_of(at, np.full(len(at), 2.0), 9 * HOUR, (days - 1) * DAY_S + until_hour * HOUR)
    assert found == pytest.approx(days), "thirty-two dollars a day"


@pytest.mark.parametrize("length", [1.0, 1.4, 2.33, 6.9, 14.0])
def test_what_comes_at_all_times_is_divided_by_the_length(length: float) -> None:
    at = np.arange(0.0, length * DAY_S, 60.0) + 5 * HOUR
    assert days_of(at, np.ones(len(at)), 5 * HOUR, 5 * HOUR + length * DAY_S) == pytest.approx(length, rel=1e-3)


def test_it_is_the_mean_of_each_hour_of_the_day_by_hand() -> None:
    rng = np.random.default_rng(4)
    since, until = 3 * HOUR, 3 * HOUR + 9 * DAY_S + 7 * HOUR
    hours = np.arange(since, until, HOUR)
    usd = rng.gamma(1.0, 1.0 + 5 * (hours // HOUR % 24 > 12))
    of_day = (hours // HOUR % 24).astype(int)
    by_hand = sum(usd[of_day == hour].mean() for hour in range(24))
    assert usd.sum() / days_of(hours, usd, since, until) == pytest.approx(by_hand)


def test_less_than_a_day_and_nothing_are_divided_by_the_length() -> None:
    assert days_of(np.array([0.0, HOUR]), np.ones(2), 0.0, 2 * HOUR) == pytest.approx(1 / 12)
    assert days_of(np.zeros(0), np.zeros(0), 0.0, 5 * DAY_S) == 5
    assert days_of(np.zeros(1), np.zeros(1), 0.0, 5 * DAY_S) == 5
    assert days_of(np.zeros(0), np.zeros(0), DAY_S, DAY_S) > 0


def test_a_morning_is_as_much_of_a_day_as_it_is_on_others() -> None:
    at = office(8)
    ones = np.ones(len(at))
    morning, noon = 7 * DAY_S + 9 * HOUR, 7 * DAY_S + 12 * HOUR
    known = at < noon
    usual = (at[known], ones[known])
    assert days_of(np.array([morning]), np.ones(1), morning, noon) == pytest.approx(3 / 24)
    assert days_of(np.array([morning]), np.ones(1), morning, noon, usual) == pytest.approx(3 / 8)
    night = 7 * DAY_S + 2 * HOUR
    assert days_of(np.array([night]), np.ones(1), night, night + HOUR, usual) == pytest.approx(1 / 24), "nobody works then"
    today = (at[at >= morning], ones[at >= morning])
    assert days_of(np.array([morning]), np.ones(1), morning, noon, today) == pytest.approx(3 / 24), "no other day is known"


def test_a_part_outside_counts_as_at_the_edge() -> None:
    assert days_of(np.array([-HOUR, 4 * DAY_S]), np.ones(2), 0.0, 3 * DAY_S) == pytest.approx(3)
