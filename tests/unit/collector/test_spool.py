"""The spool in good order: order, limits, depth, space, one owner; its faults are in tests/faults."""

from __future__ import annotations

import itertools
import logging
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.errors import SpoolFull, SpoolInUse, SpoolUnwritable
from collector.export import Export
from collector.spool import Spool
from collector.spool_file import PAGE_BYTES, Row, checksum, row_of
from collector.spool_lock import Mark, SpoolLock

MANY = 10**9
MIB = 1024**2
EXPORTS = [
    Export("span", b"one", "protobuf", "gzip", "acme"),
    Export("log", b"", "json", "identity", None),
    Export("metric", b"\x00\xff" * 50_000, "protobuf", "zstd", ""),
    Export("span", b"four", "json", "deflate", "Größe"),
]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path)
    yield spool
    spool.close()


def test_exports_come_back_as_they_were_in_their_order(spool: Spool) -> None:
    spool.append(EXPORTS[:3])
    spool.append(EXPORTS[3:])
    assert [s.export for s in spool.oldest(MANY, MANY)] == EXPORTS
    assert [s.id for s in spool.oldest(MANY, MANY)] == [1, 2, 3, 4]


def test_nothing_appended_is_nothing(spool: Spool) -> None:
    spool.append([])
    assert spool.oldest(MANY, MANY) == []
    assert spool.depth == (0, 0, None, 0)


def test_order_and_ids_go_on_after_reopening(tmp_path: Path) -> None:
    ids: list[int] = []
    for number in range(4):
        spool = Spool(tmp_path)
        spool.append(EXPORTS)
        found = spool.oldest(MANY, MANY)
        assert [s.export for s in found] == ([*EXPORTS[2:], *EXPORTS] if number else EXPORTS)
        spool.remove([s.id for s in found[:-2]])
        ids += [s.id for s in found[-4:]]
        spool.close()
    assert ids == list(range(1, 17))


@pytest.mark.parametrize(
    ("limit_exports", "limit_bytes", "after_id", "ids"),
    [
        (MANY, MANY, 0, [1, 2, 3, 4]),
        (2, MANY, 0, [1, 2]),
        (MANY, 10, 0, [1, 2]),
        (MANY, 100_003, 0, [1, 2, 3]),
        (0, 0, 0, [1]),
        (MANY, 1, 2, [3]),
        (MANY, MANY, 3, [4]),
        (MANY, MANY, 4, []),
    ],
)
def test_a_batch_ends_at_its_limits_and_holds_one_at_least(
    spool: Spool, limit_exports: int, limit_bytes: int, after_id: int, ids: list[int]
) -> None:
    spool.append(EXPORTS)
    assert [s.id for s in spool.oldest(limit_exports, limit_bytes, after_id)] == ids


def test_depth_follows_what_is_appended_and_removed(tmp_path: Path) -> None:
    clock = itertools.count(10**18, 10**9)
    now = [next(clock)]
    spool = Spool(tmp_path, clock_ns=lambda: now[0])
    spool.append(EXPORTS[:1])
    now[0] = next(clock)
    spool.append(EXPORTS[1:])
    now[0] = next(clock)
    assert spool.depth == (4, 100_007, 2.0, 0)
    spool.remove([1, 99])
    assert spool.depth == (3, 100_004, 1.0, 0)
    spool.remove([1])
    spool.close()
    spool = Spool(tmp_path, clock_ns=lambda: now[0])
    assert spool.depth == (3, 100_004, 1.0, 0)
    spool.remove([3, 2, 4])
    assert spool.depth == (0, 0, None, 0)
    spool.close()


def test_the_limit_holds_on_disk_and_what_is_drained_makes_room(tmp_path: Path) -> None:
    limit, group = 3 * MIB, 4 * 8 * PAGE_BYTES  # a body of 100,000 bytes takes seven pages, its row a part of an eighth
    spool, luck = Spool(tmp_path, limit), random.Random(5)
    for _ in range(3):
        kept: list[Export] = []
        with pytest.raises(SpoolFull, match="spool_limit_bytes"):  # noqa: PT012 - which of them fills it is not said beforehand
            for _ in range(100):
                exports = [Export("log", luck.randbytes(100_000), "json", "identity") for _ in range(4)]
                spool.append(exports)
                kept += exports
                assert on_disk(tmp_path) <= limit + group
        assert len(kept) * 100_000 > limit * 2 / 3
        found = spool.oldest(MANY, MANY)
        assert [s.export for s in found] == kept
        spool.remove([s.id for s in found])
    spool.close()


def test_one_export_over_the_limit_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MIB)
    with pytest.raises(SpoolFull):
        spool.append([Export("log", bytes(2 * MIB), "json", "identity")])
    assert spool.depth.exports == 0
    spool.close()


def test_space_is_given_back_once_all_is_drained(spool: Spool, tmp_path: Path) -> None:
    spool.append([Export("log", bytes(MIB), "json", "identity")] * 20)
    assert on_disk(tmp_path) > 20 * MIB
    spool.remove(range(1, 20))
    spool.remove([20])
    assert on_disk(tmp_path) < MIB
    spool.append(EXPORTS)
    assert [s.id for s in spool.oldest(MANY, MANY)] == [21, 22, 23, 24]


def test_a_second_owner_is_refused_with_a_mend(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(SpoolInUse, match=r"belongs to another collector \(process \d+\); stop that one, or give"):
        Spool(tmp_path)
    program = f"from pathlib import Path; from collector.spool import Spool; Spool(Path({str(tmp_path)!r}))"
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3]
    )
    assert "SpoolInUse" in other.stderr
    spool.append(EXPORTS)
    assert spool.depth.exports == 4


def test_a_folder_that_cannot_be_is_refused_with_a_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolUnwritable, match="give the collector a spool folder"):
        Spool(tmp_path / "file" / "spool")


def test_one_appends_while_another_drains(spool: Spool) -> None:
    luck, drained = random.Random(3), list[Export]()
    exports = [Export("span", luck.randbytes(luck.choice((10, 5_000))), "json", "identity") for _ in range(300)]
    appender = threading.Thread(target=lambda: [spool.append(exports[n : n + 3]) for n in range(0, 300, 3)])
    appender.start()
    while len(drained) < len(exports) and (appender.is_alive() or spool.depth.exports):
        batch = spool.oldest(20, MANY)
        drained += [s.export for s in batch]
        spool.remove([s.id for s in batch])
    appender.join()
    assert drained == exports


def test_a_commit_is_asked_to_be_durable(spool: Spool) -> None:
    assert spool._file is not None
    ask = spool._file._connection.execute
    assert ask("pragma journal_mode").fetchone() == (b"wal",)
    assert ask("pragma fullfsync").fetchone() == (1,)
    assert ask("pragma synchronous").fetchone() == (2,)
    spool.append(EXPORTS)
    spool.remove([1])
    assert ask("pragma synchronous").fetchone() == (2,)


def test_the_checksum_covers_every_field() -> None:
    row = row_of(1, 2, EXPORTS[0])
    assert row.intact
    others: list[Row] = [
        row._replace(id=2),
        row._replace(received_at=3),
        row._replace(signal=b"log"),
        row._replace(encoding=b"json"),
        row._replace(compression=b""),
        row._replace(credential_tenant=None),
        row._replace(credential_tenant=b""),
        row._replace(body=b"onf"),
        row._replace(signal=b"spanp", encoding=b"rotobuf"),
    ]
    assert len({checksum(r) for r in (row, *others)}) == 10
    assert not any(other.intact for other in others)


def test_a_row_that_changed_is_set_aside_and_the_rest_goes_on(
    spool: Spool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool.append(EXPORTS)
    assert spool._file is not None
    spool._file._connection.execute("update export set body = 'twp' where id = 2")
    assert [s.id for s in spool.oldest(MANY, MANY)] == [1]
    spool.remove([1])
    with caplog.at_level(logging.ERROR, "pigou.collector.spool"):
        assert [s.export for s in spool.oldest(MANY, MANY)] == EXPORTS[2:]
    assert "the checksum of export 2 does not hold; 2 exports of it are intact" in caplog.text
    assert spool.depth[::3] == (2, 1)
    assert len(list(tmp_path.glob("spool-000001.db.damaged-*Z"))) == 1
    spool.append(EXPORTS)
    assert [s.id for s in spool.oldest(MANY, MANY)] == [3, 4, 5, 6, 7, 8]


def test_few_damaged_files_are_kept(tmp_path: Path) -> None:
    for _ in range(6):
        spool = Spool(tmp_path)
        spool.append(EXPORTS)
        spool.close()
        [file] = tmp_path.glob("spool-*.db")
        file.write_bytes(b"nothing of a spool")
    assert len(list(tmp_path.glob("*.damaged-*"))) == 3
    with closing(Spool(tmp_path)) as spool:
        assert spool.depth[::3] == (0, 4)


def test_a_replacement_that_was_interrupted_is_finished(tmp_path: Path) -> None:
    """The new file had its name, the damaged one still had its own; beside them what was being made."""
    spool = Spool(tmp_path)
    spool.append(EXPORTS)
    spool.close()
    (tmp_path / "spool-000001.db").rename(tmp_path / "spool-000002.db")
    (tmp_path / "spool-000001.db").write_bytes(b"damaged")
    (tmp_path / "spool-000003.building").write_bytes(b"half")
    spool = Spool(tmp_path)
    assert [s.export for s in spool.oldest(MANY, MANY)] == EXPORTS
    assert spool.depth.damaged == 1
    spool.close()
    [aside] = tmp_path.glob("*.damaged-*")
    assert aside.read_bytes() == b"damaged"
    assert not list(tmp_path.glob("*.building"))


def test_a_closed_spool_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.close()
    spool.close()
    with pytest.raises(SpoolUnwritable, match="is closed"):
        spool.append(EXPORTS)
    Spool(tmp_path).close()


def test_the_mark_is_read_back_and_one_that_is_torn_is_none(tmp_path: Path) -> None:
    lock = SpoolLock(tmp_path)
    lock.set_mark(Mark(12, 7), durable=True)
    lock.release()
    lock = SpoolLock(tmp_path)
    assert lock.mark == Mark(12, 7)
    lock.release()
    content = (tmp_path / "spool.lock").read_bytes()
    (tmp_path / "spool.lock").write_bytes(content.replace(b"12 7", b"92 7"))
    lock = SpoolLock(tmp_path)
    assert lock.mark == Mark()
    lock.release()


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
