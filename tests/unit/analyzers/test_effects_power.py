"""Power where the best of several options has to be picked first."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from analyzers.effects import power
from analyzers.effects.estimate import Floats, InputError
from tests import naive_effects as naive

Z = 1.959964


def alike(gains: list[float]) -> float:
    """Power for options whose estimates have independent errors of 1."""
    return power.picked(np.array(gains), np.eye(len(gains)), np.full(len(gains), Z))


@pytest.mark.parametrize("gain", [0.5, 2.0, 3.2415, 6.0])
def test_one_option_is_found_as_the_textbook_says(gain: float) -> None:
    assert alike([gain]) == pytest.approx(stats.norm.cdf(gain - Z), abs=1e-6)
    assert alike([gain]) + stats.norm.cdf(-gain - Z) == pytest.approx(power.power(gain, 1.0), abs=1e-6)
    assert power.detectable(2.0, alternatives=1) == pytest.approx(2 * (Z + stats.norm.ppf(0.9)), abs=1e-5)


def test_picking_among_options_that_gain_less_costs_more_the_more_there_are() -> None:
    found = [alike([3.5, *[2.0] * others]) for others in (0, 1, 3, 7)]
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(0.938, abs=0.001)
    assert found[1] < found[0] - 0.05
    assert found[3] < found[1] - 0.03


def test_options_far_behind_cost_nothing() -> None:
    assert alike([3.2415, -4.0, -5.0, -6.0]) == pytest.approx(alike([3.2415]), abs=0.002)


def test_what_is_found_is_material_too() -> None:
    assert power.picked(np.array([5.0]), np.eye(1), np.array([Z]), least=5.0) == pytest.approx(0.5)
    assert power.picked(np.array([5.0, -9.0]), np.eye(2), np.full(2, Z), least=5.0) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("gains", "own", "base", "level", "least"),
    [
        ([3.5, 2.0], [1.0, 1.0], 0.0, 0.95, 0.0),
        ([3.5, 2.5, 1.0], [1.0, 0.4, 0.8], 0.5, 0.99, 0.0),
        ([2.0, 2.0, 2.0, 2.0], [0.8, 0.8, 0.8, 0.8], 0.3, 0.95, 1.5),
        ([4.0, 3.0], [1.5, 0.3], 0.2, 0.998, 0.0),
    ],
)
def test_power_is_what_a_loop_over_repetitions_finds(
    gains: list[float], own: list[float], base: float, level: float, least: float
) -> None:
    errors: Floats = np.hypot(own, base)
    demanded = float(special.ndtri((1 + level) / 2)) * errors
    covariance = np.diag(np.square(own)) + base**2
    said = power.picked(np.array(gains), covariance, Z * errors, demanded=demanded, least=least)
    seen = naive.found_by_picking(gains, own, base, list(Z * errors), list(demanded), least)
    assert said == pytest.approx(seen, abs=0.035)  # three errors of both


@pytest.mark.parametrize("alternatives", [1, 2, 3, 5, 8])
def test_as_many_outcomes_as_are_needed_find_the_best_wherever_the_others_lie(alternatives: int) -> None:
    error, n, materiality = 3.0, 200, 2.0
    needed = power.outcomes_needed(error, n, materiality, alternatives=alternatives)
    then = error * math.sqrt(n / needed)
    for others in (1.0, 0.9, 0.75, 0.5, 0.25, 0.0, -0.5):
        for narrower in (1.0, 0.5, 0.3):
            gains = np.array([1.0, *[others] * (alternatives - 1)]) * materiality
            errors = then * np.array([1.0, *[narrower] * (alternatives - 1)])
            assert power.picked(gains, np.diag(errors**2), Z * errors) > 0.885
    assert stats.norm.cdf(materiality / then - Z) ** alternatives > 0.899  # where none is better, no limit reaches materiality


def test_what_is_needed_grows_with_the_options_to_pick_from() -> None:
    needed = [power.outcomes_needed(1.0, 100, 0.5, alternatives=k) for k in range(1, 9)]
    assert needed == sorted(needed)
    assert needed[0] == power.outcomes_needed(1.0, 100, 0.5)
    assert needed[1] > 1.4 * needed[0]
    assert needed[7] > 1.2 * needed[1]


def test_the_exploration_needed_is_shared_by_the_alternatives() -> None:
    share = power.exploration_needed(0.5, 0.4, 5_000, 0.1, alternatives=3)
    assert share is not None
    error = math.sqrt(0.25 / (5_000 * share / 3) + 0.16 / (5_000 * (1 - share)))
    assert power.detectable(error, alternatives=3) == pytest.approx(0.1, rel=1e-6)
    alone = power.exploration_needed(0.5, 0.4, 5_000, 0.1)
    assert alone is not None
    assert share > 3 * alone


def test_what_cannot_be_computed_is_refused() -> None:
    with pytest.raises(InputError, match="same options"):
        power.picked(np.ones(2), np.eye(3), np.ones(2))
    with pytest.raises(InputError, match="alternatives"):
        power.detectable(1.0, alternatives=0)
