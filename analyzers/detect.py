"""The step `detect`: every mode looks at every tenant, and findings open, go on and resolve by it.

Each mode and tenant is a transaction of its own: a run that is killed goes on where it was, and a mode that fails is recorded and
does not stop the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import psycopg

from analyzers.findings.store import Became, Of, store
from analyzers.modes import (
    cache_misuse,
    over_delegation,
    over_routing,
    serving_congestion,
    stale_rollouts,
    under_routing,
    under_verification,
)
from analyzers.modes.congestion.refresh import refresh_engine_prices
from analyzers.modes.look import LookAt, Mode, Window
from ledger.queries import queries

log = logging.getLogger("pigou.analyzers")

MODES: dict[Mode, LookAt] = {
    "over_routing": over_routing.look,
    "under_routing": under_routing.look,
    "over_delegation": over_delegation.look,
    "under_verification": under_verification.look,
    "serving_congestion": serving_congestion.look,
    "stale_rollouts": stale_rollouts.look,
    "cache_misuse": cache_misuse.look,
}
"""The modes that look, in the order in which they do."""

LOOKS_BACK = timedelta(days=28)
"""What is looked at: whole weeks, long enough for evidence, short enough for what was mended to leave."""

Progress: TypeAlias = Callable[[str, int, int], None]
_SQL = queries("analyzers", "findings")


class Detected(NamedTuple):
    """What one detection did. `problems`: (tenant, mode, why it could not look)."""

    places: int = 0
    opened: int = 0
    resolved: int = 0
    problems: tuple[tuple[str, str, str], ...] = ()


class _Tenant(NamedTuple):
    tenant_id: int
    tenant: str
    materiality_usd_per_day: float
    window: Window
    evidence_since: datetime


def detect(
    connection: psycopg.Connection,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    modes: Mapping[Mode, LookAt] | None = None,
    now: datetime | None = None,
    progress: Progress = lambda _step, _done, _total: None,
) -> Detected:
    """Let every mode look at every tenant, and write what becomes of its findings.

    What is looked at ends with a tenant's last hour with calls (now, if that was more than four weeks ago) and goes back four
    weeks, unless `since` and `until` say otherwise. `modes` None: all there are. `now` stands for the clock in simulations. Wants
    an idle connection in autocommit.
    """
    modes = MODES if modes is None else modes
    began = now or _clock(connection, "now")
    tenants = _tenants(connection, since, until, began)
    due: list[tuple[_Tenant, Mode, LookAt]] = [(tenant, mode, look_at) for tenant in tenants for mode, look_at in modes.items()]
    places = opened = resolved = 0
    problems: list[tuple[str, str, str]] = []
    for number, (tenant, mode, look_at) in enumerate(due, 1):
        became = _detect_one(connection, tenant, mode, look_at, now)
        if isinstance(became, str):
            problems.append((tenant.tenant, mode, became))
        else:
            places, opened, resolved = places + became.places, opened + became.opened, resolved + became.resolved
        progress("detect", number, len(due))
    if since is None and until is None:
        refresh_engine_prices(connection, now)
        connection.execute(_SQL["mark_detected"], {"began": began})
    return Detected(places, opened, resolved, tuple(problems))


def _tenants(connection: psycopg.Connection, since: datetime | None, until: datetime | None, now: datetime) -> list[_Tenant]:
    found: list[_Tenant] = []
    for tenant_id, tenant, materiality, last_at in connection.execute(_SQL["tenants"]).fetchall():
        last = until or (min(last_at, now) if last_at is not None and last_at > now - LOOKS_BACK else now)
        window = Window(since or last - LOOKS_BACK, last)
        if window.since < last:
            found.append(_Tenant(tenant_id, tenant, float(materiality), window, min(window.since, last - LOOKS_BACK)))
    return found


def _detect_one(
    connection: psycopg.Connection, tenant: _Tenant, mode: Mode, look_at: LookAt, now: datetime | None
) -> Became | str:
    """What became of a mode's looks, or why it could not look."""
    began = time.monotonic()
    stated: dict[str, Any] = {
        "tenant_id": tenant.tenant_id, "mode": mode, "since": tenant.window.since, "until": tenant.window.until
    }  # fmt: skip
    try:
        with connection.transaction():
            looks = look_at(connection, tenant.tenant_id, tenant.window)
            at = now or _clock(connection, "begin")
            of = Of(tenant.tenant_id, mode, tenant.materiality_usd_per_day, tenant.evidence_since, at)
            became = store(connection, of, looks)
            took_s = time.monotonic() - began
            connection.execute(
                _SQL["note_detection"], {**stated, "now": at, "took_s": took_s, **became._asdict(), "problem": None}
            )
    except Exception as error:  # of a mode: recorded with its reason, and the others go on
        if connection.closed:
            raise
        log.exception("%s cannot look at %s", mode, tenant.tenant)
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        nothing = Became(0, 0, 0)._asdict()
        at, took_s = now or _clock(connection, "now"), time.monotonic() - began
        connection.execute(_SQL["note_detection"], {**stated, "now": at, "took_s": took_s, **nothing, "problem": problem})
        return problem
    return became


def _clock(connection: psycopg.Connection, query: str) -> datetime:
    row = connection.execute(_SQL[query]).fetchone()
    if row is None:
        raise RuntimeError("the database did not say what time it is")
    return row[0]
