"""What a tenant's period lost in all, from the appraisals as they are stored: nothing is estimated again."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import psycopg

from analyzers.attribution.misallocation import DecisionSet, Lost, Misallocation, misallocation
from analyzers.effects import intervals
from analyzers.effects.estimate import LEVEL, Basis, Estimate
from analyzers.modes.look import Window
from analyzers.reports.books import SQL, regret
from ledger.errors import LedgerError

_BLOCK_ROWS = 50_000
_ROW = np.dtype([
    ("comparison", np.int64), ("segment", np.int64), ("task", np.int64), ("decided_at", np.float64), ("chosen", np.int64),
    ("best", np.int64), ("regret_usd", np.float64), ("pull", np.float64), ("is_explored", np.bool_),
    ("is_counted", np.bool_),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Period:
    """What one tenant lost in a window, summed over so many `comparisons`."""

    tenant: str
    lost: Misallocation
    comparisons: int

    @property
    def is_told(self) -> bool:
        """Whether any of its decisions has a number; else nothing is known of what was lost, which is not 0."""
        return self.lost.total.n > sum(self.lost.without.values())


def period(connection: psycopg.Connection, tenant_id: int, tenant: str, window: Window) -> Period:
    """The misallocation of a tenant's decisions of a window. Wants a transaction, since it reads decisions in blocks.

    Raises: LedgerError for appraisals of an earlier version, which lack what sums need.
    """
    sets = decision_sets(connection, tenant_id, window)
    return Period(tenant, misallocation(sets), len(sets))


def together(periods: Sequence[Period]) -> Estimate:
    """The sum over tenants, whose tasks have nothing in common."""
    totals = [each.lost.total.numbers() for each in periods]
    value = sum(one[0] for one in totals)
    error = math.sqrt(sum(one[1] ** 2 for one in totals))
    below = math.sqrt(sum((one[0] - one[2]) ** 2 for one in totals))
    above = math.sqrt(sum((one[3] - one[0]) ** 2 for one in totals))
    n, tasks = sum(each.lost.total.n for each in periods), sum(each.lost.total.clusters for each in periods)
    return Basis(n, tasks, "sum over tenants", "decisions of the period").found(value, error, value - below, value + above)


def decision_sets(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[DecisionSet]:
    """A tenant's comparisons with what is thought of their decisions; those of the window are counted."""
    read = _decisions(connection, {"tenant_id": tenant_id, "since": window.since, "until": window.until})
    if not len(read):
        return []
    segments: dict[int, list[Sequence[Any]]] = defaultdict(list)
    for row in connection.execute(SQL["segments"], {"tenant_id": tenant_id}).fetchall():
        segments[row[0]].append(row[1:])
    starts = np.flatnonzero(np.r_[True, np.diff(read["comparison"]) != 0])
    return [_decision_set(read[first:last], segments) for first, last in pairwise([*starts.tolist(), len(read)])]


def _decision_set(read: np.ndarray, segments: dict[int, list[Sequence[Any]]]) -> DecisionSet:
    comparison = int(read["comparison"][0])
    rows = segments[comparison]  # by number, without gaps: they were written together
    lost = tuple(map(_lost, rows))
    _, layer, kind, task_class = rows[0][:4]
    return DecisionSet(
        f"{kind} {task_class}", layer, kind, read["task"], read["decided_at"], read["chosen"], read["best"], read["regret_usd"],
        read["pull"], read["segment"], read["is_explored"], read["is_counted"], lost,
    )  # fmt: skip


def _lost(row: Sequence[Any]) -> Lost:
    _, _, _, _, band, n, tasks, value, error, low, high, status, why, cost_usd, most_usd, *downstream = row
    if value is not None and most_usd is None:
        raise LedgerError("these decisions were appraised by an earlier version", "run `pigou appraise`")
    known = None
    if None not in downstream:
        middle, least, most = (float(one) for one in downstream)
        wide = (most - least) / 2 / intervals.quantile(math.inf, LEVEL)
        known = Basis(n, tasks, "whole cost less own", "these decisions").found(middle, wide, least, most)
    of = regret((value, error, low, high), n, tasks, status, why)
    return Lost(band, of, 0.0 if most_usd is None else most_usd, cost_usd, known, status)


def _decisions(connection: psycopg.Connection, given: dict[str, object]) -> np.ndarray:
    """The appraised decisions of a tenant, by comparison; read in blocks, of which only the arrays are kept."""
    blocks: list[np.ndarray] = []
    with connection.cursor(name="appraised_decisions") as cursor:
        cursor.execute(SQL["appraised_decisions"], given)
        while rows := cursor.fetchmany(_BLOCK_ROWS):
            blocks.append(np.array(rows, dtype=_ROW))
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=_ROW)
