"""One test of very many cases: pytest takes longer to set up an item than most of them to be checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def every(cases: Iterable[T], check: Callable[[T], object], name: Callable[[T], str] = str) -> None:
    """Check every case, also after one has failed.

    Raises: an exception group of all that failed, with a note on each that says by name which case it was.
    """
    failed: list[Exception] = []
    checked = 0
    for case in cases:
        checked += 1
        try:
            check(case)
        except Exception as error:  # noqa: BLE001 - raised again below, together with those of the other cases
            error.add_note(f"in the case {name(case)}")
            failed.append(error)
    if failed:
        cases_named = ", ".join(note.removeprefix("in the case ") for error in failed for note in error.__notes__[-1:])
        raise ExceptionGroup(f"{len(failed)} of {checked} cases fail: {cases_named}", failed)
    assert checked, "there is no case"
