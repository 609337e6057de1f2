"""The price vector as it is read to be served, and the constraints that are stated for it.

What is in force is remembered by tenant. Whether it still is in force is seen by its version, a look at an index, asked for once
a second at most: a request costs the database nothing, and a new price is served a second after it was written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import psycopg

from ledger.errors import DatabaseUnavailable, PriceError
from ledger.post import lock_tenants, open_tenants
from ledger.queries import queries
from ledger.tenants import unknown_tenant

_SQL = queries("ledger", "price_vector")
_FRESH_NS = 1_000_000_000
_REMEMBERED_MAX = 10_000
_CLASS_LENGTH_MAX = 200
_LIMIT_MAX = 10**9
"""Seconds, or USD a day: beyond it a limit is a slip, and its dual no number."""
EVERY = "*"
"""Matches every class."""


class Vector(msgspec.Struct, frozen=True):
    """The prices of one class or prefix since `valid_from`; None where nobody states or solves one.

    `v_usd`: V in dollars of compute; `budget_worth`: what the last of these brings in dollars of value. λ in USD per second, ρ in
    USD per USD of expected loss. Each with its interval, and with where it comes from.
    """

    task_class: str
    v_usd: Decimal | None
    lambda_usd_per_s: Decimal | None
    rho: Decimal | None
    source: str
    valid_from: datetime
    v_low_usd: Decimal | None
    v_high_usd: Decimal | None
    v_stated_usd: Decimal | None
    v_source: str
    budget_worth: Decimal
    budget_worth_low: Decimal | None
    budget_worth_high: Decimal | None
    lambda_low: Decimal | None
    lambda_high: Decimal | None
    lambda_source: str
    rho_low: Decimal | None
    rho_high: Decimal | None
    rho_source: str
    constraints: list[dict[str, Any]]
    why: str
    solved_at: datetime


class EnginePrice(msgspec.Struct, frozen=True):
    """The shadow price of an engine's prefill, decode or KV, in USD per unit."""

    engine: str
    resource: str
    price: Decimal
    unit: str
    price_low: Decimal | None
    price_high: Decimal | None
    valid_from: datetime


class PriceList(msgspec.Struct, frozen=True):
    """All prices of a tenant that hold. `version` None: there are none yet. `seen_at`: when the database last said so."""

    tenant: str
    version: int | None
    seen_at: datetime
    vectors: dict[str, Vector]
    engines: list[EnginePrice]
    engines_at: datetime | None = None

    def of(self, task_class: str | None) -> Vector | None:
        """The prices of a class: its own, else those of the longest prefix that matches it, else those of every class."""
        if task_class is not None and task_class in self.vectors:
            return self.vectors[task_class]
        matching = [
            pattern
            for pattern in self.vectors
            if pattern.endswith(EVERY) and (pattern == EVERY or (task_class or "").startswith(pattern[:-1]))
        ]
        return self.vectors[max(matching, key=len)] if matching else None


class PriceMemory:
    """The price lists of tenants, remembered; safe to share between threads."""

    def __init__(self, connect: Callable[[], AbstractContextManager[psycopg.Connection]]) -> None:
        self._connect = connect
        self._lists: dict[str, tuple[int, PriceList]] = {}
        self._lock = threading.Lock()

    def fresh(self, tenant: str) -> PriceList | None:
        """The tenant's list if its version was looked at within the last second; asks nobody."""
        seen, found = self._lists.get(tenant, (0, None))
        return found if time.monotonic_ns() - seen < _FRESH_NS else None

    def read(self, tenant: str) -> PriceList:
        """The tenant's list, after a look at its version; read again if that has changed.

        While the database is away the list that was read last is answered, with the time it was seen. Raises UnknownTenant;
        DatabaseUnavailable when nothing was read before.
        """
        with self._lock:
            remembered = self.fresh(tenant)
            if remembered is not None:
                return remembered
            _, before = self._lists.get(tenant, (0, None))
            try:
                with self._connect() as connection:
                    found = _read(connection, tenant, before)
            except DatabaseUnavailable:
                if before is None:
                    raise
                found = before
            if len(self._lists) >= _REMEMBERED_MAX:
                self._lists.clear()
            self._lists[tenant] = (time.monotonic_ns(), found)
        return found


def read_prices(connection: psycopg.Connection, tenant: str) -> PriceList:
    """The prices of a tenant that hold now. Raises UnknownTenant."""
    return _read(connection, tenant, None)


def _read(connection: psycopg.Connection, tenant: str, before: PriceList | None) -> PriceList:
    seen_at = datetime.now(UTC)
    row = connection.execute(_SQL["version"], {"tenant": tenant}).fetchone()
    if row is None:
        raise unknown_tenant(connection, tenant, "see `pigou periods list`")
    tenant_id, version, engines_at = row
    if before is not None and (before.version, before.engines_at) == (version, engines_at):
        return msgspec.structs.replace(before, seen_at=seen_at)
    vectors = [Vector(*found) for found in connection.execute(_SQL["in_force"], {"tenant_id": tenant_id})]
    engines = [EnginePrice(*found) for found in connection.execute(_SQL["engines_in_force"], {"tenant_id": tenant_id})]
    return PriceList(
        tenant, version, seen_at, {one.task_class: one for one in vectors if one.source != "none"}, engines, engines_at
    )


class Limits(msgspec.Struct, frozen=True):
    """What to state for a class. None leaves what the revision before says; `lifted` names what is taken off."""

    latency_s: Decimal | None = None
    risk_usd_per_day: Decimal | None = None
    lifted: frozenset[str] = frozenset()


def constrain(connection: psycopg.Connection, tenant: str, task_class: str, limits: Limits, source: str) -> int:
    """State a latency SLA or a risk envelope for a class, a prefix with a star or '*'; answers the revision.

    A tenant that is not known yet is opened. Raises PriceError on what cannot be a limit.
    """
    name = task_class.removesuffix(EVERY)
    if not 0 < len(task_class) <= _CLASS_LENGTH_MAX or EVERY in name or not name.isprintable():
        raise PriceError(
            f"{task_class!r} is no task class", "name one, or a prefix with a star at its end as in 'code.*', or '*'"
        )
    if limits.latency_s is not None and not (limits.latency_s.is_finite() and 0 < limits.latency_s <= _LIMIT_MAX):
        raise PriceError(f"an SLA of {limits.latency_s} s", f"give a number of seconds above 0, {_LIMIT_MAX:,} at most")
    risk_usd = limits.risk_usd_per_day
    if risk_usd is not None and not (risk_usd.is_finite() and 0 <= risk_usd <= _LIMIT_MAX):
        raise PriceError(f"a risk envelope of {risk_usd} USD a day", f"give USD, 0 to {_LIMIT_MAX:,}")
    with connection.transaction():
        tenant_id = open_tenants(connection, [tenant])[tenant]
        lock_tenants(connection, [tenant_id])
        key = {"tenant_id": tenant_id, "task_class": task_class}
        before = connection.execute(_SQL["newest_constraint"], key).fetchone()
        revision, latency_s, risk_before = before if before is not None else (0, None, None)
        row = {"latency_s": limits.latency_s or latency_s, "risk_usd_per_day": risk_before}
        if limits.risk_usd_per_day is not None:
            row["risk_usd_per_day"] = limits.risk_usd_per_day
        row |= dict.fromkeys(limits.lifted)
        connection.execute(_SQL["add_constraint"], {**key, **row, "revision": revision + 1, "source": source})
    return revision + 1
