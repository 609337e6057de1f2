"""The thread that delivers, beside the clock's: it takes what is due, sends it, and writes what came of it.

Messages of different channels are sent at the same time, those of one channel one after the other. The database is asked by this
thread alone, between the sends; its connection is opened when something may be due and closed when nothing is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Mapping

import psycopg

from analyzers.delivery.message import Outcome
from analyzers.delivery.outbox import Job, Outbox, due_in_s
from analyzers.delivery.send import send
from ledger.database import connect
from ledger.errors import LedgerError
from ledger.stated_channels import drop_orphans

log = logging.getLogger("pigou.delivery")

SENDS_MAX = 8
"""Channels that are sent to at the same time."""
WITHIN_S = 15.0
"""How long an attempt may take in all."""
_LOOK_EVERY_S = 30.0
_LOOK_AGAIN_S = 1.0
_DATABASE_AWAY_S = 2.0
_GRACE_S = 3.0


class Deliverer:
    """Delivers what the outbox of a database holds, in a thread of its own."""

    def __init__(self, dsn: str, environment: Mapping[str, str], within_s: float = WITHIN_S) -> None:
        self._dsn = dsn
        self._environment = environment
        self._within_s = within_s
        # Twice as long as an attempt takes: what is ours to settle is never another's to send.
        self._outbox = Outbox(taken_for_s=2 * within_s)
        self._sending: dict[asyncio.Task[Outcome], Job] = {}
        self._awake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once: something came to be told."""
        with contextlib.suppress(RuntimeError):  # its loop has ended
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._awake.set)

    def stop(self) -> None:
        """Send nothing more; what is being sent has a few seconds. What it leaves is sent by the next who delivers."""
        self._is_stopping = True
        self.wake()
        self._thread.join(_GRACE_S + 5)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._deliver())

    async def _deliver(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not self._is_stopping:
            try:
                with connect(self._dsn, "writer", application="pigou-delivery") as connection:
                    pause_s = await self._work(connection)
            except (psycopg.Error, LedgerError) as error:
                log.error("delivery waits for the database: %s", error)
                pause_s = _DATABASE_AWAY_S
            if not self._is_stopping:
                await self._wait(pause_s)
        await self._leave()

    async def _work(self, connection: psycopg.Connection) -> float:
        """Send until nothing is due and nothing under way; answers for how many seconds nothing will be."""
        drop_orphans(connection)
        while not self._is_stopping:
            self._settle(connection)
            while len(self._sending) < SENDS_MAX and (job := self._next(connection)) is not None:
                attempt = send(job.channel, job.message, self._environment, self._within_s)
                self._sending[asyncio.create_task(attempt)] = job
            if not self._sending:
                break
            await self._wait(_LOOK_AGAIN_S)
        due_s = due_in_s(connection)
        return _LOOK_EVERY_S if due_s is None else min(max(due_s, 0.2), _LOOK_EVERY_S)

    def _next(self, connection: psycopg.Connection) -> Job | None:
        """What is to be sent next: tests first, since somebody waits."""
        return self._outbox.take_test(connection) or self._outbox.take(connection)

    def _settle(self, connection: psycopg.Connection) -> None:
        """Write what came of the attempts that are over. What could not be written stays, for the next connection."""
        for task in [task for task in self._sending if task.done()]:
            job = self._sending[task]
            outcome = _outcome(task)
            state = self._outbox.settle(connection, job, outcome)
            del self._sending[task]
            _tell(job, outcome, state)

    async def _wait(self, pause_s: float) -> None:
        """Until something was sent, somebody calls, or the time is over."""
        called = asyncio.create_task(self._awake.wait())
        waiting = {task for task in self._sending if not task.done()}
        await asyncio.wait({called, *waiting}, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
        called.cancel()
        self._awake.clear()

    async def _leave(self) -> None:
        """Let what is under way end, for a few seconds, and write what came of it."""
        if not self._sending:
            return
        await asyncio.wait(self._sending, timeout=_GRACE_S)
        try:
            with connect(self._dsn, "writer", application="pigou-delivery", answers_within_s=2) as connection:
                self._settle(connection)
                for task, job in self._sending.items():
                    task.cancel()
                    self._outbox.release(connection, job)
        except (psycopg.Error, LedgerError) as error:
            log.warning("what was being sent may be sent again: %s", error)


def _outcome(task: asyncio.Task[Outcome]) -> Outcome:
    """What came of an attempt; a fault of ours is a failure like others, and said."""
    fault = task.exception()
    if fault is None:
        return task.result()
    log.error("an attempt ended by a fault of ours", exc_info=fault)
    return Outcome("failed", f"{type(fault).__name__}: {fault}"[:300])


def _tell(job: Job, outcome: Outcome, state: str | None) -> None:
    whose = f"{job.channel.tenant or 'all tenants'}, channel {job.channel.name}"
    if state == "dead":
        log.error("%s: message %s of %s events is given up: %s", whose, job.message.key, len(job.message.told), outcome.answer)
    elif outcome.result != "sent":
        log.warning("%s: %s: %s", whose, outcome.result, outcome.answer)
