"""A second, naive implementation of what tasks could be moved to: loops over tasks, comparisons and options, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from allocation.period import Period
from allocation.programme import took

Floats = NDArray[np.float64]
GONE = 0.05


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that could be done with the tasks of a group: nothing (place None), or all decisions of a kind for an option."""

    group: int
    place: int | None
    option: int
    more: tuple[float, float, float, float]
    """Quality, USD, seconds and loss of one task beyond how it was."""


def level(period: Period, group: int, means: Sequence[Floats], outcome: int) -> float:
    """What a task of a group took: the mean that the comparison of most tasks tells, and what each did beyond its own."""
    of = period.together[group]
    tasks = {
        place: sum(one.tasks for one in period.together if place in one.chosen)
        for place, one in enumerate(period.compared)
        if one.task_class == of.task_class
    }
    most = max(tasks, key=lambda place: (tasks[place], -place))
    whole = weight = 0.0
    for row, one in enumerate(period.together):
        if most in one.chosen:
            n = float(one.chosen[most].sum())
            others = sum(beyond(period, row, place, means, outcome) for place in one.chosen if place != most)
            whole += n * (base(period, row, most, means, outcome) - others)
            weight += n
    found = whole / weight + sum(beyond(period, group, place, means, outcome) for place in of.chosen)
    return min(1.0, max(0.0, found)) if outcome == 0 else max(0.0, found)


def base(period: Period, group: int, place: int, means: Sequence[Floats], outcome: int) -> float:
    """The mean outcome of the options that a group's decisions took."""
    chosen = period.together[group].chosen[place]
    return sum(float(chosen[k]) * float(means[place][outcome, k]) for k in range(len(chosen))) / float(chosen.sum())


def scale(period: Period, group: int, place: int) -> float:
    """How often the effect of one decision counts in a task."""
    of = period.together[group]
    return float(of.chosen[place].sum()) / of.tasks / period.compared[place].alike


def beyond(period: Period, group: int, place: int, means: Sequence[Floats], outcome: int) -> float:
    """What a group's options did beyond the mean of all decisions of the comparison."""
    rows = [row for row, one in enumerate(period.together) if place in one.chosen]
    counts = [float(period.together[row].chosen[place].sum()) for row in rows]
    mean = sum(n * base(period, row, place, means, outcome) for n, row in zip(counts, rows, strict=True)) / sum(counts)
    return scale(period, group, place) * (base(period, group, place, means, outcome) - mean)


def kept(period: Period, group: int, place: int, option: int, other: int) -> float:
    """Which share of another comparison's decisions is made when these are for an option."""

    def made(k: int) -> float | None:
        with_it = whole = 0.0
        for one in period.together:
            if place in one.chosen:
                part = one.tasks * float(one.chosen[place][k]) / float(one.chosen[place].sum())
                whole += part
                with_it += part if other in one.chosen else 0.0
        return with_it / whole if whole else None

    everywhere = [one for one in period.together if place in one.chosen]
    overall = sum(one.tasks for one in everywhere if other in one.chosen) / sum(one.tasks for one in everywhere)
    chosen = period.together[group].chosen[place]
    own = sum(float(n) * (made(k) or 0.0) for k, n in enumerate(chosen)) / float(chosen.sum())
    then = made(option)
    return min(1.0, (overall if then is None else then) / own)


def moves(period: Period, means: Sequence[Floats]) -> list[Move]:
    """Everything that could be done."""
    found: list[Move] = []
    for group, of in enumerate(period.together):
        found.append(Move(group, None, 0, (0.0, 0.0, 0.0, 0.0)))
        for place, chosen in of.chosen.items():
            for option in range(len(chosen)):
                more = [_more(period, group, place, option, means, outcome) for outcome in range(4)]
                found.append(Move(group, place, option, (more[0], more[1], more[2], more[3])))
    return found


def _more(period: Period, group: int, place: int, option: int, means: Sequence[Floats], outcome: int) -> float:
    difference = float(means[place][outcome, option]) - base(period, group, place, means, outcome)
    more = scale(period, group, place) * difference
    for other in period.together[group].chosen:
        if other == place:
            continue
        did, share = beyond(period, group, other, means, outcome), kept(period, group, place, option, other)
        if share < GONE:
            more -= did
        else:
            lost = (1.0 - share) * did
            more -= max(0.0, lost) if outcome == 0 else min(0.0, lost)
    was = level(period, group, means, outcome)
    more = max(more, -was)
    return min(more, 1.0 - was) if outcome == 0 else more


def best(period: Period, lambda_usd_per_s: float, rho: float, sla_s: float | None) -> tuple[float, float] | None:
    """Net in USD of the best allocation of a period of one class, and the seconds it takes; None where none keeps the SLA."""
    of = moves(period, period.means())
    net = [
        period.together[one.group].v_usd * one.more[0] - one.more[1] - lambda_usd_per_s * one.more[2] - rho * one.more[3]
        for one in of
    ]
    (totals,) = period.classes
    answer = linprog(
        np.array([-one for one in net]),
        A_ub=None if sla_s is None else np.array([[one.more[2] for one in of]]),
        b_ub=None if sla_s is None else np.array([sla_s * totals.tasks - took(totals, "latency_sla")]),
        A_eq=np.array([[1.0 if one.group == group else 0.0 for one in of] for group in range(len(period.together))]),
        b_eq=np.array([one.tasks for one in period.together]),
    )
    if answer.x is None or answer.fun is None:
        return None
    seconds = took(totals, "latency_sla") + sum(float(x) * one.more[2] for x, one in zip(answer.x, of, strict=True))
    return -float(answer.fun), seconds
