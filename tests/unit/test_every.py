"""Many cases in one test: none is forgotten, and each that fails is named."""

from __future__ import annotations

import pytest

from tests.every import every


def test_every_case_is_checked_and_those_that_fail_are_named() -> None:
    checked: list[int] = []

    def is_even(number: int) -> None:
        checked.append(number)
        assert number % 2 == 0

    every([2, 4], is_even)
    with pytest.raises(ExceptionGroup, match=r"2 of 4 cases fail: number 1, number 3") as failed:
        every([1, 2, 3, 4], is_even, lambda number: f"number {number}")
    assert checked == [2, 4, 1, 2, 3, 4]
    assert [error.__notes__ for error in failed.value.exceptions] == [["in the case number 1"], ["in the case number 3"]]


def test_no_case_at_all_is_a_failure() -> None:
    with pytest.raises(AssertionError, match="no case"):
        every([], str)
