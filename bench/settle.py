"""How long settling takes: traces of ten calls each, with classes, values, outcomes and risks, all at once and again.

usage: python -m bench settle [--tasks 100000]

The records and calls are made within the database; then `settle` is run as the clock runs it: first over all of them, then with
nothing new. CPU seconds are those of this process and of its backend together. Stops by itself.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import NamedTuple

import psutil
import psycopg

from analyzers.tasks import Settled, settle
from bench.collecting import new_books
from bench.server import serve
from bench.tables import machine, table
from ledger.database import connect
from ledger.queries import queries

_SQL = queries("bench", "settle")
_CHUNK = 10_000


class Took(NamedTuple):
    """What one run did, and its seconds."""

    what: str
    done: Settled
    seconds: float
    python_s: float
    server_s: float


def main() -> int:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench settle", description="Measures the settling of tasks.")
    parser.add_argument("--tasks", type=int, default=100_000, help="traces, of ten calls each")
    tasks: int = parser.parse_args().tasks
    print(machine(), flush=True)
    with serve() as server:
        dsn = new_books(server, "bench")
        with connect(dsn, "owner") as owner:
            _make(owner, tasks)
        with connect(dsn, "writer") as writer:
            runs = [_measure(writer, "all of them"), _measure(writer, "nothing new"), _measure(writer, "nothing new, again")]
            settled = writer.execute(_SQL["settled"]).fetchone()
    header = ("settled", "traces", "changed", "seconds", "CPU s", "of them Python", "of them PostgreSQL")
    rows = [
        (run.what, f"{run.done.traces:,}", f"{run.done.changed:,}", f"{run.seconds:.2f}", f"{run.python_s + run.server_s:.2f}",
         f"{run.python_s:.2f}", f"{run.server_s:.2f}")
        for run in runs
    ]  # fmt: skip
    print(table(header, rows))
    print("tasks, with quality, with an entry, calls:", settled)
    return 0


def _make(owner: psycopg.Connection, tasks: int) -> None:
    owner.execute(_SQL["tenant"])
    owner.execute(_SQL["policy"])
    for first in range(0, tasks, _CHUNK):
        chunk = {"first": first, "last": min(first + _CHUNK, tasks) - 1}
        owner.execute(_SQL["traces"], chunk)
        owner.execute(_SQL["calls"], chunk)
    owner.execute("vacuum analyze")


def _measure(writer: psycopg.Connection, what: str) -> Took:
    backend, own = psutil.Process(writer.info.backend_pid), psutil.Process(os.getpid())
    before, own_before, began = sum(backend.cpu_times()[:2]), sum(own.cpu_times()[:2]), time.perf_counter()
    done = settle(writer)
    return Took(
        what, done, time.perf_counter() - began, sum(own.cpu_times()[:2]) - own_before, sum(backend.cpu_times()[:2]) - before
    )
