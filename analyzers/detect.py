"""The step `detect`: every mode looks at every tenant, and findings open, go on and resolve by it.

Each mode and tenant is a transaction of its own: a run that is killed goes on where it was, and a mode that fails is recorded and
does not stop the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import psycopg

from analyzers.findings.store import Became, Of, store
from analyzers.modes.look import LookAt, Mode, Window
from analyzers.pace import pause_after
from ledger.queries import queries

log = logging.getLogger("pigou.analyzers")

MODES: dict[Mode, LookAt] = {}
"""The modes that look, in the order in which they do."""

LOOKS_BACK = timedelta(days=28)
"""What is looked at: whole weeks, long enough for evidence, short enough for what was mended to leave."""

Progress: TypeAlias = Callable[[str, int, int], None]
_SQL = queries("analyzers", "findings")


@dataclass(frozen=True, slots=True)
class Detected:
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


def detect(
    connection: psycopg.Connection,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    modes: Mapping[Mode, LookAt] | None = None,
    now: datetime | None = None,
    is_paced: bool = False,
    progress: Progress = lambda _step, _done, _total: None,
) -> Detected:
    """Let every mode look at every tenant, and write what becomes of its findings.

    What is looked at ends with a tenant's last hour with calls and goes back four weeks, unless `since` and `until` say
    otherwise. `modes` None: all there are. `now` stands for the clock in simulations. `is_paced`: a mode that took long rests
    after it. Wants an idle connection in autocommit.
    """
    modes = MODES if modes is None else modes
    at = now or datetime.now(UTC)
    tenants = _tenants(connection, since, until, at)
    due: list[tuple[_Tenant, Mode]] = [
        (tenant, mode) for tenant in tenants for mode in _due(connection, tenant, modes, at, is_paced=is_paced)
    ]
    places = opened = resolved = 0
    problems: list[tuple[str, str, str]] = []
    for number, (tenant, mode) in enumerate(due, 1):
        became = _detect_one(connection, tenant, mode, modes[mode], now)
        if isinstance(became, str):
            problems.append((tenant.tenant, mode, became))
        else:
            places, opened, resolved = places + became.places, opened + became.opened, resolved + became.resolved
        progress("detect", number, len(due))
    return Detected(places, opened, resolved, tuple(problems))


def _tenants(connection: psycopg.Connection, since: datetime | None, until: datetime | None, now: datetime) -> list[_Tenant]:
    found: list[_Tenant] = []
    for tenant_id, tenant, materiality, last_at in connection.execute(_SQL["tenants"]).fetchall():
        last = until or (min(last_at, now) if last_at else now)
        found.append(_Tenant(tenant_id, tenant, float(materiality), Window(since or last - LOOKS_BACK, last)))
    return found


def _due(
    connection: psycopg.Connection, tenant: _Tenant, modes: Mapping[Mode, LookAt], now: datetime, *, is_paced: bool
) -> list[Mode]:
    if not is_paced:
        return list(modes)
    last = {
        mode: looked_at + timedelta(seconds=pause_after(took_s))
        for mode, looked_at, took_s in connection.execute(_SQL["detections"], {"tenant_id": tenant.tenant_id}).fetchall()
    }
    return [mode for mode in modes if mode not in last or last[mode] <= now]


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
            at = now or _begin(connection)
            became = store(connection, Of(tenant.tenant_id, mode, tenant.window, tenant.materiality_usd_per_day, at), looks)
            took_s = time.monotonic() - began
            connection.execute(
                _SQL["note_detection"], {**stated, "now": at, "took_s": took_s, **became._asdict(), "problem": None}
            )
    except Exception as error:
        if connection.closed:
            raise
        log.exception("%s cannot look at %s", mode, tenant.tenant)
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        nothing = Became(0, 0, 0)._asdict()
        at, took_s = now or datetime.now(UTC), time.monotonic() - began
        connection.execute(_SQL["note_detection"], {**stated, "now": at, "took_s": took_s, **nothing, "problem": problem})
        return problem
    return became


def _begin(connection: psycopg.Connection) -> datetime:
    row = connection.execute(_SQL["begin"]).fetchone()
    if row is None:
        raise RuntimeError("the database did not say what time it is")
    return row[0]
