"""Whole plays of the demo, each of another seed and another hour: what is found of what was injected, and what else.

usage: python -m bench truth plays [--replications 20] [--seed 1] [--books DIR] [--write]

Each replication plays a fortnight into books of its own, through a collector, and settles, appraises and looks as `pigou demo`
does. Plays end seven hours before one another, the first at the last whole hour of 25 November 2026, so that every hour of the
day and every day of the week comes. A row is an injected misallocation: in how many plays it was found, and its dollars against
the truth; the last row counts the plays with any other finding, which are listed below it. `--books` keeps the books, appraised
and not yet looked at, so that a change of a mode is tried on the same plays in seconds. `--write` puts the table into
docs/findings.md. Exit 1 when a misallocation is missed, more than a quarter off in more than one play of ten, or when more than
one play of twenty finds anything else.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
from psycopg import sql

from analyzers.appraise import appraise
from analyzers.detect import detect
from analyzers.pipeline import run_round
from bench.collecting import collector, new_books
from bench.server import Server, serve
from bench.tables import replace_section, table
from cli import play
from cli.compare import Compared, Found, compare, read_truth
from ledger.database import connect

FINDINGS = Path(__file__).resolve().parents[2] / "docs" / "findings.md"
_ENDS = datetime(2026, 11, 25, 23, tzinfo=UTC)
_APART = timedelta(hours=7)
_NEAR = 0.25


def main() -> int:
    """Play, look, print the table; 1 when a promise is broken."""
    given = _arguments()
    compared: list[Compared] = []
    with contextlib.ExitStack() as stack:
        books = given.books or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pigou-plays-")))
        server = stack.enter_context(serve(books))
        for replication in range(given.replications):
            compared.append(_once(server, given.seed + replication, _ENDS - replication * _APART))
            _tell(given.seed + replication, compared[-1])
    rows = _rows(compared)
    head = ["misallocation", "plays", "found", "median error", "within a quarter", "interval holds the truth"]
    command = f"`python -m bench truth plays --replications {given.replications} --seed {given.seed} --write` made this table."
    text = "\n\n".join([command, table(head, rows)])
    print(text)
    if given.write:
        replace_section(FINDINGS, "plays", text)
    return int(not _is_kept(compared))


def _once(server: Server, seed: int, until: datetime) -> Compared:
    """What is found of one play, in a copy of its books."""
    name, truth = f"play_{seed}_{until:%m%d%H}", server.home / f"truth-{seed}-{until:%m%d%H}.json"
    if not truth.exists():
        _played(server, name, seed, until, truth)
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute("drop database if exists looked_at")
        admin.execute(sql.SQL("create database looked_at template {}").format(sql.Identifier(name)))
    with connect(server.uri("looked_at"), "writer") as connection:
        detect(connection, is_all=True)
        return compare(connection, read_truth(truth))


def _played(server: Server, name: str, seed: int, until: datetime, truth: Path) -> None:
    """Play a fortnight into books of its own and appraise what was decided."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))  # of a run that was broken off
    dsn = new_books(server, name)
    told = truth.with_suffix(".new")
    with collector(server, dsn) as (_, port):
        arguments = ["--dsn", dsn, "--endpoint", f"http://127.0.0.1:{port}", "--seed", str(seed), "--days", "14"]
        arguments += ["--until", until.isoformat(), "--truth", str(told), "--progress", str(server.home / "progress")]
        if play.main(arguments):
            raise RuntimeError(f"seed {seed} could not be played: see above")
    with connect(dsn, "writer") as connection:
        run_round(connection)
        appraise(connection, is_all=True)
    told.replace(truth)


def _tell(seed: int, compared: Compared) -> None:
    found = sum(bool(each.findings) for each in compared.beside)
    print(f"seed {seed}: {found} of {len(compared.beside)} found", *(f"also {_said(one)}" for one in compared.others), sep="; ",
          file=sys.stderr, flush=True)  # fmt: skip


def _said(one: Found) -> str:
    return f"{one.mode} at {one.tenant}, {one.segment}: {one.usd_per_day:.2f} ({one.low:.2f} to {one.high:.2f}) USD a day"


def _rows(compared: Sequence[Compared]) -> list[list[str]]:
    plays = len(compared)
    rows: list[list[str]] = []
    for each in zip(*(one.beside for one in compared), strict=True):
        off = np.array([one.off_by for one in each if one.off_by is not None])
        held = [one.interval[0] <= one.injected.usd_per_day <= one.interval[1] for one in each if one.interval]
        cells = (
            [f"{np.median(off):+.0%}", f"{np.mean(np.abs(off) <= _NEAR):.0%}", f"{np.mean(held):.0%}"] if len(off) else ["–"] * 3
        )
        rows.append([each[0].injected.key.replace("_", " "), f"{plays}", f"{len(off)}", *cells])
    others = sum(bool(one.others) for one in compared)
    rows.append(["anything else", f"{plays}", f"{others}", "–", "–", "–"])
    return rows


def _is_kept(compared: Sequence[Compared]) -> bool:
    """All found everywhere, near in nine of ten plays each, and anything else in one play of twenty at most."""
    for each in zip(*(one.beside for one in compared), strict=True):
        off = [one.off_by for one in each]
        if sum(one is not None and abs(one) <= _NEAR for one in off) < 0.9 * len(off) or None in off:
            return False
    return sum(bool(one.others) for one in compared) <= 0.05 * len(compared)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench truth plays", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replications", type=int, default=20, help="plays")
    parser.add_argument("--seed", type=int, default=1, help="of the first; each further one has the next")
    parser.add_argument("--books", type=Path, help="folder in which the books of all plays are kept, some 300 MB each")
    parser.add_argument("--write", action="store_true", help="put the table into docs/findings.md")
    return parser.parse_args()
