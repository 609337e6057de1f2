"""Which limits hold which classes, what a period makes of them, and what gives way when they cannot all be kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allocation.period import ClassTotals, Limit, Period, Stated, governed, matches
from allocation.prices import ClassPrices, Found, find_prices
from analyzers.attribution.choices import Choices
from analyzers.effects.estimate import Floats
from analyzers.prices.alternatives import Alternatives, find_alternatives
from analyzers.prices.together import compare


def limit(kind: str, pattern: str, amount: float = 1.0, period_s: float | None = None) -> Limit:
    return Limit(f"{kind} {pattern}", kind, pattern, amount, period_s)  # pyright: ignore[reportArgumentType]  # a kind by name


@pytest.mark.parametrize(
    ("pattern", "task_class", "found"),
    [
        ("*", "code.fix", True),
        ("*", "", True),
        ("code.*", "code.fix", True),
        ("code.*", "code.*", True),
        ("code.*", "", False),
        ("code.fix", "code.*", False),
        ("code.*", "support", False),
        ("code.f*", "code.*", False),
        ("code.fix", "code.fix", True),
    ],
)
def test_patterns_match(pattern: str, task_class: str, found: bool) -> None:
    assert matches(pattern, task_class) is found


def test_the_best_named_limit_of_each_kind_governs() -> None:
    limits = [
        limit("latency_sla", "*"), limit("latency_sla", "code.*"), limit("latency_sla", "code.fix"), limit("risk_envelope", "*"),
        limit("compute_budget", "*"), limit("compute_budget", "code.fix"),
    ]  # fmt: skip
    assert [one.name for one in governed(limits, "code.fix")] == [
        "compute_budget *", "compute_budget code.fix", "latency_sla code.fix", "risk_envelope *",
    ]  # fmt: skip
    assert [one.pattern for one in governed(limits, "code.review") if one.kind == "latency_sla"] == ["code.*"]
    assert [one.pattern for one in governed(limits, "code.*") if one.kind == "latency_sla"] == ["code.*"]
    assert [one.pattern for one in governed(limits, "support") if one.kind == "latency_sla"] == ["*"]


def period(*limits: Limit, classes: tuple[ClassTotals, ...], policy: Stated | None = None, days: float = 10) -> Period:
    labels = {"*", "", *(one.pattern for one in limits), *(one.task_class for one in classes)}
    return Period(days * 86_400, classes, limits, dict.fromkeys(labels, policy or Stated()))


def solved(of: Period, decided: list[Alternatives], seed: int = 0, replicates: int = 5) -> Found:
    compared, together = compare(decided, seed, replicates)
    return find_prices(replace(of, compared=compared, together=together))


def totals(
    name: str, tasks: int, cost_usd: float, latency_s: float, loss_usd: float | None = 0.0, priced: int | None = None
) -> ClassTotals:
    return ClassTotals(name, tasks, tasks if priced is None else priced, cost_usd, latency_s, loss_usd, 0, None, None)


def alternatives(name: str, n: int, v_usd: float, options: Floats, *, spread: float = 0.0, seed: int = 0) -> Alternatives:
    """`n` decisions that all took the first option; each option's quality, cost, latency and loss are known but for a spread."""
    draw = np.random.default_rng(seed)
    scores = np.repeat(options.T[:, None, :], n, axis=1)
    scores[0] += spread * draw.standard_normal((n, len(options)))
    zeros = np.zeros(n, dtype=np.int64)
    names = tuple(f"option {k}" for k in range(len(options)))
    return Alternatives(name, "route", names, zeros, np.arange(n), np.full(n, v_usd), scores)


CHEAP_OR_FRONTIER = np.array([[0.6, 0.05, 10.0, 0.20], [0.9, 0.45, 4.0, 0.05]])


def price(rows: tuple[ClassPrices, ...], label: str) -> ClassPrices:
    return next(row for row in rows if row.task_class == label)


def test_an_sla_of_one_class_leaves_others_alone() -> None:
    both = (totals("a", 100, 5.0, 1000.0), totals("b", 100, 5.0, 1000.0))
    decided = [alternatives(name, 100, 0.5, CHEAP_OR_FRONTIER, seed=k) for k, name in enumerate("ab")]
    found = solved(period(limit("latency_sla", "a", 7.0), classes=both), decided, 0, 20)
    expected = (0.4 - 0.5 * 0.3) / 6
    assert price(found.rows, "a").lam.value == pytest.approx(expected, abs=1e-6)
    assert price(found.rows, "b").lam.value is None
    assert price(found.rows, "*").source == "none"
    assert found.status == "solved"
    assert {one.option: round(one.best) for one in found.allocation if one.task_class == "a"} == {"option 0": 50, "option 1": 50}
    assert {one.option: round(one.best) for one in found.allocation if one.task_class == "b"} == {"option 0": 100, "option 1": 0}


def test_tasks_without_a_cost_are_taken_to_cost_what_others_did() -> None:
    half = period(limit("compute_budget", "*", 10.0, 10 * 86_400.0), classes=(totals("a", 100, 4.0, 0.0, priced=50),))
    [told] = solved(half, [], 0, 5).constraints
    assert (told["used"], told["slack"], told["is_binding"]) == (8.0, 2.0, False)


def test_a_budget_is_taken_in_proportion_and_told_in_its_own_period() -> None:
    month = limit("compute_budget", "*", 30.0, 30 * 86_400.0)
    [told] = solved(period(month, classes=(totals("a", 100, 8.0, 0.0),)), [], 0, 5).constraints
    assert (told["limit"], told["used"]) == (30.0, 24.0)


def test_stated_prices_are_counted_in_dollars_of_compute() -> None:
    """With a dollar worth μ_C, a stated λ of 0.01 is 0.01/μ_C, and so the ratio to V stays as it was stated."""
    said = Stated(v_usd=2.0, lambda_usd_per_s=0.01)
    budget = limit("compute_budget", "*", 20.0, 10 * 86_400.0)
    of = period(budget, classes=(totals("a", 100, 5.0, 1000.0),), policy=said)
    row = price(solved(of, [alternatives("a", 100, 2.0, CHEAP_OR_FRONTIER)], 0, 20).rows, "a")
    worth = row.budget_worth.value
    assert worth is not None
    assert worth == pytest.approx((2 * 0.3 + 0.01 * 6) / 0.4, abs=1e-6)
    assert row.v.value == pytest.approx(2 / worth)
    assert row.lam.value == pytest.approx(0.01 / worth)
    assert (row.lambda_source, row.v_source, row.v_stated_usd) == ("policy", "dual", 2.0)


def test_latency_gives_way_before_risk_and_risk_before_the_budget() -> None:
    """Cheap costs little and waits; the frontier keeps SLA and envelope and breaks the budget."""
    limits = (limit("compute_budget", "*", 6.0, 10 * 86_400.0), limit("latency_sla", "*", 5.0), limit("risk_envelope", "*", 1.98))
    of = period(*limits, classes=(totals("a", 100, 5.0, 1000.0, 20.0),))
    found = solved(of, [alternatives("a", 100, 2.0, CHEAP_OR_FRONTIER)], 0, 10)
    row = price(found.rows, "a")
    assert found.status == "infeasible"
    assert (row.lam.value, row.lambda_source) == (None, "dual")
    assert row.why.startswith("each constraint can be kept, but not together")
    assert row.rho.value is not None
    assert row.budget_worth.value is not None


def test_a_budget_that_cannot_be_kept_leaves_v_unknown() -> None:
    of = period(limit("compute_budget", "*", 1.0, 10 * 86_400.0), classes=(totals("a", 100, 5.0, 0.0),),
                policy=Stated(v_usd=2.0))  # fmt: skip
    row = price(solved(of, [alternatives("a", 100, 2.0, CHEAP_OR_FRONTIER)], 0, 5).rows, "a")
    assert (row.v.value, row.v_source, row.v_stated_usd) == (None, "none", 2.0)
    assert "allows 1, the least that can be had is 5" in row.why


def test_why_tells_the_limits_that_hold_a_class_as_people_state_them() -> None:
    limits = (limit("latency_sla", "a", 0.5), limit("latency_sla", "b", 0.25), limit("risk_envelope", "*", 0.2))
    of = period(*limits, classes=(totals("a", 100, 5.0, 1000.0, 20.0), totals("b", 10, 5.0, 20.0)))
    found = solved(of, [alternatives("a", 100, 2.0, CHEAP_OR_FRONTIER)])
    tail = ", by changing one kind of decision in each task"
    risk = f"no allocation keeps it: risk_envelope * allows 0.2, the least that can be had is 0.5{tail}"  # 100 × 0.05 in 10 days
    assert price(found.rows, "*").why == risk
    b = f"no allocation keeps it: latency_sla b allows 0.25, the least that can be had is 2{tail}"
    assert price(found.rows, "b").why == f"{b}; {risk}"
    assert "latency_sla a allows 0.5, the least that can be had is 4," in found.why


def test_losses_that_nobody_tells_have_no_price() -> None:
    of = period(limit("risk_envelope", "*", 1.0), classes=(totals("a", 10, 1.0, 1.0, None),))
    row = price(solved(of, [], 0, 5).rows, "a")
    assert (row.rho.value, row.rho_source) == (None, "dual")
    assert "tells an expected or realised loss" in row.why


def test_intervals_widen_with_the_spread() -> None:
    of = period(limit("latency_sla", "*", 7.0), classes=(totals("a", 100, 5.0, 1000.0),))
    widths: list[float] = []
    for spread in (0.0, 0.1, 0.3):
        row = price(solved(of, [alternatives("a", 100, 0.5, CHEAP_OR_FRONTIER, spread=spread)], 1, 60).rows, "a")
        assert row.lam.low is not None
        assert row.lam.high is not None
        widths.append(row.lam.high - row.lam.low)
    assert widths[0] < 1e-6 < widths[1] < widths[2]


def choices(assignment: str, n: int = 300, **change: object) -> Choices:
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, 2, n)
    nothing = np.full(n, np.nan)
    known: dict[str, object] = {
        "options": ("cheap", "frontier"), "chosen": chosen, "tasks": np.arange(n), "decided_at": np.zeros(n),
        "quality": (rng.random(n) < np.array([0.6, 0.9])[chosen]).astype(float), "cost_usd": np.array([0.05, 0.45])[chosen],
        "own_cost_usd": nothing, "latency_s": np.array([10.0, 4.0])[chosen], "loss_usd": nothing, "v_usd": rng.random(n) * 10,
        "lam": nothing, "rho": nothing, "propensity": np.full(n, 0.5) if assignment == "logged" else nothing, "menu": None,
        "assignment": assignment, "features": rng.random((n, 1)), "feature_names": ("x",),
    }  # fmt: skip
    return Choices(**{**known, **change})  # pyright: ignore[reportArgumentType]  # some wrong on purpose


@pytest.mark.parametrize("assignment", ["logged", "recorded"])
def test_alternatives_have_the_means_that_effects_give_them(assignment: str) -> None:
    given = choices(assignment)
    found = find_alternatives(given, given.tasks, "a", "route", 0)
    assert isinstance(found, Alternatives)
    quality, cost, latency, loss = found.means()
    for option in (0, 1):
        assert quality[option] == pytest.approx(given.quality[given.chosen == option].mean(), abs=0.05)
    assert cost == pytest.approx([0.05, 0.45], abs=1e-6)
    assert latency == pytest.approx([10.0, 4.0], abs=1e-6)
    assert loss.tolist() == [0.0, 0.0]
    assert not found.tells_loss
    (compared,), together = compare([found], 0, 1)
    assert len(compared.v_usd) == 8
    assert compared.v_usd.tolist() == sorted(compared.v_usd.tolist())
    assert (found.alike, sum(one.tasks for one in together)) == (1.0, pytest.approx(len(found.chosen)))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (choices("unknown"), "what moved the choice was not recorded"),
        (choices("logged", v_usd=np.full(300, np.nan)), "V is not known of any of its tasks"),
        (choices("logged", quality=np.full(300, np.nan)), "quality not known of any of its tasks"),
        (choices("logged", chosen=np.zeros(300, dtype=np.int64)), "fewer than two of its options have known effects"),
    ],
)
def test_what_is_not_known_is_no_alternative(given: Choices, why: str) -> None:
    found = find_alternatives(given, given.tasks, "a", "route", 0)
    assert isinstance(found, str)
    assert why in found
