"""What a tenant's actions risk, by class: how often tasks that did them went wrong, what that cost, and the mean of the worst."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import psycopg

from analyzers.effects.estimate import Basis, Estimate
from analyzers.effects.risk import ClassRisk, expected_loss, pooled_rates
from analyzers.effects.tails import cvar
from analyzers.modes.look import Window
from analyzers.reports.books import SQL

EVERY = "*"
TAIL = 0.05
"""The worst twentieth of tasks, and the share of incidents below which they are rare."""
POOLED_MIN = 3
"""Classes of tasks from which on their rates say something of each other."""

_NOBODY = "nobody ever told a loss: report loss_usd with outcomes, 0 where nothing happened (POST /v1/outcomes)"
_UNTOLD = "no task that did it has an outcome: nobody would have told an incident"
_UNPRICED = "ρ is not known: state it (`pigou policy`), or a limit of risk that it is the dual of"


@dataclass(frozen=True, slots=True)
class Acted:
    """The tasks of one class that did actions of one class.

    `told` of the `tasks` have an outcome; `losses_usd` those realised, all above 0. `worst_usd`: the most that the actions of one
    task may lose, as stated; `stated_usd`: expected loss of a task as its actions state it, of the `stating` tasks whose actions
    do. `rho` and `v_usd`: means of the tasks that have one; None where none has.
    """

    action_class: str
    task_class: str
    actions: int
    tasks: int
    told: int
    is_reversible: bool | None
    worst_usd: float | None
    stating: int
    stated_usd: float | None
    losses_usd: Sequence[float]
    rho: float | None
    v_usd: float | None


@dataclass(frozen=True, slots=True)
class Risk:
    """The risk of one class of action in one class of tasks, or in all of several ("*"). Per task that did any; USD.

    `of`: rate, severity and expected loss; `pooled`: the rate drawn towards other classes of tasks, None where there are too few;
    `worst`: mean of the worst twentieth; `is_tail`: rare and of high consequence, so that `worst` is what counts, not the
    expectation; `priced`: ρ times what counts. `why`: what is not known, and what would make it known.
    """

    tenant: str
    acted: Acted
    of: ClassRisk
    pooled: Estimate | None
    worst: Estimate
    is_tail: bool
    priced: Estimate
    why: str


def risks(connection: psycopg.Connection, tenant_id: int, tenant: str, window: Window) -> list[Risk]:
    """The risk of every class of action that a tenant's settled tasks did in a window, by class of tasks, and over all of them
    where there are several."""
    given = {"tenant_id": tenant_id, "since": window.since, "until": window.until}
    done = [Acted(*row) for row in connection.execute(SQL["risks_of_actions"], given).fetchall()]
    told = connection.execute(SQL["tells_losses"], {"tenant_id": tenant_id}).fetchone()
    return weighed(tenant, done, tells_losses=told is not None and bool(told[0]))


def weighed(tenant: str, done: Sequence[Acted], *, tells_losses: bool) -> list[Risk]:
    """The risks of what was done. Pure. `tells_losses`: whether the tenant ever told of any task what it lost."""
    cells: dict[str, list[Acted]] = defaultdict(list)
    for one in done:
        cells[one.action_class].append(one)
    made: list[Risk] = []
    for _, cell in sorted(cells.items()):
        pooled = _pooled(cell) if tells_losses else [None] * len(cell)
        if len(cell) > 1:
            made.append(_weighed(tenant, _together(cell), None, tells_losses=tells_losses))
        made += [
            _weighed(tenant, one, rate, tells_losses=tells_losses)
            for one, rate in sorted(zip(cell, pooled, strict=True), key=lambda pair: pair[0].task_class)
        ]
    return made


def _together(cell: Sequence[Acted]) -> Acted:
    """All classes of tasks as one: sums, and means weighted by the tasks that they are of."""
    stated = [one.is_reversible for one in cell if one.is_reversible is not None]
    worst = [one.worst_usd for one in cell if one.worst_usd is not None]
    return Acted(
        cell[0].action_class, EVERY, sum(one.actions for one in cell), sum(one.tasks for one in cell),
        sum(one.told for one in cell), all(stated) if stated else None, max(worst, default=None),
        sum(one.stating for one in cell), _mean([(one.stated_usd, one.stating) for one in cell]),
        tuple(loss for one in cell for loss in one.losses_usd), _mean([(one.rho, one.tasks) for one in cell]),
        _mean([(one.v_usd, one.tasks) for one in cell]),
    )  # fmt: skip


def _mean(parts: Sequence[tuple[float | None, int]]) -> float | None:
    known = [(value, n) for value, n in parts if value is not None and n > 0]
    return sum(value * n for value, n in known) / sum(n for _, n in known) if known else None


def _pooled(cell: Sequence[Acted]) -> list[Estimate | None]:
    """Rates by class of tasks that borrow from each other: tasks have one class, so that what they tell is independent."""
    known = [k for k, one in enumerate(cell) if one.told]
    found: list[Estimate | None] = [None] * len(cell)
    if len(known) < POOLED_MIN:
        return found
    rates = pooled_rates([len(cell[k].losses_usd) for k in known], [cell[k].tasks for k in known])
    for k, rate in zip(known, rates, strict=True):
        found[k] = rate
    return found


def _weighed(tenant: str, one: Acted, pooled: Estimate | None, *, tells_losses: bool) -> Risk:
    silent = _NOBODY if not tells_losses else _UNTOLD if not one.told else ""
    if silent:
        nothing = Basis(one.tasks, one.tasks, "none", "tasks that did it").nothing("not_enough_evidence", silent)
        return Risk(tenant, one, ClassRisk(nothing, nothing, nothing), None, nothing, False, nothing, silent)
    losses = np.zeros(one.tasks)
    losses[: len(one.losses_usd)] = one.losses_usd
    seen = max(one.losses_usd, default=0.0)
    most = one.worst_usd if one.worst_usd is not None and one.worst_usd >= seen else None
    of, worst = expected_loss(losses, consequence_max_usd=most), cvar(losses, TAIL, consequence_max_usd=most)
    is_tail = len(one.losses_usd) < TAIL * one.tasks and _is_grave(one, seen)
    counts = worst if is_tail else of.expected
    priced = _priced(counts, one.rho)
    return Risk(tenant, one, of, pooled, worst, is_tail, priced, "; ".join(_reasons(one, seen, counts, priced)))


def _is_grave(one: Acted, seen: float) -> bool:
    """Whether what can happen is of high consequence: it cannot be undone, or loses more than the task is worth."""
    at_most = max(seen, one.worst_usd or 0.0)
    return one.is_reversible is False or (one.v_usd is not None and at_most > one.v_usd)


def _priced(counts: Estimate, rho: float | None) -> Estimate:
    if counts.status != "identified":
        return counts
    if rho is None:
        return replace(
            counts, value=None, standard_error=None, low=None, high=None, status="not_enough_evidence", why=_UNPRICED
        )  # fmt: skip
    value, error, low, high = (rho * number for number in counts.numbers())
    return replace(counts, value=value, standard_error=error, low=low, high=high)


def _reasons(one: Acted, seen: float, counts: Estimate, priced: Estimate) -> list[str]:
    """What is not known of a class, or only by what nobody said."""
    said: list[str] = []
    if counts.status != "identified":
        said.append(counts.why)
    elif priced.status != "identified":
        said.append(priced.why)
    if one.worst_usd is None:
        said.append("no worst case is stated (allocation.risk.loss_usd of its actions)")
    elif one.worst_usd < seen:
        said.append(f"a loss of {seen:.4g} USD is above the worst case that is stated, {one.worst_usd:.4g}, which is not used")
    if one.told < one.tasks:
        said.append(f"{one.tasks - one.told:,} of {one.tasks:,} tasks have no outcome, and count as without an incident")
    return said
