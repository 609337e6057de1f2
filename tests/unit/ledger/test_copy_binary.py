"""Rows for COPY in binary: read back as they were written, here; by PostgreSQL in test_post_arrivals."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from decimal import Context, Decimal, localcontext

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.arrivals import NewCall, NewRecord, NewText
from ledger.copy_binary import (
    CALL_COLUMNS,
    KEPT_TEXT_COLUMNS,
    RECORD_COLUMNS,
    columns_of,
    decimal_field,
    kept_text_row,
    kept_text_start,
    numeric_field,
    pico_field,
    record_row,
    row_end,
    row_start,
    whole_field,
)
from ledger.copy_text import text_array
from ledger.ready import ready

RECORD = NewRecord(
    b"\x01" * 16, b"\x02" * 8, 1_000_000, 2_500_000, None, "span", "call", "chat", 3, 1, None, "svc", "scope", None,
    "00000000-0000-0000-0000-000000000001", None, None, "action", None, b'{"a":"b"}', None, None, b"\xff" * 16,
)  # fmt: skip

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def test_unknown_is_null_and_empty_is_empty() -> None:
    told = columns_of(record_row(msgspec.structs.replace(RECORD, status_message="")), RECORD_COLUMNS)
    assert (told["status_message"], told["service"], told["agent"], told["events"]) == ("", "svc", None, None)


def test_times_keep_their_microseconds_before_and_after_2000() -> None:
    told = columns_of(record_row(msgspec.structs.replace(RECORD, started_us=1, ended_us=1_700_000_000_000_001)), RECORD_COLUMNS)
    assert (told["started_at"], told["ended_at"]) == ("1970-01-01 00:00:00.000001+00", "2023-11-14 22:13:20.000001+00")


@given(texts, texts | st.none(), texts | st.none(), st.binary(min_size=8, max_size=8) | st.none(), st.booleans())
def test_a_row_is_read_back_as_it_was_written(
    name: str, message: str | None, agent: str | None, parent: bytes | None, has_events: bool
) -> None:
    events = b'[{"name":"e"}]' if has_events else None
    record = msgspec.structs.replace(
        RECORD, name=name, status_message=message, agent=agent, parent_span_id=parent, events_json=events
    )
    told = columns_of(record_row(record), RECORD_COLUMNS)
    assert list(told) == RECORD_COLUMNS.split(", ")
    assert (told["name"], told["status_message"], told["agent"]) == (name, message, agent)
    assert told["parent_span_id"] == (None if parent is None else f"\\x{parent.hex()}")
    assert told["events"] == (None if events is None else events.decode())
    assert (told["trace_id"], told["layer"], told["attributes"]) == (f"\\x{RECORD.trace_id.hex()}", "action", '{"a":"b"}')


def test_a_row_that_is_cut_or_followed_by_more_is_refused() -> None:
    row = record_row(RECORD)
    with pytest.raises(ValueError, match="bytes"):
        columns_of(row + b"x", RECORD_COLUMNS)


def test_a_row_is_begun_by_the_number_of_its_columns_and_its_tenant() -> None:
    assert row_start(258) == (1 + len(RECORD_COLUMNS.split(","))).to_bytes(2, "big") + b"\0\0\0\x04" + b"\0\0\x01\x02"


@pytest.mark.parametrize("text", [NewText(b'{"a":"b"}', None, None), NewText(None, b"[]", b'"said"')])
def test_text_is_read_back_as_it_was_written(text: NewText) -> None:
    told = columns_of(kept_text_row(RECORD, text), KEPT_TEXT_COLUMNS)
    assert list(told) == KEPT_TEXT_COLUMNS.split(", ")
    assert (told["trace_id"], told["span_id"]) == (f"\\x{RECORD.trace_id.hex()}", f"\\x{RECORD.span_id.hex()}")
    assert told["started_at"] == "1970-01-01 00:00:01.000000+00"
    for column, document in (
        ("attributes", text.attributes_json), ("events", text.events_json), ("body", text.body_json),
    ):  # fmt: skip
        assert told[column] == (None if document is None else document.decode())


def test_rows_are_found_among_others_by_their_ends() -> None:
    texts = [NewText(b'{"a":"b"}', None, None), NewText(None, None, b'"x"'), NewText(b"{}", b"[]", b"1")]
    rows = [kept_text_start(7) + kept_text_row(RECORD, text) for text in texts]
    together, found, at = memoryview(b"".join(rows)), list[bytes](), 0
    while at < len(together):
        begin, at = at, row_end(together, at)
        found.append(bytes(together[begin:at]))
    assert found == rows


def call(
    model: str | None = "m1", keys: tuple[str, ...] = ("response:r\\1", 'a"b'), claim: Decimal | None = Decimal("0.10")
) -> NewCall:
    return NewCall(
        "test", "explicit", "chat", "acme", model, "acme", "m1", "standard", "action", "explicit", "act", "inferred", None, "u",
        {"input_tokens": 7, "output_reasoning_tokens": 0}, 7, claim, "r", keys, 15, None,
    )  # fmt: skip


def told_of(new: NewCall) -> Mapping[str, str | None]:
    made = ready(RECORD, new).call
    assert made is not None
    return columns_of(made.row, CALL_COLUMNS)


def test_a_call_says_of_each_kind_what_is_known_of_it() -> None:
    told = told_of(call())
    assert list(told) == CALL_COLUMNS.split(", ")
    assert [told[name] for name in ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")] == [
        "7", None, None, "0",
    ]  # fmt: skip
    assert (told["leaves"], told["strength"]) == ('{"input_tokens":7,"output_reasoning_tokens":0}', "15")
    assert (told["claimed_cost_usd"], told["keys"]) == ("0.10", '{"response:r\\\\1","a\\"b"}')


@given(texts | st.none(), st.lists(texts, max_size=3), st.decimals(0, 10**9, places=20) | st.none())
def test_a_call_is_read_back_as_it_was_written(model: str | None, keys: list[str], claim: Decimal | None) -> None:
    told = told_of(call(model, tuple(keys), claim))
    assert (told["model"], told["keys"]) == (model, text_array(keys))
    assert told["claimed_cost_usd"] == (None if claim is None else f"{claim:f}")


def test_amounts_without_decimal_places() -> None:
    assert number(decimal_field(Decimal("1E+3"))) == 1000
    assert number(decimal_field(Decimal("-0"))) == 0
    assert number(decimal_field(Decimal("0E+999999999"))) == 0
    with pytest.raises(ValueError, match="no amount"):
        decimal_field(Decimal("NaN"))


def number(field: bytes) -> Decimal:
    """A column of type numeric, with as many decimal places as it says."""
    length, count, weight, sign, places = struct.unpack_from(">ihhHH", field)
    digits = struct.unpack(f">{count}H", field[12:])
    assert length == len(field) - 4
    assert sign == 0
    assert all(digit < 10_000 for digit in digits)
    value = sum((Decimal(digit) * Decimal(10_000) ** (weight - place) for place, digit in enumerate(digits)), Decimal(0))
    return value.quantize(Decimal(1).scaleb(-places))


@given(st.integers(0, 10**26) | st.integers(0, 10**9), st.integers(0, 24))
def test_numbers_are_exact(unscaled: int, places: int) -> None:
    with localcontext(Context(prec=100)):
        assert number(numeric_field(unscaled, places)) == Decimal(unscaled).scaleb(-places)
        assert number(whole_field(unscaled)) == unscaled
        assert number(pico_field(unscaled)) == Decimal(unscaled).scaleb(-12)
