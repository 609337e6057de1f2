"""By how many days a sum is divided that came at some times of the day."""

from __future__ import annotations

import numpy as np

from analyzers.effects.estimate import Floats

DAY_S = 86_400.0
_LEAST_S = 1.0


def days_of(at_s: Floats, weight: Floats, since_s: float, until_s: float) -> float:
    """How many days, from `since_s` to `until_s`, a sum stands for whose parts `weight` came at `at_s`.

    Shapes: (n,), seconds of UTC. The sum over these days is what each time of the day brings on average, over a day
    (post-stratification): a part counts for one day of as many as its time of the day came within the period. The plain length
    does not do. Work from nine to five on three days takes 2.3 days from its first hour to its last, and would look a quarter
    dearer a day than it is. Periods of less than a day, and parts that sum to nothing, are divided by the length.
    """
    length = max(until_s - since_s, _LEAST_S) / DAY_S
    total = float(weight.sum())
    if length < 1 or total <= 0:
        return length
    at = np.clip(at_s, since_s, np.nextafter(until_s, since_s))
    came = np.floor((at - since_s) / DAY_S) + np.ceil((until_s - at) / DAY_S)
    return total / float((weight / came).sum())
