"""Worlds in which every effect is known: decisions are drawn from a design, and the truth is the design's, not the draw's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from analyzers.effects.estimate import Floats, Ints


@dataclass(frozen=True, slots=True)
class Design:
    """How decisions come about.

    `explored`: probability of option 1 in every decision, or None when context chooses (with strength `confounding`, and
    `hidden` for what is not recorded). `outcome`: `binary` (quality), `normal`, `lognormal` (cost, seconds) or `pareto`.
    `effect`: of option 1 against 0, on the outcome's own scale of location. `tasks_of`: decisions per task, which share a
    shock. `drift`: by how much quality and propensity move over the period. `missing`: share of unknown outcomes, more of them
    where the context is hard.
    """

    n: int
    outcome: str = "binary"
    explored: float | None = 0.5
    confounding: float = 0.0
    hidden: float = 0.0
    effect: float = 0.4
    base: float = 0.0
    tasks_of: int = 1
    drift: float = 0.0
    missing: float = 0.0
    curved: bool = False
    options: int = 2


@dataclass(frozen=True, slots=True)
class Draw:
    """Decisions drawn from a design: what would have been logged, and what would not (`hidden`, `potential` (n, K))."""

    chosen: Ints
    outcome: Floats
    propensity: Floats
    features: Floats
    clusters: Ints
    hidden: Floats
    potential: Floats
    menu: Floats


def draw(design: Design, rng: np.random.Generator) -> Draw:
    """One sample of n decisions."""
    n = design.n
    features = rng.normal(size=(n, 3))
    tasks = np.arange(n) // design.tasks_of
    shock = rng.normal(size=int(tasks.max()) + 1)[tasks] * (0.7 if design.tasks_of > 1 else 0.0)
    hidden = rng.normal(size=n)
    time = np.linspace(-1, 1, n)
    if design.drift:
        features = np.column_stack([features, time])
    menu = _menu(design, features, hidden, time)
    place = design.base + 0.6 * features[:, 0] + 0.3 * features[:, 1] + shock + design.drift * time + design.hidden * hidden
    place = place + (0.6 * features[:, 0] ** 2 - 0.6 if design.curved else 0.0)
    potential = _potential(design, place, rng)
    chosen = (rng.random(n)[:, None] > menu.cumsum(axis=1)).sum(axis=1).clip(0, design.options - 1).astype(np.int64)
    outcome = potential[np.arange(n), chosen]
    if design.missing:
        unseen = rng.random(n) < design.missing * 2 / (1 + np.exp(-features[:, 0]))
        outcome = np.where(unseen, np.nan, outcome)
    return Draw(chosen, outcome, menu[np.arange(n), chosen], features, tasks, hidden, potential, menu)


def _menu(design: Design, features: Floats, hidden: Floats, time: Floats) -> Floats:
    n, options = design.n, design.options
    if design.explored is not None:
        share = np.clip(design.explored + 0.2 * design.drift * time, 0.01, 0.99) if design.drift else np.full(n, design.explored)
        return np.column_stack([1 - share, *([share / (options - 1)] * (options - 1))])
    pull = design.confounding * (features[:, 0] + 0.5 * features[:, 1]) + design.hidden * hidden
    pull = pull + (design.confounding * 0.7 * (features[:, 0] ** 2 - 1) if design.curved else 0.0)
    logits = np.column_stack([np.zeros(n), *[pull / (1 + k) for k in range(options - 1)]])
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True)


def _potential(design: Design, place: Floats, rng: np.random.Generator) -> Floats:
    n, options = len(place), design.options
    shifts = design.effect * np.arange(options)
    if design.outcome == "binary":
        return (rng.random((n, 1)) < 1 / (1 + np.exp(-(place[:, None] + shifts)))).astype(np.float64)
    if design.outcome == "normal":
        return place[:, None] + shifts + rng.normal(size=(n, options))
    noise = rng.normal(size=(n, options)) if design.outcome == "lognormal" else rng.pareto(2.5, size=(n, options))
    if design.outcome == "lognormal":
        return np.exp(0.5 * place[:, None] + shifts + 0.8 * noise)
    return 0.3 * place[:, None] + shifts + noise


@cache
def truth(design: Design) -> tuple[float, ...]:
    """Mean outcome of each option over the design's population, from two million decisions of which nothing is missing."""
    total, size, rounds = np.zeros(design.options), 200_000 // design.tasks_of * design.tasks_of, 10
    for seed in range(rounds):
        total += draw(replace(design, n=size, missing=0.0), np.random.default_rng(10_000 + seed)).potential.mean(axis=0)
    return tuple(float(value) for value in total / rounds)


def effect(design: Design) -> float:
    """True effect of option 1 against option 0; exactly 0 where the design says so."""
    return 0.0 if design.effect == 0 else truth(design)[1] - truth(design)[0]


def allotment(n: int, kind: str, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Tokens (n, 4) of read, plan, act and verify, and the quality (n,) that they bring on average.

    Kinds: `cobb_douglas`; `complements` (verifying and acting raise each other's product); `ces` (acting and verifying with an
    elasticity of substitution of one half, which no translog equals); `useless_plan`.
    """
    logs = 0.7 * rng.normal(size=(n, 4)) + 0.3 * rng.normal(size=(n, 1))
    return np.exp(logs + 6), _quality(logs, kind)


def _quality(logs: Floats, kind: str) -> Floats:
    elasticities = np.array([0.1, 0.0 if kind == "useless_plan" else 0.05, 0.3, 0.15])
    if kind == "ces":
        mean = 0.45 * (0.5 * np.exp(-logs[:, 2]) + 0.5 * np.exp(-logs[:, 3])) ** -0.4 * np.exp(0.1 * logs[:, 0])
    else:
        mean = 0.26 * np.exp(logs @ elasticities + (0.2 * logs[:, 2] * logs[:, 3] if kind == "complements" else 0.0))
    return np.clip(mean, 0.0, 1.0)


@cache
def per_dollar(kind: str, use: int, price_usd: float) -> float:
    """True marginal product per dollar of a use: one per mille more of it in every task, by what it costs."""
    tokens, quality = allotment(1_000_000, kind, np.random.default_rng(77))
    logs = np.log(tokens) - 6
    logs[:, use] += np.log(1.001)
    return float((_quality(logs, kind) - quality).mean() / (0.001 * tokens[:, use].mean() * price_usd))
