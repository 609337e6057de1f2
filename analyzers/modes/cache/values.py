"""The hit rate decomposed by V(x): whose prompts the cache serves, by what the tasks are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzers.effects.estimate import Bools
from analyzers.modes.cache.prompts import Prompts

_BANDS = 4


@dataclass(frozen=True, slots=True)
class Band:
    """Calls of tasks worth `low_usd` to `high_usd`: the share of their input that was read from a cache, and what that saved net
    of writing, in USD."""

    low_usd: float
    high_usd: float
    calls: int
    hit_rate: float
    saved_usd: float


def hit_rates(prompts: Prompts, chosen: Bools, bands: int = _BANDS) -> list[Band]:
    """Hit rates of the `chosen` calls (n,) by bands of V, each with about as many calls; fewer bands where values repeat, none
    where V is not known."""
    known = chosen & ~np.isnan(prompts.value_usd) & prompts.is_told
    values = prompts.value_usd[known]
    if len(values) == 0:
        return []
    edges = np.unique(np.quantile(values, np.arange(1, bands) / bands, method="lower"))
    code = np.searchsorted(edges, values, side="left")
    read, whole, saved = prompts.read[known], prompts.whole[known], prompts.saved_usd[known]
    made: list[Band] = []
    for band in np.unique(code):
        inside = code == band
        made.append(
            Band(
                float(values[inside].min()),
                float(values[inside].max()),
                int(inside.sum()),
                float(read[inside].sum() / whole[inside].sum()),
                float(np.nansum(saved[inside])),
            )
        )
    return made
