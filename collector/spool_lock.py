"""Who owns a spool's folder, and the mark: what was acknowledged last and what was removed last.

The mark tells a spool that lost its end (its -wal file gone or cut) from one that was drained. It is written after the fsynced
commit and not fsynced itself: a mark that is late after a power loss only sees less, and it is never ahead of the data.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from collector.errors import SpoolInUse, SpoolUnwritable

_OWNER_BYTES = 32
_MARK_BYTES = 64


class Mark(NamedTuple):
    """The last id that was acknowledged, and the last up to which all were removed."""

    acknowledged: int = 0
    removed: int = 0


class SpoolLock:
    """Holds a folder for one process; the system lets go of it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        path = folder / "spool.lock"
        try:
            _make_folder(folder)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            mend = "give the collector a spool folder that it may write to"
            raise SpoolUnwritable(f"the spool's folder {folder} cannot be used: {error.strerror}", mend) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._fd, _OWNER_BYTES, 0).strip().decode("ascii", "replace")
            os.close(self._fd)
            mend = "stop that one, or give this collector a spool folder of its own"
            raise SpoolInUse(f"the spool in {folder} belongs to another collector ({owner})", mend) from None
        except OSError as error:
            os.close(self._fd)
            mend = "put the spool on a local disk whose files can be locked"
            raise SpoolUnwritable(f"the spool's folder {folder} cannot be locked: {error.strerror}", mend) from error
        with suppress(OSError):  # a full disk: the name is for people, the lock holds without it
            self._write(f"process {os.getpid()}", 0, _OWNER_BYTES)
        self.mark = self._read_mark()

    def set_mark(self, mark: Mark, durable: bool = False) -> None:
        """Write the mark; `durable` waits until it is on the disk."""
        self.mark = mark
        numbers = f"{mark.acknowledged} {mark.removed}"
        self._write(f"{numbers} {zlib.crc32(numbers.encode()):08x}", _OWNER_BYTES, _MARK_BYTES)
        if durable:
            os.fsync(self._fd)

    def release(self) -> None:
        """Let another process have the folder."""
        os.close(self._fd)

    def _read_mark(self) -> Mark:
        """The mark as it was left; one that is not whole counts as none, since it only helps to notice a loss."""
        words = os.pread(self._fd, _MARK_BYTES, _OWNER_BYTES).split()
        if len(words) == 3 and words[2] == b"%08x" % zlib.crc32(b" ".join(words[:2])):
            return Mark(int(words[0]), int(words[1]))
        return Mark()

    def _write(self, line: str, offset: int, size: int) -> None:
        os.pwrite(self._fd, line.ljust(size - 1).encode() + b"\n", offset)


def sync_folder(folder: Path) -> None:
    """Make names that were given, changed or taken away in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _make_folder(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)
