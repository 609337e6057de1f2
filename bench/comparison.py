"""Pigou, the floor and the peers in one table, with the ratios between them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.floor import ROWS_PER_COMMIT, Floor
from bench.peers import PeerResult
from bench.tables import PERFORMANCE, replace_section, table

SECTION = "bench-ingest"


def comparison(pigou: Sequence[PeerResult], floor: Floor, peers: Sequence[PeerResult]) -> str:
    """The Markdown table; rates are of spans stored, ratios are of rates. A peer's row has one ratio for each of Pigou's."""
    faster = [f"Pigou at {own.connections} is" for own in pigou] if peers else []
    header = ("", "spans/s stored", "of COPY in batches", *faster, "p99 ms", "spans", "s", "RSS MB", "CPU µs a span", "load")
    copies = ((f"a commit every {ROWS_PER_COMMIT} rows", floor.batched_per_s), ("one commit", floor.single_per_s))
    rows = [
        (
            f"COPY, {how}",
            f"{rate:,.0f}",
            _share(rate, floor.batched_per_s),
            *[""] * len(faster),
            "",
            *_took(floor.rows, floor.rows / rate),
            "",
            "",
            f"{floor.machine_load:.1f}",
        )
        for how, rate in copies
    ]
    rows += [_row(own, floor, [""] * len(faster)) for own in pigou]
    rows += [_row(peer, floor, [f"{own.spans_per_s / peer.spans_per_s:,.1f} × as fast" for own in pigou]) for peer in peers]
    return table(header, rows)


def write(machine: str, markdown: str) -> None:
    """Put the table into docs/performance.md, under a line that says when and where it was measured."""
    replace_section(PERFORMANCE, SECTION, f"{machine}\n\n{markdown}")


def _row(result: PeerResult, floor: Floor, ratios: Sequence[str]) -> tuple[str, ...]:
    return (
        f"{result.name} {result.version}, {result.connections} connection{'s' if result.connections > 1 else ''}",
        f"{result.spans_per_s:,.0f}",
        _share(result.spans_per_s, floor.batched_per_s),
        *ratios,
        "" if result.p99_ms is None else f"{result.p99_ms:,.0f}",
        *_took(result.stored, result.took_s),
        f"{result.rss_mb:,.0f}",
        f"{result.cpu_s / result.stored * 1e6:,.1f}",
        f"{result.machine_load:.1f}",
    )


def _share(rate: float, whole: float) -> str:
    return f"{rate / whole:.3f}" if rate < whole / 100 else f"{rate / whole:.2f}"


def _took(spans: int, took_s: float) -> tuple[str, str]:
    return f"{spans:,}", f"{took_s:.1f}"
