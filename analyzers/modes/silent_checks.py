"""Checks that never fail: what they take, against the most that they can have been worth (the reverse of under-verification).

No alternative need have been tried. A check that finds nothing brings nothing; in n hours with checked tasks none failed, so that
at 95 % no more than p = 1 − (α/2)^(1/n) of such hours can be bad (Clopper & Pearson), α shared by all classes looked at. Hours
are counted and not tasks, since one cause fails all that it meets: by tasks, 23 % of checks that pay by what is wrong for an hour
now and then were accused. One that fails brings at most what its task has at stake: V, and all that its actions may lose, at ρ.
So

    ΔC + λ·ΔL − p·(V + ρ·R)  ≤  what is lost  ≤  ΔC + λ·ΔL                                    (eq. 1, 8)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import psycopg

from analyzers.modes import wording
from analyzers.modes.appraised import SQL
from analyzers.modes.days import days_of
from analyzers.modes.look import Example, Look, Place, Status, Term, Window

SUBJECT = "checks that never fail"
INEQUALITY = "p·(V + ρ·R) < ΔC + λ·ΔL of checks that never failed, p the share that may fail (eq. 1, 8)"
METHOD = "no failure in so many hours (Clopper–Pearson)"
_CHANGE = "Check a part of them, drawn at random, or give the check something that it can find."
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Stated:
    """Tasks of one class whose checks said what they found. Amounts are sums in USD but for `at_stake_usd`, the most of one task;
    None where not known of all. `hours` in which the tasks came, `at_s` when each of them did; `failed`: tasks in which a check
    found anything."""

    task_class: str
    tasks: int
    hours: int
    checks: int
    failed: int
    cost_usd: float | None
    latency_usd: float | None
    at_stake_usd: float | None
    first_at: datetime
    dearest: tuple[str, ...] = ()
    at_s: tuple[float, ...] = ()


def read(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Stated]:
    """The classes of a tenant's tasks in which checks said what they found."""
    given = {"tenant_id": tenant_id, "since": window.since, "until": window.until}
    rows = connection.execute(SQL["stated_checks"], given)
    return [Stated(*row[:-2], dearest=tuple(row[-2]), at_s=tuple(row[-1])) for row in rows]


def looks(found: Sequence[Stated], tenant: str, window: Window) -> list[Look]:
    """A look at each class; what fails now and then is not lost."""
    return [_look(each, tenant, window, len(found)) for each in found]


def share_max(hours: int, tests: int = 1) -> float:
    """The share that may be bad where none of so many hours was, at 95 % over as many classes as are looked at."""
    return 1.0 - (_ALPHA / 2 / tests) ** (1.0 / hours)


def hours_wanted(taken_usd: float, at_stake_usd: float, tests: int = 1) -> int | None:
    """Hours without a failure from which on checks that take so much a task cannot have paid; None where no number would do."""
    if not 0 < taken_usd < at_stake_usd:
        return None if taken_usd <= 0 else 1
    return math.ceil(math.log(_ALPHA / 2 / tests) / math.log1p(-taken_usd / at_stake_usd))


def _look(of: Stated, tenant: str, window: Window, tests: int) -> Look:
    since = max(window.since, of.first_at)
    days = days_of(np.array(of.at_s), np.ones(len(of.at_s)), since.timestamp(), window.until.timestamp())
    taken = None if of.cost_usd is None else of.cost_usd + (of.latency_usd or 0.0)
    low = high = value = None
    status: Status = "appraised"
    why = ""
    if of.failed:
        value = low = high = 0.0
    elif taken is None or of.at_stake_usd is None:
        status = "not_identified"
        why = (
            "its calls have no price"
            if taken is None
            else "what is at stake in its tasks is not known: V, or what actions may lose"
        )
    else:
        value = high = taken / days
        low = value - share_max(of.hours, tests) * of.at_stake_usd * of.tasks / days
        if low <= 0:
            wanted = hours_wanted(taken / of.tasks, of.at_stake_usd, tests)
            status, value, low, high = "not_enough_evidence", None, None, None
            why = f"none of {of.tasks:,} failed, which one that is worth it may do as well" + (
                f"; {wanted:,} hours with checks and no failure would tell, there were {of.hours:,}" if wanted is not None else ""
            )
    is_discovery = status == "appraised" and not of.failed
    return Look(
        "under_verification", Place("action", "verify", of.task_class or None, SUBJECT), since, window.until, of.checks, of.tasks,
        status, value, low, high, is_discovery, _sentence(of, tenant, value, why),
        _CHANGE if is_discovery else "Nothing." if of.failed else "Nothing yet.", INEQUALITY, METHOD,
        terms=_terms(of, days, tests) if is_discovery else (),
        weaknesses=_weaknesses(of) if is_discovery else (why,) if why else (),
        examples=tuple(Example(trace, None) for trace in of.dearest) if is_discovery else (),
        detail={"reverse": True, "checks": {"passes": of.checks, "failed": of.failed}},
    )  # fmt: skip


def _sentence(of: Stated, tenant: str, usd_per_day: float | None, why: str) -> str:
    work = of.task_class or "tasks without a class"
    if of.failed:
        return f"{tenant} checks {work}, and the checks find something in {of.failed:,} of {of.tasks:,} tasks."
    if usd_per_day is None:
        return f"Whether the checks of {tenant} on {work} are worth it is not known: {why}."
    return (
        f"{tenant} checks {work}, and in {of.tasks:,} tasks no check failed: that takes {wording.usd(usd_per_day)} a day,"
        " more than they can have been worth."
    )


def _terms(of: Stated, days: float, tests: int) -> tuple[Term, ...]:
    most = share_max(of.hours, tests) * (of.at_stake_usd or 0.0) * of.tasks / days
    latency = None if of.latency_usd is None else of.latency_usd / days
    return (
        Term("p·(V + ρ·R)", 0.0, 0.0, most),
        Term("ΔC", None if of.cost_usd is None else of.cost_usd / days),
        Term("λ·ΔL", latency),
    )


def _weaknesses(of: Stated) -> tuple[str, ...]:
    said = (
        "what is checked may be done better because it is checked, which nobody sees in checks that never fail",
        "hours are taken to go wrong independently: a cause that lasts for a day and comes once a month may not have come yet",
    )
    return said if of.latency_usd is not None else (*said, "what waiting for the checks takes is not counted: nobody states λ")
