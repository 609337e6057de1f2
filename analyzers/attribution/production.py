"""What the next dollar of reading, planning, acting or verifying brings in a task class (eq. 8), and where it is better spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from analyzers.effects import production
from analyzers.effects.estimate import LEVEL, Bools, Estimate, Floats, floats
from analyzers.effects.observational import Assignment

_MICRO = 1e6  # doses in millionths of a dollar, so that a cent is many of them and a logarithm reads it


@dataclass(frozen=True, slots=True)
class Use:
    """One use of tokens.

    `dollars`: spent on it per task, on average. `per_dollar`: quality that one more dollar brings. `net`: what
    that dollar brings in USD beyond itself, V̄·∂Q/∂$ − 1: above 0 it is worth spending, below 0 it is worth saving (eq. 2).
    """

    use: str
    dollars: float
    per_dollar: Estimate
    net: Estimate


@dataclass(frozen=True, slots=True)
class Spending:
    """Production of a task class with what its margins are worth. `equal_p`: p-value of all margins being equal (eq. 2)."""

    uses: tuple[Use, ...]
    production: production.Production

    @property
    def best(self) -> str:
        """The use whose next dollar certainly brings most: its interval lies above every other's value; "" where none does."""
        known = [use for use in self.uses if use.net.value is not None]
        for use in known:
            if all(use.net.numbers()[2] > other.net.numbers()[0] for other in known if other is not use) and len(known) > 1:
                return use.use
        return ""


def spending(
    quality: ArrayLike,
    dollars: ArrayLike,
    v_usd: ArrayLike,
    *,
    assignment: Assignment,
    uses: Sequence[str] = production.USES,
    controls: ArrayLike | None = None,
    tasks: ArrayLike | None = None,
    form: production.Form | None = None,
    level: float = LEVEL,
) -> Spending:
    """Marginal products of a task class's uses of money.

    Shapes: quality (n,) in [0, 1], NaN where unknown (such tasks are left out); dollars (n, K) ≥ 0 by use, NaN where a call is
    unpriced (left out too); v_usd (n,), NaN where unknown; controls (n, d), known before the task; tasks (n,). `assignment`:
    `recorded` when, given the controls, how much a task got had nothing to do with how hard it was, as under randomised budgets;
    else `unknown`, and nothing is identified. See `effects.production` for the form. Raises: InputError naming the array.
    """
    known_quality = floats(quality, "quality", shape=(-1,), missing=True)
    n = len(known_quality)
    spent = floats(dollars, "dollars", shape=(n, len(uses)), missing=True)
    value = floats(v_usd, "v_usd", shape=(n,), missing=True)
    kept: Bools = np.asarray(~np.isnan(known_quality) & ~np.isnan(spent).any(axis=1))
    context = None if controls is None else floats(controls, "controls", shape=(n, -1))[kept]
    made = production.team_production(
        known_quality[kept],
        spent[kept] * _MICRO,
        np.full(len(uses), 1 / _MICRO),
        assignment=assignment,
        uses=uses,
        controls=context,
        clusters=None if tasks is None else np.asarray(tasks)[kept],
        form=form,
        level=level,
    )
    worth = value[kept & ~np.isnan(value)]
    each = tuple(
        Use(
            product.use,
            float(spent[kept, k].mean()) if kept.any() else float("nan"),
            product.per_dollar,
            _net(product.per_dollar, worth),
        )
        for k, product in enumerate(made.products)
    )
    return Spending(each, made)


def _net(per_dollar: Estimate, v_usd: Floats) -> Estimate:
    """V̄·∂Q/∂$ − 1 with the tasks' mean V, in USD per USD."""
    if per_dollar.value is None:
        return per_dollar
    if len(v_usd) == 0:
        why = "V is not known: state it on the task or in the price policy"
        return replace(per_dollar, value=None, standard_error=None, low=None, high=None, status="not_identified", why=why)
    mean = float(v_usd.mean())
    value, error, low, high = per_dollar.numbers()
    return replace(
        per_dollar, value=mean * value - 1, standard_error=mean * error, low=mean * low - 1, high=mean * high - 1,
        estimand=f"{per_dollar.estimand}, V {mean:.3g} USD",
    )  # fmt: skip
