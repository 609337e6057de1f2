"""What rare large outcomes leave unsaid of an option that was taken a few times: it may have met none of them.

Where one task in fifty waits ten minutes in a crowd, fifty tries of an option meet the crowd never, once or three times. One that
never met it looks fast and, since its own spread is small, sure. So the variance of few misses is drawn towards the one that they
would have if their tail were shaped like that of all options' misses.
"""

from __future__ import annotations

import numpy as np

from analyzers.effects.estimate import Bools, Floats, Ints


def tails(outcome: Floats, residual: Floats, known: Bools, chosen: Ints, options: int) -> tuple[Floats, float]:
    """Variance (K,) of one decision's miss under each option, were its tail like all options' together, in the term's unit
    squared; and how many outcomes tell as much of a variance as that does.

    `residual` (n,) is measured in the median absolute deviation of its option's `outcome` (n,), so that what a dear option costs
    more everywhere is no tail; all alike where that is 0 for one, as of losses that most tasks do not have. Formula: κ−1
    outcomes, with the kurtosis κ of all: the variance of n misses is known to σ⁴·(κ−1)/n, and options' true variances are taken
    to differ by as much as their size. Source: Bühlmann, ASTIN Bulletin 4 (1967), "Experience rating and credibility".
    """
    rows = np.flatnonzero(known)
    if len(rows) == 0:
        return np.zeros(options), 0.0
    of, seen, misses = chosen[rows], outcome[rows], residual[rows].astype(np.float64)
    scale = np.ones(options)
    for option in range(options):
        mine = of == option
        if mine.any():
            misses[mine] -= misses[mine].mean()
            scale[option] = np.median(np.abs(seen[mine] - np.median(seen[mine])))
    if not (scale > 0).all():
        scale = np.ones(options)
    squares = (misses / scale[of]) ** 2
    spread = float(squares.mean())
    if spread <= 0:
        return np.zeros(options), 0.0
    return scale**2 * spread, float((squares**2).mean()) / spread**2 - 1
