"""Checks that never fail: the bound by hand, where nothing may be said, and how often checks that pay are accused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import beta

from analyzers.modes.look import Look, Window
from analyzers.modes.silent_checks import Stated, hours_wanted, looks, share_max

UNTIL = datetime(2026, 2, 1, tzinfo=UTC)
WINDOW = Window(UNTIL - timedelta(days=28), UNTIL)
NEVER = Stated("fix", 400, 240, 800, 0, 16.0, 4.0, 2.0, UNTIL - timedelta(days=10), ("aa", "bb"))


def look(of: Stated) -> Look:
    [found] = looks([of], "acme", WINDOW)
    return found


def test_what_they_take_less_the_most_that_they_can_have_been_worth() -> None:
    found = look(NEVER)
    most = (1 - 0.025 ** (1 / 240)) * 2.0 * 400 / 10
    assert (found.usd_per_day, found.low, found.high) == pytest.approx((2.0, 2.0 - most, 2.0))
    assert (found.status, found.is_discovery, found.n, found.tasks) == ("appraised", True, 800, 400)
    assert found.place.segment == "fix, verify checks that never fail"
    assert found.since == NEVER.first_at
    assert "in 400 tasks no check failed" in found.sentence
    assert {term.name: term.usd_per_day for term in found.terms} == {"p·(V + ρ·R)": 0.0, "ΔC": 1.6, "λ·ΔL": 0.4}
    assert [one.trace_id for one in found.examples] == ["aa", "bb"]


@pytest.mark.parametrize(("hours", "tests"), [(1, 1), (30, 1), (400, 7)])
def test_the_share_is_that_of_clopper_and_pearson(hours: int, tests: int) -> None:
    assert share_max(hours, tests) == pytest.approx(beta.ppf(1 - 0.025 / tests, 1, hours))


def test_one_that_fails_now_and_then_is_not_lost() -> None:
    found = look(replace(NEVER, failed=1))
    assert (found.status, found.usd_per_day, found.low, found.high) == ("appraised", 0.0, 0.0, 0.0)
    assert not found.is_discovery
    assert "find something in 1 of 400 tasks" in found.sentence


def test_how_many_more_would_tell() -> None:
    few = replace(NEVER, tasks=40, hours=31, checks=80, cost_usd=1.6, latency_usd=0.4)
    found = look(few)
    assert (found.status, found.usd_per_day, found.is_discovery) == ("not_enough_evidence", None, False)
    wanted = hours_wanted(0.05, 2.0)
    assert wanted is not None
    assert f"{wanted} hours with checks and no failure would tell, there were 31" in found.sentence
    assert share_max(wanted) * 2.0 <= 0.05 < share_max(wanted - 1) * 2.0
    assert hours_wanted(0.0, 2.0) is None
    assert "would tell" not in look(replace(few, cost_usd=0.0, latency_usd=0.0)).sentence


@pytest.mark.parametrize(("missing", "said"), [("at_stake_usd", "at stake"), ("cost_usd", "no price")])
def test_what_is_not_known_of_all_is_not_taken_for_nothing(missing: str, said: str) -> None:
    found = look(replace(NEVER, **{missing: None}))
    assert (found.status, found.usd_per_day, found.is_discovery) == ("not_identified", None, False)
    assert said in found.sentence


def test_waiting_that_nobody_prices_is_not_counted_and_said() -> None:
    found = look(replace(NEVER, latency_usd=None))
    assert found.usd_per_day == pytest.approx(1.6)
    assert "nobody states λ" in found.weaknesses[-1]


def test_checks_that_just_pay_are_accused_in_one_run_of_forty_at_most() -> None:
    draw = np.random.default_rng(7)
    taken, at_stake, tasks = 0.05, 2.0, 150
    failed = draw.binomial(tasks, taken / at_stake, size=4_000)
    accused = [
        look(
            replace(
                NEVER, tasks=tasks, hours=tasks, failed=int(k), cost_usd=taken * tasks, latency_usd=0.0, at_stake_usd=at_stake
            )
        ).is_discovery
        for k in failed
    ]
    assert 0 < np.mean(accused) <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / len(failed))


def test_what_fails_together_is_not_taken_for_many_tasks_without_a_failure() -> None:
    hourly = replace(NEVER, tasks=4_000, hours=336, checks=4_000, cost_usd=30.0, latency_usd=0.0)
    assert look(hourly).status == "not_enough_evidence"  # 0.75 cents a task: one bad hour of 270 would be worth it
    assert look(replace(hourly, hours=4_000)).is_discovery
