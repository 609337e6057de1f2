"""Made-up agents whose caches work, go wrong at one place, or only look as if they did."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from analyzers.modes.cache.prompts import Prompts

Story: TypeAlias = Literal[
    "nothing", "slower calls", "single calls", "short prompts", "untold", "unlucky losses", "churn", "off", "off for half"
]
"""What happens at one place from 40 % of the period on. All but the last three are right as they are."""

DAYS, PLACES, SEQUENCES = 14.0, 6, 90
_ONSET = 0.4
_DAY_S = 86_400.0
_MINIMUM = 1024.0


@dataclass(slots=True)
class Economy:
    """Calls and the truth: the place that goes wrong, and what that lost in USD; 0 where nothing is wrong."""

    prompts: Prompts
    place: int
    lost_usd: float


def economy(story: Story, rng: np.random.Generator) -> Economy:
    """Six places with some ninety sequences of calls each over a fortnight; place 0 has the story."""
    rows: list[tuple[float, ...]] = []
    lost, sequence = 0.0, 0
    has_keys = bool(rng.random() < 0.5)
    for place in range(PLACES):
        is_free = bool(rng.random() < 0.4) and story not in ("churn", "single calls")
        share, median_s = rng.uniform(0.4, 0.8), rng.uniform(10.0, 60.0)
        loss = 0.15 if story == "unlucky losses" and place == 0 else 0.02
        for start in np.sort(rng.random(SEQUENCES)) * DAYS * _DAY_S:
            now: Story = story if place == 0 and start >= _ONSET * DAYS * _DAY_S else "nothing"
            made, wasted = _sequence(rng, now, float(start), is_free, share, median_s, loss)
            rows += [(*row, place, sequence, is_free) for row in made]
            lost += wasted
            sequence += 1
    rows.sort()
    return Economy(_prompts(rows, has_keys), 0, lost)


def _sequence(
    rng: np.random.Generator, story: Story, at_s: float, is_free: bool, share: float, median_s: float, loss: float
) -> tuple[list[tuple[float, ...]], float]:
    """Calls as (at, whole, read, written, key, told), and what they lost against caching as it should be."""
    calls = 1 + int(rng.poisson(2.0))
    if story == "single calls" and rng.random() < 0.6:
        calls = 1
    whole = float(rng.lognormal(math.log(800.0 if story == "short prompts" else 12_000.0), 0.3))
    gain, premium = 2.7e-6, 0.0 if is_free else 0.75e-6
    silent = story == "off" or (story == "off for half" and rng.random() < 0.5)
    rows: list[tuple[float, ...]] = []
    wasted, stored_s, key = 0.0, -np.inf, float(rng.integers(1 << 40))
    for index in range(calls):
        if index:
            at_s += float(rng.lognormal(math.log(median_s * (25.0 if story == "slower calls" else 1.0)), 0.8))
        size = whole * (1 + 0.05 * rng.standard_normal())
        prefix = share * size
        alive = index > 0 and at_s - stored_s <= 300.0 and rng.random() >= loss
        could = prefix if prefix >= _MINIMUM else 0.0
        best = could * (gain if alive else -premium)
        stored_s = at_s
        read = could if alive and not silent and story != "churn" else 0.0
        written = 0.0 if silent or is_free or read else could
        if story == "churn":
            key = float(rng.integers(1 << 40))
        rows.append((at_s, size, read, written, key if read or written else -1.0, float(story != "untold")))
        wasted += best - (read * gain - written * premium)
    return rows, wasted if story in ("churn", "off", "off for half") else 0.0


def _prompts(rows: list[tuple[float, ...]], has_keys: bool) -> Prompts:
    at_s, whole, read, written, key, told, place, sequence, free = np.array(rows).T
    keys = [float(value) for value in key]
    codes = {value: code for code, value in enumerate(sorted(set(keys)))}
    place_code, n = place.astype(np.int64), len(rows)
    untold = told == 0
    return Prompts(
        at_s=at_s, whole=whole, read=np.where(untold, 0.0, read), written=np.where(untold, 0.0, written),
        output=np.full(n, 500.0), is_told=~untold, input_rate=np.full(n, 3e-6), read_rate=np.full(n, 0.3e-6),
        write_rate=np.where(free > 0, 3e-6, 3.75e-6),
        lifetime_s=np.full(n, 300.0), sequence=sequence.astype(np.int64), family=place_code, place=place_code,
        provider=(free > 0).astype(np.int64), upstream=(free > 0).astype(np.int64),
        keys=tuple((codes[k],) if has_keys and k >= 0 else () for k in keys), value_usd=np.full(n, np.nan),
    )  # fmt: skip
