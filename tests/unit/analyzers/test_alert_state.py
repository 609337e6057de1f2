"""What becomes of an alert, look by look: the table of the state machine, and simulated months of it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from analyzers.alerts.state import Alert, Pending, Rule, Seen, Standing, step

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
EVERY = timedelta(minutes=5)
RULE = Rule(
    rule="unpriced_share", open_at=Decimal("0.02"), close_at=Decimal("0.01"), evidence_min=50, open_evaluations=3,
    open_for=timedelta(0), close_evaluations=3, close_for=timedelta(hours=1), stay_for=timedelta(days=1),
    renotify_every=timedelta(hours=4), is_on=True,
)  # fmt: skip
WRONG, BETWEEN, RIGHT = 0.03, 0.015, 0.001

Happened = list[tuple[datetime, str, bool]]


def look(value: float | None, evidence: int = 100) -> Seen | None:
    return None if value is None else Seen(Decimal(str(value)), evidence, "m", "mend")


def play(looks: Iterable[float | Seen | None], rule: Rule = RULE, every: timedelta = EVERY) -> tuple[Standing, Happened]:
    """Look at a subject at an interval; what happened, with when and whether it is to be told."""
    standing: Standing = None
    happened: Happened = []
    for number, value in enumerate(looks):
        now = BEGAN + number * every
        seen = value if isinstance(value, Seen) else look(value)
        standing, event = step(standing, seen, rule, now)
        if isinstance(standing, Alert) and standing.alert_id is None:
            standing = replace(standing, alert_id=1)
        if event is not None:
            happened.append((now, event.event, event.is_to_be_told))
        if isinstance(standing, Alert) and standing.state == "resolved":
            standing = None
    return standing, happened


def names(happened: Happened) -> list[str]:
    return [event for _, event, _ in happened]


# ── one look after the other ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("looks", "events"),
    [
        ([WRONG] * 2, []),
        ([WRONG] * 3, ["opened"]),
        ([0.02] * 3, ["opened"]),
        ([BETWEEN] * 300, []),
        ([WRONG, WRONG, BETWEEN] * 100, []),
        ([WRONG, WRONG, None] * 100, []),
        ([None] * 300, []),
        ([WRONG] * 3 + [RIGHT] * 285, ["opened"]),  # right at once, and open for less than a day
        ([WRONG] * 3 + [RIGHT] * 289, ["opened", "resolved"]),
        ([WRONG] * 3 + [None] * 289, ["opened", "resolved"]),  # what it was about is gone
        ([WRONG] * 290 + [RIGHT] * 12, ["opened", *["told again"] * 5]),  # a day, and then right for less than an hour
        ([WRONG] * 290 + [RIGHT] * 13, ["opened", *["told again"] * 5, "resolved"]),
        ([WRONG] * 290 + ([RIGHT] * 12 + [BETWEEN]) * 3, ["opened", *["told again"] * 6]),
    ],
)
def test_what_happens(looks: list[float | None], events: list[str]) -> None:
    assert names(play(looks)[1]) == events


def test_too_little_evidence_is_none() -> None:
    assert play([Seen(Decimal(1), 49, "m", "mend")] * 300) == (None, [])
    assert names(play([Seen(Decimal(1), 50, "m", "mend")] * 3)[1]) == ["opened"]


def test_wrong_for_a_while_before_it_opens() -> None:
    rule = replace(RULE, open_for=timedelta(minutes=30))
    assert names(play([WRONG] * 6, rule)[1]) == []
    assert [(at - BEGAN, event) for at, event, _ in play([WRONG] * 8, rule)[1]] == [(timedelta(minutes=30), "opened")]


def test_what_is_pending_is_not_told() -> None:
    standing, happened = play([WRONG] * 2)
    assert (standing, happened) == (Pending(BEGAN, 2), [])


def test_an_alert_says_what_was_last_wrong() -> None:
    standing, _ = play([WRONG] * 3 + [0.5] + [BETWEEN] * 5 + [RIGHT] * 2)
    assert isinstance(standing, Alert)
    assert (standing.value, standing.threshold, standing.evaluations, standing.quiet) == (Decimal("0.5"), Decimal("0.02"), 11, 2)
    assert standing.last_seen_at == BEGAN + 3 * EVERY
    assert standing.quiet_since == BEGAN + 9 * EVERY


def opened() -> Alert:
    standing, _ = play([WRONG] * 3)
    assert isinstance(standing, Alert)
    return standing


def later(alert: Alert, value: float | None, hours: float, rule: Rule = RULE) -> tuple[Standing, str | None, bool | None]:
    standing, event = step(alert, look(value), rule, alert.opened_at + timedelta(hours=hours))
    return standing, event.event if event else None, event.is_to_be_told if event else None


@pytest.mark.parametrize(
    ("state", "muted_hours", "value", "hours", "event", "told"),
    [
        ("open", None, WRONG, 3.9, None, None),
        ("open", None, WRONG, 4, "told again", True),
        ("open", None, BETWEEN, 4, "told again", True),
        ("open", None, RIGHT, 4, None, None),
        ("acknowledged", None, WRONG, 400, None, None),
        ("muted", 48, WRONG, 47.9, None, None),
        ("muted", 48, WRONG, 48, "unmuted", True),
    ],
)
def test_what_is_told(
    state: str, muted_hours: float | None, value: float, hours: float, event: str | None, told: bool | None
) -> None:
    alert = opened()
    until = alert.opened_at + timedelta(hours=muted_hours) if muted_hours else None
    assert later(replace(alert, state=state, muted_until=until), value, hours)[1:] == (event, told)


GROWING = replace(RULE, grown_by=Decimal(2), renotify_every=timedelta(days=30))


@pytest.mark.parametrize(
    ("state", "value", "rule", "event"),
    [
        ("open", 0.0599, GROWING, None),
        ("open", 0.06, GROWING, "grew"),
        ("acknowledged", 0.06, GROWING, "grew"),
        ("muted", 0.5, GROWING, None),
        ("acknowledged", 0.5, RULE, None),
    ],
)
def test_what_has_doubled_is_told_again(state: str, value: float, rule: Rule, event: str | None) -> None:
    alert = replace(opened(), state=state, muted_until=BEGAN + timedelta(days=9) if state == "muted" else None)
    standing, happened, told = later(alert, value, 1, rule)
    assert (happened, told) == (event, True if event else None)
    assert isinstance(standing, Alert)
    assert (standing.state, standing.told_value) == (("open", Decimal("0.06")) if event else (state, Decimal("0.03")))


def test_what_grows_is_told_once_for_each_doubling() -> None:
    assert names(play([WRONG] * 3 + [0.05, 0.06, 0.119, 0.03, 0.119, 0.12, RIGHT, 0.3], GROWING)[1]) == ["opened", *["grew"] * 3]


@pytest.mark.parametrize(("state", "told"), [("open", True), ("acknowledged", True), ("muted", False)])
def test_resolved_by_the_clock(state: str, told: bool) -> None:
    alert = replace(
        opened(), state=state, quiet=2, quiet_since=BEGAN, muted_until=BEGAN + timedelta(days=9) if state == "muted" else None
    )
    standing, event, is_told = later(alert, RIGHT, 24)
    assert (event, is_told) == ("resolved", told)
    assert isinstance(standing, Alert)
    assert (standing.state, standing.muted_until, standing.resolved_at) == ("resolved", None, alert.opened_at + timedelta(days=1))


def test_a_rule_that_is_turned_off_resolves_and_opens_nothing() -> None:
    off = replace(RULE, is_on=False)
    assert later(opened(), WRONG, 1, off)[1:] == ("resolved", False)
    assert play([WRONG] * 300, off) == (None, [])


# ── months ───────────────────────────────────────────────────────────────────────────────────────────

MONTH = int(timedelta(days=30) / EVERY)


def white_noise(chance: random.Random) -> Iterator[float]:
    for _ in range(MONTH):
        yield max(0.0, chance.gauss(0.015, 0.01))


def wandering(chance: random.Random) -> Iterator[float]:
    value = 0.015
    for _ in range(MONTH):
        value += 0.02 * (0.015 - value) + chance.gauss(0, 0.002)
        yield max(0.0, value)


def waves(hours: float) -> Callable[[random.Random], Iterator[float]]:
    """From right to wrong and back at a pace: the worst that can be done to a threshold."""

    def values(chance: random.Random) -> Iterator[float]:
        for number in range(MONTH):
            yield 0.015 + 0.02 * math.sin(2 * math.pi * number * EVERY.total_seconds() / 3600 / hours) + chance.gauss(0, 0.001)

    return values


@pytest.mark.parametrize(
    "values",
    [white_noise, wandering, *(waves(hours) for hours in (1, 2, 5, 11, 13, 23, 25))],
    ids=lambda values: values.__qualname__,
)
@pytest.mark.parametrize("seed", range(3))
def test_a_month_on_the_boundary_opens_and_closes_once_a_day_at_most(
    values: Callable[[random.Random], Iterator[float]], seed: int
) -> None:
    happened = play(values(random.Random(seed)))[1]
    for event in ("opened", "resolved"):
        times = [at for at, name, _ in happened if name == event]
        assert all(after - before >= timedelta(days=1) for before, after in pairwise(times)), event
    told = [at for at, _, is_told in happened if is_told]
    assert len(told) <= 30 * 24 / 4 + 2 * 30
    assert names(happened).count("opened") >= 1


def test_what_persists_is_told_at_its_interval_and_never_floods() -> None:
    """Thousands of looks at one condition: one alert, six times a day."""
    standing, happened = play([WRONG] * MONTH)
    assert isinstance(standing, Alert)
    assert (standing.state, standing.evaluations) == ("open", MONTH)
    assert names(happened)[:2] == ["opened", "told again"]
    assert names(happened).count("opened") == 1
    times = [at for at, _, _ in happened]
    assert {after - before for before, after in pairwise(times)} == {timedelta(hours=4)}
    assert standing.notifications == len(happened) == 180


def test_what_ends_resolves_and_what_comes_back_opens_again() -> None:
    day = int(timedelta(days=1) / EVERY)
    happened = play([*[WRONG] * 5, *[RIGHT] * 2 * day, *[WRONG] * 5, *[RIGHT] * 2 * day])[1]
    assert names(happened) == ["opened", "resolved", "opened", "resolved"]


def test_what_comes_back_within_a_day_goes_on() -> None:
    """It is neither resolved and opened again, nor forgotten: it is told again when its interval is over."""
    hour = int(timedelta(hours=1) / EVERY)
    standing, happened = play([*[WRONG] * 3, *[RIGHT] * 10 * hour, *[WRONG] * 2])
    assert isinstance(standing, Alert)
    assert [(round((at - BEGAN) / timedelta(hours=1), 1), event) for at, event, _ in happened] == [
        (0.2, "opened"), (10.2, "told again"),
    ]  # fmt: skip


@given(
    st.lists(st.sampled_from([WRONG, BETWEEN, RIGHT, None]), max_size=400),
    st.integers(min_value=1, max_value=30),
    st.integers(min_value=60, max_value=7200),
)
def test_whatever_is_seen(looks: list[float | None], minutes: int, renotify_s: int) -> None:
    """Never two openings within `stay_for`, never two tellings of the same within the interval, never resolved while wrong."""
    rule = replace(RULE, renotify_every=timedelta(seconds=renotify_s), stay_for=timedelta(hours=6))
    happened = play(looks, rule, timedelta(minutes=minutes))[1]
    openings = [at for at, event, _ in happened if event == "opened"]
    assert all(after - before >= rule.stay_for for before, after in pairwise(openings))
    told = [at for at, event, _ in happened if event == "told again"]
    assert all(after - before >= rule.renotify_every for before, after in pairwise(told))
    for at, event, _ in happened:
        value = looks[int((at - BEGAN) / timedelta(minutes=minutes))]
        assert value != WRONG or event != "resolved"
        assert value == WRONG or event != "opened"
