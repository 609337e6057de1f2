"""What pages say in words of their own: rules, books, headlines."""

from __future__ import annotations

import pytest

from dashboard.components.marks import with_code
from dashboard.pages.alert_words import RULES, evidence_said, meant
from dashboard.pages.ledger_headline import balanced, waits


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
