"""What the page says of a clearing price: known, nothing, unknown, or in doubt."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dashboard.pages.clearing import Row, amount, price_said, waits_said

KNOWN: Row = {"usd_per_million": Decimal("2.1"), "low": Decimal("1.8"), "high": Decimal("2.4"), "agrees": True, "why": None}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "What tenants want fits it at $2.10 for a million tokens (95 %: $1.80 to $2.40)."),
        ({"high": None}, "What tenants want fits it at $2.10 for a million tokens."),
        ({"usd_per_million": Decimal(0)}, "There is enough for everybody: it costs nothing."),
        ({"usd_per_million": None, "why": "3 of 4 requests do not tell"}, "No price is known: 3 of 4 requests do not tell."),
        ({"agrees": False}, "do not agree: do not rely on it."),
    ],
)
def test_a_price_in_words(change: Row, said: str) -> None:
    assert price_said({**KNOWN, **change}, "tokens").endswith(said)


def test_a_capacity_without_a_price_yet() -> None:
    said = waits_said({"engine": "engine-a", "resource": "decode", "per_s": Decimal(6)})
    assert said.startswith("engine-a can do 6 output tokens a second, as stated. The analyzers find its price")


@pytest.mark.parametrize(
    ("value", "said"), [(None, "not known"), (0.277778, "0.278"), (12.3456, "12.3"), (2_500, "2.5\N{NARROW NO-BREAK SPACE}k")]
)
def test_an_amount(value: object, said: str) -> None:
    assert amount(value) == said
