"""How ingestion and the pages fare as the books grow: the rate, every callback, the first paint, at some millions of calls.

usage: python -m bench scale [--millions 1 3 10] [--spans 96000] [--connections 4] [--asked 8] [--keep DIR] [--write]

The books are filled by a collector with one load, of which the analyzers' own steps make appraisals, looks and findings; all
of it is then copied within the database until the books hold as many calls as wanted, spread over the 90 days before (see
`grow`). At each size the same load, with other ids, is sent through a collector; every page is opened through the dashboard's
process as a browser would, with the range it has by default and nothing shared between requests; and Chromium says when it
paints the overview. Needs some 3 KB of disk a call. Stops by itself: growing ends after `--minutes-max` wherever it is then.
With `--keep` the grown books stay in a folder of your own, for `python -m bench viewers --home`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bench import load, page_times
from bench.collecting import collector, dashboard, new_books
from bench.grow import Held, decide, grow, held, said
from bench.page_times import PageTimes, quantile
from bench.paint import Painted, paint
from bench.sender import send
from bench.server import Server, serve
from bench.tables import PERFORMANCE, machine, replace_section, table
from ledger.database import connect

SECTION = "bench-scale"
DATABASE = "bench"
_WANTED_MS = 200


class Size(NamedTuple):
    """What was measured at one size of the books."""

    held: Held
    spans_per_s: float
    p99_ms: float
    pages: PageTimes
    painted: Painted


def main() -> int:
    """Measure and print one table."""
    arguments = _arguments()
    where, began = machine(), time.monotonic()
    until = began + arguments.minutes_max * 60
    if arguments.keep and arguments.keep.exists() and any(arguments.keep.iterdir()):
        print(f"{arguments.keep} is not empty: books are grown from nothing; name a new folder, or remove it", file=sys.stderr)
        return 2
    with serve(arguments.keep) as server:
        dsn = new_books(server, DATABASE)
        rate = _send(server, dsn, arguments.spans, arguments.connections, seed=2)
        decide(dsn)
        sizes = [_measure(server, dsn, rate, arguments.asked)]
        for number, millions in enumerate(arguments.millions):
            is_there = grow(dsn, round(millions * 1_000_000), until)
            rate = _send(server, dsn, arguments.spans, arguments.connections, seed=3 + number)
            sizes.append(_measure(server, dsn, rate, arguments.asked))
            print(_tables(sizes), flush=True)
            if not is_there:
                said(f"there was no time to grow to {millions:g} million calls")
                break
    text = _tables(sizes) + f"\n\nTook {(time.monotonic() - began) / 60:.0f} minutes."
    if arguments.write:
        replace_section(PERFORMANCE, SECTION, f"{where}\n\n{text}")
    return 0


def _send(server: Server, dsn: str, spans: int, connections: int, seed: int) -> tuple[float, float]:
    """Spans a second of the load, and the 99th percentile of an export's time in milliseconds."""
    bodies = list(load.exports(spans // load.SPANS_PER_TRACE, seed))
    with connect(dsn, "owner") as owner:
        owner.execute("checkpoint")
    with collector(server, dsn) as (_, port):
        send(bodies[:8], port, connections)  # its reading processes are up, and its look-ups remembered
        began = time.perf_counter()
        sent = send(bodies[8:], port, connections)
        took = time.perf_counter() - began
    rate = len(sent.latencies_s) * load.TRACES_PER_EXPORT * load.SPANS_PER_TRACE / took
    return rate, quantile(sent.latencies_s, 0.99) * 1e3


def _measure(server: Server, dsn: str, rate: tuple[float, float], asked: int) -> Size:
    holds = held(dsn)
    said(f"{holds.calls:,} calls, {holds.decisions:,} decisions: {rate[0]:,.0f} spans/s")
    with dashboard(server, dsn, ["--fresh-s", "0"]) as (_, port):
        pages = page_times.measure(dsn, port, asked)
        painted = paint(port, "/")
    said(f"callbacks: p95 {pages.at(0.95):.0f} ms; first paint {painted.first_ms:.0f} ms, sentence {painted.sentence_ms:.0f} ms")
    return Size(holds, *rate, pages, painted)


def _tables(sizes: list[Size]) -> str:
    by_calls = [(size.held.calls, size.pages) for size in sizes]
    return "\n\n".join((_sizes(sizes), page_times.panels_table(by_calls), page_times.queries_table(by_calls)))


def _sizes(sizes: list[Size]) -> str:
    header = (
        "calls in the books", "decisions", "tasks", "GB on disk", "spans/s", "of the first", "p99 ms", "callbacks p50 ms",
        "p95 ms", "failed", f"queries over {_WANTED_MS} ms", "first paint ms", "its sentence ms",
    )  # fmt: skip
    rows = [
        (
            f"{size.held.calls:,}",
            f"{size.held.decisions:,}",
            f"{size.held.tasks:,}",
            f"{size.held.bytes_on_disk / 1e9:.1f}",
            f"{size.spans_per_s:,.0f}",
            f"{size.spans_per_s / sizes[0].spans_per_s:.2f}",
            f"{size.p99_ms:.0f}",
            f"{size.pages.at(0.5):.0f}",
            f"{size.pages.at(0.95):.0f}",
            str(sum(panel.failed for panel in size.pages.panels)),
            str(sum(ms > _WANTED_MS for ms, _ in size.pages.queries)),
            f"{size.painted.first_ms:.0f}",
            f"{size.painted.sentence_ms:.0f}",
        )
        for size in sizes
    ]
    return table(header, rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench scale", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 3, 10], help="sizes of the books, in millions of calls")
    parser.add_argument("--spans", type=int, default=96_000, help="how many are sent at each size")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--asked", type=int, default=8, help="how often each page is opened at each size")
    parser.add_argument("--minutes-max", type=float, default=25.0, help="after so long the books grow no further")
    parser.add_argument("--keep", type=Path, help="a new folder in which the grown books stay (3 KB of disk a call)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
