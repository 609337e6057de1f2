"""The chance that a segment is found, by computation: from averages over replications, not from a run's own errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analyzers.effects import multiplicity
from analyzers.effects.estimate import Basis
from bench.truth.powered import Against, Asked, Powered, calibration, recall
from tests.unit.analyzers.test_attribution_bench import run


def played(replications: int, gain: float, tested: int, rng: np.random.Generator) -> Powered:
    """Segments with one alternative, whose estimates look the surer the lower they are, among others that lost nothing."""
    made = Powered()
    for _ in range(replications):
        n = int(rng.integers(80, 120))
        error = math.sqrt(1 / n + 1 / 1_000) * 10
        value = gain + error * rng.normal()
        said = error * math.exp(0.1 * (value - gain) / error)
        estimate = Basis(n, n, "mean", "segment").found(value, said, value - 1.96 * said, value + 1.96 * said)
        found = multiplicity.p_value(estimate, side="above") <= multiplicity.RATE / tested
        against = Against(gain, estimate, {"quality": said**2}, {"quality": 1.0}, (n, 1_000))
        empty = [Asked((0, 1, band), {}, 0.0, 0.1, False) for band in range(tested - 1)]
        made.runs.append([Asked((0, 0, 0), {1: against}, gain, 0.1, found), *empty])
    return made


def test_the_chance_of_a_segment_does_not_hang_on_its_own_error() -> None:
    made = played(600, 3.5, 10, np.random.default_rng(3))
    some = made.material()
    assert len(some) == 600
    said = np.array([chance for _, chance in some])
    assert said.std() < 0.08  # as the number of outcomes varies
    own = np.array([next(iter(asked.options.values())).estimate.numbers()[1] for asked, _ in some])
    assert own.std() / own.mean() > 0.08
    found = np.array([asked.is_found for asked, _ in some])
    assert said.mean() == pytest.approx(found.mean(), abs=0.1)
    surest = own < np.quantile(own, 0.1)
    assert found[surest].mean() < found.mean() - 0.3


def test_more_outcomes_give_more_chance() -> None:
    some = played(100, 3.5, 10, np.random.default_rng(4)).material()
    few = [chance for asked, chance in some if asked.options[1].outcomes[0] < 90]
    many = [chance for asked, chance in some if asked.options[1].outcomes[0] > 110]
    assert max(few) < min(many)


def test_findings_beside_it_let_a_segment_pass_sooner() -> None:
    made = played(50, 3.5, 10, np.random.default_rng(5))
    beside = Powered([[run[0], *(Asked((1, 0, k), run[0].options, 3.5, 0.1, True) for k in range(9))] for run in made.runs])
    assert beside.chances()[0][0] > made.chances()[0][0] + 0.05
    assert made.chances()[0][1] == 0.0  # nothing was lost there


def test_what_was_found_is_told_by_chance() -> None:
    made = played(3, 3.0, 2, np.random.default_rng(6))
    asked = [run[0] for run in made.runs]
    hit, miss = (Asked(asked[0].cell, asked[0].options, 3.0, 0.1, found) for found in (True, False))
    some = [(hit, 0.95), (miss, 1.0), (hit, 0.55), (miss, 0.05)]
    assert recall(some) == [1, 2]
    assert calibration(some) == [
        "| 0–10 % | 1 | 5 % | 0 % |",
        "| 50–60 % | 1 | 55 % | 100 % |",
        "| 90–100 % | 2 | 98 % | 50 % |",
    ]


def test_an_economys_chances_are_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(monkeypatch, "economies", "--only", "randomised, small", "--replications", "2")
    printed = capsys.readouterr().out
    assert "| randomised, small | 600 | 2 |" in printed
    assert "| computed chance | segments |" in printed
