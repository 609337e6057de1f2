"""How long appraising takes: decisions out of the database, estimates, and what is thought of each back into it.

usage: python -m bench appraisal [--decisions 1000000] [--tenants 3] [--classes 8] [--write]

The decisions are made set-based, three for each task; they are appraised once from nothing, once after nothing has changed, and
once after the outcomes of one class have. Memory is this process's and its database backend's at their largest.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

import psutil
import psycopg

from analyzers import appraise as line
from analyzers.appraise import BEGINNING, END, Done
from analyzers.decisions.load import Comparison, load
from analyzers.decisions.store import Opinions, store
from bench.collecting import new_books
from bench.server import serve
from bench.tables import PERFORMANCE, machine, replace_section, table
from ledger.database import connect
from ledger.post import open_tenants
from ledger.queries import queries

SECTION = "bench-appraisal"
_KINDS = 3
_SQL = queries("bench", "appraisal")


class Measured(NamedTuple):
    """One run of the line over what is there. `load_s` and `store_s` are of `took_s`."""

    what: str
    done: Done
    took_s: float
    load_s: float
    store_s: float
    cpu_s: float
    peak_mb: float


def main() -> int:
    """Measure and print one table."""
    arguments = _arguments()
    where = machine()
    with serve() as server:
        dsn = new_books(server, "bench")
        _fill(dsn, arguments.decisions, arguments.tenants, arguments.classes)
        with connect(dsn, "writer") as writer:
            measured = [_measure(writer, "all of them, the first time"), _measure(writer, "again, nothing changed")]
        with connect(dsn, "owner") as owner:
            owner.execute("update pigou.task set quality = 1 - quality, settled_at = now() where tenant_id = 1 and task_class = 'class-1'")
        with connect(dsn, "writer") as writer:
            measured.append(_measure(writer, "again, outcomes of one class changed"))
    text = _table(measured)
    print(text, flush=True)
    if arguments.write:
        replace_section(PERFORMANCE, SECTION, f"{where}\n\n{text}")
    return 0


def _fill(dsn: str, decisions: int, tenants: int, classes: int) -> None:
    with connect(dsn, "owner") as owner:
        for month in range(3):
            owner.execute("select pigou.ensure_month((now() - make_interval(months => %s))::date)", (month,))
        ids = open_tenants(owner, [f"tenant-{number}" for number in range(tenants)])
        owner.execute("select setseed(0.5)")
        for tenant_id in sorted(ids.values()):
            of = {"tenant_id": tenant_id, "tasks": -(-decisions // (_KINDS * tenants)), "classes": classes}
            owner.execute(_SQL["make_tasks"], of)
            owner.execute(_SQL["make_decisions"], of)
        owner.execute("vacuum analyze")
        print(f"{decisions:,} decisions are made", flush=True)


def _measure(connection: psycopg.Connection, what: str) -> Measured:
    spent = {"load": 0.0, "store": 0.0}

    def timed_load(to: psycopg.Connection, comparison: Comparison, since: datetime, until: datetime) -> object:
        began = time.perf_counter()
        loaded = load(to, comparison, since, until)
        spent["load"] += time.perf_counter() - began
        return loaded

    def timed_store(to: psycopg.Connection, tenant_id: int, comparison: int, run_id: int, opinions: Opinions) -> int:
        began = time.perf_counter()
        written = store(to, tenant_id, comparison, run_id, opinions)
        spent["store"] += time.perf_counter() - began
        return written

    before = time.process_time()
    with _peak_mb(connection.info.backend_pid) as peak, _instead(load=timed_load, store=timed_store):
        began = time.perf_counter()
        done = line.attribute(connection, BEGINNING, END, 0, lambda _step, _done, _total: None)
        took = time.perf_counter() - began
    return Measured(what, done, took, spent["load"], spent["store"], time.process_time() - before, peak[0])


@contextmanager
def _instead(**functions: object) -> Generator[None]:
    """The line with other functions of these names, for the length of the block."""
    former = {name: getattr(line, name) for name in functions}
    for name, function in functions.items():
        setattr(line, name, function)
    try:
        yield
    finally:
        for name, function in former.items():
            setattr(line, name, function)


@contextmanager
def _peak_mb(backend_pid: int) -> Generator[list[float]]:
    """The most that this process and the backend held together, sampled; pages of the server's shared memory are left out."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        own, backend = psutil.Process(), psutil.Process(backend_pid)
        while not ended.wait(0.05):
            of = backend.memory_info()
            peak[0] = max(peak[0], (own.memory_info().rss + of.rss - of.shared) / 1e6)

    watcher = threading.Thread(target=watch, name="peak")
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def _table(measured: list[Measured]) -> str:
    header = ("appraised", "decisions", "comparisons", "s", "of which loading", "storing", "CPU s of Python", "MB at most")
    rows = [
        (
            each.what,
            f"{each.done.appraised:,}",
            f"{each.done.comparisons:,}",
            f"{each.took_s:.1f}",
            f"{each.load_s:.1f}",
            f"{each.store_s:.1f}",
            f"{each.cpu_s:.1f}",
            f"{each.peak_mb:,.0f}",
        )
        for each in measured
    ]
    return table(header, rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench appraisal", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--tenants", type=int, default=3)
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
