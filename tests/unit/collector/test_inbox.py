"""The inbox: bounded, group commit, one answer per request, and alive whatever its senders do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from collector import inbox as inbox_module
from collector.export import Answer, Export, Prepared
from collector.inbox import Inbox, Overloaded, Waiting

STORED = Answer("stored")
WAIT_S = 10


class Desk:
    """Prepares by taking the body's length for records; posts when it is let to, and remembers the groups."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.groups: list[int] = []

    def prepare(self, export: Export) -> Prepared | Answer:
        if export.body == b"bad":
            return Answer("undecodable", message="bad")
        return Prepared([], len(export.body), 0, "")

    def post(self, group: list[Waiting]) -> None:
        self.entered.set()
        if not self.gate.wait(WAIT_S):
            raise TimeoutError("nobody opened the gate")
        self.groups.append(len(group))
        for item in group:
            item.answer(STORED)


@contextmanager
def opened(desk: Desk, limit_bytes: int = 1000, group_limit: int = 100) -> Generator[Inbox]:
    inbox = Inbox(desk.prepare, desk.post, limit_bytes, group_limit)
    inbox.start()
    yield inbox
    desk.gate.set()
    inbox.drain(WAIT_S)


def export(body: bytes) -> Export:
    return Export("span", body, "protobuf", "identity")


def test_a_request_is_answered_after_it_was_posted() -> None:
    desk = Desk()
    desk.gate.clear()
    with opened(desk) as inbox:
        reply = inbox.submit(export(b"a"))
        assert desk.entered.wait(WAIT_S)
        assert not reply.done()
        desk.gate.set()
        assert reply.result(WAIT_S) == STORED


def test_what_waits_is_posted_in_one_group() -> None:
    desk = Desk()
    desk.gate.clear()
    with opened(desk) as inbox:
        first = inbox.submit(export(b"a"))
        assert desk.entered.wait(WAIT_S)
        others = [inbox.submit(export(b"b")) for _ in range(5)]
        bad = inbox.submit(export(b"bad"))
        assert bad.result(WAIT_S).outcome == "undecodable"  # answered at once: what comes before it is prepared by now
        desk.gate.set()
        assert [reply.result(WAIT_S) for reply in [first, *others]] == [STORED] * 6
    assert desk.groups == [1, 5]


def test_half_of_what_is_under_way_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four under way one is read and two still are: a group of one would be half the use of its transaction."""
    monkeypatch.setattr(inbox_module, "_GATHER_WITHIN_S", WAIT_S)
    desk = Desk()
    desk.gate.clear()
    slow = threading.Event()

    def prepare(export: Export) -> Prepared | Answer:
        if export.body == b"slow":
            slow.wait(WAIT_S)
        return desk.prepare(export)

    inbox = Inbox(prepare, desk.post, 1000, 100)
    inbox.start()
    first = inbox.submit(export(b"a"))
    assert desk.entered.wait(WAIT_S)
    others = [inbox.submit(export(body)) for body in (b"b", b"slow", b"c", b"d")]
    desk.gate.set()
    assert first.result(WAIT_S) == STORED
    assert not others[0].done(), "posted alone while others were being read"
    slow.set()
    assert [reply.result(WAIT_S) for reply in others] == [STORED] * 4
    inbox.drain(WAIT_S)
    assert desk.groups[:2] in ([1, 2], [1, 3], [1, 4])


def test_a_group_ends_at_its_limit() -> None:
    desk = Desk()
    desk.gate.clear()
    with opened(desk, group_limit=4) as inbox:
        first = inbox.submit(export(b"a"))
        assert desk.entered.wait(WAIT_S)
        others = [inbox.submit(export(b"bb")) for _ in range(4)]
        assert inbox.submit(export(b"bad")).result(WAIT_S).outcome == "undecodable"
        desk.gate.set()
        for reply in [first, *others]:
            reply.result(WAIT_S)
    assert desk.groups == [1, 2, 2]


def test_a_full_queue_refuses_and_takes_in_again_once_it_is_empty() -> None:
    desk = Desk()
    desk.gate.clear()
    with opened(desk, limit_bytes=10) as inbox:
        waiting = inbox.submit(export(b"x" * 6))
        with pytest.raises(Overloaded):
            inbox.submit(export(b"x" * 5))
        fits = inbox.submit(export(b"x" * 4))
        desk.gate.set()
        assert [waiting.result(WAIT_S), fits.result(WAIT_S)] == [STORED] * 2
        assert inbox.submit(export(b"x" * 10)).result(WAIT_S) == STORED


def test_a_request_larger_than_the_queue_is_taken_in_when_nothing_waits() -> None:
    with opened(Desk(), limit_bytes=10) as inbox:
        assert inbox.submit(export(b"x" * 50)).result(WAIT_S) == STORED


def test_a_refused_request_gives_its_room_back() -> None:
    with opened(Desk(), limit_bytes=3) as inbox:
        for _ in range(5):
            assert inbox.submit(export(b"bad")).result(WAIT_S).outcome == "undecodable"


def test_a_sender_that_goes_away_stops_nobody() -> None:
    """Cancelling what one sender waits for, as gRPC does at a deadline, must neither kill a thread nor lose the export."""
    desk = Desk()
    desk.gate.clear()

    async def gone(inbox: Inbox) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(inbox.submit(export(b"a"))), 0.05)

    with opened(desk) as inbox:
        asyncio.run(gone(inbox))
        desk.gate.set()
        assert inbox.submit(export(b"b")).result(WAIT_S) == STORED
        assert inbox.alive
    assert sum(desk.groups) == 2


def test_draining_finishes_what_is_queued() -> None:
    desk = Desk()
    desk.gate.clear()
    inbox = Inbox(desk.prepare, desk.post, 1000, 100)
    inbox.start()
    replies = [inbox.submit(export(b"a")) for _ in range(10)]
    desk.gate.set()
    inbox.drain(WAIT_S)
    assert [reply.result(0) for reply in replies] == [STORED] * 10
    assert not inbox.alive


def test_what_is_answered_holds_nothing_large() -> None:
    """Futures keep their callbacks: an export must not live until the collector of cycles comes by."""
    item = Waiting(export(b"x" * 1000), is_kept=False)
    item.prepared = Prepared([], 1, 0, "")
    item.answer(STORED)
    assert (item.prepared, item.export.body) == (None, b"")
    assert item.reply.result(0) == STORED
