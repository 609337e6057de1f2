"""With which chance an appraisal finds a segment, by computation: from true gains, and the errors that so many outcomes imply.

The errors that a replication itself estimates do not tell it. Passes and fails leave the more doubt the nearer their share is to
a half, so that an option which by luck looks worse than it is often looks surer, too: the replications whose own errors promise
most find least. What n outcomes imply is the same errors on average over all replications of a segment, each per outcome and
unit of price, for the outcomes and the prices that this replication has. How far below an estimate its limit lies, in such
errors, is taken from all replications, whichever way their own estimates missed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from analyzers.effects import intervals, multiplicity, power
from analyzers.effects.estimate import LEVEL, Estimate, Floats

Cell: TypeAlias = tuple[int, int, int]
"""Which segment it is, in every replication: its decision set, the chosen option, and the value band, counted from the lowest."""

CHANCES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
HEADER = ("| computed chance | segments | computed, on average | found |", "|---|---|---|---|")

_ROUNDS = 20
_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of replications: limits of rare large losses lie far off in some and near in most


@dataclass(frozen=True, slots=True)
class Against:
    """One alternative of a segment: its true gain in USD, and what was estimated of it.

    `variances`: by term, of the estimate per unit of price, as the appraisal has it; `prices`: the sum of each term's prices;
    `outcomes`: of the alternative, and of the chosen option.
    """

    gain_usd: float
    estimate: Estimate
    variances: dict[str, float]
    prices: dict[str, float]
    outcomes: tuple[int, int]

    @property
    def spread(self) -> float:
        """What the outcomes' numbers make of the variance of one."""
        return 1 / self.outcomes[0] + 1 / self.outcomes[1]


@dataclass(frozen=True, slots=True)
class Asked:
    """A segment that has a number, in one replication. `options`: its alternatives, by code; `truth_usd`: what it truly lost."""

    cell: Cell
    options: dict[int, Against]
    truth_usd: float
    materiality_usd: float
    is_found: bool

    @property
    def is_material(self) -> bool:
        """Whether more was lost than materiality, against options that could be compared."""
        return bool(self.options) and self.truth_usd > self.materiality_usd


@dataclass
class Powered:
    """The segments of all replications of a row."""

    runs: list[list[Asked]] = field(default_factory=list[list[Asked]])

    def chances(self) -> list[list[float]]:
        """The computed chance of every segment, as `runs` has them."""
        errors = _Errors(asked for run in self.runs for asked in run)
        return [_chances(run, errors) for run in self.runs]

    def material(self) -> list[tuple[Asked, float]]:
        """The segments that lost something material, each with its chance."""
        return [
            (asked, chance)
            for run, chances in zip(self.runs, self.chances(), strict=True)
            for asked, chance in zip(run, chances, strict=True)
            if asked.is_material
        ]


def recall(some: Iterable[tuple[Asked, float]]) -> list[int]:
    """Of the segments that are found with `power.POWER` by computation: how many were, and how many they are."""
    found = [asked.is_found for asked, chance in some if chance >= power.POWER]
    return [sum(found), len(found)]


def calibration(some: Sequence[tuple[Asked, float]]) -> list[str]:
    """Lines of a table: what share was found of the segments that computation gives like chances."""
    lines: list[str] = []
    for low, high in zip(CHANCES, (*CHANCES[1:], 1.1), strict=True):
        here = [(asked.is_found, chance) for asked, chance in some if low <= chance < high]
        if here:
            found, chance = (100 * float(np.mean(column)) for column in zip(*here, strict=True))
            lines.append(f"| {100 * low:.0f}–{100 * min(high, 1.0):.0f} % | {len(here):,} | {chance:.0f} % | {found:.0f} % |")
    return lines


class _Errors:
    """Standard errors and lower limits' distances that so many outcomes imply, as replications have them."""

    def __init__(self, segments: Iterable[Asked]) -> None:
        known: dict[tuple[Cell, int], list[Against]] = defaultdict(list)
        for asked in segments:
            for option, each in asked.options.items():
                known[asked.cell, option].append(each)
        self._variances = {
            key: {term: float(np.mean([one.variances[term] / one.spread for one in found])) for term in found[0].variances}
            for key, found in known.items()
        }
        self._ratios: dict[tuple[Cell, int], tuple[float, Floats, float]] = {}
        for key, found in known.items():
            scales = np.array([self._scale(key, one) for one in found])
            numbers = np.array([one.estimate.numbers() for one in found])
            error = math.sqrt(float(((numbers[:, 1] / scales) ** 2).mean()))
            below: Floats = np.quantile((numbers[:, 0] - numbers[:, 2]) / scales, _SHARES)
            self._ratios[key] = error, below, float(np.median([one.estimate.degrees for one in found]))

    def of(self, cell: Cell, option: int, each: Against) -> tuple[float, Floats, float]:
        """Error and the lower limit's distance at each of `_SHARES`, in USD, and degrees of freedom."""
        error, below, degrees = self._ratios[cell, option]
        scale = self._scale((cell, option), each)
        return error * scale, below * scale, degrees

    def _scale(self, key: tuple[Cell, int], each: Against) -> float:
        variances = self._variances[key]
        return max(1e-12, math.sqrt(each.spread * sum(variances[term] * each.prices[term] ** 2 for term in variances)))


def _chances(run: Sequence[Asked], errors: _Errors) -> list[float]:
    """Each segment's chance in one replication; 0 where nothing is lost.

    False-discovery control lets pass what is below its rate times the share of all findings, of which the segment is one and the
    others are as many as are found by computation: the largest numbers that agree, as Benjamini & Hochberg's step-up takes the
    largest.
    """
    chances = np.array([float(bool(asked.options) and asked.truth_usd > 0) for asked in run])
    for _ in range(_ROUNDS):
        before = chances.copy()
        for place, asked in enumerate(run):
            if before[place] > 0:
                level = 1 - multiplicity.RATE * (1 + before.sum() - before[place]) / len(run)
                chances[place] = _chance(asked, errors, level)
        if np.abs(chances - before).max(initial=0.0) < 1e-2:
            break
    return [float(chance) for chance in chances]


def _chance(asked: Asked, errors: _Errors, level: float) -> float:
    """Chance that a segment is found at a level: the best option's, averaged over how far off its limit may lie, less what
    picking it takes. The chosen option's outcomes are in the error of every alternative."""
    known = [(each, *errors.of(asked.cell, option, each)) for option, each in asked.options.items()]
    gains = np.array([each.gain_usd for each, _, _, _ in known])
    error = np.array([one[1] for one in known])
    wider = np.array([intervals.quantile(one[3], level) / intervals.quantile(one[3], LEVEL) for one in known])
    shared = error * np.sqrt([1 / each.outcomes[1] / each.spread for each, _, _, _ in known])
    covariance = np.outer(shared, shared) + np.diag(error**2 - shared**2)
    least = asked.materiality_usd if asked.is_material else 0.0
    reaches, best, middle = np.stack([one[2] for one in known]), int(gains.argmax()), _SHARES.index(0.5)

    def chance(options: slice, share: int) -> float:
        reach = reaches[options, share]
        return power.picked(gains[options], covariance[options, options], reach, demanded=reach * wider[options], least=least)

    alone = slice(best, best + 1)
    picking = chance(alone, middle) - chance(slice(None), middle)
    return min(1.0, max(0.0, float(np.mean([chance(alone, share) for share in range(len(_SHARES))])) - picking))
