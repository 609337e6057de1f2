"""What rare large outcomes leave unsaid: options that were tried a few times and met none of them are not taken for sure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.attribution.contrast import contrast
from analyzers.attribution.fit import fit
from analyzers.attribution.rare import tails
from bench.truth.markets import Economy, play
from tests import naive_attribution as naive

CROWDED = Economy(
    n=1_500, quality=(0.0,) * 3, cost=(1.0,) * 3, latency=(0.0,) * 3, loss=(1.0,) * 3, how="explored", exploration=0.06,
    scale_usd=0.01, lam=0.05, crowded=0.02, incident=0.0,
)  # fmt: skip
"""Nothing is better than anything, and of thirty tries of an option about half meet the crowd."""
_EVERY_ONE = 60


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes with a long tail, what was missed of them, and what was chosen."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(3, size=400, p=[0.8, 0.15, 0.05]).astype(np.int64)
    outcome = rng.lognormal(sigma=1.2, size=400) * np.array([1.0, 3.0, 0.2])[chosen]
    return outcome, outcome - outcome.mean(), chosen


@pytest.mark.parametrize("seed", range(3))
def test_tails_are_their_formula(seed: int) -> None:
    outcome, misses, chosen = drawn(seed)
    variances, worth = naive.tails(outcome, [float(one) for one in misses], chosen, 3)
    found = tails(outcome, misses, np.ones(400, dtype=np.bool_), chosen, 3)
    assert found[0] == pytest.approx(variances)
    assert found[1] == pytest.approx(worth)


def test_what_costs_more_everywhere_is_no_tail() -> None:
    outcome, misses, chosen = drawn(4)
    known = np.ones(400, dtype=np.bool_)
    (plain, worth), dearer = tails(outcome, misses, known, chosen, 3), np.array([1.0, 7.0, 1.0])
    scaled, same = tails(outcome * dearer[chosen], misses * dearer[chosen], known, chosen, 3)
    assert scaled == pytest.approx(plain * dearer**2)
    assert same == pytest.approx(worth)


def test_nothing_that_is_known_has_no_tail() -> None:
    assert tails(np.full(3, np.nan), np.zeros(3), np.zeros(3, dtype=np.bool_), np.arange(3), 3)[1] == 0.0
    same = tails(np.ones(3), np.zeros(3), np.ones(3, dtype=np.bool_), np.arange(3), 3)
    assert (same[0].tolist(), same[1]) == ([0.0] * 3, 0.0)


def test_few_tries_that_met_no_crowd_are_not_sure_to_be_faster() -> None:
    """Of 60 economies with two options each; without it, every second interval misses that nothing differs."""
    held, held_without, told = 0, 0, 0
    for seed in range(_EVERY_ONE):
        made = fit(play(CROWDED, np.random.default_rng([3, seed])).choices, seed=seed)
        for option in (1, 2):
            found = contrast(made, np.arange(CROWDED.n), option, 0)
            assert found is not None
            blind = replace(found, arms=tuple(replace(arm, rare=np.zeros(len(made.parts))) for arm in found.arms))
            told += 1
            held += not found.gain.excludes(0.0)
            held_without += not blind.gain.excludes(0.0)
    assert held >= 0.93 * told
    assert held_without < 0.85 * told
