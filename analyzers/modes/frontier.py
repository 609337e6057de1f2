"""What a router could reach: quality against cost along eq. 4, and a menu from which users would choose for themselves (eq.
5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from allocation.errors import AllocationError
from allocation.menu import Offer, UserType, check, information_rents, screening_menu
from analyzers.effects.estimate import Floats, Ints, codes, floats

SCALES = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)
"""Multiples of V that the frontier is drawn at; at 1 it is eq. 4 itself."""


@dataclass(frozen=True, slots=True)
class Point:
    """Mean quality, and mean cost and ρ·R in USD, of a policy: the router as it is (`scale` None), or eq. 4 with V taken `scale`
    times. `risk_usd` None: not told."""

    scale: float | None
    quality: float
    cost_usd: float
    risk_usd: float | None = None


def frontier(
    v_usd: ArrayLike,
    value_usd: ArrayLike,
    cost_usd: ArrayLike,
    other_usd: ArrayLike,
    chosen: ArrayLike,
    *,
    risk_usd: ArrayLike | None = None,
    scales: Sequence[float] = SCALES,
) -> tuple[Point, ...]:
    """The router's point, then those of eq. 4.

    Shapes: v_usd (n,) > 0; value_usd (V·Q), cost_usd and other_usd (λ·L + ρ·R) (n, K), NaN where not known: such an option
    cannot be taken; chosen (n,); risk_usd (n, K), the part of other_usd that is risk, NaN counting as none. Decisions whose
    chosen option is not known are left out. The terms are expectations, so that the points are what is to be expected, not what
    was seen.
    """
    v = floats(v_usd, "v_usd", shape=(-1,))
    value = floats(value_usd, "value_usd", shape=(len(v), -1), missing=True)
    cost = floats(cost_usd, "cost_usd", shape=value.shape, missing=True)
    other = floats(other_usd, "other_usd", shape=value.shape, missing=True)
    own: Ints = codes(chosen, "chosen", n=len(v), below=value.shape[1])
    rows = np.arange(len(v))
    kept = ~np.isnan(value[rows, own] + cost[rows, own] + other[rows, own])
    if not kept.any():
        return ()
    v, value, cost, other, own = v[kept], value[kept], cost[kept], other[kept], own[kept]
    quality: Floats = value / v[:, None]
    risk = (
        None
        if risk_usd is None
        else np.nan_to_num(floats(risk_usd, "risk_usd", shape=kept.shape + value.shape[1:], missing=True)[kept])
    )
    rows = np.arange(len(v))

    def point(scale: float | None, option: Ints) -> Point:
        borne = None if risk is None else float(risk[rows, option].mean())
        return Point(scale, float(quality[rows, option].mean()), float(cost[rows, option].mean()), borne)

    points = [point(None, own)]
    for scale in scales:
        net = scale * value - cost - other
        points.append(point(scale, np.argmax(np.where(np.isnan(net), -np.inf, net), axis=1).astype(np.int64)))
    return tuple(points)


@dataclass(frozen=True, slots=True)
class Menu:
    """A compatible menu: what each type takes, at the dearest prices at which it still does, what that leaves it, and who would
    choose something else if all paid full prices alone. `why`: why there is none."""

    offers: tuple[Offer, ...]
    rents_usd: dict[str, float]
    types: tuple[UserType, ...]
    envies: tuple[str, ...]
    why: str = ""


def menu(quality: dict[str, float], full_price_usd: dict[str, float], types: dict[str, float]) -> Menu:
    """A menu for users told apart by V: `types` names them with their V in USD; each is meant to take what eq. 1 says.

    `quality` and `full_price_usd` (C + λ·L + ρ·R) by option. The information rent of a type is what it must be left, since
    nobody can see that it is not the type below (eq. 5).
    """
    offered = [option for option in quality if option in full_price_usd]
    if not offered or not types:
        return Menu((), {}, (), (), "no option's quality and price are known")
    meant = tuple(
        UserType(
            name, v, max(offered, key=lambda option: (v * quality[option] - full_price_usd[option], -full_price_usd[option]))
        )
        for name, v in sorted(types.items(), key=lambda one: one[1])
    )
    try:
        rents = information_rents(quality, meant)
        offers = screening_menu(quality, meant)
    except AllocationError as error:
        return Menu((), {}, meant, (), str(error))
    at_cost = check([Offer(option, quality[option], full_price_usd[option]) for option in offered], meant)
    envies = tuple(f"{envy.user_type} would take {envy.option or 'nothing'}" for envy in at_cost.envies)
    return Menu(offers, rents, meant, envies)
