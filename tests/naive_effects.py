"""Second implementations of the estimators, from the textbook's formula, in loops: what analyzers.effects must agree with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Numbers = NDArray[np.float64]


def horvitz_thompson(chosen: Sequence[int], outcome: Sequence[float], propensity: Sequence[float], option: int) -> float:
    """Mean of Y/p over the decisions that took the option, the others counting zero."""
    total = 0.0
    for a, y, p in zip(chosen, outcome, propensity, strict=True):
        if a == option:
            total += y / p
    return total / len(chosen)


def hajek(chosen: Sequence[int], outcome: Sequence[float], propensity: Sequence[float], option: int) -> float:
    """The same over the sum of the weights."""
    total = weight = 0.0
    for a, y, p in zip(chosen, outcome, propensity, strict=True):
        if a == option:
            total += y / p
            weight += 1 / p
    return total / weight


def clustered_error(values: Sequence[float], clusters: Sequence[int]) -> float:
    """Standard error of a mean with whole tasks as the unit."""
    mean, groups = sum(values) / len(values), sorted(set(clusters))
    squares = 0.0
    for group in groups:
        squares += sum(v - mean for v, c in zip(values, clusters, strict=True) if c == group) ** 2
    return math.sqrt(squares * len(groups) / (len(groups) - 1)) / len(values)


def ridge(features: Numbers, outcome: Numbers, at: Numbers) -> Numbers:
    """Predictions of a ridge regression with penalty 1 and a free intercept, by the normal equations."""
    centre, mean = features.mean(axis=0), outcome.mean()
    moved = features - centre
    slope = np.linalg.solve(moved.T @ moved + np.eye(features.shape[1]), moved.T @ (outcome - mean))
    return mean + (at - centre) @ slope


def augmented(
    features: Numbers, chosen: NDArray[np.int64], outcome: Numbers, propensity: Numbers, fold: NDArray[np.int64], option: int
) -> float:
    """Doubly robust mean of an option with cross-fitted ridge regressions, a decision at a time."""
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    fitted: list[float] = []
    for i in range(len(outcome)):
        rows = (fold != fold[i]) & (chosen == option)
        [prediction] = ridge(standard[rows], outcome[rows], standard[i : i + 1])
        fitted.append(float(min(max(prediction, outcome[rows].min()), outcome[rows].max())))
    weights = [(chosen[i] == option) / propensity[i] for i in range(len(outcome))]
    correction = sum(w * (y - f) for w, y, f in zip(weights, outcome, fitted, strict=True)) / sum(weights)
    return sum(fitted) / len(fitted) + float(correction)


def benjamini_hochberg(p_values: Sequence[float], rate: float) -> set[int]:
    """Indices of the largest k p-values that lie below k·rate/m, by trying every k."""
    ordered = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for k in range(len(ordered), 0, -1):
        if p_values[ordered[k - 1]] <= k * rate / len(ordered):
            return set(ordered[:k])
    return set()


def extreme_mean(residual: Sequence[float], odds: Sequence[float], gamma: float) -> float:
    """Largest weighted mean over every corner of the weights 1 + z·odds, z ∈ {1/Γ, Γ}."""
    best = -math.inf
    for corner in itertools.product((1 / gamma, gamma), repeat=len(residual)):
        weights = [1 + z * o for z, o in zip(corner, odds, strict=True)]
        best = max(best, sum(w * r for w, r in zip(weights, residual, strict=True)) / sum(weights))
    return best


def label_probabilities(terms: Numbers, label: Sequence[int], labels: int, strength: float, at: Numbers) -> Numbers:
    """Multinomial logistic regression by its definition: least minus log-likelihood plus the slopes' squares over 2·strength,
    found by a quasi-Newton search to the last digits; the probabilities (rows of `at`, labels)."""
    n, width = terms.shape
    own = np.eye(labels)[list(label)]

    def slope(flat: Numbers) -> tuple[float, Numbers]:
        table = flat.reshape(width + 1, labels)
        logits = terms @ table[:width] + table[width]
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        missed = np.exp(logs) - own
        loss = -float((own * logs).sum()) + float((table[:width] ** 2).sum()) / (2 * strength)
        slopes = np.vstack([terms.T @ missed + table[:width] / strength, missed.sum(axis=0)])
        return loss / n, slopes.ravel() / n

    found = optimize.minimize(slope, np.zeros((width + 1) * labels), jac=True, method="BFGS", options={"gtol": 1e-9})
    table = found.x.reshape(width + 1, labels)
    odds = np.exp(at @ table[:width] + table[width])
    return odds / odds.sum(axis=1, keepdims=True)


def poisson_fit(terms: Numbers, outcome: Numbers) -> Numbers:
    """Coefficients of a Poisson regression with a log link by Newton's steps; `terms` with the intercept."""
    coefficients = np.zeros(terms.shape[1])
    coefficients[0] = math.log(float(outcome.mean()))
    for _ in range(50):
        mean = np.exp(terms @ coefficients)
        coefficients = coefficients + np.linalg.solve((terms * mean[:, None]).T @ terms, terms.T @ (outcome - mean))
    return coefficients


def worst_mean(losses: Sequence[float], share: float) -> float:
    """Mean of the largest share of losses, by sorting, where the share is a whole number of them."""
    count = round(share * len(losses))
    return sum(sorted(losses)[-count:]) / count


def weighted_quantile(outcome: Sequence[float], weights: Sequence[float], share: float) -> float:
    """The first outcome at which the weights below and at it reach the share of all."""
    reached = 0.0
    for y, w in sorted(zip(outcome, weights, strict=True)):
        reached += w
        if reached >= share * sum(weights) - 1e-9:
            return y
    raise AssertionError


def hierarchical_means(values: Sequence[float], errors: Sequence[float], points: int = 4000) -> list[float]:
    """Posterior means of a normal hierarchy with flat priors, by summing over a fine grid of τ."""
    top = 4 * float(np.std(values)) + float(np.median(errors))
    totals, weight_sum = [0.0] * len(values), 0.0
    for tau in ((i + 0.5) / points * top for i in range(points)):
        precision = [1 / (tau**2 + s**2) for s in errors]
        mean = sum(w * v for w, v in zip(precision, values, strict=True)) / sum(precision)
        log = -0.5 * math.log(sum(precision))
        log += sum(0.5 * math.log(w) - 0.5 * w * (v - mean) ** 2 for w, v in zip(precision, values, strict=True))
        weight = math.exp(log)
        weight_sum += weight
        for i, (v, s) in enumerate(zip(values, errors, strict=True)):
            keep = tau**2 / (tau**2 + s**2)
            totals[i] += weight * (keep * v + (1 - keep) * mean)
    return [total / weight_sum for total in totals]


def grouped_means(
    values: Sequence[float | None], errors: Sequence[float], groups: Sequence[int], correlation: float, steps: Numbers
) -> list[tuple[float, float]]:
    """Posterior means and deviations of segments in groups, by one dense normal for all segments at each pair of deviations."""
    n = len(values)
    shown = [k for k in range(n) if values[k] is not None]
    y = np.array([values[k] for k in shown], dtype=np.float64)
    same = np.array([[1.0 if groups[i] == groups[j] else 0.0 for j in range(n)] for i in range(n)])
    noise = np.array(
        [
            [errors[i] * errors[j] * (1.0 if i == j else correlation * same[i, j]) for j in shown]
            for i in shown
        ]
    )  # fmt: skip
    points: list[tuple[float, Numbers, Numbers]] = []
    for between in steps:
        for within in steps:
            prior = between**2 * same + within**2 * np.eye(n)
            inverse = np.linalg.inv(prior[np.ix_(shown, shown)] + noise)
            ones = np.ones(len(shown))
            variance = 1 / float(ones @ inverse @ ones)
            mean = variance * float(ones @ inverse @ y)
            log = 0.5 * math.log(variance) - 0.5 * np.linalg.slogdet(prior[np.ix_(shown, shown)] + noise)[1]
            log -= 0.5 * float((y - mean) @ inverse @ (y - mean))
            slope = prior[:, shown] @ inverse
            left = np.diag(prior - slope @ prior[shown, :]) + (1 - slope @ ones) ** 2 * variance
            points.append((float(log), mean + slope @ (y - mean), left))
    top = max(log for log, _, _ in points)
    weights = [math.exp(log - top) for log, _, _ in points]
    total = sum(weights)
    means = [sum(w * float(m[k]) for w, (_, m, _) in zip(weights, points, strict=True)) / total for k in range(n)]
    seconds = [sum(w * float(v[k] + m[k] ** 2) for w, (_, m, v) in zip(weights, points, strict=True)) / total for k in range(n)]
    return [(m, math.sqrt(s - m**2)) for m, s in zip(means, seconds, strict=True)]


def found_by_picking(
    gains: Sequence[float], own: Sequence[float], base: float, reach: Sequence[float], demanded: Sequence[float], least: float
) -> float:
    """Share of repetitions in which what is picked on four folds and valued on the fifth is found: each option's estimate has an
    error of its own, and that of what it is compared with."""
    rng, hits, repetitions = np.random.default_rng(23), 0, 6_000
    for _ in range(repetitions):
        folds = []
        for _ in range(5):
            shared = base * math.sqrt(5) * rng.normal()
            folds.append([gain + error * math.sqrt(5) * rng.normal() - shared for gain, error in zip(gains, own, strict=True)])
        value = square = 0.0
        for k in range(5):
            means = [sum(folds[other][j] for other in range(5) if other != k) / 4 for j in range(len(gains))]
            pick = max(range(len(gains)), key=lambda j: means[j] - reach[j])
            if means[pick] > 0:
                value += folds[k][pick] / 5
                square += demanded[pick] ** 2 / 5
        hits += square > 0 and value >= max(math.sqrt(square), least)
    return hits / repetitions
