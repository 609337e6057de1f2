"""Risk by action class: how often an action goes wrong, what that costs, and what it costs on average (ΔR of eq. 1).

Incidents are rare, so rates have exact intervals and classes may borrow from each other; consequences are few and skewed, so a
stated worst case is used where there is one, and nothing is claimed about consequences that nobody has seen or stated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from analyzers.effects import intervals
from analyzers.effects.estimate import LEVEL, Basis, Bools, Estimate, Floats, InputError, Ints, Needs, codes, floats, own_clusters
from analyzers.effects.scores import segment_rows

SEVERITIES_MIN = 5  # incidents with a known loss before their mean has an interval of its own
_GRID = 41
ACTIONS = "actions of the class"


@dataclass(frozen=True, slots=True)
class ClassRisk:
    """Risk of one action class: `rate` (incidents per action), `severity` (USD per incident) and `expected` (USD per action)."""

    rate: Estimate
    severity: Estimate
    expected: Estimate


def rate(incidents: float, exposure: float, *, level: float = LEVEL, clusters: int | None = None) -> Estimate:
    """Probability of an incident per action, with the exact interval.

    `incidents` of `exposure` actions; both may be scaled down by a design effect, so that they need not be whole.
    Formula: Beta quantiles, B(k, n−k+1) and B(k+1, n−k). Source: Clopper & Pearson 1934. It covers `level` at least, and more
    where incidents are few: with none in n the upper limit is about 3.7/n.
    """
    if not 0 <= incidents <= exposure or exposure <= 0:
        raise InputError(f"incidents must lie in 0 … exposure, got {incidents} of {exposure}")
    tail = (1 - level) / 2
    low = 0.0 if incidents == 0 else float(stats.beta.ppf(tail, incidents, exposure - incidents + 1))
    high = 1.0 if incidents == exposure else float(stats.beta.isf(tail, incidents + 1, exposure - incidents))
    value = incidents / exposure
    basis = Basis(round(exposure), round(exposure) if clusters is None else clusters, "exact binomial", ACTIONS, level)
    return basis.found(value, math.sqrt(value * (1 - value) / exposure), low, high)


def expected_loss(
    loss_usd: ArrayLike, *, consequence_max_usd: float | None = None, clusters: ArrayLike | None = None, level: float = LEVEL
) -> ClassRisk:
    """Probability × consequence of one action class.

    Shapes: loss_usd (n,) ≥ 0, 0 where nothing went wrong; clusters (n,) the task of each action. `consequence_max_usd`: the
    worst that one action can do, stated by the operator. Clustered incidents count as fewer actions, by their design effect.
    Formula: p̂·s̄ = mean loss; limits join those of rate (exact) and severity (logarithmic t) as for a product. With fewer than
    five incidents the severity's upper limit is the stated worst case; without one the status is `not_enough_evidence`.
    Source: Donner & Zou, Statistical Methods in Medical Research 21 (2012) for joining limits. Raises: InputError.
    """
    losses = floats(loss_usd, "loss_usd", shape=(-1,))
    n = len(losses)
    if n == 0 or (losses < 0).any() or (consequence_max_usd is not None and (losses > consequence_max_usd).any()):
        raise InputError("loss_usd needs actions, none with a loss below 0 or above consequence_max_usd")
    tasks = own_clusters(clusters, n)
    groups = len(np.unique(tasks))
    hit = losses > 0
    effect = _design_effect(hit, tasks)
    frequency = rate(float(hit.sum()) / effect, n / effect, level=level, clusters=groups)
    severity = _severity(losses[hit], tasks[hit], consequence_max_usd, n, groups, level)
    return ClassRisk(frequency, severity, _product(frequency, severity, consequence_max_usd, int(hit.sum()), n, groups, level))


def by_class(
    loss_usd: ArrayLike,
    action_class: ArrayLike,
    *,
    consequence_max_usd: dict[int, float] | None = None,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> dict[int, ClassRisk]:
    """The risk of each action class, keyed by class code. Shapes: (n,) each; see `expected_loss`."""
    losses = floats(loss_usd, "loss_usd", shape=(-1,))
    classes, tasks = codes(action_class, "action_class", n=len(losses)), own_clusters(clusters, len(losses))
    worst = consequence_max_usd or {}
    return {
        kind: expected_loss(losses[rows], consequence_max_usd=worst.get(kind), clusters=tasks[rows], level=level)
        for kind, rows in segment_rows(classes)
    }


def pooled_rates(incidents: ArrayLike, exposure: ArrayLike, *, level: float = LEVEL) -> list[Estimate]:
    """Incident rates of many classes that borrow from each other: what is known of a class with few actions is mostly its
    siblings'.

    Shapes: (C,) each. Formula: k_c ~ Poisson(n_c·r_c), r_c ~ Gamma(a, a/m); a and m are integrated over a grid (flat in the
    classes' relative deviation 1/√a and in log m), and each interval is a quantile of the mixture of Gammas that results.
    Source: Gelman et al., Bayesian Data Analysis, §2.6 and ch. 5; Gelman, Bayesian Analysis 1 (2006) for flat deviations: flat
    in log a, a few classes were taken for alike too readily. Intervals cover `level` of the classes on average, not each.
    """
    counts = floats(incidents, "incidents", shape=(-1,))
    actions = floats(exposure, "exposure", shape=counts.shape)
    if len(counts) == 0 or (counts < 0).any() or (actions <= 0).any():
        raise InputError("pooled_rates needs classes with exposure and incidents not below 0")
    shape, mean, posterior = _gamma_grid(counts, actions)
    return [_mixture(float(k), float(n), shape, mean, posterior, level) for k, n in zip(counts, actions, strict=True)]


def _design_effect(hit: Bools, tasks: Ints) -> float:
    """How many actions one independent action is worth, ≥ 1: the clustered variance of the rate over the binomial one."""
    p = float(hit.mean())
    if p in (0.0, 1.0):
        return 1.0
    error = intervals.spread(hit.astype(np.float64), tasks).standard_error
    return max(1.0, error**2 * len(hit) / (p * (1 - p))) if math.isfinite(error) else float(len(hit))


def _severity(losses: Floats, tasks: Ints, worst: float | None, n: int, groups: int, level: float) -> Estimate:
    basis = Basis(len(losses), len(np.unique(tasks)), "mean loss", "incidents of the class", level)
    if len(losses) == 0:
        return basis.nothing("not_enough_evidence", f"no incident in {n} actions of {groups} tasks: no consequence was seen")
    mean = float(losses.mean())
    of = intervals.spread(losses, tasks)
    if basis.clusters < SEVERITIES_MIN:
        if worst is None:
            why = f"{basis.clusters} tasks with incidents: the mean consequence needs {SEVERITIES_MIN}, or a stated worst case"
            return basis.nothing("not_enough_evidence", why, Needs(outcomes=_more(basis.clusters, n)))
        low, high, error, degrees = 0.0, worst, (worst - mean) / 2, math.inf
    else:
        reach = math.exp(intervals.quantile(of.degrees, level) * of.standard_error / mean)
        low, high = mean / reach, max(mean * reach, intervals.skewed(of, level).high)
        high = high if worst is None else min(high, worst)
        error, degrees = of.standard_error, of.degrees
    return basis.found(mean, error, low, high, degrees=degrees)


def _more(incidents: int, n: int) -> int:
    """Actions that at this rate bring the incidents that a severity needs."""
    return math.ceil(n * (SEVERITIES_MIN - incidents) / incidents)


def _product(
    frequency: Estimate, severity: Estimate, worst: float | None, hits: int, n: int, groups: int, level: float
) -> Estimate:
    basis = Basis(n, groups, "rate × severity", ACTIONS, level)
    rate_value, rate_error, rate_low, rate_high = frequency.numbers()
    if hits == 0 and worst is not None:
        return basis.found(0.0, 0.0, 0.0, rate_high * worst, why="no incident: the limit is rate × worst case")
    if severity.status != "identified":
        return basis.nothing("not_enough_evidence", severity.why, severity.needs)
    value, error, low, high = severity.numbers()
    below = math.hypot(_log_gap(rate_value, rate_low), _log_gap(value, low))
    above = math.hypot(_log_gap(rate_high, rate_value), _log_gap(high, value))
    mean = rate_value * value
    high = min(mean * math.exp(above), math.inf if worst is None else worst)
    return basis.found(mean, math.hypot(rate_error * value, rate_value * error), mean * math.exp(-below), high)


def _log_gap(high: float, low: float) -> float:
    return math.inf if low <= 0 else math.log(high / low)


def _gamma_grid(counts: Floats, actions: Floats) -> tuple[Floats, Floats, Floats]:
    """Grid of the Gamma's shape and mean with their posterior weights, each flattened."""
    centre = max(float(counts.sum()), 0.5) / float(actions.sum())
    reach = 4 * math.sqrt(1 / max(float(counts.sum()), 0.5) + 4 / len(counts))
    shape, mean = np.meshgrid(
        np.exp(np.linspace(math.log(0.05), math.log(200.0), _GRID)),
        centre * np.exp(np.linspace(-reach, reach, _GRID)),
        indexing="ij",
    )
    a, b = shape.ravel()[:, None], (shape / mean).ravel()[:, None]
    log = special.gammaln(counts + a) - special.gammaln(a) + a * np.log(b) - (counts + a) * np.log(actions + b)
    total = log.sum(axis=1) - 0.5 * np.log(a[:, 0])
    weights = np.exp(total - total.max())
    return shape.ravel(), mean.ravel(), weights / weights.sum()


def _mixture(incidents: float, exposure: float, shape: Floats, mean: Floats, posterior: Floats, level: float) -> Estimate:
    heavy = posterior > 1e-6
    a, b, weight = shape[heavy] + incidents, shape[heavy] / mean[heavy] + exposure, posterior[heavy] / posterior[heavy].sum()
    value = float((weight * a / b).sum())
    variance = float((weight * (a / b**2 + (a / b) ** 2)).sum()) - value**2

    def point(share: float) -> float:
        low, high = 0.0, float((a / b).max()) + 40 * math.sqrt(float((a / b**2).max()))
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if float((weight * special.gammainc(a, b * middle)).sum()) < share else (low, middle)
        return high

    tail = (1 - level) / 2
    basis = Basis(round(exposure), round(exposure), "gamma-Poisson, partially pooled", ACTIONS, level)
    return basis.found(value, math.sqrt(max(variance, 0.0)), point(tail), point(1 - tail))
