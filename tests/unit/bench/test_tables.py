"""Benchmarks write their figures into documents without touching what stands around them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.comparison import SECTION, comparison
from bench.floor import Floor
from bench.peers import PeerResult
from bench.tables import PERFORMANCE, replace_section, table

PAGE = "# Page\n\n<!-- a:begin -->\nold\n<!-- a:end -->\n\nbetween\n\n<!-- b:begin -->\n<!-- b:end -->\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_a_section_is_replaced_and_the_rest_stays(page: Path) -> None:
    replace_section(page, "a", "new \\1 text\n")
    assert page.read_text() == PAGE.replace("\nold\n", "\n\nnew \\1 text\n\n")


def test_an_empty_section_is_filled_and_filled_again(page: Path) -> None:
    replace_section(page, "b", "first")
    replace_section(page, "b", "second")
    assert page.read_text() == PAGE.replace("<!-- b:begin -->\n", "<!-- b:begin -->\n\nsecond\n\n")


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        "<!-- a:begin -->\n",
        "<!-- a:end -->\n<!-- a:begin -->\n",
        "<!-- a:begin -->\n<!-- a:end -->\n<!-- a:begin -->\n<!-- a:end -->\n",
    ],
)
def test_a_page_without_the_section_is_refused_and_kept(page: Path, text: str) -> None:
    page.write_text(text)
    with pytest.raises(ValueError, match="has no section 'a': put the lines <!-- a:begin --> and <!-- a:end -->"):
        replace_section(page, "a", "new")
    assert page.read_text() == text


def test_the_page_of_figures_has_the_section_that_is_written(tmp_path: Path) -> None:
    copy = tmp_path / "performance.md"
    copy.write_text(PERFORMANCE.read_text())
    replace_section(copy, SECTION, "figures")
    assert "-->\n\nfigures\n\n<!--" in copy.read_text()


def test_a_table_aligns_figures_to_the_right() -> None:
    assert table(("", "spans/s"), [("Pigou", "8,000")]) == "|  | spans/s |\n| --- | --: |\n| Pigou | 8,000 |"


PIGOU = (
    PeerResult("Pigou", "0.1.0", 4, 9000, 9000, 1.0, 150.0, 0.9, 250.4, 2.0),
    PeerResult("Pigou", "0.1.0", 16, 9000, 9000, 0.5, 170.0, 0.9, 1250.0, 2.1),
)
FLOOR = Floor(rows=1000, row_bytes=700, single_per_s=60_000, batched_per_s=45_000, machine_load=1.0)


def test_the_comparison_gives_rates_shares_and_ratios() -> None:
    peer = PeerResult("Peer", "2.0", 4, 960, 480, 4.0, 500.0, 2.4, None, 3.5)
    lines = comparison(PIGOU, FLOOR, [peer]).splitlines()
    assert "| Pigou at 4 is | Pigou at 16 is | p99 ms |" in lines[0]
    assert lines[2:] == [
        "| COPY, a commit every 500 rows | 45,000 | 1.00 |  |  |  | 1,000 | 0.0 |  |  | 1.0 |",
        "| COPY, one commit | 60,000 | 1.33 |  |  |  | 1,000 | 0.0 |  |  | 1.0 |",
        "| Pigou 0.1.0, 4 connections | 9,000 | 0.20 |  |  | 250 | 9,000 | 1.0 | 150 | 100.0 | 2.0 |",
        "| Pigou 0.1.0, 16 connections | 18,000 | 0.40 |  |  | 1,250 | 9,000 | 0.5 | 170 | 100.0 | 2.1 |",
        "| Peer 2.0, 4 connections | 120 | 0.003 | 75.0 × as fast | 150.0 × as fast |  | 480 | 4.0 | 500 | 5,000.0 | 3.5 |",
    ]


def test_without_peers_there_are_no_ratios_to_them() -> None:
    lines = comparison(PIGOU, FLOOR, []).splitlines()
    assert lines[0] == "|  | spans/s stored | of COPY in batches | p99 ms | spans | s | RSS MB | CPU µs a span | load |"
    assert {line.count("|") for line in lines} == {10}
