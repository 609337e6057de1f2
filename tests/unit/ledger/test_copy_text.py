"""Lines for COPY: what PostgreSQL reads from them is what the record holds (the round trip is in test_post_arrivals)."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ledger.arrivals import NewCall, NewControl, NewRecord
from ledger.copy_text import CALL_COLUMNS, CONTROL_COLUMNS, RECORD_COLUMNS, at, columns, ready


def _record(name: str = "chat", status_message: str | None = None) -> NewRecord:
    return NewRecord(
        b"\x01" * 16, b"\x02" * 8, 1_000_000, 2_500_000, None, "span", "call", name, 3, 1, status_message, "svc", "scope", None,
        "00000000-0000-0000-0000-000000000001", None, None, None, None, '{"a":"b\\nc"}', None, None, b"\xff" * 16,
    )  # fmt: skip


def _call(model: str | None = "m1") -> NewCall:
    return NewCall(
        "test", "explicit", "chat", "acme", model, "acme", "m1", "standard", "action", "explicit", "act", "inferred", None, "u",
        {"input_tokens": 7, "output_reasoning_tokens": 0}, 7, Decimal("0.10"), "r\\1", ("response:r\\1", 'a"b'), 15, None,
    )  # fmt: skip


def _fields(line: bytes) -> list[str]:
    assert line.endswith(b"\n")
    return line.decode().removesuffix("\n").split("\t")


def test_a_line_has_a_field_for_each_column() -> None:
    made = ready(_record(), _call(), NewControl("test", 1, None, None))
    assert made.call is not None
    assert made.control_line is not None
    assert len(_fields(made.line)) == len(RECORD_COLUMNS.split(","))
    assert len(_fields(made.call.line)) == len(CALL_COLUMNS.split(","))
    assert len(_fields(made.control_line)) == len(CONTROL_COLUMNS.split(","))


def test_unknown_is_null_and_empty_is_empty() -> None:
    fields = _fields(ready(_record(status_message="")).line)
    assert fields[4] == "\\N"
    assert fields[10] == ""


def test_a_call_says_of_each_kind_what_is_known_of_it() -> None:
    call = ready(_record(), _call()).call
    assert call is not None
    told = dict(zip(CALL_COLUMNS.split(", "), columns(call.line), strict=True))
    assert [told[name] for name in ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")] == [
        "7", None, None, "0",
    ]  # fmt: skip
    assert told["leaves"] == '{"input_tokens":7,"output_reasoning_tokens":0}'
    assert told["claimed_cost_usd"] == "0.10"
    assert told["keys"] == '{"response:r\\\\1","a\\"b"}'


def test_what_would_end_a_field_or_a_line_is_escaped() -> None:
    line = ready(_record(name="a\tb\nc\rd\\N")).line
    assert _fields(line)[7] == "a\\tb\\nc\\rd\\\\N"
    assert line.count(b"\n") == 1


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_line_is_read_back_as_it_was_written(name: str) -> None:
    assert columns(ready(_record(name=name)).line)[7] == name


def test_times_keep_their_microseconds_before_and_after_1970() -> None:
    assert at(1_500_001) == "1970-01-01 00:00:01.500001+00"
    assert at(-1) == "1969-12-31 23:59:59.999999+00"
