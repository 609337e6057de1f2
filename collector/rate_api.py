"""Prices over HTTP: what a price would change, and giving it.

    POST /v1/rates    add prices of a tenant's own, or (`is_trial`) say what they would change and add nothing

They are read and added as `pigou rates add` does it, all or none, and nothing is edited: one that covers an earlier one corrects
it. Calls whose price changes are booked again before the answer, unless they are many: then the analyzers do it, in pieces.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import anyio.to_thread
import psycopg
from fastapi import APIRouter, HTTPException
from psycopg.errors import QueryCanceled
from pydantic import BaseModel, ConfigDict, Field

from collector.asked import Name, NewTenant, Number, refuse_slips
from collector.bounded_route import bounded_route, while_serving
from collector.door import whose
from collector.faults import NO_NUL
from ledger import rates
from ledger.errors import DatabaseUnavailable, UnknownTenant
from ledger.pool import Connections
from ledger.rerate import Foreseen, foresee, rerate
from ledger.stated_rates import RateError, StatedRate, stated_rate
from ledger.tenants import DEFAULT_TENANT, said_of_new

BOOKED_AT_ONCE_MAX = 20_000
_BODY_LIMIT_BYTES = 256 * 1024
_RATES_MAX = 500
_FORESEE_MS = 15_000

Cell = Annotated[str, Field(pattern=NO_NUL, min_length=1, max_length=400)]


class ToldRate(BaseModel):
    """One price, as `pigou rates add` takes it; numbers are text, so that no digit is lost. See docs/prices.md."""

    model_config = ConfigDict(extra="forbid")

    provider: Cell = Field(description="Who is paid; `unknown` for calls that do not say.")
    model: Cell = Field(description="The model, as calls report it or as the price book names it.")
    commodity: Cell = Field(description="Such as input_tokens.")
    price_usd: Cell = Field(description="What `per` units cost, in US dollars.")
    per: Cell | None = Field(None, description="Units the price buys; of tokens 1000000.")
    service_tier: Cell | None = Field(None, description="standard by default.")
    context_above: Cell | None = Field(None, description="Only for calls with more input tokens.")
    valid_from: Cell | None = Field(None, description="When it begins to hold; open by default.")
    valid_until: Cell | None = Field(None, description="When it no longer holds; open by default.")
    daily_from: Cell | None = Field(None, description="Part of the day it is for, UTC.")
    daily_until: Cell | None = Field(None, description="End of that part.")


class RatesRequest(BaseModel):
    """Whose prices, who states them, and whether only to say what they would change."""

    model_config = ConfigDict(extra="forbid")

    tenant: Name | None = Field(None, description="Whose prices they are.")
    new_tenant: NewTenant = False
    source: Name = Field(description="Who states them, and on what ground; kept with each.")
    is_trial: bool = Field(False, description="Add nothing, and say what would be booked again.")
    rates: list[ToldRate] = Field(min_length=1, max_length=_RATES_MAX)


class ForeseenAnswer(BaseModel):
    """What the prices change: calls booked again, those of them that had no price, and their cost in USD before and after.

    `still_unpriced` calls of the same model need a price of something else too.
    """

    calls: int
    unpriced_calls: int
    cost_before_usd: Number
    cost_after_usd: Number
    difference_usd: Number
    first_at: datetime | None
    last_at: datetime | None
    still_unpriced: int


class RatesAnswer(BaseModel):
    """What was added (nothing, of a trial), how many of them correct earlier ones, and what they change.

    `booked_again` is how many calls were booked again already; null: the analyzers do it within their next rounds.
    """

    tenant: str
    is_trial: bool
    rates: int
    corrections: int
    changes: ForeseenAnswer
    booked_again: int | None
    why: str | None = Field(None, description="What is to be known of the whole, such as that nobody had heard of the tenant.")


def rate_router(dsn: str, default_tenant: str = DEFAULT_TENANT) -> APIRouter:
    """The route over a database; it opens its connections with the application and closes them with it."""
    connections = Connections(dsn, "writer", application="pigou-rates", connections_max=2)
    slots = anyio.CapacityLimiter(2)

    router = APIRouter(
        prefix="/v1/rates", tags=["rates"], lifespan=while_serving(connections), route_class=bounded_route(_BODY_LIMIT_BYTES)
    )

    @router.post("", responses={404: {}, 503: {}})
    async def add(asked: RatesRequest) -> RatesAnswer:
        """Add prices, or say what they would change."""
        tenant = whose(asked.tenant, default_tenant)

        def work() -> RatesAnswer:
            try:
                stated = [_stated(number, told) for number, told in enumerate(asked.rates)]
                with connections.connection() as connection:
                    refuse_slips(connection, [tenant], default_tenant, is_meant=asked.new_tenant)
                    return _added(connection, tenant, stated, asked)
            except UnknownTenant as error:
                raise HTTPException(404, str(error)) from error
            except RateError as error:
                raise HTTPException(422, str(error)) from error
            except DatabaseUnavailable as error:
                raise HTTPException(503, str(error), {"Retry-After": "1"}) from error

        return await anyio.to_thread.run_sync(work, limiter=slots)

    return router


def _stated(number: int, told: ToldRate) -> StatedRate:
    cells = told.model_dump(exclude_none=True)
    return stated_rate(cells, f"rates.{number}")


def _added(connection: psycopg.Connection, tenant: str, stated: list[StatedRate], asked: RatesRequest) -> RatesAnswer:
    new = said_of_new(connection, tenant)
    added, changes = _add(connection, tenant, stated, asked)
    booked = None
    if not asked.is_trial and changes.calls <= BOOKED_AT_ONCE_MAX:
        booked = rerate(connection, added.tenants[tenant]).adjusted
    difference = changes.cost_after_usd - changes.cost_before_usd
    return RatesAnswer(
        tenant=tenant, is_trial=asked.is_trial, rates=0 if asked.is_trial else added.rates, corrections=added.corrections,
        changes=ForeseenAnswer(
            calls=changes.calls, unpriced_calls=changes.unpriced_calls, cost_before_usd=changes.cost_before_usd,
            cost_after_usd=changes.cost_after_usd, difference_usd=difference, first_at=changes.first_at,
            last_at=changes.last_at, still_unpriced=changes.still_unpriced,
        ),
        booked_again=0 if asked.is_trial else booked, why=new,
    )  # fmt: skip


def _add(
    connection: psycopg.Connection, tenant: str, stated: list[StatedRate], asked: RatesRequest
) -> tuple[rates.AddedRates, Foreseen]:
    """Add the rates and look what they change, in one transaction that a trial rolls back."""
    try:
        with connection.transaction(force_rollback=asked.is_trial):
            added = rates.add_rates(connection, tenant, stated, asked.source)
            connection.execute(f"set local statement_timeout = {_FORESEE_MS}".encode())
            return added, foresee(connection, added.tenants[tenant])
    except QueryCanceled as error:
        what = f"what this changes was not counted within {_FORESEE_MS // 1000} s, and nothing was added"
        raise HTTPException(503, f"{what}; use `pigou rates add`, which books in pieces") from error
