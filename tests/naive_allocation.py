"""Second, naive implementations of the equations, for tests: loops over everything there is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def best_option(v: float, lam: float, rho: float, menu: Sequence[tuple[float, float, float, float]]) -> int:
    """Eq. 1 by a loop: the place of the best of (q, c, l, r)."""
    best, highest = -1, float("-inf")
    for place, (q, c, latency, risk) in enumerate(menu):
        surplus = v * q - c - lam * latency - rho * risk
        if surplus > highest:
            best, highest = place, surplus
    return best


def best_allocation(net: Floats, taken: Floats, limits: Floats) -> tuple[float, tuple[int, ...]] | None:
    """The best whole allocation of G decisions by trying all K^G; None when none keeps the limits."""
    classes, options = net.shape
    best: tuple[float, tuple[int, ...]] | None = None
    for choice in itertools.product(range(options), repeat=classes):
        used = sum(taken[:, g, k] for g, k in enumerate(choice))
        if (used <= limits + 1e-9).all():
            worth = float(sum(net[g, k] for g, k in enumerate(choice)))
            if best is None or worth > best[0]:
                best = (worth, choice)
    return best


def dual_bound(net: Floats, taken: Floats, limits: Floats, multipliers: Floats) -> float:
    """What no allocation can exceed: Σ_g max_k (net − μ·a) + μ·b, by loops."""
    total = 0.0
    for g in range(len(net)):
        total += max(net[g, k] - sum(m * taken[j, g, k] for j, m in enumerate(multipliers)) for k in range(net.shape[1]))
    return total + float(sum(m * b for m, b in zip(multipliers, limits, strict=True)))


def least_bound(net: Floats, taken: Floats, limits: Floats) -> float:
    """The best value of the relaxed programme under one constraint: the least bound over all slopes at which decisions turn."""
    slopes = {0.0}
    for g in range(len(net)):
        for k, j in itertools.permutations(range(net.shape[1]), 2):
            if taken[0, g, k] > taken[0, g, j]:
                slopes.add(max(0.0, float((net[g, k] - net[g, j]) / (taken[0, g, k] - taken[0, g, j]))))
    return min(dual_bound(net, taken, limits, np.array([slope])) for slope in slopes)
