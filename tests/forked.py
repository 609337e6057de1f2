"""Programs as processes of their own that need not import everything again.

A test of many short commands spends most of its time importing the same modules. Here a process of multiprocessing's fork server,
which has imported them, forks for each; what it forks has descriptors, environment, folder and exit code of its own, like a
process that was started afresh. Needs the standard library only, so that it runs in any interpreter.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Self


def forking(modules: Sequence[str]) -> ForkServerContext:
    """A fork server that imports these; it starts with the first program and ends with this process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*modules])
    return context


def run_forked(
    context: ForkServerContext,
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    timeout_s: float,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """A program (a module, or the path of a script) run to its end.

    Raises: subprocess.TimeoutExpired, once it was killed.
    """
    with tempfile.TemporaryDirectory(prefix="pigou-forked-") as name:
        streams = [Path(name) / stream for stream in ("stdin", "stdout", "stderr")]
        streams[0].write_text(stdin, encoding="utf-8")
        process = context.Process(target=_become, args=(program, list(arguments), dict(environment), folder, streams))
        process.start()
        process.join(timeout_s)
        command = [program, *arguments]
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, timeout_s)
        said = [stream.read_text(encoding="utf-8") if stream.exists() else "" for stream in streams[1:]]
        return subprocess.CompletedProcess(command, process.exitcode, *said)


def _become(program: str, arguments: list[str], environment: dict[str, str], folder: Path, streams: list[Path]) -> None:
    """In the fork: be that program, as `python -m` or `python FILE` would begin it."""
    for number, (stream, how) in enumerate(
        zip(streams, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT | os.O_APPEND] * 2), strict=True)
    ):
        opened = os.open(stream, how, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - multiprocessing gave it /dev/null
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = [program, *arguments]
    try:
        if program.endswith(".py"):
            sys.path[0] = str(Path(program).parent)
            runpy.run_path(program, run_name="__main__")
        else:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
    finally:  # multiprocessing leaves these out, and exporters flush in them
        atexit._run_exitfuncs()


class Elsewhere:
    """A fork server of another interpreter, with what it imports."""

    def __init__(self, python: Path, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        command = [python, Path(__file__), *modules]
        self._driver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environment))

    def __enter__(self) -> Self:
        """It ends with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and what it still runs."""
        self._driver.communicate()

    def run(
        self, program: Path, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """A script run to its end. Raises: subprocess.TimeoutExpired, once it was killed."""
        if self._driver.stdin is None or self._driver.stdout is None:
            raise RuntimeError("the driver has no pipes")
        asked = [str(program), list(arguments), dict(environment), str(folder), timeout_s]
        self._driver.stdin.write(json.dumps(asked) + "\n")
        self._driver.stdin.flush()
        code, out, err = json.loads(self._driver.stdout.readline())
        command = [str(program), *arguments]
        if code is None:
            raise subprocess.TimeoutExpired(command, timeout_s)
        return subprocess.CompletedProcess(command, code, out, err)


def _drive(modules: Sequence[str]) -> None:
    """In the other interpreter: run what is asked for, a line each, until no more is."""
    context = forking(modules)
    for line in sys.stdin:
        program, arguments, environment, folder, timeout_s = json.loads(line)
        try:
            done = run_forked(context, program, arguments, environment, Path(folder), timeout_s)
            answer = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            answer = None, "", ""
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _drive(sys.argv[1:])
