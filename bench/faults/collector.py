"""One collector process, kept alive as the supervisor of an installation keeps it."""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from bench.faults.processes import kill, outliving
from bench.guard import Guard

_BACKOFF_S = 0.2
_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 40.0
_ORPHANS_END_WITHIN_S = 10.0
_SHOWN_LINES = 6


@functools.cache
def options(module: str) -> str:
    """What the program says it can be told."""
    said = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, timeout=60, check=True)
    return said.stdout


def keeps_a_spool(module: str) -> bool:
    """Whether acknowledged exports can wait on disk while the database is away."""
    return "--spool " in options(module)


class Collector:
    """`python -m MODULE` on ports of its own, started again whenever it dies until it is stopped."""

    def __init__(
        self,
        module: str,
        dsn: str,
        folder: Path,
        guard: Guard,
        *,
        slot: int = 0,
        spool: Path | None = None,
        spool_limit_bytes: int | None = None,
        file_limit_bytes: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.port, grpc_port = _free_ports(2)
        self.spool = (spool or folder / f"spool-{slot}") if keeps_a_spool(module) else None
        self.deaths: list[str] = []
        """Why it ended whenever nobody had asked it to."""
        self._guard = guard
        self._file_limit_bytes = file_limit_bytes
        self._environment = {**os.environ, **(environment or {})}
        self._log_path = folder / f"collector-{slot}.log"
        self._command = [sys.executable, "-m", module, "--dsn", dsn, "--slot", str(slot)]
        self._command += ["--http-port", str(self.port), "--grpc-port", str(grpc_port)]
        if self.spool is not None:
            self._command += ["--spool", str(self.spool)]
            if spool_limit_bytes is not None:
                self._command += ["--spool-limit-bytes", str(spool_limit_bytes)]
        if "--keep-content " in options(module):
            self._command += ["--keep-content"]
        if "--workers " in options(module):
            self._command += ["--workers", "2"]
        self._process: subprocess.Popen[bytes] | None = None
        self._expected_end = True
        self._was_ready = False
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._orphans: list[psutil.Process] = []

    def start(self) -> None:
        """Start it; it is not ready when this returns."""
        self._keeper.start()

    def await_start(self) -> None:
        """Wait until it says that it stores exports. Raises RuntimeError when it does not get there."""
        if not self.wait_until_ready():
            self.kill()
            raise RuntimeError(f"the collector did not become ready within {_READY_WITHIN_S:.0f} s:\n{self.last_words()}")

    def wait_until_ready(self, within_s: float = _READY_WITHIN_S) -> bool:
        """Wait until it answers that it is healthy."""
        deadline = time.monotonic() + within_s
        while not self._healthy():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def kill(self) -> None:
        """kill -9 of the process alone; its workers are on their own."""
        with self._lock:
            self._expected_end = True
            if self._process is not None:
                self._orphans += self.workers()
                self._process.kill()
                self._process.wait()

    def restart(self) -> None:
        """Ask it to end (SIGTERM), as an upgrade does; the next one is started by its keeper."""
        with self._lock:
            self._expected_end = True
            if self._process is not None:
                self._process.terminate()

    def workers(self) -> list[psutil.Process]:
        """Its child processes that may be parsing exports."""
        if self._process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._process.pid).children(recursive=True)
            return [child for child in children if not _is_tracker(child)]
        return []

    def stop(self) -> list[str]:
        """End it in order and answer what went wrong: an exit that was not 0, a process that stayed behind."""
        self._stopping.set()
        self._keeper.join()
        wrong = list(self.deaths)
        if self._process is not None:
            below = self.workers()
            if self._process.poll() is None:
                self._process.terminate()
            try:
                code = self._process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                wrong.append(f"the collector did not end within {_STOP_WITHIN_S:.0f} s of SIGTERM")
                self._process.kill()
                code = self._process.wait()
            else:
                if code != 0:
                    wrong.append(f"the collector ended with exit code {code}: {self.last_words()}")
            wrong += self._end_orphans(below)
        return wrong

    def close(self) -> None:
        """End whatever is left of it, without asking."""
        self._stopping.set()
        if self._keeper.is_alive():
            self._keeper.join()
        if self._process is not None and self._process.poll() is None:
            self._orphans += self.workers()
            self._process.kill()
            self._process.wait()
        self._end_orphans([])

    def last_words(self) -> str:
        """The last lines of its log."""
        lines = self._log_path.read_text(errors="replace").splitlines() if self._log_path.exists() else []
        return " | ".join(lines[-_SHOWN_LINES:])

    def _keep(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                if self._process is None or self._process.poll() is not None:
                    self._note_death()
                    self._spawn()
                elif not self._was_ready:
                    self._was_ready = self._healthy()
            self._stopping.wait(_BACKOFF_S)

    def _note_death(self) -> None:
        """One that cannot start while the database is away may try again; one that had been ready must not end by itself."""
        if self._process is not None and not self._expected_end and self._was_ready:
            self.deaths.append(f"the collector ended by itself (exit code {self._process.returncode}): {self.last_words()}")

    def _spawn(self) -> None:
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )
        self._guard.process(self._process.pid)
        if self._file_limit_bytes is not None:
            with contextlib.suppress(ProcessLookupError):
                limits = (self._file_limit_bytes, self._file_limit_bytes)
                resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, limits)
        self._expected_end = self._was_ready = False

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _end_orphans(self, below: Sequence[psutil.Process]) -> list[str]:
        """Processes below a collector that ended must end too; the ones that do not are told of, and killed."""
        alive = outliving([*self._orphans, *below], _ORPHANS_END_WITHIN_S)
        kill(alive)
        self._orphans = []
        return [f"process {process.pid} outlived its collector by more than {_ORPHANS_END_WITHIN_S:.0f} s" for process in alive]


def _is_tracker(process: psutil.Process) -> bool:
    """multiprocessing's own helper, which parses nothing."""
    try:
        return "resource_tracker" in " ".join(process.cmdline())
    except psutil.Error:
        return True


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
