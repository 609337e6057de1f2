"""Decisions of which a policy goes wrong from a known time on: harmful, innocent, and innocent ones that look wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzers.attribution.choices import Choices
from analyzers.effects.estimate import Bools, Floats, Ints

DAYS = 14.0
STARTS_S = 1_767_571_200.0  # 2026-01-05, a Monday
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class World:
    """How the decisions of one comparison come about.

    Effects by option: `quality` in logits and `hard` in logits per unit of difficulty (easy −1, medium 0, hard 1.2); `cost_usd`;
    `seconds`; `loss`, the share of failures that lose `loss_usd`. `values_usd`: what tasks are worth, equally often. `policy`:
    how options are chosen but for `explored` at random: `best` (eq. 1 on the expectations), or an option. `forced`: from `onset`
    (a share of the period) on. `logged`: whether propensities are, else the context tells.
    """

    kind: str
    options: tuple[str, ...]
    quality: tuple[float, ...]
    cost_usd: tuple[float, ...]
    values_usd: tuple[float, ...]
    hard: tuple[float, ...]
    base: float = 0.5
    seconds: tuple[float, ...] = (0.0, 0.0, 0.0)
    loss: tuple[float, ...] = (0.0, 0.0, 0.0)
    loss_usd: float = 0.0
    lam: float = 0.0
    explored: float = 0.15
    forced: int | None = None
    onset: float = 0.3
    logged: bool = True
    n: int = 4_000


@dataclass(frozen=True, slots=True)
class Played:
    """A period: `choices` as logged; `net` (n, K) expected of every option; `is_forced` (n,): chosen by the policy that is
    wrong."""

    choices: Choices
    net: Floats
    is_forced: Bools


def play(world: World, rng: np.random.Generator, first_task: int = 0) -> Played:
    """Draw a period of a world: tasks by day and night, outcomes around what was to be expected."""
    n, options = world.n, len(world.options)
    at = np.sort(rng.random(n))
    difficulty, noise = rng.choice(np.array((-1.0, 0.0, 1.2)), size=n, p=(0.4, 0.4, 0.2)), rng.normal(size=n)
    v = rng.choice(np.array(world.values_usd), size=n)
    place = world.base - difficulty[:, None] + np.array(world.quality) + difficulty[:, None] * np.array(world.hard)
    quality = 1 / (1 + np.exp(-place))
    cost = np.array(world.cost_usd) * np.exp(0.25 * difficulty[:, None])
    seconds = np.array(world.seconds[:options]) + np.zeros((n, options))
    loss = (1 - quality) * np.array(world.loss[:options]) * world.loss_usd
    net = v[:, None] * quality - cost - world.lam * seconds - loss
    intended: Ints = np.argmax(net, axis=1)
    if world.forced is not None:
        intended = np.where(at >= world.onset, world.forced, intended)
    menu = np.full((n, options), world.explored / options)
    menu[np.arange(n), intended] += 1 - world.explored
    chosen: Ints = (rng.random(n)[:, None] > menu.cumsum(axis=1)).sum(axis=1).clip(0, options - 1).astype(np.int64)
    rows = np.arange(n), chosen
    unknown = np.full(n, np.nan)
    choices = Choices(
        world.options,
        chosen,
        first_task + np.arange(n),
        STARTS_S + at * DAYS * _DAY_S,
        (rng.random(n) < quality[rows]).astype(np.float64),
        cost[rows] * np.exp(0.3 * noise - 0.045),
        unknown,
        seconds[rows] * np.exp(0.3 * rng.normal(size=n) - 0.045),
        loss[rows],
        v,
        np.full(n, world.lam),
        np.ones(n),
        menu[rows] if world.logged else unknown,
        menu if world.logged else None,
        "logged" if world.logged else "recorded",
        np.column_stack([difficulty == 0, difficulty > 0]).astype(np.float64),
        ("medium", "hard"),
    )
    wrong = (at >= world.onset) & (chosen == world.forced) if world.forced is not None else np.zeros(n, dtype=np.bool_)
    return Played(choices, net, wrong)
