"""One file of the spool: exports as rows of SQLite, each with a checksum; how the file is made, proved and read when damaged.

WAL with synchronous=FULL: a commit returns after its pages are in the -wal file and that file (at its creation the folder too) is
fsynced. Locking is exclusive, so that the index of the WAL is in memory: no third file that could be torn or lost.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import struct
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from collector.export import Encoding, Export
from collector.record import Signal
from collector.spool_lock import Mark, sync_folder
from ledger.queries import queries

PAGE_BYTES = 16_384  # measured against 4 and 64 KiB: the fastest for bodies of 2 KB and of 360 KB
_WAL_PAGES = 512
_APPLICATION = 0x50474F55  # "PGOU"
_GAP_MAX = 1_000_000
_SQL = queries("collector", "spool")

# Bytes of a file's header that never change: magic and page size; formats; encoding, version and application.
_CONSTANT = (slice(0, 24), slice(44, 48), slice(52, 72))


class Row(NamedTuple):
    """An export as it stands in the file. Texts are bytes: a damaged one need not be text any more."""

    id: int
    received_at: int
    signal: bytes
    encoding: bytes
    compression: bytes
    credential_tenant: bytes | None
    checksum: bytes
    body: bytes

    @property
    def intact(self) -> bool:
        """Whether the row is what was appended."""
        return self.checksum == checksum(self)


class Spooled(NamedTuple):
    """An export out of the spool. `received_at` in nanoseconds since 1970."""

    id: int
    received_at: int
    export: Export


class DamagedRow(Exception):
    """A row is not what was appended."""


def row_of(id: int, received_at: int, export: Export) -> Row:  # noqa: A002 - the column's name
    """An export as a row, with its checksum."""
    tenant = None if export.credential_tenant is None else export.credential_tenant.encode()
    texts = (export.signal.encode(), export.encoding.encode(), export.compression.encode(), tenant)
    row = Row(id, received_at, *texts, checksum=b"", body=export.body)
    return row._replace(checksum=checksum(row))


def spooled(row: Row) -> Spooled:
    """An intact row as the export it was."""
    tenant = None if row.credential_tenant is None else row.credential_tenant.decode()
    signal, encoding = cast("Signal", row.signal.decode()), cast("Encoding", row.encoding.decode())
    return Spooled(row.id, row.received_at, Export(signal, row.body, encoding, row.compression.decode(), tenant))


def checksum(row: Row) -> bytes:
    """BLAKE2b over every field with its type and length, the checksum itself left out.

    CRC-32 would take 0.1 instead of 0.5 ms for 360 KB, but lets one torn row in four billion into the books.
    """
    digest = hashlib.blake2b(digest_size=16)
    for field in cast("tuple[object, ...]", (*row[:6], row.body)):
        if isinstance(field, bytes):
            digest.update(struct.pack(">cq", b"b", len(field)))
            digest.update(field)
        elif isinstance(field, int):
            digest.update(struct.pack(">cq", b"i", field))
        else:  # NULL, or what damage made of a field
            digest.update(b"n" if field is None else b"?")
    return digest.digest()


class SpoolFile:
    """An open file. Its methods raise sqlite3.Error and leave no transaction open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told: str | None = None
        self._connection = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
        self._connection.text_factory = bytes
        try:
            for setting in (
                "locking_mode = exclusive",
                f"page_size = {PAGE_BYTES}",
                "auto_vacuum = none",
                "journal_mode = wal",
                "synchronous = full",
                "fullfsync = on",  # macOS: fsync alone does not reach the disk
                "checkpoint_fullfsync = on",
                "secure_delete = off",  # some builds overwrite what is deleted, which would double the writing
                "cell_size_check = on",
                "trusted_schema = off",
                "temp_store = memory",
                f"wal_autocheckpoint = {_WAL_PAGES}",
                f"journal_size_limit = {_WAL_PAGES * PAGE_BYTES}",
            ):
                self._connection.execute(f"pragma {setting}")
        except sqlite3.Error as error:
            if not is_damage(error):
                self._connection.close()
                raise
            self._told = str(error)  # `problem` tells it; what can be read is read as it is

    def describe(self, last_id: int) -> None:
        """Make the table of a new file, whose ids go on after `last_id`."""
        for statement in _DESCRIBE:
            self._connection.execute(statement)
        self._connection.execute(_SQL["begin_ids"], (last_id,))

    def append(self, rows: Iterable[Row]) -> None:
        """Add rows in one transaction; durable when this returns."""
        texts = ((*row[:2], *(None if t is None else t.decode() for t in row[2:6]), row.checksum, row.body) for row in rows)
        self._transact(lambda: self._connection.executemany(_SQL["append"], texts))

    def remove(self, ids: Iterable[int]) -> None:
        """Take rows away, without fsync: a removal that a power loss undoes is only a second drain."""
        self._connection.execute("pragma synchronous = normal")
        try:
            self._transact(lambda: self._connection.executemany(_SQL["remove"], ((id_,) for id_ in ids)))
        finally:
            self._connection.execute("pragma synchronous = full")

    def rows_after(self, after_id: int) -> Generator[Row]:
        """Rows in order, read as they are taken. Close the iterator when it is not exhausted."""
        with closing(self._connection.execute(_SQL["rows_after"], (after_id,))) as cursor:
            for row in cursor:
                yield Row(*row)

    def oldest(self, without: Collection[int]) -> tuple[int, int] | None:
        """Id and time of receipt of the first export that is not among some, None when there is none."""
        with closing(self._connection.execute(_SQL["received"])) as cursor:
            return next(((id_, at) for id_, at in cursor if id_ not in without), None)

    def body_bytes(self, id_: int) -> int | None:
        """Size of an export's body, None when it is not there."""
        found = self._connection.execute(_SQL["body_bytes"], (id_,)).fetchone()
        return None if found is None else int(found[0])

    def held(self) -> tuple[int, int]:
        """Number of exports, and the bytes of their bodies."""
        exports, size_bytes = self._connection.execute(_SQL["held"]).fetchone()
        return exports, size_bytes

    def last_id(self) -> int:
        """The last id that was given."""
        return int((self._connection.execute(_SQL["last_id"]).fetchone() or (0,))[0])

    def size_bytes(self, added_bytes: int = 0) -> int:
        """Size on disk once all is written, the WAL included, and some more is added, which free pages take first."""
        free = self._number("freelist_count") * PAGE_BYTES
        wal = wal_of(self.path)
        wal_bytes = wal.stat().st_size if wal.exists() else 0
        return self._number("page_count") * PAGE_BYTES + max(0, added_bytes - free) + wal_bytes

    def checkpoint(self) -> None:
        """Write the WAL's pages to the file and cut the WAL."""
        self._connection.execute("pragma wal_checkpoint(truncate)").fetchall()

    def close(self) -> None:
        """Write everything to the file itself and close it. A file that cannot be written keeps its WAL."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def problem(self) -> str | None:
        """What is wrong with the file's structure, None if nothing. Checksums of rows are proved when they are read.

        The whole structure is proved, free pages too: writing to a file whose list of free pages is wrong overwrites exports.
        """
        try:
            if self._told is not None:
                return self._told
            if self._connection.execute("pragma journal_mode").fetchone() != (b"wal",):
                return "it is not in WAL mode"
            if not self.has_sound_schema():
                return "its tables are not those of a spool"
            [(told,)] = self._connection.execute("pragma quick_check(1)").fetchall()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return str(error)
        return None if told == b"ok" else told.decode("utf-8", "replace").replace("\n", " ")

    def has_sound_schema(self) -> bool:
        """Whether the tables, and where they begin, are those of every spool."""
        try:
            return self._connection.execute(_SQL["schema"]).fetchall() == _template()[1]
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return False

    def salvage(self, mark: Mark) -> Generator[Row]:
        """Every intact row that can be reached: up from the first, down from the last, and one by one in between."""
        low, high = mark.removed, 1 << 62
        seen_up = list(self._ids(_SQL["ids_up"], low))
        yield from self._intact(seen_up)
        low = max([low, *seen_up])
        seen_down = [down for down in self._ids(_SQL["ids_down"], high) if down > low]
        high = min([max(mark.acknowledged, low) + 1, *seen_down])
        yield from self._intact(range(low + 1, min(high, low + 1 + _GAP_MAX)))
        yield from self._intact(reversed(seen_down))

    def _ids(self, sql: str, start: int) -> Iterator[int]:
        """The ids that a walk meets until it ends or fails; those that break the order are not from this table."""
        last, rising = start, sql == _SQL["ids_up"]
        with suppress(sqlite3.DatabaseError), closing(self._connection.execute(sql, (start,))) as cursor:
            for (id_,) in cursor:
                if not (id_ > last if rising else id_ < last):
                    return
                yield (last := id_)

    def _intact(self, ids: Iterable[int]) -> Iterator[Row]:
        for id_ in ids:
            with suppress(sqlite3.DatabaseError):
                found = self._connection.execute(_SQL["row"], (id_,)).fetchone()
                if found is not None and (row := Row(*found)).intact:
                    yield row

    def _number(self, pragma: str) -> int:
        return int(self._connection.execute(f"pragma {pragma}").fetchone()[0])

    def _transact(self, work: Callable[[], object]) -> None:
        self._connection.execute("begin immediate")
        try:
            work()
            self._connection.execute("commit")
        except BaseException:
            with suppress(sqlite3.Error):  # the disk that refused the work may refuse this; the first error is the one to tell
                self._connection.execute("rollback")
            raise


def create(path: Path, last_id: int, fill: Callable[[SpoolFile], None] | None = None) -> None:
    """Make a file whose ids go on after `last_id`, with what `fill` puts in; it gets its name when it is whole and durable."""
    building = path.with_suffix(".building")
    delete(building)
    file = SpoolFile(building)
    try:
        file.describe(last_id)
        if fill is not None:
            fill(file)
        file.checkpoint()
    finally:
        file.close()
    fd = os.open(building, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    building.rename(path)
    sync_folder(path.parent)


def has_sound_header(path: Path) -> bool:
    """Whether the file begins as every spool does. Asked before SQLite looks, which throws the WAL of an empty file away."""
    with path.open("rb") as file:
        header = file.read(100)
    return len(header) == 100 and all(header[part] == _template()[0][part] for part in _CONSTANT)


def with_fresh_first_page(path: Path) -> SpoolFile:
    """A copy of a file whose first page (header and tables) is unreadable, with the first page that every spool begins with."""
    copy = path.with_suffix(".building2")
    delete(copy)
    shutil.copyfile(path, copy)
    if wal_of(path).exists():
        shutil.copyfile(wal_of(path), wal_of(copy))
    with copy.open("r+b") as file:
        file.write(_template()[0])
    return SpoolFile(copy)


def wal_of(path: Path) -> Path:
    """Where the WAL of a file is."""
    return path.with_name(f"{path.name}-wal")


def of_wal(path: Path) -> Path:
    """The file that a WAL belongs to."""
    return path.with_name(path.name.removesuffix("-wal"))


def delete(path: Path) -> None:
    """Take a file away, its WAL first: a WAL without a file would look like a loss."""
    for gone in (wal_of(path), path.with_name(f"{path.name}-journal"), path):
        gone.unlink(missing_ok=True)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error is about what the file holds, rather than about the disk it is on."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    unreadable = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS)
    return code in unreadable or code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


_DESCRIBE = (_SQL["create_export"], f"pragma application_id = {_APPLICATION}", "pragma user_version = 1")


@cache
def _template() -> tuple[bytes, list[Any]]:
    """First page and tables of an empty spool."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.text_factory = bytes
        for statement in (f"pragma page_size = {PAGE_BYTES}", "pragma auto_vacuum = none", *_DESCRIBE):
            connection.execute(statement)
        page = bytearray(connection.serialize()[:PAGE_BYTES])
        page[18:20] = b"\x02\x02"  # WAL, which a database in memory cannot be
        page[28:32] = bytes(4)  # the number of pages is not given, so that the file's length counts
        return bytes(page), connection.execute(_SQL["schema"]).fetchall()
