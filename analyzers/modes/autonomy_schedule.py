"""The autonomy schedule: how each class of action should be confirmed, how it is, and what is borne in each case (eq. 6 and
7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

import numpy as np
import psycopg

from allocation.autonomy import Level, best_level
from analyzers.effects.estimate import Estimate
from analyzers.effects.risk import expected_loss
from analyzers.effects.tails import cvar
from analyzers.modes.appraised import SQL
from analyzers.modes.look import Window

Confirmation: TypeAlias = Literal["none", "self", "human", "multi_party"]
CONFIRMATIONS: tuple[Confirmation, ...] = get_args(Confirmation)
"""From the most autonomy to the least."""

TAIL = 0.05
"""Share of the worst cases whose mean is told of classes that cannot be undone."""

_USUAL: dict[str, Confirmation] = {"read": "none", "draft": "none", "execute": "self", "commit": "self"}
_ORDINARY: Confirmation = "human"


@dataclass(frozen=True, slots=True)
class Done:
    """What was done of one class with one confirmation: `losses_usd` (t,) realised by each task that did it."""

    action_class: str
    is_reversible: bool | None
    confirmation: str | None
    task_class: str | None
    actions: int
    worst_usd: float | None
    losses_usd: Sequence[float]


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a confirmation is thought to bring and take on average in `n` appraised decisions (USD; None where unknown)."""

    action_class: str
    task_class: str | None
    confirmation: str
    n: int
    quality: float | None
    cost_usd: float | None
    latency_usd: float | None
    risk_usd: float | None
    v_usd: float | None


@dataclass(frozen=True, slots=True)
class Borne:
    """The risk borne with one confirmation: `expected` loss per action, and `worst`, the mean of the worst twentieth of tasks,
    for what cannot be undone."""

    confirmation: str
    actions: int
    expected: Estimate
    worst: Estimate | None


@dataclass(frozen=True, slots=True)
class Row:
    """One class of action in one class of tasks.

    `now`: share of its actions by confirmation ("unknown" where none is stated). `recommended`, with `why`; `is_appraised`: by
    what was appraised, else by what is usual for such a class. `gain_usd`: per action, of the recommended confirmation against
    what is done now, on average; None where not known.
    """

    action_class: str
    task_class: str | None
    is_reversible: bool | None
    actions: int
    now: dict[str, float]
    recommended: Confirmation
    is_appraised: bool
    gain_usd: float | None
    borne: tuple[Borne, ...]
    why: str


def schedule(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Row]:
    """The autonomy schedule of a tenant from what it did in a window, by class of action and class of tasks."""
    of = {"tenant_id": tenant_id, "since": window.since, "until": window.until}
    done = [Done(*row) for row in connection.execute(SQL["actions"], of)]
    weighed = [Weighed(*row) for row in connection.execute(SQL["confirmed_options"], of)]
    return rows(done, weighed)


def rows(done: Sequence[Done], weighed: Sequence[Weighed]) -> list[Row]:
    """The schedule of what was done, by what is thought of its confirmations. Pure."""
    cells: dict[tuple[str, str], list[Done]] = defaultdict(list)
    for each in done:
        cells[each.action_class, each.task_class or ""].append(each)
    return [
        _row(cell, [one for one in weighed if (one.action_class, one.task_class or "") == key])
        for key, cell in sorted(cells.items())
    ]


def usual(action_class: str, is_reversible: bool | None) -> Confirmation:
    """What is usual for a class of action of which nothing is known: reading and drafting are free, what can be undone confirms
    itself, and for the rest a person is asked."""
    if is_reversible and action_class not in _USUAL:
        return "self"
    return _USUAL.get(action_class, _ORDINARY)


def _row(cell: Sequence[Done], weighed: Sequence[Weighed]) -> Row:
    action_class, actions = cell[0].action_class, sum(each.actions for each in cell)
    stated = [each.is_reversible for each in cell if each.is_reversible is not None]
    is_reversible = all(stated) if stated else None
    now = {name: sum(each.actions for each in cell if (each.confirmation or "unknown") == name) / actions
           for name in sorted({each.confirmation or "unknown" for each in cell}, key=_order)}  # fmt: skip
    best, gain, why = _best(weighed, now, is_reversible)
    fallen_back = usual(action_class, is_reversible)
    return Row(
        action_class,
        cell[0].task_class,
        is_reversible,
        actions,
        now,
        best or fallen_back,
        best is not None,
        gain,
        tuple(_borne(name, [each for each in cell if (each.confirmation or "unknown") == name], is_reversible) for name in now),
        why,
    )


def _order(confirmation: str) -> int:
    return CONFIRMATIONS.index(confirmation) if confirmation in CONFIRMATIONS else len(CONFIRMATIONS)


def _best(
    weighed: Sequence[Weighed], now: dict[str, float], is_reversible: bool | None
) -> tuple[Confirmation | None, float | None, str]:
    """The confirmation that eq. 6 recommends, what it gains per action over today's mix, and why; None where too little is
    known."""
    known = [
        each for each in weighed if None not in (each.quality, each.cost_usd, each.v_usd) and each.confirmation in CONFIRMATIONS
    ]
    if len(known) < 2:
        reason = (
            "confirmations were not appraised against each other"
            if weighed
            else "it was always confirmed alike, so that nothing can be compared"
        )
        undone = "; it cannot be undone" if is_reversible is False else ""
        return None, None, f"{reason}: what is usual for such a class{undone}"
    # The least autonomy first, so that of equals it wins. Oversight is the wait for whoever confirms.
    levels = [
        Level(each.confirmation, each.quality or 0.0, each.cost_usd or 0.0, each.risk_usd or 0.0, each.latency_usd or 0.0)
        for each in sorted(known, key=lambda each: -_order(each.confirmation))
    ]
    v_usd = sum((each.v_usd or 0.0) * each.n for each in known) / sum(each.n for each in known)
    chosen = best_level(levels, v_usd, 1.0)
    worth = {level.name: utility for level, utility in zip(levels, chosen.utility_usd, strict=True)}
    mix = [(share, worth[name]) for name, share in now.items() if name in worth]
    covered = sum(share for share, _ in mix)
    gain = worth[chosen.best] - sum(share * utility for share, utility in mix) / covered if covered > 0 else None
    ahead = worth[chosen.best] - max(utility for name, utility in worth.items() if name != chosen.best)
    return (
        cast(Confirmation, chosen.best),
        gain,
        f"worth {ahead:.3g} USD more per action than the next best, by eq. 6 over {known[0].n} decisions",
    )


def _borne(confirmation: str, cell: Sequence[Done], is_reversible: bool | None) -> Borne:
    losses = np.array([loss for each in cell for loss in each.losses_usd], dtype=np.float64)
    stated = [each.worst_usd for each in cell if each.worst_usd is not None]
    most = max([*stated, float(losses.max(initial=0.0))]) if stated else None
    if len(losses) == 0:
        losses = np.zeros(1)
    expected = expected_loss(losses, consequence_max_usd=most).expected
    worst = None if is_reversible is not False else cvar(losses, TAIL, consequence_max_usd=most)
    return Borne(confirmation, sum(each.actions for each in cell), expected, worst)
