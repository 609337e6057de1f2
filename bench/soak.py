"""Whether a collector that works for long stays as it was: memory, latency and disk, a line for every part of the time.

usage: python -m bench soak [--minutes 30] [--rate 2000] [--connections 4] [--write]

Sends a load at a steady rate for the time given, with the analyzers' clock beside it as `pigou up` has it, then nothing for half
a minute to see what the collector uses when idle. The books are proved at the end. Stops by itself.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench import load
from bench.collecting import collector, new_books
from bench.processes import Family
from bench.server import serve
from bench.tables import PERFORMANCE, machine, machine_load, replace_section, table
from ledger import check
from ledger.database import connect

SECTION = "bench-soak"
_PARTS = 10
_IDLE_S = 30.0
_SPANS = load.SPANS_PER_TRACE * load.TRACES_PER_EXPORT


class Part(NamedTuple):
    """What was seen in one part of the time."""

    until_min: float
    spans: int
    p50_ms: float
    p99_ms: float
    rss_mb: float
    rss_max_mb: float
    gb_on_disk: float
    failed: int
    load: float
    """Of the machine in its last minute: a rate that is not kept up with beside other work says nothing."""


def main() -> int:
    """Measure and print one table; exit 1 when anything failed or the books are not in order."""
    arguments = _arguments()
    where = machine()
    with serve() as server:
        dsn = new_books(server, "bench")
        spool = ["--spool", str(server.home / "spool")]
        with collector(server, dsn, spool) as (family, port):
            clock = subprocess.Popen([sys.executable, "-m", "analyzers", "--dsn", dsn], cwd=Path(__file__).resolve().parents[1])
            try:
                parts = [_part(family, port, dsn, arguments, number) for number in range(1, _PARTS + 1)]
            finally:
                clock.terminate()
                clock.wait(30)
            time.sleep(5)
            before = family.cpu_s()
            time.sleep(_IDLE_S)
            idle = (family.cpu_s() - before) / _IDLE_S
        with connect(dsn, "owner") as owner:
            violations = [result for result in check.run(owner) if not result.ok]
    text = table(
        ("minutes", "spans", "p50 ms", "p99 ms", "RSS MB", "most RSS MB", "GB on disk", "failed", "load"),
        [
            (f"{p.until_min:.1f}", f"{p.spans:,}", f"{p.p50_ms:.0f}", f"{p.p99_ms:.0f}", f"{p.rss_mb:.0f}", f"{p.rss_max_mb:.0f}",
             f"{p.gb_on_disk:.2f}", str(p.failed), f"{p.load:.1f}")
            for p in parts
        ],
    )  # fmt: skip
    text += f"\n\nIdle afterwards: {idle:.1%} of a core. Books: {len(violations)} of the checks found something."
    print(f"{where}\n\n{text}")
    if arguments.write:
        replace_section(PERFORMANCE, SECTION, f"{where}\n\n{text}")
    return 1 if violations or any(p.failed for p in parts) else 0


def _part(family: Family, port: int, dsn: str, arguments: argparse.Namespace, number: int) -> Part:
    """Send at the steady rate for a tenth of the time, watching memory."""
    seconds = arguments.minutes * 60 / _PARTS
    until = time.monotonic() + seconds
    due = _due(arguments.rate, until)
    latencies: list[float] = []
    failed: list[str] = []
    exports = _exports(seed=number)
    lock = threading.Lock()
    threads = [
        threading.Thread(target=_send, args=(port, exports, due, lock, latencies, failed)) for _ in range(arguments.connections)
    ]
    for thread in threads:
        thread.start()
    most = 0.0
    while any(thread.is_alive() for thread in threads):
        most = max(most, family.rss_mb())
        time.sleep(1.0)
    latencies.sort()
    with connect(dsn, "owner") as owner:
        row = owner.execute("select pg_database_size(current_database())").fetchone()
    count = len(latencies)
    p50_ms, p99_ms = (latencies[int(count * share)] * 1e3 if count else float("nan") for share in (0.5, 0.99))
    disk = row[0] / 1e9 if row else 0.0
    part = Part(number * seconds / 60, count * _SPANS, p50_ms, p99_ms, family.rss_mb(), most, disk, len(failed), machine_load())
    print(
        f"{part.until_min:.1f} min: {part.spans:,} spans, p99 {part.p99_ms:.0f} ms, RSS {part.rss_mb:.0f} MB", *failed, flush=True
    )
    return part


def _due(rate: float, until: float) -> Iterator[float]:
    """When each export is to be sent; what is still to be sent when the time is over is not."""
    step = _SPANS / rate
    start = time.monotonic()
    times = (start + n * step for n in itertools.count())
    return itertools.takewhile(lambda at: max(at, time.monotonic()) < until, times)


def _exports(seed: int) -> Iterator[bytes]:
    """A load without end."""
    return itertools.chain.from_iterable(load.exports(load.TRACES_PER_EXPORT * 50, seed * 10_000 + n) for n in itertools.count())


def _send(
    port: int, exports: Iterator[bytes], due: Iterator[float], lock: threading.Lock, latencies: list[float], failed: list[str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while True:
        with lock:
            at = next(due, None)
            body = next(exports) if at is not None else b""
        if at is None:
            connection.close()
            return
        time.sleep(max(0.0, at - time.monotonic()))
        began = time.perf_counter()
        try:
            connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            failed.append(repr(error))
            connection.close()  # the next request opens it again
            continue
        (latencies.append(time.perf_counter() - began) if answer.status == 200 else failed.append(str(answer.status)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=2000.0, help="spans a second")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
