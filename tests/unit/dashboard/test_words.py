"""What pages say in words of their own: rules, books, headlines."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dashboard.components.marks import with_code
from dashboard.pages.alert_words import RULES, evidence_said, meant
from dashboard.pages.ledger_headline import balanced, waits
from dashboard.pages.overview_headline import beyond_spend, found_lately, largest


def test_rules_are_told_with_what_they_count() -> None:
    assert meant("unpriced_share") == "The share of a tenant's calls of the past day that have no price."
    assert [evidence_said(rule, 1) for rule in ("books_check", "control_difference", "misallocation", "new_rule")] == [
        "1 commodity", "1 total", "1 case", "1 case",
    ]  # fmt: skip
    assert evidence_said("budget_pace", 50) == "50 calls"
    assert all(" Evidence: " in said for said in RULES.values())
    assert meant("new_rule") == "new_rule"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([(0, 0), (0, None)], "The books balance: all 2 sums of debits and credits are zero"),
        ([(0, 0), (1, 0)], "The books do not balance: 1 sum is not zero"),
        ([(0, 2), (1, 0)], "The books do not balance: 2 sums are not zero"),
    ],
)
def test_whether_books_balance_is_said_first(lines: list[tuple[int, int | None]], said: str) -> None:
    assert balanced([{"quantity": quantity, "amount_usd": usd} for quantity, usd in lines]) == said


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], []),
        ([("suspense:unpriced", 1)], ["1 call waits for a price"]),
        ([("suspense:unpriced", 2), ("suspense:unreadable", 3)], ["2 calls wait for a price", "3 calls could not be read"]),
    ],
)
def test_what_waits_is_counted(lines: list[tuple[str, int]], said: list[str]) -> None:
    assert waits([{"account": account, "calls": calls} for account, calls in lines]) == said


def test_commands_in_sentences_are_code() -> None:
    before, command, after = with_code("state it (`pigou assignments`), then wait")
    assert (before, getattr(command, "children", None), after) == ("state it (", "pigou assignments", "), then wait")


def test_the_largest_finding_is_led_in_as_a_share_of_all() -> None:
    assert largest({"usd_per_day": 84}, {"findings": 10, "usd_per_day": 245}) == ". The largest part, 34\u202f%: "
    assert largest({"usd_per_day": 84}, {"findings": 1, "usd_per_day": 84}) == ": "


@pytest.mark.parametrize(
    ("findings", "new", "said"),
    [
        (3, 0, "3 findings, none found within a week"),
        (1, 1, "1 finding, found within a week"),
        (3, 3, "3 findings, all found within a week"),
        (3, 1, "3 findings, 1 of them found within a week ($12 a day)"),
    ],
)
def test_what_was_found_lately_is_counted(findings: int, new: int, said: str) -> None:
    assert found_lately({"findings": findings, "new_findings": new, "new_usd_per_day": Decimal("12.34")}) == said


def test_more_than_is_spent_can_be_lost_and_is_explained() -> None:
    assert "More than tokens cost is lost" in str(beyond_spend(245, 70))
    assert beyond_spend(50, 70) == beyond_spend(50, None) == beyond_spend(None, 70) == []
