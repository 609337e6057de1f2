"""Encoded attributes are read as protobuf reads them, however short the way, and spelled alike in any order."""

from __future__ import annotations

import random

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from collector.decode.canonical import pairs_spelling
from collector.decode.values import Budget, Refused, read_and_spell, read_attributes, read_encoded

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=150)
values = st.one_of(
    texts.map(lambda text: AnyValue(string_value=text)),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: AnyValue(int_value=number)),
    st.integers(0, 20_000).map(lambda number: AnyValue(int_value=number)),
    st.booleans().map(lambda is_true: AnyValue(bool_value=is_true)),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: AnyValue(double_value=number)),
    st.lists(texts, max_size=3).map(
        lambda items: AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=i) for i in items]))
    ),
    st.just(AnyValue()),
)
pairs = st.builds(lambda key, value: KeyValue(key=key, value=value), texts, values)


@given(st.lists(pairs, max_size=6))
def test_each_is_read_as_protobuf_reads_it_also_when_its_key_was_met_before(sent: list[KeyValue]) -> None:
    expected = read_attributes(sent, Budget())
    encoded = [pair.SerializeToString() for pair in sent]
    assert read_encoded(encoded, Budget()) == expected
    other = [KeyValue(key=pair.key, value=AnyValue(string_value="x")).SerializeToString() for pair in sent]
    read_encoded(other, Budget())
    assert read_encoded(encoded, Budget()) == expected


@given(st.lists(pairs, max_size=8), st.randoms(use_true_random=False))
def test_the_spelling_does_not_depend_on_the_order(sent: list[KeyValue], chance: random.Random) -> None:
    encoded = [pair.SerializeToString() for pair in sent]
    mixed = chance.sample(encoded, len(encoded))
    assert read_and_spell(encoded, Budget())[2] == read_and_spell(mixed, Budget())[2] == pairs_spelling(encoded)


def test_a_list_that_is_handed_out_is_nobody_elses() -> None:
    encoded = [
        KeyValue(
            key="reasons", value=AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="stop")]))
        ).SerializeToString()
    ]
    for _ in range(3):
        read, _ = read_encoded(encoded, Budget())
        assert read == {"reasons": ["stop"]}
        found = read["reasons"]
        assert isinstance(found, list)
        found.append("spoilt")


def test_a_list_that_was_met_before_counts_as_before() -> None:
    encoded = [KeyValue(key="n", value=AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1)] * 3))).SerializeToString()]
    for _ in range(3):
        budget = Budget()
        left = budget.left
        read_encoded(encoded, budget)
        assert left - budget.left == 4


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x0a\x01a\x12\x03\x0a\x01x\x0a\x01b",  # the key twice: the last counts
        b"\x12\x03\x0a\x01x\x0a\x01a",  # the value first
        b"\x0a\x01a\x12\x05\x0a\x01x\x18\x07",  # a text and then a number: the last counts
        b"\x0a\x01a\x12\x03\x18\x80\x00",  # a zero of two bytes
        b"\x0a\x01a\x12\x02\x18\x00",
        b"\x0a\x01a\x12\x02\x0a\x00",
        b"\x0a\x01a\x12\x00",
        b"\x0a\x01a",
        b"\x0a\x00\x12\x03\x0a\x01x",
        b"",
        b"\x0a\x01a\x12\x03\x0a\x01\xff",  # no UTF-8
        b"\x0a\x01a\x12\x03\x0a\x05x",  # cut off
        b"\x0a\x01a\x12\x03\x18\x80\x80",
        b"\x0a\x7fa\x12\x03\x18\x80\x80",
    ],
)
def test_what_is_encoded_otherwise_is_read_by_protobuf(encoded: bytes) -> None:
    for key in ("a", "b", ""):
        read_encoded([KeyValue(key=key, value=AnyValue(string_value="met before")).SerializeToString()], Budget())
    try:
        expected = read_attributes([KeyValue.FromString(encoded)], Budget())
    except DecodeError:
        with pytest.raises(Refused):
            read_encoded([encoded], Budget())
    else:
        assert read_encoded([encoded], Budget()) == expected
