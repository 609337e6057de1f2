"""What tasks could be moved to, and the best of it, against loops over all there is; and what no allocation can do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocation.moves import moves
from allocation.period import ClassTotals, Compared, Limit, Period, Stated, Together
from allocation.prices import find_prices
from allocation.programme import taken
from allocation.what_if import Supposed, as_it_was, respond
from tests import naive_together as naive

DAY_S = 86_400.0
amounts = st.integers(0, 40).map(lambda x: x / 4)
shares = st.integers(0, 20).map(lambda x: x / 20)
counts = st.integers(0, 3)


@st.composite
def periods(draw: st.DrawFn) -> Period:
    """One class with some comparisons; tasks that have some of them, one to several decisions each."""
    sizes = draw(st.lists(st.integers(2, 3), min_size=1, max_size=3))
    means = [
        np.array([[draw(shares if outcome == 0 else amounts) for _ in range(k)] for outcome in range(4)], dtype=np.float64)
        for k in sizes
    ]
    together: list[Together] = []
    for _ in range(draw(st.integers(1, 5))):
        found = {place: np.array([draw(counts) for _ in range(k)], dtype=np.float64) for place, k in enumerate(sizes)}
        found = {place: chosen for place, chosen in found.items() if chosen.sum() > 0}
        if found:
            together.append(Together("a", float(draw(st.integers(1, 3))), draw(amounts), found))
    seen = sorted({place for one in together for place in one.chosen})
    together = [Together("a", one.tasks, one.v_usd, {seen.index(k): v for k, v in one.chosen.items()}) for one in together]
    compared = tuple(
        Compared(
            "a", f"kind {place}", tuple(f"option {k}" for k in range(sizes[old])), np.array([1.0]),
            sum((one.chosen[place] for one in together if place in one.chosen), np.zeros(sizes[old]))[None],
            means[old], means[old][None], draw(st.sampled_from([1.0, 1.0, 1.5])),
        )
        for place, old in enumerate(seen)
    )  # fmt: skip
    untold = ClassTotals("a", 1, 1, 0.0, 0.0, 0.0, 0, None, None)
    of = Period(DAY_S, (untold,), (), {"a": Stated(), "": Stated()}, compared, tuple(together))
    n = int(sum(one.tasks for one in together)) or 1
    took = [
        sum(one.tasks * naive.level(of, row, of.means(), outcome) for row, one in enumerate(together)) for outcome in (1, 2, 3)
    ]
    totals = ClassTotals("a", n, n, took[0], took[1], took[2], 0, None, None)
    lam = draw(st.sampled_from([0.0, 0.1, 1.0]))
    return Period(DAY_S, (totals,), (), {"a": Stated(lambda_usd_per_s=lam, rho=0.5), "": Stated()}, compared, tuple(together))


@settings(max_examples=60, deadline=None)
@given(of=periods())
def test_the_table_of_moves_is_that_of_loops(of: Period) -> None:
    if not of.together:
        return
    laid = moves(of)
    table = laid.table(of.means())
    for one in naive.moves(of, of.means()):
        column = 0 if one.place is None else laid.parts[one.place].first + one.option
        found = table[one.group, :, column]
        if np.isnan(found).all():  # what the group took anyway
            assert one.more == pytest.approx((0.0,) * 4, abs=1e-9)
        else:
            assert found == pytest.approx(one.more, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(of=periods(), sla_s=amounts)
def test_the_best_allocation_is_that_of_loops_and_takes_no_less_than_nothing(of: Period, sla_s: float) -> None:
    lam = of.stated["a"].lambda_usd_per_s or 0.0
    free = naive.best(of, lam, 0.5, None) if of.together else None
    found = find_prices(of)
    if free is not None:
        assert found.net_usd == pytest.approx(free[0], abs=1e-6)
    held = Period(
        of.seconds, of.classes, (Limit("latency_sla a", "latency_sla", "a", sla_s),), of.stated, of.compared, of.together
    )
    kept = naive.best(held, 0.0, 0.5, sla_s) if of.together else None
    solved = find_prices(held)
    if of.together:
        assert (kept is None) == bool(solved.solved.dropped)
    if kept is not None:
        assert solved.net_usd == pytest.approx(kept[0], abs=1e-6)
    for each in (found, solved):
        for compared, best in zip(of.compared, taken(each.solved, moves(of)), strict=True):
            assert best.sum() == pytest.approx(compared.decisions)
            assert (best >= -1e-9).all()
    told = respond(of, Supposed("latency_sla", "a", sla_s)).after.taken
    was = as_it_was(of, "a")
    for name in ("cost_usd_per_day", "latency_s", "loss_usd_per_day"):
        assert getattr(told, name).value >= 0.0
        assert getattr(was, name).value >= 0.0
