"""Many programmes at once have the optima that each has alone."""

from __future__ import annotations

from itertools import cycle, islice
from typing import Any

import numpy as np
import pytest

from allocation import highs
from allocation.highs import Optimum, Programme, minimise, minimise_each


def programme(seed: int, groups: int, options: int, limits: int, *, room: float = 0.5) -> Programme:
    """Groups that each choose among options, under limits with `room` between the least that can be had and what nobody minds."""
    rng = np.random.default_rng(seed)
    count = rng.integers(1, 50, groups).astype(float)
    taken = rng.random((limits, groups, options))
    least, most = (getattr(taken, which)(axis=2) @ count for which in ("min", "max"))
    return Programme(
        rng.normal(size=groups * options), taken.reshape(limits, -1), least + room * (most - least),
        np.repeat(np.eye(groups), options, axis=1), count, np.repeat(count, options),
    )  # fmt: skip


def alone(one: Programme) -> Optimum:
    return minimise(one.cost, one.rows, one.limits, one.equal_rows, one.equal, one.upper)


def test_each_has_the_optimum_that_it_has_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = islice(cycle([(2, 2, 1), (5, 3, 2), (60, 4, 3), (1, 2, 1), (12, 4, 3)]), 60)
    programmes = [programme(seed, *shape) for seed, shape in enumerate(shapes)]
    expected = [alone(one) for one in programmes]
    asked: list[int] = []

    def counted(*given: Any) -> Optimum:
        asked.append(len(given))
        return minimise(*given)

    monkeypatch.setattr(highs, "minimise", counted)
    found = minimise_each(programmes)
    assert len(asked) < len(programmes) / 2
    for wanted, got in zip(expected, found, strict=True):
        assert got.status == wanted.status == "optimal"
        assert got.cost == pytest.approx(wanted.cost)
        for ours, theirs in ((got.x, wanted.x), (got.multipliers, wanted.multipliers)):
            assert ours == pytest.approx(theirs, abs=1e-7)
        assert got.equal_multipliers.shape == wanted.equal_multipliers.shape


def test_one_that_cannot_be_kept_spoils_no_other() -> None:
    programmes = [programme(seed, 4, 3, 2, room=-0.1 if seed % 7 == 3 else 0.5) for seed in range(20)]
    found = minimise_each(programmes)
    assert [one.status for one in found] == ["infeasible" if seed % 7 == 3 else "optimal" for seed in range(20)]
    for one, got in zip(programmes, found, strict=True):
        if got.status == "optimal":
            assert got.cost == pytest.approx(alone(one).cost)
    assert minimise_each([]) == []
