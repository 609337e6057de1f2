"""The demo's play in pieces, with looks between them: what is told in the end is what a single look tells.

usage: python -m bench truth pieces [--days 14] [--seed 1] [--ways half three-quarters late]

The same period is played once as a whole, and once in each of these ways: cut in the middle, cut at three quarters, and cut there
with a third of the first piece's spans of engines left for the second. After each piece everything is settled, appraised, looked
at and priced, as the clock does it. Then looks, findings, and who delayed whom are compared. A row is a way, with how many of
them differ from those of the whole; which ones stands below it. Exit 1 when any does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, LiteralString, TypeAlias

import psycopg

from analyzers.appraising import run_line
from analyzers.pipeline import run_round
from bench.collecting import collector, new_books
from bench.server import Server, serve
from bench.tables import table
from cli import play
from economy.emit import Emitter
from economy.play import EconomySettings, Emission, emit, in_order
from economy.schedule import schedule
from economy.spans import PlannedSpan
from economy.truth import Truth, tell
from ledger.database import connect

_ENDS = datetime(2026, 11, 25, 23, tzinfo=UTC)
_LATE = 1 / 3
_NEAR = 1e-6
_TOLD: dict[str, tuple[int, LiteralString]] = {
    "looks": (3, "select tenant, mode, segment, status, since, n, usd_per_day, low, high from ledger.looks"),
    "findings": (3, "select tenant, mode, segment, status, since, n, usd_per_day, low, high from ledger.findings"),
    "externalities": (5, "select tenant, engine, day, task_class, victim, requests, delay_s, usd from ledger.externalities"),
    "held up": (4, "select trace_id, engine, culprit_tenant_id, task_class, delay_s from pigou.held_up"),
}
"""What is compared: so many columns name a row, and the others are told of it."""

Told: TypeAlias = dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]
Cut: TypeAlias = Callable[[Sequence[Emission]], list[list[Emission]]]


def main() -> int:
    """Play the whole and the ways, compare, print the table; 1 when anything differs."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="pigou-pieces-") as home, serve(Path(home)) as server:
        whole = _played(server, "whole", given.seed, given.days, lambda emissions: [list(emissions)])
        rows: list[list[str]] = []
        differ: list[str] = []
        for way in given.ways:
            told = _played(server, way, given.seed, given.days, _WAYS[way])
            apart = {what: _apart(whole[what], told[what]) for what in _TOLD}
            print(f"{way}: {sum(map(len, apart.values()))} rows differ", file=sys.stderr, flush=True)
            rows.append([way.replace("-", " "), *(f"{len(apart[what])} of {len(whole[what])}" for what in _TOLD)])
            differ += [f"{way}: {what}: {one}" for what in _TOLD for one in apart[what][:10]]
    print(table(["cut", *_TOLD], rows), *differ, sep="\n")
    return int(bool(differ))


def _played(server: Server, way: str, seed: int, days: float, cut: Cut) -> Told:
    """What is told of a play that came in pieces."""
    name = f"way_{way.replace('-', '_')}"
    dsn = new_books(server, name)

    def in_pieces(settings: EconomySettings, on_progress: Callable[[int, int], None]) -> Truth:
        planned = schedule(settings.seed, settings.until, settings.days, settings.tasks_per_day)
        pieces = cut(in_order(planned.recorder))
        with Emitter(settings.destination, planned.starts_at) as emitter:
            for place, piece in enumerate(pieces, 1):
                for emission in piece:
                    emit(emitter, emission)
                emitter.flush()
                on_progress(place, len(pieces))
                print(f"{way}: piece {place} of {len(pieces)}", file=sys.stderr, flush=True)
                if place < len(pieces):
                    _look(dsn, is_all=False)
        return tell(planned, settings.seed, settings.tasks_per_day)

    with collector(server, dsn) as (_, port):
        arguments = ["--dsn", dsn, "--endpoint", f"http://127.0.0.1:{port}", "--seed", str(seed), "--days", str(days)]
        arguments += ["--until", _ENDS.isoformat(), "--truth", str(server.home / "truth.json")]
        arguments += ["--progress", str(server.home / "progress")]
        if play.main(arguments, in_pieces):
            raise RuntimeError(f"the play could not be cut at {way}: see above")
    _look(dsn, is_all=True)
    _look(dsn, is_all=True)  # prices were solved since
    with psycopg.connect(dsn) as books:
        return {what: {row[:names]: row[names:] for row in books.execute(query)} for what, (names, query) in _TOLD.items()}


def _look(dsn: str, *, is_all: bool) -> None:
    with connect(dsn, "writer") as connection:
        run_round(connection)
        run_line(connection, is_all=is_all)


def _cut_at(share: float) -> Cut:
    def cut(emissions: Sequence[Emission]) -> list[list[Emission]]:
        place = int(share * len(emissions))
        return [list(emissions[:place]), list(emissions[place:])]

    return cut


def _late(emissions: Sequence[Emission]) -> list[list[Emission]]:
    first, rest = _cut_at(0.75)(emissions)
    rng = Random("late")
    is_late = [isinstance(each, PlannedSpan) and each.service.startswith("engine") and rng.random() < _LATE for each in first]
    late = [each for each, comes_late in zip(first, is_late, strict=True) if comes_late]
    return [[each for each, comes_late in zip(first, is_late, strict=True) if not comes_late], late + rest]


_WAYS: dict[str, Cut] = {"half": _cut_at(0.5), "three-quarters": _cut_at(0.75), "late": _late}


def _apart(whole: dict[tuple[Any, ...], tuple[Any, ...]], told: dict[tuple[Any, ...], tuple[Any, ...]]) -> list[str]:
    """The rows that differ, in words."""
    found: list[str] = []
    for key in sorted(whole.keys() | told.keys(), key=str):
        one, other = whole.get(key), told.get(key)
        if one is None or other is None or not all(_is_same(*pair) for pair in zip(one, other, strict=True)):
            found.append(f"{_said(key)}: {_said(other)}, as a whole {_said(one)}")
    return found


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, (float, Decimal)) and isinstance(other, (float, Decimal)):
        return abs(float(one) - float(other)) <= _NEAR * max(1.0, abs(float(one)))
    return bool(one == other)


def _said(row: Iterable[Any] | None) -> str:
    return "nothing" if row is None else " ".join(str(each) for each in row)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench truth pieces", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=float, default=14.0, help="how long the play is")
    parser.add_argument("--seed", type=int, default=1, help="of the play")
    parser.add_argument("--ways", nargs="+", choices=[*_WAYS], default=[*_WAYS], help="how it is cut")
    return parser.parse_args()
