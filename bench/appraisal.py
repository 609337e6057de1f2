"""How long appraising takes: decisions out of the database, estimates, and what is thought of each back into it.

usage: python -m bench appraisal [--decisions 1000000] [--tenants 3] [--classes 8] [--write]

The decisions are made set-based, three for each task. They are loaded and stored alone, then appraised once from nothing, once
after nothing has changed, and once after the outcomes of one class have. Memory is that of all our processes, PostgreSQL's apart.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import psutil
import psycopg

from analyzers.apart import address_of
from analyzers.appraise import BEGINNING, END, attribute
from analyzers.decisions.load import Comparison, comparison_of, load
from analyzers.decisions.store import Opinions, store
from bench.collecting import new_books, server_cpu_s
from bench.server import serve
from bench.tables import PERFORMANCE, machine, replace_section, table
from ledger.database import connect
from ledger.post import open_tenants
from ledger.queries import queries

SECTION = "bench-appraisal"
_KINDS = 3
_SQL = queries("bench", "appraisal")
_APPRAISE = queries("analyzers", "appraise")


class Measured(NamedTuple):
    """One run over what is there."""

    what: str
    decisions: int
    comparisons: int
    took_s: float
    cpu_s: float
    """Of all our processes and of the database server: what it costs, however busy the machine is otherwise."""
    peak_mb: float


def main() -> int:
    """Measure and print one table."""
    arguments = _arguments()
    where = machine()
    with serve() as server:
        dsn = new_books(server, "bench")
        _fill(dsn, arguments.decisions, arguments.tenants, arguments.classes)
        with connect(dsn, "writer") as writer:
            measured = [_loading(writer), _storing(writer)]
            measured += [_line(writer, "the whole line, the first time"), _line(writer, "again, nothing changed")]
        with connect(dsn, "owner") as owner:
            owner.execute(
                "update pigou.task set quality = 1 - quality, settled_at = now() where tenant_id = 1 and task_class = 'class-0'"
            )
        with connect(dsn, "writer") as writer:
            measured.append(_line(writer, "again, outcomes of one class changed"))
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


def _comparisons(connection: psycopg.Connection) -> list[Comparison]:
    every = {"since": BEGINNING, "until": END}
    return [
        comparison_of(tenant_id, row)
        for tenant_id, _ in connection.execute(_APPRAISE["tenants_with_decisions"]).fetchall()
        for row in connection.execute(_APPRAISE["comparisons"], {"tenant_id": tenant_id, **every}).fetchall()
    ]


def _loading(connection: psycopg.Connection) -> Measured:
    """All decisions as arrays, one comparison after the other."""
    with _watched() as seen:
        began, cpu = time.perf_counter(), _cpu_s(connection, seen)
        found = _comparisons(connection)
        decisions = sum(len(load(connection, each, BEGINNING, END).choices) for each in found)
        took = time.perf_counter() - began
    return Measured("loading alone", decisions, len(found), took, _cpu_s(connection, seen) - cpu, seen.peak_mb)


def _storing(connection: psycopg.Connection) -> Measured:
    """An appraisal of each decision, taken back afterwards; what they say is the same for all, which costs as much."""
    took, spent, decisions, found = 0.0, 0.0, 0, _comparisons(connection)
    with _watched() as seen, connection.transaction(force_rollback=True):
        for each in found:
            loaded = load(connection, each, BEGINNING, END)
            n, options = len(loaded.choices), len(each.options)
            term, nothing, number = np.random.default_rng(0).random((n, options)), np.zeros(n, dtype=np.int64), np.ones(n)
            terms = (term, term, term, term, term, term)
            numbers = (number, number, number, number)
            opinions = Opinions(loaded.ids, loaded.decided_us, terms, nothing, *numbers, nothing, nothing)
            began, cpu = time.perf_counter(), _cpu_s(connection, seen)
            decisions += store(connection, each.tenant_id, each.comparison, 0, opinions)
            took += time.perf_counter() - began
            spent += _cpu_s(connection, seen) - cpu
    return Measured("storing alone", decisions, len(found), took, spent, seen.peak_mb)


def _line(connection: psycopg.Connection, what: str) -> Measured:
    with _watched() as seen:
        began, cpu = time.perf_counter(), _cpu_s(connection, seen)
        done = attribute(connection, BEGINNING, END, 0, lambda _step, _done, _total: None)
        took = time.perf_counter() - began
    return Measured(what, done.appraised, done.comparisons, took, _cpu_s(connection, seen) - cpu, seen.peak_mb)


def _cpu_s(connection: psycopg.Connection, watched: _Watched) -> float:
    """CPU seconds used so far by our processes and by the database server."""
    watched.look()
    return watched.cpu_s + server_cpu_s(address_of(connection))


class _Watched:
    """The most that this process and those it started held together (pages that they share count for each), and their CPU."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._cpu_s: dict[int, float] = {}

    def look(self) -> None:
        """Take a sample. The database's processes are looked at by themselves."""
        own, held = psutil.Process(), 0
        for each in (own, *own.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                if not each.name().startswith("postgres"):
                    held += each.memory_info().rss
                    times = each.cpu_times()
                    self._cpu_s[each.pid] = times.user + times.system
        self.peak_mb = max(self.peak_mb, held / 1e6)

    @property
    def cpu_s(self) -> float:
        """Of all that were seen, as last seen."""
        return sum(self._cpu_s.values())


@contextmanager
def _watched() -> Generator[_Watched]:
    """Look at our processes all the time."""
    watched, ended = _Watched(), threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            watched.look()

    watched.look()
    watcher = threading.Thread(target=watch, name="peak")
    watcher.start()
    try:
        yield watched
    finally:
        ended.set()
        watcher.join()


def _table(measured: list[Measured]) -> str:
    rows = [
        (
            each.what,
            f"{each.decisions:,}",
            f"{each.comparisons:,}",
            f"{each.took_s:.1f}",
            f"{each.cpu_s:.1f}",
            f"{each.peak_mb:,.0f}",
        )
        for each in measured
    ]
    return table(("what", "decisions", "comparisons", "s", "CPU s", "MB at most"), rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench appraisal", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--tenants", type=int, default=3)
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
