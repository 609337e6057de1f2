"""`python -m bench faults`: many rounds of faults, and one table of what came of them."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

from bench import tables
from bench.faults.kinds import KINDS
from bench.faults.rounds import Outcome, run_round
from bench.faults.server import Server
from bench.guard import Guard

_SHOWN = 10
_COLUMNS = (
    "kind", "rounds", "not counted", "exports", "acknowledged", "503", "broken off", "lost", "doubled", "wrong", "checks failed",
)  # fmt: skip


def main() -> int:
    """Run the rounds and print the table; exit 1 when anything was lost, doubled or wrong, or a check failed."""
    arguments = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    outcomes: list[Outcome] = []
    try:
        with own_server() as server:
            for number in range(arguments.rounds):
                kind = KINDS[arguments.kinds[number % len(arguments.kinds)]]
                seed = arguments.only or f"{arguments.seed}:{kind.name}:{number // len(arguments.kinds)}"
                outcome = run_round(server, kind, seed, outage_s=arguments.outage_s, module=arguments.collector)
                outcomes.append(outcome)
                _tell(outcome)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    print(markdown(outcomes) if arguments.markdown else aligned(outcomes))
    failed = any(outcome.findings.all for outcome in outcomes)
    return 1 if failed or len(outcomes) < arguments.rounds else 0


@contextlib.contextmanager
def own_server() -> Generator[Server]:
    """A prepared server in a temporary folder; both are gone at the end of the block."""
    with Guard() as guard, tempfile.TemporaryDirectory(prefix="pigou-faults-", ignore_cleanup_errors=True) as name:
        server = Server(Path(name), guard)
        try:
            server.prepare()
            yield server
        finally:
            server.close()


def table(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """One row a kind and one for all, in the order of the columns."""
    kinds = list(dict.fromkeys(outcome.kind for outcome in outcomes))
    rows = [_row(kind, [outcome for outcome in outcomes if outcome.kind == kind]) for kind in kinds]
    return [*rows, _row("all", outcomes)]


def aligned(outcomes: Sequence[Outcome]) -> str:
    """The table for a terminal."""
    rows = [_COLUMNS, *table(outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The table for a document."""
    return tables.table(_COLUMNS, table(outcomes))


def _row(name: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    found = [outcome.findings for outcome in outcomes]
    figures = (
        sum(outcome.not_counted is None for outcome in outcomes),
        sum(outcome.not_counted is not None for outcome in outcomes),
        sum(outcome.exports for outcome in outcomes),
        sum(outcome.acknowledged for outcome in outcomes),
        sum(outcome.answers["503"] for outcome in outcomes),
        sum(outcome.answers["broken off"] + outcome.answers["timed out"] for outcome in outcomes),
        sum(len(findings.lost) for findings in found),
        sum(len(findings.doubled) for findings in found),
        sum(len(findings.wrong) for findings in found),
        sum(len(findings.checks) for findings in found),
    )
    return (name, *(f"{figure:,}" for figure in figures))


def _tell(outcome: Outcome) -> None:
    """One line a round on the error stream, and the first findings with what repeats them."""
    state = "FAILED" if outcome.findings.all else f"not counted: {outcome.not_counted}" if outcome.not_counted else "ok"
    note = f" ({outcome.note})" if outcome.note else ""
    answers = ", ".join(f"{count} x {answer}" for answer, count in sorted(outcome.answers.items()))
    print(f"{outcome.seed}: {state}{note}, {outcome.took_s:.1f} s; {answers}", file=sys.stderr, flush=True)
    for line in outcome.findings.all[:_SHOWN]:
        print(f"    {line}", file=sys.stderr)
    if outcome.findings.all:
        print(f"    again: python -m bench faults --rounds 1 --kinds {outcome.kind} --only {outcome.seed}", file=sys.stderr)


def _interrupted(*_: object) -> None:
    """What must end ends in the blocks that began it."""
    raise KeyboardInterrupt


def _kinds(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in KINDS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"no kind {', '.join(unknown) or 'named'}; there are: {', '.join(KINDS)}")
    return names


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench faults", description="Something breaks under load, many times over.")
    parser.add_argument("--rounds", type=int, default=100, help="rounds in all; the kinds take turns")
    parser.add_argument("--seed", default="1", help="every moment, size and choice follows from it")
    parser.add_argument("--kinds", type=_kinds, default=list(KINDS), help=f"of: {', '.join(KINDS)}")
    parser.add_argument("--only", help="the seed of one round, as a failure prints it")
    parser.add_argument("--outage-s", type=float, default=10.0, help="how long PostgreSQL is away in the kinds that stop it")
    parser.add_argument("--collector", default="collector", help="the module to run, such as one that is broken on purpose")
    parser.add_argument("--markdown", action="store_true", help="print the table for a document")
    return parser.parse_args()
