"""The floor under every rate of ingestion: PostgreSQL's own COPY of the same spans into one plain, indexed table.

The rows are those of the load: ids, times, name and the span's own attributes as jsonb. They are written as lines of COPY
before the clock starts, so that nothing is measured but PostgreSQL: parsing, one index, the log and the commits.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import orjson
import psycopg

from bench.tables import machine_load
from collector.decode import decode_traces
from collector.record import Record
from ledger.copy_text import at

ROWS_PER_COMMIT = 500
_ROWS_MAX = 120_000
_ROUNDS = 2  # the better of two is the machine's, the other may be its neighbours'

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})  # PostgreSQL, COPY, "Text Format"
_TABLE = """
create table floor (
    trace_id bytea not null,
    span_id bytea not null,
    parent_span_id bytea,
    started_at timestamptz not null,
    ended_at timestamptz not null,
    name text not null,
    attributes jsonb not null
)
"""
_INDEX = "create unique index on floor (trace_id, span_id)"
_COPY = "copy floor (trace_id, span_id, parent_span_id, started_at, ended_at, name, attributes) from stdin"


@dataclass(frozen=True)
class Floor:
    """Rows a second that COPY stores, on one connection."""

    rows: int
    row_bytes: float
    """Mean length of a line, which is about what a row takes in the table."""
    single_per_s: float
    """One COPY, one commit."""
    batched_per_s: float
    """A COPY and a commit for every 500 rows."""
    machine_load: float = field(default_factory=machine_load)
    """Of the minute before this was made."""


def measure_floor(dsn: str, load: Sequence[bytes], rows_max: int = _ROWS_MAX) -> Floor:
    """Copy the load's spans, at most `rows_max`, in one piece and in commits of 500 rows; the better of two rounds each.

    The table is made for it and dropped. Raises ValueError for a load without spans.
    """
    lines = list(islice(_lines(load), rows_max))
    if not lines:
        raise ValueError("the load holds no spans: there is nothing to measure a floor with")
    batches = [b"".join(lines[first : first + ROWS_PER_COMMIT]) for first in range(0, len(lines), ROWS_PER_COMMIT)]
    single_s: list[float] = []
    batched_s: list[float] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for _ in range(_ROUNDS):
            single_s.append(_timed(connection, [batches], len(lines)))
            batched_s.append(_timed(connection, [[batch] for batch in batches], len(lines)))
    return Floor(
        rows=len(lines),
        row_bytes=sum(map(len, lines)) / len(lines),
        single_per_s=len(lines) / min(single_s),
        batched_per_s=len(lines) / min(batched_s),
    )


def copy_line(record: Record) -> bytes:
    """A span as a line of COPY."""
    parent = "\\N" if record.parent_span_id is None else f"\\\\x{record.parent_span_id.hex()}"
    times = f"{at(record.started_ns // 1000)}\t{at(record.ended_ns // 1000)}"
    attributes = orjson.dumps(record.attributes, default=str).decode()
    ids = f"\\\\x{record.trace_id.hex()}\t\\\\x{record.span_id.hex()}\t{parent}"
    return f"{ids}\t{times}\t{record.name.translate(_ESCAPES)}\t{attributes.translate(_ESCAPES)}\n".encode()


def _lines(load: Iterable[bytes]) -> Iterable[bytes]:
    for body in load:
        for record in decode_traces(body, "protobuf").records:
            yield copy_line(record)


def _timed(connection: psycopg.Connection, copies: Sequence[Sequence[bytes]], rows: int) -> float:
    """Seconds that these copies take, each with its commit, into a new table and from a checkpoint on."""
    connection.execute(_TABLE)
    connection.execute(_INDEX)
    connection.execute("checkpoint")
    try:
        began = time.perf_counter()
        for pieces in copies:
            with connection.cursor().copy(_COPY) as copy:
                for piece in pieces:
                    copy.write(piece)
        took = time.perf_counter() - began
        stored = connection.execute("select count(*) from floor").fetchone()
        if stored != (rows,):
            raise RuntimeError(f"COPY stored {stored} of {rows} rows: the floor is not to be trusted")
        return took
    finally:
        connection.execute("drop table floor")
