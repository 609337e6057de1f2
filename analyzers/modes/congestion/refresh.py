"""What is stored of shared engines: their shadow prices by hour, which `/v1/prices` serves, and who delayed whom by day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg

from analyzers.effects.estimate import Bools, Floats
from analyzers.freshness import seen_to
from analyzers.modes.congestion.books import Seen, Service, engines_of, read, tenants
from analyzers.modes.congestion.external import Imposed, imposed, total
from analyzers.modes.congestion.fit import Engine, fit
from analyzers.modes.congestion.prices import Hour, Price, prices, unit
from analyzers.modes.look import Window
from ledger.queries import queries

_SQL = queries("analyzers", "congestion")
SOURCE = "replay"
LOOKS_BACK = timedelta(days=14)
KEPT_FOR = timedelta(days=35)
"""How long it is kept who waited for whom: longer than any look goes back."""
_NOTICED_S = 0.05  # a delay that is less in all a task's requests is not kept
_SETTLES = timedelta(minutes=15)  # an hour is over when its last spans have come
_HOUR = timedelta(hours=1)
_LIVE = _HOUR  # what is recorded later than that is loaded from elsewhere, and more of it may be on its way
_BEFORE = timedelta(days=1)  # read before what is measured, so that the engine is as full as it was
_APART_MAX = timedelta(days=2)  # of more than that everything is measured anew, so that one fit speaks of all
_HOUR_S, _DAY_S = 3_600.0, 86_400.0
_LEAST_USD = Decimal("1e-15")
_UNITS = (("prefill", "token"), ("decode", "token"), ("kv", "token second"))


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be measured of an engine: hours from `hour` on until `until`, and days from `day` on, for some tenants. What was
    written before `seen_to` is there to be seen."""

    hour: datetime
    day: datetime
    until: datetime
    last_hours: dict[int, datetime | None]
    seen_to: datetime


def refresh_engine_prices(connection: psycopg.Connection, now: datetime | None = None, *, is_all: bool = False) -> int:
    """Price the hours of every engine that are over and not priced, and measure who delayed whom since; answers the rows written.

    A price that was told stands. Who delayed whom is measured again from the earliest request on that was recorded since, or
    whose task was settled since, with every hour, or at once where `is_all` says that nothing more is on its way. Each engine is
    a transaction of its own. An engine whose spans are too few to be fitted, or of which nothing came, is left as it is. Cheap
    when nothing is due. Wants an idle connection in autocommit.
    """
    at = now or datetime.now(UTC)
    window = Window(at - LOOKS_BACK, at)
    to = seen_to(connection)
    served: dict[str, dict[int, Service]] = {}
    for tenant_id, _ in tenants(connection):
        for service in engines_of(connection, tenant_id, window):
            served.setdefault(service.engine, {})[tenant_id] = service
    written = 0
    for engine, users in sorted(served.items()):
        due = _due(connection, engine, users, window, to, is_all=is_all)
        if due is not None:
            written += _measure(connection, engine, due, window)
    return written


def _due(
    connection: psycopg.Connection, engine: str, users: dict[int, Service], window: Window, to: datetime, *, is_all: bool
) -> _Due | None:
    first_at, last_at = min(each.first_at for each in users.values()), max(each.last_at for each in users.values())
    is_live = max(each.recorded_at for each in users.values()) - last_at <= _LIVE
    until = hours_over(window.until, last_at, is_live=is_live or is_all)
    before = _one(connection, "measured_to", {"engine": engine})
    last_hours: dict[int, datetime | None] = {}
    came: list[datetime] = []
    for tenant_id in users:
        given = {"tenant_id": tenant_id, "engine": engine, "source": SOURCE, "since": window.since, "until": window.until}
        last_hours[tenant_id] = _one(connection, "last_priced", given)
        earliest = first_at if before is None else _one(connection, "came_since", {**given, "seen_to": before})
        came += [] if earliest is None else [earliest]
    hour = min(
        max(_floor(users[tenant_id].first_at, _HOUR_S), datetime.min.replace(tzinfo=UTC) if last is None else last + _HOUR)
        for tenant_id, last in last_hours.items()
    )
    is_time = is_all or before is None or window.until >= before + _HOUR + _SETTLES
    if not (came and is_time) and not (hour < until and (is_time or is_live)):
        return None
    return _Due(hour, first_day(first_at, last_at, None if before is None else min([hour, *came])), until, last_hours, to)


def hours_over(now: datetime, last_at: datetime, *, is_live: bool) -> datetime:
    """Until when an engine's hours are over, whose last request came at a time.

    Where what is told is long ago (`is_live` false) the hours after it are not idle ones: they are on their way.
    """
    over = _floor(now - _SETTLES, _HOUR_S)
    return over if is_live else min(over, _floor(last_at, _HOUR_S))


def first_day(first_at: datetime, last_at: datetime, came_at: datetime | None) -> datetime:
    """From which midnight on an engine's delays are measured that served from `first_at` to `last_at`.

    `came_at`: the earliest of what came since they were last measured; None where they never were. A day or two are measured by
    themselves; with more than that everything is, so that one fit speaks of all, as it would had nobody measured before.
    """
    since = first_at if came_at is None or last_at - came_at > _APART_MAX else came_at
    return _floor(since, _DAY_S)


def _one(connection: psycopg.Connection, query: str, given: dict[str, Any]) -> datetime | None:
    row = connection.execute(_SQL[query], given).fetchone()
    return None if row is None else row[0]


def _measure(connection: psycopg.Connection, engine: str, due: _Due, window: Window) -> int:
    seen = read(connection, engine, Window(min(due.hour, due.day) - _BEFORE, window.until))
    fitted = fit(seen.served)
    if fitted is None:
        seen = read(connection, engine, window)
        fitted = fit(seen.served)
    if fitted is None:
        return 0
    with connection.transaction():
        connection.execute(_SQL["lock_measuring"], {"engine": engine})
        written = _price_hours(connection, seen, fitted, due) + _store_delays(connection, seen, fitted, due)
        connection.execute(_SQL["mark_measured"], {"engine": engine, "seen_to": due.seen_to})
    return written


def _price_hours(connection: psycopg.Connection, seen: Seen, engine: Engine, due: _Due) -> int:
    known = np.isfinite(seen.output_tokens)
    per_step = float(np.median(seen.output_tokens[known] / seen.served.steps[known])) if known.any() else 1.0
    begins: Floats = np.arange(due.hour.timestamp(), due.until.timestamp(), _HOUR_S)
    found = prices(seen.served, engine, begins, _HOUR_S, unit(seen.served, engine, per_step))
    rows: list[dict[str, Any]] = []
    for hour in found:
        at = datetime.fromtimestamp(hour.begins_s, UTC)
        for tenant_id, last in due.last_hours.items():
            if last is None or at > last:
                rows += [_row(tenant_id, seen.engine, at, place, price) for place, price in enumerate(_three(hour))]
    with connection.cursor() as cursor:
        cursor.executemany(_SQL["add_engine_price"], rows)
    return len(rows)


def _three(hour: Hour) -> tuple[Price, Price, Price]:
    return hour.prefill_usd_per_token, hour.decode_usd_per_token, hour.kv_usd_per_token_s


def _row(tenant_id: int, engine: str, at: datetime, place: int, price: Price) -> dict[str, Any]:
    resource, of = _UNITS[place]
    return {
        "tenant_id": tenant_id, "engine": engine, "resource": resource, "valid_from": at, "unit": of, "source": SOURCE,
        "price": _exact(price.value), "price_low": _exact(price.low), "probes": price.n,
        "price_high": _exact(price.high) if math.isfinite(price.high) else None,
    }  # fmt: skip


def _store_delays(connection: psycopg.Connection, seen: Seen, engine: Engine, due: _Due) -> int:
    served = seen.served
    days = np.floor(served.arrived_s / _DAY_S).astype(np.int64)
    first = int(due.day.timestamp() // _DAY_S)
    victim_of = np.array([group.tenant_id for group in seen.groups], dtype=np.int64)[served.group]
    victims = np.unique(victim_of).tolist()
    rows: list[dict[str, Any]] = []
    masks = [seen.of(group.tenant_id, group.task_class) for group in seen.groups]
    found = imposed(served, engine, masks)
    _store_waits(connection, seen, found, due)
    for tenant_id in due.last_hours:
        connection.execute(_SQL["forget_externalities"], {"tenant_id": tenant_id, "engine": seen.engine, "day": due.day.date()})
    for group, one in zip(seen.groups, found, strict=True):
        key = {"tenant_id": group.tenant_id, "engine": seen.engine, "task_class": group.task_class}
        for day in np.unique(days[days >= first]).tolist():
            for victim in victims:
                of: Bools = (days == day) & (victim_of == victim) & (one.delay_s != 0)
                if of.any():
                    when = datetime.fromtimestamp(day * _DAY_S, UTC).date()
                    rows.append({**key, "day": when, "victim_tenant_id": victim, **_measured(one, of, served.lam)})
    with connection.cursor() as cursor:
        cursor.executemany(_SQL["put_externality"], rows)
    return len(rows)


def _store_waits(connection: psycopg.Connection, seen: Seen, found: list[Imposed], due: _Due) -> None:
    """How long each task waited for whom, of the requests of the days that are measured."""
    served = seen.served
    late = served.arrived_s >= due.day.timestamp()
    waited: dict[tuple[int, str, int], list[float]] = {}  # victim tenant, trace, culprit group: first second, delay
    for culprit, one in enumerate(found):
        for place in map(int, np.flatnonzero(late & (one.delay_s > 0))):
            key = seen.groups[int(served.group[place])].tenant_id, seen.trace_id[place], culprit
            of = waited.setdefault(key, [float(served.arrived_s[place]), 0.0])
            of[1] += float(one.delay_s[place])
    for tenant_id in sorted({group.tenant_id for group in seen.groups}):
        rows = [(key, of) for key, of in waited.items() if key[0] == tenant_id and of[1] >= _NOTICED_S]
        given = {"tenant_id": tenant_id, "engine": seen.engine, "since": due.day, "gone": due.until - KEPT_FOR}
        connection.execute(_SQL["forget_held_up"], given)
        connection.execute(
            _SQL["put_held_up"],
            {
                **given, "trace_ids": [key[1] for key, _ in rows],
                "culprits": [seen.groups[key[2]].tenant_id for key, _ in rows],
                "classes": [seen.groups[key[2]].task_class for key, _ in rows],
                "came": [datetime.fromtimestamp(of[0], UTC) for _, of in rows], "delays": [of[1] for _, of in rows],
            },
        )  # fmt: skip


def _measured(one: Imposed, of: Bools, lam: Floats) -> dict[str, Any]:
    usd = total(one, np.where(of, lam, np.nan))
    return {
        "requests": int(of.sum()), "delay_s": float(one.delay_s[of].sum()), "usd": _exact(usd.value), "usd_low": _exact(usd.low),
        "usd_high": _exact(usd.high), "unpriced_s": float(one.delay_s[of & ~np.isfinite(lam)].sum()),
    }  # fmt: skip


def _exact(usd: float) -> Decimal:
    return Decimal(repr(usd)).quantize(_LEAST_USD)


def _floor(at: datetime, seconds: float) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // seconds * seconds, UTC)
