"""A limit that is moved: on a period small enough to be solved on paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allocation.curve import curve_of
from allocation.errors import AllocationError
from allocation.period import ClassTotals, Compared, Limit, Period, Stated
from allocation.prices import find_prices
from allocation.stored import alternative_rows, class_rows, limit_rows, period_of, together_rows
from allocation.what_if import Supposed, level_of, respond, suppose
from dashboard.what_if_words import sentence
from tests.periods import apart

DAY_S = 86_400.0
N = 100
V_USD = 2.0
SPREAD = 0.05
CHEAP, FRONTIER = (0.6, 0.05, 10.0, 0.20), (0.9, 0.45, 4.0, 0.05)
"""Quality, USD, seconds and expected loss of a task. The frontier gains V·0.3 = 0.60 for 0.40 more."""


def period(*limits: Limit, spread: float = 0.0, policy: Stated | None = None, v_usd: float = V_USD) -> Period:
    """A day of a hundred tasks, half of which went to either option."""
    means = np.array([CHEAP, FRONTIER]).T
    draws = np.repeat(means[None], 40, axis=0)
    draws[:, 0] = (draws[:, 0] + spread * np.random.default_rng(1).standard_normal((40, 2))).clip(0.0, 1.0)
    compared = Compared("a", "route", ("cheap", "frontier"), np.array([v_usd]), np.array([[50.0, 50.0]]), means, draws)
    took = ClassTotals("a", N, N, 25.0, 700.0, 12.5, N, v_usd, 0.0)
    labels = {"a", "*", "", *(one.pattern for one in limits)}
    return Period(DAY_S, (took,), limits, dict.fromkeys(labels, policy or Stated()), (compared,), apart((compared,)))


def test_without_limits_the_best_is_taken_and_nothing_has_a_price() -> None:
    found = find_prices(period())
    assert [one.best for one in found.allocation] == [0.0, N]
    assert found.net_usd == pytest.approx(N / 2 * (V_USD * 0.3 - 0.4))
    assert found.multipliers == {}


@pytest.mark.parametrize(
    ("supposed", "gain", "price", "frontier", "enough"),
    [
        # Each frontier nets 0.20 more than a cheap one, for 0.40 USD, −6 s and −0.15 of loss.
        (Supposed("compute_budget", "*", 25.0), -0.2 * 50, 0.2 / 0.4, 50.0, 45.0),
        (Supposed("compute_budget", "*", 50.0), 0.0, 0.0, 100.0, 45.0),
        (Supposed("compute_budget", "a", 15.0), -0.2 * 75, 0.2 / 0.4, 25.0, 45.0),
        (Supposed("latency_sla", "a", 7.0), 0.0, 0.0, 100.0, 4.0),
    ],
)
def test_a_limit_costs_what_it_keeps_from_being_done(
    supposed: Supposed, gain: float, price: float, frontier: float, enough: float
) -> None:
    response = respond(period(), supposed)
    assert response.gain.value == pytest.approx(gain, abs=1e-9)
    assert response.after.price.value == pytest.approx(price, abs=1e-9)
    assert response.after.found.allocation[1].best == pytest.approx(frontier)
    assert (response.before.level, response.before.price.value, response.after.level) == (None, 0.0, supposed.level)
    curve = curve_of(period(), supposed, response)
    assert curve is not None
    assert curve.enough == pytest.approx(enough)
    assert curve.at(supposed.level or 0.0) == pytest.approx(gain, abs=1e-9)


def test_where_the_cheap_one_is_best_an_sla_buys_seconds() -> None:
    """With V = 0.5 a frontier loses 0.25 and saves 6 s: λ is 0.25/6, and a second of the mean task costs a hundred of these."""
    supposed = Supposed("latency_sla", "*", 7.0)
    response = respond(period(v_usd=0.5), supposed)
    assert response.after.price.value == pytest.approx(N * 0.25 / 6)
    assert response.gain.value == pytest.approx(-0.25 * 50)
    lam = response.after.found.of("a")
    assert lam is not None
    assert lam.lam.value == pytest.approx(0.25 / 6)
    taken = response.after.taken
    assert (taken.latency_s.value, taken.cost_usd_per_day.value, taken.loss_usd_per_day.value) == pytest.approx((7.0, 25.0, 12.5))
    assert response.as_it_was.latency_s.value == 7.0
    curve = curve_of(period(v_usd=0.5), supposed, response)
    assert curve is not None
    assert (curve.least, curve.enough) == pytest.approx((4.0, 10.0), abs=1e-6)
    assert curve.at(3.9) is None
    assert [one.price for one in curve.points] == pytest.approx([N * 0.25 / 6, N * 0.25 / 6, 0.0])


def test_a_gain_has_the_interval_of_its_draws() -> None:
    stated = Limit("budget team", "compute_budget", "*", 30 * 25.0, 30 * DAY_S)
    held = period(stated, spread=SPREAD)
    assert level_of(held, "compute_budget", "*") == 25.0
    response = respond(held, Supposed("compute_budget", "*", 35.0))
    (compared,) = held.compared
    by_hand = np.sort([25 * (V_USD * (one[0, 1] - one[0, 0]) - 0.4) for one in compared.draws])
    cut = int(0.025 * 39)
    assert response.gain.value == pytest.approx(25 * 0.2)
    assert (response.gain.low, response.gain.high) == pytest.approx((max(0.0, by_hand[cut]), by_hand[-1 - cut]), abs=1e-9)
    assert response.before.level == 25.0


def test_what_is_stated_is_moved_and_other_limits_stay() -> None:
    stated = (Limit("budget team", "compute_budget", "*", 25.0, DAY_S), Limit("latency_sla *", "latency_sla", "*", 9.0))
    moved = suppose(period(*stated), Supposed("latency_sla", "*", 5.0))
    assert [(one.name, one.amount) for one in moved.limits] == [("budget team", 25.0), ("latency_sla *", 5.0)]
    lifted = suppose(period(*stated), Supposed("compute_budget", "*", None))
    assert [one.name for one in lifted.limits] == ["latency_sla *"]
    further = suppose(period(*stated), Supposed("latency_sla", "code.*", 5.0))
    assert len(further.limits) == 3
    assert "code.*" in further.labels
    with pytest.raises(AllocationError, match="nothing is supposed"):
        respond(period())


def test_a_limit_in_place_of_a_stated_price_is_told_at_the_same_prices() -> None:
    """With ρ = 1 stated, both sides of an envelope are told without it: what losses cost is then its own price."""
    stated = period(policy=Stated(rho=1.0))
    supposed = Supposed("risk_envelope", "a", 12.5)
    response = respond(stated, supposed)
    assert response.gain.value == pytest.approx(0.0)
    assert "in place of the ρ that policy states" in sentence(supposed, response, curve_of(stated, supposed, response))


def test_where_nothing_is_known_nothing_is_told() -> None:
    blind = replace(period(), compared=(), together=())
    supposed = Supposed("compute_budget", "*", 20.0)
    response = respond(blind, supposed)
    assert curve_of(blind, supposed, response) is None
    assert response.gain.value is None
    assert "not enough evidence" in sentence(supposed, response, None)


@pytest.mark.parametrize(
    ("stated_usd", "moved_usd", "said"),
    [
        (20.0, 30.0, "Raising the budget for all tasks from $20.00 a day to $30.00 a day would bring $5.00 a day"),
        (30.0, 20.0, "from $30.00 a day to $20.00 a day would cost $5.00 a day"),
        (30.0, 30.0, "of $30.00 a day binds: a dollar more would bring $0.50 a day, net of compute"),
        (30.0, 4.0, "No choice among the options that are known keeps a budget for all tasks of $4.00"),
        (60.0, 60.0, "is slack: more of it brings nothing. It begins to bind below $45.00 a day"),
        (60.0, 90.0, "would change nothing: it binds only below $45.00 a day"),
        (60.0, None, "No budget is stated for all tasks; it would begin to bind below $45.00 a day"),
    ],
)
def test_what_moving_it_would_do_is_one_sentence(stated_usd: float, moved_usd: float | None, said: str) -> None:
    supposed = Supposed("compute_budget", "*", moved_usd)
    of = period(Limit("budget team", "compute_budget", "*", stated_usd, DAY_S))
    response = respond(of, supposed)
    assert said in sentence(supposed, response, curve_of(of, supposed, response))


def test_beyond_what_is_enough_more_brings_nothing() -> None:
    of = period(Limit("budget team", "compute_budget", "*", 20.0, DAY_S))
    supposed = Supposed("compute_budget", "*", 30.0)
    assert sentence(supposed, respond(of, supposed), curve_of(of, supposed, respond(of, supposed))).endswith(
        "; beyond $45.00 a day more of it brings nothing."
    )


def test_what_is_kept_in_rows_is_read_as_it_was() -> None:
    of = period(Limit("budget team", "compute_budget", "*", 20.0, DAY_S), spread=SPREAD, policy=Stated(rho=0.1))
    row = {"period_s": of.seconds, "classes": class_rows(of), "limits": limit_rows(of), "together": together_rows(of)}
    again = period_of(row, alternative_rows(of))
    assert (again.classes, again.limits, again.stated, again.labels) == (of.classes, of.limits, of.stated, of.labels)
    (ours,), (theirs,) = again.compared, of.compared
    assert (ours.task_class, ours.kind, ours.options) == (theirs.task_class, theirs.kind, theirs.options)
    assert (ours.alike, again.together[0].tasks, again.together[0].v_usd) == (theirs.alike, N, V_USD)
    assert {place: chosen.tolist() for place, chosen in again.together[0].chosen.items()} == {0: [50.0, 50.0]}
    for name in ("v_usd", "chosen", "means", "draws"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
