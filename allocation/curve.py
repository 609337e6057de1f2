"""What a limit is worth at every level: the value of a programme against one of its limits, and its slope, the limit's price.

The value of a linear programme is concave in a limit and made of straight pieces (its dual does not change within one). So the
curve is found by its corners: where the tangents of two known points cross lies the next one, until no tangent rises above the
chords. What is drawn is thus the programme's own curve, not one fitted to points of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from allocation.duals import solve_programme
from allocation.errors import AllocationError
from allocation.moves import moves
from allocation.period import Period, matches
from allocation.problem import Floats
from allocation.programme import NOTHING, build, held_limits, solve_period
from allocation.what_if import Response, Supposed, put

CORNERS_MAX = 48
_TOLERANCE = 1e-6  # of the curve's height


@dataclass(frozen=True, slots=True)
class Point:
    """At a level of the limit, in the unit of its kind: what is gained against the best allocation of now, in USD a day, and what
    one unit more would bring, from here on."""

    level: float
    gain_usd_per_day: float
    price: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A limit from the least level that can be kept to the one from which on it is slack; corners in ascending order of level."""

    points: tuple[Point, ...]
    least: float
    enough: float

    def at(self, level: float) -> float | None:
        """What is gained at a level; None where it cannot be kept."""
        if not self.points or level < self.least * (1 - 1e-9):
            return None
        return float(np.interp(level, [one.level for one in self.points], [one.gain_usd_per_day for one in self.points]))


def curve_of(period: Period, of: Supposed, response: Response) -> Curve | None:
    """The curve of a limit, gains against what `response` has before; None where no decision of its classes has alternatives, or
    what they take of it is not told, or comes out below nothing at best."""
    if not any(matches(of.pattern, one.task_class) for one in period.compared):
        return None
    line = _Line(period, of)
    if not line.is_known:
        return None
    most, least = line.enough(), max(0.0, line.least())
    if most < -NOTHING * line.took:
        return None
    enough = max(most, least)
    told = [level for level in (of.level, response.before.level) if level is not None and least < level < enough]
    known = {level: line.at(level) for level in (least, enough, *told)}
    while len(known) < CORNERS_MAX and (further := _further(known)) is not None:
        known[further] = line.at(further)
    levels = sorted(known)
    base = response.before.taken.net_usd_per_day.value or 0.0
    values = [known[level][0] - base for level in levels]
    slopes = [max(0.0, (b - a) / (v - u)) for (u, a), (v, b) in pairwise(zip(levels, values, strict=True))]
    points = tuple(Point(*one) for one in zip(levels, values, [*slopes, 0.0], strict=True))
    return Curve(points, least, enough)


def _further(known: dict[float, tuple[float, float]]) -> float | None:
    """Where the curve may still rise most above the chords between known points: the crossing of two tangents."""
    levels = sorted(known)
    height = max(known[level][0] for level in levels) - min(known[level][0] for level in levels)
    best, most = None, _TOLERANCE * max(height, 1e-9)
    for low, high in pairwise(levels):
        (a, steep), (b, flat) = known[low], known[high]
        if steep - flat <= 1e-12 * max(1.0, steep):
            continue
        crossing = (b - a + steep * low - flat * high) / (steep - flat)
        if not low < crossing < high:
            continue
        above = a + steep * (crossing - low) - (a + (b - a) * (crossing - low) / (high - low))
        if above > most:
            best, most = crossing, above
    return best


class _Line:
    """The programme as one limit moves and all else stays: values and slopes in USD a day. Other limits that cannot be kept
    whatever this one allows are left out."""

    def __init__(self, period: Period, of: Supposed) -> None:
        self._of = of
        self._period = put(period, Supposed(of.kind, of.pattern, 1.0))
        self._means = self._period.means()
        self._moves = moves(self._period)
        held, _ = held_limits(self._period)
        self._free = solve_period(self._period, self._means, [one for one in held if one.limit.name != of.name], self._moves)
        self._own = [one for one in held if one.limit.name == of.name]
        self._whole = build(self._period, self._means, [*self._free.held, *self._own], self._moves)

    @property
    def is_known(self) -> bool:
        """Whether the limit holds any class, and what they take of it is told."""
        return bool(self._own)

    @property
    def took(self) -> float:
        """The level that was taken."""
        return self._whole.constraints[-1].taken / self._own[0].scale

    def at(self, level: float) -> tuple[float, float]:
        """Net in USD a day, and the slope there."""
        under = put(self._period, Supposed(self._of.kind, self._of.pattern, level))
        own = [one for one in held_limits(under)[0] if one.limit.name == self._of.name]
        found = solve_period(under, self._means, [*self._free.held, *own], self._moves)
        multipliers = dict(zip((one.limit.name for one in found.held), found.solution.multipliers, strict=True))
        return found.solution.net_usd / under.days, float(multipliers.get(self._of.name, 0.0)) * own[0].scale / under.days

    def enough(self) -> float:
        """The level that the best allocation takes when it is not held to this limit."""
        return self._level(self._free.solution.shares)

    def least(self) -> float:
        """The least level that any allocation takes which keeps the other limits; a hair more, so that rounding keeps it."""
        of = self._free.of
        net = np.where(of.decisions.there, -self._whole.taken()[-1], -np.inf)
        found = solve_programme(of.decisions.count, net, of.taken(), np.array([one.left for one in of.constraints]))
        if found is None:
            raise AllocationError("limits that were kept cannot be kept")
        level = self._level(found[0])
        return level + 1e-9 * max(1.0, abs(level))

    def _level(self, shares: Floats) -> float:
        taken = self._whole.constraints[-1].taken + float((self._whole.taken()[-1] * shares).sum())
        return taken / self._own[0].scale
