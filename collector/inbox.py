"""Group commit: requests wait in a bounded queue, are prepared by one thread, posted by another, and answered after the commit.

While one group is being written the next gathers, so that the group's size follows the load and nothing waits when idle.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal, TypeAlias

import msgspec

from collector.record import Signal
from ledger.arrivals import Arrivals

Encoding: TypeAlias = Literal["protobuf", "json"]


class Export(msgspec.Struct):
    """One OTLP export request as it came over the wire."""

    signal: Signal | Literal["metric"]
    body: bytes
    encoding: Encoding
    compression: str
    credential_tenant: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What the sender is told. `rejected` counts records that were refused while the rest was booked."""

    outcome: Literal["stored", "undecodable", "too_large", "unsupported", "unavailable"]
    rejected: int = 0
    message: str = ""


class Prepared(msgspec.Struct):
    """A request that was decoded and read, waiting to be posted."""

    arrivals: list[Arrivals]
    records: int
    rejected: int
    message: str
    reply: Future[Answer]


Prepare: TypeAlias = "Callable[[Export, Future[Answer]], Prepared | Answer]"
Post: TypeAlias = "Callable[[list[Prepared]], list[Answer]]"


class Overloaded(Exception):
    """The queue is full: the sender should come back later."""


class Inbox:
    """Bounded queue with one preparing and one posting thread. `submit` may be called from any thread."""

    def __init__(self, prepare: Prepare, post: Post, limit_bytes: int, group_limit_records: int) -> None:
        self._prepare = prepare
        self._post = post
        self._limit_bytes = limit_bytes
        self._group_limit = group_limit_records
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._incoming: queue.SimpleQueue[tuple[Export, Future[Answer]] | None] = queue.SimpleQueue()
        self._prepared: queue.Queue[Prepared | None] = queue.Queue(maxsize=64)
        self._threads = [
            threading.Thread(target=self._prepare_all, name="prepare", daemon=True),
            threading.Thread(target=self._post_all, name="post", daemon=True),
        ]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def submit(self, export: Export) -> Future[Answer]:
        """Queue a request; the future is done once it was committed or refused. Raises Overloaded when the queue is full."""
        size = len(export.body)
        with self._lock:
            if self._waiting_bytes and self._waiting_bytes + size > self._limit_bytes:
                raise Overloaded
            self._waiting_bytes += size
        reply: Future[Answer] = Future()
        # A sender that goes away cancels what it waits for; the record of its export must be finished all the same.
        reply.set_running_or_notify_cancel()
        reply.add_done_callback(lambda _: self._release(size))
        self._incoming.put((export, reply))
        return reply

    def drain(self, timeout_s: float) -> None:
        """Finish what is queued, then stop. New requests must not be submitted any more."""
        self._incoming.put(None)
        for thread in self._threads:
            thread.join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether both threads still run; a collector whose threads died must be restarted."""
        return all(thread.is_alive() for thread in self._threads)

    def _release(self, size: int) -> None:
        with self._lock:
            self._waiting_bytes -= size

    def _prepare_all(self) -> None:
        while (item := self._incoming.get()) is not None:
            export, reply = item
            result = self._prepare(export, reply)
            if isinstance(result, Answer):
                reply.set_result(result)
            else:
                self._prepared.put(result)
        self._prepared.put(None)

    def _post_all(self) -> None:
        ended = False
        while not ended:
            first = self._prepared.get()
            if first is None:
                return
            group, ended = self._gather(first)
            for prepared, answer in zip(group, self._post(group), strict=True):
                prepared.reply.set_result(answer)

    def _gather(self, first: Prepared) -> tuple[list[Prepared], bool]:
        """Everything that is ready now, up to the group's limit; and whether the end of the queue was met."""
        group, records = [first], first.records
        while records < self._group_limit:
            try:
                prepared = self._prepared.get_nowait()
            except queue.Empty:
                break
            if prepared is None:
                return group, True
            group.append(prepared)
            records += prepared.records
        return group, False
