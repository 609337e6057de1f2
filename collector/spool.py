"""The spool: exports that were acknowledged while PostgreSQL is away or slow, on local disk until they are in the books.

What `append` returned for survives kill -9 and power loss; drained twice is harmless, since books are idempotent. Damage never
stops the collector: a damaged file is set aside, and its intact exports go on in a new one. See docs/decisions/.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple, TypeVar

from collector import spool_file
from collector.errors import SpoolFull, SpoolUnwritable
from collector.export import Export
from collector.spool_file import PAGE_BYTES, DamagedRow, Row, Spooled, SpoolFile, row_of, spooled
from collector.spool_lock import Mark, SpoolLock, sync_folder

log = logging.getLogger("pigou.collector.spool")

GIB = 1024**3
_KEPT_BYTES = 8 * 1024**2
_SALVAGED_AGAIN_S = 5.0
_SET_ASIDE_MAX = 3
_ROW_BYTES = 256  # an export's other fields, generously
_SALVAGE_GROUP_BYTES = 8 * 1024**2
_ANY = "spool-" + 6 * "[0-9]"

T = TypeVar("T")


class SpoolDepth(NamedTuple):
    """What waits. `damaged` counts losses: files set aside, those still in the folder from earlier runs included."""

    exports: int
    size_bytes: int
    oldest_age_s: float | None
    damaged: int


class Spool:
    """A folder of exports in the order of their arrival, owned by one process. Every method may be called from any thread.

    One connection under one lock: a batch is read in milliseconds, and a removal waits for no disk, so that appends hardly wait.
    Raises SpoolInUse when another process owns the folder, SpoolUnwritable when there can be no folder or lock. A disk that
    refuses the rest is told by the methods, until it does not.
    """

    def __init__(self, folder: Path, limit_bytes: int = GIB, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._owner = SpoolLock(folder)
        self._file: SpoolFile | None = None
        self._closed = False
        self._proved = False
        self._last_id = 0
        self._drained: set[int] = set()
        self._waiting: tuple[int, int, int | None] = (0, 0, None)
        self._damaged = len(self._set_aside())
        self._salvage_at = 0.0
        try:
            self._usable()
        except SpoolUnwritable as error:
            log.warning("%s", error)

    def append(self, exports: Sequence[Export]) -> None:
        """Keep exports, in their order, in one transaction: on the disk when this returns, or not kept at all.

        Raises SpoolFull or SpoolUnwritable.
        """
        if not exports:
            return
        with self._lock:
            needed = sum(-(-(len(e.body) + _ROW_BYTES) // PAGE_BYTES) + 1 for e in exports) * PAGE_BYTES
            self._attempt(lambda file: self._make_room(file, needed))
            now = self._clock_ns()
            rows = [row_of(self._last_id + n, now, export) for n, export in enumerate(exports, 1)]
            self._attempt(lambda file: file.append(rows))
            self._last_id += len(rows)
            self._set_mark(self._owner.mark._replace(acknowledged=self._last_id))
            count, size, oldest = self._waiting
            self._waiting = count + len(rows), size + sum(len(e.body) for e in exports), now if oldest is None else oldest

    def oldest(self, limit_exports: int, limit_bytes: int, after_id: int = 0) -> list[Spooled]:
        """The oldest exports after an id, in order, until a limit is met (bytes of bodies); at least one when there is any.

        They stay until `remove`. Raises SpoolUnwritable when the disk does not let them be read.
        """
        with self._lock:
            rows = self._attempt(lambda file: self._read(file, limit_exports, limit_bytes, after_id))
        # Checksums take longer than reading, so that they are proved while others may append.
        batch = [spooled(row) for row in takewhile(lambda row: row.intact, rows)]
        if batch or not rows:
            return batch  # what is before a damaged row is drained first
        with self._lock:
            return self._attempt(lambda file: self._proved_batch(self._read(file, limit_exports, limit_bytes, after_id)))

    def remove(self, ids: Collection[int]) -> None:
        """Forget exports that are in the books. Never fails for the disk's sake: what cannot be removed yet is not read again."""
        with self._lock:
            try:
                self._attempt(lambda file: self._count_off(file, ids))
                self._attempt(lambda file: file.remove(sorted(self._drained)))
                self._drained.clear()
                self._attempt(self._find_oldest)
            except SpoolUnwritable as error:
                log.warning("%s drained exports stay in the spool for now: %s", len(self._drained), error)
            if self._waiting[0] == 0 and self._file is not None:
                self._waiting = 0, 0, None
                self._start_afresh_if_large(self._file)

    @property
    def depth(self) -> SpoolDepth:
        """What waits; asks neither the disk nor the lock."""
        exports, size_bytes, oldest = self._waiting
        age_s = None if oldest is None else max(0, self._clock_ns() - oldest) / 1e9
        return SpoolDepth(exports, size_bytes, age_s, self._damaged)

    def close(self) -> None:
        """Let go of the folder; what waits is drained after the next opening. What is asked later is SpoolUnwritable."""
        with self._lock:
            self._let_go()
            if not self._closed:
                self._closed = True
                self._owner.release()

    # ── using the file ───────────────────────────────────────────────────────────────────────────────

    def _attempt(self, work: Callable[[SpoolFile], T]) -> T:
        """Work on the file. What finds damage is done again on a new file; an error of the disk is SpoolUnwritable."""
        try:
            file = self._usable()
            try:
                return work(file)
            except (sqlite3.DatabaseError, DamagedRow) as error:
                if not isinstance(error, DamagedRow) and not spool_file.is_damage(error):
                    raise
                self._file, self._proved = None, False
                return work(self._replace(file.path, str(error), file))
        except sqlite3.ProgrammingError:
            raise  # a mistake of ours, not the disk's
        except (sqlite3.DatabaseError, OSError, DamagedRow) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                self._let_go()  # a file that was opened for reading only stays so until it is opened again
            raise self._refused(error) from error

    def _usable(self) -> SpoolFile:
        if self._closed:
            raise SpoolUnwritable(f"the spool in {self._folder} is closed", "start the collector again")
        if self._file is None:
            try:
                self._file = self._open()
            except (sqlite3.DatabaseError, OSError) as error:
                raise self._refused(error) from error
        return self._file

    def _refused(self, error: Exception) -> SpoolUnwritable:
        mend = "make room on its disk, or see what keeps it from being written"
        return SpoolUnwritable(f"the spool in {self._folder} cannot be used: {error}", mend)

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _make_room(self, file: SpoolFile, needed: int) -> None:
        """Raises SpoolFull when the limit does not leave the bytes needed."""
        if file.size_bytes(needed) > self._limit_bytes:
            file.checkpoint()
            if file.size_bytes(needed) > self._limit_bytes:
                mend = "it empties by itself once the database answers; a higher spool_limit_bytes holds more"
                raise SpoolFull(f"{needed} bytes more do not fit into the spool's {self._limit_bytes}", mend)

    def _read(self, file: SpoolFile, limit_exports: int, limit_bytes: int, after_id: int) -> list[Row]:
        batch: list[Row] = []
        size = 0
        with closing(file.rows_after(after_id)) as rows:
            for row in rows:
                if row.id in self._drained:
                    continue
                # The body of a damaged row may be anything; it is not measured by its bytes then.
                size += len(row.body) if isinstance(row.body, bytes) else 0
                if batch and (len(batch) >= limit_exports or size > limit_bytes):
                    break
                batch.append(row)
        return batch

    def _proved_batch(self, rows: list[Row]) -> list[Spooled]:
        if rows and not rows[0].intact:
            raise DamagedRow(f"the checksum of export {rows[0].id} does not hold")
        return [spooled(row) for row in takewhile(lambda row: row.intact, rows)]

    def _count_off(self, file: SpoolFile, ids: Collection[int]) -> None:
        for id_ in set(ids) - self._drained:
            size = file.body_bytes(id_)
            if size is not None:
                self._drained.add(id_)
                self._waiting = self._waiting[0] - 1, self._waiting[1] - size, self._waiting[2]

    def _find_oldest(self, file: SpoolFile) -> None:
        id_, received_at = file.oldest(self._drained) or (self._last_id + 1, None)
        self._waiting = *self._waiting[:2], received_at
        self._set_mark(self._owner.mark._replace(removed=id_ - 1))

    def _set_mark(self, mark: Mark, durable: bool = False) -> None:
        try:
            self._owner.set_mark(mark, durable)
        except OSError as error:  # a mark that is late only notices less; the exports are safe
            log.warning("the spool's mark could not be written: %s", error)

    def _start_afresh_if_large(self, file: SpoolFile) -> None:
        """Give the space back. Taking the file away needs no room on a full disk, which shrinking it would."""
        try:
            if not self._drained and file.size_bytes() <= _KEPT_BYTES:
                return
            self._set_mark(Mark(self._last_id, self._last_id), durable=True)
            spool_file.delete(file.path)
            sync_folder(self._folder)  # before a new file may take the name
        except (sqlite3.DatabaseError, OSError) as error:
            log.warning("the drained spool keeps its space for now: %s", error)
            return
        self._let_go()
        self._drained.clear()
        try:
            self._usable()
        except SpoolUnwritable as error:
            log.warning("%s", error)

    # ── opening, and what to do about damage ─────────────────────────────────────────────────────────

    def _open(self) -> SpoolFile:
        """Open what an earlier run left, or begin. Raises sqlite3.DatabaseError or OSError when the disk refuses."""
        if time.monotonic() < self._salvage_at:
            raise OSError("it is damaged, and a new file could not be made a moment ago")
        self._sweep()
        *superseded, path = [None, *sorted(self._folder.glob(f"{_ANY}.db"))]
        for old in filter(None, superseded):
            self._note_damage(f"{old.name} was being set aside when the collector ended")
            self._move_aside(old)
        orphans = [wal for wal in self._folder.glob(f"{_ANY}.db-wal") if not spool_file.of_wal(wal).exists()]
        for wal in orphans:
            self._note_damage(f"{wal.name} is without its file")
            self._move_aside(spool_file.of_wal(wal))
        mark = self._owner.mark
        self._last_id = max(self._last_id, *mark)
        if path is not None:
            return self._proven(path, mark)
        if mark.removed < mark.acknowledged and not orphans:
            self._note_damage(f"its file is gone, with at most {mark.acknowledged - mark.removed} exports")
        path = self._next_path()
        spool_file.create(path, self._last_id)
        self._set_mark(Mark(self._last_id, self._last_id))
        return self._settled(SpoolFile(path))

    def _proven(self, path: Path, mark: Mark) -> SpoolFile:
        """Open a file; unless it was done since the start, prove that it is whole before anything is written to it."""
        if self._proved:
            return self._settled(SpoolFile(path))
        if not spool_file.has_sound_header(path):
            return self._replace(path, "its header is not a spool's", None)
        file = SpoolFile(path)
        try:
            problem = file.problem()
            if problem is None and (last := max(file.last_id(), mark.removed)) < mark.acknowledged:
                problem = f"it ends at {last}, though exports up to {mark.acknowledged} were acknowledged"
        except sqlite3.DatabaseError:
            file.close()
            raise
        return self._settled(file) if problem is None else self._replace(path, problem, file)

    def _settled(self, file: SpoolFile) -> SpoolFile:
        self._file, self._proved = file, True
        self._last_id = max(self._last_id, file.last_id())
        exports, size_bytes = file.held()
        sizes = [size for id_ in self._drained if (size := file.body_bytes(id_)) is not None]
        _, received_at = file.oldest(self._drained) or (0, None)
        self._waiting = exports - len(sizes), size_bytes - sum(sizes), received_at
        return file

    def _replace(self, path: Path, problem: str, damaged: SpoolFile | None) -> SpoolFile:
        """Move the intact exports of a damaged file to a new one, and set it aside.

        The new file counts from the moment it has its name; until then the old one stays, and a crash has it all done again.
        """
        self._salvage_at = time.monotonic() + _SALVAGED_AGAIN_S
        new, mark, saved = self._next_path(), self._owner.mark, 0

        def fill(file: SpoolFile) -> None:
            nonlocal saved
            group: list[Row] = []
            for row in self._salvaged(path, damaged, mark):
                group.append(row)
                self._last_id = max(self._last_id, row.id)
                saved += 1
                if sum(len(r.body) for r in group) + len(group) * _ROW_BYTES > _SALVAGE_GROUP_BYTES:
                    file.append(group)
                    group.clear()
            file.append(group)

        try:
            spool_file.create(new, self._last_id, fill)
            self._salvage_at = 0.0
            self._note_damage(f"{path.name}: {problem}; {saved} exports of it are intact")
            self._move_aside(path)
        finally:
            if damaged is not None:  # after the renaming: closing takes a WAL away by its name
                damaged.close()
            self._sweep()
        self._drained.clear()
        file = self._settled(SpoolFile(new))
        self._set_mark(Mark(self._last_id, mark.removed))
        return file

    def _salvaged(self, path: Path, damaged: SpoolFile | None, mark: Mark) -> Iterator[Row]:
        """The intact exports of a file; when its first page cannot be trusted, of a copy with a fresh one."""
        source = damaged
        if source is None or not source.has_sound_schema():
            source = spool_file.with_fresh_first_page(path)
        try:
            yield from (row for row in source.salvage(mark) if row.id not in self._drained)
        finally:
            if source is not damaged:
                source.close()

    def _sweep(self) -> None:
        """Take away what was being made when it was interrupted."""
        for left in self._folder.glob("*.building*"):
            left.unlink(missing_ok=True)

    def _move_aside(self, path: Path) -> None:
        """Rename a damaged file with its WAL. The newest few are kept, so that a failing disk is not filled with them."""
        name = f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        for part in (path, spool_file.wal_of(path)):
            if part.exists():
                part.rename(part.with_name(name + part.name.removeprefix(path.name)))
        for old in self._set_aside()[:-_SET_ASIDE_MAX]:
            log.warning("%s is deleted: %s newer damaged files are kept", old.name, _SET_ASIDE_MAX)
            spool_file.delete(old)
        sync_folder(self._folder)

    def _set_aside(self) -> list[Path]:
        found = self._folder.glob(f"{_ANY}.db.damaged-*")
        return sorted({spool_file.of_wal(path) for path in found})

    def _next_path(self) -> Path:
        """A name that no file has, damaged ones included; the names' order is the order of the files."""
        numbers = (int(path.name[len("spool-") :][:6]) for path in self._folder.glob(f"{_ANY}.db*"))
        return self._folder / f"spool-{max(numbers, default=0) + 1:06}.db"

    def _note_damage(self, what: str) -> None:
        self._damaged += 1
        log.error("the spool in %s is damaged: %s", self._folder, what)
