"""Clearing prices of shared engines over HTTP, for routers that are to heed them and for whoever runs the engine.

GET /v1/prices/clearing?engine=…            everybody in the engine's markets: for its operator
GET /v1/prices/clearing?engine=…&tenant=…   the price, and that tenant's own row
"""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Annotated

import psycopg
from fastapi import Query
from fastapi.routing import APIRouter
from pydantic import BaseModel

from collector.asked import Asking
from collector.door import whose
from collector.faults import NO_NUL
from ledger.clearing import InMarket, read_clearing

_NONE_YET = (
    "no capacity of such an engine is stated, or it was not cleared yet: `pigou prices capacity` states one, and"
    " `pigou prices clear` finds the price now"
)
EngineName = Annotated[str, Query(min_length=1, max_length=200, pattern=NO_NUL, description="The engine, as its spans name it.")]
Whose = Annotated[
    str | None, Query(min_length=1, max_length=200, pattern=NO_NUL, description="Only this tenant's row beside the price.")
]


class Bounds(BaseModel):
    """Between what; a bound that is not known, or is not there, is null."""

    low: float | None
    high: float | None


class TakingAnswer(BaseModel):
    """What a tenant takes of the engine, in units a second: as it was, if it cost nothing, and at the price, where its ties leave
    room between `least` and `most`. `is_moved`: whether any of its decisions can be."""

    tenant: str
    is_moved: bool
    was_per_s: float
    free_per_s: float | None
    takes_per_s: float | None
    least_per_s: float | None
    most_per_s: float | None
    pays_usd_per_day: float | None


class MarketAnswer(BaseModel):
    """A resource of the engine: prefill and decode in tokens, kv in token seconds. `price_usd` a unit, null with the reason in
    `why`; `interval` holds 95 % of draws, every price in `as_right` is as right, `groped_usd` is where tâtonnement came to."""

    resource: str
    cleared_at: datetime
    since: datetime
    until: datetime
    capacity_per_s: float
    price_usd: float | None
    interval: Bounds
    as_right: Bounds
    groped_usd: float | None
    agrees: bool | None
    why: str
    tenants: list[TakingAnswer]


class ClearingAnswer(BaseModel):
    """The markets of an engine that hold; none, with the reason in `why`."""

    engine: str
    markets: list[MarketAnswer]
    why: str


def clearing_router(dsn: str) -> APIRouter:
    """The route of clearing prices over a database; its connections open and close with the application."""
    ask = Asking(dsn, application="pigou-clearing", refusals={})
    router = ask.router("/v1/prices", "prices")

    @router.get("/clearing", responses={404: {}, 503: {}})
    async def clearing(engine: EngineName, tenant: Whose = None) -> ClearingAnswer:
        """The price at which what tenants take of the engine fits its stated capacity, and what each takes at it."""
        owner = whose(tenant, None)

        def work(connection: psycopg.Connection) -> ClearingAnswer:
            rows = read_clearing(connection, engine, owner)
            markets = [_market(list(of)) for _, of in groupby(rows, key=lambda row: row.resource)]
            return ClearingAnswer(engine=engine, markets=markets, why="" if markets else _NONE_YET)

        return await ask(work)

    return router


def _market(of: list[InMarket]) -> MarketAnswer:
    one = of[0]
    return MarketAnswer(
        resource=one.resource, cleared_at=one.cleared_at, since=one.since, until=one.until,
        capacity_per_s=float(one.capacity_per_s), price_usd=_float(one.usd_per_unit),
        interval=Bounds(low=_float(one.usd_low), high=_float(one.usd_high)),
        as_right=Bounds(low=_float(one.dual_low_usd), high=_float(one.dual_high_usd)), groped_usd=_float(one.groped_usd),
        agrees=one.agrees, why=one.why or "",
        tenants=[
            TakingAnswer(
                tenant=row.tenant, is_moved=row.is_moved, was_per_s=float(row.was_per_s), free_per_s=_float(row.free_per_s),
                takes_per_s=_float(row.takes_per_s), least_per_s=_float(row.least_per_s), most_per_s=_float(row.most_per_s),
                pays_usd_per_day=_float(row.pays_usd_per_day),
            )
            for row in of
        ],
    )  # fmt: skip


def _float(number: object) -> float | None:
    return None if number is None else float(str(number))
