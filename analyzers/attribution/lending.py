"""What a value band may take from the others: everything, unless the data show that an option brings something else there.

V is a known price. What an option changes in quality, cost, time or loss does not depend on it once the context is told, and
where it does, evidence of it is looked for. So each term is measured on all bands together and priced at each decision's own V;
terms that differ between bands by more than chance are measured in each band alone.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from analyzers.attribution.contrast import Arm, Contrast, Loan, contrast, measured
from analyzers.attribution.fit import Fit
from analyzers.effects.estimate import Bools, Floats, Ints

LENT_MAX = 40_000  # decisions of a set up to which bands lend to each other; of more, each has plenty of its own
_UNEQUAL = 0.01  # p-value at which bands count as different in a term
_TASKS_MIN = 8.0  # effective tasks that a band needs in both arms before it can speak against the others


class Lending:
    """The evidence of a fitted set, shared between its value bands. `places` (n,): each decision's band."""

    def __init__(self, fit: Fit, places: Ints) -> None:
        self.fit = fit
        self._places = places
        self._bands = [np.flatnonzero(places == place) for place in range(int(places.max()) + 1)]
        self._all = np.arange(len(places))
        self._apart: dict[tuple[int, int], Bools] = {}
        self._tilts: Floats | None = None
        self._asked: Bools | None = None

    def about(self, asked: Bools) -> Lending:
        """The same evidence, for questions about some of the decisions (n,) only: what all of them tell is weighted to be like
        those."""
        narrowed = Lending(self.fit, self._places)
        narrowed._asked, narrowed._apart = asked, self._apart
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
        tilt = self._tilt(base, int(self._places[pool[0]]))
        apart = self.apart(option, base) if self.lends else np.zeros(len(self.fit.parts), dtype=np.bool_)
        near = None if self._asked is None else self._band(pool)
        loan = Loan(self.donors(pool) if donors is None else donors, tilt, apart, near)
        return contrast(self.fit, pool, option, base, loan)

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

    def apart(self, option: int, base: int) -> Bools:
        """Shape (P,): terms in which the two options differ by something else in some band.

        Cochran's Q over the bands' own mean misses, with the spread of all bands' residuals: a band with few outcomes that are
        all alike is not taken for certain.
        """
        if (option, base) not in self._apart:
            found = [measured(self.fit, band, option, base, None) for band in self._bands]
            whole = measured(self.fit, self._all, option, base, None)
            terms = range(len(self.fit.parts))
            self._apart[option, base] = np.array(
                [whole is not None and _unequal([each for each in found if each is not None], whole, term) for term in terms],
                dtype=np.bool_,
            )
        return self._apart[option, base]


def _unequal(bands: list[tuple[Arm, Arm, int]], whole: tuple[Arm, Arm, int], term: int) -> bool:
    values: list[float] = []
    variances: list[float] = []
    spread = [each.deviation(term) ** 2 for each in whole[:2]]
    for one, other, _ in bands:
        sizes = float(one.sizes[term]), float(other.sizes[term])
        if min(sizes) < _TASKS_MIN:
            continue
        values.append(float(one.missed[term] - other.missed[term]))
        variances.append(sum(square / size for square, size in zip(spread, sizes, strict=True)))
    if len(values) < 2 or min(variances) <= 0:
        return False
    precision = 1 / np.array(variances)
    mean = float((precision * values).sum() / precision.sum())
    q = float((precision * (np.array(values) - mean) ** 2).sum())
    return math.isfinite(q) and float(stats.chi2.sf(q, len(values) - 1)) < _UNEQUAL
