"""Several tenants on one engine, solved on paper: limits of their own, what cannot be moved, and what estimates contradict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allocation.clearing import Tenant, clear, demand, dual
from allocation.errors import AllocationError
from allocation.market import Party, Placed, Use, clear_market, over, place
from allocation.period import ClassTotals, Compared, Limit, Period, Stated
from tests.periods import apart

DAY_S = 86_400.0
WORTH = {"a": 0.5, "b": 1.0}
"""V of the tenants' tasks. The engine's option brings 0.3 less quality than the other, costs 0.4 less and takes 100 units."""


def held_to_seconds(seconds: float) -> Tenant:
    """Ten tasks that take 10 s each, or 4 s and a unit of the engine for a dollar; in all they may take so many seconds."""
    net, use, taken = np.array([[0.0, -1.0]]), np.array([[[0.0, 1.0]]]), np.array([[[10.0, 4.0]]])
    return Tenant("held", np.array([10.0]), net, use, taken, np.array([seconds]))


FREE = Tenant("free", np.array([10.0]), np.array([[0.0, 2.0]]), np.array([[[0.0, 1.0]]]))


def test_a_tenant_keeps_limits_of_its_own() -> None:
    """Whoever must be fast does not give way to whoever only gains by it: its seconds get dearer instead."""
    found = clear([held_to_seconds(70), FREE], np.array([8.0]))
    assert (found.clears, found.agrees) == (True, True)
    assert found.price[0] == pytest.approx(2.0)
    assert found.groped[0] == pytest.approx(2.0, rel=1e-6)
    assert found.takes[:, 0] == pytest.approx([5.0, 3.0])
    assert found.least[:, 0] == pytest.approx([5.0, 0.0], abs=1e-4)
    assert found.most[:, 0] == pytest.approx([5.0, 10.0], abs=1e-4)
    assert demand(held_to_seconds(70), np.array([1e6]))[0] == pytest.approx([5.0, 5.0])


def test_limits_that_need_more_than_there_is() -> None:
    with pytest.raises(AllocationError, match=r"tenants need at least \[5.0\] of a capacity of \[4.0\]"):
        clear([held_to_seconds(70), FREE], np.array([4.0]))
    with pytest.raises(AllocationError, match="tenant 'held' cannot keep limits of its own"):
        clear([held_to_seconds(30), FREE], np.array([4.0]))
    with pytest.raises(AllocationError, match="taken has shape"):
        clear([replace(FREE, taken=np.zeros((2, 1, 2)), left=np.zeros(1))], np.array([4.0]))


def test_it_does_not_depend_on_units() -> None:
    """Millions of tokens for hundredths of a cent clear as exactly as one for a dollar."""
    tenants = [held_to_seconds(70), FREE]
    small = [replace(one, net_usd=one.net_usd * 1e-4, use=one.use * 1e6) for one in tenants]
    assert dual(small, np.array([8e6]))[0] == pytest.approx(2e-10, rel=1e-9)
    found = clear(small, np.array([8e6]))
    assert (found.agrees, found.groped[0]) == (True, pytest.approx(2e-10, rel=1e-6))


def period(v_usd: float, *, limits: tuple[Limit, ...] = (), tasks: int = 40, deviation: float = 0.0) -> Period:
    """A day of one class, half of it at either option; `deviation` of the options' drawn quality."""
    means = np.array([[0.6, 0.9], [0.05, 0.45], [10.0, 4.0], [0.0, 0.0]])
    draws = np.repeat(means[None], 50, axis=0)
    draws[:, 0, 0] += deviation * np.random.default_rng(7).standard_normal(50)
    compared = Compared("fix", "route", ("own", "far"), np.array([v_usd]), np.full((1, 2), tasks / 2), means, draws)
    totals = ClassTotals("fix", tasks, tasks, tasks * 0.25, tasks * 7.0, 0.0, tasks, v_usd, 0.0)
    together = apart([replace(compared, v_usd=np.array([v_usd, v_usd]), chosen=np.diag([tasks / 2, tasks / 2]))])
    whole = Period(DAY_S, (totals,), limits, {"fix": Stated()}, (compared,), together)
    return over(whole, DAY_S, {"fix": float(tasks)}, [True])


def placed(name: str, *, measured: float = 2_000.0, error: float = 0.0, **of: object) -> Placed:
    use = Use(np.array([100.0, 0.0]), np.array([error, 0.0]), np.array([20.0, 20.0]))
    found = place(Party(name, period(WORTH[name], **of), (use,), measured))  # pyright: ignore[reportArgumentType]
    assert isinstance(found, Placed), found
    return found


@pytest.mark.parametrize(
    ("capacity", "usd", "takes"),
    [(9_000.0, 0.0, (4_000, 4_000)), (6_000.0, 0.001, (4_000, 2_000)), (1_000.0, 0.0025, (1_000, 0))],
)
def test_whoever_gains_least_gives_way(capacity: float, usd: float, takes: tuple[float, float]) -> None:
    found = clear_market([placed("a"), placed("b")], {}, capacity, DAY_S, draws=5)
    assert (found.price.value, found.groped) == (pytest.approx(usd, abs=1e-12), pytest.approx(usd, abs=1e-9))
    assert found.agrees
    assert tuple(one.takes * DAY_S for one in found.takings) == pytest.approx(takes, abs=1e-6)
    assert [one.pays_usd_per_day for one in found.takings] == pytest.approx([usd * units for units in takes], abs=1e-9)
    assert found.is_slack == (usd == 0)


def test_what_cannot_be_moved_comes_off_first() -> None:
    """A tenant took 500 more than its decisions did, another has no decisions at all."""
    found = clear_market([placed("a", measured=2_500.0), placed("b")], {"c": 300.0}, 6_800.0, DAY_S)
    assert found.price.value == pytest.approx(0.001)
    takes = {one.tenant: one.takes * DAY_S for one in found.takings}
    assert takes == {"a": pytest.approx(4_500), "b": pytest.approx(2_000), "c": pytest.approx(300)}
    assert (found.price.low, found.price.high) == (None, None)
    with pytest.raises(AllocationError, match="what cannot be moved takes"):
        clear_market([placed("a")], {"c": 300.0}, 200.0, DAY_S)


def test_an_sla_of_a_tenant_is_kept_in_the_market() -> None:
    """A mean of 7 s is what half of the tasks at either option take: the other half may not move to the slower engine."""
    limits = (Limit("latency_sla fix", "latency_sla", "fix", 7.0),)
    found = clear_market([placed("a", limits=limits), placed("b")], {}, 5_000.0, DAY_S)
    assert [one.free * DAY_S for one in found.takings] == pytest.approx([2_000, 4_000], abs=1e-3)
    assert found.price.value == pytest.approx(0.001)
    assert [one.takes * DAY_S for one in found.takings] == pytest.approx([2_000, 3_000], abs=1e-3)


def test_the_interval_holds_what_estimates_leave_open_and_is_the_same_again() -> None:
    of = [placed("a", deviation=0.02, error=3.0), placed("b", deviation=0.02, error=3.0)]
    first, again = (clear_market(of, {}, 6_000.0, DAY_S, draws=50, seed=3) for _ in range(2))
    assert first == again
    low, value, high = first.price.low, first.price.value, first.price.high
    assert low is not None
    assert high is not None
    assert value == pytest.approx(0.001)
    assert 0.0005 < low < 0.00095
    assert 0.00105 < high < 0.002


def test_together_or_not_at_all() -> None:
    use = Use(np.array([100.0, 0.0]), np.zeros(2), np.array([20.0, 20.0]))
    whole = [place(Party(name, period(v_usd), (use,), 2_000.0), whole=True) for name, v_usd in WORTH.items()]
    parties = [one for one in whole if isinstance(one, Placed)]
    found = clear_market(parties, {}, 5_000.0, DAY_S, whole=True)
    assert not found.clears
    assert found.why.startswith("no clearing price: at [0.001] tenants take from [4000.0] to [8000.0] of [5000.0]")
    assert [one.clears for one in (clear_market(parties, {}, 6_000.0, DAY_S, whole=True),)] == [True]


def test_what_is_not_identified_is_not_moved() -> None:
    use = Use(np.array([100.0, 0.0]), np.zeros(2), np.full(2, 20.0))
    assert place(Party("a", period(0.5), (use,), 1_000.0)) == (
        "its options are estimated to have taken 2000 units where its requests took 1000: what they take is not identified"
    )
    nothing = Use(np.zeros(2), np.zeros(2), np.full(2, 20.0))
    assert place(Party("a", period(0.5), (nothing,), 0.0)) == "no option of its decisions takes anything of it"
    assert place(Party("a", over(period(0.5), DAY_S, {"fix": 40.0}, [False]), (), 0.0)) == (
        "it has no decision with known alternatives"
    )


def test_a_window_has_the_proportions_of_the_period() -> None:
    found = over(period(0.5), 2 * DAY_S, {"fix": 10.0}, [True])
    assert (found.days, found.classes[0].tasks, found.classes[0].cost_usd) == (2.0, 10.0, pytest.approx(2.5))
    assert found.compared[0].decisions == pytest.approx(10.0)
    assert sum(one.tasks for one in found.together) == pytest.approx(10.0)
    assert over(period(0.5), DAY_S, {}, [True]).classes == ()
