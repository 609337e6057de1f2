"""The outbox: what is to be sent next, and what came of it. Every step is one transaction, and any of them may be the last.

A channel is *taken* for a while before something is sent through it, so that of several processes one works on it, and what a
killed one left is sent again when that while is over. What was composed stays composed: a repetition is the same message under
the same key. So a receiver that remembers keys sees everything once.
"""

from __future__ import annotations

import logging
import random
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import msgspec
import psycopg

from analyzers.delivery.message import Message, Outcome, Told, trial
from ledger.channels import Channel
from ledger.queries import queries
from ledger.stated_channels import load_channel

log = logging.getLogger("pigou.delivery")

_SQL = queries("analyzers", "delivery")

FIRST_DELAY_S = 5.0
DELAY_MAX_S = 1800.0
RETRY_AFTER_MAX_S = 6 * 3600.0


class Job(msgspec.Struct, frozen=True):
    """A message to be sent through a channel that was taken for it. `message_id` None: how alerts stand, kept nowhere.

    `test_id`: a test that somebody asked for. Nothing is taken for it, and what comes of it says nothing of the channel.
    """

    tenant_id: int
    channel: Channel
    message_id: int | None
    message: Message
    test_id: int | None = None


class Outbox:
    """The outbox of a database, for one process. `connection` may be another after an outage."""

    def __init__(self, taken_for_s: float) -> None:
        self._taken_by = str(uuid4())
        self._taken_for_s = taken_for_s
        self._installation: UUID | None = None

    def take(self, connection: psycopg.Connection) -> Job | None:
        """The next message to be sent, its channel taken; None when nothing is due, or what is cannot be read, which is noted."""
        with connection.transaction():
            taken = {"taken_by": self._taken_by, "taken_for_s": self._taken_for_s}
            found = connection.execute(_SQL["take"], taken).fetchone()
            if found is None:
                return None
            key = {"tenant_id": found[0], "channel": found[1]}
            try:
                channel = load_channel(connection, **key)
                job = channel and (self._events(connection, key, channel) or self._standing(connection, key, channel))
            except msgspec.ValidationError as error:  # stated by another version: a fault of this channel, not of all
                log.error("channel %s cannot be read: %s", key["channel"], error)
                answer = f"what was stated, or is to be told, is not of this version: {error}"[:300]
                connection.execute(_SQL["channel_failed"], {**key, "answer": answer, "delay_s": DELAY_MAX_S})
                return None
            if job is None:
                connection.execute(_SQL["release"], {**key, "taken_by": self._taken_by})
            return job

    def take_test(self, connection: psycopg.Connection) -> Job | None:
        """The next test that somebody asked for; None when nobody did, or its channel is gone, which is answered."""
        with connection.transaction():
            found = connection.execute(_SQL["take_test"]).fetchone()
            if found is None:
                return None
            tenant_id, name, test_id = found
            try:
                channel = load_channel(connection, tenant_id, name)
                answer = "the channel was removed"
            except msgspec.ValidationError as error:
                channel, answer = None, f"what was stated is not of this version: {error}"[:300]
            if channel is None:
                self._answer_test(connection, tenant_id, name, test_id, Outcome("failed", answer))
                return None
            self._installation = self._installation or installation(connection)
            message = trial(channel.tenant or "all tenants", self._installation)
            return Job(tenant_id, channel, None, message, test_id)

    def _answer_test(self, connection: psycopg.Connection, tenant_id: int, channel: str, test_id: int, outcome: Outcome) -> None:
        key = {"tenant_id": tenant_id, "channel": channel, "test_id": test_id}
        connection.execute(_SQL["answer_test"], {**key, "result": outcome.result, "answer": outcome.answer})

    def settle(self, connection: psycopg.Connection, job: Job, outcome: Outcome) -> Literal["sent", "waiting", "dead"] | None:
        """Write what came of a job, and free its channel; answers the message's state.

        None when somebody else has taken the channel since: what came of it is theirs to say.
        """
        if job.test_id is not None:
            self._answer_test(connection, job.tenant_id, job.channel.name, job.test_id, outcome)
            return None
        key = {"tenant_id": job.tenant_id, "channel": job.channel.name, "message_id": job.message_id, "answer": outcome.answer}
        with connection.transaction():
            held = connection.execute(_SQL["hold_channel"], {**key, "taken_by": self._taken_by}).fetchone()
            if held is None:
                return None
            failures, attempts = held
            delay_s = delay(failures + 1 if outcome.result == "failed" else attempts or 1, outcome.retry_after_s)
            how = {"sent": "channel_worked", "lost": "channel_worked", "failed": "channel_failed", "refused": "channel_refused"}
            connection.execute(_SQL[how[outcome.result]], {**key, "pace_s": job.channel.pace_s, "delay_s": delay_s})
            state = self._state(connection, job, outcome, {**key, "delay_s": delay_s})
            if state is not None and state != "waiting":
                connection.execute(_SQL["settle_message"], {**key, "state": state})
            return state

    def release(self, connection: psycopg.Connection, job: Job) -> None:
        """Free a channel whose message was not sent to its end: it may be sent again at once. Of a test it is said."""
        if job.test_id is not None:
            stopped = Outcome("failed", "delivery was stopped meanwhile; ask again")
            self._answer_test(connection, job.tenant_id, job.channel.name, job.test_id, stopped)
            return
        key = {"tenant_id": job.tenant_id, "channel": job.channel.name, "taken_by": self._taken_by}
        connection.execute(_SQL["release"], key)

    def _state(
        self, connection: psycopg.Connection, job: Job, outcome: Outcome, key: dict[str, Any]
    ) -> Literal["sent", "waiting", "dead"] | None:
        if job.message_id is None:
            return None
        if outcome.result == "sent":
            return "sent"
        if outcome.result == "lost":
            return "dead"
        patience = {**key, "give_up_after": job.channel.give_up_after}
        if outcome.result == "failed":
            connection.execute(_SQL["give_up"], patience)
        is_dead = connection.execute(_SQL["try_again"], patience).fetchone()
        return "dead" if is_dead == (True,) else "waiting"

    def _events(self, connection: psycopg.Connection, key: dict[str, Any], channel: Channel) -> Job | None:
        row = connection.execute(_SQL["message_due"], key).fetchone()
        if row is None:
            terms = {**key, "group_for": channel.group_for, "events_max": channel.events_max}
            row = connection.execute(_SQL["make_message"], terms).fetchone()
        if row is None:
            return None
        key = {**key, "message_id": row[0]}
        begun = connection.execute(_SQL["begin_attempt"], key).fetchone()
        if begun is None:
            raise RuntimeError("a message that was due is gone")
        message_key, kind, made_at, _ = begun
        told = [msgspec.convert(said, Told) for (said,) in connection.execute(_SQL["said"], key)]
        return Job(key["tenant_id"], channel, row[0], self._message(connection, str(message_key), kind, made_at, told))

    def _standing(self, connection: psycopg.Connection, key: dict[str, Any], channel: Channel) -> Job | None:
        """How alerts stand, for those that expect it again and again."""
        if channel.kind != "alertmanager":
            return None
        told = [msgspec.convert(said, Told) for (said,) in connection.execute(_SQL["standing"], key)]
        if not told:
            return None
        at = max(one.opened_at for one in told)
        return Job(key["tenant_id"], channel, None, self._message(connection, "", "standing", at, told))

    def _message(
        self,
        connection: psycopg.Connection,
        key: str,
        kind: Literal["events", "summary", "standing"],
        made_at: datetime,
        told: list[Told],
    ) -> Message:
        self._installation = self._installation or installation(connection)
        return Message(key=key, kind=kind, made_at=made_at, told=told, installation=self._installation)


def installation(connection: psycopg.Connection) -> UUID:
    """What keys of events of this database begin with."""
    row = connection.execute(_SQL["installation"]).fetchone()
    if row is None:
        raise RuntimeError("the database does not say which installation it is")
    return UUID(row[0])


def due_in_s(connection: psycopg.Connection) -> float | None:
    """Seconds until something is to be sent; None when nothing waits."""
    row = connection.execute(_SQL["due_in"]).fetchone()
    return row[0] if row else None


def has_news(connection: psycopg.Connection) -> bool:
    """Whether something came to be told a moment ago."""
    return connection.execute(_SQL["has_news"]).fetchone() == (True,)


def delay(failures: int, retry_after_s: float | None) -> float:
    """Seconds until the next attempt: doubling from 5 to 1800, somewhere in its upper half, and not before the receiver asks."""
    whole = min(DELAY_MAX_S, FIRST_DELAY_S * 2 ** min(failures - 1, 20))
    jittered = whole * random.uniform(0.5, 1.0)  # noqa: S311  # spreads attempts, keeps no secret
    return max(jittered, min(retry_after_s or 0.0, RETRY_AFTER_MAX_S))
