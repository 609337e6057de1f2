"""What the books tell of an engine: its spans over all tenants it served, as arrays, and its own metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import psycopg

from analyzers.effects.estimate import Bools, Floats
from analyzers.modes.congestion.timeline import Served
from analyzers.modes.look import Window
from analyzers.tasks.rules import judges_of
from ledger.price_vector import EVERY
from ledger.queries import queries

_SQL = queries("analyzers", "congestion")
REQUESTS_MAX = 300_000
"""Of a tenant on an engine, the latest so many are read."""


class Group(NamedTuple):
    """Whose requests, and of which class of tasks."""

    tenant_id: int
    tenant: str
    task_class: str


@dataclass(frozen=True, slots=True)
class Seen:
    """An engine's requests in a window. `groups` are what `served.group` codes; the other arrays (n,) go with `served`.

    `trace_id` and `span_id` are hexadecimal. `batch` is what the engine itself says of how many it served at once (NaN:
    nothing), `output_tokens`, `proposed` and `accepted` of decoding. `deadline_s` by group, None where nobody states one.
    `left_out`: requests that do not tell what is needed. `is_cut`: that there were more than are read.
    """

    engine: str
    served: Served
    groups: tuple[Group, ...]
    trace_id: tuple[str, ...]
    span_id: tuple[str, ...]
    batch: Floats
    context_tokens: Floats
    output_tokens: Floats
    proposed: Floats
    accepted: Floats
    deadline_s: tuple[float | None, ...]
    left_out: int
    is_cut: bool

    def of(self, tenant_id: int, task_class: str) -> Bools:
        """The mask of a tenant's requests of one class."""
        codes = [k for k, group in enumerate(self.groups) if (group.tenant_id, group.task_class) == (tenant_id, task_class)]
        return np.isin(self.served.group, codes)


@dataclass(frozen=True, slots=True)
class Pressure:
    """What an engine's own metrics say: mean requests waiting, the share of KV in use that is exceeded in one observation of
    twenty, and the share of prompt tokens that its prefix cache held; None where that metric is not sent."""

    engine: str
    points: int
    waiting: float | None
    kv_share: float | None
    held_share: float | None


class Service(NamedTuple):
    """That an engine served a tenant: when its first and its last request came, and when the last of them was recorded."""

    engine: str
    first_at: datetime
    last_at: datetime
    recorded_at: datetime


def engines_of(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Service]:
    """The engines that served a tenant and said how."""
    given = {"tenant_id": tenant_id, "since": window.since, "until": window.until}
    return [Service(*row) for row in connection.execute(_SQL["engines_of"], given).fetchall()]


def tenants(connection: psycopg.Connection) -> list[tuple[int, str]]:
    """All tenants, by id and name."""
    return [(tenant_id, tenant) for tenant_id, tenant in connection.execute(_SQL["tenants_served"]).fetchall()]


def read(connection: psycopg.Connection, engine: str, window: Window) -> Seen:
    """Everything an engine says that it served in a window, of all tenants, in order of arrival."""
    rows: list[tuple[Group, tuple[Any, ...]]] = []
    is_cut = False
    for tenant_id, tenant in tenants(connection):
        given = {"tenant_id": tenant_id, "since": window.since, "until": window.until, "engine": engine, "limit": REQUESTS_MAX}
        found = connection.execute(_SQL["served"], given).fetchall()
        is_cut |= len(found) >= REQUESTS_MAX
        lambdas = _Lambdas(connection, tenant_id) if found else None
        for row in found:
            lam = row[14]
            if lam is None and lambdas is not None:
                lam = lambdas.of(row[2], row[3], is_settled=row[16])
            rows.append((Group(tenant_id, tenant, row[2]), (*row[:14], lam, row[15])))
    rows.sort(key=lambda row: (row[1][3], row[1][0], row[1][1]))
    return _arrays(engine, rows, is_cut=is_cut)


def pressure(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Pressure]:
    """What metrics of engines say, by engine and model."""
    given = {"tenant_id": tenant_id, "since": window.since, "until": window.until}
    points: dict[str, int] = {}
    told: dict[str, dict[str, float | None]] = {}
    for engine, model, tells, count, mean, high, grown in connection.execute(_SQL["pressure"], given).fetchall():
        key = " ".join(word for word in (model, engine) if word)
        points[key] = points.get(key, 0) + count
        told.setdefault(key, {})[tells] = {"kv_share": high, "held": grown, "looked_up": grown}.get(tells, mean)
    return [Pressure(key, points[key], of.get("waiting"), of.get("kv_share"), _held_share(of)) for key, of in told.items()]


def _held_share(told: Mapping[str, float | None]) -> float | None:
    """The share of prompt tokens that an engine's prefix cache held: by its counters in the window, else as it says itself."""
    held, looked_up = told.get("held"), told.get("looked_up")
    return held / looked_up if held is not None and looked_up else told.get("held_share")


def _arrays(engine: str, rows: Sequence[tuple[Group, tuple[Any, ...]]], *, is_cut: bool) -> Seen:
    told = [(group, row) for group, row in rows if row[7] is not None and row[11] is not None]
    groups = tuple(sorted({group for group, _ in told}))
    code = {group: k for k, group in enumerate(groups)}
    deadlines: dict[int, float] = {}
    traces: dict[bytes, int] = {}
    numbers = np.array([[np.nan if x is None else x for x in row[3:15]] for _, row in told], dtype=np.float64).reshape(-1, 12)
    chain = [traces.setdefault(row[0], len(traces)) for _, row in told]
    for group, row in told:
        if row[15] is not None:
            deadlines[code[group]] = min(row[15], deadlines.get(code[group], row[15]))
    at, queue, prefill, decode, kv, batch, fresh, context, output, proposed, accepted, lam = numbers.T
    steps = np.maximum(output - np.nan_to_num(accepted), 1.0)
    served = Served(
        at, queue, prefill, decode, fresh, steps, kv, lam, np.array([code[group] for group, _ in told], dtype=np.int64),
        np.array(chain, dtype=np.int64),
    )  # fmt: skip
    trace_id, span_id = (tuple(row[place].hex() for _, row in told) for place in (0, 1))
    return Seen(
        engine, served, groups, trace_id, span_id, batch, context, output, np.nan_to_num(proposed), np.nan_to_num(accepted),
        tuple(deadlines.get(k) for k in range(len(groups))), len(rows) - len(told), is_cut,
    )  # fmt: skip


class _Lambdas:
    """λ of a tenant's requests whose task has none: what policy states, where the task is not settled yet, else the dual of an
    SLA that holds now.

    What a task was settled with stands before a dual. It is what decisions are appraised at, and dollars of one place mean what
    those of another do; a dual is of the best allocation and not of how it was, and it moves whenever prices are solved: what the
    same delays were worth would be told differently from one look to the next.
    """

    def __init__(self, connection: psycopg.Connection, tenant_id: int) -> None:
        self._book = judges_of(connection, tenant_id).book
        rows = connection.execute(_SQL["solved_lambdas"], {"tenant_id": tenant_id}).fetchall()
        self._solved: dict[str, float] = dict(rows)

    def of(self, task_class: str, at_s: float, *, is_settled: bool) -> float | None:
        """USD per second of requests of a class that came at a time; None where nothing is stated and no limit is."""
        if not is_settled:
            stated = self._book.prices_of(task_class or None, datetime.fromtimestamp(at_s, UTC)).lambda_usd_per_s
            if stated is not None:
                return float(stated)
        matching = [
            pattern
            for pattern in self._solved
            if pattern == task_class or (pattern.endswith(EVERY) and task_class.startswith(pattern.removesuffix(EVERY)))
        ]
        return self._solved[max(matching, key=len)] if matching else None
