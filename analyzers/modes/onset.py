"""Since when something is otherwise than before: where a share or a mean changes for good, if it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzers.effects.estimate import Floats, Ints

STRENGTH_MIN = 4.5
"""How many standard errors the change must be: the best of some hundred places to split at is beyond it in one series of a hundred."""
_EACH_MIN = 8


@dataclass(frozen=True, slots=True)
class Onset:
    """From row `index` on the mean is `after`, before it `before`; `strength` in standard errors of their difference."""

    index: int
    before: float
    after: float
    strength: float


def onset(values: Floats, each_min: int = _EACH_MIN) -> Onset | None:
    """The row from which on the mean of `values` (n,), in order of time, is higher than before; None if no rise stands out.

    Formula: the split with the greatest (ȳ_after − ȳ_before)/√(s²/n_b + s²/n_a), s² pooled within both sides. Source: Hinkley,
    Biometrika 57 (1970).
    """
    n = len(values)
    if n < 2 * each_min:
        return None
    split: Ints = np.arange(each_min, n - each_min + 1)
    sums, squares = np.cumsum(values), np.cumsum(values**2)
    before, after = sums[split - 1] / split, (sums[-1] - sums[split - 1]) / (n - split)
    within = squares[-1] - split * before**2 - (n - split) * after**2
    # One value that differs by the whole range is the least that could be unlike the others: a series of two levels has no spread.
    least = float(np.ptp(values)) ** 2 / 4
    spread = np.sqrt(np.maximum(within, least) / (n - 2) * (1 / split + 1 / (n - split)))
    strength = np.divide(after - before, spread, out=np.zeros(len(split)), where=spread > 0)
    best = int(np.argmax(strength))
    if strength[best] < STRENGTH_MIN:
        return None
    return Onset(int(split[best]), float(before[best]), float(after[best]), float(strength[best]))
