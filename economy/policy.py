"""What the fleet decides: the best option of eq. 1, except where a fault forces a decision, and some exploration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from random import Random

from economy.appraisal import Cell, Choice, expect, reuse_options
from economy.faults import DecisionKind, Fault, active_faults
from economy.parameters import (
    CONFIRM_EXPLORATION,
    REUSE_QUALITY,
    ROUTE_EXPLORATION,
    VERIFY_EXPLORATION,
    Caching,
)


@dataclass(frozen=True)
class Rule:
    """The policy in force for a cell: its choice, which decisions are forced, and by which fault."""

    choice: Choice
    forced: dict[DecisionKind, str]


@cache
def _rule(tenant: str, cell: Cell, active: tuple[str, ...]) -> Rule:
    faults: dict[DecisionKind, Fault] = {
        fault.decision: fault for fault in active_faults(tenant, cell.task_class, cell.difficulty, 1.0) if fault.key in active
    }
    kind = cell.kind
    models = [str(faults["route"].forced)] if "route" in faults else list(kind.menu)
    passes = [int(faults["verify"].forced)] if "verify" in faults else [0, 1, 2]
    asks = kind.action is not None and kind.action.asks
    confirms = [bool(faults["confirm"].forced)] if "confirm" in faults else ([False, True] if asks else [False])
    caching: Caching = "prefix"
    if "cache" in faults:
        caching = "churn" if faults["cache"].forced == "churn" else "none"
    choices = [Choice(m, v, c, caching) for m, v, c in product(models, passes, confirms)]
    best = max(choices, key=lambda choice: expect(cell, choice).net_usd)
    return Rule(best, {decision: fault.key for decision, fault in faults.items()})


def rule(tenant: str, cell: Cell, fraction: float) -> Rule:
    """The policy for a task of `cell` at this fraction of the period.

    Decisions that no fault forces are jointly optimal given the forced ones: the rest of the fleet adapts, so that the
    loss in a segment is the loss of the forced decision alone.
    """
    active = tuple(f.key for f in active_faults(tenant, cell.task_class, cell.difficulty, fraction))
    return _rule(tenant, cell, active)


def reuses(tenant: str, cell: Cell, fraction: float) -> bool:
    """Whether a stored answer, when there is one, is used for this task."""
    current = rule(tenant, cell, fraction)
    if "reuse" in current.forced:
        return True
    if cell.task_class not in REUSE_QUALITY:
        return False
    options = reuse_options(cell, current.choice)
    return options["reuse"].net_usd > options["work"].net_usd


@dataclass(frozen=True)
class Decided:
    """A task's choice after exploration, and the probability with which its model was chosen."""

    choice: Choice
    propensity: float
    explored: frozenset[DecisionKind]


def decide(cell: Cell, intended: Choice, rng: Random) -> Decided:
    """Draw the choice: each decision follows the policy but for its share of exploration.

    Four numbers are always drawn, so that one decision's outcome does not shift another's.
    """
    draws = [rng.random() for _ in range(3)]
    pick = rng.random()
    explored: set[DecisionKind] = set()
    choice = intended
    others = [model for model in cell.kind.menu if model != intended.model]
    propensity = 1.0 - ROUTE_EXPLORATION
    if draws[0] < ROUTE_EXPLORATION:
        choice = replace(choice, model=others[int(pick * len(others))])
        propensity = ROUTE_EXPLORATION / len(others)
        explored.add("route")
    if draws[1] < VERIFY_EXPLORATION:
        choice = replace(choice, verify=[n for n in (0, 1, 2) if n != intended.verify][draws[1] < VERIFY_EXPLORATION / 2])
        explored.add("verify")
    action = cell.kind.action
    if action is not None and action.asks and draws[2] < CONFIRM_EXPLORATION:
        choice = replace(choice, confirm=not intended.confirm)
        explored.add("confirm")
    return Decided(choice, propensity, frozenset(explored))
