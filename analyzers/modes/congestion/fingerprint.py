"""Prediction 3 as a test: do short requests slow down with *other* tenants' long contexts, over and above the daily rhythm?

Everybody comes by day, so latency and everybody's traffic rise together although nobody is in anybody's way. The test therefore
compares windows of one hour of one day with each other only, and takes out of both sides what all further traffic explains.
What is left of others' long contexts is exchanged between days at the same hour, which keeps the rhythm and what neighbouring
windows have in common. Long contexts that last for hours without a pause are not seen. Source: Freedman & Lane 1983 (permuting
residuals); Winkler et al. 2014 (blocks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from analyzers.effects.estimate import Bools, Floats, InputError, Ints, floats
from analyzers.modes.congestion.timeline import Served

Verdict: TypeAlias = Literal["found", "not found", "not enough evidence"]

WINDOWS_MIN = 48
_EXCHANGES_MIN = 3  # blocks of one hour of the day that can change places
_DRAWS = 499
FELT_SHARE = 0.01
"""What one deviation of others' tokens must add to the mean latency: every engine is shared a little, and less is room enough."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`slope`: seconds of a short request's latency per thousand tokens of others' long contexts, with its 95 % interval.

    `p` is one-sided, that they are not in the way; `typical_s` is the slope times one deviation of others' tokens. All are None
    without enough evidence, and `why` says what is missing. `windows` were compared.
    """

    verdict: Verdict
    slope: float | None
    low: float | None
    high: float | None
    typical_s: float | None
    p: float | None
    windows: int
    why: str = ""


def fingerprint(
    latency_s: ArrayLike,
    others_long_tokens: ArrayLike,
    *,
    traffic: ArrayLike,
    hour: ArrayLike,
    day: ArrayLike,
    level: float = 0.95,
    seed: int = 0,
) -> Fingerprint:
    """Test one tenant's short requests, one window of time per row, (w,), in order of time.

    `latency_s`: their mean latency in the window (take it by token where requests differ much); `others_long_tokens`: tokens of
    other tenants' long contexts in it; `traffic` (w, v): further traffic to be held fixed, such as its own tokens and others'
    short ones; `hour`: of the day, a code; `day`: which day, a code. Windows of one day and hour stay together
    when they change places. Raises: InputError.
    """
    y = floats(latency_s, "latency_s", shape=(-1,))
    w = len(y)
    x = floats(others_long_tokens, "others_long_tokens", shape=(w,)) / 1000
    more = floats(traffic, "traffic", shape=(w, -1))
    of_day, date = _codes(hour, w, "hour"), _codes(day, w, "day")
    block = np.unique(of_day * (int(date.max(initial=0)) + 1) + date, return_inverse=True)[1].astype(np.int64)
    days = int(date.max(initial=-1)) + 1
    if w < WINDOWS_MIN or days < _EXCHANGES_MIN:
        return _nothing(w, f"{w} windows on {days} days: {WINDOWS_MIN} on {_EXCHANGES_MIN} are needed")
    basis = _orthonormal(np.column_stack([_within(column, block) for column in _scaled(more).T] or [np.zeros(w)]))
    own, left = (_beyond(_within(column, block), basis) for column in (x, y))
    if float(own @ own) <= 1e-9 * max(float(x @ x), 1e-300):
        return _nothing(w, "others' long contexts do not vary within any hour, or never come: nothing to compare")
    slope, error = _slope(own, left, block)
    if error == 0.0:
        return _nothing(w, "too few windows in which others' long contexts vary")
    rng = np.random.default_rng(seed)
    above = 1
    for _ in range(_DRAWS):
        moved = _beyond(_within(own[_exchanged(of_day, block, rng)], block), basis)
        again, its = _slope(moved, left, block)
        above += its > 0 and again / its >= slope / error
    p = above / (_DRAWS + 1)
    half = 1.959963984540054 * error
    typical_s = slope * float(x.std())
    found = "found" if p <= 1 - level and typical_s >= FELT_SHARE * float(y.mean()) > 0 else "not found"
    return Fingerprint(found, slope, slope - half, slope + half, typical_s, p, w)


def _exchanged(hour: Ints, block: Ints, rng: np.random.Generator) -> Ints:
    """Rows to take others' tokens from: the blocks of one hour in another order of days, in each window from the same place.

    Blocks with other numbers of windows give their last window again, or leave some out.
    """
    place = np.empty(len(hour), dtype=np.int64)
    order = np.argsort(block, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(block[order]) > 0])
    sizes = np.diff(np.r_[starts, len(order)])
    of_hour = hour[order[starts]]
    shuffled = np.lexsort((rng.random(len(starts)), of_hour))
    sorted_by_hour = np.argsort(of_hour, kind="stable")
    partner = np.empty(len(starts), dtype=np.int64)
    partner[sorted_by_hour] = shuffled
    inside = np.arange(len(order)) - np.repeat(starts, sizes)
    other = np.repeat(partner, sizes)
    place[order] = order[starts[other] + np.minimum(inside, sizes[other] - 1)]
    return place


def _slope(own: Floats, left: Floats, block: Ints) -> tuple[float, float]:
    """Slope through residuals and its error, with blocks as the unit (Liang & Zeger 1986)."""
    below = float(own @ own)
    if below <= 0:
        return 0.0, 0.0
    slope = float(own @ left) / below
    pull = np.bincount(block, own * (left - slope * own))
    groups = len(pull)
    return slope, float(np.sqrt(float(pull @ pull) * groups / max(1, groups - 1))) / below


def _within(column: Floats, block: Ints) -> Floats:
    """What is left of a column when each block's mean is taken out."""
    return column - (np.bincount(block, column) / np.bincount(block))[block]


def _beyond(column: Floats, basis: Floats) -> Floats:
    return column - basis @ (basis.T @ column)


def _orthonormal(columns: Floats) -> Floats:
    """An orthonormal basis of what the columns span."""
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, sizes > 1e-10 * max(float(sizes[0]), 1e-9)]


def _scaled(columns: Floats) -> Floats:
    spread = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _codes(given: ArrayLike, w: int, name: str) -> Ints:
    array = np.asarray(given)
    if array.shape != (w,):
        raise InputError(f"{name} has shape {array.shape}, not ({w},)")
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def _nothing(windows: int, why: str) -> Fingerprint:
    return Fingerprint("not enough evidence", None, None, None, None, None, windows, why)


@dataclass(frozen=True, slots=True)
class Windows:
    """What `fingerprint` asks for, by window of time in which the tenant's short requests came; shapes (w,), traffic (w, 2)."""

    latency_s: Floats
    others_long_tokens: Floats
    traffic: Floats
    hour: Ints
    day: Ints


def windows(served: Served, short: Bools, long: Bools, lasts_s: float, begins_s: float = 0.0, day_s: float = 86_400.0) -> Windows:
    """Cut time in windows and sum up the requests of one tenant that are `short` (n,) and those of others that are `long` (n,).

    Latency is what is left of it after the request's own tokens are taken out, plus the mean, so that a window with longer
    answers is not a slow one. Others' long tokens are those that came in the window or in the one before. The traffic held fixed
    is of the short ones, and of all that are neither. Days of `day_s` begin at `begins_s`, with 24 hours each.
    """
    place = np.floor((served.arrived_s - begins_s) / lasts_s).astype(np.int64)
    first = int(place[0]) if len(place) else 0
    count = int(place.max(initial=first - 1)) - first + 1
    place = place - first

    def by_window(mask: Bools, weight: Floats) -> Floats:
        return np.bincount(place[mask], weight[mask], count).astype(np.float64)

    n = by_window(short, np.ones(len(place)))
    latency = np.zeros(len(place))
    if short.any():
        design = np.column_stack([np.ones(int(short.sum())), served.steps[short], served.kv_tokens[short]])
        beyond = served.latency_s[short] - design @ np.linalg.lstsq(design, served.latency_s[short], rcond=None)[0]
        latency[short] = beyond + float(served.latency_s[short].mean())
    others = by_window(long, served.kv_tokens)
    others = others + np.r_[0.0, others[:-1]]
    traffic = np.column_stack([by_window(short, served.kv_tokens), by_window(~short & ~long, served.kv_tokens)])
    at = (np.arange(count) + first) * lasts_s
    kept = n > 0
    hour = np.floor(np.mod(at, day_s) / (day_s / 24)).astype(np.int64)
    day = np.floor(at / day_s).astype(np.int64)
    return Windows(by_window(short, latency)[kept] / n[kept], others[kept], traffic[kept], hour[kept], day[kept])
