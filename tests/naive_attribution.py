"""Second implementations of what analyzers.attribution adds, in loops from the formula: what it must agree with."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import integrate

from tests.naive_effects import ridge

Numbers = NDArray[np.float64]
Wholes = NDArray[np.int64]


def switched(
    decisions: Sequence[int],
    others: Sequence[int],
    price: Sequence[Numbers],
    outcome: Sequence[Numbers],
    fitted: Sequence[Numbers],
    propensity: Numbers,
    option: int,
    base: int,
) -> float:
    """Σ over decisions of what `option` would change, in USD.

    Each term's expectation at the decision's own price, and the mean miss of each arm, the option's weighted by
    e_base/e_option, times the sum of prices. Outcomes are all known.
    """
    total = 0.0
    for p, y, f in zip(price, outcome, fitted, strict=True):
        missed, weights = 0.0, 0.0
        for j in others:
            weight = float(propensity[j, base] / propensity[j, option])
            missed += weight * float(y[j] - f[j, option])
            weights += weight
        own = sum(float(y[i] - f[i, base]) for i in decisions) / len(decisions)
        for i in decisions:
            total += float(p[i]) * (float(f[i, option] - f[i, base]) + missed / weights - own)
    return total


def lent(
    decisions: Sequence[int],
    others: Sequence[int],
    owners: Sequence[int],
    price: Numbers,
    outcome: Numbers,
    fitted: Numbers,
    propensity: Numbers,
    tilt: Numbers,
    option: int,
    base: int,
) -> float:
    """One term of `switched` where it is measured on other tasks too: the mean miss of the option on `others` and of the base on
    `owners`, each row weighted by how likely its context is asked about over how likely it was chosen there."""
    missed: list[float] = []
    for rows, took in ((others, option), (owners, base)):
        weights = [float(tilt[j] / propensity[j, took]) for j in rows]
        misses = [float(outcome[j] - fitted[j, took]) for j in rows]
        missed.append(sum(w * m for w, m in zip(weights, misses, strict=True)) / sum(weights))
    expected = sum(float(price[i]) * float(fitted[i, option] - fitted[i, base]) for i in decisions)
    return expected + sum(float(price[i]) for i in decisions) * (missed[0] - missed[1])


def away(
    decisions: Sequence[int],
    others: Sequence[int],
    owners: Sequence[int],
    price: Numbers,
    log_v: Numbers,
    propensity: Numbers,
    tilt: Numbers,
    option: int,
    base: int,
) -> float:
    """How far the decisions' log V, weighted as they are priced, lies from the middle of the groups that `lent` compares."""
    paid = [abs(float(price[i])) for i in decisions]
    wanted = sum(p * float(log_v[i]) for p, i in zip(paid, decisions, strict=True)) / sum(paid)
    middles: list[float] = []
    for rows, took in ((others, option), (owners, base)):
        weights = [float(tilt[j] / propensity[j, took]) for j in rows]
        middles.append(sum(w * float(log_v[j]) for w, j in zip(weights, rows, strict=True)) / sum(weights))
    return wanted - sum(middles) / 2


def believed(slope: float, variance: float) -> tuple[float, float]:
    """Mean and variance of what a slope is, told with so much variance, if it is normal around 0 with a deviation that is itself
    half-Cauchy of a quarter of the error: integrals over that deviation."""

    def moment(power: int) -> float:
        def at(angle: float) -> float:  # the deviation is 0.25·error·tan(angle), evenly over angles
            ratio = (0.25 * math.tan(angle)) ** 2
            shrink = ratio / (1 + ratio)
            likelihood = math.exp(-(slope**2) / variance / (2 * (1 + ratio))) / math.sqrt(1 + ratio)
            mean = shrink * slope
            return likelihood * (1.0, mean, mean**2 + shrink * variance)[power]

        return float(integrate.quad(at, 0, math.pi / 2, epsabs=0, epsrel=1e-10, limit=200)[0])

    whole = moment(0)
    mean = moment(1) / whole
    return mean, moment(2) / whole - mean**2


def slopes_drawn(slope: float, variance: float, count: int, rng: np.random.Generator) -> Numbers:
    """What such a slope is believed to be, drawn: a deviation from the prior, a slope given that, each draw by its likelihood."""
    ratio = (0.25 * np.tan(rng.uniform(0, math.pi / 2, size=count))) ** 2
    shrink = ratio / (1 + ratio)
    likelihood = np.exp(-(slope**2) / variance / (2 * (1 + ratio))) / np.sqrt(1 + ratio)
    drawn = shrink * slope + np.sqrt(shrink * variance) * rng.normal(size=count)
    return np.asarray(rng.choice(drawn, size=count, p=likelihood / likelihood.sum()), dtype=np.float64)


def along(weights: Numbers, missed: Numbers, log_v: Numbers) -> tuple[float, float]:
    """By how much misses grow per unit of log V, and the variance of that if all are as spread: weighted least squares, each
    decision being a task of its own."""
    whole = float(sum(weights))
    middle = sum(float(w * x) for w, x in zip(weights, log_v, strict=True)) / whole
    mean = sum(float(w * m) for w, m in zip(weights, missed, strict=True)) / whole
    below = sum(float(w) * (float(x) - middle) ** 2 for w, x in zip(weights, log_v, strict=True))
    slope = (
        sum(float(w) * (float(x) - middle) * (float(m) - mean) for w, x, m in zip(weights, log_v, missed, strict=True)) / below
    )
    left = sum(
        float(w) * (float(m) - mean - slope * (float(x) - middle)) ** 2 for w, x, m in zip(weights, log_v, missed, strict=True)
    )
    reach = sum((float(w) * (float(x) - middle)) ** 2 for w, x in zip(weights, log_v, strict=True))
    return slope, left / whole * reach / below**2


def unseen(prices: Sequence[Numbers], variances: Sequence[float], decisions: Sequence[int], measured: int) -> float:
    """Variance of a sum over decisions of effects that differ unseen, where the mean of the `measured` ones is known: Σ over
    terms of g·Σ_i (p_i − Σp/N)², with p = 0 for decisions that are not asked about."""
    total = 0.0
    for price, variance in zip(prices, variances, strict=True):
        whole = sum(float(price[i]) for i in decisions)
        mean = whole / measured
        inside = sum((float(price[i]) - mean) ** 2 for i in decisions)
        total += variance * (inside + (measured - len(decisions)) * mean**2)
    return total


def tails(outcome: Numbers, misses: Sequence[float], chosen: Wholes, options: int) -> tuple[list[float], float]:
    """Variance of one decision's miss under each option with everyone's tail, and how many outcomes that counts as."""
    centred, scales = [0.0] * len(misses), list[float]()
    for option in range(options):
        mine = [i for i in range(len(misses)) if chosen[i] == option]
        mean = sum(misses[i] for i in mine) / len(mine)
        for i in mine:
            centred[i] = misses[i] - mean
        middle = statistics.median(float(outcome[i]) for i in mine)
        scales.append(statistics.median(abs(float(outcome[i]) - middle) for i in mine))
    if min(scales) == 0:
        scales = [1.0] * options
    squares = [(miss / scales[int(option)]) ** 2 for miss, option in zip(centred, chosen, strict=True)]
    spread = sum(squares) / len(squares)
    return [scale**2 * spread for scale in scales], sum(square**2 for square in squares) / len(squares) / spread**2 - 1


def rare(outcome: Numbers, fitted: Numbers, chosen: Wholes, rows: Sequence[int], weights: Sequence[float], took: int) -> float:
    """Variance of an arm's mean miss beyond its own spread: of what `tails` would have, as far as n outcomes tell less of a
    variance than all do. Every task has one decision and every outcome is known."""
    misses = [float(outcome[i] - fitted[i, chosen[i]]) for i in range(len(chosen))]
    variances, worth = tails(outcome, misses, chosen, fitted.shape[1])
    shares = [weight / sum(weights) for weight in weights]
    mean = sum(share * misses[i] for share, i in zip(shares, rows, strict=True))
    own = sum((share * (misses[i] - mean)) ** 2 for share, i in zip(shares, rows, strict=True))
    size = 1 / sum(share**2 for share in shares)
    return max(variances[took] / size - own, 0.0) * worth / (size + worth)


def expectations(features: Numbers, chosen: Wholes, outcome: Numbers, fold: Wholes, options: int) -> Numbers:
    """What ridge regressions on standardised features expect of every option, a decision at a time, never from its own fold."""
    varied = features[:, features.std(axis=0) > 1e-12 * (1 + np.abs(features.mean(axis=0)))]
    standard = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    fitted = np.empty((len(outcome), options))
    for i in range(len(outcome)):
        for option in range(options):
            rows = (fold != fold[i]) & (chosen == option)
            [value] = ridge(standard[rows], outcome[rows], standard[i : i + 1])
            fitted[i, option] = min(max(float(value), float(outcome[rows].min())), float(outcome[rows].max()))
    return fitted


def joint_error(pulls: Sequence[float], tasks: Sequence[int]) -> float:
    """Standard error of a sum whose decisions pull as told, whole tasks together."""
    sums: dict[int, float] = {}
    for pull, task in zip(pulls, tasks, strict=True):
        sums[task] = sums.get(task, 0.0) + pull
    present = [value for value in sums.values() if value != 0]
    return math.sqrt(sum(value**2 for value in present) * len(present) / (len(present) - 1))


def newey_west(x: Sequence[float], y: Sequence[float], controls: Numbers, lags: int) -> tuple[float, float]:
    """Slope of y on x given controls, and its error, by the full normal equations and a double loop over windows."""
    design = np.column_stack([np.array(x), controls])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ np.array(y)
    residual = np.array(y) - design @ coefficients
    middle = np.zeros((design.shape[1], design.shape[1]))
    n = len(x)
    for s in range(n):
        for t in range(n):
            if abs(s - t) <= lags:
                middle += (1 - abs(s - t) / (lags + 1)) * residual[s] * residual[t] * np.outer(design[s], design[t])
    covariance = inverse @ middle @ inverse * n / (n - design.shape[1])
    return float(coefficients[0]), math.sqrt(float(covariance[0, 0]))


def sequential(
    regrets: Sequence[Sequence[float]], wrong: Sequence[Sequence[bool]], cells: Sequence[Sequence[int]]
) -> list[float]:
    """Each kind's share: a task's regret where everything upstream is right, else the mean of such tasks in its cell.

    Rows are kinds in the order of deciding, columns tasks; `wrong` says where a kind was clearly not at its best."""
    shares: list[float] = []
    for kind, row in enumerate(regrets):
        share = 0.0
        for task, regret in enumerate(row):
            if not any(wrong[earlier][task] for earlier in range(kind)):
                share += regret
                continue
            like = [
                row[other]
                for other in range(len(row))
                if cells[kind][other] == cells[kind][task] and not any(wrong[earlier][other] for earlier in range(kind))
            ]
            share += sum(like) / len(like)
        shares.append(share)
    return shares
