"""The step `detect`: every mode looks at every tenant, and findings open, go on and resolve by it.

Each mode and tenant is a transaction of its own: a run that is killed goes on where it was, and a mode that fails is recorded and
does not stop the others. On the clock only those look for which something came, or that have not looked for long.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import psycopg

from analyzers.findings.store import Became, Of, store
from analyzers.freshness import Due, due, seen_to
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
    "serving_congestion": serving_congestion.look,
    "over_routing": over_routing.look,
    "under_routing": under_routing.look,
    "over_delegation": over_delegation.look,
    "under_verification": under_verification.look,
    "stale_rollouts": stale_rollouts.look,
    "cache_misuse": cache_misuse.look,
}
"""The modes that look, in the order in which they first do: what a crowded engine makes others lose is no failure of theirs, so
that it is looked for before."""


def modes_of_run() -> dict[Mode, LookAt]:
    """The modes for one run over many tenants, which share what they read and fitted of the same engines."""
    modes = dict(MODES)
    if modes["serving_congestion"] is serving_congestion.look:
        modes["serving_congestion"] = serving_congestion.looking()
    return modes


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
    is_silent: bool  # nothing has ever come


def detect(
    connection: psycopg.Connection,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    modes: Mapping[Mode, LookAt] | None = None,
    now: datetime | None = None,
    progress: Progress = lambda _step, _done, _total: None,
    only_due: bool = False,
    is_all: bool = False,
    opened: Callable[[psycopg.Connection], object] = lambda _connection: None,
) -> Detected:
    """Let every mode look at every tenant, and write what becomes of its findings.

    What is looked at ends with a tenant's last hour with calls (now, if for four weeks none came and no task was settled) and
    goes back four weeks, unless `since` and `until` say otherwise. `modes` None: all there are. `now` stands for the clock in
    simulations. `only_due`: leave out looks that nothing came for since they were last taken, unless that is long ago, and for
    the next run those that were just taken and take long. `is_all`: nothing more is on its way and there is no next run, so that
    nothing is left for it. `opened` is called whenever a look has opened a finding, so that it can be told at once. Wants an idle
    connection in autocommit.
    """
    modes = modes_of_run() if modes is None else modes
    began, seen = now or _clock(connection, "now"), seen_to(connection)
    tenants = _tenants(connection, since, until, began)
    places = opened_in_all = resolved = 0
    problems: list[tuple[str, str, str]] = []
    if since is None and until is None:  # first, since looks at decisions ask who waited for whom
        last = max((tenant.window.until for tenant in tenants if not tenant.is_silent), default=began)
        refresh_engine_prices(connection, last if last < began - LOOKS_BACK else now, is_all=is_all)
    planned, left = _planned(connection, tenants, modes, began, only_due=only_due, may_rest=not is_all)
    for number, (tenant, mode) in enumerate(planned, 1):
        became = _detect_one(connection, tenant, mode, modes[mode], _When(now, seen))
        if isinstance(became, str):
            problems.append((tenant.tenant, mode, became))
        else:
            places, opened_in_all, resolved = places + became.places, opened_in_all + became.opened, resolved + became.resolved
            if became.opened:
                opened(connection)
        progress("detect", number, len(planned))
    if since is None and until is None and not left:
        connection.execute(_SQL["mark_detected"], {"began": began})
    return Detected(places, opened_in_all, resolved, tuple(problems))


def _planned(
    connection: psycopg.Connection,
    tenants: list[_Tenant],
    modes: Mapping[Mode, LookAt],
    now: datetime,
    *,
    only_due: bool,
    may_rest: bool,
) -> tuple[list[tuple[_Tenant, Mode]], int]:
    """The looks to be taken, in order: of what is equally soon done, all tenants by one mode and then by the next. And how many
    are left for the next run, since they were just taken and take long.

    Without a next run (`may_rest` false) mode comes after mode: what one finds is there for those that ask for it.
    """
    if not only_due:
        return [(tenant, mode) for mode in modes for tenant in tenants], 0
    found: list[tuple[_Tenant, Due]] = []
    for tenant in tenants:
        found += [(tenant, each) for each in due(connection, tenant.tenant_id, modes, now)]
    turn = {mode: place for place, mode in enumerate(modes)}
    taken = [one for one in found if not (one[1].rests and may_rest)]
    taken.sort(key=lambda one: (*(one[1].order if may_rest else ()), turn[one[1].mode]))
    return [(tenant, each.mode) for tenant, each in taken], len(found) - len(taken)


def _tenants(connection: psycopg.Connection, since: datetime | None, until: datetime | None, now: datetime) -> list[_Tenant]:
    found: list[_Tenant] = []
    asked = {"now": now, "looks_back": LOOKS_BACK}
    for tenant_id, tenant, materiality, last_at, is_of_late in connection.execute(_SQL["tenants"], asked).fetchall():
        last = until or now
        if last_at is not None and (until is not None or is_of_late):
            last = min(last_at, last)
        window = Window(since or last - LOOKS_BACK, last)
        if window.since < last:
            evidence_since = min(window.since, last - LOOKS_BACK)
            found.append(_Tenant(tenant_id, tenant, float(materiality), window, evidence_since, last_at is None))
    return found


class _When(NamedTuple):
    """`now` stands for the clock in simulations; what was written before `seen_to` is there to be seen."""

    now: datetime | None
    seen_to: datetime


def _detect_one(connection: psycopg.Connection, tenant: _Tenant, mode: Mode, look_at: LookAt, when: _When) -> Became | str:
    """What became of a mode's looks, or why it could not look."""
    began = time.monotonic()
    stated: dict[str, Any] = {
        "tenant_id": tenant.tenant_id, "mode": mode, "since": tenant.window.since, "until": tenant.window.until,
        "seen_to": when.seen_to,
    }  # fmt: skip
    try:
        with connection.transaction():
            looks = look_at(connection, tenant.tenant_id, tenant.window)
            at = when.now or _clock(connection, "begin")
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
        at, took_s = when.now or _clock(connection, "now"), time.monotonic() - began
        connection.execute(_SQL["note_detection"], {**stated, "now": at, "took_s": took_s, **nothing, "problem": problem})
        return problem
    return became


def _clock(connection: psycopg.Connection, query: str) -> datetime:
    row = connection.execute(_SQL[query]).fetchone()
    if row is None:
        raise RuntimeError("the database did not say what time it is")
    return row[0]
