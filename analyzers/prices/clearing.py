"""The price at which what tenants take of an engine fits its capacity: from the books, nothing written.

Every tenant brings the period that its prices were solved over last, with its alternatives and limits; what each option takes of
the engine, and what cannot be moved, is read from the engine's own spans. `allocation.market` does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import psycopg
from psycopg.rows import dict_row

from allocation import METHOD
from allocation.errors import AllocationError
from allocation.market import Cleared, Party, Placed, Use, clear_market, over, place
from allocation.period import Period
from allocation.stored import period_of
from analyzers.prices.engine_use import (
    UNITS,
    OptionUse,
    Served,
    Someone,
    Window,
    name_of,
    read_served,
    tenants,
    use_of,
)
from ledger.engine_capacity import Resource, stated_capacity
from ledger.errors import PriceError, UnknownTenant

DRAWS = 40
"""How often estimates are drawn anew for a price's interval: one more draw lies between the least and the greatest of these in
95 % of cases (39/41)."""
TOLD_MIN = 0.95
"""Of the engine's requests, the share that must tell what they took; else nothing is known of how full it is."""
CapacitySource = Literal["stated", "asked", "busiest hour"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked. `capacity_per_s` None: as stated, or, `is_busiest`, what the engine delivered in its busiest hour. `movers`:
    the tenants that may be moved, all by default; the others go on as they did. `whole`: tasks that are alike move together."""

    engine: str
    resource: Resource
    capacity_per_s: float | None = None
    is_busiest: bool = False
    movers: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    first_hour: int = 0
    hours: int = 24
    whole: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What could not be taken into account, and why."""

    tenant: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class UseOf:
    """What an option takes of the engine, by tenant."""

    tenant: str
    use: OptionUse


@dataclass(frozen=True, slots=True)
class Answer:
    """What a market says. `cleared` is None where nothing can be told; then `why` says the reason. `served` by tenant, in units a
    second as it was."""

    asked: Asked
    window: Window
    capacity_per_s: float
    capacity_source: CapacitySource
    capacity_hour: datetime | None
    cleared: Cleared | None
    why: str
    served: dict[str, float]
    requests: int
    untold: int
    uses: tuple[UseOf, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def unit(self) -> str:
        """What is counted."""
        return UNITS[self.asked.resource]


def find_clearing(connection: psycopg.Connection, asked: Asked, *, seed: int = 0, draws: int = DRAWS) -> Answer:
    """The clearing price of an engine. Same books, statements and seed: same answer. Wants an idle connection in autocommit.

    Raises: UnknownTenant; PriceError where no capacity is stated, nobody's prices were looked at, or the engine tells nothing.
    """
    everybody = tenants(connection)
    unknown = sorted(set(asked.movers) - {one.tenant for one in everybody})
    if unknown:
        raise UnknownTenant(
            f"there is no tenant {unknown[0]!r}", "list tenants with: pigou sql 'select tenant from ledger.periods'"
        )
    window = _window(asked, everybody)
    served = read_served(connection, asked.engine, asked.resource, window, everybody)
    requests = sum(one.requests for one in served)
    if not requests:
        raise PriceError(
            f"engine {asked.engine!r} tells of no request from {window.since:%Y-%m-%d} to {window.until:%Y-%m-%d}",
            "list engines with: pigou sql 'select distinct engine from ledger.serving', or ask for other days",
        )
    capacity, source, hour = _capacity(connection, asked, served)
    untold = requests - sum(hour.told for one in served for hour in one.hours)
    placed, left_out = _placed(connection, asked, window, served)
    named = {one.party.name for one in placed}
    others = {one.someone.tenant: one.units for one in served if one.requests and one.someone.tenant not in named}
    cleared: Cleared | None = None
    why = ""
    if untold > (1 - TOLD_MIN) * requests:
        why = f"{untold} of {requests} requests do not tell how many {UNITS[asked.resource]}s they took"
    elif not placed:
        why = "nobody's decisions could be moved: " + "; ".join(f"{one.tenant}: {one.what}: {one.why}" for one in left_out[:5])
    else:
        try:
            of = (capacity * window.seconds, window.seconds)
            cleared = clear_market(placed, others, *of, seed=seed, draws=draws, whole=asked.whole)
        except AllocationError as error:
            why = str(error)
    return Answer(
        asked, window, capacity, source, hour, cleared, why,
        {one.someone.tenant: one.units / window.seconds for one in served if one.requests}, requests, untold,
        tuple(UseOf(one.someone.tenant, use) for one in served for use in one.uses), tuple(left_out),
    )  # fmt: skip


def _window(asked: Asked, everybody: Sequence[Someone]) -> Window:
    looks = [(one.since, one.until) for one in everybody if one.since is not None and one.until is not None]
    if not looks:
        raise PriceError("nobody's prices were looked at yet", "look now: pigou prices solve")
    since = asked.since or _hour(min(since for since, _ in looks))
    until = asked.until or _hour(max(until for _, until in looks)) + timedelta(hours=1)
    window = Window(since.astimezone(UTC), until.astimezone(UTC), asked.first_hour, asked.hours)
    if window.seconds <= 0:
        raise PriceError(f"no time lies from {since} to {until} in these hours", "ask for a later end")
    return window


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _capacity(
    connection: psycopg.Connection, asked: Asked, served: Sequence[Served]
) -> tuple[float, CapacitySource, datetime | None]:
    if asked.capacity_per_s is not None:
        return asked.capacity_per_s, "asked", None
    if asked.is_busiest:
        delivered: dict[datetime, float] = {}
        for hour in (hour for one in served for hour in one.hours):
            delivered[hour.hour] = delivered.get(hour.hour, 0.0) + hour.units
        busiest = max(delivered, key=lambda hour: delivered[hour])
        return delivered[busiest] / 3600, "busiest hour", busiest
    stated = stated_capacity(connection, asked.engine, asked.resource)
    if stated is None:
        raise PriceError(
            f"nobody states how many {UNITS[asked.resource]}s engine {asked.engine!r} has a second",
            f"state it: pigou prices capacity {asked.engine} --unit {asked.resource} --per-s N; or suppose one: --capacity N,"
            " or --busiest for what it delivered in its busiest hour",
        )
    return float(stated), "stated", None


def _placed(
    connection: psycopg.Connection, asked: Asked, window: Window, served: Sequence[Served]
) -> tuple[list[Placed], list[LeftOut]]:
    placed: list[Placed] = []
    left_out: list[LeftOut] = []
    for one in served:
        name = one.someone.tenant
        if asked.movers and name not in asked.movers:
            continue
        if not one.requests and all(use.known == use.tasks and not use.mean for use in one.uses):
            continue  # it has nothing to do with this engine, and its tasks say so
        try:
            period = _last_look(connection, name)
        except AllocationError as error:
            period = str(error)
        if isinstance(period, str):
            left_out.append(LeftOut(name, "all its decisions", period))
            continue
        kept: list[bool] = []
        uses: list[Use] = []
        for compared in period.compared:
            use = use_of(compared, one.uses)
            kept.append(not isinstance(use, str) and one.tasks.get(compared.task_class, 0.0) > 0)
            if isinstance(use, str):
                left_out.append(LeftOut(name, name_of(compared), use))
            elif not kept[-1]:
                left_out.append(LeftOut(name, name_of(compared), "no task of its class began in these hours"))
            else:
                uses.append(use)
        try:
            party = Party(name, over(period, window.seconds, one.tasks, kept), tuple(uses), one.units)
            found = place(party, whole=asked.whole)
        except AllocationError as error:
            found = str(error)
        if isinstance(found, str):
            left_out.append(LeftOut(name, "all its decisions", found))
        else:
            placed.append(found)
            left_out += [LeftOut(name, what, why) for what, why in found.left_out]
    return placed, left_out


def _last_look(connection: psycopg.Connection, tenant: str) -> Period | str:
    """The period that a tenant's prices were solved over last, or why there is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("select * from ledger.price_periods where tenant = %s", (tenant,)).fetchone()
        if row is None:
            return "its prices were not looked at yet"
        if row["method"] != METHOD:
            return "its prices were solved by an earlier version, in another way"
        query = "select * from ledger.price_alternatives where tenant = %s order by comparison, place"
        return period_of(row, cursor.execute(query, (tenant,)).fetchall())
