"""`pigou up` as a user runs it: ready, restarting what dies, stopping cleanly, leaving nobody behind."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.books import cloned
from tests.pigou_process import RSS_MB_MAX, RunningPigou, copy_of, new_folder, run_pigou, started

PARTS = {"collector", "analyzers", "dashboard", "postgres"}
SUPERVISOR_RSS_MB_MAX = 45


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """One home for all starts of this module: an existing one, after the first."""
    with new_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def running(prepared_home: Path) -> Iterator[RunningPigou]:
    """One installation for all tests that leave it running, on a home of its own."""
    with copy_of(prepared_home) as home, RunningPigou(home) as pigou:
        yield pigou


def within(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s")
        time.sleep(0.05)


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except OSError:
        return 0


def calls_counted(running: RunningPigou) -> list[tuple[Any, ...]] | None:
    """None while the database is starting."""
    try:
        return running.sql("select count(*) from ledger.calls")
    except psycopg.OperationalError:
        return None


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_it_says_where_everything_answers_and_stops_cleanly(home: Path) -> None:
    pigou = RunningPigou(home)
    line = pigou.wait_until_said("^ready: ")
    assert re.findall(r"http://127\.0\.0\.1:\d+", line)[-1] == pigou.dashboard_url
    assert pigou.http_endpoint in line
    assert f"OTLP/gRPC {pigou.grpc_endpoint}" in line
    assert "database postgresql://" in line
    assert set(pigou.parts) == PARTS
    assert status(f"{pigou.http_endpoint}/health") == 200
    assert status(f"{pigou.dashboard_url}/health") == 200
    host, port = pigou.grpc_endpoint.split(":")
    socket.create_connection((host, int(port)), timeout=5).close()
    assert pigou.sql("select count(*) from ledger.calls") == [(0,)]
    processes = pigou.processes()
    began = time.monotonic()
    assert pigou.stop() == 0
    assert time.monotonic() - began < 12
    assert gone(processes)
    assert not (home / "run.json").exists()
    assert "FATAL" not in pigou.output


def test_it_is_small(running: RunningPigou) -> None:
    assert running.rss_mb() < RSS_MB_MAX
    assert psutil.Process(running.process.pid).memory_info().rss / 1e6 < SUPERVISOR_RSS_MB_MAX


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_part_that_is_killed_is_started_again(running: RunningPigou, name: str) -> None:
    first = running.parts
    psutil.Process(first[name]).kill()
    running.wait_until_said(rf"^pigou: {name} died \(SIGKILL\) and is started again$")
    within(lambda: running.parts.get(name, first[name]) != first[name])
    within(lambda: status(f"{running.http_endpoint}/health") == 200)
    within(lambda: status(f"{running.dashboard_url}/health") == 200)
    within(lambda: calls_counted(running) == [(0,)])
    assert {part: pid for part, pid in running.parts.items() if part != name} == {
        part: pid for part, pid in first.items() if part != name
    }


def test_nobody_outlives_a_supervisor_that_was_killed(home: Path) -> None:
    pigou = RunningPigou(home)
    processes = pigou.processes()
    assert len(processes) > len(PARTS)
    pigou.kill()
    within(lambda: gone(processes), 40)
    with RunningPigou(home) as again:  # the killed one's files are in nobody's way
        assert again.sql("select count(*) from ledger.calls") == [(0,)]


def test_everything_comes_back_after_everything_was_killed(home: Path) -> None:
    pigou = RunningPigou(home)
    pigou.sql("create table if not exists public.kept (answer integer)")
    pigou.sql("insert into public.kept values (42)")
    processes = pigou.processes()
    pigou.process.send_signal(signal.SIGSTOP)  # so that nothing is told of anything and nothing is started again
    for process in reversed(processes):
        with contextlib.suppress(psutil.NoSuchProcess):  # a backend may end with its server
            process.kill()
    pigou.kill()
    with RunningPigou(home) as again:
        assert again.sql("select max(answer) from public.kept") == [(42,)]


def test_a_second_one_on_the_same_home_is_refused(running: RunningPigou) -> None:
    refused = run_pigou("up", "--home", running.home, "--http-port", "0", "--grpc-port", "0", "--dashboard-port", "0")
    assert refused.returncode == 2
    assert refused.stderr == (
        f"pigou: another pigou (process {running.process.pid}) runs on {running.home}; stop it, or choose another --home\n"
    )
    assert status(f"{running.http_endpoint}/health") == 200


@pytest.mark.parametrize("option", ["--http-port", "--grpc-port", "--dashboard-port"])
def test_a_port_in_use_names_the_option(home: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = {"--http-port": "0", "--grpc-port": "0", "--dashboard-port": "0"} | {option: str(port)}
        refused = run_pigou("up", "--home", home, *(word for pair in options.items() for word in pair))
    assert refused.returncode == 2
    assert refused.stderr == f"pigou: port {port} is in use; choose another with {option} (0 takes a free one)\n"


def test_a_host_that_is_not_ours_names_the_option(home: Path) -> None:
    refused = run_pigou("up", "--home", home, "--host", "192.0.2.1")
    assert refused.returncode == 2
    assert refused.stderr == "pigou: '192.0.2.1' is not an address of this machine; change --host\n"


def test_it_runs_on_another_database_and_without_the_page(server: str, template: str, home: Path) -> None:
    options = ("--http-port", "0", "--grpc-port", "0", "--no-dashboard")
    with (
        cloned(server, template, "pigou_up_elsewhere") as url,
        RunningPigou(home, options=options, environment={"PIGOU_DATABASE_URL": url}) as pigou,
    ):
        assert set(pigou.parts) == {"collector", "analyzers"}
        assert pigou.dashboard_url == ""
        assert pigou.dsn == url
        assert pigou.sql("select current_database()::text, (select count(*) from ledger.calls)") == [("pigou_up_elsewhere", 0)]


def test_a_database_that_is_away_is_named(home: Path) -> None:
    url = "postgresql://nobody:s3cret@127.0.0.1:1/nothing"
    refused = run_pigou("up", "--home", home, "--http-port", "0", "--grpc-port", "0", "--dashboard-port", "0", url=url)
    assert refused.returncode == 1
    assert refused.stderr.startswith("pigou: the database does not answer")
    assert refused.stderr.count("\n") == 1
    assert "s3cret" not in refused.stderr


def test_a_signal_during_the_start_is_obeyed(home: Path) -> None:
    process = started("up", "--home", str(home), "--http-port", "0", "--grpc-port", "0", "--dashboard-port", "0")
    within(lambda: len(psutil.Process(process.pid).children()) >= 2)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    with process:
        assert process.wait(30) == 0
    assert gone(children)
