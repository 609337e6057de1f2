"""Whether many who look at pages slow down ingestion: its rate with and without them, by turns, in one run.

usage: python -m bench viewers [--viewers 20] [--rounds 3] [--spans 192000] [--millions 0.2] [--home DIR] [--write]

The books hold some calls and decisions first (see `grow`), in a folder that goes away, or in `--home`: what that holds is taken
as it is, so that the books of `python -m bench scale --keep DIR` need not be grown again (they go on growing by what is sent).
Then, by turns, a load is sent as fast as it is taken, alone and with the viewers: each opens a page, asks all its panels again
every five seconds (`--every-s`) as a live page does, and goes to the next page after a few of these. Client, viewers, collector,
dashboard and PostgreSQL share the machine. Stops by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import random
import statistics
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from bench import load
from bench.collecting import collector, dashboard, kept_books, new_books
from bench.grow import decide, grow, held, said
from bench.page_times import quantile
from bench.processes import Family
from bench.scale import DATABASE
from bench.sender import send
from bench.server import Server, serve
from bench.tables import PERFORMANCE, machine, replace_section, table
from bench.viewer import Answered, Viewer, addresses
from ledger.database import connect

SECTION = "bench-viewers"
_REFRESHED = 4
_SEED_SPANS = 96_000


class Turn(NamedTuple):
    """What was seen in one turn."""

    with_viewers: bool
    spans_per_s: float
    answers: list[Answered]
    asked_s: float
    """How long the viewers looked."""
    cores: float
    """That the dashboard and its backends of PostgreSQL used."""


class _Setting(NamedTuple):
    dsn: str
    collector_port: int
    pages: Family
    pages_port: int
    arguments: argparse.Namespace
    calls_before: int
    """What is sent over books that were kept is not what was sent over them before."""


def main() -> int:
    """Measure and print one table."""
    arguments = _arguments()
    where = machine()
    with serve(arguments.home) as server:
        dsn = kept_books(server, DATABASE) or _seeded(server, arguments.connections)
        calls = round(arguments.millions * 1_000_000)
        if held(dsn).calls < calls and not grow(dsn, calls, time.monotonic() + arguments.minutes_max * 60):
            said(f"there was no time to grow to {arguments.millions:g} million calls")
        with connect(dsn, "owner") as owner:
            owner.execute("checkpoint")
        holds = held(dsn)
        with collector(server, dsn) as (_, port), dashboard(server, dsn) as (pages, pages_port):
            setting = _Setting(dsn, port, pages, pages_port, arguments, holds.calls)
            _turn(setting, 0, with_viewers=True)  # everything was asked for once
            turns = [_turn(setting, number, with_viewers=number % 2 == 0) for number in range(1, 2 * arguments.rounds + 1)]
    text = f"Books of {holds.calls:,} calls and {holds.decisions:,} decisions.\n\n{_table(turns, arguments)}"
    print(f"{where}\n\n{text}")
    if arguments.write:
        replace_section(PERFORMANCE, SECTION, f"{where} {text}")
    return 0


def _seeded(server: Server, connections: int) -> str:
    """Books of one load with its appraisals; their address."""
    dsn = new_books(server, DATABASE)
    with collector(server, dsn) as (_, port):
        send(list(load.exports(_SEED_SPANS // load.SPANS_PER_TRACE, 1)), port, connections)
    decide(dsn)
    return dsn


def _turn(setting: _Setting, number: int, *, with_viewers: bool) -> Turn:
    """Send one load as fast as it is taken, with or without viewers."""
    arguments = setting.arguments
    bodies = list(load.exports(arguments.spans // load.SPANS_PER_TRACE, f"turn {number} after {setting.calls_before}"))
    answers: list[Answered] = []
    with _watching(setting, answers) if with_viewers else contextlib.nullcontext():
        time.sleep(arguments.every_s if with_viewers else 0)  # they have all come
        cpu = _cpu_s(setting)
        began = time.perf_counter()
        sent = send(bodies, setting.collector_port, arguments.connections)
        took = time.perf_counter() - began
        cores = max(0.0, _cpu_s(setting) - cpu) / took  # backends that nobody needs any more end, and take their seconds along
    rate = len(sent.latencies_s) * load.TRACES_PER_EXPORT * load.SPANS_PER_TRACE / took
    said(f"{'with' if with_viewers else 'without'} viewers: {rate:,.0f} spans/s, {cores:.2f} cores for pages")
    return Turn(with_viewers, rate, answers, arguments.every_s + took, cores)


def _cpu_s(setting: _Setting) -> float:
    """CPU seconds that the dashboard has used, and those of its backends that are there."""
    used = setting.pages.cpu_s()
    with connect(setting.dsn, "owner") as owner:
        for (pid,) in owner.execute("select pid from pg_stat_activity where application_name = 'pigou dashboard'").fetchall():
            with contextlib.suppress(psutil.NoSuchProcess):
                used += sum(psutil.Process(pid).cpu_times()[:2])
    return used


@contextmanager
def _watching(setting: _Setting, answers: list[Answered]) -> Generator[None]:
    """Let viewers look for the length of the block."""
    with connect(setting.dsn, "reader") as reader:
        looked_at = list(addresses(reader).values())
    stop = threading.Event()
    draw = random.Random(1)
    count = setting.arguments.viewers
    threads = [
        threading.Thread(
            target=_look,
            args=(setting, draw.sample(looked_at, len(looked_at)), setting.arguments.every_s * number / count, stop, answers),
        )
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _look(setting: _Setting, looked_at: list[str], after_s: float, stop: threading.Event, answers: list[Answered]) -> None:
    """One viewer: the overview first, then page after page, each for a while."""
    stop.wait(after_s)
    viewer = Viewer.of(setting.pages_port)
    try:
        for address in itertools.chain(["/"], itertools.cycle(looked_at)):
            for refreshed in range(_REFRESHED):
                began = time.monotonic()
                for answer in viewer.refresh() if refreshed else viewer.open(address):
                    answers.append(answer)
                    if stop.is_set():
                        return
                stop.wait(max(0.0, setting.arguments.every_s - (time.monotonic() - began)))
    except (OSError, http.client.HTTPException):
        if not stop.is_set():
            raise
    finally:
        viewer.close()


def _table(turns: list[Turn], arguments: argparse.Namespace) -> str:
    rows: list[tuple[str, ...]] = []
    alone = statistics.median(turn.spans_per_s for turn in turns if not turn.with_viewers)
    for with_viewers in (False, True):
        of = [turn for turn in turns if turn.with_viewers == with_viewers]
        rate = statistics.median(turn.spans_per_s for turn in of)
        ms = [answer.ms for turn in of for answer in turn.answers]
        rows.append(
            (
                f"{arguments.viewers} viewers, each page asked again every {arguments.every_s:g} s"
                if with_viewers
                else "nobody looks",
                f"{rate:,.0f}",
                f"{rate / alone:.2f}",
                f"{len(ms) / sum(turn.asked_s for turn in of):.0f}" if ms else "",
                f"{quantile(ms, 0.5):.0f}" if ms else "",
                f"{quantile(ms, 0.95):.0f}" if ms else "",
                str(sum(answer.failed for turn in of for answer in turn.answers)) if ms else "",
                f"{statistics.median(turn.cores for turn in of):.2f}",
            )
        )
    header = ("", "spans/s", "of that alone", "callbacks/s", "p50 ms", "p95 ms", "failed", "cores of pages")
    return table(header, rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench viewers", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="turns with and turns without them")
    parser.add_argument("--spans", type=int, default=192_000, help="how many are sent in a turn")
    parser.add_argument("--millions", type=float, default=0.2, help="calls in the books before, in millions")
    parser.add_argument("--minutes-max", type=float, default=25.0, help="after so long the books grow no further")
    parser.add_argument(
        "--home", type=Path, help="the folder of the books, such as `scale --keep` leaves; made if it is not there"
    )
    parser.add_argument("--every-s", type=float, default=5.0, help="how often a page is asked again")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
