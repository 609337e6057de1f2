"""The straight line of the collector: decompress → decode → read → stage → post, one database transaction per group of exports.

Everything up to staging is pure (collector/preparing.py) and done in threads or processes of its own; one thread posts, so that
Python reads while PostgreSQL writes.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from typing import Literal

import msgspec
import psycopg

from collector.content import ContentPolicy
from collector.export import Answer, Export, Prepared
from collector.guard import Guard
from collector.inbox import Inbox, Overloaded, Waiting
from collector.infer import BadRule, Rules
from collector.own_metrics import OwnMetrics
from collector.preparing import ReadingPolicy, prepare, reasons
from collector.readers import ReaderProcess, reader_count
from collector.record import Problem
from collector.settings import CollectorSettings
from collector.spool import Spool, SpoolDepth
from collector.spooling import Spooling
from collector.stage import storable
from ledger.arrivals import Arrivals, Posted, Rejection
from ledger.database import connect
from ledger.draft import draft_early
from ledger.errors import DatabaseUnavailable
from ledger.memory import WriterMemory
from ledger.partitions import ensure_months
from ledger.post import post
from ledger.use_rules import load_use_rules, seed_use_rules

log = logging.getLogger("pigou.collector")

_RULES_REFRESH_S = 5.0
_RETRIES_MAX = 5
_HEALTH_ASKED_AGAIN_S = 1.0
_HEALTH_ASKED_WITHIN_S = 2
_TRIED_AGAIN_S = 0.5
_SLOW_AFTER_S = 4.0
_AWAY = [Answer("unavailable", message="the database is away; nothing was stored, send it again")]


class Health(msgspec.Struct, frozen=True):
    """How a collector is, as `/health` says it."""

    status: Literal["ok", "spooling", "unavailable"]
    reason: str | None
    spool: SpoolDepth | None


class _Reader:
    """A reading process that always reads by the rules in force, and drafts from what the writer remembers."""

    def __init__(self, pipeline: Pipeline, policy: ReadingPolicy) -> None:
        self._pipeline = pipeline
        self._process = ReaderProcess(policy)

    def prepare(self, export: Export) -> Prepared | Answer:
        return self._process.prepare(export, self._pipeline.rules, self._pipeline.memory)

    def stop(self) -> None:
        self._process.stop()


class Pipeline:
    """One collector's line from exports to books. `submit` queues; the answer follows the commit."""

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings = settings
        self._policy = ReadingPolicy(
            settings.decoded_limit_bytes, settings.default_tenant, ContentPolicy(settings.keep_content, settings.redact)
        )
        self.rules = Rules.default()
        self._rules_at = -_RULES_REFRESH_S
        self._rule_rows: list[dict[str, object]] = []
        self._connection: psycopg.Connection | None = None
        self.memory = WriterMemory()
        self.own = OwnMetrics()
        self._months: set[str] = set()
        self._inbox = Inbox(
            self._prepare,
            self._post,
            settings.queue_limit_bytes,
            settings.group_limit_records,
            [_Reader(self, self._policy) for _ in range(reader_count(settings.workers))],
        )
        self.guard = Guard(settings.dsn, settings.spool)
        self._away_until = 0.0
        self._spooling: Spooling | None = None
        if settings.spool is not None:
            self._spooling = Spooling(
                Spool(settings.spool, settings.spool_limit_bytes),
                lambda: self._inbox.older_than(_SLOW_AFTER_S),
                lambda export: self._inbox.submit(export, is_kept=True),
                self._is_posting,
            )
        self._asking = threading.Lock()
        self._asked_at = -_HEALTH_ASKED_AGAIN_S
        self._database_answers = False

    def start(self) -> None:
        """Connect and start all threads. Raises DatabaseUnavailable, unless a spool keeps exports until it answers."""
        try:
            self._open()
            self._refresh_rules()
        except DatabaseUnavailable as error:
            if self._spooling is None:
                raise
            self._is_away(error)
        self.guard.start(self._connection)
        self._inbox.start()
        if self._spooling is not None:
            self._spooling.start()

    def submit(self, export: Export) -> Future[Answer]:
        """Queue one export. Raises Overloaded when the queue is full."""
        try:
            reply = self._inbox.submit(export)
        except Overloaded:
            self.own.answered(export.signal, "unavailable")
            raise
        self.own.await_answer(export.signal, reply)
        return reply

    def stop(self, timeout_s: float = 20.0) -> None:
        """Post what is queued, then close."""
        self._inbox.drain(timeout_s)
        if self._spooling is not None:
            self._spooling.stop()
        self.guard.stop()
        if self._connection is not None:
            self._connection.close()

    def health(self) -> Health:
        """Whether exports are taken in: all threads run, and the database answers or the spool keeps them.

        The database is asked once a second at most.
        """
        answers = False
        if self._asking.acquire(timeout=_HEALTH_ASKED_WITHIN_S):  # a server that is frozen in mid-answer keeps who asked it
            try:
                if time.monotonic() - self._asked_at > _HEALTH_ASKED_AGAIN_S:
                    self._database_answers = self._ask_database()
                    self._asked_at = time.monotonic()
                answers = self._database_answers
            finally:
                self._asking.release()
        depth = None if self._spooling is None else self._spooling.depth
        if not self._inbox.alive or (self._spooling is not None and not self._spooling.alive):
            return Health("unavailable", "a thread of the collector has ended", depth)
        if answers:
            return Health("ok", None, depth)
        reason = "the database is away"
        return Health("unavailable" if depth is None else "spooling", reason, depth)

    def own_text(self) -> bytes:
        """What this collector counted of itself, and how it is, as Prometheus reads it."""
        found = self.health()
        return self.own.text(
            is_storing=found.status != "unavailable",
            has_database=found.status == "ok",
            inbox=self._inbox.depth,
            spool=found.spool,
            spool_limit_bytes=self._settings.spool_limit_bytes,
        )

    def _prepare(self, export: Export) -> Prepared | Answer:
        """What an export comes to, read in this process, its rows drafted while PostgreSQL works on others."""
        result = prepare(export, self._policy, self.rules)
        if isinstance(result, Prepared):
            memory = self.memory
            for arrivals in result.arrivals:
                draft_early(arrivals, memory)
        return result

    # ── posting: in its own thread, the only one that touches the database ───────────────────────────

    def _post(self, group: list[Waiting]) -> None:
        """Post a group and answer each; what the database does not take goes into the spool, when there is one."""
        ready = [(item, prepared) for item in group if (prepared := item.prepared) is not None]
        is_tried = time.monotonic() >= self._away_until
        answers = self._answers([prepared for _, prepared in ready]) if is_tried else _AWAY * len(ready)
        told = [(*one, answer) for one, answer in zip(ready, answers, strict=True)]
        refused = [item for item, _, answer in told if answer.outcome == "unavailable"]
        if refused and self._spooling is not None:
            self._spooling.keep(refused)
        for item, prepared, answer in told:
            if answer.outcome == "stored":
                staged = sum(len(arrivals.records) + len(arrivals.points) for arrivals in prepared.arrivals)
                self.own.booked(item.export.signal, staged - (answer.rejected - prepared.rejected), answer.rejected)
            item.answer(answer)

    def _answers(self, group: list[Prepared]) -> list[Answer]:
        try:
            self._refresh_rules()
            return self._post_group(group)
        except (psycopg.OperationalError, DatabaseUnavailable) as error:
            self._is_away(error)
            return _AWAY * len(group)
        except Exception as error:  # the thread's edge: the senders are told, and the thread goes on
            self._close()
            if len(group) > 1:  # the fault is one's: the others need not wait for it
                return [answer for prepared in group for answer in self._answers([prepared])]
            log.exception("an export could not be posted")
            return [Answer("unavailable", message=f"not stored ({type(error).__name__}); send it again")]

    def _post_group(self, group: list[Prepared]) -> list[Answer]:
        try:
            self._commit([arrivals for prepared in group for arrivals in prepared.arrivals])
        except psycopg.Error as error:
            if not _is_about_content(error):
                raise
            if len(group) > 1:
                return [answer for prepared in group for answer in self._post_group([prepared])]
            return [self._post_apart(group[0])]
        return [Answer("stored", p.rejected, _told(p.message, p.arrivals)) for p in group]

    def _post_apart(self, prepared: Prepared) -> Answer:
        """A record that PostgreSQL refuses is found by halving, and rejected; the others are booked."""
        refused: list[Problem] = []
        booked: list[Arrivals] = []
        pending = list(reversed(prepared.arrivals))
        while pending:
            arrivals = pending.pop()
            try:
                self._commit([arrivals])
                booked.append(arrivals)
            except psycopg.Error as error:
                if not _is_about_content(error):
                    raise
                if len(arrivals.records) + len(arrivals.points) > 1:
                    pending.extend(reversed(_halves(arrivals)))
                    continue
                problem = Problem("post", error.sqlstate or "refused", f"{_name_of(arrivals)}: {str(error).splitlines()[0]}")
                log.warning("record refused: %s", problem.detail)
                refused.append(problem)
                rejection = Rejection(arrivals.signal, problem.stage, problem.code, storable(problem.detail))
                told = msgspec.structs.replace(
                    arrivals, records=[], points=[], rejections=[*arrivals.rejections, rejection], draft=None
                )
                self._commit([told])
        rejected = prepared.rejected + len(refused)
        message = "; ".join(filter(None, (prepared.message, reasons(refused))))
        return Answer("stored", rejected, _told(message, booked))

    def _commit(self, batch: list[Arrivals]) -> list[Posted]:
        connection = self._open()
        self._months |= ensure_months(connection, batch, self._months)
        for attempt in range(_RETRIES_MAX):
            try:
                began = time.monotonic()
                with connection.transaction():
                    posted = post(connection, batch, self._settings.slot, self.memory)
                self.own.committed(time.monotonic() - began)
                self.memory.committed()
                return posted
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                self.memory.rolled_back()
                if attempt == _RETRIES_MAX - 1:
                    raise
            except psycopg.Error:
                self.memory.rolled_back()
                raise
        raise AssertionError("unreachable")

    def _open(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._settings.dsn, "writer", application="pigou-collector", by_index=True)
            self.memory = WriterMemory()
            seed_use_rules(self._connection, [msgspec.structs.asdict(rule) for rule in Rules.default().rows])
        return self._connection

    def _is_away(self, error: Exception) -> None:
        self._close()
        self._away_until = time.monotonic() + (_TRIED_AGAIN_S if self._spooling is not None else 0.0)
        log.warning("the database is away: %s", error)

    def _is_posting(self) -> bool:
        """Whether the database took what was posted last, or is due to be tried again."""
        return time.monotonic() >= self._away_until

    def _ask_database(self) -> bool:
        """On a connection of its own, since the other belongs to the posting thread and may be busy."""
        try:
            with connect(
                self._settings.dsn, "writer", application="pigou-health", answers_within_s=_HEALTH_ASKED_WITHIN_S
            ) as connection:
                connection.execute("select from pigou.tenant limit 1")
        except (psycopg.Error, DatabaseUnavailable):
            return False
        return True

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _refresh_rules(self) -> None:
        """Take over what the operator changed in the use table; rules that cannot be applied leave the old ones in force."""
        if time.monotonic() - self._rules_at < _RULES_REFRESH_S:
            return
        self._rules_at = time.monotonic()
        rows = load_use_rules(self._open())
        if rows == self._rule_rows:
            return
        self._rule_rows = rows
        try:
            self.rules = Rules.from_rows(rows)
        except BadRule as error:
            log.warning("the use table is not applied: %s", error)


def _told(message: str, booked: list[Arrivals]) -> str:
    """What a sender is told beside what was refused: which records contradict what was there."""
    conflicts = [
        Problem("post", "conflict", f"span {span_id.hex()} of trace {trace_id.hex()} came before with other content, which stays")
        for arrivals in booked
        for trace_id, span_id in arrivals.conflicts
    ]
    return "; ".join(filter(None, (message, reasons(conflicts))))


def _is_about_content(error: psycopg.Error) -> bool:
    """Whether the fault is in what was to be written (SQL's classes 22, 23 and 54), so that sending it again would be in vain.

    A missing privilege or table is a fault of ours: it must never reject what was sent.
    """
    return isinstance(error, (psycopg.DataError, psycopg.IntegrityError)) or (error.sqlstate or "").startswith("54")


def _name_of(arrivals: Arrivals) -> str:
    for record in arrivals.records:
        return f"record {record.span_id.hex()} of trace {record.trace_id.hex()}"
    for point in arrivals.points:
        return f"metric {point.name}"
    return "request"


def _halves(arrivals: Arrivals) -> list[Arrivals]:
    """The same arrivals as two, so that what is refused can be told from what is not.

    What a call says of itself alone may rest on records of the other half; once the first is posted they are known.
    """
    halves: list[Arrivals] = []
    middle_r, middle_p = (len(arrivals.records) + 1) // 2, (len(arrivals.points) + 1) // 2
    cuts: list[tuple[slice, slice]] = [
        (slice(0, middle_r), slice(0, middle_p)),
        (slice(middle_r, None), slice(middle_p, None)),
    ]
    for index, (records, points) in enumerate(cuts):
        half = Arrivals(
            arrivals.tenant,
            arrivals.signal,
            records=arrivals.records[records],
            points=arrivals.points[points],
            resources=arrivals.resources,
            rejections=arrivals.rejections if index == 0 else [],
            requests=arrivals.requests if index == 0 else 0,
            size_bytes=arrivals.size_bytes if index == 0 else 0,
        )
        if half.records or half.points or half.rejections:
            halves.append(half)
    return halves
