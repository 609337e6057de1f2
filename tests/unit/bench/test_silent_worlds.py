"""The worlds of silent checks bring what they say that they bring."""

from __future__ import annotations

import numpy as np
import pytest

from bench.truth.silent_worlds import Checks, play_checks

WORLDS = {
    "alone": Checks(0.05, (3.0,), brings=1.5),
    "the dearest alone": Checks(0.5, (1.0, 9.0), brings=1.5, is_dearest=True),
    "by the hour": Checks(0.2, (2.0,), brings=1.2, is_together=True),
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_what_checks_find_is_worth_what_they_bring(world: Checks) -> None:
    played = [play_checks(world, np.random.default_rng(seed)) for seed in range(400)]
    taken = sum((one.stated.cost_usd or 0.0) + (one.stated.latency_usd or 0.0) for one in played)
    found = sum(one.stated.failed for one in played) * max(world.at_stake_usd)
    assert found / taken == pytest.approx(world.brings, rel=0.05)
    assert sum(one.lost_usd_per_day for one in played) * 14 == pytest.approx(taken * (1 - world.brings))


def test_checks_that_cannot_fail_lose_all_that_they_take() -> None:
    one = play_checks(Checks(0.1, (1.0,), onset=0.3), np.random.default_rng(1))
    assert one.stated.failed == 0
    assert one.lost_usd_per_day * 14 * 0.7 == pytest.approx((one.stated.cost_usd or 0.0) + (one.stated.latency_usd or 0.0))
    assert one.stated.hours <= 14 * 24 * 0.7 + 1
