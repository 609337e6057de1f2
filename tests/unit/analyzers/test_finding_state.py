"""What becomes of a finding, look by look: the table of the state machine, and simulated months of a noisy boundary."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.findings.state import STAY_FOR, Finding, step, verdict
from analyzers.findings.store import Refused, check
from analyzers.modes.look import Day, Look, Place
from analyzers.pace import PROMISED_S, pause_after, rounds_pause, waits_at_most

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MATERIALITY = 2.0
LOOK = Look(
    mode="over_routing", place=Place("demand", "route", "support.faq", "large"), since=BEGAN - 28 * DAY, until=BEGAN, n=100,
    tasks=90, status="appraised", usd_per_day=4.0, low=3.0, high=5.0, is_discovery=True, sentence="s", change="c", inequality="i",
    method="m",
)  # fmt: skip
UNKNOWN = replace(LOOK, status="not_enough_evidence", usd_per_day=None, low=None, high=None, is_discovery=False)


def at(usd: float, half: float = 0.1, *, is_discovery: bool = True) -> Look:
    return replace(LOOK, usd_per_day=usd, low=usd - half, high=usd + half, is_discovery=is_discovery)


WRONG, BETWEEN, RIGHT, CLEARED = at(4.0), at(1.5), at(0.9, 0.8), at(0.2)


def play(looks: Iterable[Look | None], every: timedelta = HOUR) -> tuple[Finding | None, list[tuple[timedelta, str]]]:
    """Look at a place at an interval, over the four weeks before; what happened, and when."""
    finding: Finding | None = None
    happened: list[tuple[timedelta, str]] = []
    for number, look in enumerate(looks):
        now = BEGAN + number * every
        seen = None if look is None else replace(look, until=now)
        finding, event = step(finding, seen, MATERIALITY, now - 28 * DAY, now)
        if event is not None:
            happened.append((now - BEGAN, event))
        if finding is not None:
            finding = None if finding.status == "resolved" else msgspec.structs.replace(finding, finding_id=1)
    return finding, happened


# ── what a look says ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("look", "says"),
    [
        (WRONG, "wrong"),
        (at(2.0), "wrong"),
        (at(1.99), "between"),
        (at(4.0, is_discovery=False), "between"),
        (at(4.0, 4.0), "between"),  # its interval holds 0
        (at(1.0, 0.1), "between"),
        (at(0.99, 0.1), "right"),
        (at(-3.0, 5.0), "right"),
        (at(0.8, 0.1), "cleared"),
        (UNKNOWN, "unknown"),
        (replace(UNKNOWN, status="not_identified"), "unknown"),
    ],
)
def test_what_a_look_says(look: Look, says: str) -> None:
    assert verdict(look, MATERIALITY) == says


def days(*usd: float, half: float | None = 0.5, until: datetime = BEGAN) -> tuple[Day, ...]:
    """Days before `until`, the last one last."""
    firsts = [until - (len(usd) - number) * DAY for number in range(len(usd))]
    return tuple(
        Day(day, each, None if half is None else each - half, None if half is None else each + half)
        for day, each in zip(firsts, usd, strict=True)
    )


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (days(*[9.0] * 7, *[0.1] * 7), "cleared"),  # mended a week ago
        (days(*[9.0] * 8, *[0.1] * 6), "cleared"),  # the week's mean is 1.4 and may be 1.6
        (days(*[9.0] * 10, *[0.1] * 4), "wrong"),  # not for a week yet
        (days(*[9.0] * 7, *[0.1] * 7, half=30.0), "wrong"),  # too noisy to tell
        (days(*[9.0] * 7, *[0.1] * 7, half=None), "wrong"),
        (days(*[9.0] * 7, 0.1, 0.1), "wrong"),
        (days(0.1, 0.1), "wrong"),  # two days are no week
        ((), "wrong"),
    ],
)
def test_what_the_past_week_says(of: tuple[Day, ...], says: str) -> None:
    assert verdict(replace(WRONG, days=of), MATERIALITY) == says


@pytest.mark.parametrize(("ago", "says"), [(1, "wrong"), (2, "wrong"), (4, "wrong"), (9, "cleared")])
def test_what_is_new_is_not_mended(ago: int, says: str) -> None:
    """Five good days and two bad ones are a mean of 1.5; the good ones do not count when it began after them."""
    began = replace(WRONG, days=days(*[0.1] * 5, 5.0, 5.0), since=BEGAN - ago * DAY)
    assert verdict(began, MATERIALITY) == says


def test_today_is_no_day_yet() -> None:
    """At six in the morning a quarter of the day's loss is there: it does not count as a cheap day."""
    began = days(*[2.1] * 7, 0.1, half=0.1, until=BEGAN + DAY)
    assert verdict(replace(WRONG, days=began, until=BEGAN + 6 * HOUR), MATERIALITY) == "wrong"
    assert verdict(replace(WRONG, days=began, until=BEGAN + DAY), MATERIALITY) == "cleared"


# ── one look after the other ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("looks", "events"),
    [
        ([BETWEEN] * 100, []),
        ([UNKNOWN, None, CLEARED] * 30, []),
        ([WRONG], [(0, "opened")]),
        ([WRONG] * 100, [(0, "opened")]),
        ([WRONG, CLEARED, CLEARED], [(0, "opened")]),
        ([WRONG] + [CLEARED] * 30, [(0, "opened"), (24, "resolved")]),
        ([WRONG] * 50 + [CLEARED], [(0, "opened"), (50, "resolved")]),
        ([WRONG] * 50 + [RIGHT] * 24, [(0, "opened")]),
        ([WRONG] * 50 + [RIGHT] * 25, [(0, "opened"), (74, "resolved")]),
        ([WRONG] * 50 + [RIGHT] * 20 + [BETWEEN] + [RIGHT] * 24, [(0, "opened")]),
        ([WRONG] * 50 + [RIGHT] * 20 + [UNKNOWN, None] + [RIGHT] * 3, [(0, "opened"), (74, "resolved")]),
        ([WRONG] * 30 + [CLEARED] + [WRONG], [(0, "opened"), (30, "resolved"), (31, "opened")]),
        ([WRONG] + [UNKNOWN] * 672, [(0, "opened"), (672, "resolved")]),  # four weeks: nothing it rests on is left
        ([WRONG] + [None] * 671, [(0, "opened")]),
        ([WRONG, at(7.9), at(8.0), at(15), at(16)], [(0, "opened"), (2, "grew"), (4, "grew")]),
    ],
)
def test_what_happens(looks: list[Look | None], events: list[tuple[int, str]]) -> None:
    assert play(looks)[1] == [(hours * HOUR, event) for hours, event in events]


def test_three_looks_that_are_seldom() -> None:
    assert play([WRONG] + [RIGHT] * 3, DAY)[1] == [(0 * DAY, "opened"), (3 * DAY, "resolved")]


def test_what_has_grown_is_open_again() -> None:
    finding, _ = play([WRONG])
    assert finding is not None
    seen = msgspec.structs.replace(finding, status="acknowledged")
    grown, event = step(seen, at(8.5), MATERIALITY, BEGAN - 28 * DAY, BEGAN + HOUR)
    assert grown is not None
    assert (grown.status, grown.told_usd_per_day, event) == ("open", 8.5, "grew")
    same, event = step(seen, at(7.0), MATERIALITY, BEGAN - 28 * DAY, BEGAN + HOUR)
    assert same is not None
    assert (same.status, same.told_usd_per_day, event) == ("acknowledged", 4.0, None)


@pytest.mark.parametrize(
    ("looks", "unsaid", "is_unclear"),
    [
        ([WRONG, *[UNKNOWN] * 24], 1, False),
        ([WRONG, *[UNKNOWN] * 25], 1, True),
        ([WRONG, *[None, UNKNOWN] * 12, None], 1, True),  # nothing there to look at says as little
        ([WRONG, *[UNKNOWN] * 25, BETWEEN], None, False),
        ([WRONG, *[UNKNOWN] * 25, WRONG, UNKNOWN], 27, False),
        ([WRONG, *[BETWEEN, UNKNOWN] * 40], 80, False),  # every second look says nothing: for an hour at a time
    ],
)
def test_what_no_look_could_judge_for_a_day_is_unclear(looks: list[Look | None], unsaid: int | None, is_unclear: bool) -> None:
    finding, _ = play(looks)
    assert finding is not None
    since = None if unsaid is None else BEGAN + unsaid * HOUR
    assert (finding.status, finding.unsaid_since, finding.is_unclear) == ("open", since, is_unclear)


def test_another_materiality_makes_another_of_it() -> None:
    finding, _ = play([WRONG])
    after = BEGAN + 2 * DAY
    assert step(finding, replace(WRONG, until=after), 11.0, BEGAN, after)[1] == "resolved"
    assert step(None, WRONG, 4.1, BEGAN, after) == (None, None)


# ── months ───────────────────────────────────────────────────────────────────────────────────────────


def month(draw: random.Random, mean: float, sigma: float, unknown: float, memory: float) -> list[Look | None]:
    """Hourly looks at a loss that wanders around a mean, some without evidence, some not standing among all, some not there."""
    looks: list[Look | None] = []
    wander = 0.0
    for _ in range(30 * 24):
        wander = memory * wander + draw.gauss(0, sigma)
        lot = draw.random()
        usd = mean + wander
        if lot < unknown:
            looks.append(UNKNOWN if lot < unknown / 2 else None)
        else:
            looks.append(at(usd, 1.96 * sigma, is_discovery=draw.random() < 0.9))
    return looks


@given(
    seed=st.integers(0, 2**32),
    mean=st.floats(0.0, 6.0),
    sigma=st.floats(0.0, 3.0),
    unknown=st.floats(0.0, 0.5),
    memory=st.sampled_from([0.0, 0.5, 0.95]),
)
def test_a_noisy_month_opens_at_most_once_a_day(seed: int, mean: float, sigma: float, unknown: float, memory: float) -> None:
    _, happened = play(month(random.Random(seed), mean, sigma, unknown, memory))
    turns = [(when, event) for when, event in happened if event != "grew"]
    assert [event for _, event in turns] == ["opened", "resolved"] * (len(turns) // 2) + ["opened"] * (len(turns) % 2)
    opens = [when for when, event in turns if event == "opened"]
    closes = [when for when, event in turns if event == "resolved"]
    for same in (opens, closes):
        assert all(after - before >= STAY_FOR for before, after in pairwise(same))


def test_noise_on_the_boundary_hardly_turns_anything() -> None:
    """A loss that is material by a hair, seen with a tenth of noise, opens once in a month and stays."""
    for seed in range(10):
        assert [event for _, event in play(month(random.Random(seed), MATERIALITY, 0.2, 0.1, 0.5))[1]] == ["opened"]


# ── what a mode may answer ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("looks", "why"),
    [
        ([LOOK, LOOK], "two looks at one place"),
        ([replace(LOOK, mode="cache_misuse")], "a look of cache_misuse"),
        ([replace(LOOK, low=None)], "appraised with 2 of three numbers"),
        ([replace(LOOK, status="not_identified")], "not_identified with 3 of three numbers"),
        ([replace(LOOK, high=float("inf"))], "within 3.0 to inf"),
        ([replace(LOOK, usd_per_day=float("nan"))], "nan USD a day"),
        ([replace(LOOK, low=4.5)], "4.0 USD a day within 4.5"),
    ],
)
def test_looks_that_contradict_themselves_are_refused(looks: list[Look], why: str) -> None:
    with pytest.raises(Refused, match=why):
        check("over_routing", looks)
    check("over_routing", [LOOK, replace(UNKNOWN, place=replace(LOOK.place, agent="a"))])


# ── how soon ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("took_s", [0.0, 0.3, 1.0, 4.0, 8.0, 15.0, 17.0])
def test_evidence_waits_a_minute_at_most(took_s: float) -> None:
    assert waits_at_most(took_s) <= PROMISED_S


@pytest.mark.parametrize(
    ("took_s", "pause_s"),
    [(0.0, 2.0), (1.0, 10.0), (2.0, 20.0), (4.0, 29.0), (10.0, 17.0), (15.0, 7.0), (25.0, 2.0), (45.0, 37.0), (600, 6000)],
)
def test_how_long_it_rests(took_s: float, pause_s: float) -> None:
    assert pause_after(took_s) == pause_s


def test_who_waited_for_a_busy_machine_rests_for_its_work_only() -> None:
    assert pause_after(100.0) == pytest.approx(236.4, abs=0.1)
    assert pause_after(100.0, worked_s=27.0) == pytest.approx(4.6)
    assert pause_after(10.0, worked_s=1.0) == 10.0
    assert pause_after(10.0, worked_s=99.0) == pause_after(10.0), "no more was worked than it took"


@pytest.mark.parametrize(("took_s", "pause_s"), [(0.01, 2.0), (0.5, 5.0), (1.5, 15.0), (5.0, 15.0), (300.0, 15.0)])
def test_the_clock_does_not_rest_for_long_after_a_long_round(took_s: float, pause_s: float) -> None:
    """Five minutes of settling what was loaded were followed by fifty in which nobody was told of anything."""
    assert rounds_pause(took_s, interval_s=2.0) == pause_s
