"""What a value band may take from the others: everything, less what the data show an option to bring otherwise there.

V is a known price. What an option changes in quality, cost, time or loss mostly does not depend on it once the context is told.
So each term is measured on all bands together and priced at each decision's own V. Where effects seem to grow or fall with V, as
much of that slope is believed as the data bear out, and what is not known of it widens the intervals of bands far from the
others; terms that differ between bands in another way, by more than chance, are measured in each band alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import special

from analyzers.attribution.arms import Arm, Loan, measured
from analyzers.attribution.contrast import Contrast, contrast
from analyzers.attribution.fit import Fit
from analyzers.effects.estimate import Bools, Floats, Ints
from analyzers.effects.horseshoe import NOTHING, Belief, believed

LENT_MAX = 40_000  # decisions of a set up to which bands lend to each other; of more, each has plenty of its own
_UNEQUAL = 0.01  # p-value at which bands count as different in a term
_TASKS_MIN = 8.0  # effective tasks that a band needs in both arms before it can speak against the others


_Measured: TypeAlias = tuple[tuple[Arm, Arm, int], float]
"""A band's own arms, with its mean log V."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How two options' difference varies between value bands, by term (P,). `apart`: in another way than along log V; `slopes`:
    by how much per unit of log V."""

    apart: Bools
    slopes: tuple[Belief, ...]


class Lending:
    """The evidence of a fitted set, shared between its value bands. `places` (n,): each decision's band."""

    def __init__(self, fit: Fit, places: Ints) -> None:
        self.fit = fit
        self._places = places
        self._bands = [np.flatnonzero(places == place) for place in range(int(places.max()) + 1)]
        self._all = np.arange(len(places))
        self._differences: dict[tuple[int, int], Difference] = {}
        self._log_v = np.log(np.maximum(fit.choices.v_usd, 1e-9))
        self._tilts: Floats | None = None
        self._asked: Bools | None = None

    def about(self, asked: Bools) -> Lending:
        """The same evidence, for questions about some of the decisions (n,) only: what all of them tell is weighted to be like
        those."""
        narrowed = Lending(self.fit, self._places)
        narrowed._asked, narrowed._differences = asked, self._differences
        return narrowed

    @property
    def lends(self) -> bool:
        """Whether bands lend to each other at all."""
        return len(self._bands) > 1 and len(self._places) <= LENT_MAX

    def donors(self, pool: Ints) -> Ints:
        """The decisions on which what is asked about `pool` may be measured."""
        if self.lends:
            return self._all
        return pool if self._asked is None else self._band(pool)

    def contrast(self, pool: Ints, option: int, base: int, donors: Ints | None = None) -> Contrast | None:
        """The contrast of two options in `pool` (rows of one band), measured on `donors` (all decisions by default)."""
        if len(pool) == 0 or not (self.lends or self._asked is not None):
            return contrast(self.fit, pool, option, base)
        near = None if self._asked is None else self._band(pool)
        of, tilt = self.donors(pool) if donors is None else donors, self._tilt(base, int(self._places[pool[0]]))
        if not self.lends:
            return contrast(self.fit, pool, option, base, Loan(of, tilt, np.zeros(len(self.fit.parts), dtype=np.bool_), near))
        difference = self.difference(option, base)
        found = contrast(self.fit, pool, option, base, Loan(of, tilt, difference.apart, near))
        return None if found is None else found.moved(self._log_v, difference.slopes)

    def _band(self, pool: Ints) -> Ints:
        return self._bands[int(self._places[pool[0]])]

    def _tilt(self, base: int, band: int) -> Floats:
        """Shape (n,): the probability that a decision of such context chose `base` on a task of that band, and is asked about, by
        ridge regression of all these indicators at once. An error of it moves whom a contrast is about, not what is compared
        with what."""
        bands = len(self._bands)
        if self._tilts is None:
            codes, told = self.fit.choices.chosen * bands + self._places, self.fit.told
            many = len(self.fit.choices.options) * bands
            if self._asked is not None:
                codes, many = np.where(self._asked, codes, many), many + 1
            shares = np.bincount(codes, minlength=many) / len(codes)
            if told.shape[1]:
                centred = told - told.mean(axis=0)
                sums = np.array(
                    [np.bincount(codes, weights=column, minlength=len(shares)) for column in centred.T], dtype=np.float64
                )
                slopes = np.asarray(np.linalg.solve(centred.T @ centred + np.eye(told.shape[1]), sums), dtype=np.float64)
                self._tilts = np.maximum(shares + centred @ slopes, 0.02 * shares)
            else:
                self._tilts = np.broadcast_to(shares, (len(codes), len(shares)))
        return self._tilts[:, base * bands + band]

    def difference(self, option: int, base: int) -> Difference:
        """How what `option` brings over `base` varies between bands, from each band's own mean misses."""
        if (option, base) not in self._differences:
            found = [(measured(self.fit, band, option, base, None), band) for band in self._bands]
            bands = [(each, float(self._log_v[band].mean())) for each, band in found if each is not None]
            whole, terms = measured(self.fit, self._all, option, base, None), range(len(self.fit.parts))
            told = [(False, NOTHING) if whole is None else self._varies(bands, whole[:2], term) for term in terms]
            apart, slopes = zip(*told, strict=True)
            self._differences[option, base] = Difference(np.array(apart, dtype=np.bool_), slopes)
        return self._differences[option, base]

    def _varies(self, bands: Sequence[_Measured], whole: tuple[Arm, Arm], term: int) -> tuple[bool, Belief]:
        """Whether a term differs between bands in another way than along log V, and what is believed of the slope along it."""
        if min(float(each.sizes[term]) for each in whole) < _TASKS_MIN:
            return False, NOTHING
        if _is_apart(bands, whole, term):
            return True, NOTHING
        (slope, variance), (other, more) = (each.slope(term, self._log_v) for each in whole)
        return False, believed(slope - other, variance + more)


def _is_apart(bands: Sequence[_Measured], whole: tuple[Arm, Arm], term: int) -> bool:
    """Whether a term differs between bands, by more than chance, in another way than along log V (of two bands: at all).

    Weighted least squares over the bands' own mean misses, with the spread of all bands' residuals: a band with few outcomes
    that are all alike is not taken for certain. What is left of Cochran's Q is tested.
    """
    spread = [each.deviation(term) ** 2 for each in whole]
    rows: list[tuple[float, float, float]] = []
    for (one, other, _), at in bands:
        sizes = float(one.sizes[term]), float(other.sizes[term])
        variance = sum(square / size for square, size in zip(spread, sizes, strict=True)) if min(sizes) >= _TASKS_MIN else 0.0
        if variance > 0:
            rows.append((float(one.missed[term] - other.missed[term]), variance, at))
    if len(rows) < 2:
        return False
    values, variances, places = np.array(rows).T
    precision = 1 / variances
    values, places = (each - (precision * each).sum() / precision.sum() for each in (values, places))
    below = float((precision * places**2).sum())
    slope = float((precision * places * values).sum()) / below if below > 0 else 0.0
    left = values if len(rows) == 2 else values - slope * places
    q = float((precision * left**2).sum())
    return math.isfinite(q) and float(special.chdtrc(max(1, len(rows) - 2), q)) < _UNEQUAL
