"""What the appraisal left of a tenant's decisions of one kind, read once for a look: segments, counts over time, options'
means."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import psycopg
from psycopg.rows import dict_row

from analyzers.modes.look import Example, Json, Window
from analyzers.modes.standing_regret import Flow, Part, Standing, standing
from ledger.queries import queries

SQL = queries("analyzers", "modes")

_BIN_S = 3600.0
_BINS_MAX = 600


@dataclass(frozen=True, slots=True)
class Means:
    """What one option is thought to bring and take on average over `n` decisions; USD but for quality, None where unknown."""

    option: str
    n: int
    quality: float | None
    cost_usd: float | None
    latency_usd: float | None
    risk_usd: float | None
    net_usd: float | None
    v_usd: float | None


@dataclass(frozen=True, slots=True)
class Appraised:
    """One tenant's decisions of some kinds. `means` and `costs` by comparison, segment and option; see `sql/modes.sql`."""

    tenant_id: int
    tenant: str
    window: Window
    bin_s: float
    parts: tuple[Part, ...]
    flows: dict[int, Flow]
    means: dict[tuple[int, int], tuple[Means, ...]]
    costs: dict[tuple[int, str], float]

    def subjects(self, part: Part) -> tuple[str, ...]:
        """What a segment's decisions in the window were about; ("",) where they are told apart by nothing."""
        flow = self.flows.get(part.comparison)
        if flow is None:
            return ()
        codes: list[int] = np.unique(flow.subject[flow.segment == part.segment]).tolist()
        return tuple(flow.subjects[code] for code in codes)

    def standing(self, parts: Sequence[Part], subject: str | None = None) -> Standing:
        """What the place of these segments lost."""
        return standing(parts, self.parts, self.flows, self.window, self.bin_s, subject)

    def mean_cost(self, part: Part, option: str) -> float | None:
        """What a task costs with an option: as appraised in the segment, else on average where it was taken; None if nobody
        knows."""
        for means in self.means.get((part.comparison, part.segment), ()):
            if means.option == option and means.cost_usd is not None:
                return means.cost_usd
        return self.costs.get((part.comparison, option))

    def means_of(self, parts: Sequence[Part]) -> tuple[Means, ...]:
        """Each option's means over the decisions of several segments, weighted by how many they are; by name."""
        rows: dict[str, list[Means]] = defaultdict(list)
        for part in parts:
            for means in self.means.get((part.comparison, part.segment), ()):
                rows[means.option].append(means)
        return tuple(_joined(option, rows[option]) for option in sorted(rows))


def read(connection: psycopg.Connection, tenant_id: int, window: Window, kinds: Sequence[str]) -> Appraised:
    """What the store has of these kinds of decision. Hours are told apart, or a six-hundredth of the window where that is
    longer."""
    span_s = (window.until - window.since).total_seconds()
    bin_s = max(_BIN_S, span_s / _BINS_MAX)
    of: dict[str, object] = {
        "tenant_id": tenant_id, "kinds": list(kinds), "since": window.since, "until": window.until, "bin_s": bin_s,
    }  # fmt: skip
    name = connection.execute(SQL["tenant_of"], of).fetchone()
    with connection.cursor(row_factory=dict_row) as cursor:
        parts = tuple(_part(row) for row in cursor.execute(SQL["segments_of_kinds"], of))
    options: dict[int, tuple[str, ...]] = {part.comparison: part.options for part in parts}
    means: dict[tuple[int, int], list[Means]] = defaultdict(list)
    for comparison, segment, place, *numbers in connection.execute(SQL["option_means"], of):
        if comparison in options:
            option = str(options[int(comparison)][int(place)])
            means[comparison, segment].append(Means(option, *numbers))
    costs: dict[tuple[int, str], float] = {
        (comparison, options[comparison][place]): cost
        for comparison, place, cost in connection.execute(SQL["option_costs"], of)
        if cost is not None and comparison in options
    }
    flows = _flows(connection.execute(SQL["flow_of_kinds"], of).fetchall())
    return Appraised(
        tenant_id, "" if name is None else name[0], window, bin_s, parts, flows, {k: tuple(v) for k, v in means.items()}, costs
    )


def dearest(connection: psycopg.Connection, of: Appraised, place: Standing, subject: str | None = None) -> tuple[Example, ...]:
    """The five decisions of a place since its onset that lost most."""
    wanted = {
        "tenant_id": of.tenant_id, "since": place.since, "until": place.until, "subject": subject,
        "comparisons": [part.comparison for part in place.counted], "segments": [part.segment for part in place.counted],
    }  # fmt: skip
    rows = connection.execute(SQL["dearest_decisions"], wanted).fetchall()
    return tuple(Example(trace, usd, decision, span) for trace, span, decision, usd in rows)


def decided(connection: psycopg.Connection, tenant_id: int, examples: Sequence[Example], kind: str) -> tuple[Example, ...]:
    """The same cases with the decision of a kind that brought them about: of their trace the one at their span, else the last
    before it, else the first; as they were where the trace has none."""
    wanted = {
        "tenant_id": tenant_id, "kind": kind, "traces": [bytes.fromhex(one.trace_id) for one in examples],
        "spans": [bytes.fromhex(one.span_id or "") for one in examples],
    }  # fmt: skip
    known: dict[str, str] = dict(connection.execute(SQL["decisions_behind"], wanted).fetchall()) if examples else {}
    return tuple(replace(one, decision_id=one.decision_id or known.get(one.trace_id)) for one in examples)


def needs(place: Standing) -> dict[str, Json]:
    """What would settle a place that could not be judged: outcomes, or a share of random choices, whichever is known."""
    outcomes = [part.needs_outcomes for part in place.parts if part.needs_outcomes is not None]
    exploration = [part.needs_exploration for part in place.parts if part.needs_exploration is not None]
    return {"outcomes": max(outcomes, default=None), "exploration": max(exploration, default=None)}


_INTENDED = (
    "best", "n", "tasks", "regret_usd", "changes", "change_errors", "downstream_usd", "downstream_low_usd", "downstream_high_usd",
    "materiality_usd", "status", "why", "needs_outcomes", "needs_exploration", "told_usd",
)  # fmt: skip


def _part(row: dict[str, Any]) -> Part:
    """A segment from a row of `segments_of_kinds`, whose columns are named as the fields are; without what was chosen to learn,
    where some of it was."""
    intended = row.pop("intended")
    row.update(everything=(row["n"], row["regret_usd"], row["high_usd"]))
    if intended is not None:
        row.update({name: intended[name] for name in _INTENDED})
        row.update(low_usd=intended["regret_low_usd"], high_usd=intended["regret_high_usd"])
    limits = tuple(row.pop(name) for name in ("downstream_usd", "downstream_low_usd", "downstream_high_usd"))
    row.update(options=tuple(row["options"]), downstream=None if None in limits else limits)
    return Part(**row)


def _flows(rows: Sequence[Sequence[Any]]) -> dict[int, Flow]:
    by_comparison: dict[int, list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        by_comparison[row[0]].append(row[1:])
    found: dict[int, Flow] = {}
    for comparison, kept in by_comparison.items():
        segment, subject, best, explored, time, n, usd, first_s = zip(*kept, strict=True)
        subjects = tuple(sorted(set(subject)))
        found[comparison] = Flow(
            np.array(segment, dtype=np.int64),
            np.array([subjects.index(one) for one in subject], dtype=np.int64),
            np.array(best, dtype=np.int64),
            np.array(explored, dtype=np.bool_),
            np.array(time, dtype=np.int64),
            np.array(n, dtype=np.float64),
            np.array([math.nan if one is None else one for one in usd], dtype=np.float64),
            np.array(first_s, dtype=np.float64),
            subjects,
        )
    return found


def _joined(option: str, rows: Sequence[Means]) -> Means:
    def mean(name: str) -> float | None:
        known = [(float(getattr(row, name)), row.n) for row in rows if getattr(row, name) is not None]
        total = sum(n for _, n in known)
        return sum(value * n for value, n in known) / total if total else None

    numbers = (mean(name) for name in ("quality", "cost_usd", "latency_usd", "risk_usd", "net_usd", "v_usd"))
    return Means(option, sum(row.n for row in rows), *numbers)
