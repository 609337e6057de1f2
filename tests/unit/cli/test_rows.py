"""Tables as they are written: aligned as a terminal draws them, folded into one only while they are short."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cli.options import Format
from cli.rows import write_records, write_text

ROWS = [["x", "1", "two\nlines"], ["日本", "22", "a\tb"], ["y", None, "z"]]
TABLE = (
    "a      usd   c        ",
    "──────────────────────",
    "x        1   two      ",
    "             lines    ",
    "日本    22   a       b",
    "y        ∅   z        ",
    "(3 rows)",
)


def test_a_table_is_as_wide_as_its_cells(capsys: pytest.CaptureFixture[str]) -> None:
    write_text(["a", "usd", "c"], ROWS, Format.TABLE, [False, True, False])
    assert capsys.readouterr().out.splitlines() == list(TABLE)


@pytest.mark.parametrize(("count", "is_folded"), [(3, True), (600, False)])
def test_a_long_table_is_not_folded_into_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, count: int, is_folded: bool
) -> None:
    """Folding 12,000 postings took a minute."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    write_text(["text"], [["w" * 60]] * count, Format.TABLE, [False])
    widths = {len(line) for line in capsys.readouterr().out.splitlines() if "w" in line and "rows" not in line}
    assert (max(widths) <= 40) is is_folded


def test_amounts_are_written_in_digits(capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve decimals less twelve equal ones are 0E-12 to Python, which no spreadsheet takes for an amount of money."""
    records = [{"a": Decimal("1.5"), "b": 3}, {"a": Decimal("1.500000000000") - Decimal("1.5"), "b": None}]
    write_records(records, ("a", "b"), Format.CSV, ("a", "b"))
    assert capsys.readouterr().out == "a,b\n1.5,3\n0.000000000000,\n"
