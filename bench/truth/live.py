"""How soon a new misallocation is told: a played home goes on in real time with one more fault, and a webhook waits for it.

usage: python -m bench truth live --home DIR [--rate 240] [--within-s 900]

DIR is a home that `pigou demo` has played; it is copied twice and not touched. On the first copy `pigou up` runs, and the fleet
goes on live, acme's reviews from now on written by the largest model. Everything sent is kept with the time at which
it was acknowledged. Once the alert has come, the same is put into the second copy bit by bit, and after each bit the mode looks
there by hand; the first bit after which it finds the place is when the evidence was sufficient. Prints the seconds from then to
the alert; exit 1 when they are more than a minute.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg

from analyzers.appraise import appraise
from analyzers.appraising import FIRST_AFTER_S
from analyzers.delivery.channel_files import read_channels
from analyzers.detect import detect
from analyzers.modes import over_routing
from analyzers.pace import PROMISED_S
from bench.collecting import collector
from bench.processes import await_answer, free_port, started
from bench.server import Server
from cli.home import database_address, home_at, open_database
from economy import faults
from economy.play import EconomySettings, live
from ledger.stated_channels import state_channels

_TENANT, _CLASS, _MODEL = "acme", "code.review", "claude-opus-4-6"
SEGMENT = f"{_CLASS}, route {_MODEL}"
BIT_S = 5.0
_READY_WITHIN_S = 300.0
_SECRET = "for-this-run-only"


class Kept(NamedTuple):
    """An export that was acknowledged at a time, by the clock that counts seconds since 1970."""

    at_s: float
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Sufficient:
    """Between when the evidence became sufficient: after the last bit without a finding, with the first that brought it."""

    after_s: float
    by_s: float


def main() -> int:
    """Run it and print the seconds; 1 when they are too many or nothing was told, 2 when DIR holds no played home."""
    parser = argparse.ArgumentParser(prog="python -m bench truth live", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="a home that `pigou demo` has played and that is not running")
    parser.add_argument("--rate", type=float, default=240.0, help="tasks a minute")
    parser.add_argument("--within-s", type=float, default=900.0, help="how long to wait for the alert")
    given = parser.parse_args()
    if not (given.home / "demo.json").is_file():
        print(f"{given.home} holds no demo: play one with `pigou demo --home {given.home}`", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="pigou-live-") as folder:
        first, second = Path(folder) / "a", Path(folder) / "b"
        for copy in (first, second):
            subprocess.run(["cp", "-a", str(given.home), str(copy)], check=True)  # whose the files are as well
        kept, told_s = _sent(first, given.rate, given.within_s)
        if told_s is None:
            print(f"nothing was told of {SEGMENT} of {_TENANT} within {given.within_s:.0f} s", file=sys.stderr)
            return 1
        when = _sufficient(second, kept)
    if when is None:
        print("by hand nothing is found of what was told", file=sys.stderr)
        return 1
    longest, least = told_s - when.after_s, told_s - when.by_s
    begun = kept[0].at_s
    print(f"the fault began, evidence sufficient after {when.after_s - begun:.0f} to {when.by_s - begun:.0f} s")
    print(f"told {least:.0f} to {longest:.0f} s after the evidence was sufficient (promised: {PROMISED_S:.0f} s)")
    return int(least > PROMISED_S)


def bits(kept: Sequence[Kept], lasts_s: float = BIT_S) -> list[list[Kept]]:
    """What was sent, in the order of acknowledgement, in pieces that were acknowledged within so long of their first."""
    found: list[list[Kept]] = []
    for one in sorted(kept, key=lambda each: each.at_s):
        if not found or one.at_s - found[-1][0].at_s > lasts_s:
            found.append([])
        found[-1].append(one)
    return found


def _sent(home: Path, rate: float, within_s: float) -> tuple[list[Kept], float | None]:
    """Let the fleet go on at a running installation until the alert is told; what was sent, and when it was told."""
    told = threading.Event()
    told_at: list[float] = []

    def heard(_path: str, _headers: dict[str, str], body: bytes) -> int:
        events = json.loads(body).get("data", {}).get("events", [])
        if any(event.get("tenant") == _TENANT and SEGMENT in str(event.get("subject")) for event in events) and not told.is_set():
            told_at.append(time.time())
            told.set()
        return 200

    kept: list[Kept] = []
    with answering(heard) as receiver, _running(home, receiver) as port:

        def passed_on(path: str, headers: dict[str, str], body: bytes) -> int:
            try:
                status = post(port, path, headers, body)
            except (OSError, http.client.HTTPException):
                return 503  # and it is sent again
            if status == 200:
                kept.append(Kept(time.time(), path, headers, body))
            return status

        time.sleep(FIRST_AFTER_S + 5)
        with answering(passed_on) as relay:
            _go_on(relay, rate, told, within_s)
    return kept, told_at[0] if told_at else None


def _go_on(endpoint: str, rate: float, told: threading.Event, within_s: float) -> None:
    """The fleet in real time with one fault more, until the alert is told."""
    usual = faults.FAULTS
    fault = replace(faults.fault_by_key("over_routing"), key="live", tenant=_TENANT, task_class=_CLASS, forced=_MODEL, onset=0.0)
    at_most = threading.Timer(within_s, told.set)
    at_most.start()
    faults.FAULTS = (*usual, fault)
    try:
        live(EconomySettings(endpoint=endpoint, seed=int(time.time())), rate, told)
    finally:
        at_most.cancel()
        faults.FAULTS = usual


def _sufficient(home: Path, kept: Sequence[Kept]) -> Sufficient | None:
    """Put what was sent into another copy bit by bit, and look by hand after each."""
    before_s = kept[0].at_s if kept else 0.0
    with database_address("owner", home) as dsn, open_database("writer", home) as books:
        folder = home / "bench"
        folder.mkdir()
        with collector(Server(folder, home_at(home).cluster.socket_dir, ""), dsn) as (_, port):
            for bit in bits(kept):
                for one in bit:
                    post(port, one.path, one.headers, one.body)
                if _is_found(books, datetime.fromtimestamp(bit[-1].at_s, UTC)):
                    return Sufficient(before_s, bit[-1].at_s)
                before_s = bit[-1].at_s
    return None


def _is_found(books: psycopg.Connection, now: datetime) -> bool:
    appraise(books, is_all=True)
    detect(books, modes={"over_routing": over_routing.look}, now=now)
    query = """
        select exists (select from ledger.findings
                        where tenant = %s and mode = 'over_routing' and segment = %s and status <> 'resolved')"""
    row = books.execute(query, [_TENANT, SEGMENT]).fetchone()
    return row is not None and bool(row[0])


@contextmanager
def _running(home: Path, receiver: str) -> Generator[int]:
    """`pigou up` on a home, with a webhook; answers the port of OTLP over HTTP."""
    file = home / "channels.yaml"
    file.write_text(f"channels:\n- {{name: live, kind: webhook, url: '{receiver}', secret: 'env:LIVE_SECRET', severity: info}}\n")
    with open_database("writer", home) as books:
        state_channels(books, read_channels(file), file.name)
    http_port, grpc_port, page_port = free_port(), free_port(), free_port()
    command = [sys.executable, "-m", "cli", "up", "--home", str(home), "--http-port", str(http_port)]
    command += ["--grpc-port", str(grpc_port), "--dashboard-port", str(page_port)]
    root = Path(__file__).resolve().parents[2]
    with started(command, home, {**os.environ, "PYTHONPATH": str(root), "LIVE_SECRET": _SECRET}) as family:
        await_answer(family, http_port, "/health", _READY_WITHIN_S)
        yield http_port


@contextmanager
def answering(answer: Callable[[str, dict[str, str], bytes], int]) -> Generator[str]:
    """An HTTP server on loopback that answers POST with the status that `answer(path, headers, body)` says; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower().startswith(("content-", "tenant"))}
            self.send_response(answer(self.path, headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's signature)
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def post(port: int, path: str, headers: dict[str, str], body: bytes) -> int:
    """Send to a port of loopback; the status answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", urlsplit(path).path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()
