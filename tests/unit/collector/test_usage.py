"""Counts of every convention become the same disjoint leaves, or a problem that names what is wrong."""

from __future__ import annotations

import pytest

from collector.record import Problem
from collector.usage import (
    ADDITIVE,
    BELIEVED,
    EXCLUSIVE_CACHE,
    INCLUSIVE,
    REASONING_ON_TOP,
    UNSURE,
    UNSURE_EXCLUSIVE,
    Convention,
    Counts,
    Leaves,
    count_table,
    disjoint_leaves,
    read_count,
    read_counts,
    to_leaves,
)

SHORT = {
    "input": "input_tokens",
    "output": "output_tokens",
    "total": "total_tokens",
    "read": "cache_read_tokens",
    "write": "cache_write_tokens",
    "write_5m": "cache_write_5m_tokens",
    "write_1h": "cache_write_1h_tokens",
    "thought": "output_reasoning_tokens",
    "audio": "input_audio_tokens",
    "audio_read": "cache_audio_read_tokens",
    "audio_out": "output_audio_tokens",
    "image": "input_image_tokens",
    "tool": "input_tool_tokens",
    "cited": "output_citation_tokens",
    "searches": "web_searches",
}


def counts(text: str) -> Counts:
    """'input=10 read=4' with the short names above."""
    return {SHORT[name]: int(count) for name, _, count in (pair.partition("=") for pair in text.split())}


@pytest.mark.parametrize(
    ("convention", "reported", "leaves", "confidence"),
    [
        (INCLUSIVE, "input=100 output=50", "input=100 output=50", "explicit"),
        (INCLUSIVE, "input=100", "input=100", "low"),
        (INCLUSIVE, "input=100 read=60 output=50", "input=40 read=60 output=50", "explicit"),
        (INCLUSIVE, "input=100 read=60 write=30 output=50", "input=10 read=60 write=30 output=50", "explicit"),
        (INCLUSIVE, "input=100 read=0 output=50 thought=0", "input=100 read=0 output=50 thought=0", "explicit"),
        (INCLUSIVE, "input=100 output=50 thought=20", "input=100 output=30 thought=20", "explicit"),
        (INCLUSIVE, "input=90 write=90 write_5m=10 write_1h=80 output=5", "input=0 write_5m=10 write_1h=80 output=5", "explicit"),
        (INCLUSIVE, "input=90 write_5m=10 write_1h=80 output=5", "input=0 write_5m=10 write_1h=80 output=5", "explicit"),
        (INCLUSIVE, "input=90 write=90 write_5m=10 output=5", "input=0 write=80 write_5m=10 output=5", "explicit"),
        (INCLUSIVE, "input=64 audio=44 output=9", "input=20 audio=44 output=9", "explicit"),
        (
            INCLUSIVE,
            "input=64 audio=44 audio_read=10 read=15 output=9",
            "input=15 audio=34 audio_read=10 read=5 output=9",
            "explicit",
        ),
        (INCLUSIVE, "input=64 image=14 output=9 audio_out=4", "input=50 image=14 output=5 audio_out=4", "explicit"),
        (INCLUSIVE, "input=5 output=5 searches=2", "input=5 output=5 searches=2", "explicit"),
        (EXCLUSIVE_CACHE, "input=10 read=60 write=30 output=50", "input=10 read=60 write=30 output=50", "explicit"),
        (REASONING_ON_TOP, "input=10 output=50 thought=20", "input=10 output=50 thought=20", "explicit"),
        (REASONING_ON_TOP, "input=10 thought=20", "input=10 thought=20", "explicit"),
        (REASONING_ON_TOP, "input=10 output=5 tool=7", "input=10 output=5 tool=7", "explicit"),
        (REASONING_ON_TOP, "input=10 output=5 thought=2 cited=3", "input=10 output=5 thought=2 cited=3", "explicit"),
        # An emitter known to leak other conventions: what cannot be is left out, then the total decides, then the convention.
        (UNSURE, "input=10 read=60 output=50", "input=10 read=60 output=50", "inferred"),
        (UNSURE, "input=100 read=60 output=50 total=150", "input=40 read=60 output=50", "explicit"),
        (UNSURE, "input=100 read=60 output=50 total=210", "input=100 read=60 output=50", "inferred"),
        (UNSURE, "input=100 read=60 output=50", "input=40 read=60 output=50", "low"),
        (UNSURE, "input=100 read=60 output=50 total=7", "input=40 read=60 output=50", "low"),
        (UNSURE, "input=100 read=0 output=50", "input=100 read=0 output=50", "explicit"),
        (UNSURE, "input=10 output=50 thought=70", "input=10 output=50 thought=70", "inferred"),
        (UNSURE, "input=10 output=50 thought=20 total=80", "input=10 output=50 thought=20", "inferred"),
        (UNSURE_EXCLUSIVE, "input=100 read=60 output=50 total=210", "input=100 read=60 output=50", "explicit"),
        (UNSURE_EXCLUSIVE, "input=100 read=60 output=50 total=150", "input=40 read=60 output=50", "inferred"),
        # An emitter nobody knows that uses a convention's names is believed unless its total is that of another.
        (BELIEVED, "input=100 read=60 output=50", "input=40 read=60 output=50", "explicit"),
        (BELIEVED, "input=100 read=60 output=50 total=150", "input=40 read=60 output=50", "explicit"),
        (BELIEVED, "input=10 read=60 output=50 total=120", "input=10 read=60 output=50", "inferred"),
        (BELIEVED, "input=100 read=60 output=50 total=210", "input=100 read=60 output=50", "inferred"),
        (BELIEVED, "input=10 output=50 thought=20 total=80", "input=10 output=50 thought=20", "inferred"),
        (BELIEVED, "input=100 read=60 output=50 total=7", "input=40 read=60 output=50", "low"),
        # A total of more than is told, as with thoughts that are counted nowhere else: a guess, and nothing is derived.
        (INCLUSIVE, "input=10 output=5 total=45", "input=10 output=5", "low"),
        (INCLUSIVE, "input=10 read=4 output=5 total=45", "input=6 read=4 output=5", "low"),
        (INCLUSIVE, "input=10 output=5 total=15", "input=10 output=5", "explicit"),
        (ADDITIVE, "input=10 read=60 output=50 thought=20", "input=10 read=60 output=50 thought=20", "explicit"),
    ],
)
def test_leaves(convention: Convention, reported: str, leaves: str, confidence: str) -> None:
    found = to_leaves(counts(reported), convention)
    assert isinstance(found, Leaves), found
    assert found.quantities == counts(leaves)
    assert found.confidence == confidence


@pytest.mark.parametrize(
    ("convention", "reported", "code", "named"),
    [
        (INCLUSIVE, "", "usage_missing", "no usage"),
        (INCLUSIVE, "total=30", "usage_incomplete", "total of 30"),
        (INCLUSIVE, "input=10 read=60 output=50", "negative_leaf", "input_tokens would be -50"),
        (BELIEVED, "input=10 read=60 output=50", "negative_leaf", "input_tokens would be -50"),
        (BELIEVED, "input=10 read=60 output=50 total=99", "negative_leaf", "input_tokens would be -50"),
        (INCLUSIVE, "input=10 output=50 thought=60", "negative_leaf", "output_tokens would be -10"),
        (INCLUSIVE, "input=10 write=5 write_5m=6 output=5", "negative_leaf", "cache_write_tokens would be -1"),
        (INCLUSIVE, "input=64 audio=10 audio_read=11 read=11 output=9", "negative_leaf", "input_audio_tokens would be -1"),
        (EXCLUSIVE_CACHE, "input=10 output=50 thought=60", "negative_leaf", "output_tokens would be -10"),
    ],
)
def test_contradictions_are_problems_never_clamped(convention: Convention, reported: str, code: str, named: str) -> None:
    found = to_leaves(counts(reported), convention)
    assert isinstance(found, Problem)
    assert found.code == code
    assert named in found.detail


def test_the_whole_input_contains_the_caches_whatever_the_convention() -> None:
    inclusive = to_leaves(counts("input=100 read=60 write=30 output=5"), INCLUSIVE)
    exclusive = to_leaves(counts("input=10 read=60 write=30 output=5"), EXCLUSIVE_CACHE)
    assert isinstance(inclusive, Leaves)
    assert inclusive == exclusive
    assert inclusive.total_input_tokens == 100


def test_completion_is_not_derived_from_the_total() -> None:
    """total − prompt would count the 30 thoughts as plain output a second time."""
    found = to_leaves(counts("input=10 output=5 thought=30 total=45"), REASONING_ON_TOP)
    assert isinstance(found, Leaves)
    assert found.quantities == counts("input=10 output=5 thought=30")
    alone = to_leaves(counts("input=10 total=45"), INCLUSIVE)
    assert isinstance(alone, Leaves)
    assert alone.quantities == counts("input=10")
    assert alone.confidence == "low"


def test_an_embedding_has_no_output_to_miss() -> None:
    found = to_leaves(counts("total=15"), INCLUSIVE, is_embedding=True)
    assert found == Leaves({"input_tokens": 15}, 15, None, "explicit")


def test_disjoint_counts_are_leaves_already() -> None:
    found = disjoint_leaves(counts("input=10 read=60 audio=5 output=50 thought=20 total=145"))
    assert found == Leaves(counts("input=10 read=60 audio=5 output=50 thought=20"), 75, 70, "explicit")


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0), (12, 12), ("12", 12), (" 12 ", 12), (12.0, 12), (10**12, 10**12),
        (-1, None), (12.5, None), (float("nan"), None), (float("inf"), None), (True, None), ("", None),
        ("12.0", None), ("-3", None), ("twelve", None), ("1e3", None), ("٣", None), (10**12 + 1, None),
        (2**63, None), ("9" * 30, None), ([12], None), ({}, None),
    ],
)  # fmt: skip
def test_what_is_a_count(value: object, count: int | None) -> None:
    assert read_count(value) == count  # pyright: ignore[reportArgumentType]


def test_the_current_name_is_believed_before_the_deprecated() -> None:
    table = count_table(input_tokens=("now", "before"), output_tokens="out")
    assert read_counts({"before": 1, "now": 2, "out": 3, "other": "x"}, table) == {"input_tokens": 2, "output_tokens": 3}
    assert read_counts({"before": 1, "now": None}, table) == {"input_tokens": 1}


def test_an_unreadable_count_is_named() -> None:
    problem = read_counts({"now": -4}, count_table(input_tokens="now"))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.stage) == ("count_unreadable", "read")
    assert problem.detail == "now is -4, no whole number from 0 to 1,000,000,000,000"
