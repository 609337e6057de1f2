"""What batches gain by their age, against second implementations and a trainer forked with and without each batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.effects.estimate import Floats
from analyzers.modes.rollouts.drift import curve, decay, depreciation, fit, own_gains, trend
from analyzers.modes.rollouts.stale import Updates, stale
from analyzers.modes.rollouts.tokens import frontier, marginals
from bench.truth.rollouts import Story, trainer
from bench.truth.trainers import train, wandering_lags


def naive_sum(lag: Floats, gain: Floats, rate: float) -> float:
    """Residual sum of squares of gains on φ, by the formulas of a straight line."""
    phi = np.array([sum((1 - rate) ** k for k in range(int(s))) for s in lag])
    slope = float(((phi - phi.mean()) * (gain - gain.mean())).sum() / ((phi - phi.mean()) ** 2).sum())
    return float(((gain - gain.mean() - slope * (phi - phi.mean())) ** 2).sum())


def test_the_curve_is_a_sum_of_what_each_version_loses() -> None:
    lags = np.arange(6.0)
    assert curve(lags, 0.3) == pytest.approx([sum(0.7**k for k in range(s)) for s in range(6)])
    assert curve(lags, 0.0) == pytest.approx(lags)


def test_the_fit_is_the_least_squares_over_rates() -> None:
    rng = np.random.default_rng(1)
    lag = rng.integers(0, 12, 200).astype(np.float64)
    gain = 0.004 - 0.001 * curve(lag, 0.2) + 0.0003 * rng.standard_normal(200)
    found = fit(lag, gain)
    assert found is not None
    grid = np.linspace(0, 0.9, 181)
    best = float(grid[int(np.argmin([naive_sum(lag, gain, float(rate)) for rate in grid]))])
    assert found.rate == pytest.approx(best, abs=0.005)
    assert found.low < 0.2 < found.high
    assert found.is_falling
    lost, low, high = found.contrast(np.array([8.0, 8.0]), 1.0)
    truth = 2 * 0.001 * float(curve(np.array([8.0]), 0.2)[0] - 1)
    assert low < truth < high
    assert lost == pytest.approx(truth, rel=0.1)


def test_what_changes_gradually_is_not_the_batches_age() -> None:
    lag = np.repeat([1.0, 8.0], 60)
    gain = np.linspace(0.004, 0.001, 120) + 1e-5 * np.random.default_rng(2).standard_normal(120)
    plain, held = fit(lag, gain), fit(lag, gain, trend(120))
    assert plain is not None
    assert held is not None
    assert plain.is_falling
    assert not held.is_falling


def test_too_little_is_no_fit() -> None:
    assert fit(np.ones(50), np.arange(50.0)) is None
    assert fit(np.arange(8.0), np.arange(8.0)) is None


def test_a_real_trainers_batches_have_the_right_sign() -> None:
    rng = np.random.default_rng(6)
    lags = np.where(rng.random(200) < 0.4, rng.integers(15, 40, 200), rng.integers(0, 4, 200))
    run = train(lags, 0.06, 0.015, rng)
    fade, delta = fit(lags.astype(np.float64), run.gain), depreciation(run.capability, run.gain)
    assert fade is not None
    assert delta is not None
    assert delta[1] < 0.06 < delta[2]
    own = own_gains(fade, lags.astype(np.float64), run.gain, np.full(200, 0.015))
    large = np.abs(run.true_gain) > run.noise
    assert (np.sign(own) == np.sign(run.true_gain))[large].mean() > 0.95
    assert (run.true_gain < -run.noise).sum() > 20
    # Without an error told the curve alone speaks.
    assert own_gains(fade, lags.astype(np.float64), run.gain, np.full(200, np.nan)) == pytest.approx(
        fade.gain(lags.astype(np.float64))
    )


def test_depreciation_is_what_is_lost_between_updates() -> None:
    capability = [1.0]
    for _ in range(30):
        capability.append(capability[-1] * 0.95 + 0.02)
    found = depreciation(np.array(capability), np.full(31, 0.02))
    assert found == pytest.approx((0.05, 0.05, 0.05))
    assert depreciation(np.full(31, np.nan), np.zeros(31)) is None


def test_ratios_decay_with_lag() -> None:
    lag = np.arange(20.0)
    assert decay(lag, 0.9**lag) == pytest.approx((0.1, 0.1, 0.1))
    assert decay(lag[:5], 0.9 ** lag[:5]) is None


@pytest.mark.parametrize("story", ["too old", "too old, sharply"])
def test_staleness_is_found_with_its_loss(story: Story) -> None:
    updates, truth = trainer(story, np.random.default_rng(3))
    found = stale(updates)
    assert found is not None
    assert found.is_finding
    assert found.lost[0] == pytest.approx(truth, rel=0.15)
    assert found.lost_each.sum() == pytest.approx(found.lost[0])
    assert found.reference == 1.0
    assert updates.at_s[found.since] == pytest.approx(0.45 * 14 * 86_400, rel=0.1)


@pytest.mark.parametrize("told", [0.5, 0.25])
def test_measuring_some_updates_only_takes_nothing_from_the_loss(told: float) -> None:
    updates, truth = trainer("too old", np.random.default_rng(3))
    is_told = np.random.default_rng(1).random(len(updates.gain)) < told
    found = stale(replace(updates, gain=np.where(is_told, updates.gain, np.nan)))
    assert found is not None
    assert found.is_finding
    assert found.lost[0] == pytest.approx(truth, rel=0.25)
    assert found.lost[1] <= truth <= found.lost[2]
    assert found.counted[~is_told].sum() > 10
    assert np.isfinite(found.own).all()


@pytest.mark.parametrize(
    "story", ["nothing", "older but as good", "less and less to learn", "older while there is less to learn", "noisier gains"]
)
def test_what_only_looks_stale_is_not_found(story: Story) -> None:
    for seed in range(3):
        found = stale(trainer(story, np.random.default_rng(seed))[0])
        assert found is None or not found.is_finding


@pytest.mark.parametrize("fades", [False, True])
def test_a_batch_is_past_the_point_by_its_age_only(*, fades: bool) -> None:
    """Where capability stands still, what batches gain is what fades: half of them gain less, and are not stale by that."""
    rng = np.random.default_rng(6)
    lag = rng.choice([1.0, 2.0, 12.0], 200)
    own = np.where(lag > 2, 0.005, 0.02) if fades else np.full(200, 0.015)
    gain, capability = own + 0.004 * rng.standard_normal(200), np.empty(200)
    capability[0] = 0.5
    for update in range(199):
        capability[update + 1] = 0.97 * capability[update] + gain[update]
    found = stale(Updates(np.arange(200.0), lag, gain, np.full(200, 0.001), capability, np.full(200, 300.0)))
    assert found is not None
    assert found.delta is not None
    less = found.own < found.delta[0] * capability
    assert less[lag > 2].mean() > (0.9 if fades else 0.3)
    assert found.is_past[lag > 2].tolist() == (less[lag > 2].tolist() if fades else [False] * int((lag > 2).sum()))
    assert not found.is_past[lag == 1].any()


def test_updates_without_a_measured_gain_are_not_judged() -> None:
    lag, unknown = np.tile([0.0, 1.0, 2.0, 3.0], 10), np.full(40, np.nan)
    assert stale(Updates(np.arange(40.0), lag, unknown, unknown, unknown, unknown)) is None


def test_tokens_bring_what_they_bring() -> None:
    rng = np.random.default_rng(8)
    tokens = rng.uniform(1e4, 3e4, (80, 3))
    tokens[:, 2] = np.nan
    gain = 0.05 * tokens[:, 0] / 1e6 + 0.2 * tokens[:, 1] / 1e6 + 0.01
    rollout, reward = marginals(gain, tokens, tokens * 2e-6, np.ones((80, 1)))
    assert (rollout.use, rollout.gain, reward.gain) == ("rollout", pytest.approx(0.05), pytest.approx(0.2))
    assert reward.gain_per_usd == pytest.approx(0.1)
    assert marginals(gain, np.ones((80, 3)), tokens, np.ones((80, 1))) == []


def test_the_frontier_has_what_nothing_beats() -> None:
    rng = np.random.default_rng(8)
    noise = rng.standard_normal(60)
    gain = np.concatenate([0.01 + 0.001 * noise[:20], 0.02 + 0.01 * noise[20:40], 0.005 + 0.005 * noise[40:]])
    points = frontier(["sft"] * 20 + ["online rl"] * 20 + ["dpo"] * 20, gain)
    assert [(point.method, point.is_efficient) for point in points] == [("sft", True), ("dpo", False), ("online rl", True)]
    assert frontier(["sft"] * 5, gain[:5]) == []


def test_what_was_not_measured_is_no_gain_of_nothing() -> None:
    gain = np.tile([0.02, np.nan], 20)
    [point] = frontier(["sft"] * 40, gain)
    assert (point.updates, point.gain, point.variance) == (20, pytest.approx(0.02), pytest.approx(0.0))
    assert frontier(["sft"] * 20, gain[:20]) == []


def test_a_wandering_queue_stays_within_its_bounds() -> None:
    lags = wandering_lags(500, 10, np.random.default_rng(0))
    assert (lags.min(), lags.max()) == (0, 10)
