"""What goes into an appraisal: the decisions of one decision set with the outcomes of their tasks, as arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias

import numpy as np

from analyzers.effects.estimate import Bools, Floats, InputError, Ints

Assignment: TypeAlias = Literal["logged", "recorded", "unknown"]

_OUTCOMES = ("quality", "cost_usd", "own_cost_usd", "latency_s", "loss_usd")
_PRICES = ("v_usd", "lam", "rho")
_ALONG = ("chosen", "tasks", "decided_at", *_OUTCOMES, *_PRICES, "propensity", "features")


@dataclass(frozen=True, slots=True)
class Choices:
    """n decisions of one decision set (tenant × kind × task class × menu of K options), each with its task's outcome.

    Shapes: (n,) unless told otherwise; NaN is unknown, never 0. `options`: K names. `chosen`: 0 … K−1. `tasks`: the cluster;
    decisions of one task share a number. `decided_at`: seconds since 1970. `quality`: Q in [0, 1] of the task. `cost_usd`: of
    the whole task, downstream included; NaN while a call of it is unpriced. `own_cost_usd`: of the decision's own calls, NaN
    where it has none. `latency_s`: of the whole task. `loss_usd`: expected loss borne (probability × consequence) or realised.
    `v_usd`: V. `lam`: λ in USD per second, 0 where the SLA is slack. `rho`: ρ. `propensity`: of the chosen option, NaN where
    not logged. `menu` (n, K): every option's propensity where logged, else None. `assignment`: how options were chosen:
    `logged` (with propensities), `recorded` (the features tell all that moved it) or `unknown`. `features` (n, d): known before
    the choice, without V. `feature_names`: d names. `unmoved`: terms (quality, cost, latency, risk) that no option can move, by
    how they work: a cached prefix gives the same answer. Raises: InputError naming the array whose shape or values cannot be.
    """

    options: tuple[str, ...]
    chosen: Ints
    tasks: Ints
    decided_at: Floats
    quality: Floats
    cost_usd: Floats
    own_cost_usd: Floats
    latency_s: Floats
    loss_usd: Floats
    v_usd: Floats
    lam: Floats
    rho: Floats
    propensity: Floats
    menu: Floats | None
    assignment: Assignment
    features: Floats
    feature_names: tuple[str, ...]
    unmoved: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.chosen)
        for name in _ALONG:
            array: Floats = getattr(self, name)
            if len(array) != n or array.ndim != (2 if name == "features" else 1):
                raise InputError(f"{name} has shape {array.shape}, but there are {n} decisions")
            if array.dtype.kind == "f" and np.isinf(array).any():
                raise InputError(f"{name} holds values that are not finite (an unknown one is NaN)")
        if self.menu is not None and self.menu.shape != (n, len(self.options)):
            raise InputError(f"menu has shape {self.menu.shape}, expected {(n, len(self.options))}")
        if self.features.shape[1] != len(self.feature_names):
            raise InputError(f"{self.features.shape[1]} features have {len(self.feature_names)} names")
        if n and not (self.chosen.min() >= 0 and self.chosen.max() < len(self.options)):
            raise InputError(f"chosen must lie in 0 … {len(self.options) - 1}, got {self.chosen.min()} … {self.chosen.max()}")
        if n and (np.nanmin(self.quality, initial=0.0) < 0 or np.nanmax(self.quality, initial=0.0) > 1):
            raise InputError("quality must lie in [0, 1]")
        if self.assignment == "logged" and n and not np.isfinite(self.propensity).all():
            raise InputError("assignment logged needs every decision's propensity; leave out the rows that have none")

    def __len__(self) -> int:
        return len(self.chosen)

    def stake_usd(self) -> float:
        """What is worth knowing of a decision, in USD: a tenth of a task's mean cost or, where quality can be moved, a hundredth
        of mean V, whichever is more."""
        known = self.cost_usd[~np.isnan(self.cost_usd)]
        of_value = 0.0 if "quality" in self.unmoved or np.isnan(self.v_usd).all() else 0.01 * float(np.nanmean(self.v_usd))
        stake = max(0.1 * float(known.mean()) if len(known) else 0.0, of_value)
        return stake if stake > 0 else 1e-6

    def named(self, reason: str) -> str:
        """A reason of an estimator, which numbers options, with their names."""
        return re.sub(r"\boption (\d+)\b", lambda found: f"option {self.options[int(found[1])]}", reason)

    def take(self, rows: Bools | Ints) -> Choices:
        """The same decision set with some of its decisions."""
        part = {field.name: getattr(self, field.name)[rows] for field in fields(self) if field.name in _ALONG}
        return replace(self, **part, menu=None if self.menu is None else self.menu[rows])
