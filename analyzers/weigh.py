"""The step `weigh`: what actions risk by their class, kept for the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from analyzers.effects.estimate import Estimate
from analyzers.modes.look import Window
from analyzers.produce import LOOKS_BACK, exact
from analyzers.reports.books import SQL
from analyzers.reports.risk import Risk, risks

AGAIN_AFTER = timedelta(hours=1)
"""It reads all actions of four weeks, and no single task changes what they say."""


def weigh(connection: psycopg.Connection, now: datetime | None = None, again_after: timedelta = timedelta(0)) -> int:
    """Weigh the actions of tenants whose tasks were settled since that was last done, `again_after` ago or more; answers how
    many rows were written. A transaction for each tenant. Wants an idle connection in autocommit.

    What is looked at ends with a tenant's last hour with calls and goes back four weeks.
    """
    written, at = 0, now or datetime.now(UTC)
    due = connection.execute(SQL["tenants_to_weigh"], {"at": at, "again_after": again_after}).fetchall()
    for tenant_id, tenant, last_at in due:
        until = at if last_at is None else min(last_at, at)
        window = Window(until - LOOKS_BACK, until)
        with connection.transaction():
            connection.execute(SQL["lock_risks"], {"tenant_id": tenant_id})
            rows = [_row(tenant_id, one, window, at) for one in risks(connection, tenant_id, tenant, window)]
            connection.execute(SQL["forget_risks"], {"tenant_id": tenant_id})
            with connection.cursor() as cursor:
                cursor.executemany(SQL["write_risk"], rows)
            connection.execute(SQL["mark_weighed"], {"tenant_id": tenant_id, "at": at})
        written += len(rows)
    return written


def _row(tenant_id: int, one: Risk, window: Window, at: datetime) -> dict[str, Any]:
    of, acted = one.of, one.acted
    counts = one.worst if one.is_tail else of.expected
    return {
        "tenant_id": tenant_id, "action_class": acted.action_class, "task_class": acted.task_class, "since": window.since,
        "until": window.until, "actions": acted.actions, "tasks": acted.tasks, "told": acted.told,
        "incidents": len(acted.losses_usd), "is_reversible": acted.is_reversible, "worst_case_usd": exact(acted.worst_usd),
        "stated_usd": exact(acted.stated_usd), "rate": of.rate.value, "rate_low": of.rate.low, "rate_high": of.rate.high,
        "pooled_rate": None if one.pooled is None else one.pooled.value,
        "pooled_low": None if one.pooled is None else one.pooled.low,
        "pooled_high": None if one.pooled is None else one.pooled.high,
        **_limits("loss", of.expected), **_limits("tail", one.worst), "is_tail": one.is_tail, "rho": acted.rho,
        **_limits("risk", one.priced), "status": one.priced.status, "why": one.why,
        "needs_outcomes": None if counts.needs is None else counts.needs.outcomes, "measured_at": at,
    }  # fmt: skip


def _limits(name: str, of: Estimate) -> dict[str, Decimal | None]:
    """An estimate's value and limits under their columns' names; all three unknown where one is, or is without bound."""
    known = [exact(number) for number in (of.value, of.low, of.high)]
    if None in known:
        known = [None, None, None]
    return dict(zip((f"{name}_usd", f"{name}_low_usd", f"{name}_high_usd"), known, strict=True))
