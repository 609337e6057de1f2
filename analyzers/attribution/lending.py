"""What a value band may take from the others: everything, unless the data show that an option brings something else there.

V is a known price. What an option changes in quality, cost, time or loss does not depend on it once the context is told, and
where it does, evidence of it is looked for. So each term is measured on all bands together and priced at each decision's own V;
terms that differ between bands by more than chance are measured in each band alone.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from analyzers.attribution.contrast import Arm, Contrast, contrast, lent
from analyzers.attribution.fit import Fit
from analyzers.effects.estimate import Bools, Ints

LENT_MAX = 40_000  # decisions of a set up to which bands lend to each other; of more, each has plenty of its own
_UNEQUAL = 0.05  # p-value at which bands count as different
_TASKS_MIN = 4.0  # effective tasks that a band needs in both arms before it can speak against the others


class Lending:
    """The evidence of a fitted set, shared between its value bands. `places` (n,): each decision's band."""

    def __init__(self, fit: Fit, places: Ints) -> None:
        self.fit = fit
        self._places = places
        self._bands = [np.flatnonzero(places == place) for place in range(int(places.max()) + 1)]
        self._all = np.arange(len(places))
        self._apart: dict[tuple[int, int], Bools] = {}
        self._arms: dict[tuple[int, int], tuple[Arm, Arm, int] | None] = {}

    @property
    def lends(self) -> bool:
        """Whether bands lend to each other at all."""
        return len(self._bands) > 1 and len(self._places) <= LENT_MAX

    def donors(self, pool: Ints) -> Ints:
        """The decisions on which what is asked about `pool` may be measured."""
        return self._all if self.lends else pool

    def contrast(self, pool: Ints, option: int, base: int, donors: Ints | None = None) -> Contrast | None:
        """The contrast of two options in `pool` (rows of one band), measured on `donors` (all decisions by default)."""
        fit = self.fit
        if not self.lends:
            return contrast(fit, pool, option, base)
        apart = self.apart(option, base)
        if donors is not None or apart.any():
            return contrast(fit, pool, option, base, self._all if donors is None else donors, apart)
        if (option, base) not in self._arms:
            self._arms[option, base] = lent(fit, self._all, option, base)
        arms = self._arms[option, base]
        decisions = pool[fit.supported[pool, option] & fit.supported[pool, base] & (fit.choices.chosen[pool] == base)]
        return None if arms is None or len(decisions) == 0 else Contrast(fit, decisions, option, base, arms[:2], arms[2])

    def apart(self, option: int, base: int) -> Bools:
        """Shape (P,): terms in which the two options differ by something else in some band.

        Cochran's Q over the bands' own mean misses, with the spread of all bands' residuals: a band with few outcomes that are all
        alike is not taken for certain.
        """
        if (option, base) not in self._apart:
            found = [lent(self.fit, band, option, base) for band in self._bands]
            whole = lent(self.fit, self._all, option, base)
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
