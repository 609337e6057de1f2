"""`python -m bench.guard`: cleans up after a harness that was itself killed, and so could not.

It is told on standard input what the harness starts, and does nothing until that input ends. A harness that ends in order has
ended everything by then; otherwise (kill -9, a test's time limit) its processes are killed and its folders removed.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil


class Guard:
    """The guard of this process, as a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.guard"], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def __enter__(self) -> Self:
        """The guard goes home at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let it find nothing left to do."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)

    def process(self, pid: int) -> None:
        """A process that must not outlive this one."""
        self._tell(f"process {pid}")

    def folder(self, path: Path) -> None:
        """A folder that must not stay, and what is mounted in it."""
        self._tell(f"folder {path}")

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()


def main() -> None:
    """Remember what is told until the input ends, then end and remove what is left of it."""
    processes: list[psutil.Process] = []
    folders: list[Path] = []
    for line in sys.stdin:
        what, _, name = line.rstrip("\n").partition(" ")
        if what == "folder":
            folders.append(Path(name))
        else:
            with contextlib.suppress(psutil.NoSuchProcess):  # psutil remembers when it began: an id given again is another's
                processes.append(psutil.Process(int(name)))
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in (*process.children(recursive=True), process):
                each.kill()
    left = [folder for folder in folders if folder.is_dir()]
    for mounted in [part.mountpoint for part in psutil.disk_partitions(all=True)] if left else []:
        if any(Path(mounted).is_relative_to(folder) for folder in left):
            subprocess.run(["umount", "--lazy", mounted], capture_output=True, check=False)
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
