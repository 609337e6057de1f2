"""Processes that a benchmark starts: waiting until they answer, what they take, and ending all of them."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

_ENDS_WITHIN_S = 15.0


class Family:
    """A process we started with all that it started itself, even when a parent among them has ended since."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.log = log
        self._popen = popen
        self.root = psutil.Process(popen.pid)
        self._seen: set[psutil.Process] = {self.root}
        self._cpu_s: dict[psutil.Process, float] = {}

    @property
    def alive(self) -> bool:
        """Whether the process that we started still runs."""
        return self._popen.poll() is None

    def rss_mb(self) -> float:
        """Resident memory of all together, in units of 10^6 bytes; pages that they share count for each."""
        return sum(self._each(lambda process: process.memory_info().rss)) / 1e6

    def cpu_s(self) -> float:
        """Seconds of CPU that all of them have used; of one that has ended, what it had when last asked."""
        for process in self._members():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                times = process.cpu_times()
                self._cpu_s[process] = times.user + times.system
        return sum(self._cpu_s.values())

    def end(self) -> None:
        """Ask the first to end, then whoever is left, then insist."""
        members = self._members()
        with contextlib.suppress(psutil.NoSuchProcess):
            self.root.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_ENDS_WITHIN_S)
        for signal in (psutil.Process.terminate, psutil.Process.kill):
            for process in members:
                with contextlib.suppress(psutil.NoSuchProcess):
                    signal(process)
            psutil.wait_procs(members, timeout=_ENDS_WITHIN_S)
        self._popen.wait()

    def said(self) -> str:
        """The end of what they wrote to their log."""
        return self.log.read_text(errors="replace")[-3000:]

    def _members(self) -> list[psutil.Process]:
        """All that were ever seen and still run. A process is told by its start too, so that no reused id is taken for it."""
        for process in list(self._seen):
            with contextlib.suppress(psutil.NoSuchProcess):
                self._seen.update(process.children(recursive=True))
        return [process for process in self._seen if process.is_running()]

    def _each(self, ask: Callable[[psutil.Process], int]) -> Iterator[int]:
        for process in self._members():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                yield ask(process)


@contextmanager
def started(command: Sequence[str], home: Path, environment: Mapping[str, str]) -> Generator[Family]:
    """Run a command in a folder of its own, with this environment and no other, for the length of the block."""
    log = home / "log"
    with log.open("wb") as output:
        popen = subprocess.Popen(
            command,
            cwd=home,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    family = Family(popen, log)
    try:
        yield family
    finally:
        family.end()


def await_answer(family: Family, port: int, path: str, within_s: float) -> None:
    """Return once `path` on loopback answers 200. Raises RuntimeError with the process's last words when it does not."""
    deadline = time.monotonic() + within_s
    while family.alive and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    why = f"gave no answer within {within_s:.0f} s" if family.alive else "ended"
    raise RuntimeError(f"the server for http://127.0.0.1:{port}{path} {why}; it said:\n{family.said()}")


def free_port() -> int:
    """A port of loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
