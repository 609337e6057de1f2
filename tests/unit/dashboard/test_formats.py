"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dashboard import formats

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


def plain(text: str) -> str:
    """With ordinary spaces, so that the expectations can be read."""
    return text.replace(formats.THIN_SPACE, " ")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "not known"),
        (Decimal(0), "$0"),
        (Decimal("1204.309999"), "$1,204.31"),
        (Decimal("0.9999"), "$1.00"),
        (Decimal("0.9994"), "$0.999"),
        (Decimal("0.00412345"), "$0.00412"),
        (Decimal("0.0000004"), "$0.0000004"),
        (Decimal("0.000000001"), "<$0.0000001"),
        (Decimal("-3.5"), "−$3.50"),
        (Decimal("-0.012"), "−$0.012"),
        (Decimal("0.5"), "$0.50"),
        (Decimal("0.1004"), "$0.10"),
        (Decimal("0.0500"), "$0.05"),
    ],
)
def test_dollars(value: Decimal | None, said: str) -> None:
    assert formats.usd(value) == said


@pytest.mark.parametrize(
    ("value", "low", "high", "said", "interval"),
    [
        (412.37, 360.2, 470.9, "$410", "$360 to $470"),
        (412.37, 412.1, 412.6, "$412.37", "$412.10 to $412.60"),
        (7.976, 4.6, 11.31, "$8.0", "$4.6 to $11.3"),
        (0.1234, 0.09, 0.16, "$0.123", "$0.090 to $0.160"),
        (12_345, 2_000, 30_000, "$12,000", "$2,000 to $30,000"),
        (-3.4, -6, 1, "−$3.4", "−$6.0 to $1.0"),
        (5, 5, 5, "$5.00", "$5.00"),
        (5, None, None, "$5.00", "not known"),
        (None, None, None, "not known", "not known"),
        (1e9, 1e9 - 1e-12, 1e9 + 1e-12, "$1,000,000,000.00", "$1,000,000,000.00"),
        (0.992294, 0.992292, 0.992296, "$0.992", "$0.992"),
        (3.5, 3.4995, 3.5005, "$3.50", "$3.50"),
        (-0.001, -0.3, 0.2, "$0", "−$0.30 to $0.20"),
        (0.1, -0.001, 0.2, "$0.10", "$0 to $0.20"),
    ],
)
def test_estimates_have_the_digits_that_their_interval_supports(
    value: float | None, low: float | None, high: float | None, said: str, interval: str
) -> None:
    assert formats.usd_estimate(value, low, high) == said
    assert formats.usd_interval(low, high) == interval


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "not known"),
        (0, "0"),
        (999, "999"),
        (1000, "1 k"),
        (12_345, "12.3 k"),
        (999_499, "999 k"),
        (999_500, "1 M"),
        (12_300_000, "12.3 M"),
        (1_500_000_000, "1.5 B"),
    ],
)
def test_tokens(value: int | None, said: str) -> None:
    assert plain(formats.tokens(value)) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "not known"),
        (0, "0 ms"),
        (0.5, "0.5 ms"),
        (840, "840 ms"),
        (3420, "3.42 s"),
        (250_000, "4 min 10 s"),
        (7_500_000, "2 h 5 min"),
        (273_600_000, "3 d 4 h"),
    ],
)
def test_durations(value: float | None, said: str) -> None:
    assert plain(formats.duration(value)) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (1, 4, "25 %"),
        (0, 4, "0 %"),
        (1, 1000, "< 1 %"),
        (999, 1000, "> 99 %"),
        (4, 4, "100 %"),
        (1, 0, "–"),
        (None, 4, "–"),
        (1, None, "–"),
    ],
)
def test_shares(part: int | None, whole: int | None, said: str) -> None:
    assert plain(formats.share(part, whole)) == said


def test_counts_carry_their_noun() -> None:
    assert formats.count(1, "call") == "1 call"
    assert formats.count(2140, "call") == "2,140 calls"
    assert formats.count(2, "query", "queries") == "2 queries"
    assert formats.count(None, "call") == "not known calls"


def test_bytes() -> None:
    assert plain(formats.size(512)) == "512 B"
    assert plain(formats.size(11_800_000)) == "11.8 MB"
    assert formats.size(None) == "not known"


def test_times_are_utc() -> None:
    assert formats.moment(NOW.astimezone()) == "2026-03-14 09:26:53"
    assert formats.moment(None) == "not known"
    assert formats.day(NOW) == "14 Mar 2026"


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=-30), "less than two minutes ago"),
        (timedelta(seconds=90), "less than two minutes ago"),
        (timedelta(minutes=14), "14 min ago"),
        (timedelta(hours=3, minutes=50), "3 h ago"),
        (timedelta(days=2), "2 d ago"),
    ],
)
def test_how_long_ago(passed: timedelta, said: str) -> None:
    assert plain(formats.minutes_ago(NOW - passed, NOW)) == said


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError):
        formats.usd("12")
    with pytest.raises(TypeError):
        formats.usd(True)


def test_options_are_told_in_plain_words() -> None:
    assert [formats.option("confirm", name) for name in ("none", "human", "by a bot")] == [
        "no confirmation", "a person's yes", "by a bot",
    ]  # fmt: skip
    assert [formats.option(kind, "none") for kind in ("cache", "route")] == ["not cached", "none"]
    assert [formats.option("verify", name) for name in ("0", "1", "2", "many")] == ["no check", "1 check", "2 checks", "many"]
