"""Where options were taken, weighted to be like the decisions that are asked about: what a contrast is measured on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analyzers.attribution.fit import FOLDS, Fit
from analyzers.effects import intervals
from analyzers.effects.estimate import Bools, Floats, Ints, distinct, ranks

_CHANCE_MIN = 1e-6


@dataclass(frozen=True, slots=True)
class Arm:
    """The decisions in which one option was taken, weighted to be like those that are asked about.

    `rows` and their `tasks` (numbered within the contrast); `pulls` (P, rows): what each adds to the error of the mean that each
    of P terms missed, `missed` (P,); `sizes` (P,): independent tasks (Kish) behind each, among `counts` (P,); `scarce`: the
    priced term that is least known (None: no option moves any), `effective` its size; `by_fold` (P, 2, folds): weighted misses
    and weights, for choosing on other folds. `rare` (P,): variance of `missed` beyond that of `pulls`, for large misses that so
    few decisions may not have met (`rare.tails`).
    """

    rows: Ints
    tasks: Ints
    pulls: Floats
    missed: Floats
    effective: float
    scarce: int | None
    sizes: Floats
    counts: Ints
    by_fold: Floats
    shares: Floats
    rare: Floats

    def deviation(self, place: int) -> float:
        """Standard deviation of what the model missed of one decision in a term, in its unit."""
        return math.sqrt(float((self.pulls[place] ** 2).sum()) * float(self.sizes[place]))

    def along(self, log_v: Floats) -> Floats:
        """Shape (P,): the mean of log V (n,) over the rows, weighted as each term is."""
        weights = self.shares
        return np.where(weights.sum(axis=1) > 0, weights @ log_v[self.rows] / np.maximum(weights.sum(axis=1), 1e-300), 0.0)

    def slope(self, place: int, log_v: Floats) -> tuple[float, float]:
        """By how much a term's misses grow per unit of log V (n,), and the variance of that: weighted least squares, with the
        spread of all misses, tasks being the unit. (0, 0) where V does not vary.

        Formula: Σw·x·m/Σw·x² with x = log V less its mean; variance s²·Σ_g(Σ_g w·x)²/(Σw·x²)² over tasks g.
        """
        weights, pulls = self.shares[place], self.pulls[place]
        x = log_v[self.rows] - weights @ log_v[self.rows]
        below = float(weights @ x**2)
        if below < 1e-12:
            return 0.0, 0.0
        slope = float(x @ pulls) / below
        pulled = weights * x
        left = np.divide(pulls - slope * pulled, np.sqrt(weights), out=np.zeros_like(pulls), where=weights > 0)
        reach = np.bincount(self.tasks, weights=pulled) if len(self.tasks) else pulled
        return slope, float((left**2).sum()) * float((reach**2).sum()) / below**2

    def shifted(self, by: Floats) -> Arm:
        """The same arm, each term's misses moved by so much (P,)."""
        by_fold = self.by_fold.copy()
        by_fold[:, 0] += by[:, None] * by_fold[:, 1]
        return replace(self, missed=self.missed + by, by_fold=by_fold)

    def without(self, fold: int) -> Floats:
        """Shape (P,): the mean miss on all other folds; the overall one where they hold nothing."""
        weighed = self.by_fold.sum(axis=2) - self.by_fold[:, :, fold]
        return np.where(weighed[:, 1] > 0, weighed[:, 0] / np.maximum(weighed[:, 1], 1e-300), self.missed)


def arm(fit: Fit, rows: Ints, took: int, weights: Sequence[Floats], tasks: Ints) -> Arm:
    """The arm of `rows`, in which `took` was chosen, under each term's weights (rows,), whose tasks are numbered as `tasks` says.
    Terms that no option moves are not measured."""
    pulls, missed = np.zeros((len(fit.parts), len(rows))), np.zeros(len(fit.parts))
    by_fold, sizes = np.zeros((len(fit.parts), 2, FOLDS)), np.zeros(len(fit.parts))
    counts, shares, rare = np.zeros(len(fit.parts), dtype=np.int64), np.zeros(pulls.shape), np.zeros(len(fit.parts))
    for place, part in enumerate(fit.parts):
        if not part.moves:
            continue
        weighed = weights[place] * part.weight[rows]
        total = float(weighed.sum())
        if total <= 0:
            continue
        residual = part.residual[rows]
        missed[place] = float((weighed * residual).sum()) / total
        shares[place] = weighed / total
        pulls[place] = shares[place] * (residual - missed[place])
        by_fold[place, 0] = np.bincount(fit.fold[rows], weights=weighed * residual, minlength=FOLDS)
        by_fold[place, 1] = np.bincount(fit.fold[rows], weights=weighed, minlength=FOLDS)
        counts[place] = int((weighed > 0).sum()) if fit.alone else distinct(tasks[weighed > 0])
        sizes[place] = total**2 / float((weighed**2).sum()) if fit.alone else intervals.kish(weighed, tasks)
        wanted = float(part.tail[took]) / sizes[place] - float((pulls[place] ** 2).sum())
        rare[place] = max(wanted, 0.0) * part.tail_worth / (sizes[place] + part.tail_worth)
    priced = [place for place, part in enumerate(fit.parts) if part.moves and part.name != "own"]
    scarce = min(priced, key=lambda place: sizes[place], default=None)
    effective = math.inf if scarce is None else float(sizes[scarce])
    return Arm(rows, tasks, pulls, missed, effective, scarce, sizes, counts, by_fold, shares, rare)


def asked(fit: Fit, pool: Ints, option: int, base: int) -> Ints:
    """The decisions of a pool that a contrast is about."""
    return pool[fit.supported[pool, option] & fit.supported[pool, base] & (fit.choices.chosen[pool] == base)]


@dataclass(frozen=True, slots=True)
class Loan:
    """Where a contrast is measured besides its own pool: on the rows of `donors` (which hold the pool), weighted by `tilt` (n,),
    the probability that a decision of such context is one of those that are asked about. Terms that are `apart` (P,) are measured
    in the pool alone, or, if asked about is a part of a pool, on the rows `near` of all of it."""

    donors: Ints
    tilt: Floats
    apart: Bools
    near: Ints | None = None


def measured(fit: Fit, pool: Ints, option: int, base: int, loan: Loan | None) -> tuple[Arm, Arm, int] | None:
    """The arms of a contrast, of `option` and of `base`, and how many tasks both have; None where one is empty."""
    given = pool if loan is None else loan.donors
    both = given[fit.supported[given, option] & fit.supported[given, base]]
    took = fit.choices.chosen[both]
    owners, others = both[took == base], both[took == option]
    if len(owners) == 0 or len(others) == 0:
        return None
    if fit.alone:
        own_tasks, other_tasks, tasks = owners, others, len(owners) + len(others)
    else:
        codes = ranks(fit.tasks[np.concatenate([others, owners])])
        other_tasks, own_tasks, tasks = codes[: len(others)], codes[len(others) :], int(codes.max()) + 1
    one = arm(fit, others, option, _weights(fit, pool, others, option, base, loan), other_tasks)
    other = arm(fit, owners, base, _weights(fit, pool, owners, base, base, loan), own_tasks)
    return one, other, tasks


def _weights(fit: Fit, pool: Ints, rows: Ints, took: int, base: int, loan: Loan | None) -> list[Floats]:
    """Each term's weights of rows in which `took` was chosen, so that they are like the pool's decisions for `base`."""
    asked = fit.propensity[rows, base] if loan is None or loan.near is None else loan.tilt[rows]
    alone = asked / np.maximum(fit.propensity[rows, took], _CHANCE_MIN)
    if loan is None:
        return [alone] * len(fit.parts)
    if loan.apart.any():
        inside: Bools = np.zeros(len(fit.choices), dtype=np.bool_)
        inside[pool if loan.near is None else loan.near] = True
        alone = alone * inside[rows]
    lent = loan.tilt[rows] / np.maximum(fit.shared[rows, took], _CHANCE_MIN)
    return [alone if apart else lent for apart in loan.apart]
