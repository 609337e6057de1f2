"""Prediction 3 is found where others' long contexts are in the way, and not where they only keep the same hours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.effects.estimate import Floats, InputError
from analyzers.modes.congestion.fingerprint import Fingerprint, _codes, _exchanged, fingerprint, windows
from analyzers.modes.congestion.timeline import Served

DAYS, PER_HOUR = 10, 3


def rows(slope: float, seed: int = 0, lift: float = 0.0) -> Fingerprint:
    """Windows of ten days: latency follows the hour, and others' tokens keep the same hours, on busy days more of both."""
    rng = np.random.default_rng(seed)
    day, hour = (each.ravel() for each in np.meshgrid(np.arange(DAYS), np.repeat(np.arange(24), PER_HOUR), indexing="ij"))
    rhythm, busy = 1 + np.sin(hour / 24 * 2 * np.pi), rng.exponential(1.0, DAYS)[day]
    tokens = 1_000 * (10 * rhythm + 5 * busy + rng.exponential(4.0, len(hour)))
    latency = lift + 2 * rhythm + busy + slope * tokens / 1_000 + rng.normal(0, 0.3, len(hour))
    return fingerprint(latency, tokens, traffic=np.zeros((len(hour), 0)), hour=hour, day=day)


def test_what_is_in_the_way_is_found_and_what_keeps_the_same_hours_is_not() -> None:
    found = rows(0.05)
    assert (found.verdict, found.p) == ("found", 0.002)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.05 < found.high
    false = [rows(0.0, seed).verdict for seed in range(6)]
    assert false.count("found") <= 1


def test_too_little_and_what_never_varies_has_no_answer() -> None:
    few = fingerprint(np.ones(10), np.ones(10), traffic=np.zeros((10, 0)), hour=np.zeros(10), day=np.arange(10))
    assert (few.verdict, few.p) == ("not enough evidence", None)
    n = 24 * DAYS
    hour, day = np.tile(np.arange(24), DAYS), np.repeat(np.arange(DAYS), 24)
    same = fingerprint(np.arange(n) * 1.0, hour * 1_000.0, traffic=np.zeros((n, 0)), hour=hour, day=day)
    assert same.verdict == "not enough evidence"
    assert "do not vary within any hour" in same.why
    with pytest.raises(InputError, match="hour has shape"):
        fingerprint(np.ones(10), np.ones(10), traffic=np.zeros((10, 0)), hour=np.zeros(9), day=np.zeros(10))


def test_windows_change_places_between_days_of_one_hour_only() -> None:
    hour, day = np.repeat(np.tile(np.arange(4), 5), 2), np.repeat(np.arange(5), 8)
    block = _codes(hour * 10 + day, 40, "block")
    place = _exchanged(hour, block, np.random.default_rng(1))
    assert (hour[place] == hour).all()
    assert (place % 2 == np.arange(40) % 2).all()  # each from the same place in its block
    assert sorted(place.tolist()) == list(range(40))
    assert (day[place] != day).any()


def test_windows_sum_up_who_came_in_them() -> None:
    at: Floats = np.array([0.0, 10.0, 70.0, 130.0, 200.0])
    seen = Served(
        at, np.zeros(5), np.ones(5), np.ones(5), np.ones(5), np.ones(5), np.array([10.0, 500.0, 10.0, 10.0, 500.0]), np.ones(5),
        np.array([0, 1, 0, 0, 1]), np.full(5, -1),
    )  # fmt: skip
    made = windows(seen, seen.group == 0, seen.group == 1, 60.0, 0.0, 2_400.0)
    assert made.latency_s == pytest.approx([2.0, 2.0, 2.0])
    assert made.others_long_tokens.tolist() == [500.0, 500.0, 0.0]  # in the window or the one before
    assert made.traffic.tolist() == [[10.0, 0.0]] * 3
    assert (made.hour.tolist(), made.day.tolist()) == ([0, 0, 1], [0, 0, 0])
    slow = replace(seen, decode_s=np.array([1.0, 1.0, 3.0, 1.0, 1.0]))
    assert windows(slow, seen.group == 0, seen.group == 1, 60.0, 0.0, 2_400.0).latency_s.sum() == pytest.approx(8.0)


def test_busy_hours_of_busy_days_are_not_interference() -> None:
    rng = np.random.default_rng(2)
    day, hour = (each.ravel() for each in np.meshgrid(np.arange(DAYS), np.repeat(np.arange(24), PER_HOUR), indexing="ij"))
    crowd: Floats = rng.exponential(1.0, DAYS)[day] * (2 + np.sin(hour / 24 * 2 * np.pi))  # not a sum
    tokens = 1_000 * crowd * rng.exponential(1.0, len(hour))
    latency = 5 * crowd + rng.normal(0, 0.3, len(hour))
    found = fingerprint(latency, tokens, traffic=np.zeros((len(hour), 0)), hour=hour, day=day)
    assert found.verdict == "not found"
    assert found.slope == pytest.approx(0.0, abs=0.05)


def test_what_adds_less_than_a_hundredth_is_not_felt() -> None:
    assert rows(0.05).verdict == "found"
    slight = rows(0.05, lift=1_000.0)
    assert (slight.verdict, slight.p) == ("not found", 0.002)
