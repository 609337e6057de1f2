"""The mean of the worst: CVaR of losses, for action classes that are rare and of high consequence.

An expectation under-prices such classes: where risk is Knightian, ρ·ΔR has to be a coherent measure. The method names its regime:
enough losses beyond a threshold for a fitted tail; a stated worst case for a bound that holds whatever the distribution; else
no number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from analyzers.effects.estimate import LEVEL, Basis, Estimate, Floats, InputError, Needs, floats
from analyzers.effects.intervals import quantile, skewed, spread
from analyzers.effects.risk import expected_loss

EXCEEDANCES_MIN = 50
_FAR = 0.3  # share of actions beyond the threshold above which it is no tail
_ORDINARY = 0.1  # share of worst actions above which their mean is a mean like others
_SHAPES = np.linspace(-0.6, 0.95, 40)  # of the generalised Pareto; at 1 the mean of the tail is infinite
_RATES = 7


def cvar(loss_usd: ArrayLike, share: float, *, consequence_max_usd: float | None = None, level: float = LEVEL) -> Estimate:
    """Mean loss of the worst `share` of actions (share 0.01: CVaR at 99 %), in USD.

    Shapes: loss_usd (n,) ≥ 0, one independent task each (sum a task's losses before); 0 where nothing went wrong.
    Where losses are rarer than `share`, CVaR = E[loss]/share and `risk.expected_loss` answers. For a share above a tenth with
    50 actions in it: the empirical mean, with a gamma's interval. With 50 exceedances of a threshold or more: peaks over
    threshold, generalised Pareto tail, interval by profile likelihood. Else with a stated worst case: the empirical CVaR within
    its distribution-free bound. Else `not_enough_evidence`.
    Formula: CVaR = u + σ·[(ζ^{−ξ} − 1)/ξ + ζ^{−ξ}/(1 − ξ)], ζ = share/P(loss > u). Source: Rockafellar & Uryasev 2000; McNeil,
    Frey & Embrechts, Quantitative Risk Management, §7.2; Dvoretzky, Kiefer & Wolfowitz with Massart's constant for the bound.
    Raises: InputError for a share outside (0, 1) or losses below 0.
    """
    losses = floats(loss_usd, "loss_usd", shape=(-1,))
    if not 0 < share < 1 or len(losses) == 0 or (losses < 0).any():
        raise InputError("cvar needs a share in (0, 1) and losses, none below 0")
    positive = losses[losses > 0]
    n = len(losses)
    if len(positive) <= share * n:
        return _rare(losses, share, consequence_max_usd, level)
    if share > _ORDINARY and share * n >= EXCEEDANCES_MIN:
        return _ordinary(losses, share, consequence_max_usd, level)
    exceedances = min(len(positive) - 1, max(EXCEEDANCES_MIN, math.ceil(2.5 * share * n), min(n // 10, 1000)))
    beyond = EXCEEDANCES_MIN <= exceedances <= n * _FAR and exceedances >= 1.2 * share * n
    if beyond and len(np.unique(positive)) > EXCEEDANCES_MIN // 2:
        return _peaks(losses, share, exceedances, consequence_max_usd, level)
    if consequence_max_usd is not None:
        return _distribution_free(losses, share, consequence_max_usd, level)
    why = f"{len(positive)} losses: a tail needs {EXCEEDANCES_MIN + 1}, a bound needs a stated worst case"
    more = math.ceil(n * (EXCEEDANCES_MIN + 1 - len(positive)) / len(positive))
    return Basis(n, n, "CVaR", _estimand(share), level).nothing("not_enough_evidence", why, Needs(outcomes=max(more, 1)))


def _estimand(share: float) -> str:
    return f"the worst {share:.2%} of actions"


def _rare(losses: Floats, share: float, worst: float | None, level: float) -> Estimate:
    expected = expected_loss(losses, consequence_max_usd=worst, level=level).expected
    expected = replace(expected, method="CVaR of rare losses: E[loss]/share", estimand=_estimand(share))
    if expected.status != "identified":
        return expected
    value, error, low, high = (number / share for number in expected.numbers())
    ceiling = math.inf if worst is None else worst
    return replace(expected, value=min(value, ceiling), standard_error=error, low=low, high=min(high, ceiling))


def _ordinary(losses: Floats, share: float, worst: float | None, level: float) -> Estimate:
    """CVaR of a large share: a mean of VaR + (loss − VaR)⁺/share, to which VaR's own error contributes nothing at first order."""
    n = len(losses)
    at_risk = float(np.quantile(losses, 1 - share))
    of = spread(at_risk + np.maximum(losses - at_risk, 0) / share, np.arange(n))
    bounds = skewed(of, level)
    high = bounds.high if worst is None else min(bounds.high, worst)
    basis = Basis(n, n, "CVaR, empirical", _estimand(share), level)
    return basis.found(bounds.value, of.standard_error, bounds.low, high, degrees=of.degrees)


def _distribution_free(losses: Floats, share: float, worst: float, level: float) -> Estimate:
    n = len(losses)
    if losses.max() > worst:
        raise InputError(f"a loss of {losses.max():g} is above the stated worst case {worst:g}")
    off = math.sqrt(math.log(2 / (1 - level)) / (2 * n))
    ordered = np.sort(losses)
    value = _tail_mean(ordered, share)
    # The distribution function may be off by this much: that share is moved to the worst case, or taken from the top.
    moved = min(off, share)
    high = (moved * worst + (share - moved) * _tail_mean(ordered, share - moved)) / share if share > moved else worst
    cut = ordered[: max(1, math.floor(n * (1 - off)))] if off < 1 else ordered[:1]
    low = _tail_mean(cut, min(1.0, share / max(1 - off, share)))
    basis = Basis(n, n, "CVaR, distribution-free bound", _estimand(share), level)
    return basis.found(value, (high - low) / 2 / quantile(math.inf, level), low, high)


def _tail_mean(ordered: Floats, share: float) -> float:
    """Mean of the largest `share` of ordered values, the one at the edge counted in part."""
    n = len(ordered)
    wanted = share * n
    whole = min(n, math.floor(wanted + 1e-9))
    part = wanted - whole
    total = float(ordered[n - whole :].sum()) + (part * float(ordered[n - whole - 1]) if whole < n and part > 0 else 0.0)
    return total / wanted if wanted > 0 else float(ordered[-1])


def _peaks(losses: Floats, share: float, exceedances: int, worst: float | None, level: float) -> Estimate:
    n = len(losses)
    ordered = np.sort(losses)
    threshold = float(ordered[n - exceedances - 1])
    excess = ordered[ordered > threshold] - threshold
    fit = _Tail(excess, threshold, n, share)
    method = f"CVaR, peaks over threshold {threshold:.3g} ({len(excess)} exceedances)"
    basis = Basis(n, n, method, _estimand(share), level)
    value, best = fit.maximum()
    drop = quantile(len(excess) - 2, level) ** 2 / 2
    low, high = fit.limits(value, best - drop)
    ceiling = math.inf if worst is None else worst
    high = min(high, ceiling)
    if math.isinf(high):
        why = "the tail may be so heavy that its mean is infinite: state a worst case, or wait for more losses"
        return basis.nothing("not_enough_evidence", why, Needs(outcomes=n))
    return basis.found(min(value, high), (high - low) / 2 / quantile(math.inf, level), low, high)


class _Tail:
    """Profile likelihood of CVaR: for a value of it, the best over the tail's shape and over the rate of exceedances."""

    def __init__(self, excess: Floats, threshold: float, n: int, share: float) -> None:
        self.excess, self.threshold = excess, threshold
        p = len(excess) / n
        error = math.sqrt(p * (1 - p) / n)
        rates = np.clip(p + error * np.linspace(-3, 3, _RATES), max(share * 1.0001, 1e-9), 1 - 1e-9)
        self.counted = len(excess) * np.log(rates) + (n - len(excess)) * np.log1p(-rates)
        zeta = share / rates[None, :]
        shapes = np.where(np.abs(_SHAPES) < 1e-9, 1e-6, _SHAPES)[:, None]
        self.shapes = shapes
        self.reach = (zeta**-shapes - 1) / shapes + zeta**-shapes / (1 - shapes)  # CVaR − u in units of σ

    def profile(self, value: float) -> float:
        """Log likelihood of this CVaR at the best shape and rate."""
        if value <= self.threshold:
            return -math.inf
        scale = (value - self.threshold) / self.reach  # (shapes, rates)
        inside = 1 + self.shapes[:, :, None] * self.excess / scale[:, :, None]
        positive = inside.min(axis=2) > 0
        log = np.log(np.maximum(inside, 1e-300)).sum(axis=2)
        likelihood = -len(self.excess) * np.log(scale) - (1 + 1 / self.shapes) * log + self.counted
        return float(np.where(positive, likelihood, -np.inf).max())

    def maximum(self) -> tuple[float, float]:
        """The CVaR of greatest likelihood, and that likelihood."""
        start = math.log(max(float(self.excess.mean()), 1e-12))
        found = optimize.minimize_scalar(
            lambda log: -self.profile(self.threshold + math.exp(log)), bounds=(start - 3, start + 8), method="bounded"
        )
        return self.threshold + math.exp(float(found.x)), -float(found.fun)

    def limits(self, value: float, floor: float) -> tuple[float, float]:
        """Where the profile falls to `floor` on both sides; infinite where it does not within a factor of e¹⁰."""

        def fall(log: float) -> float:
            return self.profile(self.threshold + math.exp(log)) - floor

        middle = math.log(value - self.threshold)
        low, high = middle - 0.5, middle + 0.5
        while fall(low) > 0:
            low -= 0.5
        while fall(high) > 0:
            high += 0.5
            if high > middle + 10:
                return self.threshold + math.exp(_root(fall, low, middle)), math.inf
        return self.threshold + math.exp(_root(fall, low, middle)), self.threshold + math.exp(_root(fall, middle, high))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(function, low, high, xtol=1e-4))
