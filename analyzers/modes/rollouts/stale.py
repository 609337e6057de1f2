"""Which batches were too old when they were consumed, since when, and what that cost in capability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzers.effects.estimate import Bools, Floats
from analyzers.modes.onset import onset
from analyzers.modes.rollouts.drift import UPDATES_MIN, Fade, depreciation, fit, own_gains, trend

_LATE = 0.5
"""A batch is late when its lag takes more than this share of what a fresh one gains."""


@dataclass(frozen=True, slots=True)
class Updates:
    """Updates of one trainer in order of time. Shapes: (n,). `lag` in versions; `gain` and `capability`, in units of capability,
    NaN where not told; `gain_error` the standard error of the measurement; `value_usd` what a unit of capability is worth."""

    at_s: Floats
    lag: Floats
    gain: Floats
    gain_error: Floats
    capability: Floats
    value_usd: Floats


@dataclass(frozen=True, slots=True)
class Stale:
    """What staleness cost. `since` is the first update counted, of `counted` (n,); `reference` the lag that they are compared
    with; `own` (n,) what each batch gained by itself, by the curve where no gain was told. `lost` capability with its interval,
    and `lost_each` (n,), 0 where not counted. `is_past` (n,): batches older than that, where gains fall with age, which gained
    less than what fades meanwhile (δ·A > g). `delta`: δ of eq. 11, None where not told."""

    since: int
    reference: float
    fade: Fade
    own: Floats
    counted: Bools
    lost: tuple[float, float, float]
    lost_each: Floats
    is_past: Bools
    delta: tuple[float, float, float] | None

    @property
    def is_finding(self) -> bool:
        """Whether gains fall with lag and what was lost excludes nothing."""
        return self.fade.is_falling and self.lost[1] > 0


def stale(updates: Updates) -> Stale | None:
    """Judge the updates by those with a measured gain; None where too few have one, or all of these are of one lag.

    A batch's age says what it lost, by the curve of those that were measured: measuring every other update halves the evidence,
    not the loss.
    """
    told = ~np.isnan(updates.gain)
    lag, gain = updates.lag[told], updates.gain[told]
    if len(lag) < UPDATES_MIN:
        return None
    fade = fit(lag, gain, trend(len(lag)))
    if fade is None:
        return None
    usual = float(np.quantile(lag, 0.1, method="lower"))
    fresh, at = fade.gain(np.array([usual]))[0], fade.gain(updates.lag)
    is_late: Bools = (fresh > 0) & (at < _LATE * fresh)
    change = onset(is_late.astype(np.float64), np.ones(len(is_late)))
    since = change.place if change.has_risen else 0
    before = updates.lag[:since]
    reference = float(np.median(before)) if len(before) else usual
    counted: Bools = is_late & (updates.lag > reference) & (np.arange(len(told)) >= since)
    lost = np.where(counted, fade.fall * _lost(fade, updates.lag, reference), 0.0)
    own = own_gains(fade, updates.lag, updates.gain, updates.gain_error)
    delta = depreciation(updates.capability, updates.gain)
    # Where capability is not told, the measured gain is taken as what is left after fading.
    fades = np.where(np.isnan(updates.capability), 0.0, updates.capability) * (delta[0] if delta is not None else 0.0)
    # Where capability stands still every other batch gains less than fades meanwhile, however fresh: only age makes it stale.
    is_past: Bools = (own < fades) & (updates.lag > reference) & fade.is_falling
    interval = fade.contrast(updates.lag[counted], reference) if counted.any() else (0.0, 0.0, 0.0)
    return Stale(since, reference, fade, own, counted, interval, lost, is_past, delta)


def _lost(fade: Fade, lag: Floats, reference: float) -> Floats:
    """φ(lag) − φ(reference) at the fitted rate."""
    at = fade.gain(np.append(lag, reference))
    return (at[-1] - at[:-1]) / fade.fall if fade.fall != 0 else np.zeros(len(lag))
