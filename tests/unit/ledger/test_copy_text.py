"""Lines for COPY: what PostgreSQL reads from them is what the record holds (the round trip is in test_post_arrivals)."""

from __future__ import annotations

from ledger.arrivals import RECORD_COLUMNS, NewRecord
from ledger.copy_text import at, record_line


def _record(name: str = "chat", status_message: str | None = None) -> NewRecord:
    return NewRecord(
        b"\x01" * 16, b"\x02" * 8, 1_000_000, 2_500_000, None, "span", "call", name, 3, 1, status_message, "svc", "scope", None,
        "00000000-0000-0000-0000-000000000001", None, None, None, None, '{"a":"b\\nc"}', None, None, b"\xff" * 16,
    )  # fmt: skip


def test_a_line_has_a_field_for_each_column() -> None:
    assert len(record_line(_record()).split("\t")) == len(RECORD_COLUMNS.split(","))


def test_unknown_is_null_and_empty_is_empty() -> None:
    fields = record_line(_record(status_message="")).split("\t")
    assert fields[4] == "\\N"
    assert fields[10] == ""


def test_what_would_end_a_field_or_a_line_is_escaped() -> None:
    line = record_line(_record(name="a\tb\nc\rd\\N"))
    assert line.split("\t")[7] == "a\\tb\\nc\\rd\\\\N"
    assert "\n" not in line


def test_times_keep_their_microseconds_before_and_after_1970() -> None:
    assert at(1_500_001) == "1970-01-01 00:00:01.500001+00"
    assert at(-1) == "1969-12-31 23:59:59.999999+00"
