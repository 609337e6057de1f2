"""What of a place's loss is waiting for those who crowd an engine: against sums by hand, and where nothing may be told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analyzers.modes.consequence import Consequence, Waits, consequence, without
from analyzers.modes.look import Window
from analyzers.modes.standing_regret import Flow, Part, Standing, standing
from tests.looked import look_of

START, DAYS = datetime(2026, 1, 5, tzinfo=UTC), 10
WINDOW = Window(START, START + timedelta(days=DAYS))
OPTIONS = ("own", "bought")


def place(regret: float = 50.0, latency: float = 40.0) -> Standing:
    """A hundred decisions for an own model that lost so much against a bought one, of which so much by latency."""
    lost = Part(
        1, 0, "demand", "route", "faq", OPTIONS, "logged", "method", "", 0.0, "own", "bought", 100, 100, regret, 0.6 * regret,
        1.4 * regret, {"latency": latency, "cost": 5.0}, None, 1.0, "appraised", "", None, None, True,
    )  # fmt: skip
    n = np.ones(100)
    hours = np.arange(100)
    usd, at_s = np.full(100, regret / 100, dtype=np.float64), (START.timestamp() + hours * 3600.0).astype(np.float64)
    zeros = np.zeros(100, dtype=np.int64)
    flow = Flow(zeros, zeros, zeros + 1, zeros > 0, hours, n, usd, at_s)
    return standing([lost], [lost], {1: flow}, WINDOW, 3600.0)


def waits(own: float, bought: float = 0.0, *, is_explored: bool = False) -> list[Waits]:
    return [
        Waits(1, 0, 0, is_explored, 100, own, ("engine-a",)),
        Waits(1, 1, 1, False, 20, bought, ("engine-a",) if bought else ()),
        Waits(2, 0, 0, False, 10, 99.0, ("engine-b",)),
    ]


def test_what_is_waited_more_than_with_the_better_option_is_a_consequence() -> None:
    # With 2 USD the bought one waits 0.1 USD a task as well: 20 of the 30 are the own one's. At most is what latency lost.
    for seen, usd_per_day in ((waits(30.0), 3.0), (waits(30.0, 2.0), 2.0), (waits(500.0), 4.0)):
        found = consequence(place(), seen)
        assert found is not None
        assert (found.usd_per_day, found.engines) == (pytest.approx(usd_per_day), ("engine-a",))


def test_it_is_told_by_the_same_days_as_the_loss() -> None:
    found = consequence(replace(place(), spread_days=20.0), waits(30.0))
    assert found is not None
    assert found.usd_per_day == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("of", "seen"),
    [
        (place(latency=0.0), waits(30.0)),
        (place(latency=-40.0), waits(30.0)),
        (place(), waits(0.0)),
        (place(), waits(30.0, 6.0)),
        (place(), waits(30.0, is_explored=True)),
        (place(), waits(30.0)[:1]),
    ],
    ids=["no latency", "faster as chosen", "nobody waits", "the better one waits as long", "tries", "better one never tried"],
)
def test_no_consequence_is_made_up(of: Standing, seen: list[Waits]) -> None:
    assert consequence(of, seen) is None


def test_what_is_lost_besides_is_what_the_look_says() -> None:
    look = look_of(4.0, half=1.0)
    rest = without(look, Consequence(1.5, ("engine-a",)))
    assert (rest.usd_per_day, rest.is_discovery, rest.change) == (2.5, True, look.change)
    assert (rest.low, rest.high) == pytest.approx((2.5 - 1.011, 2.5 + 1.011), abs=0.001)
    assert [day.usd for day in rest.days] == pytest.approx([0.625 * day.usd for day in look.days])
    assert rest.terms[-1].usd_per_day == 1.5
    assert "$1.50 of these $4.00 a day are waiting on engine-a" in rest.sentence
    nothing = without(look, Consequence(3.5, ("engine-a",)))
    assert (nothing.usd_per_day, nothing.is_discovery) == (0.5, False)
    assert nothing.change == "Nothing here: mend the crowding of engine-a first."
    assert nothing.detail["consequence_of"] == {
        "mode": "serving_congestion", "engines": ["engine-a"], "usd_per_day": 3.5, "before_usd_per_day": 4.0
    }  # fmt: skip
    unknown = replace(look_of(None))
    assert without(unknown, Consequence(1.0, ("engine-a",))) is unknown
