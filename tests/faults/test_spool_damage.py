"""Whatever becomes of the spool's files: it opens, gives back only what was appended, tells of what is missing, and goes on."""

from __future__ import annotations

import itertools
import random
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.export import Export
from collector.spool import Spool, SpoolDepth

DB, WAL, LOCK = "spool-000001.db", "spool-000001.db-wal", "spool.lock"
SIZES = [10, 200, 3_000, 20_000, 90_000]
MANY = 10**9
MEMORY = Path("/dev/shm")  # where there is one: damage is the same there, and the disk is slower
Files: TypeAlias = dict[str, bytes]


class Image(NamedTuple):
    """A spool's files when its process was killed, and after it was closed; what it had acknowledged and not removed."""

    files: Files
    closed: Files
    exports: dict[int, Export]


class Damage(NamedTuple):
    """One thing done to one file; `at` is a share of its length in millionths."""

    file: str
    kind: Literal["flip", "cut", "garbage", "tail", "lost"]
    at: int
    seed: int

    def done_to(self, files: Files) -> Files:
        content, luck = bytearray(files[self.file]), random.Random(self.seed)
        at = min(len(content) - 1, self.at * len(content) // 1_000_000)
        if self.kind == "lost":
            return {name: data for name, data in files.items() if name != self.file}
        if self.kind == "flip":
            content[at] ^= luck.randrange(1, 256)
        elif self.kind == "cut":
            del content[at:]
        elif self.kind == "garbage":
            size = min(luck.choice((16, 512, 4_096, 60_000)), len(content) - at)
            content[at : at + size] = luck.randbytes(size)
        else:
            content += luck.randbytes(luck.choice((1, 24, 5_000, 40_000)))
        return files | {self.file: bytes(content)}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Some exports are in the file, some in its WAL only, some were drained."""
    folder = tmp_path_factory.mktemp("spool")
    luck = random.Random(7)
    exports: dict[int, Export] = {}
    spool = Spool(folder)
    for number in range(1, 121):
        body = luck.randbytes(luck.choice(SIZES))
        exports[number] = Export(luck.choice(("span", "log", "metric")), body, "protobuf", "gzip", luck.choice((None, "", "ä")))
        spool.append([exports[number]])
        if number in (20, 70):
            gone = range(number - 19, number - 9)
            spool.remove(gone)
            for removed in gone:
                del exports[removed]
        if number == 80:
            assert spool._file is not None
            spool._file.checkpoint()
    files = {name: (folder / name).read_bytes() for name in (DB, WAL, LOCK)}
    spool.close()
    assert len(files[WAL]) > 500_000
    closed = {name: (folder / name).read_bytes() for name in (DB, LOCK)}
    return Image(files, closed, exports)


DAMAGES = st.builds(
    Damage,
    st.sampled_from((DB, WAL, LOCK)),
    st.sampled_from(("flip", "cut", "garbage", "tail", "lost")),
    # The first pages hold what everything hangs on, so that they are met more often than their share.
    st.one_of(st.integers(0, 999_999), st.integers(0, 12_000)),
    st.integers(0, 2**32),
)
BOUNDED = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@BOUNDED
@given(damage=DAMAGES)
def test_damage_loses_nothing_in_silence(image: Image, damage: Damage) -> None:
    found, depth = survivors(damage.done_to(image.files))
    for id_, export in found.items():
        assert image.exports.get(id_, export) == export
    assert set(found) <= set(range(1, 121))
    assert depth.exports == 0
    if image.exports.keys() - found.keys():
        assert depth.damaged >= 1


@BOUNDED
@given(damages=st.lists(DAMAGES, min_size=2, max_size=5))
def test_damage_everywhere_is_survived(image: Image, damages: list[Damage]) -> None:
    files = image.files
    for damage in damages:
        if files.get(damage.file):
            files = damage.done_to(files)
    found, _ = survivors(files)
    assert all(image.exports.get(id_, export) == export for id_, export in found.items())


@settings(BOUNDED, max_examples=50)
@given(at=st.integers(0, 999_999), seed=st.integers(0, 2**32))
def test_a_flipped_byte_costs_few_exports(image: Image, at: int, seed: int) -> None:
    """In the file itself: those of one page, which is where a body's beginning or the way to its rest stands."""
    found, _ = survivors(Damage(DB, "flip", at, seed).done_to(image.closed))
    assert len(image.exports.keys() - found.keys()) <= 12


@pytest.mark.parametrize("at", [*range(0, 100, 3), 101, 150, 400, 3_000, 15_800, 16_300])
def test_a_flipped_byte_of_the_first_page_costs_nothing(image: Image, at: int) -> None:
    for files in (image.files, image.closed):
        content = bytearray(files[DB])
        content[at] ^= 0x55
        found, _ = survivors(files | {DB: bytes(content)})
        assert not image.exports.keys() - found.keys()


def test_a_lost_wal_is_noticed_and_set_aside(image: Image) -> None:
    found, depth = survivors({DB: image.files[DB], LOCK: image.files[LOCK]})
    assert depth.damaged == 1
    assert set(found) == {id_ for id_ in image.exports if id_ <= 80}


def test_a_wrong_list_of_free_pages_does_not_overwrite_exports(tmp_path: Path) -> None:
    """The header calls a page free that holds a part of a body: an append would take it."""
    export = Export("log", bytes(60_000), "json", "identity")
    spool = Spool(tmp_path)
    spool.append([export] * 4)
    spool.close()
    content = bytearray((tmp_path / DB).read_bytes())
    content[32:40] = (5).to_bytes(4, "big") + (1).to_bytes(4, "big")
    (tmp_path / DB).write_bytes(content)
    spool = Spool(tmp_path)
    spool.append([Export("log", b"x" * 60_000, "json", "identity")])
    assert [s.id for s in spool.oldest(MANY, MANY)] == [1, 2, 3, 4, 5]
    assert spool.depth[::3] == (5, 1)
    spool.close()


def test_what_is_whole_is_not_called_damaged(image: Image) -> None:
    for files in (image.files, image.closed):
        found, depth = survivors(files)
        assert depth.damaged == 0
        assert found == image.exports
        assert list(found) == sorted(found)


def survivors(files: Files) -> tuple[dict[int, Export], SpoolDepth]:
    """Open a spool over files, drain it in batches, and see that it can still be used."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        spool = Spool(folder)
        found = drained(spool)
        depth = spool.depth
        after = Export("log", b"after", "json", "identity")
        spool.append([after])
        assert [s.export for s in spool.oldest(MANY, MANY)] == [after]
        spool.close()
        again = Spool(folder)
        assert [s.export for s in again.oldest(MANY, MANY)] == [after]
        again.close()
        return found, depth


def drained(spool: Spool) -> dict[int, Export]:
    found: dict[int, Export] = {}
    for _ in itertools.count():
        batch = spool.oldest(7, 100_000)
        if not batch:
            return found
        assert [s.id for s in batch] == sorted({s.id for s in batch} - found.keys())
        found |= {s.id: s.export for s in batch}
        spool.remove([s.id for s in batch])
    raise AssertionError("unreachable")
