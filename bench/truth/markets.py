"""Seeded economies: every option's expected quality, cost, latency and loss is known for every decision."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analyzers.attribution.choices import Assignment, Choices
from analyzers.effects.estimate import Floats

_LOSS_USD = 3.0  # of an incident, on average


@dataclass(frozen=True, slots=True)
class Economy:
    """How one decision set comes about.

    Effects are per option against option 0: `quality` in logits, `cost` as a factor, `latency` in seconds, `loss` as a factor of
    the probability of an incident. `how`: `randomised`, `explored` (policy plus `exploration`), both logged; `confounded` (by
    recorded context), `hidden` (also by what is not recorded), `deterministic` (a rule). `policy`: the option that is preferred
    by default. `drift`: by how much logits of quality and of choice move over the period. `tail`: Pareto index of V (smaller:
    heavier). `tasks_of`: decisions per task. `loss_spread`: of the
    logarithm of an incident's loss. `by_value`: by how much effects on quality grow, in logits, with the logarithm of V.
    `crowded`: share of decisions that wait `wait_s` longer, whatever was chosen.
    """

    n: int = 5_000
    quality: tuple[float, ...] = (0.0, 0.4, 0.8)
    cost: tuple[float, ...] = (1.0, 2.0, 6.0)
    latency: tuple[float, ...] = (0.0, 2.0, 4.0)
    loss: tuple[float, ...] = (1.0, 1.0, 0.6)
    how: str = "randomised"
    policy: int = 0
    exploration: float = 0.15
    drift: float = 0.0
    tail: float = 2.5
    scale_usd: float = 1.0
    cost_usd: float = 0.05
    lam: float = 0.001
    rho: float = 1.0
    incident: float = 0.02
    tasks_of: int = 1
    missing: float = 0.0
    context: float = 0.7
    base: float = 0.4
    loss_spread: float = 0.4
    by_value: float = 0.0
    crowded: float = 0.0
    wait_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """Choices with what is expected of each option: `net` (n, K) in USD, by eq. 1; terms (n, K) each."""

    choices: Choices
    net: Floats
    quality: Floats
    cost: Floats


def play(economy: Economy, rng: np.random.Generator) -> Drawn:
    """One period of the economy."""
    n, options = economy.n, len(economy.quality)
    tasks = np.arange(n) // economy.tasks_of
    groups = int(tasks.max()) + 1
    x = rng.normal(size=(groups, 3))[tasks]
    hidden = rng.normal(size=groups)[tasks]
    time = np.linspace(-1, 1, n)
    v = (economy.scale_usd * (1 + rng.pareto(economy.tail, size=groups)))[tasks]
    hard = economy.context * x[:, 0] + 0.3 * x[:, 1] + (0.7 * hidden if economy.how == "hidden" else 0.0)
    dear = economy.by_value * np.log(v / np.median(v))[:, None] * (np.arange(options) > 0)
    logit = (
        economy.base - hard[:, None] + np.array(economy.quality) * (1 + 0.3 * x[:, [0]]) + dear + economy.drift * time[:, None]
    )
    quality = 1 / (1 + np.exp(-logit))
    cost = economy.cost_usd * np.array(economy.cost) * np.exp(0.3 * x[:, [1]])
    latency = 5.0 + np.array(economy.latency) + np.exp(0.2 * x[:, [2]])
    loss = np.minimum(economy.incident * np.array(economy.loss) * np.exp(0.3 * x[:, [0]]), 0.5) * _LOSS_USD
    menu = _menu(economy, x, hidden, time, v)
    chosen = (rng.random(n)[:, None] > menu.cumsum(axis=1)).sum(axis=1).clip(0, options - 1).astype(np.int64)
    at = np.arange(n), chosen
    seen = rng.random(n) >= economy.missing * 2 / (1 + np.exp(-0.5 * x[:, 0]))
    shock = np.exp(0.6 * rng.normal(size=n) - 0.18)
    incidents = rng.random(n) < loss[at] / _LOSS_USD
    logged: Assignment = "logged" if economy.how in ("randomised", "explored") else "recorded"
    choices = Choices(
        tuple(f"option-{k}" for k in range(options)),
        chosen,
        tasks,
        1.7e9 + 600_000 * (time + 1),
        np.where(seen, (rng.random(n) < quality[at]).astype(np.float64), np.nan),
        cost[at] * shock,
        np.full(n, np.nan),
        latency[at] + rng.exponential(2.0, size=n) - 2.0,
        np.where(incidents, _LOSS_USD * np.exp(economy.loss_spread * rng.normal(size=n) - economy.loss_spread**2 / 2), 0.0),
        v,
        np.full(n, economy.lam),
        np.full(n, economy.rho),
        menu[at] if logged == "logged" else np.full(n, np.nan),
        menu if logged == "logged" else None,
        logged,
        x,
        ("length", "files", "hour"),
    )
    if economy.crowded:
        waits = economy.wait_s * (rng.random(n) < economy.crowded) * rng.exponential(1.0, size=n)
        choices = replace(choices, latency_s=choices.latency_s + waits)
        latency = latency + economy.wait_s * economy.crowded
    net = v[:, None] * quality - cost - economy.lam * latency - economy.rho * loss
    return Drawn(choices, net, quality, cost)


def _menu(economy: Economy, x: Floats, hidden: Floats, time: Floats, v: Floats) -> Floats:
    """Shape (n, K): the probability of each option in each decision."""
    n, options = len(x), len(economy.quality)
    if economy.how == "randomised":
        return np.full((n, options), 1 / options)
    base = np.full((n, options), economy.exploration / options)
    base[:, economy.policy] += 1 - economy.exploration
    if economy.how == "explored":
        return base
    pull = x[:, 0] + 0.3 * np.log(v) + economy.drift * time + (hidden if economy.how == "hidden" else 0.0)
    if economy.how == "deterministic":
        menu = np.zeros((n, options))
        menu[np.arange(n), np.where(pull > 0, options - 1, 0)] = 1.0
        return menu
    logits = 0.7 * pull[:, None] * np.linspace(-1, 1, options)
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True)
