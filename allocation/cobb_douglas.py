"""Team production with constant elasticities (the check of eq. 8): Q = A·Π t_i^α_i under a budget of full prices.

    t_i* = (α_i / Σα) · (B / p_i),   p_i = ΔC_i + λ·ΔL_i + ρ·ΔR_i

A use that brings nothing gets nothing, a dearer use is squeezed in proportion, and a complement is never cut to zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from allocation.errors import AllocationError


def full_price(cost_usd: float, latency_s: float, risk_usd: float, lambda_usd_per_s: float, rho: float) -> float:
    """p = ΔC + λ·ΔL + ρ·ΔR of one unit, in USD."""
    return cost_usd + lambda_usd_per_s * latency_s + rho * risk_usd


def best_inputs(alphas: Sequence[float], prices: Sequence[float], budget_usd: float) -> tuple[float, ...]:
    """t_i* of every input. Raises: AllocationError on exponents below 0 or all 0, or on prices or a budget not above 0."""
    if len(alphas) != len(prices) or not alphas:
        raise AllocationError(f"{len(alphas)} exponents and {len(prices)} prices", "give one price for each exponent")
    total = sum(alphas)
    if min(alphas) < 0 or total <= 0:
        raise AllocationError(f"exponents {list(alphas)}", "give none below 0, and one above")
    if min(prices) <= 0 or budget_usd <= 0:
        raise AllocationError(f"prices {list(prices)} under a budget of {budget_usd}", "all must be above 0")
    return tuple(alpha / total * budget_usd / price for alpha, price in zip(alphas, prices, strict=True))


def output(scale: float, alphas: Sequence[float], inputs: Sequence[float]) -> float:
    """Q = A·Π t_i^α_i; an input with exponent 0 does not matter."""
    return scale * math.prod(amount**alpha for alpha, amount in zip(alphas, inputs, strict=True) if alpha)


def marginal_products(scale: float, alphas: Sequence[float], inputs: Sequence[float]) -> tuple[float, ...]:
    """∂Q/∂t_i = α_i·Q/t_i. Raises: AllocationError at an input of 0 with an exponent above it, where it is infinite."""
    if any(alpha and amount <= 0 for alpha, amount in zip(alphas, inputs, strict=True)):
        raise AllocationError("the marginal product of a complement that is not used is infinite", "give every such input some")
    produced = output(scale, alphas, inputs)
    return tuple(alpha * produced / amount if alpha else 0.0 for alpha, amount in zip(alphas, inputs, strict=True))
