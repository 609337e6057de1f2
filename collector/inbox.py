"""Group commit: exports wait in a bounded queue, are prepared, posted in groups, and answered after the commit.

While one group is being written the next gathers, so that the group's size follows the load and nothing waits when idle. One
thread of this process prepares until exports queue up; then reading processes do (collector/readers.py), each fed by a thread.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, InvalidStateError
from typing import Protocol, TypeAlias

import msgspec

from collector.export import Answer, Export, Prepared
from collector.own_metrics import Depth

_READERS_REST_AFTER_S = 20.0
_UNDER_WAY_STARTS_READERS = 3
_GATHER_WITHIN_S = 0.05


class Waiting:
    """An export on its way: what it was read to be, once it was, and where its answer is waited for."""

    __slots__ = ("export", "is_kept", "prepared", "reply", "since")

    def __init__(self, export: Export, *, is_kept: bool) -> None:
        self.export = export
        self.is_kept = is_kept
        """It is in the spool already, and need not go there again."""
        self.prepared: Prepared | None = None
        self.reply: Future[Answer] = Future()
        self.since = time.monotonic()

    def answer(self, answer: Answer) -> None:
        """Tell the sender; the first answer stands (an export may be spooled while its posting still goes on)."""
        with contextlib.suppress(InvalidStateError):
            self.reply.set_result(answer)
        # The future keeps what was to be called, and so this: what is large must not wait for the collector of cycles.
        self.prepared = None
        self.export = msgspec.structs.replace(self.export, body=b"")


class Reader(Protocol):
    """Whoever prepares exports; see ReaderProcess."""

    def prepare(self, export: Export) -> Prepared | Answer:
        """What an export comes to."""
        ...

    def stop(self) -> None:
        """Rest until asked again."""
        ...


Post: TypeAlias = "Callable[[list[Waiting]], None]"
"""Posts a group of prepared exports and answers each."""


class Overloaded(Exception):
    """The queue is full: the sender should come back later."""


class Inbox:
    """Bounded queue, threads that prepare, and one that posts. `submit` may be called from any thread."""

    def __init__(
        self,
        prepare: Callable[[Export], Prepared | Answer],
        post: Post,
        limit_bytes: int,
        group_limit: int,
        readers: Iterable[Reader] = (),
    ) -> None:
        """`prepare` reads in this process, `readers` in others, which take over while there is much to do."""
        self._post = post
        self._limit_bytes = limit_bytes
        self._group_limit = group_limit
        self._waiting: dict[int, tuple[Waiting, int]] = {}
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._usual = 0
        """How many exports were under way when the last group was posted, itself included."""
        self._incoming: queue.Queue[Waiting | None] = queue.Queue()
        self._prepared: queue.Queue[Waiting | None] = queue.Queue()
        self._calm, self._busy = threading.Event(), threading.Event()
        self._calm.set()
        self._busy_at = -_READERS_REST_AFTER_S
        self._preparing = [threading.Thread(target=self._prepare_all, args=(prepare,), name="prepare", daemon=True)]
        self._preparing += [
            threading.Thread(target=self._prepare_when_busy, args=(reader,), name=f"reader-{number}", daemon=True)
            for number, reader in enumerate(readers)
        ]
        self._has_readers = len(self._preparing) > 1
        self._posting = threading.Thread(target=self._post_all, name="post", daemon=True)

    def start(self) -> None:
        """Start all threads."""
        for thread in (*self._preparing, self._posting):
            thread.start()

    def submit(self, export: Export, *, is_kept: bool = False) -> Future[Answer]:
        """Queue an export; the future is done once it was stored or refused. Raises Overloaded when the queue is full.

        `is_kept` says that it is in the spool: it is neither refused for want of room here nor spooled again.
        """
        size = len(export.body)
        item = Waiting(export, is_kept=is_kept)
        with self._lock:
            if not is_kept and self._waiting_bytes and self._waiting_bytes + size > self._limit_bytes:
                raise Overloaded
            self._waiting_bytes += size
            self._waiting[id(item)] = item, size
            under_way = len(self._waiting)
        # A sender that goes away cancels what it waits for; the record of its export must be finished all the same.
        item.reply.set_running_or_notify_cancel()
        item.reply.add_done_callback(lambda _: self._release(item))
        self._incoming.put(item)
        if self._has_readers and under_way >= _UNDER_WAY_STARTS_READERS:
            self._busy_at = time.monotonic()
            if not self._busy.is_set():
                self._calm.clear()
                self._busy.set()
        return item.reply

    def drain(self, timeout_s: float) -> None:
        """Finish what is queued, then stop. New exports must not be submitted any more."""
        deadline = time.monotonic() + timeout_s
        self._calm.set()
        self._busy.set()
        for _ in self._preparing:
            self._incoming.put(None)
        for thread in self._preparing:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._prepared.put(None)
        self._posting.join(max(0.0, deadline - time.monotonic()))

    def older_than(self, age_s: float) -> list[Waiting]:
        """Exports that were read, are in no spool, and have waited this long for their commit; the oldest first."""
        before = time.monotonic() - age_s
        with self._lock:
            waiting = [item for item, _ in self._waiting.values() if item.since <= before]
        return [item for item in waiting if item.prepared is not None and not item.is_kept]

    @property
    def alive(self) -> bool:
        """Whether all threads still run; a collector whose threads died must be restarted."""
        return all(thread.is_alive() for thread in (*self._preparing, self._posting))

    @property
    def depth(self) -> Depth:
        """What is under way."""
        with self._lock:
            return Depth(len(self._waiting), self._waiting_bytes, self._limit_bytes)

    def _release(self, item: Waiting) -> None:
        with self._lock:
            _, size = self._waiting.pop(id(item))
            self._waiting_bytes -= size

    # ── preparing ────────────────────────────────────────────────────────────────────────────────────

    def _prepare_all(self, prepare: Callable[[Export], Prepared | Answer]) -> None:
        """Prepare in this process, while that is enough."""
        while True:
            self._calm.wait()
            item = self._incoming.get()
            if item is None:
                return
            self._take(item, prepare(item.export))

    def _prepare_when_busy(self, reader: Reader) -> None:
        while True:
            if not self._busy.is_set():
                reader.stop()
                self._busy.wait()
            try:
                item = self._incoming.get(timeout=1.0)
            except queue.Empty:
                if time.monotonic() - self._busy_at > _READERS_REST_AFTER_S:
                    self._busy.clear()
                    self._calm.set()
                continue
            if item is None:
                reader.stop()
                return
            self._take(item, reader.prepare(item.export))

    def _take(self, item: Waiting, result: Prepared | Answer) -> None:
        if isinstance(result, Answer):
            item.answer(result)
        else:
            item.prepared = result
            self._prepared.put(item)

    # ── posting ──────────────────────────────────────────────────────────────────────────────────────

    def _post_all(self) -> None:
        ended = False
        while not ended:
            first = self._prepared.get()
            if first is None:
                return
            group, ended = self._gather(first)
            self._usual = len(self._waiting)
            self._post(group)

    def _gather(self, first: Waiting) -> tuple[list[Waiting], bool]:
        """Everything that is ready now, up to the group's limit; and whether the end of the queue was met.

        A transaction costs as much as some hundred spans. So while others are being read, half of what is usually under way is
        waited for: the other half is read meanwhile.
        """
        group, records = [first], _records(first)
        until = time.monotonic() + _GATHER_WITHIN_S
        while records < self._group_limit:
            under_way = len(self._waiting)
            is_enough = len(group) == under_way or 2 * len(group) >= max(under_way, self._usual)
            try:
                item = self._prepared.get(timeout=0.0 if is_enough else max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if item is None:
                return group, True
            if item.prepared is not None:  # else it was kept in the spool meanwhile
                group.append(item)
                records += _records(item)
        return group, False


def _records(item: Waiting) -> int:
    return item.prepared.records if item.prepared is not None else 0
