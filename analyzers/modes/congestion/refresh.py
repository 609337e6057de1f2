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
from analyzers.modes.congestion.books import Seen, engines_of, read, tenants
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
_BEFORE = timedelta(days=1)  # read before what is measured, so that the engine is as full as it was
_HOUR_S, _DAY_S = 3_600.0, 86_400.0
_LEAST_USD = Decimal("1e-15")
_UNITS = (("prefill", "token"), ("decode", "token"), ("kv", "token second"))


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be measured of an engine: hours from `hour` on and days from `day` on until `until`, for some tenants."""

    hour: datetime
    day: datetime
    until: datetime
    last_hours: dict[int, datetime | None]


def refresh_engine_prices(connection: psycopg.Connection, now: datetime | None = None) -> int:
    """Price the hours of every engine that are over and not priced, and measure who delayed whom since; answers the rows written.

    Each engine is a transaction of its own. An engine whose spans are too few to be fitted, or that nothing is known of since the
    last hour, is left as it is. Cheap when nothing is due. Wants an idle connection in autocommit.
    """
    at = now or datetime.now(UTC)
    window = Window(at - LOOKS_BACK, at)
    served: dict[str, list[int]] = {}
    for tenant_id, _ in tenants(connection):
        for engine in engines_of(connection, tenant_id, window):
            served.setdefault(engine, []).append(tenant_id)
    written = 0
    for engine, users in sorted(served.items()):
        due = _due(connection, engine, users, window)
        if due is not None:
            written += _measure(connection, engine, due, window)
    return written


def _due(connection: psycopg.Connection, engine: str, users: list[int], window: Window) -> _Due | None:
    until = _floor(window.until - _SETTLES, _HOUR_S)
    hours: list[datetime] = []
    days: list[datetime] = []
    last_hours: dict[int, datetime | None] = {}
    for tenant_id in users:
        given = {"tenant_id": tenant_id, "engine": engine, "source": SOURCE, "since": window.since, "until": window.until}
        row = connection.execute(_SQL["measured"], given).fetchone()
        hour, day = row if row is not None else (None, None)
        began = connection.execute(_SQL["first_served"], given).fetchone()
        if began is None or began[0] is None:
            continue
        first = max(began[0], window.since)
        last_hours[tenant_id] = hour
        hours.append(_floor(first, _HOUR_S) if hour is None else max(hour + timedelta(hours=1), _floor(first, _HOUR_S)))
        days.append(_floor(first, _DAY_S) if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC))
    if not hours or min(hours) >= until:
        return None
    return _Due(min(hours), max(min(days), _floor(window.since, _DAY_S)), until, last_hours)


def _measure(connection: psycopg.Connection, engine: str, due: _Due, window: Window) -> int:
    seen = read(connection, engine, Window(max(window.since, min(due.hour, due.day) - _BEFORE), window.until))
    fitted = fit(seen.served)
    if fitted is None:
        seen = read(connection, engine, window)
        fitted = fit(seen.served)
    if fitted is None:
        return 0
    with connection.transaction():
        return _price_hours(connection, seen, fitted, due) + _store_delays(connection, seen, fitted, due)


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
