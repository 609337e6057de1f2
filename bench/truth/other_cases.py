"""Designs of the estimators that are no plain contrast: latency quantiles, regret, risk, tails, production, pooling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Literal, TypeAlias

import numpy as np
from scipy import stats

from analyzers.effects import latency, observational, pooling, production, propensity, regret, risk, tails
from analyzers.effects.estimate import Basis, Estimate, Floats
from analyzers.effects.scores import Scores
from bench.truth.outcomes import Outcome, one
from bench.truth.worlds import Design, allotment, draw, per_dollar, truth

Plain: TypeAlias = tuple[
    str, Literal["cover", "bound", "refuse", "shown"], Callable[[np.random.Generator], Outcome], Callable[[], float], int
]

_PRICE = 1e-5


def _quantile(share: float, explored: float, rng: np.random.Generator) -> Outcome:
    n = 500
    chosen = (rng.random(n) < explored).astype(np.int64)
    seconds = np.exp(rng.normal(size=n)) * (1 + 0.5 * chosen)
    made = propensity.snips(propensity.read_log(chosen, seconds, np.where(chosen == 1, explored, 1 - explored), options=2))
    return one(latency.quantile_contrast(made, 1, 0, share), _quantile_truth(share))


def _quantile_truth(share: float) -> float:
    return 0.5 * math.exp(float(stats.norm.ppf(share)))


def _net(design: Design, rng: np.random.Generator) -> Scores:
    sample = draw(design, rng)
    if design.explored is None:
        return observational.doubly_robust(
            sample.chosen, sample.outcome, sample.features, options=design.options, assignment="recorded"
        ).scores
    log = propensity.read_log(
        sample.chosen, sample.outcome, sample.propensity, options=design.options, features=sample.features, menu=sample.menu
    )
    return propensity.doubly_robust(log)


def _regret(design: Design, rng: np.random.Generator) -> Outcome:
    return one(regret.regret(_net(design, rng)).estimate, _regret_truth(design))


@cache
def _regret_truth(design: Design) -> float:
    """Best option's mean less the mean of what is chosen: the share-weighted mean (choices by context: their own draws)."""
    if design.effect == 0 and design.explored is not None:
        return 0.0
    means = truth(design)
    made = [draw(replace(design, n=200_000), np.random.default_rng(20_000 + seed)).outcome.mean() for seed in range(10)]
    return max(0.0, max(means) - float(np.mean(made)))


def _gain(design: Design, rng: np.random.Generator) -> Outcome:
    made = _net(design, rng)
    policy = np.zeros((design.n, design.options))
    policy[:, 1] = 1.0
    return one(regret.policy_gain(made, policy), _gain_truth(design))


@cache
def _gain_truth(design: Design) -> float:
    made = [draw(replace(design, n=200_000), np.random.default_rng(20_000 + seed)).outcome.mean() for seed in range(10)]
    return truth(design)[1] - float(np.mean(made))


def _losses(n: int, rate: float, spread: float, rng: np.random.Generator) -> Floats:
    return np.where(rng.random(n) < rate, np.exp(spread * rng.normal(size=n)), 0.0)


def _expected(n: int, rate: float, rng: np.random.Generator) -> Outcome:
    return one(risk.expected_loss(_losses(n, rate, 1.0, rng), consequence_max_usd=1000.0).expected, rate * math.exp(0.5))


def _clustered_loss(rng: np.random.Generator) -> Outcome:
    bad = np.repeat(rng.random(300) < 0.25, 4)
    losses = (bad & (rng.random(1200) < 0.4)) * np.exp(0.5 * rng.normal(size=1200))
    answer = risk.expected_loss(losses, consequence_max_usd=1000.0, clusters=np.repeat(np.arange(300), 4)).expected
    return one(answer, 0.1 * math.exp(0.125))


def _unseen(rng: np.random.Generator) -> Outcome:
    return one(risk.expected_loss(np.zeros(200), consequence_max_usd=None).expected, float(rng.random() * 0))


def _rate(n: int, rate: float, rng: np.random.Generator) -> Outcome:
    return one(risk.rate(float(rng.binomial(n, rate)), n), rate)


def _pooled_rates(rng: np.random.Generator) -> Outcome:
    true = rng.gamma(1.5, 0.02 / 1.5, size=30)
    exposure = rng.integers(20, 400, size=30).astype(np.float64)
    counts = rng.poisson(true * exposure).astype(np.float64)
    return Outcome(list(zip(risk.pooled_rates(counts, exposure), (float(rate) for rate in true), strict=True)))


def _pareto_tail(shape: float, n: int, rng: np.random.Generator) -> Outcome:
    losses = np.asarray(stats.genpareto.rvs(shape, size=n, random_state=rng))
    return one(tails.cvar(losses, 0.05), _pareto_cvar(shape))


def _pareto_cvar(shape: float) -> float:
    at_risk = float(stats.genpareto.ppf(0.95, shape))
    return at_risk + (1 + shape * at_risk) / (1 - shape)


def _lognormal_tail(n: int, share: float, worst: float | None, rng: np.random.Generator) -> Outcome:
    losses = np.exp(rng.normal(size=n))
    losses = losses if worst is None else np.minimum(losses, worst)
    return one(tails.cvar(losses, share, consequence_max_usd=worst), _lognormal_cvar(share, worst))


@cache
def _lognormal_cvar(share: float, worst: float | None) -> float:
    """E of the worst share of exp(Z), by integrating its quantiles; capped where there is a worst case."""
    levels = 1 - share + share * (np.arange(2_000_000) + 0.5) / 2_000_000
    quantiles = np.exp(stats.norm.ppf(levels))
    return float((quantiles if worst is None else np.minimum(quantiles, worst)).mean())


def _rare_tail(rng: np.random.Generator) -> Outcome:
    return one(tails.cvar(_losses(2000, 0.01, 1.0, rng), 0.05, consequence_max_usd=500.0), 0.01 * math.exp(0.5) / 0.05)


def _product(n: int, kind: str, use: int, rng: np.random.Generator) -> Outcome:
    tokens, mean = allotment(n, kind, rng)
    quality = (rng.random(n) < mean).astype(np.float64)
    made = production.team_production(quality, tokens, np.full(4, _PRICE), assignment="recorded")
    target = 0.0 if (kind, use) == ("useless_plan", 1) else per_dollar(kind, use, _PRICE)
    return one(made.products[use].per_dollar, target)


def _complement(kind: str, rng: np.random.Generator) -> Outcome:
    tokens, mean = allotment(1000, kind, rng)
    quality = (rng.random(1000) < mean).astype(np.float64)
    made = production.team_production(quality, tokens, np.full(4, _PRICE), assignment="recorded")
    return one(made.complements["act", "verify"], 0.2 if kind == "complements" else 0.0)


def _clustered_product(rng: np.random.Generator) -> Outcome:
    tokens, mean = allotment(800, "cobb_douglas", rng)
    shock = np.repeat(rng.choice([0.5, 1.5], size=200), 4)
    quality = (rng.random(800) < np.minimum(mean * shock, 1)).astype(np.float64)
    made = production.team_production(
        quality, tokens, np.full(4, _PRICE), assignment="recorded", clusters=np.repeat(np.arange(200), 4), form="cobb_douglas"
    )
    return one(made.products[3].per_dollar, _clustered_truth())


@cache
def _clustered_truth() -> float:
    """As `per_dollar`, over both values of the shock: where it lifts a mean above 1, more tokens bring nothing."""
    tokens, mean = allotment(1_000_000, "cobb_douglas", np.random.default_rng(78))
    moved = mean * 1.001**0.15
    gains = [float((np.minimum(moved * s, 1) - np.minimum(mean * s, 1)).mean()) for s in (0.5, 1.5)]
    return sum(gains) / 2 / (0.001 * float(tokens[:, 3].mean()) * _PRICE)


def _hidden_difficulty(rng: np.random.Generator) -> Outcome:
    tokens, mean = allotment(600, "cobb_douglas", rng)
    hard = rng.normal(size=600)
    quality = (rng.random(600) < np.clip(mean * np.exp(-0.3 * hard), 0, 1)).astype(np.float64)
    made = production.team_production(quality, tokens * np.exp(0.5 * hard)[:, None], np.full(4, _PRICE), assignment="unknown")
    return one(made.products[3].per_dollar, 0.0)


def _pooled(deviation: float, rng: np.random.Generator) -> Outcome:
    true = 0.1 + np.abs(deviation) * rng.normal(size=40)
    if deviation < 0:  # most segments alike, one in ten far off
        true = 0.1 + np.where(rng.random(40) < 0.1, 0.8, 0.0)
    answers: list[Estimate] = []
    for effect in true:
        n = int(rng.integers(15, 120))
        values = effect + rng.normal(size=n)
        error = float(values.std(ddof=1)) / math.sqrt(n)
        half = float(stats.t.ppf(0.975, n - 1)) * error
        mean = float(values.mean())
        answers.append(Basis(n, n, "mean", "segment").found(mean, error, mean - half, mean + half, degrees=n - 1.0))
    return Outcome(list(zip(pooling.pool(answers).estimates, (float(effect) for effect in true), strict=True)))


def _fixed(value: float) -> Callable[[], float]:
    return lambda: value


_FOUR = Design(400, outcome="normal", explored=0.75, effect=0.0, options=4)
_HEAVY = Design(400, outcome="lognormal", explored=0.75, effect=0.0, options=4)

OTHER: tuple[Plain, ...] = (
    *(
        (
            f"latency: quantile {share:g}, {explored:.0%} tried, n 500",
            "cover",
            partial(_quantile, share, explored),
            partial(_quantile_truth, share),
            1,
        )
        for share, explored in ((0.5, 0.5), (0.95, 0.5), (0.9, 0.2))
    ),
    ("regret: four options, nothing better, n 400", "bound", partial(_regret, _FOUR), _fixed(0.0), 1),
    ("regret: four options, nothing better, lognormal, n 400", "bound", partial(_regret, _HEAVY), _fixed(0.0), 1),
    *(
        (title, "bound", partial(_regret, design), partial(_regret_truth, design), 1)
        for title, design in (
            ("regret: four options, one better, n 400", replace(_FOUR, effect=0.15)),
            (
                "regret: two options, lognormal cost, exploration 20 %, n 400",
                replace(_HEAVY, effect=0.4, explored=0.2, options=2),
            ),
            ("regret: observed, confounded, n 600", Design(600, "normal", None, 0.8, effect=0.4)),
        )
    ),
    *(
        (f"policy: always option 1, {title}", "cover", partial(_gain, design), partial(_gain_truth, design), 1)
        for title, design in (("normal, n 300", Design(300, "normal")), ("lognormal, n 300", Design(300, "lognormal")))
    ),
    ("risk: rate 2 %, n 300", "bound", partial(_rate, 300, 0.02), _fixed(0.02), 1),
    ("risk: rate 0.1 %, n 500", "bound", partial(_rate, 500, 0.001), _fixed(0.001), 1),
    *(
        (f"risk: expected loss, rate {rate:.0%}, n {n}", "bound", partial(_expected, n, rate), _fixed(rate * math.exp(0.5)), 1)
        for rate, n in ((0.02, 300), (0.05, 1000))
    ),
    ("risk: expected loss, incidents in clusters, n 1200", "bound", _clustered_loss, _fixed(0.1 * math.exp(0.125)), 1),
    ("risk: no incident, no stated worst case, n 200", "refuse", _unseen, _fixed(math.nan), 10),
    ("risk: rates of 30 classes, pooled", "cover", _pooled_rates, _fixed(math.nan), 10),
    *(
        (f"CVaR 5 %: Pareto tail ξ {shape:g}, n {n}", "cover", partial(_pareto_tail, shape, n), partial(_pareto_cvar, shape), 1)
        for shape, n in ((0.001, 1000), (0.3, 1000))
    ),
    ("CVaR 5 %: lognormal, n 1000", "cover", partial(_lognormal_tail, 1000, 0.05, None), partial(_lognormal_cvar, 0.05, None), 1),
    ("CVaR 20 %: lognormal, n 500", "cover", partial(_lognormal_tail, 500, 0.2, None), partial(_lognormal_cvar, 0.2, None), 1),
    (
        "CVaR 5 %: stated worst case, n 150",
        "bound",
        partial(_lognormal_tail, 150, 0.05, 30.0),
        partial(_lognormal_cvar, 0.05, 30.0),
        1,
    ),
    ("CVaR 5 %: losses in 1 %, n 2000", "bound", _rare_tail, _fixed(0.01 * math.exp(0.5) / 0.05), 1),
    *(
        (
            f"production: {kind}, {production.USES[use]} per dollar, n {n}",
            "cover",
            partial(_product, n, kind, use),
            partial(per_dollar, kind, use, _PRICE) if kind != "useless_plan" else _fixed(0.0),
            1,
        )
        for kind, use, n in (
            ("cobb_douglas", 3, 120),
            ("cobb_douglas", 3, 400),
            ("cobb_douglas", 2, 400),
            ("useless_plan", 1, 400),
            ("complements", 3, 400),
            ("complements", 3, 1000),
            ("ces", 3, 400),
        )
    ),
    ("production: act × verify where they complement, n 1000", "cover", partial(_complement, "complements"), _fixed(0.2), 1),
    ("production: act × verify under Cobb–Douglas, n 1000", "cover", partial(_complement, "cobb_douglas"), _fixed(0.0), 1),
    ("production: 4 attempts a task, n 800", "cover", _clustered_product, _clustered_truth, 1),
    ("production: hidden difficulty, assignment unknown, n 600", "refuse", _hidden_difficulty, _fixed(math.nan), 10),
    *(
        (f"pooling: 40 segments, {what}", "bound", partial(_pooled, deviation), _fixed(math.nan), 5)
        for what, deviation in (("all alike", 0.0), ("deviation 0.1", 0.1), ("deviation 0.5", 0.5), ("one in ten far off", -1.0))
    ),
)
