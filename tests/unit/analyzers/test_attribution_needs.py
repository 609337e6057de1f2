"""What a segment without enough evidence asks for is what settles it."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.attribution.appraise import appraise
from analyzers.attribution.choices import Choices
from analyzers.attribution.segments import Segment


def logged(n: int, passes: tuple[float, float]) -> Choices:
    """Tasks worth 20 USD, sent by a coin to a dear model or a cheap one, which pass with these probabilities."""
    draws = np.random.default_rng(n)
    chosen, unknown = np.arange(n) % 2, np.full(n, np.nan)
    quality = (draws.random(n) < np.array(passes)[chosen]).astype(np.float64)
    cost = np.array([1.0, 0.1])[chosen]
    return Choices(
        options=("dear", "cheap"), chosen=chosen, tasks=np.arange(n), decided_at=np.arange(n, dtype=np.float64), quality=quality,
        cost_usd=cost, own_cost_usd=cost, latency_s=unknown, loss_usd=unknown, v_usd=np.full(n, 20.0), lam=unknown, rho=unknown,
        propensity=np.full(n, 0.5), menu=None, assignment="logged", features=np.zeros((n, 0)), feature_names=(),
    )  # fmt: skip


def asked_for(n: int, passes: tuple[float, float]) -> list[int]:
    """How many more outcomes each segment of so many tasks wants; 0 where it is settled."""

    def wanted(one: Segment) -> int:
        return 0 if one.needs is None or one.needs.outcomes is None else one.needs.outcomes

    return [wanted(one) for one in appraise(logged(n, passes), seed=1).segments]


@pytest.mark.parametrize(("few", "more"), [(14, 20_000), (60, 20_000)])
def test_too_few_outcomes_for_a_number_ask_for_as_many_as_a_verdict_takes(few: int, more: int) -> None:
    """Both models pass 0.7 of their tasks, so that a task's worth spreads by 9 USD, and 0.2 USD of it are material."""
    assert min(asked_for(few, (0.7, 0.7))) > more


@pytest.mark.parametrize("n", [14, 30, 60])
def test_outcomes_that_are_all_alike_ask_for_more_than_one(n: int) -> None:
    wanted = max(asked_for(n, (1.0, 1.0)))
    assert 40 < wanted < 2_000
    assert asked_for(n + wanted, (1.0, 1.0)) == [0, 0]
