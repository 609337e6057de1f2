"""`python -m bench fuzz`: every harness of tests/fuzz in turn, each in a process of its own, for a bounded time.

Prints one table and ends with 1 when anything was found: an exception that is not documented, an input that took a second of the
processor, memory beyond the limit, or a value that should not have been booked. Inputs stay in a folder, and the commands that
replay them are printed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

import msgspec

HARNESSES = ("traces", "logs", "metrics", "json", "compressed")
START_S = 300
"""A process may take this long beyond its time: importing under instrumentation, and stopping, also beside much else."""

_EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_ROW = "{:<12} {:>12} {:>9} {:>10} {:>12} {:>9} {:>12}"


class Counts(msgspec.Struct):
    """What a harness wrote down; see tests/fuzz/child.py."""

    inputs: int = 0
    cpu_s: float = 0.0
    slowest_ms: float = 0.0
    findings: dict[str, str] = {}


class Run(msgspec.Struct):
    """What became of one harness."""

    harness: str
    seconds: float
    counts: Counts


def main() -> int:
    """Fuzz, print the table, and answer 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m bench fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for all harnesses together (default: 60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow-s", type=float, default=1.0, help="seconds of the processor that are too many for one input")
    parser.add_argument("--rss-mb", type=int, default=1024, help="memory that is too much for a harness")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="where corpora and findings are kept")
    parser.add_argument("--harness", action="append", choices=HARNESSES, help="only this one; may be repeated")
    given = parser.parse_args()
    chosen = given.harness or HARNESSES
    seconds = max(1, given.seconds // len(chosen))
    print(_ROW.format("harness", "inputs", "seconds", "inputs/s", "inputs/cpu s", "findings", "slowest ms"))
    runs = [fuzz(harness, seconds, given) for harness in chosen]
    inputs, took = sum(run.counts.inputs for run in runs), sum(run.seconds for run in runs)
    slowest = max(run.counts.slowest_ms for run in runs)
    findings = [(run.harness, *finding) for run in runs for finding in run.counts.findings.items()]
    cpu = sum(run.counts.cpu_s for run in runs)
    print(_row("all", took, Counts(inputs, cpu, slowest), len(findings)))
    for harness, file, what in findings:
        print(f"\n{what}\n  python -m tests.fuzz.child {harness} --replay {file}")
    return 1 if findings else 0


def fuzz(harness: str, seconds: int, given: argparse.Namespace) -> Run:
    """Run one harness, and print its row."""
    folder: Path = given.folder / harness
    folder.mkdir(parents=True, exist_ok=True)
    counted = folder / "counts.json"
    counted.unlink(missing_ok=True)
    before = set(folder.iterdir())
    command = [
        sys.executable, "-m", "tests.fuzz.child", harness, str(folder), "--seconds", str(seconds), "--seed", str(given.seed),
        "--slow-s", str(given.slow_s), "--rss-mb", str(given.rss_mb),
    ]  # fmt: skip
    started = time.monotonic()
    with (folder / "log").open("w+") as log:
        try:
            code = subprocess.run(
                command, stdout=log, stderr=subprocess.STDOUT, timeout=seconds + START_S, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = "none: it had to be killed"
        log.seek(0)
        said = log.read()
    took = time.monotonic() - started
    counts = msgspec.json.decode(counted.read_bytes(), type=Counts) if counted.exists() else Counts()
    if (executed := _EXECUTED.search(said)) is not None:
        counts.inputs = max(counts.inputs, int(executed[1]))
    for file in set(folder.iterdir()) - before:
        if file.name.startswith(("crash-", "timeout-", "oom-", "leak-", "slow-unit-")):
            counts.findings[str(file)] = f"{file.name.partition('-')[0]} in {harness}"
    if code != 0 and not counts.findings:
        counts.findings[str(folder / "log")] = f"{harness} ended with {code}: {said[-500:].strip()}"
    print(_row(harness, took, counts, len(counts.findings)), flush=True)
    return Run(harness, took, counts)


def _row(name: str, took: float, counts: Counts, findings: int) -> str:
    """The processor's seconds are told apart, since another harness or a busy machine takes its share of the others."""
    rate, busy = counts.inputs / took, counts.inputs / max(counts.cpu_s, 0.001)
    shown = (name, f"{counts.inputs:,}", f"{took:.0f}", f"{rate:,.0f}", f"{busy:,.0f}", findings, f"{counts.slowest_ms:.1f}")
    return _ROW.format(*shown)
