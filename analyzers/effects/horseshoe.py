"""Figures that are probably nothing: what is within its error is drawn to 0, what is far above it stays.

Source: Carvalho, Polson & Scott, "The horseshoe estimator for sparse signals", Biometrika 97 (2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from analyzers.effects.estimate import Floats
from analyzers.effects.intervals import quantile

_EXPECTED = 0.25  # of a figure's error: how large figures are held for likely to be
_CERTAIN = 400.0  # square of the errors above zero from which a figure is believed as it is
_REACH = 12.0  # standard deviations within which limits lie

_NODES, _STEPS = np.polynomial.legendre.leggauss(64)
_DRAWN = 1 - ((_NODES + 1) / 2) ** 2  # shares that are drawn to nothing, at which the belief in a figure is summed up


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of a figure: a mixture of normals with `centres` and `variances`, weighted by `weights`, all (nodes,).

    `mean` and `variance` are its moments. One that was not measured is 0 without error.
    """

    mean: float
    variance: float
    weights: Floats
    centres: Floats
    variances: Floats

    def limits(self, scale: float, below: float, above: float, level: float) -> tuple[float, float]:
        """How far the limits of `scale` times the figure plus an independent error lie below and above `scale` times its mean.

        The error is normal, with the standard deviation `below` on its lower side and `above` on its upper. Never below 0.
        """
        if self.variance * scale**2 <= 1e-9 * min(below, above) ** 2:
            reach = quantile(math.inf, level)
            return reach * below, reach * above
        one = -self._point(scale, below, (1 - level) / 2)
        return max(one, 0.0), max(self._point(scale, above, (1 + level) / 2), 0.0)

    def _point(self, scale: float, error: float, share: float) -> float:
        centres = scale * (self.centres - self.mean)
        deviations = np.sqrt(scale**2 * self.variances + error**2)
        reach = _REACH * math.sqrt(scale**2 * self.variance + error**2)
        found = optimize.brentq(
            lambda x: float(self.weights @ special.ndtr((x - centres) / deviations)) - share, -reach, reach, rtol=1e-6
        )
        return float(found)


def believed(value: float, variance: float) -> Belief:
    """What is believed of a figure that was measured as `value` with so much `variance`: that it is something is held for
    unlikely, and never for impossible.

    Posterior under figure ~ N(0, τ²), τ ~ half-Cauchy of a quarter of the figure's own error. Given κ = 1/(1 + τ²/σ²), the share
    that is drawn to nothing, it is N((1−κ)·value, (1−κ)·σ²), and κ has the density exp(−κz²/2)/(√(1−κ)·(1 + (a² − 1)κ)), summed
    up by quadrature over √(1−κ). What has no finite value and variance was not measured.
    """
    if not (math.isfinite(value) and 0 < variance < math.inf):
        return NOTHING
    square = value**2 / variance
    if square > _CERTAIN:
        return Belief(value, variance, np.ones(1), np.array([value]), np.array([variance]))
    weight = _STEPS * np.exp(-square / 2 * _DRAWN) / (1 + (_EXPECTED**2 - 1) * _DRAWN)
    weight /= weight.sum()
    drawn = float(weight @ _DRAWN)
    spread = float(weight @ (_DRAWN - drawn) ** 2)
    left = 1 - _DRAWN
    return Belief((1 - drawn) * value, (1 - drawn) * variance + spread * value**2, weight, left * value, left * variance)


NOTHING = Belief(0.0, 0.0, np.ones(1), np.zeros(1), np.zeros(1))
