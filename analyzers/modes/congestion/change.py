"""Since when a request costs others what it costs them now: the last change of the level, by ranks of hours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analyzers.effects.estimate import Floats

SIDE_MIN = 6
_DOUBTED_MIN = 2  # hours on either side of a change that is not shown and may be one
_SIGNIFICANCE = 0.01
_DRAWS = 1_999


@dataclass(frozen=True, slots=True)
class Change:
    """`place`: the first hour of the level that holds now, 0 where no change was found; `p` of the test; means on both sides."""

    place: int
    p: float
    before: float | None
    after: float


def change(level: Floats, seed: int = 0) -> Change:
    """Where a series changed its level for good.

    Shape: (h,), one value for each hour in which there was something, in order. The largest excursion of the summed ranks
    decides, against those of the same ranks in random order, so that neither few large values nor many zeros matter. Source:
    Pettitt 1979, with the permutation law in place of the approximate one.
    """
    h = len(level)
    whole = float(level.mean()) if h else 0.0
    if h < 2 * SIDE_MIN:
        return Change(0, 1.0, None, whole)
    ranks = np.argsort(np.argsort(level, kind="stable"), kind="stable").astype(float)
    values, inverse, counts = np.unique(level, return_inverse=True, return_counts=True)
    ranks = (np.bincount(inverse, ranks, len(values)) / counts)[inverse]  # ties share their rank
    centred = ranks - ranks.mean()
    possible = slice(SIDE_MIN - 1, h - SIDE_MIN)
    seen = np.abs(np.cumsum(centred))[possible]
    rng = np.random.default_rng(seed)
    drawn = np.abs(np.cumsum(rng.permuted(np.tile(centred, (_DRAWS, 1)), axis=1), axis=1))[:, possible].max(axis=1)
    p = (1 + int((drawn >= seen.max() - 1e-9).sum())) / (_DRAWS + 1)
    if p > _SIGNIFICANCE:
        return Change(0, p, None, whole)
    place = SIDE_MIN + int(np.argmax(seen))
    return Change(place, p, float(level[:place].mean()), float(level[place:].mean()))


def chances(level: Floats) -> Floats:
    """How likely it is, given a series, that the level which holds now began with each hour; the first hour stands for no change.

    Shapes: (h,), sums to 1. As many chances for no change as for one, and one as likely at any hour; both sides' ranks are taken
    for normal, of one variance. Source: Liang et al. 2008, eq. 5 with g = h and one regressor, which is 1 from the change on.
    """
    h = len(level)
    likely = np.zeros(h)
    likely[:1] = 1.0
    places = np.arange(_DOUBTED_MIN, h - _DOUBTED_MIN + 1)
    if not len(places) or float(np.ptp(level)) == 0:
        return likely
    ranks = np.asarray(stats.rankdata(level)) - (h + 1) / 2
    before = np.cumsum(ranks)[places - 1]
    explained = before**2 * h / (places * (h - places)) / float((ranks**2).sum())
    log_odds = (h - 2) / 2 * np.log1p(h) - (h - 1) / 2 * np.log1p(h * np.maximum(1 - explained, 0.0))
    likely[places] = np.exp(log_odds - log_odds.max()) / len(places)
    likely[0] = np.exp(-log_odds.max())
    return np.asarray(likely / likely.sum())
