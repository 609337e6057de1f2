"""What happens to exports while the database is away or slow: they are kept in the spool, acknowledged, and drained later.

The books are idempotent, so keeping an export whose posting may still succeed, or draining one that is booked already, is
harmless. Drained exports take the same way as new ones, the oldest first, beside whatever comes in meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait

from collector.errors import SpoolError
from collector.export import Answer, Export
from collector.inbox import Waiting
from collector.spool import Spool, SpoolDepth

log = logging.getLogger("pigou.collector")

_TICK_S = 0.2
_BATCH_EXPORTS = 16
_BATCH_BYTES = 16 * 1024 * 1024


class Spooling:
    """Keeps what the database does not take in time, and hands it on once the database does. One thread of its own."""

    def __init__(
        self,
        spool: Spool,
        late: Callable[[], list[Waiting]],
        submit: Callable[[Export], Future[Answer]],
        is_posting: Callable[[], bool],
    ) -> None:
        """`late` answers the exports that have waited too long for their commit, `submit` sends a kept one on to be posted,
        `is_posting` says whether that is worth a try now.
        """
        self._spool = spool
        self._late = late
        self._submit = submit
        self._is_posting = is_posting
        self._draining: list[tuple[int, Future[Answer]]] = []
        self._read_through = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self) -> None:
        """Begin to watch and to drain."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what is kept is drained after the next start."""
        self._ended.set()
        self._thread.join()
        self._spool.close()

    @property
    def depth(self) -> SpoolDepth:
        """What is kept."""
        return self._spool.depth

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def keep(self, items: Sequence[Waiting]) -> bool:
        """Put exports into the spool and acknowledge them; answers whether that was possible."""
        items = [item for item in items if not item.is_kept and not item.reply.done()]
        try:
            self._spool.append([item.export for item in items])
        except SpoolError as error:
            log.warning("%d exports cannot be kept on disk: %s", len(items), error)
            return False
        for item in items:
            prepared = item.prepared
            item.answer(Answer("stored", prepared.rejected, prepared.message) if prepared is not None else Answer("stored"))
        return True

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                late = self._late()
                if late and self.keep(late):
                    log.warning("the database is slow: %d exports were kept on disk", len(late))
                self._drain()
            except SpoolError as error:
                log.warning("the spool cannot be read: %s", error)
                self._ended.wait(1.0)
            except Exception:  # the thread's edge: what is kept stays kept, and is tried again
                log.exception("draining the spool failed")
                self._ended.wait(1.0)

    def _drain(self) -> None:
        """One tick: take in the answers of the batch under way, or send the next one on."""
        if self._draining:
            _, pending = wait([reply for _, reply in self._draining], _TICK_S)
            if not pending:
                self._take_answers()
        elif self._spool.depth.exports and self._is_posting():
            for kept in self._spool.oldest(_BATCH_EXPORTS, _BATCH_BYTES, self._read_through):
                self._draining.append((kept.id, self._submit(kept.export)))
                self._read_through = kept.id
            if not self._draining:
                self._read_through = 0
                self._ended.wait(_TICK_S)
        else:
            self._ended.wait(_TICK_S)

    def _take_answers(self) -> None:
        """Forget what is booked. What the database did not take begins again; what can no longer be read is told and stays."""
        answers = [(number, reply.result()) for number, reply in self._draining]
        self._draining.clear()
        self._spool.remove([number for number, answer in answers if answer.outcome == "stored"])
        for number, answer in answers:
            if answer.outcome == "unavailable":
                self._read_through = 0
            elif answer.outcome != "stored":
                log.error("kept export %d is not booked and stays in the spool: %s", number, answer.message)
