"""Which names are slips of others."""

from __future__ import annotations

import pytest

from ledger.tenants import is_slip


@pytest.mark.parametrize("name", ["Acme", "acmee", "acm", "amce", "acme.", "aacme"])
def test_a_letter_more_or_less_or_two_swapped_is_a_slip(name: str) -> None:
    assert is_slip(name, "acme")
    assert is_slip("acme", name)


@pytest.mark.parametrize(
    ("name", "known"),
    [("acme", "acme"), ("acme2", "acme"), ("team-2", "team-1"), ("team-12", "team-21"), ("team-b", "team-a"), ("ab", "a"),
     ("acme-eu", "acme"), ("", "a"), ("beta", "acme")],
)  # fmt: skip
def test_what_is_as_likely_meant_is_none(name: str, known: str) -> None:
    assert not is_slip(name, known)
