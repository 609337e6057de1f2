"""Readers share answers only where several ask the same within seconds, and never across what was done meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count

import pytest

from dashboard.recent import KEPT_MAX, MANY, Recent


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recent(clock: Clock) -> Recent:
    return Recent(2.0, clock)


@pytest.fixture
def ask() -> Callable[[], int]:
    """A question that is answered with how often it was asked."""
    asked = count(1)
    return lambda: next(asked)


def test_few_readers_get_answers_of_their_own(recent: Recent, clock: Clock, ask: Callable[[], int]) -> None:
    assert [recent.share("a", ask) for _ in range(MANY - 1)] == list(range(1, MANY))
    clock.now += 2.0
    assert [recent.share("a", ask) for _ in range(MANY - 1)] == list(range(MANY, 2 * MANY - 1))


def test_many_readers_share_the_latest_while_it_is_fresh(recent: Recent, clock: Clock, ask: Callable[[], int]) -> None:
    assert [recent.share("a", ask) for _ in range(5)] == [1, 2, 2, 2, 2]
    clock.now += 1.9
    assert recent.share("a", ask) == 2
    clock.now += 0.2
    assert [recent.share("a", ask) for _ in range(3)] == [3, 3, 3], "the one who asked 0.2 s ago counts"


def test_other_questions_have_answers_of_their_own(recent: Recent, ask: Callable[[], int]) -> None:
    assert [recent.share(key, ask) for key in ("a", "a", "b", "a", "b", "b")] == [1, 2, 3, 2, 4, 4]


def test_what_was_done_is_seen(recent: Recent, ask: Callable[[], int]) -> None:
    assert [recent.share("a", ask) for _ in range(4)] == [1, 2, 2, 2]
    recent.forget()
    assert [recent.share("a", ask) for _ in range(2)] == [3, 3]


def test_nothing_is_shared_when_nothing_may_be(ask: Callable[[], int]) -> None:
    none = Recent()
    assert [none.share("a", ask) for _ in range(5)] == [1, 2, 3, 4, 5]


def test_an_answer_that_failed_is_not_kept(recent: Recent, ask: Callable[[], int]) -> None:
    def fail() -> int:
        raise OSError("away")

    assert [recent.share("a", ask) for _ in range(2)] == [1, 2]
    recent.forget()
    with pytest.raises(OSError, match="away"):
        recent.share("a", fail)
    assert recent.share("a", ask) == 3


def test_those_who_ask_meanwhile_wait_for_the_answer(recent: Recent) -> None:
    begun, go = threading.Event(), threading.Event()
    answers: list[str] = []

    def slow() -> str:
        begun.set()
        assert go.wait(10)
        return "once"

    for _ in range(MANY - 1):
        recent.share("a", lambda: "before")
    recent.forget()
    first = threading.Thread(target=lambda: answers.append(recent.share("a", slow)))
    first.start()
    assert begun.wait(10)
    others = [threading.Thread(target=lambda: answers.append(recent.share("a", lambda: "again"))) for _ in range(3)]
    for other in others:
        other.start()
    go.set()
    for thread in (first, *others):
        thread.join(10)
    assert answers == ["once"] * 4


def test_what_nobody_asks_for_any_more_is_dropped(recent: Recent, clock: Clock, ask: Callable[[], int]) -> None:
    for key in range(KEPT_MAX):
        recent.share(key, ask)
    clock.now += 3
    for _ in range(2):
        recent.share("last", ask)
    assert len(recent._asked) == len(recent._answers) == 1
