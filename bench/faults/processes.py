"""Processes of ours that must end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import psutil


def outliving(processes: Sequence[psutil.Process], within_s: float) -> list[psutil.Process]:
    """Those that still run after this time. One that ended and that nobody has collected yet (a zombie) does not run."""
    deadline = time.monotonic() + within_s
    while alive := [process for process in processes if _runs(process)]:
        if time.monotonic() > deadline:
            return alive
        time.sleep(0.05)
    return []


def kill(processes: Sequence[psutil.Process]) -> None:
    """kill -9 of each that is still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
