"""Appraisals of the demo's economy, whose structural model knows what every option of every decision was worth.

usage: python -m bench truth demo [--replications 500] [--seed 1] [--only WORDS] [--write]

Each replication plays a fortnight of arrivals and decisions in memory (no spans, no engine, no books): routes with the logged
propensity of what was chosen, as routers log it; verifications and confirmations, whose exploration nobody logs, with the context
that decides them; caching and reuse, which are never explored, but change during the fortnight. How hard a task is shows in its
tokens alone. Qualities, costs and seconds are drawn around what the model expects. The truth is that expectation.
`--write` puts the table between the markers of docs/methods.md. Exit 1 when a promise is broken.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import Random

import numpy as np

from analyzers.attribution.appraise import appraise
from analyzers.attribution.choices import Choices
from analyzers.decisions.load import UNMOVED
from bench.truth.command import Case, run
from bench.truth.tally import Known, Tally
from economy.agents import OUTCOME_SHARE, Run, begin, graded
from economy.appraisal import Appraisal, cache_options, confirm_options, expect, reuse_options, route_options, verify_options
from economy.parameters import DIFFICULTY_TOKENS, INPUT_JITTER, RHO, ROUTE_EXPLORATION
from economy.policy import rule
from economy.tasks import stream
from economy.truth import LAYERS

KINDS = ("route", "verify", "confirm", "reuse", "cache")

_DAYS = 14.0
_STARTS = datetime(2026, 1, 5, tzinfo=UTC)
_ROWS_MIN = 30  # decisions of a decision set below which nothing is asked of it


@dataclass(frozen=True, slots=True)
class _Made:
    """One decision as logged, with every option's expectation."""

    run: Run
    number: int
    chosen: str
    options: dict[str, Appraisal]
    menu: dict[str, float] | None
    quality: float
    noise: tuple[float, float]
    tokens: float


def main() -> int:
    """Run the fortnights, print the table; exit 1 when a promise is broken."""
    cases = [
        Case("the demo's fortnight, 900 tasks a day", 12_600, "found", partial(_once, 900, KINDS)),
        Case("a third of it, 300 tasks a day", 4_200, "found", partial(_once, 300, KINDS)),
        Case("the same, 3,000 tasks a day", 42_000, "found", partial(_once, 3_000, KINDS)),
        Case("routes alone, 3,000 tasks a day", 42_000, "found", partial(_once, 3_000, ("route",))),
    ]
    return run("demo", __doc__ or "", cases)


def _once(per_day: int, kinds: tuple[str, ...], tally: Tally, rng: np.random.Generator, seed: int) -> None:
    tally.add([each.known for each in fortnight(per_day, kinds, rng, seed)])


@dataclass(frozen=True, slots=True)
class Played:
    """One decision set of a fortnight, as it was appraised."""

    tenant: str
    kind: str
    task_class: str
    known: Known


def fortnight(per_day: int, kinds: tuple[str, ...], rng: np.random.Generator, seed: int) -> list[Played]:
    """Play a fortnight and appraise its decisions of some kinds."""
    dice = Random(int(rng.integers(1 << 62)))
    strata: dict[tuple[str, str, str], list[_Made]] = defaultdict(list)
    for task in stream(_STARTS, _DAYS, per_day, dice):
        one = begin(task, dice)
        for kind, made in _decisions(one, dice):
            if kind in kinds:
                strata[task.tenant, kind, task.cell.task_class].append(made)
    found: list[Played] = []
    for (tenant, kind, task_class), made in sorted(strata.items()):
        if len(made) >= _ROWS_MIN:
            choices = _choices(kind, made)
            net = np.array([[option.net_usd for option in one.options.values()] for one in made])
            known = Known(LAYERS[kind], kind, choices, appraise(choices, seed=seed), net)
            found.append(Played(tenant, kind, task_class, known))
    return found


def _decisions(one: Run, dice: Random) -> list[tuple[str, _Made]]:
    """What was decided in a task, and what came of it."""
    cell, choice, number = one.task.cell, one.decided.choice, one.task.number
    found: list[tuple[str, str, dict[str, Appraisal], dict[str, float] | None]] = []
    if one.task.stored_answer:
        found.append(("reuse", "reuse" if one.reused else "work", reuse_options(cell, choice), None))
    if not one.reused:
        intended = rule(one.task.tenant, cell, one.task.fraction).choice.model
        others = len(cell.kind.menu) - 1
        menu = {m: 1 - ROUTE_EXPLORATION if m == intended else ROUTE_EXPLORATION / others for m in cell.kind.menu}
        found.append(("route", choice.model, route_options(cell, choice), menu))
        found.append(("verify", str(choice.verify), verify_options(cell, choice), None))
        found.append(("cache", choice.caching, cache_options(cell, choice), None))
        asking = confirm_options(cell, choice)
        if asking and cell.kind.action is not None:
            found.append(("confirm", cell.kind.action.confirmation if choice.confirm else "none", asking, None))
    mean = reuse_options(cell, choice)["reuse"].quality if one.reused else expect(cell, choice).quality
    quality = graded(cell.kind.agent, mean, dice)
    if dice.random() >= OUTCOME_SHARE[cell.kind.agent]:
        quality = float("nan")
    noise = 1 + 0.2 * (2 * dice.random() - 1), 1 + 0.3 * (2 * dice.random() - 1)
    tokens = DIFFICULTY_TOKENS[cell.difficulty] * (1 + INPUT_JITTER * (2 * dice.random() - 1))
    return [(kind, _Made(one, number, chosen, options, menu, quality, noise, tokens)) for kind, chosen, options, menu in found]


def _choices(kind: str, made: list[_Made]) -> Choices:
    names = tuple(made[0].options)
    actual = [one.options[one.chosen] for one in made]
    chosen = np.array([names.index(one.chosen) for one in made])
    logged = kind == "route"
    own = np.array([(one.menu or {}).get(one.chosen, np.nan) for one in made])
    work = np.log([[one.tokens] for one in made])
    upstream = [[float(m == one.run.decided.choice.model) for m in one.run.task.cell.kind.menu[1:]] for one in made]
    features = work if logged or kind == "reuse" else np.column_stack([work, np.array(upstream)])
    n = len(made)
    return Choices(
        names,
        chosen,
        np.array([one.number for one in made]),
        np.array([one.run.task.at_s for one in made]) + 1.7e9,
        np.array([one.quality for one in made]),
        np.array([one.cost_usd for one in actual]) * np.array([one.noise[0] for one in made]),
        np.full(n, np.nan),
        np.array([one.latency_s for one in actual]) * np.array([one.noise[1] for one in made]),
        np.array([one.risk_usd for one in actual]),
        np.array([one.value_usd for one in actual]),
        np.array([one.lambda_usd_per_s for one in actual]),
        np.full(n, RHO),
        own,
        None,
        "logged" if logged else "recorded",
        features,
        tuple(f"context-{k}" for k in range(features.shape[1])),
        UNMOVED.get(kind, ()),
    )
