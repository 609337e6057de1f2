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

USUAL: dict[str, Confirmation] = {
    "read": "none", "draft": "none", "execute": "self", "commit": "self", "deploy": "multi_party", "transfer": "multi_party",
}  # fmt: skip
"""How classes of action are usually confirmed, where too little is known of theirs."""
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
    """What a confirmation is thought to bring and take on average in `n` decisions, `sure` of them appraised (USD; None where
    unknown)."""

    action_class: str
    task_class: str | None
    confirmation: str
    n: int
    sure: int
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


def schedule(connection: psycopg.Connection, tenant_id: int, window: Window, rho_irreversible: float = 0.0) -> list[Row]:
    """The autonomy schedule of a tenant from what it did in a window, by class of action and class of tasks."""
    of = {"tenant_id": tenant_id, "since": window.since, "until": window.until}
    done = [Done(*row) for row in connection.execute(SQL["actions"], of)]
    weighed = [Weighed(*row) for row in connection.execute(SQL["confirmed_options"], of)]
    return rows(done, weighed, rho_irreversible)


def rows(done: Sequence[Done], weighed: Sequence[Weighed], rho_irreversible: float = 0.0) -> list[Row]:
    """The schedule of what was done, by what is thought of its confirmations. Pure.

    `rho_irreversible`: ρ_irr, what a USD of the mean loss of the worst twentieth counts, beside its risk, where an action cannot
    be undone; 0 takes risk by its expectation alone.
    """
    cells: dict[tuple[str, str], list[Done]] = defaultdict(list)
    for each in done:
        cells[each.action_class, each.task_class or ""].append(each)
    return [
        _row(cell, [one for one in weighed if (one.action_class, one.task_class or "") == key], rho_irreversible)
        for key, cell in sorted(cells.items())
    ]


def usual(action_class: str, is_reversible: bool | None) -> Confirmation:
    """What is usual for a class of action of which nothing is known: reading and drafting are free, what can be undone confirms
    itself, and for the rest a person is asked."""
    if is_reversible and action_class not in USUAL:
        return "self"
    return USUAL.get(action_class, _ORDINARY)


def _row(cell: Sequence[Done], weighed: Sequence[Weighed], rho_irreversible: float) -> Row:
    action_class, actions = cell[0].action_class, sum(each.actions for each in cell)
    stated = [each.is_reversible for each in cell if each.is_reversible is not None]
    is_reversible = all(stated) if stated else None
    names = sorted({each.confirmation or "unknown" for each in cell}, key=_order)
    of = {name: [each for each in cell if (each.confirmation or "unknown") == name] for name in names}
    now = {name: sum(each.actions for each in some) / actions for name, some in of.items()}
    borne = tuple(_borne(name, some, is_reversible) for name, some in of.items())
    best, gain, why = _best(weighed, now, borne, rho_irreversible if is_reversible is False else 0.0)
    recommended = best or usual(action_class, is_reversible)
    return Row(
        action_class, cell[0].task_class, is_reversible, actions, now, recommended, best is not None, gain, borne, why
    )  # fmt: skip


def _order(confirmation: str) -> int:
    return CONFIRMATIONS.index(confirmation) if confirmation in CONFIRMATIONS else len(CONFIRMATIONS)


def _best(
    weighed: Sequence[Weighed], now: dict[str, float], borne: Sequence[Borne], rho_irreversible: float
) -> tuple[Confirmation | None, float | None, str]:
    """The confirmation that eq. 6 recommends, what it gains per action over today's mix, and why; None where too little is
    known."""
    known = [one for one in weighed if None not in (one.quality, one.cost_usd, one.risk_usd, one.v_usd)]
    known = [one for one in known if one.confirmation in CONFIRMATIONS]
    worst = {one.confirmation: one.worst.value for one in borne if one.worst is not None and one.worst.value is not None}
    if rho_irreversible > 0:
        known = [one for one in known if one.confirmation in worst]
    if len(known) < 2 or not any(one.sure for one in known):
        return None, None, f"what is usual for such a class: {_unappraised(weighed, now)}"
    # The least autonomy first, so that of equals it wins. Oversight is the wait for whoever confirms.
    levels = [
        Level(
            one.confirmation,
            one.quality or 0.0,
            one.cost_usd or 0.0,
            one.risk_usd or 0.0,
            one.latency_usd or 0.0,
            worst.get(one.confirmation, 0.0) if rho_irreversible > 0 else 0.0,
        )
        for one in sorted(known, key=lambda one: -_order(one.confirmation))
    ]
    v_usd = sum((one.v_usd or 0.0) * one.n for one in known) / sum(one.n for one in known)
    chosen = best_level(levels, v_usd, 1.0, rho_irreversible)
    worth = {level.name: utility for level, utility in zip(levels, chosen.utility_usd, strict=True)}
    mix = [(share, worth[name]) for name, share in now.items() if name in worth]
    covered = sum(share for share, _ in mix)
    gain = worth[chosen.best] - sum(share * utility for share, utility in mix) / covered if covered > 0 else None
    ahead = worth[chosen.best] - max(utility for name, utility in worth.items() if name != chosen.best)
    why = (
        f"by eq. 6 worth {ahead:.3g} USD more per action than the next best ({known[0].sure} of {known[0].n} decisions are sure)"
    )
    return cast(Confirmation, chosen.best), gain, why


def _unappraised(weighed: Sequence[Weighed], now: dict[str, float]) -> str:
    if any(one.sure for one in weighed) and all(one.risk_usd is None for one in weighed):
        return "nothing tells what it loses when it goes wrong: report loss_usd with outcomes, also where it is 0"
    if weighed:
        return "too little is known of its confirmations"
    if set(now) <= {"none", "self"} and len(now) > 1:
        return "to confirm oneself is to verify, which is appraised as that"
    return "it was always confirmed alike" if len(now) == 1 else "its confirmations are no decisions that could be compared"


def _borne(confirmation: str, cell: Sequence[Done], is_reversible: bool | None) -> Borne:
    losses = np.array([loss for each in cell for loss in each.losses_usd], dtype=np.float64)
    stated = [each.worst_usd for each in cell if each.worst_usd is not None]
    most = max([*stated, float(losses.max(initial=0.0))]) if stated else None
    if len(losses) == 0:
        losses = np.zeros(1)
    expected = expected_loss(losses, consequence_max_usd=most).expected
    worst = None if is_reversible is not False else cvar(losses, TAIL, consequence_max_usd=most)
    return Borne(confirmation, sum(each.actions for each in cell), expected, worst)
