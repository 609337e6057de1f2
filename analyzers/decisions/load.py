"""Decisions with their tasks' outcomes, out of the database into arrays.

COPY in its binary format, of columns of fixed width only, is an array of records of one shape: numpy reads it where it lies, at
the speed of memory. So every column is a float8 (NaN where unknown: nothing here is money that is booked), an int8 or a uuid.
Source: PostgreSQL's documentation of COPY, "Binary Format".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

import numpy as np
import psycopg
from psycopg import sql
from scipy import stats

from analyzers.attribution.choices import Assignment, Choices
from analyzers.effects.estimate import Bools, Floats, InputError, Ints

UNMOVED: dict[str, tuple[str, ...]] = {"cache": ("quality", "risk")}
"""By kind, the terms of eq. 1 that no option can move: a prefix that the provider has cached gives the same answer."""

_HEADER_BYTES = 19  # signature, flags and the length of no extension
_TRAILER_BYTES = 2
_UNKNOWN = sql.SQL("'NaN'::float8")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Decisions of one tenant that are compared with each other: one kind, class of tasks, menu, context and assignment."""

    tenant_id: int
    comparison: int
    layer: str
    kind: str
    task_class: str | None
    options: tuple[str, ...]
    feature_names: tuple[str, ...]
    assignment: Assignment
    decisions: int
    has_menu: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Decisions as arrays, and which they are. Shapes: ids (n,) of 16 bytes; `task_keys` (n,), a hash of the task, the same in
    every comparison; decided_us (n,) microseconds since 2000, as PostgreSQL counts; `is_comparable_only` (n,): there to compare
    others with, since nothing says that it had a choice."""

    choices: Choices
    ids: np.ndarray
    task_keys: Ints
    decided_us: Ints
    is_comparable_only: Bools


def load(connection: psycopg.Connection, comparison: Comparison, since: datetime, until: datetime) -> Loaded:
    """The decisions of a comparison made in a period, in a fixed order, each with its task's outcome.

    A feature that is unknown of some decisions is given its mean there, and a further feature says where; one that is unknown of
    all is left out. Takes 200 bytes a decision while it reads.
    """
    k, d = len(comparison.options), len(comparison.feature_names)
    names = [*_COLUMNS, *(f"propensity_{i}" for i in range(k if comparison.has_menu else 0)), *(f"feature_{i}" for i in range(d))]
    kinds = [_TYPES.get(name, ">f8") for name in names]
    record = np.dtype([("fields", ">i2"), *((part, kind) for name, of in zip(names, kinds, strict=True)
                                            for part, kind in ((f"{name}_length", ">i4"), (name, of)))])  # fmt: skip
    raw = _copy_out(connection, _query(comparison, k, d), since, until)
    count, rest = divmod(len(raw) - _HEADER_BYTES - _TRAILER_BYTES, record.itemsize)
    if rest:
        raise InputError(f"the database answered {len(raw)} bytes, which are no whole records of {record.itemsize}")
    read = np.frombuffer(raw, dtype=record, count=count, offset=_HEADER_BYTES)
    if count and not all((read[f"{name}_length"] == np.dtype(of).itemsize).all() for name, of in zip(names, kinds, strict=True)):
        raise InputError("the database answered columns of other lengths than were asked for")
    order = np.argsort(read["id"], kind="stable")
    return _arrays(read[order], comparison, k, d)


_TYPES = {"id": "V16", "decided_us": ">i8", "task": "V8", "chosen": ">i8", "comparable_only": ">i8"}
_COLUMNS = (
    "id", "decided_us", "task", "chosen", "comparable_only", "quality", "cost_usd", "own_cost_usd", "latency_s", "risk_usd",
    "loss_usd", "v_usd", "lam", "rho", "propensity",
)  # fmt: skip


def _query(comparison: Comparison, k: int, d: int) -> sql.Composed:
    """The statement that copies a comparison out: columns of fixed width, those of `_COLUMNS`, then one for each element."""
    elements = [sql.SQL("coalesce(d.propensities[{}], {})").format(sql.Literal(i + 1), _UNKNOWN) for i in range(k)]
    features = [sql.SQL("coalesce(d.features[{}], {})").format(sql.Literal(i + 1), _UNKNOWN) for i in range(d)]
    more = [*(elements if comparison.has_menu else []), *features]
    return sql.SQL(
        """copy (select d.decision_id, (extract(epoch from d.decided_at) * 1000000)::bigint - 946684800000000,
                        hashtextextended(encode(d.trace_id, 'hex'), 0), d.chosen::bigint - 1,
                        (d.provenance ? 'availability')::integer::bigint,
                        coalesce(t.quality, {unknown}), coalesce(t.cost_usd::float8, {unknown}),
                        coalesce(d.own_cost_usd::float8, {unknown}), coalesce(t.latency_s, {unknown}),
                        coalesce(t.risk_usd::float8, {unknown}), t.loss_usd::float8,
                        coalesce(t.value_usd::float8, {unknown}), coalesce(t.lambda_usd_per_s::float8, {unknown}),
                        coalesce(t.rho::float8, {unknown}), coalesce(d.propensity, {unknown}){more}
                   from pigou.decision d
                   join pigou.task t on t.tenant_id = d.tenant_id and t.trace_id = d.trace_id
                  where d.tenant_id = {tenant_id} and d.comparison = {comparison}
                    and d.decided_at >= {since} and d.decided_at < {until}) to stdout (format binary)"""
    ).format(
        unknown=_UNKNOWN, tenant_id=sql.Literal(comparison.tenant_id), comparison=sql.Literal(comparison.comparison),
        since=sql.Placeholder("since"), until=sql.Placeholder("until"),
        more=sql.SQL("").join(sql.SQL(", ") + element for element in more),
    )  # fmt: skip


def _copy_out(connection: psycopg.Connection, query: sql.Composed, since: datetime, until: datetime) -> bytearray:
    read = bytearray()
    with (
        psycopg.ClientCursor(connection) as cursor,
        cursor.copy(cursor.mogrify(query, {"since": since, "until": until}).encode()) as copy,
    ):
        for block in copy:
            read += block
    return read


def _arrays(read: np.ndarray, comparison: Comparison, k: int, d: int) -> Loaded:
    def floats(name: str) -> Floats:
        return read[name].astype(np.float64)

    features = np.column_stack([floats(f"feature_{i}") for i in range(d)]) if d else np.zeros((len(read), 0))
    told, names = complete(features, comparison.feature_names)
    menu = np.column_stack([floats(f"propensity_{i}") for i in range(k)]) if comparison.has_menu else None
    decided_us = read["decided_us"].astype(np.int64)
    keys = np.ascontiguousarray(read["task"]).view(np.int64)
    tasks = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    chosen = read["chosen"].astype(np.int64)
    loss = loss_borne(floats("risk_usd"), floats("loss_usd"), chosen if comparison.kind == "confirm" else None)
    choices = Choices(
        options=comparison.options,
        chosen=chosen,
        tasks=tasks,
        decided_at=decided_us / 1e6 + _EPOCH_S,
        quality=floats("quality"),
        cost_usd=floats("cost_usd"),
        own_cost_usd=floats("own_cost_usd"),
        latency_s=floats("latency_s"),
        loss_usd=loss,
        v_usd=floats("v_usd"),
        lam=floats("lam"),
        rho=floats("rho"),
        propensity=floats("propensity"),
        menu=menu,
        assignment=comparison.assignment,
        features=told,
        feature_names=names,
        unmoved=UNMOVED.get(comparison.kind, ()),
    )
    return Loaded(choices, read["id"].copy(), keys, decided_us, read["comparable_only"].astype(bool))


def loss_borne(expected: Floats, realised: Floats, confirmed: Ints | None = None) -> Floats:
    """Loss borne by each task: expected where actions of this kind of task state it, else realised; unknown if nobody tells.

    Shapes: (n,). `confirmed`: how the action was confirmed, a code, where it is asked what confirming prevents. An expected loss
    that is stated alike however the action was confirmed is the action's own, and by it nobody would ever be worth asking; then
    what was realised tells.
    """
    known = ~np.isnan(expected)
    if (expected[known] > 0).any():
        if confirmed is None or _differs(expected[known], confirmed[known]):
            return np.where(known, expected, realised)
        known = np.zeros(len(expected), dtype=np.bool_)
    return realised if known.any() or (realised > 0).any() else np.full(len(expected), np.nan)


def _differs(expected: Floats, confirmed: Ints) -> bool:
    """Whether expected losses are others with another confirmation, beyond chance (Kruskal & Wallis 1952)."""
    apart = [expected[confirmed == code] for code in np.unique(confirmed)]
    return len(apart) > 1 and float(np.ptp(expected)) > 0 and float(stats.kruskal(*apart).pvalue) < _ALIKE


_ALIKE = 0.01
_EPOCH_S = 946_684_800.0
"""2000-01-01 in seconds since 1970: PostgreSQL's own epoch."""


def complete(features: Floats, names: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    """Features without gaps: means where unknown and an indicator of it; without what nobody knows, or is the same for all."""
    columns: list[Floats] = []
    told: list[str] = []
    for column, name in zip(features.T, names, strict=True):
        unknown = np.isnan(column)
        if unknown.all():
            continue
        filled: Floats = column.copy()
        filled[unknown] = column[~unknown].mean()
        for values, label in ((filled, name), (unknown.astype(np.float64), f"{name} unknown")):
            if len(values) and values.min() < values.max():
                columns.append(values)
                told.append(label)
    matrix = np.column_stack(columns) if columns else np.zeros((len(features), 0))
    return np.asarray(matrix, dtype=np.float64), tuple(told)


def comparison_of(tenant_id: int, row: tuple[object, ...]) -> Comparison:
    """A comparison from a row of the statement `comparisons`."""
    number, layer, kind, task_class, options, names, assignment, decisions, has_menu, fingerprint = row[:10]
    return Comparison(
        tenant_id, cast(int, number), cast(str, layer), cast(str, kind), cast("str | None", task_class),
        tuple(cast("list[str]", options)), tuple(cast("list[str]", names)), cast(Assignment, assignment), cast(int, decisions),
        cast(bool, has_menu), cast(str, fingerprint),
    )  # fmt: skip
