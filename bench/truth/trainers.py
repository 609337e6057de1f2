"""A small trainer that really learns, asynchronously: a softmax policy over contexts whose best arm changes now and then.

Batches of rollouts are generated under an older policy, in the world of that time, and consumed later by policy gradient without
correction. Capability is exact here, so that every batch's marginal gain is known: the same policy with and without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

CONTEXTS, ARMS = 40, 4
_GOOD, _BAD = 0.9, 0.1
_ROLLOUTS = 400
_RATE = 0.5
_LOGIT_MAX = 2.5
"""Logits are kept within this, so that what was learned can be learned anew."""


@dataclass(slots=True)
class Trained:
    """One run. Shapes: (n,) updates. `gain` and `capability` are what telemetry tells: measured about each update and before it,
    with `noise`, the standard error of measuring; `true_gain` is capability with the batch less capability without it."""

    lag: Ints
    gain: Floats
    capability: Floats
    true_gain: Floats
    noise: float


@dataclass(slots=True)
class _World:
    best: Ints
    drift: float
    history: list[tuple[Floats, Ints]] = field(default_factory=list[tuple[Floats, Ints]])

    def move(self, rng: np.random.Generator) -> None:
        """Each context's best arm is drawn anew with the drift's probability: what was known of it is worth no more than
        chance."""
        changed = rng.random(CONTEXTS) < self.drift
        self.best = np.where(changed, rng.integers(ARMS, size=CONTEXTS), self.best)


def train(
    lags: Ints, drift: float, noise: float, rng: np.random.Generator, rollouts: int = _ROLLOUTS, warm_up: int = 40
) -> Trained:
    """Run the loop with batches of these lags (n,). The world drifts while a batch is on its way; `warm_up` updates with fresh
    batches go first."""
    logits, world = np.zeros((CONTEXTS, ARMS)), _World(rng.integers(ARMS, size=CONTEXTS), drift)
    gains, levels, truths = list[float](), list[float](), list[float]()
    for version in range(warm_up + len(lags)):
        world.history.append((logits, world.best))
        lag = int(lags[version - warm_up]) if version >= warm_up else 0
        told = capability(logits, world.best)
        world.move(rng)
        before = capability(logits, world.best)
        logits = updated(logits, *world.history[version - lag], rng, rollouts)
        after = capability(logits, world.best)
        if version >= warm_up:
            levels.append(told + noise * float(rng.standard_normal()))
            truths.append(after - before)
            gains.append(after - before + noise * float(rng.standard_normal()))
    return Trained(lags, np.array(gains), np.array(levels), np.array(truths), noise)


def capability(logits: Floats, best: Ints) -> float:
    """How often the best arm is taken beyond chance, over all contexts."""
    return float(_policy(logits)[np.arange(CONTEXTS), best].mean()) - 1 / ARMS


def updated(logits: Floats, behaviour: Floats, best: Ints, rng: np.random.Generator, rollouts: int) -> Floats:
    """The policy after one step of policy gradient on rollouts of `behaviour` in the world of `best`."""
    context = rng.integers(CONTEXTS, size=rollouts)
    chances = np.cumsum(_policy(behaviour)[context], axis=1)
    arm = np.minimum((rng.random(rollouts)[:, None] > chances).sum(axis=1), ARMS - 1)
    reward = (rng.random(rollouts) < np.where(arm == best[context], _GOOD, _BAD)).astype(np.float64)
    advantage = reward - 0.5
    step = np.zeros_like(logits)
    np.add.at(step, (context, arm), advantage)
    total = np.bincount(context, weights=advantage, minlength=CONTEXTS)
    moved = logits + _RATE * (step - total[:, None] * _policy(logits))
    moved -= moved.mean(axis=1, keepdims=True)
    return np.clip(moved, -_LOGIT_MAX, _LOGIT_MAX)


def _policy(logits: Floats) -> Floats:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def wandering_lags(n: int, most: int, rng: np.random.Generator) -> Ints:
    """Lags of a queue whose depth wanders between 0 and `most`."""
    depth, lags = int(rng.integers(most + 1)), np.zeros(n, dtype=np.int64)
    for place in range(n):
        depth = int(np.clip(depth + rng.integers(-2, 3), 0, most))
        lags[place] = depth
    return lags
