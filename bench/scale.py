"""How ingestion and the first page fare as the books grow: the rate, and each query's time, at some millions of calls.

usage: python -m bench scale [--millions 1 3 10] [--spans 96000] [--connections 4] [--write]

The books are filled by a collector with one load, which is then copied within the database until they hold as many calls as
wanted, spread over the 90 days before it (records, entries, transfers and balances included; the records' attributes are left
out). At each size the same load, with other ids, is sent through a collector, and every query of the first page is asked as the
page asks it, five times each, for a fortnight and for everything. Needs about 2 KB of disk a call. Stops by itself.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg

from bench import load
from bench.collecting import collector, new_books
from bench.sender import send
from bench.server import Server, serve
from bench.tables import PERFORMANCE, machine, replace_section, table
from dashboard.filters import parse
from dashboard.queries import bucket_of, named, statement
from ledger.database import connect
from ledger.queries import queries

SECTION = "bench-scale"
_DAYS = 90
_SEED_SPANS = 240_000
_ASKED = 5
_SQL = queries("bench", "scale")
# Those that show single calls or one trace; all others sum.
_SINGLE = ("calls", "conflicts", "control_total_differences", "rejections", "weak_matches")


class Size(NamedTuple):
    """What was measured at one size of the books."""

    calls: int
    spans_per_s: float
    p99_ms: float
    slowest: list[tuple[float, str]]
    """Median milliseconds and name of each query, the slowest first."""
    bytes_on_disk: int


def main() -> int:
    """Measure and print one table."""
    arguments = _arguments()
    where = machine()
    with serve() as server:
        dsn = new_books(server, "bench")
        sizes = [_measure(server, dsn, arguments.spans, arguments.connections, seed=2)]
        for number, millions in enumerate(arguments.millions):
            _grow(dsn, round(millions * 1_000_000))
            sizes.append(_measure(server, dsn, arguments.spans, arguments.connections, seed=3 + number))
            print(_table(sizes), flush=True)
    text = _table(sizes)
    if arguments.write:
        replace_section(PERFORMANCE, SECTION, f"{where}\n\n{text}")
    return 0


def _measure(server: Server, dsn: str, spans: int, connections: int, seed: int) -> Size:
    bodies = list(load.exports(spans // load.SPANS_PER_TRACE, seed))
    with connect(dsn, "owner") as owner:
        owner.execute("checkpoint")
    with collector(server, dsn) as (_, port):
        send(bodies[:8], port, connections)  # its reading processes are up, and its look-ups remembered
        began = time.perf_counter()
        sent = send(bodies[8:], port, connections)
        took = time.perf_counter() - began
    latencies = sorted(sent.latencies_s)
    rate = len(latencies) * load.TRACES_PER_EXPORT * load.SPANS_PER_TRACE / took
    with connect(dsn, "owner") as owner:
        calls = _number(owner, "select count(*) from pigou.call")
        size = _number(owner, "select pg_database_size(current_database())")
    size_measured = Size(calls, rate, latencies[int(len(latencies) * 0.99)] * 1e3, _page(dsn), size)
    print(f"{calls:,} calls: {rate:,.0f} spans/s", flush=True)
    return size_measured


def _page(dsn: str) -> list[tuple[float, str]]:
    """Median time of every query that sums, as the reader, for a fortnight and for everything; the slower of the two counts."""
    now = datetime.now(UTC)
    found: list[tuple[float, str]] = []
    with connect(dsn, "reader") as reader:
        for name in sorted(set(named()) - set(_SINGLE)):
            if "{trace_id}" in named()[name]:
                continue
            times: list[float] = []
            for search in ("?range=3h",) if name.endswith("_over_minutes") else ("?range=14d", "?range=all"):
                filters = parse(search)
                bucket = bucket_of(filters.window(now), timedelta(days=_DAYS))
                text = statement(name, filters, now, bucket="hour" if bucket == "minute" else bucket).text
                times.append(statistics.median(_asked_ms(reader, text) for _ in range(_ASKED)))
            found.append((max(times), name))
    return sorted(found, reverse=True)


def _asked_ms(reader: psycopg.Connection, text: str) -> float:
    began = time.perf_counter()
    reader.execute(text.encode()).fetchall()
    return (time.perf_counter() - began) * 1e3


def _grow(dsn: str, calls: int) -> None:
    """Copy what the books hold until they hold as many calls as wanted."""
    with connect(dsn, "owner") as owner:
        tenants = [row[0] for row in owner.execute("select tenant_id from pigou.tenant where tenant_id > 0")]
        held = _number(owner, "select count(*) from pigou.call")
        newest = owner.execute("select max(started_at) - interval '2 hours' from pigou.call").fetchone()
        made = _number(
            owner,
            "select count(*) from pigou.call where started_at >= (select max(started_at) - interval '2 hours' from pigou.call)",
        )
        copied = _number(owner, "select coalesce(max(value::int), 0) from pigou.setting where setting = 'bench_copies'")
        wanted = max(0, -(-(calls - held) // made))
        for month in range(5):
            owner.execute("select pigou.ensure_month((now() - make_interval(months => %s))::date)", (month,))
        owner.execute(
            "insert into pigou.setting (setting, value) values ('bench_copies', %s)"
            " on conflict (setting) do update set value = excluded.value",
            (str(copied + wanted),),
        )
    since = newest[0] if newest else datetime.now(UTC)
    step = timedelta(days=_DAYS) / max(1, wanted)

    def copy(tenant_id: int) -> None:
        with connect(dsn, "owner") as connection:
            for number in range(1, wanted + 1):
                back = timedelta(hours=3) + step * number
                parameters = {"tenant_id": tenant_id, "copy": copied + number, "back": back, "since": since}
                connection.execute(_SQL["clone_calls"], parameters)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(copy, tenants))
    with connect(dsn, "owner") as owner:
        owner.execute("vacuum analyze")


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def _table(sizes: list[Size]) -> str:
    first = sizes[0].spans_per_s
    header = (
        "calls in the books",
        "spans/s",
        "of the first",
        "p99 ms",
        "slowest query of the page",
        "median ms",
        "over 200 ms",
        "GB on disk",
    )
    rows = [
        (
            f"{size.calls:,}",
            f"{size.spans_per_s:,.0f}",
            f"{size.spans_per_s / first:.2f}",
            f"{size.p99_ms:.0f}",
            size.slowest[0][1],
            f"{size.slowest[0][0]:.0f}",
            str(sum(ms > 200 for ms, _ in size.slowest)),
            f"{size.bytes_on_disk / 1e9:.1f}",
        )
        for size in sizes
    ]
    return table(header, rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench scale", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 3, 10], help="sizes of the books, in millions of calls")
    parser.add_argument("--spans", type=int, default=96_000, help="how many are sent at each size")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
