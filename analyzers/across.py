"""What is said of a tenant's comparisons together, once each is appraised: what is a finding among all, which latency effects
stand, and what small segments borrow from their siblings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from analyzers.effects import multiplicity
from analyzers.effects.estimate import Basis, Estimate
from analyzers.effects.siblings import pool_groups
from ledger.queries import queries

_SQL = queries("analyzers", "appraise")
_ALIKE = 0.25
"""Of what is material: a lesser error is taken for this. Regrets that are cut off at 0 look surer than they are."""


def discover(connection: psycopg.Connection, tenant_id: int) -> int:
    """Find which segments, with and without what was chosen to learn, and which latency effects stand among all of the tenant's;
    answers how many segments do. Wants a transaction."""
    flags, stated = _discoveries(connection, tenant_id, "segments")
    connection.execute(_SQL["write_discoveries"], {**stated, "adjusted": [float(p) for p in flags.adjusted]})
    connection.execute(_SQL["write_intended_discoveries"], _discoveries(connection, tenant_id, "intended_segments")[1])
    _discover_latency(connection, tenant_id)
    return sum(stated["discoveries"])


def _discoveries(connection: psycopg.Connection, tenant_id: int, query: str) -> tuple[multiplicity.Flags, dict[str, Any]]:
    """Which of a tenant's segments are findings among all, as flags and as the statement that writes it wants it."""
    rows = connection.execute(_SQL[query], {"tenant_id": tenant_id}).fetchall()
    estimates = [
        Estimate(value, error, low, high, n, tasks, "", "", "identified", degrees=np.inf if degrees is None else degrees)
        for _, _, value, error, low, high, degrees, n, tasks, _ in rows
    ]
    flags = multiplicity.false_discovery(estimates, side="above")
    flagged = frozenset(flags.flagged)
    return flags, {
        "tenant_id": tenant_id, "comparisons": [row[0] for row in rows], "segments": [row[1] for row in rows],
        "discoveries": [place in flagged and row[2] >= row[9] for place, row in enumerate(rows)],
    }  # fmt: skip


def _discover_latency(connection: psycopg.Connection, tenant_id: int) -> None:
    """Quantiles of one set share their tasks and options their base, in either direction: any dependence is allowed for."""
    rows = connection.execute(_SQL["latency_effects"], {"tenant_id": tenant_id}).fetchall()
    estimates = [_found(value, low, high, n, tasks) for _, _, _, value, low, high, n, tasks in rows]
    flags = multiplicity.false_discovery(estimates, dependence="any")
    flagged = frozenset(flags.flagged)
    given = {
        "tenant_id": tenant_id, "comparisons": [row[0] for row in rows], "options": [row[1] for row in rows],
        "shares": [row[2] for row in rows], "discoveries": [place in flagged for place in range(len(rows))],
        "adjusted": [float(p) for p in flags.adjusted],
    }  # fmt: skip
    connection.execute(_SQL["write_latency_discoveries"], given)


def _found(value: float, low: float, high: float, n: int, tasks: int) -> Estimate:
    basis = Basis(n, tasks, "", "")
    return basis.found(value, (high - low) / 2, low, high)


# ── what siblings lend ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Sibling:
    """A segment as far as pooling needs it: `regret` in multiples of what is material in it."""

    comparison: int
    segment: int
    is_settled: bool
    regret: Estimate
    together: float
    materiality_usd: float


@dataclass(frozen=True, slots=True)
class Borrowed:
    """What a segment's regret is thought to be with its siblings', in USD: `own` the share of it that is its own, `segments` and
    `sets` what it was pooled with."""

    comparison: int
    segment: int
    usd: float
    low_usd: float
    high_usd: float
    own: float
    segments: int
    sets: int


def lend(connection: psycopg.Connection, tenant_id: int) -> int:
    """Say of each segment that has not enough evidence what its siblings lend it; answers of how many something could be said.

    Siblings are of one kind, one menu and one chosen option, over classes of tasks and value bands. Wants a transaction.
    """
    kin: dict[tuple[object, ...], list[Sibling]] = defaultdict(list)
    for row in connection.execute(_SQL["siblings"], {"tenant_id": tenant_id}).fetchall():
        kind, options, chosen, *rest = row
        kin[kind, tuple(options), chosen].append(_sibling(rest))
    made = [one for siblings in kin.values() for one in borrowed(siblings)]
    connection.execute(
        _SQL["write_borrowed"],
        {
            "tenant_id": tenant_id, "comparisons": [one.comparison for one in made], "segments": [one.segment for one in made],
            "usds": [one.usd for one in made], "low_usds": [one.low_usd for one in made],
            "high_usds": [one.high_usd for one in made], "owns": [one.own for one in made],
            "counts": [one.segments for one in made], "sets": [one.sets for one in made],
        },
    )  # fmt: skip
    return len(made)


def borrowed(siblings: Sequence[Sibling]) -> list[Borrowed]:
    """What those of the siblings that are not settled borrow from all. Pure.

    Regrets are compared in multiples of what is material in each set: classes of tasks are of very different sizes.
    """
    wanted = [place for place, one in enumerate(siblings) if not one.is_settled]
    if not wanted:
        return []
    pooled = pool_groups(
        [one.regret for one in siblings], [one.comparison for one in siblings], [one.together for one in siblings], wanted
    )
    if pooled is None:
        return []
    known = [one for one in siblings if one.regret.value is not None]
    counts = len(known), len({one.comparison for one in known})
    made: list[Borrowed] = []
    for place in wanted:
        one = siblings[place]
        value, _, low, high = (each * one.materiality_usd for each in pooled.estimates[place].numbers())
        own = min(max(float(pooled.weights[place]), 0.0), 1.0)
        made.append(Borrowed(one.comparison, one.segment, value, low, high, own, *counts))
    return made


def _sibling(row: Sequence[Any]) -> Sibling:
    comparison, segment, value, error, low, high, n, tasks, status, why, materiality_usd, together = row
    basis = Basis(n, tasks, "regret, as appraised", "these decisions")
    if value is None:
        regret = basis.nothing("not_enough_evidence", why or "it has no number")
    else:
        wide = (high - low) / 2 if error is None else error
        scaled, error, low, high = (number / materiality_usd for number in (value, wide, low, high))
        regret = basis.found(scaled, max(error, _ALIKE), low, high)
    return Sibling(comparison, segment, status == "appraised", regret, together, materiality_usd)
