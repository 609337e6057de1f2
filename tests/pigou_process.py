"""A whole Pigou as a user starts it: `pigou up` as a process, on free ports, in a home of its own."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pkgutil
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg

import cli
from tests.forked import forking, run_forked

READY_WITHIN_S = 100.0
FREE_MB_MIN = 2500
RSS_MB_MAX = 500  # what an installation may weigh, idle and after a play; an appraisal, which comes and goes, adds to it


class RunningPigou:
    """A started installation. `output` is everything it said, both streams in order."""

    def __init__(
        self,
        home: Path,
        *,
        command: Sequence[str] = ("up",),
        options: Sequence[str] = ("--http-port", "0", "--grpc-port", "0", "--dashboard-port", "0"),
        environment: dict[str, str] | None = None,
        ready_within_s: float = READY_WITHIN_S,
    ) -> None:
        """Start it and wait until it is ready. Raises RuntimeError with what it said when it does not get there."""
        self.home = home
        self.output = ""
        began = time.monotonic()
        self.process = started(*command, "--home", str(home), *options, environment=environment)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._wait_for_ready(began + ready_within_s)
        self.ready_after_s = time.monotonic() - began
        addresses = json.loads((home / "run.json").read_text())
        self.dsn: str = addresses["dsn"]
        self.http_endpoint: str = addresses["http_url"]
        self.grpc_endpoint: str = addresses["grpc_address"]
        self.dashboard_url: str = addresses["dashboard_url"] or ""

    def __enter__(self) -> Self:
        """The installation is stopped at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, unless the test did."""
        self.stop()

    @property
    def parts(self) -> dict[str, int]:
        """Process ids by part, as run.json says them now."""
        return json.loads((self.home / "run.json").read_text())["parts"]

    def sql(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of a statement, run as the database's owner; none when it answers none."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def rss_mb(self) -> float:
        """Resident memory of every process of the installation, added up: what they share counts for each."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):  # a backend may end at any time
                total += process.memory_info().rss
        return total / 1e6

    @property
    def is_appraising(self) -> bool:
        """Whether a process that appraises, which comes and goes, is there."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if "--appraise" in process.cmdline():
                    return True
        return False

    def stop(self, within_s: float = 15.0) -> int:
        """Ask it to stop and answer its exit code. Kills it, and says so, when it does not."""
        if self.process.returncode is not None:
            return self.process.returncode
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"it did not stop within {within_s} s; it said:\n{self.output}") from None
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the supervisor as it is (SIGKILL); its parts are on their own."""
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        if self.process.stdout:
            self.process.stdout.close()

    def wait_until_said(self, pattern: str, within_s: float = 30.0) -> str:
        """Wait for a line that matches and answer it."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            for line in self.output.splitlines():
                if re.search(pattern, line):
                    return line
            time.sleep(0.05)
        raise RuntimeError(f"no line like {pattern!r} within {within_s} s; it said:\n{self.output}")

    def _wait_for_ready(self, deadline: float) -> None:
        while not re.search(r"^ready: .*$", self.output, re.MULTILINE):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"pigou did not get ready (exit {self.process.poll()}); it said:\n{self.output}")
            time.sleep(0.05)

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.output += line


@contextlib.contextmanager
def new_folder() -> Generator[Path]:
    """An empty folder, removed afterwards; in memory where there is room, since making databases is mostly making files.

    Not pytest's: run as root, PostgreSQL's own user must pass through the folders above its data, and every pytest
    that starts closes the folder of all of them again.
    """
    with tempfile.TemporaryDirectory(prefix="pigou-test-", dir=_roomy_memory(), ignore_cleanup_errors=True) as name:
        yield Path(name)


def _roomy_memory() -> Path | None:
    """The file system in memory, when this machine has one that holds what the tests need (under 1 GB at a time)."""
    memory = Path("/dev/shm")
    try:
        free_mb = min(shutil.disk_usage(memory).free, psutil.virtual_memory().available / 2) / 1e6
    except OSError:
        return None
    return memory if free_mb > FREE_MB_MIN and os.access(memory, os.W_OK | os.X_OK) else None


@contextlib.contextmanager
def copy_of(home: Path) -> Generator[Path]:
    """A home of the test's own that begins as another (which nothing runs on) ended. Removed afterwards."""
    with new_folder() as folder:
        copied = folder / "home"
        subprocess.run(["cp", "-Rp", home, copied], check=True)
        yield copied


def started(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """A command that goes on, with both its output streams in one pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment() | (environment or {}),
        start_new_session=True,
    )


def run_pigou(
    *arguments: str | Path,
    home: Path | None = None,
    url: str | None = None,
    token: str | None = None,
    stdin: str = "",
    timeout_s: float = 60.0,
) -> subprocess.CompletedProcess[str]:
    """One command run to its end, on a home or on another database, with a credential or without."""
    named = {"PIGOU_HOME": str(home) if home else None, "PIGOU_DATABASE_URL": url, "PIGOU_TOKEN": token}
    environment = clean_environment() | {name: value for name, value in named.items() if value}
    return run_forked(_commands(), "cli", [str(word) for word in arguments], environment, Path.cwd(), timeout_s, stdin)


@functools.cache
def _commands() -> ForkServerContext:
    """A fork server that has imported what the commands are made of."""
    return forking([f"cli.{module.name}" for module in pkgutil.iter_modules(cli.__path__) if module.name != "__main__"])


def clean_environment() -> dict[str, str]:
    """The environment without what would steer Pigou or its database."""
    root = Path(__file__).resolve().parents[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIGOU_", "PG", "OTEL_"))}
    return kept | {"PYTHONPATH": str(root)}
