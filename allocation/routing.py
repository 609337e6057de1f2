"""Routing as the allocation rule per request (eq. 4), and what a router loses against it.

m*(x) = argmax_m [ V(x)·q̂_m(x) − c_m − λ·l_m(x) − ρ·r_m(x) ]                                   (4)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allocation.errors import AllocationError

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Routed:
    """Eq. 4 for n requests over K models. `net_usd` (n, K), NaN where a term is not known; `best` (n,), −1 where no model could
    be appraised."""

    net_usd: Floats
    best: Ints

    def regret_usd(self, chosen: ArrayLike) -> Floats:
        """Shape (n,): net of the best model less that of the chosen one; NaN where either is not known."""
        choice = np.asarray(chosen, dtype=np.int64)
        if choice.shape != self.best.shape or (choice.size and not 0 <= choice.min() <= choice.max() < self.net_usd.shape[1]):
            raise AllocationError(f"chosen must hold {len(self.best)} codes of the {self.net_usd.shape[1]} models")
        rows = np.arange(len(choice))
        lost = self.net_usd[rows, self.best] - self.net_usd[rows, choice]
        return np.where(self.best < 0, np.nan, lost)


def route(
    v_usd: ArrayLike,
    quality: ArrayLike,
    cost_usd: ArrayLike,
    latency_s: ArrayLike = 0.0,
    risk_usd: ArrayLike = 0.0,
    *,
    lambda_usd_per_s: ArrayLike = 0.0,
    rho: ArrayLike = 0.0,
) -> Routed:
    """The best model of each request.

    Shapes: v_usd, lambda_usd_per_s and rho (n,) or one number; the others (n, K), or (K,) when they are the same for all. NaN:
    not known; its model is then not compared. Of equal nets the cheaper model wins.
    """
    q = np.atleast_2d(np.asarray(quality, dtype=np.float64))
    v, lam, r = (np.atleast_1d(np.asarray(price, dtype=np.float64)) for price in (v_usd, lambda_usd_per_s, rho))
    n = max(len(q), len(v), len(lam), len(r))
    try:
        q, cost, latency, risk = (
            np.broadcast_to(np.asarray(one, dtype=np.float64), (n, q.shape[1])) for one in (q, cost_usd, latency_s, risk_usd)
        )
        v, lam, r = (np.broadcast_to(one, (n,))[:, None] for one in (v, lam, r))
    except ValueError as error:
        raise AllocationError(
            f"the arrays of a menu do not fit each other: {error}", "give (n, K), (K,) or one number"
        ) from error
    net = v * q - cost - _priced(lam, latency) - _priced(r, risk)
    order = np.argsort(cost, axis=1, kind="stable")
    sorted_net = np.take_along_axis(np.where(np.isnan(net), -np.inf, net), order, axis=1)
    best = np.take_along_axis(order, sorted_net.argmax(axis=1)[:, None], axis=1)[:, 0].astype(np.int64)
    return Routed(net, np.where(np.isnan(net).all(axis=1), np.int64(-1), best))


def _priced(price: Floats, quantity: Floats) -> Floats:
    """Price × quantity; zero where either is exactly zero, whatever the other is."""
    return np.where((price == 0) | (quantity == 0), 0.0, price * quantity)
