"""By how many days a sum is divided that came at some times of the day."""

from __future__ import annotations

import numpy as np

from analyzers.effects.estimate import Floats

DAY_S = 86_400.0
_LEAST_S = 1.0


def days_of(at_s: Floats, weight: Floats, since_s: float, until_s: float, usual: tuple[Floats, Floats] | None = None) -> float:
    """How many days, from `since_s` to `until_s`, a sum stands for whose parts `weight` came at `at_s`.

    Shapes: (n,), seconds of UTC. The sum over these days is what each time of the day brings on average, over a day
    (post-stratification): a part counts for one day of as many as its time of the day came within the period. The plain length
    does not do. Work from nine to five on three days takes 2.3 days from its first hour to its last, and would look a quarter
    dearer a day than it is. Parts that sum to nothing are divided by the length. So is less than a day, unless a larger share of
    what comes on a `usual` day, times and weights (m,) until then, comes between these times of the day.
    """
    length = max(until_s - since_s, _LEAST_S) / DAY_S
    if length < 1:
        return max(length, _share(*usual, since_s, until_s)) if usual is not None else length
    total = float(weight.sum())
    return total / float((weight / _came(at_s, since_s, until_s)).sum()) if total > 0 else length


def _came(at_s: Floats, since_s: float, until_s: float) -> Floats:
    """How often each time of the day came within a period, shape (n,)."""
    at = np.clip(at_s, since_s, np.nextafter(until_s, since_s))
    return np.asarray(np.floor((at - since_s) / DAY_S) + np.ceil((until_s - at) / DAY_S))


def _share(at_s: Floats, weight: Floats, since_s: float, until_s: float) -> float:
    """Of what comes on a day the share that comes between two times of it; 0 where less than a day is known."""
    began_s = float(at_s.min(initial=until_s))
    if until_s - began_s < DAY_S or float(weight.sum()) <= 0:
        return 0.0
    each = weight / _came(at_s, began_s, until_s)
    return float(each[np.mod(at_s - since_s, DAY_S) < until_s - since_s].sum() / each.sum())
