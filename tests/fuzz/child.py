"""`python -m tests.fuzz.child HARNESS FOLDER`: one harness under Atheris, for a bounded time, in a process that may die of it.

What it finds is kept as files in FOLDER, what it counted in FOLDER/counts.json. `--replay FILE` runs one input and shows what it
raises.
"""

from __future__ import annotations

import argparse
import hashlib
import time
import traceback
from pathlib import Path
from random import Random
from typing import Any

import msgspec

_SIZE_MAX = 32_768
_WRITTEN_EVERY_S = 0.2


class Counts(msgspec.Struct):
    """What a harness did so far. Times are of the processor, so that a busy machine finds nothing slow."""

    inputs: int = 0
    cpu_s: float = 0.0
    slowest_ms: float = 0.0
    findings: dict[str, str] = {}
    """What was wrong, by the file that holds the input."""


class Watched:
    """A harness whose findings are kept instead of ending the process, each place of the code once."""

    def __init__(self, harness: Any, folder: Path, slow_s: float) -> None:
        self._harness = harness
        self._folder = folder
        self._slow_s = slow_s
        self._places: set[str] = set()
        self._written = 0.0
        self.counts = Counts()

    def __call__(self, data: bytes) -> None:
        """Run one input."""
        started = time.thread_time()
        try:
            self._harness(data)
        except Exception as fault:  # noqa: BLE001 - it is the finding
            self._keep(data, _place(fault), str(fault))
        took = time.thread_time() - started
        if took > self._slow_s:
            self._keep(data, "slow", f"{took:.2f} s")
        counts = self.counts
        counts.inputs += 1
        counts.slowest_ms = max(counts.slowest_ms, took * 1000)
        now = time.monotonic()
        if now - self._written > _WRITTEN_EVERY_S:
            self._written = now
            self.write()

    def _keep(self, data: bytes, place: str, detail: str) -> None:
        if place in self._places or len(self._places) > 50:
            return
        self._places.add(place)
        file = self._folder / f"found-{hashlib.sha256(data).hexdigest()[:16]}"
        file.write_bytes(data)
        self.counts.findings[str(file)] = f"{place}: {detail[:500]}"
        self.write()

    def write(self) -> None:
        """Have the counts in their file, whole at any moment: the process is ended without being asked."""
        self.counts.cpu_s = time.process_time()
        written = self._folder / "counts.json.new"
        written.write_bytes(msgspec.json.encode(self.counts))
        written.replace(self._folder / "counts.json")


def _place(fault: Exception) -> str:
    """What makes a finding another one: the rule of the oracle that was broken, or the line that raised."""
    if type(fault).__name__ == "Broken":  # by name: its module must not be imported before it is instrumented
        return f"Broken, {str(fault).partition(':')[0]}"
    where = traceback.extract_tb(fault.__traceback__)[-1]
    return f"{type(fault).__name__} at {where.filename}:{where.lineno}"


def main() -> None:
    """Fuzz until the time is over; libFuzzer ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.child")
    parser.add_argument("harness")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow-s", type=float, default=1.0)
    parser.add_argument("--rss-mb", type=int, default=1024)
    parser.add_argument("--replay", type=Path)
    given = parser.parse_args()
    if given.replay is not None:
        from tests.fuzz.harnesses import HARNESSES

        HARNESSES[given.harness](given.replay.read_bytes())
        return
    _fuzz(given)


def _fuzz(given: argparse.Namespace) -> None:
    import atheris  # here, since there are machines without its wheel that can replay all the same

    instrument: Any = atheris.instrument_imports  # pyright: ignore[reportAttributeAccessIssue] - its own stubs leave it out
    with instrument(include=["collector", "ledger"]):
        from tests.fuzz.harnesses import HARNESSES
        from tests.fuzz.mutators import MUTATORS
        from tests.fuzz.seeds import bodies

    corpus = given.folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for body in bodies(given.harness):
        (corpus / hashlib.sha256(body).hexdigest()[:16]).write_bytes(body[:_SIZE_MAX])
    watched = Watched(HARNESSES[given.harness], given.folder, given.slow_s)
    change = MUTATORS[given.harness]

    def mutate(data: bytes, size_max: int, seed: int) -> bytes:
        return change(data, size_max, Random(seed), atheris.Mutate)

    watched.write()
    # libFuzzer's own limits are for what hangs; they go by the clock on the wall, which a busy machine keeps from the process.
    hangs_s = max(60, round(60 * given.slow_s))
    arguments = [
        "fuzz", str(corpus), f"-max_total_time={given.seconds}", f"-seed={given.seed}", f"-max_len={_SIZE_MAX}",
        f"-timeout={hangs_s}", f"-report_slow_units={hangs_s}", f"-rss_limit_mb={given.rss_mb}",
        f"-artifact_prefix={given.folder}/", "-print_final_stats=1", "-verbosity=0",
    ]  # fmt: skip
    atheris.Setup(arguments, watched, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
