"""When a share changed, against a slow second implementation and against periods in which nothing did."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analyzers.effects.estimate import InputError
from analyzers.modes.onset import onset


def played(shares: list[tuple[int, float]], of: int, seed: int) -> tuple[list[int], list[int]]:
    """Counts of some regimes in order, each (bins, share)."""
    rng = np.random.default_rng(seed)
    taken = [int(rng.binomial(of, share)) for bins, share in shares for _ in range(bins)]
    return taken, [of] * len(taken)


def single(taken: list[int], chances: list[int]) -> tuple[int, float]:
    """The best split by trying each, and the bridge's excursion, as if bins varied no more than a coin does."""
    best, at = -math.inf, 0
    for k in range(1, len(taken)):
        sides = ((sum(taken[:k]), sum(chances[:k])), (sum(taken[k:]), sum(chances[k:])))
        if min(n for _, n in sides) < 12:
            continue
        # Less what coins of their own would make of each side: so the binomial coefficients cancel.
        likelihood = sum(
            float(stats.binom.logpmf(hits, n, hits / n) - stats.binom.logpmf(hits, n, 0.5)) + n * math.log(0.5)
            for hits, n in sides
        )
        if likelihood > best:
            best, at = likelihood, k
    share, total, excursion, bridge = sum(taken) / sum(chances), sum(chances), 0.0, 0.0
    for hits, n in zip(taken, chances, strict=True):
        bridge += hits - n * share
        excursion = max(excursion, abs(bridge))
    return at, float(stats.kstwobign.sf(excursion / math.sqrt(total * share * (1 - share))))


def test_a_switch_is_found_where_a_slow_search_finds_it() -> None:
    for seed in range(12):
        taken, chances = played([(30, 0.1), (50, 0.8)], 3, seed)
        found = onset(taken, chances)
        at, p = single(taken, chances)
        assert found.place == at
        assert abs(at - 30) <= 2
        assert found.p >= p * (1 - 1e-9)  # the same test, or one that allows for bins that vary by more than a coin does
        assert found.has_risen
        assert found.before == pytest.approx(sum(taken[:at]) / sum(chances[:at]))
        assert found.after == pytest.approx(sum(taken[at:]) / sum(chances[at:]))


def test_nothing_is_found_where_nothing_changed() -> None:
    found = [onset(*played([(60, share)], 4, seed)).place for seed in range(300) for share in (0.1, 0.5)]
    assert sum(place > 0 for place in found) <= 6


def test_a_daily_rhythm_is_no_change() -> None:
    rng, bins = np.random.default_rng(5), np.arange(112)
    night = 0.5 + 0.3 * np.cos(2 * np.pi * bins / 8)
    assert sum(onset(rng.binomial(3, night), np.full(112, 3)).place > 0 for _ in range(100)) == 0


def test_the_last_regime_is_told_when_there_were_several() -> None:
    ended = onset(*played([(40, 0.05), (40, 0.9), (40, 0.05)], 4, 1))
    assert abs(ended.place - 80) <= 1
    assert not ended.has_risen
    again = onset(*played([(40, 0.05), (40, 0.9), (40, 0.05), (30, 0.9)], 4, 2))
    assert abs(again.place - 120) <= 1
    assert again.has_risen


def test_what_is_taken_oftener_and_oftener_began_with_its_first_rise() -> None:
    rising = onset(*played([(40, 0.02), (20, 0.35), (30, 0.9)], 4, 1))
    assert abs(rising.place - 40) <= 2
    assert rising.has_risen
    assert rising.before == pytest.approx(0.02, abs=0.03)
    assert rising.after > 0.75


@pytest.mark.parametrize(
    ("taken", "chances", "after"),
    [([], [], math.nan), ([0, 0], [0, 0], math.nan), ([2], [4], 0.5), ([9] * 9, [9] * 9, 1.0), ([0] * 9, [9] * 9, 0.0)],
)
def test_too_little_says_only_what_the_share_is(taken: list[int], chances: list[int], after: float) -> None:
    found = onset(taken, chances)
    assert (found.place, found.p, found.before) == (0, 1.0, None)
    assert found.after == pytest.approx(after, nan_ok=True)


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="taken must lie in 0 … chances"):
        onset([3, 1], [2, 1])
