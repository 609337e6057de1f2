"""Decisions of one task are chosen together: on periods small enough to be solved on paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allocation.curve import curve_of
from allocation.errors import AllocationError
from allocation.moves import moves
from allocation.period import LATENCY, ClassTotals, Compared, Limit, Period, Stated, Together
from allocation.prices import find_prices
from allocation.problem import Floats
from allocation.what_if import Supposed, respond
from dashboard.what_if_words import sentence

DAY_S = 86_400.0
REUSED, FLEET, MINI = 200.0, 600.0, 200.0
REUSE_S, FLEET_S, MINI_S = 0.5, 40.0, 8.0
WORK_S = (FLEET * FLEET_S + MINI * MINI_S) / (FLEET + MINI)
TOOK_S = (REUSED * REUSE_S + FLEET * FLEET_S + MINI * MINI_S) / (REUSED + FLEET + MINI)


def outcomes(*latency_s: float, quality: float = 0.9, cost_usd: float = 0.01) -> Floats:
    """Options (4, K) that differ in seconds, and a little in quality: what is quicker is worse."""
    k = len(latency_s)
    return np.array([[quality - 0.01 * (max(latency_s) - one) for one in latency_s], [cost_usd] * k, list(latency_s), [0.0] * k])


def compared(kind: str, chosen: list[float], means: Floats, alike: float = 1.0) -> Compared:
    names = tuple(f"option {k}" for k in range(len(chosen)))
    return Compared("faq", kind, names, np.array([1.0]), np.array([chosen]), means, np.repeat(means[None], 3, axis=0), alike)


def tasks(number: float, **chosen: list[float]) -> Together:
    return Together("faq", number, 1.0, {int(place[1:]): np.array(counts) for place, counts in chosen.items()})


def period(of: tuple[Compared, ...], together: tuple[Together, ...], mean_s: float, *limits: Limit, n: int = 0) -> Period:
    number = n or int(sum(one.tasks for one in together))
    took = ClassTotals("faq", number, number, 0.01 * number, mean_s * number, None, 0, None, None)
    return Period(DAY_S, (took,), limits, dict.fromkeys({"faq", "*", ""}, Stated()), of, together)


def nested(*limits: Limit) -> Period:
    """A question that was answered before is reused, or worked on; only then it is routed, to a fleet or a small model."""
    return period(
        (
            compared("reuse", [REUSED, FLEET + MINI], outcomes(REUSE_S, WORK_S)),
            compared("route", [FLEET, MINI], outcomes(FLEET_S, MINI_S)),
        ),
        (
            tasks(REUSED, _0=[REUSED, 0.0]),
            tasks(FLEET, _0=[0.0, FLEET], _1=[FLEET, 0.0]),
            tasks(MINI, _0=[0.0, MINI], _1=[0.0, MINI]),
        ),
        TOOK_S,
        *limits,
    )  # fmt: skip


def side_by_side(*limits: Limit) -> Period:
    """Two kinds of decision in every task, each of which saves 5 of its 8 seconds."""
    return period(
        (compared("route", [100.0, 0.0], outcomes(8.0, 3.0)), compared("verify", [100.0, 0.0], outcomes(8.0, 3.0))),
        (tasks(100.0, _0=[100.0, 0.0], _1=[100.0, 0.0]),),
        8.0,
        *limits,
    )


def sla(seconds: float) -> Limit:
    return Limit("latency_sla faq", "latency_sla", "faq", seconds)


def test_a_decision_that_is_not_made_takes_what_it_did_with_it() -> None:
    of = nested()
    table = moves(of).table(of.means())[:, LATENCY]
    expected = [
        [0.0, np.nan, WORK_S - REUSE_S, np.nan, np.nan],
        [0.0, REUSE_S - FLEET_S, np.nan, np.nan, MINI_S - FLEET_S],
        [0.0, REUSE_S - MINI_S, np.nan, FLEET_S - MINI_S, np.nan],
    ]
    np.testing.assert_allclose(table, expected, atol=1e-12)


@pytest.mark.parametrize("seconds", [15.0, 4.0, 0.6])
def test_the_best_total_is_never_below_what_the_best_option_takes(seconds: float) -> None:
    """Added up, a reuse and a small model saved the same seconds twice: the total was below nothing, and every SLA slack."""
    of = nested(sla(seconds))
    response = respond(of, Supposed("latency_sla", "faq", seconds))
    total = response.before.taken.latency_s.value
    assert total is not None
    assert REUSE_S - 1e-9 <= total <= seconds + 1e-9
    curve = curve_of(
        nested(), Supposed("latency_sla", "faq", seconds), respond(nested(), Supposed("latency_sla", "faq", seconds))
    )
    assert curve is not None
    assert curve.least == pytest.approx(REUSE_S, abs=1e-6)


def test_below_the_best_option_no_sla_can_be_kept() -> None:
    found = find_prices(nested(sla(0.4)))
    row = found.of("faq")
    assert row is not None
    assert (found.status, row.lam.value, row.constraints) == ("infeasible", None, [])
    assert row.why.endswith("by changing one kind of decision in each task")


def test_two_comparisons_of_one_task_are_not_added() -> None:
    of = side_by_side()
    curve = curve_of(of, Supposed("latency_sla", "faq", 5.0), respond(of, Supposed("latency_sla", "faq", 5.0)))
    assert curve is not None
    assert (curve.least, curve.enough) == pytest.approx((3.0, 8.0), abs=1e-6)
    assert find_prices(side_by_side(sla(2.0))).status == "infeasible"


def test_of_a_moved_task_only_the_decisions_of_one_kind_change() -> None:
    found = find_prices(side_by_side(sla(5.0)))
    moved = [one.best for one in found.allocation if one.option == "option 1"]
    assert sum(moved) == pytest.approx(60.0)
    assert [one.best for one in found.allocation] == pytest.approx([100 - moved[0], moved[0], 100 - moved[1], moved[1]])


@pytest.mark.parametrize(("alike", "seconds"), [(1.0, -15.0), (3.0, -5.0), (1.5, -10.0)])
def test_an_effect_counts_for_the_decisions_it_does_not_speak_for_already(alike: float, seconds: float) -> None:
    of = period(
        (compared("route", [30.0, 0.0], outcomes(20.0, 15.0), alike),), (tasks(10.0, _0=[30.0, 0.0]),), 20.0
    )  # fmt: skip
    assert moves(of).table(of.means())[0, LATENCY, 2] == pytest.approx(seconds)


def test_where_a_decision_is_made_less_often_only_what_speaks_against_the_move_counts() -> None:
    """Under option 1 of the route half as many tasks are verified. What verifying took beyond its mean does not count as saved,
    what it saved counts as lost."""
    of = period(
        (compared("route", [40.0, 40.0], outcomes(12.0, 10.0)), compared("verify", [30.0, 30.0], outcomes(13.0, 9.0))),
        (
            tasks(20.0, _0=[20.0, 0.0], _1=[20.0, 0.0]), tasks(20.0, _0=[20.0, 0.0], _1=[0.0, 20.0]),
            tasks(10.0, _0=[0.0, 10.0], _1=[10.0, 0.0]), tasks(10.0, _0=[0.0, 10.0], _1=[0.0, 10.0]), tasks(20.0, _0=[0.0, 20.0]),
        ),
        11.0,
    )  # fmt: skip
    table = moves(of).table(of.means())[:, LATENCY]
    assert table[0, 2] == pytest.approx(-2.0)  # verifying took 2 s beyond its mean: half of it would be saved, and is not counted
    assert table[1, 2] == pytest.approx(-2.0 + 0.5 * 2.0)  # it took 2 s less than its mean: half of that is lost


def test_nothing_saves_more_than_was_taken() -> None:
    of = period((compared("route", [40.0, 0.0], outcomes(6.0, 1.0)),), (tasks(10.0, _0=[40.0, 0.0]),), 6.0)
    assert moves(of).table(of.means())[0, LATENCY, 2] == -6.0


def test_less_than_nothing_is_not_identified_and_never_slack() -> None:
    """Tasks took 2 s, and estimates say that the other option saves 5: what an SLA would use is not known, nor is its price."""
    of = period(
        (compared("route", [100.0, 0.0], outcomes(8.0, 3.0, quality=0.5)),), (tasks(100.0, _0=[100.0, 0.0]),), 2.0, sla(4.0)
    )
    means = of.compared[0].means.copy()
    means[0] = 0.5, 0.9
    of = replace(of, compared=(replace(of.compared[0], means=means),))
    found = find_prices(of)
    row = found.of("faq")
    assert row is not None
    assert (row.lam.value, row.lambda_source, row.constraints, found.constraints) == (None, "dual", [], [])
    assert "comes out below nothing" in row.why
    supposed = Supposed("latency_sla", "faq", 3.0)
    response = respond(of, supposed)
    curve = curve_of(of, supposed, response)
    assert (response.before.taken.latency_s.value, response.after.taken.latency_s.value, response.gain.value, curve) == (
        None,
    ) * 4
    assert response.after.price.value is None
    assert "at best less than nothing of it would be used" in sentence(supposed, response, curve)


@pytest.mark.parametrize(
    ("together", "why"),
    [
        ((), "1000 decisions of reuse of 'faq' are compared, tasks hold 0"),
        ((tasks(1.0, _2=[1.0, 0.0]),), "no decisions of comparison 2"),
        ((tasks(1.0, _0=[0.0, 0.0]),), "no decisions of comparison 0"),
        ((tasks(0.0, _0=[1.0, 0.0]),), "0.0 tasks of 'faq' have 1 comparisons"),
        ((replace(tasks(1.0, _0=[1.0, 0.0]), task_class="other"),), "tasks of 'other' have no decisions of comparison 0"),
    ],
)
def test_decisions_are_of_tasks(together: tuple[Together, ...], why: str) -> None:
    with pytest.raises(AllocationError, match=why.replace("(", r"\(")):
        replace(nested(), together=together)
