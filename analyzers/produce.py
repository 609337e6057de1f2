"""The step `produce`: what the next dollar of each use brings in each class of tasks, kept for the pages (eq. 8 and 2)."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from analyzers.attribution.production import Use
from analyzers.decisions.derive import DOSE
from analyzers.effects.estimate import Estimate
from analyzers.modes.look import Window
from analyzers.reports.books import SQL
from analyzers.reports.production import Produced, produced

LOOKS_BACK = timedelta(days=28)
"""As far as findings look: whole weeks, long enough for evidence, short enough for what was changed to show."""

_PLACES = 9  # after the point: beyond them an estimate says nothing


def produce(connection: psycopg.Connection, now: datetime | None = None) -> int:
    """Measure production where tasks were settled, or doses were stated to be recorded, since it was measured; answers the rows
    written. What is looked at ends with a tenant's last hour with calls and goes back four weeks. A transaction for each tenant.
    Wants an idle connection in autocommit.
    """
    written = 0
    for tenant_id, tenant, last_at in connection.execute(SQL["tenants_to_produce"], {"kind": DOSE}).fetchall():
        at = now or datetime.now(UTC)
        until = at if last_at is None else min(last_at, at)
        window = Window(until - LOOKS_BACK, until)
        with connection.transaction():
            connection.execute(SQL["lock_production"], {"tenant_id": tenant_id})
            found = produced(connection, tenant_id, tenant, window)
            connection.execute(SQL["forget_production"], {"tenant_id": tenant_id})
            rows = [_row(tenant_id, one, use, window, at) for one in found for use in one.spending.uses]
            with connection.cursor() as cursor:
                cursor.executemany(SQL["write_production"], rows)
        written += len(rows)
    return written


def _row(tenant_id: int, one: Produced, use: Use, window: Window, at: datetime) -> dict[str, Any]:
    made = one.spending.production
    return {
        "tenant_id": tenant_id, "task_class": one.task_class, "use": use.use, "since": window.since, "until": window.until,
        "tasks": one.tasks, "assignment": one.assignment, "usd_per_task": exact(use.dollars),
        **_limits("quality_per_dollar", "quality", use.per_dollar), **_limits("net_per_usd", "net", use.net),
        "status": use.net.status, "why": use.net.why, "complements": Jsonb(_complements(one, use.use)),
        "equal_p": None if math.isnan(made.equal_p) else made.equal_p, "form": made.form, "settled_by": one.settled_by,
        "measured_at": at,
    }  # fmt: skip


def _limits(value: str, limit: str, of: Estimate) -> dict[str, Decimal | None]:
    """An estimate's value and limits under their columns' names; all three unknown where one is."""
    known = [exact(number) for number in (of.value, of.low, of.high)]
    if None in known:
        known = [None, None, None]
    return dict(zip((value, f"{limit}_low", f"{limit}_high"), known, strict=True))


def _complements(one: Produced, use: str) -> dict[str, Any]:
    """By other use: by how much a per cent more of it raises the elasticity of this one."""
    return {
        other: {"value": of.value, "low": of.low, "high": of.high}
        for pair, of in one.spending.production.complements.items()
        if use in pair and of.value is not None and (other := pair[1] if pair[0] == use else pair[0]) != use
    }


def exact(value: float | None) -> Decimal | None:
    """A number as it is stored; unknown where it is none, or without bound."""
    return (
        None if value is None or not math.isfinite(value) else Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-_PLACES))
    )
