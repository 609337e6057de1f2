"""What the benchmarks stand on does what their figures assume: everything is sent, everything is stored, everything ends."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest

from bench import load as loads
from bench.floor import measure_floor
from bench.peers import measure_peers
from bench.processes import await_answer, free_port, started
from bench.sender import send
from bench.server import serve


class Receiver(BaseHTTPRequestHandler):
    """Answers each body by what it says: `busy…` is asked to come again the first time, `bad…` is refused."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[Counter[bytes]] = Counter()
    experiments: ClassVar[Counter[str]] = Counter()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen[body] += 1
        self.experiments[self.headers["x-experiment"]] += 1
        status = 503 if body.startswith(b"busy") and self.seen[body] == 1 else 400 if body.startswith(b"bad") else 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class calls it so
        """Say nothing."""


@contextmanager
def receiving() -> Generator[int]:
    """A port of loopback with a receiver on it."""
    Receiver.seen, Receiver.experiments = Counter(), Counter()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def test_all_is_sent_again_until_the_answer_is_final() -> None:
    bodies = [b"one", b"busy two", b"bad three", *(b"n%d" % n for n in range(40))]
    with receiving() as port:
        sent = send(bodies, port, 3, headers={"x-experiment": "7"})
    assert sorted(sent.acknowledged) == [0, 1, *range(3, 43)]
    assert len(sent.latencies_s) == 42
    assert sent.refused == {503: 1, 400: 1}
    assert sent.dropped == 1
    assert Receiver.seen == Counter(bodies) + Counter([b"busy two"])
    assert Receiver.experiments == {"7": 44}


def test_what_is_stopped_sends_nothing_more() -> None:
    stop = threading.Event()
    stop.set()
    with receiving() as port:
        assert send([b"one"], port, 2, stop=stop).acknowledged == []
    assert not Receiver.seen


def test_a_receiver_that_is_gone_is_no_measurement() -> None:
    with pytest.raises(ConnectionRefusedError):
        send([b"one", b"two"], free_port(), 2)


def test_the_floor_stores_the_spans_of_the_load(dsn: str) -> None:
    floor = measure_floor(dsn, list(loads.exports(120, seed=3)))
    assert floor.rows == 120 * loads.SPANS_PER_TRACE
    assert 400 < floor.row_bytes < 900
    assert min(floor.single_per_s, floor.batched_per_s) > 0
    assert measure_floor(dsn, list(loads.exports(120, seed=3)), rows_max=1000).rows == 1000
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select to_regclass('floor')").fetchone() == (None,)


def test_a_load_without_spans_has_no_floor(dsn: str) -> None:
    with pytest.raises(ValueError, match="holds no spans"):
        measure_floor(dsn, [b""])


def test_peers_want_a_load_and_an_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.peers.BIN", tmp_path / ".venv-peers" / "bin")
    with pytest.raises(FileNotFoundError, match="`make peers` installs"):
        measure_peers([b"", b""], 1)


def test_a_family_ends_with_its_grandchildren(tmp_path: Path) -> None:
    child = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"
    )
    with started([sys.executable, "-c", child], tmp_path, {}) as family:
        root = family.root
        while not (grandchildren := root.children()):
            assert family.alive, family.said()
        assert family.rss_mb() > 1
    assert not family.alive
    assert not [process for process in (root, *grandchildren) if process.is_running()]


def test_a_server_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such setting')"]
    with started(command, tmp_path, {}) as family, pytest.raises(RuntimeError, match="ended; it said:\nno such setting"):
        await_answer(family, free_port(), "/health", 60)


def test_the_server_of_a_benchmark_keeps_what_it_acknowledged() -> None:
    with serve() as server:
        with psycopg.connect(server.create("bench")) as connection:
            settings = (
                "select current_setting('fsync'), current_setting('synchronous_commit'), current_setting('max_connections')"
            )
            assert connection.execute(settings).fetchone() == ("on", "on", "200")
        home = server.home
    assert not home.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.uri())
