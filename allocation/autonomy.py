"""How far an agent may act by itself (eq. 6 and 7).

    U(a, t) = V·p(a, t) − C(t) − R(a, t) − H(a)                                   (6)
    V·∂p/∂a = ∂R/∂a + ∂H/∂a   at the best level of autonomy                       (7)

R is skewed to the right: its figure should be a coherent measure (CVaR) where wrong actions are rare and dear, and those that
cannot be undone carry a further loss, the value of the options they destroy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from allocation.errors import AllocationError


@dataclass(frozen=True, slots=True)
class Level:
    """A level of autonomy for a class of actions: `success` p in [0, 1], `cost_usd` C of its tokens, `risk_usd` R of its wrong
    actions, `irreversible_usd` the further loss ΔR_irr, `oversight_usd` H of the people who watch or confirm."""

    name: str
    success: float
    cost_usd: float
    risk_usd: float
    oversight_usd: float
    irreversible_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """From one level to the next: what it brings (V·Δp − ΔC), and what it takes (ρ·ΔR + ρ_irr·ΔR_irr + ΔH), in USD."""

    level: str
    gain_usd: float
    burden_usd: float


@dataclass(frozen=True, slots=True)
class Autonomy:
    """The best level, the utility of each, and the steps between them in the order given."""

    best: str
    utility_usd: tuple[float, ...]
    steps: tuple[Step, ...]


def utility_usd(level: Level, v_usd: float, rho: float, rho_irreversible: float = 0.0) -> float:
    """Eq. 6 for one level, with losses at ρ and irreversible ones at ρ_irr beside."""
    risk = rho * level.risk_usd + rho_irreversible * level.irreversible_usd
    return v_usd * level.success - level.cost_usd - risk - level.oversight_usd


def best_level(levels: Sequence[Level], v_usd: float, rho: float, rho_irreversible: float = 0.0) -> Autonomy:
    """The level that maximises eq. 6; of equals the first, so give them from the least autonomy to the most.

    Raises: AllocationError when there are none.
    """
    if not levels:
        raise AllocationError("there are no levels of autonomy to choose from", "give at least one")
    utilities = tuple(utility_usd(level, v_usd, rho, rho_irreversible) for level in levels)
    steps = tuple(
        Step(
            after.name,
            v_usd * (after.success - before.success) - (after.cost_usd - before.cost_usd),
            rho * (after.risk_usd - before.risk_usd)
            + rho_irreversible * (after.irreversible_usd - before.irreversible_usd)
            + (after.oversight_usd - before.oversight_usd),
        )
        for before, after in pairwise(levels)
    )
    return Autonomy(levels[utilities.index(max(utilities))].name, utilities, steps)


def expanded(
    v_usd: float,
    success_slope: Callable[[float], float],
    burden_slope: Callable[[float], float],
    low: float = 0.0,
    high: float = 1.0,
) -> float:
    """The level at which eq. 7 holds, by bisection; `low` where the first step already costs more than it brings, `high` where
    the last still pays.

    `success_slope` is ∂p/∂a, falling; `burden_slope` is ∂R/∂a + ∂H/∂a in USD, rising: so there is one crossing at most.
    """
    if low >= high:
        raise AllocationError(f"autonomy from {low} to {high} is no range", "give the lower bound first")

    def pays(level: float) -> bool:
        return v_usd * success_slope(level) > burden_slope(level)

    if not pays(low):
        return low
    if pays(high):
        return high
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        low, high = (middle, high) if pays(middle) else (low, middle)
