"""How modes speak of amounts: as people do, also near nothing."""

from __future__ import annotations

import pytest

from analyzers.modes.look import Place
from analyzers.modes.wording import costing, usd


@pytest.mark.parametrize(
    ("amount", "said", "as_cost"),
    [
        (1239.6, "$1,240", "for $1,240 of cost"),
        (999.999, "$1,000", "for $1,000 of cost"),
        (3.456, "$3.46", "for $3.46 of cost"),
        (0.0994, "$0.099", "for $0.099 of cost"),
        (0.0995, "$0.10", "for $0.10 of cost"),
        (0.0000123, "$0.000012", "for $0.000012 of cost"),
        (1e-12, "$0", "at no cost"),
        (0.0, "$0", "at no cost"),
        (-0.0, "$0", "at no cost"),
        (-1e-12, "$0", "at no cost"),
        (-0.004, "−$0.0040", "and cost $0.0040 less"),
    ],
)
def test_an_amount_has_two_digits_and_no_zero_that_is_none(amount: float, said: str, as_cost: str) -> None:
    assert usd(amount) == said
    assert costing(amount) == as_cost


def test_a_place_of_long_names_has_a_short_segment_of_its_own() -> None:
    one, other = (Place("demand", "route", "n" * 5000, "m" * 5000 + ending) for ending in "ab")
    assert one.segment != other.segment
    assert len(one.segment) == 2 + 2 * 150
    assert Place("demand", "route", "support.faq", "large").segment == "support.faq, route large"
