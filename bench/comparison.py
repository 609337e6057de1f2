"""Pigou, the floor and the peers in one table, with the ratios between them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.floor import ROWS_PER_COMMIT, Floor
from bench.peers import PeerResult
from bench.tables import PERFORMANCE, replace_section, table

SECTION = "bench-ingest"


def comparison(pigou: PeerResult, floor: Floor, peers: Sequence[PeerResult]) -> str:
    """The Markdown table; rates are of spans stored, ratios are of rates."""
    header = ("", "spans/s stored", "of COPY in batches", "Pigou is", "spans", "s", "RSS MB", "CPU µs a span", "load")
    copies = ((f"a commit every {ROWS_PER_COMMIT} rows", floor.batched_per_s), ("one commit", floor.single_per_s))
    rows: list[tuple[str, ...]] = [
        (
            f"COPY, {how}",
            f"{rate:,.0f}",
            _share(rate, floor.batched_per_s),
            "",
            *_took(floor.rows, floor.rows / rate),
            "",
            "",
            f"{floor.machine_load:.1f}",
        )
        for how, rate in copies
    ]
    rows += [
        (
            f"{result.name} {result.version}",
            f"{result.spans_per_s:,.0f}",
            _share(result.spans_per_s, floor.batched_per_s),
            "" if result is pigou else f"{pigou.spans_per_s / result.spans_per_s:,.1f} × as fast",
            *_took(result.stored, result.took_s),
            f"{result.rss_mb:,.0f}",
            f"{result.cpu_s / result.stored * 1e6:,.1f}",
            f"{result.machine_load:.1f}",
        )
        for result in (pigou, *peers)
    ]
    return table(header, rows)


def write(machine: str, markdown: str, connections: int) -> None:
    """Put the table into docs/performance.md, under a line that says when and where it was measured."""
    replace_section(PERFORMANCE, SECTION, f"{machine} {connections} connections.\n\n{markdown}")


def _share(rate: float, whole: float) -> str:
    return f"{rate / whole:.3f}" if rate < whole / 100 else f"{rate / whole:.2f}"


def _took(spans: int, took_s: float) -> tuple[str, str]:
    return f"{spans:,}", f"{took_s:.1f}"
