"""Which looks are due: what came since a mode last looked at a tenant, and what has not been looked at for long."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias

import psycopg

from analyzers.modes.look import Mode
from ledger.queries import queries

Source: TypeAlias = Literal["appraised", "written", "served", "stated"]
"""What looks rest on: the tenant's appraisals; its records, entries and tasks; what engines served to anybody, and what seconds
there are worth; what is material."""

RESTS_ON: dict[Mode, frozenset[Source]] = {
    "over_routing": frozenset({"appraised", "stated"}),
    "under_routing": frozenset({"appraised", "stated"}),
    "over_delegation": frozenset({"appraised", "written", "stated"}),
    "under_verification": frozenset({"appraised", "written", "stated"}),
    "serving_congestion": frozenset({"written", "served", "stated"}),
    "stale_rollouts": frozenset({"written", "stated"}),
    "cache_misuse": frozenset({"appraised", "written", "stated"}),
}

AGAIN_AFTER = timedelta(hours=6)
"""A look that nothing came for is taken again after so long: time passes, what is right for a day resolves, programs change."""
RESTS_FROM_S, RESTS, RESTS_MAX_S = 1.0, 10.0, 30.0
"""A look that takes a second and more is taken again after ten times as long, or after half a minute: others do not wait for it
every time."""
GRACE = timedelta(minutes=10)
"""An asset's life is over only when it has been for so long: calls may still be on their way."""
MARGIN = timedelta(minutes=1)
"""What is dated with its transaction's beginning may come to light so much later, with nobody knowing that it is on its way."""

_SQL = queries("analyzers", "findings")


class Due(NamedTuple):
    """A look that is due. `is_changed`: something came for it; else only time has passed. `took_s`: the last time. `rests`: it
    was just taken, and took long."""

    mode: Mode
    is_changed: bool
    took_s: float
    rests: bool = False

    @property
    def order(self) -> tuple[bool, float]:
        """What changed first, and of that what is soon done, so that little waits for much."""
        return not self.is_changed, self.took_s


def seen_to(connection: psycopg.Connection) -> datetime:
    """What was written before then is there to be seen by looks that are taken from now on."""
    row = connection.execute(_SQL["seen_to"], {"margin": MARGIN}).fetchone()
    if row is None:
        raise RuntimeError("the database did not say what is being written")
    return row[0]


def due(connection: psycopg.Connection, tenant_id: int, modes: Collection[Mode], now: datetime) -> list[Due]:
    """The modes of which something came since they last looked at a tenant, or that have not looked for long, in no order."""
    rows = connection.execute(_SQL["looked"], {"tenant_id": tenant_id}).fetchall()
    looked: dict[str, tuple[datetime | None, datetime | None, float]] = {mode: (seen, at, took) for mode, seen, at, took in rows}
    since = min((seen for seen, _, _ in looked.values() if seen is not None), default=None)
    news = _news(connection, tenant_id, since) if since is not None else dict[Source, datetime | None]()
    found: list[Due] = []
    for mode in modes:
        seen, at, took_s = looked.get(mode, (None, None, 0.0))
        came = seen is None or any((when := news.get(source)) is not None and when >= seen for source in RESTS_ON[mode])
        if came or at is None or at <= now - AGAIN_AFTER:
            found.append(Due(mode, came, took_s, at is not None and now < at + _rest(took_s)))
    return found


def _rest(took_s: float) -> timedelta:
    return timedelta(seconds=min(RESTS * took_s, RESTS_MAX_S) if took_s >= RESTS_FROM_S else 0.0)


def _news(connection: psycopg.Connection, tenant_id: int, since: datetime) -> Mapping[Source, datetime | None]:
    """When each source last changed, as far as that is since a time."""
    rows = connection.execute(_SQL["news"], {"tenant_id": tenant_id, "since": since}).fetchall()
    return dict(rows)
