"""Several parts as one: started together, probed until they answer, restarted when they die, stopped.

One thread and no imports beyond the standard library: this process lives as long as the installation does.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from cli.errors import CommandError

DEATHS_MAX = 5
DEATHS_WINDOW_S = 60.0
BACKOFF_S = (0.0, 0.2, 0.5, 1.0, 2.0)
GRACE_S = 7.0
_TICK_S = 0.1
_SPOKEN_LEVELS = re.compile(rb"\b(ERROR|CRITICAL|PANIC)\b")


class Logs(Protocol):
    """Where the parts' output goes (a Home)."""

    def open_log(self, name: str) -> IO[bytes]:
        """The log of one part, opened to append."""
        ...


@dataclass(frozen=True)
class Part:
    """One process of the installation."""

    name: str
    spawn: Callable[[IO[bytes]], subprocess.Popen[bytes]]
    answers: Callable[[], bool] = lambda: True
    arguments: tuple[str, ...] | None = None  # sent once the database is there; None: the part waits for nothing
    stop_signal: signal.Signals = signal.SIGTERM
    once: bool = False  # runs to its end instead of staying


@dataclass
class _Child:
    """A part's process of the moment, and how often it died lately."""

    part: Part
    log: IO[bytes]
    process: subprocess.Popen[bytes] | None = None
    shown: int = 0  # bytes of the log that were looked at
    deaths: list[float] = field(default_factory=list[float])
    restart_at: float = 0.0
    held: bool = False  # has not been given its arguments: what it needs is not there yet

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Stopped(Exception):
    """A signal asked the installation to stop."""


class Supervisor:
    """Runs parts; `say` shows one line to the person at the terminal."""

    def __init__(self, logs: Logs, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._children: dict[str, _Child] = {}
        self._wake = -1

    @contextlib.contextmanager
    def signals(self) -> Generator[None]:
        """In the block SIGTERM, SIGINT and SIGHUP raise Stopped from `step`; a second one ends the grace."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        self._wake = reader
        earlier = {number: signal.signal(number, self._on_signal) for number in _STOPPING}
        earlier_wakeup = signal.set_wakeup_fd(writer)
        try:
            yield
        finally:
            signal.set_wakeup_fd(earlier_wakeup)
            for number, handler in earlier.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)
            self._wake = -1

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the parts that run."""
        return {name: child.process.pid for name, child in self._children.items() if child.process and child.alive}

    def start(self, part: Part, *, held: bool = False) -> None:
        """Start a part. With `held` it may import already but waits for `release`."""
        log = self._logs.open_log(part.name)
        child = _Child(part, log, shown=log.tell(), held=held)
        self._children[part.name] = child
        self._spawn(child)

    def release(self, name: str) -> None:
        """Give a held part its arguments: what it needs is there."""
        child = self._children[name]
        child.held = False
        _send_arguments(child)

    def wait_for(self, names: Sequence[str], timeout_s: float, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Watch until all the named parts answer (a part that runs once: until it has ended well).

        Raises CommandError when one fails or the time is up, Stopped when a signal came.
        """
        deadline = time.monotonic() + timeout_s
        waiting = list(names)
        while waiting:
            self.step()
            meanwhile()
            waiting = [name for name in waiting if not self._done_or_answers(self._children[name])]
            if waiting and time.monotonic() > deadline:
                raise CommandError(f"{waiting[0]} does not answer after {timeout_s:.0f} s", self.where(waiting[0]))

    def step(self) -> None:
        """Wait a moment, show new errors, restart what died.

        Raises Stopped when a signal came, CommandError when a part keeps dying.
        """
        self._wait(_TICK_S)
        now = time.monotonic()
        for child in self._children.values():
            self._show_errors(child)
            if child.alive or (child.part.once and child.process and child.process.returncode == 0):
                continue
            if child.process is not None:
                self._note_death(child, now)
            elif now >= child.restart_at:
                self._spawn(child)

    def stop(self, last: str) -> None:
        """End the parts, `last` after all the others; what does not end within the grace is killed."""
        groups = ([name for name in self._children if name != last], [name for name in self._children if name == last])
        for group in groups:
            children = [self._children[name] for name in group]
            for child in children:
                if child.process and child.alive:
                    child.process.send_signal(child.part.stop_signal)
            deadline = time.monotonic() + GRACE_S
            while any(child.alive for child in children) and time.monotonic() < deadline:
                try:
                    self._wait(0.02)
                except Stopped:
                    deadline = 0.0
            for child in children:
                if child.process and child.alive:
                    self._say(f"{child.part.name} did not stop within {GRACE_S:.0f} s and is killed")
                    child.process.kill()
                self._close(child)
        self._children.clear()

    def where(self, name: str) -> str:
        """Where to read on about a part."""
        return f"see {self._children[name].log.name}"

    def _done_or_answers(self, child: _Child) -> bool:
        if child.part.once:
            return child.process is not None and child.process.poll() == 0
        return child.alive and child.part.answers()

    def _spawn(self, child: _Child) -> None:
        child.process = child.part.spawn(child.log)
        if not child.held:
            _send_arguments(child)

    def _note_death(self, child: _Child, now: float) -> None:
        """Plan the restart of a part that died, or give up on it."""
        if child.process is None:
            return
        code = child.process.returncode
        self._show_errors(child)
        self._close_pipe(child)
        child.process = None
        name, last = child.part.name, _last_line(child.log)
        if child.part.once:
            raise CommandError(last or f"{name} failed (exit {code})", self.where(name))
        child.deaths = [at for at in child.deaths if now - at < DEATHS_WINDOW_S] + [now]
        times = len(child.deaths)
        if times >= DEATHS_MAX:
            said = f": {last}" if last else ""
            raise CommandError(f"{name} died {times} times within a minute{said}", self.where(name))
        child.restart_at = now + BACKOFF_S[times - 1]
        self._say(f"{name} died ({_ending(code)}) and is started again")

    def _close(self, child: _Child) -> None:
        if child.process:
            child.process.wait()
        self._close_pipe(child)
        child.log.close()

    @staticmethod
    def _close_pipe(child: _Child) -> None:
        if child.process and child.process.stdin:
            with contextlib.suppress(BrokenPipeError):
                child.process.stdin.close()

    def _show_errors(self, child: _Child) -> None:
        """Lines of level ERROR and above that the part has logged since we last looked."""
        size = os.fstat(child.log.fileno()).st_size
        if size <= child.shown:
            return
        with Path(child.log.name).open("rb") as log:
            log.seek(child.shown)
            text = log.read(size - child.shown)
        whole = text.rpartition(b"\n")[0]
        child.shown += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            if _SPOKEN_LEVELS.search(line) and not (child.part.name == "postgres" and b"PANIC" not in line):
                self._say(f"{child.part.name}: {line.decode(errors='replace').strip()}")

    def _wait(self, seconds: float) -> None:
        if self._wake < 0:
            time.sleep(seconds)
        elif select.select([self._wake], [], [], seconds)[0] and set(os.read(self._wake, 64)) & set(_STOPPING):
            raise Stopped

    def _on_signal(self, number: int, frame: object) -> None:
        """The number is in the wake-up pipe already; having a handler keeps the default action away."""


def _send_arguments(child: _Child) -> None:
    if child.process and child.process.stdin and child.part.arguments is not None:
        with contextlib.suppress(BrokenPipeError):
            child.process.stdin.write(json.dumps(child.part.arguments).encode() + b"\n")
            child.process.stdin.flush()


_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def module_part(
    name: str,
    module: str,
    arguments: Sequence[str],
    *,
    answers: Callable[[], bool] = lambda: True,
    once: bool = False,
) -> Part:
    """A part that is a Python module of ours, run through cli/part.py: it cannot outlive its supervisor."""

    def spawn(log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "cli.part", module],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": _import_path()},
            start_new_session=True,  # a Ctrl-C at the terminal is for the supervisor alone
        )

    return Part(name, spawn, answers=answers, arguments=tuple(arguments), once=once)


def answers_http(host: str, port: int, path: str = "/health") -> Callable[[], bool]:
    """Whether GET http://host:port/path is answered with 200."""

    def ask() -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=1.0)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ask


def answers_tcp(host: str, port: int) -> Callable[[], bool]:
    """Whether something listens on host:port."""

    def ask() -> bool:
        try:
            with socket.create_connection((host, port), timeout=1.0):
                return True
        except OSError:
            return False

    return ask


def _import_path() -> str:
    """Where this package was imported from comes first, so that a part is of the same installation."""
    here = str(Path(__file__).resolve().parents[1])
    given = os.environ.get("PYTHONPATH")
    return f"{here}{os.pathsep}{given}" if given else here


def _last_line(log: IO[bytes]) -> str:
    with Path(log.name).open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
