"""Lines for COPY: what PostgreSQL reads from them is what the call holds (the round trip is in test_post_arrivals)."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ledger.arrivals import NewCall, NewControl, NewRecord
from ledger.copy_text import CALL_COLUMNS, CONTROL_COLUMNS, at, text
from ledger.ready import ready

_UNESCAPES = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}


def _record(name: str = "chat") -> NewRecord:
    return NewRecord(
        b"\x01" * 16, b"\x02" * 8, 1_000_000, 2_500_000, None, "span", "call", name, 3, 1, None, "svc", "scope", None,
        "00000000-0000-0000-0000-000000000001", None, None, None, None, b'{"a":"b\\nc"}', None, None, b"\xff" * 16,
    )  # fmt: skip


def _call(model: str | None = "m1") -> NewCall:
    return NewCall(
        "test", "explicit", "chat", "acme", model, "acme", "m1", "standard", "action", "explicit", "act", "inferred", None, "u",
        {"input_tokens": 7, "output_reasoning_tokens": 0}, 7, Decimal("0.10"), "r\\1", ("response:r\\1", 'a"b'), 15, None,
    )  # fmt: skip


def _fields(line: bytes) -> list[str]:
    assert line.endswith(b"\n")
    return line.decode().removesuffix("\n").split("\t")


def _unescaped(column: str) -> str | None:
    if column == "\\N":
        return None
    pieces: list[str] = []
    while column:
        pair = column[:2]
        pieces.append(_UNESCAPES.get(pair, pair[:1]))
        column = column[2:] if pair in _UNESCAPES else column[1:]
    return "".join(pieces)


def test_a_line_has_a_field_for_each_column() -> None:
    made = ready(_record(), _call(), NewControl("test", 1, None, None))
    assert made.call is not None
    assert made.control_line is not None
    assert len(_fields(made.call.line)) == len(CALL_COLUMNS.split(","))
    assert len(_fields(made.control_line)) == len(CONTROL_COLUMNS.split(","))


def test_a_call_says_of_each_kind_what_is_known_of_it() -> None:
    call = ready(_record(), _call()).call
    assert call is not None
    told = dict(zip(CALL_COLUMNS.split(", "), map(_unescaped, _fields(call.line)), strict=True))
    assert [told[name] for name in ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")] == [
        "7", None, None, "0",
    ]  # fmt: skip
    assert told["leaves"] == '{"input_tokens":7,"output_reasoning_tokens":0}'
    assert told["claimed_cost_usd"] == "0.10"
    assert told["keys"] == '{"response:r\\\\1","a\\"b"}'


def test_what_would_end_a_field_or_a_line_is_escaped() -> None:
    assert text("a\tb\nc\rd\\N") == "a\\tb\\nc\\rd\\\\N"
    assert text(None) == "\\N"
    assert text("") == ""


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_line_is_read_back_as_it_was_written(model: str) -> None:
    call = ready(_record(), _call(model)).call
    assert call is not None
    assert _unescaped(_fields(call.line)[CALL_COLUMNS.split(", ").index("model")]) == model


def test_times_keep_their_microseconds_before_and_after_1970() -> None:
    assert at(1_500_001) == "1970-01-01 00:00:01.500001+00"
    assert at(-1) == "1969-12-31 23:59:59.999999+00"
