"""How many spans a second are stored and posted, and how far that is from PostgreSQL's own COPY in the same run.

usage: python -m bench.ingest [--spans 240000] [--connections 4 16] [--load FILE]
                              [--peers [--peer-connections 4] [--peer-seconds 60]] [--write]

Starts an embedded PostgreSQL with fsync on in a temporary folder and measures the floor: COPY of the spans (`bench/floor.py`).
Then, for each number of connections, it starts a collector over new books, sends the load over HTTP, counts what is stored and
posted afterwards and proves the books with `ledger.check`. With `--peers` it goes on to what `make peers` installed, with the
same load (`bench/peers.py`); with `--write` its table goes to docs/performance.md. Stops by itself.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
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
        floor = measure_floor(server.create("floor"), bodies)
        server.drop("floor")
        print(f"COPY floor             {floor.batched_per_s:,.0f} rows/s, committed every {ROWS_PER_COMMIT}")
        print(f"COPY at once           {floor.single_per_s:,.0f} rows/s, {floor.row_bytes:.0f} bytes a row")
        measured = [_measure(server, bodies, connections, floor) for connections in arguments.connections]
    peers = measure_peers(bodies, arguments.peer_connections, arguments.peer_seconds) if arguments.peers else []
    table = comparison.comparison([pigou for _, pigou in measured], floor, peers)
    print(f"\n{where}\n\n{table}")
    if arguments.write:
        comparison.write(where, table)
    return 0 if all(is_proved for is_proved, _ in measured) else 1


def _measure(server: Server, bodies: list[bytes], connections: int, floor: Floor) -> tuple[bool, PeerResult]:
    """Store the load in new books, which are proved and removed again; whether all of it is in them, and the figures."""
    dsn = new_books(server, "bench")
    with collector(server, dsn) as (family, port):
        before = _cpu_s(family, dsn)
        began = time.perf_counter()
        sent = send(bodies, port, connections)
        took = time.perf_counter() - began
        cpu_s = [after - until for until, after in zip(before, _cpu_s(family, dsn), strict=True)]
        rss_mb = family.rss_mb()
    with connect(dsn, "owner") as owner:
        spans, calls, postings = (_count(owner, table) for table in ("record", "call", "transfer"))
        results = check.run(owner)
    server.drop("bench")
    pigou = PeerResult(
        name="Pigou",
        version=version("pigou"),
        connections=connections,
        acknowledged=spans,
        stored=spans,
        took_s=took,
        rss_mb=rss_mb,
        cpu_s=cpu_s[0],
        p99_ms=_share_ms(sent, 0.99),
    )
    print(f"\n{connections} connections")
    print(f"exports acknowledged   {len(sent.latencies_s)} of {len(bodies)}, refused {sent.refused.total()}")
    print(f"spans stored           {spans:,}   calls {calls:,}   transfers {postings:,}")
    _tell(pigou, sent, cpu_s, floor)
    for result in results:
        print(
            f"check {result.name:<20} {'ok' if result.ok else 'FAILED'}   {result.checked:,} checked, {result.violations} found"
        )
    return all(result.ok for result in results) and len(sent.latencies_s) == len(bodies), pigou


def _tell(pigou: PeerResult, sent: Sent, cpu_s: Sequence[float], floor: Floor) -> None:
    print(f"stored and posted      {pigou.spans_per_s:,.0f} spans/s in {pigou.took_s:.1f} s")
    print(f"ratio to the floor     {pigou.spans_per_s / floor.batched_per_s:.2f}")
    print(f"request latency        p50 {_share_ms(sent, 0.5):.0f} ms   p99 {_share_ms(sent, 0.99):.0f} ms")
    whole, own, database = (cpu / pigou.stored * 1e6 for cpu in cpu_s)
    print(f"CPU a span             collector {own:.1f} µs, its readers {whole - own:.1f} µs, PostgreSQL {database:.1f} µs")
    print(f"collector              {pigou.rss_mb:.0f} MB RSS, its readers included")


def _share_ms(sent: Sent, share: float) -> float:
    """What this share of the requests took at most."""
    return sorted(sent.latencies_s)[int(len(sent.latencies_s) * share)] * 1e3


def _count(owner: psycopg.Connection, table: str) -> int:
    row = owner.execute(sql.SQL("select count(*) from pigou.{}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0


def _cpu_s(family: Family, dsn: str) -> tuple[float, float, float]:
    """CPU seconds of the collector with its readers, of the collector alone, and of the database server."""
    own = family.root.cpu_times()
    return family.cpu_s(), own.user + own.system, server_cpu_s(dsn)


def _connections(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of connections, 1 or more")
    return int(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--spans", type=int, default=240_000)
    parser.add_argument(
        "--connections",
        type=_connections,
        nargs="+",
        default=[4, 16],
        metavar="N",
        help="senders at once; a row of the table each",
    )
    parser.add_argument("--load", type=Path, help="a length-prefixed OTLP/protobuf file instead of our own load")
    parser.add_argument("--peers", action="store_true", help="measure Arize Phoenix and MLflow too, after `make peers`")
    parser.add_argument("--peer-connections", type=_connections, default=4, metavar="N", help="senders at once to each peer")
    parser.add_argument("--peer-seconds", type=float, default=SECONDS, help="the longest that one peer is measured for")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
