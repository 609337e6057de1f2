"""Tasks whose decisions are chosen together: how they are grouped, drawn and weighed, and what one effect speaks for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allocation.curve import curve_of
from allocation.period import LATENCY, ClassTotals, Period, Stated
from allocation.what_if import Supposed, respond
from analyzers.attribution.choices import Choices
from analyzers.effects.estimate import Floats, Ints
from analyzers.prices import alternatives, together
from analyzers.prices.alternatives import Alternatives, chosen_alike, drawn_at, find_alternatives
from analyzers.prices.together import class_rows, compare

TASKS = 600
EACH = 3
BASE_S, SLOW_S = 2.0, 5.0


def keys(n: int, seed: int = 0) -> Ints:
    """Hashes of so many tasks."""
    return np.random.default_rng(seed).integers(-(2**62), 2**62, n)


def decided(kind: str, task: Ints, chosen: Ints, v_usd: float | Floats = 1.0, **other: float) -> Alternatives:
    scores = np.full((4, len(task), 2), 0.5)
    worth = np.broadcast_to(np.asarray(v_usd, dtype=np.float64), len(task))
    return Alternatives("a", kind, ("one", "two"), chosen, task, worth, scores, **other)  # pyright: ignore[reportArgumentType]


def routed(chosen: Ints, latency_s: Floats) -> Choices:
    """Decisions drawn with probability a half and logged, so many to each task, whose seconds are those of the whole task."""
    n = chosen.size
    nothing = np.full(n, np.nan)
    return Choices(
        ("fast", "slow"), chosen.reshape(-1), np.repeat(np.arange(len(chosen)), EACH), np.zeros(n), np.full(n, 0.9),
        np.full(n, 0.01), nothing, np.repeat(latency_s, EACH), nothing,
        np.full(n, 1.0), nothing, nothing, np.full(n, 0.5), None, "logged",
        np.zeros((n, 0)), (),
    )  # fmt: skip


@pytest.mark.parametrize("is_sticky", [True, False])
def test_effects_of_decisions_chosen_alike_are_counted_once_and_of_others_each(is_sticky: bool) -> None:
    """Every slow decision adds 5 s to its task. All fast, tasks take 2 s, whether a router keeps to its choice or draws anew."""
    draw = np.random.default_rng(4)
    chosen = draw.integers(0, 2, (TASKS, 1)).repeat(EACH, axis=1) if is_sticky else draw.integers(0, 2, (TASKS, EACH))
    latency_s = BASE_S + SLOW_S * chosen.sum(axis=1)
    found = find_alternatives(routed(chosen, latency_s), np.repeat(keys(TASKS), EACH), "a", "route", 0)
    assert isinstance(found, Alternatives)
    assert found.alike == pytest.approx(EACH if is_sticky else 1.0, abs=1e-9 if is_sticky else 0.15)
    effect = np.diff(found.means()[LATENCY]).item()
    assert effect == pytest.approx(EACH * SLOW_S if is_sticky else SLOW_S, rel=0.1)
    compared, groups = compare([found], 0, 1)
    took = ClassTotals("a", TASKS, TASKS, 0.01 * TASKS, float(latency_s.sum()), None, 0, None, None)
    of = Period(86_400.0, (took,), (), {"a": Stated(), "": Stated()}, compared, groups)
    supposed = Supposed("latency_sla", "a", 5.0)
    curve = curve_of(of, supposed, respond(of, supposed))
    assert curve is not None
    assert curve.least == pytest.approx(BASE_S, abs=0.8)  # counted as if chosen apart, a sticky router's would save 15 s thrice


def test_one_decision_a_task_speaks_for_itself() -> None:
    weights = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    assert chosen_alike(weights, np.ones(3, dtype=np.bool_), np.arange(3)) == 1.0
    assert chosen_alike(weights, np.array([True, True, False]), np.array([0, 1, 0])) == 1.0
    assert chosen_alike(weights, np.ones(3, dtype=np.bool_), np.array([0, 1, 0])) == pytest.approx(4 / 3)


def test_tasks_are_alike_in_worth_and_in_what_each_kind_of_decision_took() -> None:
    task = np.arange(6)
    reuse = decided("reuse", task, np.array([0, 1, 1, 1, 1, 1]), np.array([1.0, 1.0, 1.0, 1.0, 1.0, 9.0]))
    route = decided("route", np.array([1, 2, 2, 2, 5]), np.array([0, 1, 1, 0, 0]), np.array([1.0, 1.0, 1.0, 1.0, 9.0]))
    compared, groups = compare([reuse, route], 0, 2)
    found = [(one.v_usd, one.tasks, {place: counts.tolist() for place, counts in one.chosen.items()}) for one in groups]
    assert [(v_usd, tasks) for v_usd, tasks, _ in found].count((1.0, 2.0)) == 1  # tasks 3 and 4
    chosen = [chosen for *_, chosen in found]
    assert {0: [0.0, 1.0], 1: [1.0, 2.0]} in chosen
    assert {0: [0.0, 2.0]} in chosen
    assert {0: [1.0, 0.0]} in chosen
    assert chosen.count({0: [0.0, 1.0], 1: [1.0, 0.0]}) == 2  # worth 1 and 9
    assert [one.chosen.sum(axis=0).tolist() for one in compared] == [[1.0, 5.0], [3.0, 2.0]]


def test_of_too_many_groups_worth_goes_first_and_then_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    task = np.arange(60)
    draw = np.random.default_rng(0)
    of = [
        decided("reuse", task, draw.integers(0, 2, 60), draw.random(60)),
        decided("route", task[:40], draw.integers(0, 2, 40)),
    ]
    sizes: list[int] = []
    for most in (200, 6, 2):
        monkeypatch.setattr(together, "GROUPS_MAX", most)
        _, groups = compare(of, 0, 1)
        sizes.append(len(groups))
        assert sum(one.tasks for one in groups) == 60
    assert sizes[0] > 6 >= sizes[1] > sizes[2] == 2


def test_of_many_decisions_the_same_tasks_are_drawn_in_every_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison of few decisions is estimated from all of them; groups are made of tasks that were drawn in all."""
    n, each = 4_000, 2
    task = np.repeat(keys(n), each)
    small = task[: 100 * each]
    draw = np.random.default_rng(1)
    monkeypatch.setattr(alternatives, "SAMPLE_MAX", 2_000)
    share = 2_000 / (n * each)
    kept = drawn_at(task, 7) < share
    assert kept.sum() == pytest.approx(2_000, rel=0.1)
    assert (kept.reshape(n, each).sum(axis=1) % each == 0).all()
    large = decided("route", task[kept], draw.integers(0, 2, int(kept.sum())), share=share, weight=n * each / kept.sum())
    whole = decided("verify", small, draw.integers(0, 2, len(small)))
    rows = class_rows([large, whole], 7)
    assert rows[0].all()
    assert set(small[rows[1]]) == set(small) & set(task[kept])
    compared, groups = compare([large, whole], 7, 1)
    assert sum(one.decisions for one in compared) == pytest.approx(n * each + len(small))
    assert sum(one.tasks for one in groups) == pytest.approx(n, rel=0.02)
    assert all(sum(one.chosen.values(), np.zeros(2)).sum() <= 2 * each * one.tasks + 1e-9 for one in groups)


def test_find_alternatives_draws_whole_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = np.random.default_rng(2).integers(0, 2, (TASKS, EACH))
    task = np.repeat(keys(TASKS), EACH)
    monkeypatch.setattr(alternatives, "SAMPLE_MAX", 600)
    found = find_alternatives(routed(chosen, np.ones(TASKS)), task, "a", "route", 3)
    assert isinstance(found, Alternatives)
    assert np.unique(found.task, return_counts=True)[1].tolist() == [EACH] * len(set(found.task))
    assert (found.share, found.weight * len(found.task)) == (pytest.approx(600 / task.size), pytest.approx(task.size))


def test_an_option_without_an_outcome_where_others_had_a_chance_is_left_out() -> None:
    n = 400
    chosen = np.arange(n) % 2
    menu = np.full((n, 3), [0.5, 0.5, 0.0])
    menu[:40] = 0.45, 0.45, 0.1  # never chosen where the first had a chance
    chosen[40:60], menu[40:60] = np.arange(20) % 2 + 1, (0.0, 0.5, 0.5)
    given = routed(np.zeros((n // EACH + 1, EACH), dtype=np.int64), np.ones(n // EACH + 1)).take(np.arange(n))
    known = replace(
        given, options=("one", "two", "three"), chosen=chosen, tasks=np.arange(n), menu=menu,
        propensity=menu[np.arange(n), chosen],
    )  # fmt: skip
    found = find_alternatives(known, keys(n), "a", "route", 0)
    assert isinstance(found, Alternatives)
    assert found.options == ("one", "two")


def test_tasks_are_drawn_anew_alike_in_all_their_comparisons() -> None:
    """Two kinds of decision in the same tasks with the same outcomes move together from replicate to replicate."""
    task = np.arange(50)
    scores = np.random.default_rng(5).random((4, 50, 2))
    of = [replace(decided(kind, task, task % 2), scores=scores) for kind in ("route", "verify")]
    (one, two), _ = compare(of, 0, 20)
    assert np.array_equal(one.draws, two.draws)
    assert one.draws[:, LATENCY, 0].std() > 0
