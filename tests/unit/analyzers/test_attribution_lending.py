"""What value bands lend each other: agreement with loops from the formula, and effects that differ between bands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.attribution.contrast import contrast
from analyzers.attribution.fit import fit
from analyzers.attribution.lending import Lending
from analyzers.attribution.segments import bands
from analyzers.effects.horseshoe import NOTHING, believed
from bench.truth.markets import Economy, play
from tests import naive_attribution as naive


def test_a_band_is_told_by_all_tasks_that_are_like_its_own() -> None:
    drawn = play(Economy(n=400, how="confounded"), np.random.default_rng(5))
    made = fit(drawn.choices, seed=2)
    places = bands(drawn.choices.v_usd)[1]
    lending = Lending(made, places)
    pool, chosen = np.flatnonzero(places == 1), drawn.choices.chosen
    found = lending.contrast(pool, 2, 0)
    assert found is not None
    varies = lending.difference(2, 0)
    assert not varies.apart.any()
    both = np.flatnonzero(made.supported[:, 2] & made.supported[:, 0])
    decisions = [int(i) for i in both if chosen[i] == 0 and places[i] == 1]
    others, owners = ([int(i) for i in both if chosen[i] == k] for k in (2, 0))
    told = made.told - made.told.mean(axis=0)
    asked = ((chosen == 0) & (places == 1)).astype(np.float64)
    [tilt] = [np.array(naive.ridge(told, asked, told))]
    outcomes = (drawn.choices.quality, drawn.choices.cost_usd, drawn.choices.latency_s, drawn.choices.loss_usd)
    expected = sum(
        naive.lent(decisions, others, owners, part.price, outcome, part.fitted, made.shared,
                   np.maximum(tilt, 0.02 * asked.mean()), 2, 0)
        for part, outcome in zip(made.parts, outcomes, strict=True)
    )  # fmt: skip
    owned = [part.price for part in made.parts]
    counted = naive.unseen(owned, [float(part.unseen[2] + part.unseen[0]) for part in made.parts], decisions, len(owners))
    log_v = np.log(drawn.choices.v_usd)
    for price, slope in zip(owned, varies.slopes, strict=True):
        away = naive.away(decisions, others, owners, price, log_v, made.shared, np.maximum(tilt, 0.02 * asked.mean()), 2, 0)
        whole = sum(float(price[i]) for i in decisions)
        expected += whole * slope.mean * away
        counted += whole**2 * slope.variance * away**2
    for part, outcome in list(zip(made.parts, outcomes, strict=True))[1:]:
        whole = sum(float(part.price[i]) for i in decisions)
        for rows, took in ((others, 2), (owners, 0)):
            weights = [float(max(tilt[i], 0.02 * asked.mean()) / made.shared[i, took]) for i in rows]
            counted += whole**2 * naive.rare(outcome, part.fitted, chosen, rows, weights, took)
    assert all(slope.variance for slope in varies.slopes)
    assert found.gain.value == pytest.approx(expected, rel=1e-9)
    assert found.unseen() == pytest.approx(counted, rel=1e-9)


@pytest.mark.parametrize(("slope", "variance"), [(0.0, 1.0), (0.4, 0.25), (-3.0, 1.0), (8.0, 2.0)])
def test_a_slope_is_believed_as_far_as_it_stands_out(slope: float, variance: float) -> None:
    found = believed(slope, variance)
    assert (found.mean, found.variance) == pytest.approx(naive.believed(slope, variance), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("slope", "variance", "scale"), [(0.0, 1.0, 1.0), (2.5, 1.0, -2.0), (-3.0, 0.5, 3.0), (4.0, 1.0, 1.0)])
def test_limits_hold_what_a_drawn_slope_and_error_come_to(slope: float, variance: float, scale: float) -> None:
    drawn = naive.slopes_drawn(slope, variance, 400_000, np.random.default_rng(3))
    noise = np.random.default_rng(4).normal(size=len(drawn))
    found = believed(slope, variance)
    below, above = found.limits(scale, 0.8, 1.3, 0.9)
    middle = scale * found.mean
    for limit, error, share in ((middle - below, 0.8, 0.05), (middle + above, 1.3, 0.95)):
        assert float((scale * drawn + error * noise <= limit).mean()) == pytest.approx(share, abs=0.002)


def test_what_was_not_measured_is_nothing() -> None:
    for value, variance in ((0.0, 0.0), (1.0, np.inf), (1.0, np.nan), (np.nan, 1.0)):
        assert believed(value, variance) is NOTHING
    assert NOTHING.limits(5.0, 1.0, 2.0, 0.95) == pytest.approx((1.96, 3.92), abs=1e-3)


def test_an_effect_that_grows_with_value_is_followed() -> None:
    rng = np.random.default_rng(7)
    n = 4_000
    choices = replace(play(Economy(n=n, quality=(0.0, 0.0, 0.0)), rng).choices, v_usd=np.exp(rng.normal(size=n)))
    log_v = np.log(choices.v_usd)
    grows = 0.5 + 0.1 * log_v.clip(-3, 3) * (choices.chosen == 2)
    made = fit(replace(choices, quality=(rng.random(n) < grows).astype(np.float64)), seed=1)
    quality = [part.name for part in made.parts].index("quality")
    places = bands(choices.v_usd)[1]
    lending, whole = Lending(made, places), contrast(made, np.arange(n), 2, 0)
    assert whole is not None
    told = [naive.along(arm.shares[quality], made.parts[quality].residual[arm.rows], log_v[arm.rows]) for arm in whole.arms]
    varies = lending.difference(2, 0)
    assert not varies.apart[quality]
    expected = naive.believed(told[0][0] - told[1][0], told[0][1] + told[1][1])
    assert (varies.slopes[quality].mean, varies.slopes[quality].variance) == pytest.approx(expected, rel=1e-6)
    top = np.flatnonzero(places == places.max())
    found, decisions = lending.contrast(top, 2, 0), top[choices.chosen[top] == 0]
    assert found is not None
    gain = float(np.average(0.1 * log_v[decisions].clip(-3, 3), weights=choices.v_usd[decisions]))
    assert gain > 0.15  # on the whole it is none
    assert found.changed[quality].mean() == pytest.approx(gain, abs=0.06)


def test_a_term_that_differs_between_bands_is_measured_in_each_alone() -> None:
    rng = np.random.default_rng(4)
    n = 4_000
    choices = replace(play(Economy(n=n, quality=(0.0, 0.0, 0.0)), rng).choices, v_usd=rng.choice([1.0, 9.0], size=n))
    better = (choices.chosen == 2) & (choices.v_usd == 9.0)
    quality = (rng.random(n) < np.where(better, 0.9, 0.5)).astype(np.float64)
    made = fit(replace(choices, quality=quality), seed=1)
    names = [part.name for part in made.parts]
    places = bands(choices.v_usd)[1]
    lending = Lending(made, places)
    assert [name for name, apart in zip(names, lending.difference(2, 0).apart, strict=True) if apart] == ["quality"]
    for band, gain in ((0, 0.0), (1, 0.4)):
        found = lending.contrast(np.flatnonzero(places == band), 2, 0)
        assert found is not None
        assert found.changed[names.index("quality")].mean() == pytest.approx(gain, abs=0.08)
