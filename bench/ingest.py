"""How many spans a second are stored and posted, and how far that is from PostgreSQL's own COPY in the same run.

usage: python -m bench.ingest [--spans 240000] [--connections 4] [--load FILE] [--peers [--peer-seconds 60]] [--write]

Starts an embedded PostgreSQL with fsync on and one collector in a temporary folder, sends the load over HTTP, counts what is
stored and posted afterwards, proves the books with `ledger.check`, and measures the floor: COPY of the same spans
(`bench/floor.py`). With `--peers` it then measures what `make peers` installed with the same load (`bench/peers.py`); with
`--write` its table goes to docs/performance.md. Stops by itself.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import psycopg
from psycopg import sql

from bench import comparison, load
from bench.collecting import collector, new_books, server_cpu_s
from bench.floor import ROWS_PER_COMMIT, Floor, measure_floor
from bench.peers import SECONDS, PeerResult, measure_peers
from bench.processes import Family
from bench.sender import Sent, send
from bench.server import Server, serve
from bench.tables import machine
from ledger import check
from ledger.database import connect


def main() -> int:
    """Measure and print one table; exit 1 when anything acknowledged is not in the books."""
    arguments = _arguments()
    where = machine()
    bodies = load.read(arguments.load) if arguments.load else list(load.exports(arguments.spans // load.SPANS_PER_TRACE, 1))
    with serve() as server:
        failures, pigou, floor = _measure(server, bodies, arguments.connections)
    peers = measure_peers(bodies, arguments.connections, arguments.peer_seconds) if arguments.peers else []
    table = comparison.comparison(pigou, floor, peers)
    print(f"\n{where}\n\n{table}")
    if arguments.write:
        comparison.write(where, table, arguments.connections)
    return failures


def _measure(server: Server, bodies: list[bytes], connections: int) -> tuple[int, PeerResult, Floor]:
    dsn = new_books(server, "bench")
    floor = measure_floor(dsn, bodies)
    with collector(server, dsn) as (family, port):
        before = _cpu_s(family, dsn)
        began = time.perf_counter()
        sent = send(bodies, port, connections)
        took = time.perf_counter() - began
        cpu_s = [after - until for until, after in zip(before, _cpu_s(family, dsn), strict=True)]
        rss_mb = family.rss_mb()
    return _report(dsn, len(bodies), sent, took, cpu_s, rss_mb, floor)


def _report(
    dsn: str,
    exports: int,
    sent: Sent,
    took: float,
    cpu_s: list[float],
    rss_mb: float,
    floor: Floor,
) -> tuple[int, PeerResult, Floor]:
    with connect(dsn, "owner") as owner:
        spans, calls, postings = (_count(owner, table) for table in ("record", "call", "transfer"))
        results = check.run(owner)
    latencies = sorted(sent.latencies_s)
    rate = spans / took
    print(f"exports acknowledged   {len(latencies)} of {exports}, refused {sent.refused.total()}")
    print(f"spans stored           {spans:,}   calls {calls:,}   transfers {postings:,}")
    print(f"stored and posted      {rate:,.0f} spans/s in {took:.1f} s")
    p50_ms, p99_ms = (latencies[int(len(latencies) * share)] * 1e3 for share in (0.5, 0.99))
    print(f"request latency        p50 {p50_ms:.0f} ms   p99 {p99_ms:.0f} ms")
    whole, own, database = (cpu / spans * 1e6 for cpu in cpu_s)
    print(f"CPU a span             collector {own:.1f} µs, its readers {whole - own:.1f} µs, PostgreSQL {database:.1f} µs")
    print(f"collector              {rss_mb:.0f} MB RSS, its readers included")
    print(f"COPY floor             {floor.batched_per_s:,.0f} rows/s, committed every {ROWS_PER_COMMIT}")
    print(f"COPY at once           {floor.single_per_s:,.0f} rows/s, {floor.row_bytes:.0f} bytes a row")
    print(f"ratio to the floor     {rate / floor.batched_per_s:.2f}")
    print(f"sender                 {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.1f} s CPU")
    for result in results:
        print(
            f"check {result.name:<20} {'ok' if result.ok else 'FAILED'}   {result.checked:,} checked, {result.violations} found"
        )
    failures = 0 if all(result.ok for result in results) and len(latencies) == exports else 1
    pigou = PeerResult(
        name="Pigou",
        version=version("pigou"),
        acknowledged=spans,
        stored=spans,
        took_s=took,
        rss_mb=rss_mb,
        cpu_s=cpu_s[0],
    )
    return failures, pigou, floor


def _count(owner: psycopg.Connection, table: str) -> int:
    row = owner.execute(sql.SQL("select count(*) from pigou.{}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0


def _cpu_s(family: Family, dsn: str) -> tuple[float, float, float]:
    """CPU seconds of the collector with its readers, of the collector alone, and of the database server."""
    own = family.root.cpu_times()
    return family.cpu_s(), own.user + own.system, server_cpu_s(dsn)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--spans", type=int, default=240_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--load", type=Path, help="a length-prefixed OTLP/protobuf file instead of our own load")
    parser.add_argument("--peers", action="store_true", help="measure Arize Phoenix and MLflow too, after `make peers`")
    parser.add_argument("--peer-seconds", type=float, default=SECONDS, help="the longest that one peer is measured for")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
