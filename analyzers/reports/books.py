"""What reports are made from, out of the books."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import psycopg

from analyzers.decisions.load import complete
from analyzers.effects import intervals
from analyzers.effects.estimate import Basis, Bools, Estimate, Floats, Ints
from analyzers.effects.observational import Assignment
from analyzers.modes.look import Window
from ledger.errors import UnknownTenant
from ledger.queries import queries

SQL = queries("analyzers", "reports")
TASKS_MAX = 200_000
"""Of a tenant's tasks the latest so many are read."""


@dataclass(frozen=True, slots=True)
class Spent:
    """n tasks of a tenant with what they spent. Shapes (n,) unless told otherwise; NaN is unknown.

    `quality`, `v_usd`, `rho`; `risk_usd` expected and `loss_usd` realised; `usd` (n, uses) by read, plan, act and verify, NaN
    while a call is unpriced; `features` (n, d): what was known before; `is_cut`: that there were more tasks.
    """

    tasks: Ints
    task_class: tuple[str, ...]
    quality: Floats
    v_usd: Floats
    rho: Floats
    risk_usd: Floats
    loss_usd: Floats
    usd: Floats
    features: Floats
    feature_names: tuple[str, ...]
    is_cut: bool

    def of(self, classes: Sequence[str]) -> Bools:
        """The mask of the tasks of some classes."""
        return np.isin(np.array(self.task_class, dtype=np.str_), list(classes))

    def known(self, mask: Bools) -> Floats:
        """Shape (tasks of the mask, d): what was known before these tasks, without gaps."""
        return complete(self.features[mask], self.feature_names)[0]


@contextmanager
def unchanging(connection: psycopg.Connection) -> Generator[None]:
    """One state of the books for a whole report; nothing can be written."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        yield


def tenants(connection: psycopg.Connection, name: str | None) -> list[tuple[int, str]]:
    """The tenants to report on, by name. Raises: UnknownTenant."""
    found = connection.execute(SQL["tenants"], {"tenant": name}).fetchall()
    if name is not None and not found:
        raise UnknownTenant(f"there is no tenant {name!r}", "see `pigou accounts`")
    return [(tenant_id, tenant) for tenant_id, tenant in found]


def spent(connection: psycopg.Connection, tenant_id: int, window: Window) -> Spent:
    """What a tenant's tasks of a window spent by use, with what came of them."""
    given = {"tenant_id": tenant_id, "since": window.since, "until": window.until, "most": TASKS_MAX}
    rows = connection.execute(SQL["spent_by_use"], given).fetchall()
    names = tuple(sorted({name for row in rows for name in row[11]}))
    place = {name: k for k, name in enumerate(names)}
    features = np.full((len(rows), len(names)), np.nan)
    for k, row in enumerate(rows):
        for name, value in zip(row[11], row[12], strict=True):
            if value is not None:
                features[k, place[name]] = value
    numbers = np.array([[math.nan if one is None else one for one in row[2:11]] for row in rows], dtype=np.float64).reshape(-1, 9)
    quality, v_usd, rho, risk_usd, loss_usd = numbers.T[:5]
    tasks = np.array([row[0] for row in rows], dtype=np.int64)
    classes = tuple(str(row[1]) for row in rows)
    cut = len(rows) >= TASKS_MAX
    return Spent(tasks, classes, quality, v_usd, rho, risk_usd, loss_usd, numbers[:, 5:], features, names, cut)


def assignments(connection: psycopg.Connection, tenant_id: int, kind: str) -> dict[str, Assignment]:
    """How a kind is decided in each class of a tenant's tasks, as the operator states it: `unknown` where nothing is stated."""
    rows = connection.execute(SQL["stated_assignments"], {"tenant_id": tenant_id, "kinds": [kind]}).fetchall()
    return {task_class: cast("Assignment", assignment or "unknown") for _, task_class, assignment in rows}


def regret(numbers: Sequence[float | None], n: int, tasks: int, status: str, why: str) -> Estimate:
    """A segment's regret as it is stored: value, standard error, low and high, or the reason why there is none."""
    basis = Basis(n, tasks, "regret, as appraised", "these decisions")
    value, error, low, high = numbers
    if value is None or low is None or high is None:
        lacking: Literal["not_identified", "not_enough_evidence"] = (
            "not_identified" if status == "not_identified" else "not_enough_evidence"
        )
        return basis.nothing(lacking, why or "it has no number")
    wide = (high - low) / 2 / intervals.quantile(math.inf, basis.level)
    return basis.found(value, wide if error is None else error, low, high, why=why)
