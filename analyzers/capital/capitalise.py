"""The step `capitalise`: assets of caches and rollouts are made again for the days of which something came.

Each tenant's day is read in one snapshot and written in one transaction, so that a run that is killed goes on where it was. What
is booked follows from the calls as they are booked, from updates and from the time alone: to make it again changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus

from analyzers.capital.assets import Asset, Kind
from analyzers.capital.book import Booked, write
from analyzers.capital.caches import LIFE_MAX, Money, cache_assets
from analyzers.capital.rollouts import Batch, Consumption, rollout_assets
from analyzers.freshness import GRACE, seen_to
from analyzers.modes import stale_rollouts
from analyzers.modes.cache.load import load
from analyzers.modes.look import Window
from analyzers.modes.rollouts.stale import stale
from ledger.accounts import UNKNOWN, level
from ledger.queries import queries

LOOKS_BACK = timedelta(days=28)
"""Updates that rollouts are judged by, as the modes look back."""

Progress: TypeAlias = Callable[[str, int, int], None]
_SQL = queries("analyzers", "capital")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Capitalised:
    """What one run did: days of tenants that were made again, entries booked and entries reversed."""

    days: int = 0
    entries: int = 0
    reversals: int = 0


def capitalise(
    connection: psycopg.Connection,
    *,
    now: datetime | None = None,
    for_s: float | None = None,
    progress: Progress = lambda _step, _done, _total: None,
) -> Capitalised:
    """Make the assets again of all days of which something came, and write off what has come to its end.

    `now` stands for the clock in simulations. `for_s`: nothing more is begun after so many seconds; the rest stays due.
    Wants an idle connection in autocommit. Of several, one works at a time.
    """
    began = time.monotonic()
    known_to = (now or datetime.now(UTC)) - GRACE
    with _alone(connection):
        connection.execute(_SQL["touch"], {"seen_to": seen_to(connection)})
        connection.execute(_SQL["touch_ended"], {"known_to": known_to})
        due = connection.execute(_SQL["due"]).fetchall()
        done = Capitalised()
        for number, (tenant_id, kind, days) in enumerate(due, 1):
            booked = _make(connection, tenant_id, kind, days, known_to)
            done = Capitalised(done.days + len(days), done.entries + booked.entries, done.reversals + booked.reversals)
            progress("capitalise", number, len(due))
            if for_s is not None and time.monotonic() - began > for_s:
                break
    return done


def _make(connection: psycopg.Connection, tenant_id: int, kind: Kind, days: Sequence[date], known_to: datetime) -> Booked:
    """One tenant's assets of a day, or all its rollouts that are looked at, and that they are not due any more."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        made = (
            _caches(connection, tenant_id, days[0], known_to) if kind == "cache" else _rollouts(connection, tenant_id, known_to)
        )
    with connection.transaction():
        booked = Booked() if made is None else write(connection, tenant_id, kind, *made)
        connection.execute(_SQL["done"], {"tenant_id": tenant_id, "kind": kind, "days": list(days)})
    return booked


_Made: TypeAlias = tuple[datetime, datetime, list[Asset]]
"""From when to before when assets began, and all of them that there should be."""


def _caches(connection: psycopg.Connection, tenant_id: int, day: date, known_to: datetime) -> _Made | None:
    since = datetime.combine(day, datetime.min.time(), UTC)
    until = since + _DAY
    of: dict[str, Any] = {"tenant_id": tenant_id, "day": day, "since": since, "until": until}
    row = connection.execute(_SQL["has_written"], of).fetchone()
    if row is None or not row[0]:
        return None
    loaded = load(connection, tenant_id, since, until + LIFE_MAX, only_cached=True)
    rows = connection.execute(_SQL["cache_money"], of | {"until": until + LIFE_MAX}).fetchall()
    money = {
        (trace, span): Money(at, f"{level(provider or UNKNOWN)}:{level(model or UNKNOWN)}", premium, saved, is_rollout)
        for trace, span, at, provider, model, premium, saved, is_rollout in rows
    }
    return since, until, cache_assets(loaded, money, since, until, known_to)


def _rollouts(connection: psycopg.Connection, tenant_id: int, known_to: datetime) -> _Made | None:
    of: dict[str, Any] = {"tenant_id": tenant_id, "looks_back": LOOKS_BACK}
    row = connection.execute(_SQL["has_rollouts"], of).fetchone()
    span = connection.execute(_SQL["rollouts_since"], of).fetchone()
    if row is None or not row[0] or span is None:
        return None
    since, window = span[0], Window(span[1], span[2])
    of["since"] = since
    batches = [
        Batch(trace, level(run or UNKNOWN), first, last, tokens, cost)
        for trace, run, first, last, tokens, cost in connection.execute(_SQL["batches"], of).fetchall()
    ]
    # What was judged stands where it is not judged again: the mode looks at four weeks, and at no less than a dozen updates.
    verdicts = {
        (trace.hex(), span.hex()): is_past for trace, span, is_past in connection.execute(_SQL["verdicts"], of).fetchall()
    }
    verdicts |= _past_the_point(connection, tenant_id, window)
    consumed: dict[bytes, Consumption] = {}
    for batch, at, trace, update in connection.execute(_SQL["consumptions"], of).fetchall():
        is_past = verdicts.get((trace.hex(), update.hex()), False)
        consumed.setdefault(bytes.fromhex(batch), Consumption(at, trace, update, is_past))
    return since, datetime.now(UTC) + _DAY, rollout_assets(batches, consumed, known_to)


def _past_the_point(connection: psycopg.Connection, tenant_id: int, window: Window) -> dict[tuple[str, str], bool]:
    """Whether updates (trace, span) consumed what gained less than what fades meanwhile, as the mode of stale rollouts judges."""
    verdicts: dict[tuple[str, str], bool] = {}
    for trainer in stale_rollouts.load(connection, tenant_id, window):
        found = stale(trainer.updates)
        if found is not None:
            updates = zip(trainer.traces, trainer.spans, strict=True)
            verdicts |= dict(zip(updates, found.is_past.tolist(), strict=True))
    return verdicts


@contextmanager
def _alone(connection: psycopg.Connection) -> Generator[None]:
    connection.execute(_SQL["lock"])
    try:
        yield
    finally:
        if not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE:
            connection.execute(_SQL["unlock"])
