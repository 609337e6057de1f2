"""A short run of every harness, and that a harness does find what is wrong. The long run is `make fuzz`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.fuzz.child import Counts, Watched
from tests.fuzz.harnesses import HARNESSES
from tests.fuzz.mutators import MUTATORS
from tests.fuzz.oracle import Broken
from tests.fuzz.seeds import bodies
from tests.fuzz.words import nested

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("harness", HARNESSES)
def test_seeds_and_what_becomes_of_them(harness: str) -> None:
    """Every seed, and each of them changed ten times over, without coverage to guide it."""
    luck = Random(harness)
    for body in bodies(harness):
        for _ in range(10):
            HARNESSES[harness](body)
            body = MUTATORS[harness](body, 1 << 15, luck, flipped(luck))  # noqa: PLW2901 - change upon change


def flipped(luck: Random):
    def raw(data: bytes, size_max: int) -> bytes:
        changed = bytearray(data[:size_max] or b"\0")
        changed[luck.randrange(len(changed))] ^= 1 << luck.randrange(8)
        return bytes(changed)

    return raw


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="Atheris has no wheel for this machine or interpreter")
def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    """Under Atheris, two seconds each; time is no finding here, since a test's machine may be busy."""
    run = subprocess.run(
        [sys.executable, "-m", "bench", "fuzz", "--seconds", "10", "--slow-s", "60", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    rows = {name: int(inputs.replace(",", "")) for name, inputs, *_ in map(str.split, run.stdout.splitlines()[1:])}
    assert rows.keys() == {*HARNESSES, "all"}
    assert min(rows.values()) > 10, run.stdout


def test_what_goes_wrong_is_kept_once_with_its_input(tmp_path: Path) -> None:
    def harness(data: bytes) -> None:
        if data.startswith(b"!"):
            raise Broken(f"what must hold: {data!r}")
        if data == b"slow":
            end = time.thread_time() + 0.05
            while time.thread_time() < end:
                pass

    watched = Watched(harness, tmp_path, slow_s=0.02)
    for data in (b"a", b"!1", b"!2", b"slow", b"b"):
        watched(data)
    found = {Path(file).read_bytes(): what.split(":")[0] for file, what in watched.counts.findings.items()}
    assert found.keys() == {b"!1", b"slow"}
    assert found[b"!1"].startswith("Broken, what must hold")
    assert watched.counts.inputs == 5
    assert (tmp_path / "counts.json").exists()


def test_whoever_reads_the_counts_while_they_are_written_reads_them_whole(tmp_path: Path) -> None:
    watched = Watched(lambda _: None, tmp_path, slow_s=1.0)
    watched.write()
    with (tmp_path / "counts.json").open("rb") as reader:
        watched(b"")
        watched.write()
        assert msgspec.json.decode(reader.read(), type=Counts).inputs == 0
    assert msgspec.json.decode((tmp_path / "counts.json").read_bytes(), type=Counts).inputs == 1


def test_paths_become_what_providers_write() -> None:
    found = nested({"a.b": 1, "a.c": 2, "details.AUDIO": 3, "details.IMAGE": 4, "d": 5})
    details = [{"modality": "AUDIO", "tokenCount": 3}, {"modality": "IMAGE", "tokenCount": 4}]
    assert found == {"a": {"b": 1, "c": 2}, "details": details, "d": 5}
