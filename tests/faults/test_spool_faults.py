"""The spool against what happens to processes and disks: kill -9, a full disk, a read-only one, a file-size limit."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.errors import SpoolUnwritable
from collector.export import Export
from collector.spool import Spool
from tests.spool_appender import numbered

ROOT = Path(__file__).resolve().parents[2]
MANY = 10**9
# SPOOL_KILLS=500 kills as often; a dozen is what the suite has time for.
KILLS = int(os.environ.get("SPOOL_KILLS", "12"))


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """Byte for byte and in order; beyond it there may be one group that was committed but not told any more."""
    seed, first, luck = 11, 1, random.Random(11)
    kept: list[Export] = []
    for kill in range(KILLS):
        acknowledged = killed_appender(tmp_path, seed, first, luck)
        spool = Spool(tmp_path)
        found = [s.export for s in spool.oldest(MANY, MANY)]
        last = int.from_bytes(found[-1].body[:8], "big") if found else first - 1
        assert acknowledged <= last <= acknowledged + 5
        kept += [numbered(seed, number) for number in range(first, last + 1)]
        assert found == kept
        assert spool.depth[::3] == (len(kept), 0)
        if kill % 3 == 2:  # drained in part, so that pages are used again, or whole, so that a new file begins
            ids = [s.id for s in spool.oldest(MANY, MANY)]
            gone = luck.choice((len(ids), len(ids) // 2))
            spool.remove(ids[:gone])
            del kept[:gone]
        spool.close()
        first = last + 1
    assert first > KILLS * 3


def killed_appender(folder: Path, seed: int, first: int, luck: random.Random) -> int:
    """Start an appender, kill it at some moment after its first word; answers the last number that it acknowledged."""
    command = [sys.executable, "-m", "tests.spool_appender", str(folder), str(seed), str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        head = child.stdout.readline()
        time.sleep(luck.uniform(0, 0.15))
        child.kill()
        rest = child.stdout.read()
    words = re.findall(r"(\d+)\n", head + rest)  # a number cut by the kill has no end of line
    assert words, "the appender died before it acknowledged anything"
    return int(words[-1])


def test_a_limit_on_file_sizes_is_a_full_disk_until_it_is_lifted(tmp_path: Path) -> None:
    """What works on every machine: beyond the limit the system refuses to let a file grow, as a full disk does."""
    program = f"""
import resource, sys
from pathlib import Path
from collector.errors import SpoolUnwritable
from collector.export import Export
from collector.spool import Spool
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
spool, kept, refused = Spool(Path({str(tmp_path)!r})), [], 0
for lifted in (False, True):
    if lifted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
    for number in range(12):
        export = Export("log", bytes([number]) * 400_000, "json", "identity")
        try:
            spool.append([export])
            kept.append(export)
        except SpoolUnwritable as error:
            assert not lifted, error
            refused += 1
    assert [s.export for s in spool.oldest(10**9, 10**9)] == kept
spool.close()
print(len(kept), refused)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kept, refused = map(int, done.stdout.split())
    assert 0 < refused < 12
    assert kept == 24 - refused
    spool = Spool(tmp_path)
    assert spool.depth[::3] == (kept, 0)
    spool.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MiB in memory."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("mounting a small disk takes root on Linux; the limit on file sizes is tested instead")
    disk = tmp_path / "disk"
    disk.mkdir()
    told = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], capture_output=True, text=True, check=False)
    if told.returncode:
        pytest.skip(
            f"this machine does not let root mount a disk ({told.stderr.strip()}); the limit on file sizes is tested instead"
        )
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_told_and_drained_and_used_again(small_disk: Path) -> None:
    spool, kept, filler = Spool(small_disk / "spool"), list[Export](), small_disk / "filler"
    for number in range(4):
        kept.append(numbered_body(number))
        spool.append(kept[-1:])
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free))
    for _ in range(2):
        with pytest.raises(SpoolUnwritable, match="make room on its disk"):
            spool.append([numbered_body(9)] * 3)
    assert [s.export for s in spool.oldest(MANY, MANY)] == kept
    spool.remove([s.id for s in spool.oldest(2, MANY)])
    assert [s.export for s in spool.oldest(MANY, MANY)] == kept[2:]
    assert spool.depth.exports == 2
    spool.remove([s.id for s in spool.oldest(MANY, MANY)])
    assert spool.oldest(MANY, MANY) == []
    filler.unlink()
    spool.append(kept)
    assert [s.export for s in spool.oldest(MANY, MANY)] == kept
    spool.close()


def test_a_disk_that_was_full_from_the_start_is_used_once_there_is_room(small_disk: Path) -> None:
    filler = small_disk / "filler"
    (small_disk / "spool").mkdir()
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free))
    spool = Spool(small_disk / "spool")
    with pytest.raises(SpoolUnwritable):
        spool.append([numbered_body(1)])
    spool.remove([1])
    assert spool.depth == (0, 0, None, 0)
    filler.unlink()
    spool.append([numbered_body(1)])
    assert [s.export for s in spool.oldest(MANY, MANY)] == [numbered_body(1)]
    spool.close()


def test_a_damaged_spool_waits_for_room_to_be_mended(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.spool._SALVAGED_AGAIN_S", 0.0)
    folder, filler = small_disk / "spool", small_disk / "filler"
    kept = [numbered_body(number) for number in range(3)]
    spool = Spool(folder)
    spool.append(kept)
    spool.close()
    [file] = folder.glob("*.db")
    content = bytearray(file.read_bytes())
    content[100_000] ^= 1  # within the first body
    content[18] = 9  # the header says that only reading is allowed
    file.write_bytes(content)
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free))
    spool = Spool(folder)
    with pytest.raises(SpoolUnwritable):
        spool.oldest(MANY, MANY)
    assert spool.depth.damaged == 0
    filler.unlink()
    assert [s.export for s in spool.oldest(MANY, MANY)] == kept[1:]
    assert spool.depth[::3] == (2, 1)
    spool.close()


def test_a_read_only_disk_is_told_with_a_mend(small_disk: Path) -> None:
    spool = Spool(small_disk / "spool")
    spool.append([numbered_body(1)])
    spool.close()
    remount(small_disk, "ro")
    for folder in ("spool", "other"):
        with pytest.raises(SpoolUnwritable, match="give the collector a spool folder that it may write to"):
            Spool(small_disk / folder)
    remount(small_disk, "rw")
    spool = Spool(small_disk / "spool")
    assert [s.export for s in spool.oldest(MANY, MANY)] == [numbered_body(1)]
    spool.close()


def remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", disk], check=True, capture_output=True)


def numbered_body(number: int) -> Export:
    return Export("log", bytes([number]) * 300_000, "json", "identity")


def test_a_commit_is_fsynced_before_it_is_acknowledged(tmp_path: Path) -> None:
    """The system's own word: the WAL is synced between two acknowledgements, before the first its name in the folder too."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed; the settings that ask for fsync are tested in tests/unit/collector/test_spool.py")
    program = f"""
import os
from pathlib import Path
from collector.export import Export
from collector.spool import Spool
spool = Spool(Path({str(tmp_path / "new" / "spool")!r}))
for number in range(3):
    spool.append([Export("log", b"x" * 50_000, "json", "identity")])
    os.write(1, b"acknowledged")
spool.remove([1])
os.write(1, b"removed")
"""
    log = tmp_path / "strace"
    traced = [strace, "-y", "-f", "-e", "trace=fsync,fdatasync,write,rename", "-o", str(log), sys.executable, "-c", program]
    done = subprocess.run(traced, cwd=ROOT, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr or "PTRACE" in done.stderr:
        pytest.skip(f"strace may not trace here ({done.stderr.strip()}); the settings are tested in the unit tests")
    assert done.returncode == 0, done.stderr
    opened, *acknowledged, removed = re.split(
        r"acknowledged|removed", re.sub(r"^\d+ +", "", log.read_text(), flags=re.MULTILINE)
    )[:5]
    synced = [
        re.findall(r"^f(?:data)?sync\(\d+<(?:.*/)?([^/>]+)>", part, re.MULTILINE) for part in (opened, *acknowledged, removed)
    ]
    assert {"new", tmp_path.name, "spool", "spool-000001.building"} <= set(synced[0])
    assert {"spool-000001.db-wal", "spool"} <= set(synced[0])
    assert synced[1] == synced[2] == ["spool-000001.db-wal"]
    assert synced[3] == []
