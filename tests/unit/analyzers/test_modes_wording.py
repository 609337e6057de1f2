"""How modes speak of amounts: as people do, also near nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.modes.look import Place
from analyzers.modes.wording import brings, takes, usd
from tests.looked import told_usd


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (1239.6, "$1,240"),
        (999.999, "$1,000"),
        (3.456, "$3.46"),
        (0.0994, "$0.099"),
        (0.0995, "$0.10"),
        (0.0000123, "$0.000012"),
        (1e-12, "$0"),
        (0.0, "$0"),
        (-0.0, "$0"),
        (-1e-12, "$0"),
        (-0.004, "−$0.0040"),
    ],
)
def test_an_amount_has_two_digits_and_no_zero_that_is_none(amount: float, said: str) -> None:
    assert usd(amount) == said


@pytest.mark.parametrize(
    ("known", "brought", "taken"),
    [
        (
            {"V·ΔQ": 34.05, "ΔC": 11.9, "λ·ΔL": 1.04, "ρ·ΔR": -8.65},
            "bring $34.05 of value and spare $8.65 of expected losses",
            "$11.90 of cost and $1.04 of waiting",
        ),
        ({"V·ΔQ": 1.08, "ΔC": 0.044, "λ·ΔL": -1.5}, "bring $1.08 of value and spare $1.50 of waiting", "$0.044 of cost"),
        (
            {"V·ΔQ": -2.0, "ΔC": -9.0, "λ·ΔL": -1.0, "ρ·ΔR": 0.001},
            "spare $9.00 of cost and $1.00 of waiting",
            "$2.00 of value",
        ),
        ({"V·ΔQ": 3.0, "ΔC": 0.01}, "bring $3.00 of value", "nothing"),
        ({"V·ΔQ": -3.0, "ρ·ΔR": 0.0}, "bring nothing", "$3.00 of value"),
        ({}, "bring nothing", "nothing"),
    ],
)
def test_what_something_brings_and_takes_is_told_term_by_term(known: dict[str, float], brought: str, taken: str) -> None:
    assert brings(known) == brought
    assert takes(known) == taken


_TERMS = st.fixed_dictionaries(
    {}, optional={name: st.floats(-1e4, 1e4, allow_subnormal=False) for name in ("V·ΔQ", "ΔC", "λ·ΔL", "ρ·ΔR")}
)


@given(_TERMS)
def test_what_is_told_adds_up_to_the_terms(known: dict[str, float]) -> None:
    net = known.get("V·ΔQ", 0.0) - sum(size for name, size in known.items() if name != "V·ΔQ")
    largest = max(map(abs, known.values()), default=0.0)
    assert abs(told_usd(brings(known)) - told_usd(takes(known)) - net) <= 0.045 * largest + 1e-6


def test_a_place_of_long_names_has_a_short_segment_of_its_own() -> None:
    one, other = (Place("demand", "route", "n" * 5000, "m" * 5000 + ending) for ending in "ab")
    assert one.segment != other.segment
    assert len(one.segment) == 2 + 2 * 150
    assert Place("demand", "route", "support.faq", "large").segment == "support.faq, route large"
