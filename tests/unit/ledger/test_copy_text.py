"""Lines for COPY in text, and times."""

from __future__ import annotations

from ledger.arrivals import NewControl, NewRecord
from ledger.copy_text import CONTROL_COLUMNS, at, control_line, text

RECORD = NewRecord(
    b"\x01" * 16, b"\x02" * 8, 1_000_000, 2_500_000, None, "span", "control", "a\tb\nc\rd\\N", 3, 1, None, "svc", "scope", None,
    "00000000-0000-0000-0000-000000000001", None, None, None, None, b"{}", None, None, b"\xff" * 16,
)  # fmt: skip


def test_a_line_has_a_field_for_each_column_and_unknown_is_null() -> None:
    line = control_line(RECORD, NewControl("test", 1, None, None)).decode()
    assert line.count("\n") == 1
    fields = line.removesuffix("\n").split("\t")
    told = dict(zip(CONTROL_COLUMNS.split(", "), fields, strict=True))
    assert (told["name"], told["input_tokens"], told["output_tokens"]) == ("a\\tb\\nc\\rd\\\\N", "1", "\\N")


def test_empty_is_not_unknown() -> None:
    assert (text(None), text("")) == ("\\N", "")


def test_times_keep_their_microseconds_before_and_after_1970() -> None:
    assert at(1_500_001) == "1970-01-01 00:00:01.500001+00"
    assert at(-1) == "1969-12-31 23:59:59.999999+00"
