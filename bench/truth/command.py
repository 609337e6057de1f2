"""What the comparisons of appraisals with the truth share: arguments, replications, the table, and where it is written."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from bench.truth import powered
from bench.truth.tally import HEADER, Tally

METHODS = Path(__file__).resolve().parents[2] / "docs" / "methods.md"


@dataclass(frozen=True, slots=True)
class Case:
    """One row. `once` plays and appraises one replication into a tally, with a generator and a seed. `promise`: `found`,
    `nothing` (no misallocation) or `refuse`."""

    title: str
    n: int
    promise: str
    once: Callable[[Tally, np.random.Generator, int], None]


def arguments(name: str, about: str, more: Callable[[argparse.ArgumentParser], None] | None = None) -> argparse.Namespace:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench truth {name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replications", type=int, default=500, help="of each row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose title holds these words")
    parser.add_argument("--write", action="store_true", help="put the table into docs/methods.md")
    if more is not None:
        more(parser)
    return parser.parse_args()


def run(name: str, about: str, cases: Sequence[Case], given: argparse.Namespace | None = None) -> int:
    """Run the cases, print their table and how well computed chances hold, and write both where asked; 1 when a promise is
    broken."""
    options = arguments(name, about) if given is None else given
    chosen = [(place, case) for place, case in enumerate(cases) if options.only in case.title]
    lines: list[str] = [*HEADER]
    print(*lines, sep="\n")
    broken = False
    material: list[tuple[powered.Asked, float]] = []
    with threadpool_limits(1):
        for place, case in chosen:
            tally = Tally(case.title, case.n, case.promise)
            started = time.monotonic()
            for replication in range(options.replications):
                case.once(tally, np.random.default_rng([options.seed, place, replication]), replication)
                if sys.stderr.isatty():
                    print(f"\r{case.title}: {replication + 1}/{options.replications}", end="\r", file=sys.stderr)
            tally.settle()
            material += tally.material
            lines.append(tally.row())
            broken |= not tally.kept()[0]
            print(lines[-1], flush=True)
            print(f"{case.title}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    if material:
        told = ["", *powered.HEADER, *powered.calibration(material)]
        print(*told, sep="\n")
        lines += told
    if options.write:
        write(name, lines, options)
    return int(broken)


def write(name: str, lines: Sequence[str], options: argparse.Namespace) -> None:
    """Put a table between the markers of docs/methods.md. Raises: SystemExit when these are not there."""
    text = METHODS.read_text(encoding="utf-8")
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    if start not in text or end not in text:
        raise SystemExit(f"{METHODS}: no markers {start} … {end}: put them where the table is to stand")
    command = (
        f"`python -m bench truth {name} --replications {options.replications} --seed {options.seed} --write` made this table."
    )
    before, _, rest = text.partition(start)
    after = rest.partition(end)[2]
    METHODS.write_text(before + "\n".join([start, "", command, "", *lines, "", end]) + after, encoding="utf-8")
