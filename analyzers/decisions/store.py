"""What is thought of decisions, back into the database: one binary COPY into a stage, then one statement for each month.

The stage has plain columns, so that the whole of it is an array of records of one shape that numpy writes (see `load`); the
statement that moves it on makes arrays of them, and NULL of what is not a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
from psycopg import sql

from analyzers.effects.estimate import Floats, Ints
from ledger.queries import queries

STATUSES = ("appraised", "not_enough_evidence", "not_identified")
"""What can be said of a decision, as the codes of `Appraised.status`."""

_SQL = queries("analyzers", "appraise")
_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
_TERMS = ("value", "cost", "latency", "risk", "net", "error")
_BLOCK_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Opinions:
    """Appraisals of n decisions with K options each, as they are stored.

    Shapes: `ids` (n,) of 16 bytes; `decided_us` (n,) microseconds since 2000; `terms` six of (n, K): V·Q, C, λ·L, ρ·R, net and
    its standard error against the chosen option's, USD, NaN where unknown; `best`, `segment`, `status` (n,), best −1 if unknown;
    `regret`, `low`, `high` (n,) USD, NaN where there is no number; `pull` (n,) its part in the error of sums.
    """

    ids: np.ndarray
    decided_us: Ints
    terms: tuple[Floats, Floats, Floats, Floats, Floats, Floats]
    best: Ints
    regret: Floats
    low: Floats
    high: Floats
    pull: Floats
    status: Ints
    segment: Ints


def store(connection: psycopg.Connection, tenant_id: int, comparison: int, run_id: int, opinions: Opinions) -> int:
    """Write the appraisals of a comparison in place of its former ones, within the caller's transaction; answers how many."""
    options = opinions.terms[0].shape[1]
    names = [f"{term}_{option}" for term in _TERMS for option in range(options)]
    connection.execute("drop table if exists appraisal_stage")
    connection.execute(
        sql.SQL(
            "create temp table appraisal_stage (decision_id uuid, decided_at timestamptz, segment bigint, best bigint,"
            " status bigint, regret float8, low float8, high float8, pull float8, {}) on commit drop"
        ).format(sql.SQL(", ").join(sql.SQL("{} float8").format(sql.Identifier(name)) for name in names))
    )
    with connection.cursor() as cursor, cursor.copy("copy appraisal_stage from stdin (format binary)") as copy:
        copy.write(_HEADER)
        for first in range(0, len(opinions.ids), _BLOCK_ROWS):
            copy.write(_records(opinions, slice(first, first + _BLOCK_ROWS), names))
        copy.write(_TRAILER)
    written = 0
    for (month,) in connection.execute(_SQL["months_staged"]).fetchall():
        of = {"tenant_id": tenant_id, "comparison": comparison, "run_id": run_id, "month": month}
        written += connection.execute(_upsert(options), of).rowcount
    return written


def _records(opinions: Opinions, rows: slice, names: Sequence[str]) -> bytes:
    """These rows as COPY's binary format has them: each field after its length."""
    columns: list[tuple[str, str, np.ndarray]] = [
        ("decision_id", "V16", opinions.ids[rows]),
        ("decided_at", ">i8", opinions.decided_us[rows]),
        ("segment", ">i8", opinions.segment[rows]),
        ("best", ">i8", opinions.best[rows]),
        ("status", ">i8", opinions.status[rows]),
        ("regret", ">f8", opinions.regret[rows]),
        ("low", ">f8", opinions.low[rows]),
        ("high", ">f8", opinions.high[rows]),
        ("pull", ">f8", opinions.pull[rows]),
        *(
            (name, ">f8", column)
            for name, column in zip(names, (c for term in opinions.terms for c in term[rows].T), strict=True)
        ),
    ]
    shape = [("fields", ">i2"), *(part for name, kind, _ in columns for part in ((f"{name}_length", ">i4"), (name, kind)))]
    made = np.empty(len(opinions.ids[rows]), dtype=np.dtype(shape))
    made["fields"] = len(columns)
    for name, kind, column in columns:
        made[f"{name}_length"] = np.dtype(kind).itemsize
        made[name] = column
    return made.tobytes()


def _upsert(options: int) -> sql.Composed:
    """Move a month of the stage on."""

    def array(term: str) -> sql.Composed:
        elements = (sql.SQL("nullif({}, 'NaN')").format(sql.Identifier(f"{term}_{option}")) for option in range(options))
        return sql.SQL("array[{}]").format(sql.SQL(", ").join(elements))

    return sql.SQL(
        """insert into pigou.appraisal as a
                  (tenant_id, decision_id, decided_at, comparison, segment, run_id, option_value, option_cost, option_latency,
                   option_risk, option_net, option_error, best, regret_usd, regret_low_usd, regret_high_usd, pull, status)
           select %(tenant_id)s, decision_id, decided_at, %(comparison)s, segment, %(run_id)s, {terms}, nullif(best, -1) + 1,
                  nullif(regret, 'NaN')::numeric, nullif(low, 'NaN')::numeric, nullif(high, 'NaN')::numeric, pull,
                  ({statuses}::text[])[status + 1]
             from appraisal_stage
            where decided_at >= %(month)s::timestamptz and decided_at < %(month)s::timestamptz + interval '1 month'
           on conflict (tenant_id, decision_id, decided_at) do update
              set comparison = excluded.comparison, segment = excluded.segment, run_id = excluded.run_id,
                  option_value = excluded.option_value, option_cost = excluded.option_cost,
                  option_latency = excluded.option_latency, option_risk = excluded.option_risk,
                  option_net = excluded.option_net, option_error = excluded.option_error, best = excluded.best,
                  regret_usd = excluded.regret_usd, regret_low_usd = excluded.regret_low_usd,
                  regret_high_usd = excluded.regret_high_usd, pull = excluded.pull, status = excluded.status"""
    ).format(terms=sql.SQL(", ").join(map(array, _TERMS)), statuses=sql.Literal(list(STATUSES)))
