"""How long every panel of every page takes, as the dashboard's own process answers it, and which of their queries are slowest."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import NamedTuple

from bench.tables import table
from bench.viewer import Answered, Viewer, addresses
from dashboard.books import Books
from dashboard.components.panel import View, drawn
from dashboard.filters import parse
from dashboard.frame import Frame
from dashboard.pages import PAGES, page_at
from dashboard.queries import Statement
from ledger.database import connect

_SHOWN = 12
_ENOUGH_S = 10.0
"""A page that takes this long is not asked again more often than twice: what is slow is known by then."""


class Times(NamedTuple):
    """What one panel took, in milliseconds, each time it was asked for."""

    page: str
    panel: str
    ms: list[float]
    size: int
    failed: int

    def at(self, share: float) -> float:
        """The time that so large a share of the answers took no longer than."""
        return quantile(self.ms, share)


class PageTimes(NamedTuple):
    """All panels, and the queries of all pages by their median time."""

    panels: list[Times]
    queries: list[tuple[float, str]]

    def at(self, share: float) -> float:
        """The time that so large a share of all callbacks took no longer than."""
        return quantile([ms for panel in self.panels for ms in panel.ms], share)


def measure(dsn: str, port: int, asked: int) -> PageTimes:
    """Open every page `asked` times through the dashboard on `port`, and draw every panel here to time its queries."""
    with connect(dsn, "reader") as reader:
        found = addresses(reader)
    return PageTimes(_panels(port, list(found.values()), asked), _queries(dsn, list(found.values())))


def _panels(port: int, looked_at: list[str], asked: int) -> list[Times]:
    answers: dict[tuple[str, str], list[Answered]] = defaultdict(list)
    viewer = Viewer.of(port)
    for address in looked_at:
        list(viewer.open(address))  # the first time something is compiled, and connections are opened
        began = time.monotonic()
        for number in range(asked):
            if number < 2 or time.monotonic() - began < _ENOUGH_S:
                for each in viewer.open(address):
                    answers[each.page, each.what].append(each)
    viewer.close()
    return [
        Times(page, what, sorted(each.ms for each in given), given[-1].size, sum(each.failed for each in given))
        for (page, what), given in answers.items()
    ]


class _TimedBooks(Books):
    """Books that note how long each query took."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.ms: dict[str, list[float]] = defaultdict(list)

    def run(self, statement: Statement) -> Frame:
        began = time.perf_counter()
        try:
            return super().run(statement)
        finally:
            self.ms[statement.name].append((time.perf_counter() - began) * 1e3)


def _queries(dsn: str, looked_at: list[str]) -> list[tuple[float, str]]:
    books = _TimedBooks(dsn)
    try:
        for _ in range(3):
            for address in looked_at:
                path, _, search = address.partition("?")
                for panel in page_at(PAGES, path).panels:
                    drawn(panel, View(books, parse(search), datetime.now(UTC), path, "http://127.0.0.1:4318"))
    finally:
        books.close()
    return sorted(((statistics.median(ms), name) for name, ms in books.ms.items()), reverse=True)


def panels_table(sizes: list[tuple[int, PageTimes]]) -> str:
    """The panels that are slowest at the largest size, and what they took at each."""
    last = sizes[-1][1]
    slowest = sorted(last.panels, key=lambda panel: -panel.at(0.95))[:_SHOWN]
    rows = [(f"{each.page}: {each.panel}", *_at_each(sizes, each)) for each in slowest]
    whole = (f"all {len(last.panels)}", *(cell for _, times in sizes for cell in _cells(times.at(0.5), times.at(0.95))))
    header = ["callback", *(name for calls, _ in sizes for name in (f"{calls / 1e6:.2g} million: p50 ms", "p95 ms"))]
    return table(header, [whole, *rows])


def queries_table(sizes: list[tuple[int, PageTimes]]) -> str:
    """The queries that are slowest at the largest size, and their medians at each."""
    rows = [
        (name, *(f"{next((ms for ms, other in times.queries if other == name), float('nan')):.0f}" for _, times in sizes))
        for _, name in sizes[-1][1].queries[:_SHOWN]
    ]
    return table(["query", *(f"{calls / 1e6:.2g} million: ms" for calls, _ in sizes)], rows)


def _at_each(sizes: list[tuple[int, PageTimes]], sought: Times) -> list[str]:
    cells: list[str] = []
    for _, times in sizes:
        of = next((each for each in times.panels if each[:2] == sought[:2]), None)
        cells += ["", ""] if of is None else _cells(of.at(0.5), of.at(0.95))
    return cells


def _cells(*ms: float) -> list[str]:
    return [f"{each:.0f}" for each in ms]


def quantile(values: list[float], share: float) -> float:
    """The smallest value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
