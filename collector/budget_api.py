"""Holds of budgets over HTTP: a gateway or an agent asks before it makes a call, and is told what is left.

    POST /v1/budgets/{budget}/holds                    200 granted, 402 no room, 404 no such budget, 409 the id is taken
    POST /v1/budgets/{budget}/holds/{hold_id}/release  200, 404

The requests run in threads over a few connections of their own: what exports do meanwhile is not in their way.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, HTTPException, Path, Response
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from collector.asked import Whole
from collector.bounded_route import Refusal, bounded_route, while_serving
from collector.door import whose
from collector.faults import BUDGET, HOLD_ID, NO_NUL
from ledger import budgets
from ledger.errors import BudgetError, DatabaseUnavailable, UnknownTenant
from ledger.pool import Connections
from ledger.tenants import DEFAULT_TENANT

_DAY_S = 86_400
_BODY_LIMIT_BYTES = 16 * 1024
_STATUS = {"granted": 200, "refused": 402, "absent": 404, "conflict": 409, "ended": 409}


def _plainly(amount: Decimal) -> str:
    """All its digits, and no more."""
    return f"{amount.normalize():f}"


BudgetName = Annotated[str, Path(pattern=BUDGET, description="Name of the budget.")]
Usd = Annotated[Decimal, PlainSerializer(_plainly, return_type=str)]
"""Exact: written as text, since JSON's numbers are read as binary fractions."""


class HoldRequest(BaseModel):
    """What is to be set aside, for which call, and for how long."""

    model_config = ConfigDict(extra="forbid")

    hold_id: str = Field(pattern=HOLD_ID, description="Given by the caller; asking twice with it is asking once.")
    amount_usd: Decimal = Field(gt=0, max_digits=38, decimal_places=12, description="The most that the call may cost.")
    ttl_s: Whole = Field(300, ge=1, le=7 * _DAY_S, description="Seconds after which it is given back by itself.")
    tenant: str | None = Field(None, pattern=NO_NUL, description="Whose budget it is.")


class HoldAnswer(BaseModel):
    """Whether it was granted, and how the budget stands after it. Amounts are USD, as text."""

    granted: bool
    why: str
    tenant: str
    budget: str
    hold_id: str
    state: str | None
    expires_at: datetime | None
    period_from: datetime | None
    period_until: datetime | None
    amount_usd: Usd | None
    spent_usd: Usd | None
    held_usd: Usd | None
    left_usd: Usd | None
    unpriced_calls: int | None


class ReleaseRequest(BaseModel):
    """Whose hold is given back."""

    model_config = ConfigDict(extra="forbid")

    tenant: str | None = Field(None, pattern=NO_NUL, description="Whose budget it is.")


class ReleaseAnswer(BaseModel):
    """What became of the hold: released (now or before), settled by its call, or expired."""

    tenant: str
    budget: str
    hold_id: str
    state: str


def budget_router(dsn: str, default_tenant: str = DEFAULT_TENANT) -> APIRouter:
    """The routes of holds over a database; they open their connections with the application and close them with it."""
    connections = Connections(dsn, "writer", application="pigou-budgets")
    slots = anyio.CapacityLimiter(8)

    router = APIRouter(
        prefix="/v1/budgets", tags=["budgets"], lifespan=while_serving(connections), route_class=bounded_route(_BODY_LIMIT_BYTES)
    )
    problems: dict[int | str, dict[str, Any]] = {
        402: {"model": HoldAnswer}, 404: {"model": HoldAnswer | Refusal}, 409: {"model": HoldAnswer}, 503: {},
    }  # fmt: skip

    @router.post("/{budget}/holds", responses=problems)
    async def hold(budget: BudgetName, asked: HoldRequest, response: Response) -> HoldAnswer:
        """Set an amount of a budget aside for a call, if there is room for it."""
        tenant = whose(asked.tenant, default_tenant)

        def decide() -> budgets.Held:
            with _answered(), connections.connection() as connection:
                return budgets.hold(connection, tenant, budget, asked.hold_id, asked.amount_usd, asked.ttl_s)

        held = await anyio.to_thread.run_sync(decide, limiter=slots)
        response.status_code = _STATUS[held.outcome]
        return _answer(tenant, budget, asked, held)

    @router.post("/{budget}/holds/{hold_id}/release", responses={404: {}, 503: {}})
    async def release(
        budget: BudgetName, hold_id: Annotated[str, Path(pattern=HOLD_ID)], asked: ReleaseRequest | None = None
    ) -> ReleaseAnswer:
        """Give a hold back that is not needed: its call failed, or was not made."""
        tenant = whose(asked and asked.tenant, default_tenant)

        def give_back() -> str:
            with _answered(), connections.connection() as connection:
                return budgets.release(connection, tenant, budget, hold_id)

        state = await anyio.to_thread.run_sync(give_back, limiter=slots)
        return ReleaseAnswer(tenant=tenant, budget=budget, hold_id=hold_id, state=state)

    return router


@contextmanager
def _answered() -> Generator[None]:
    """What the ledger refuses, as HTTP says it."""
    try:
        yield
    except (UnknownTenant, BudgetError) as error:
        raise HTTPException(404, str(error)) from error
    except DatabaseUnavailable as error:
        raise HTTPException(503, str(error), {"Retry-After": "1"}) from error


def _usd(amount: Decimal | None) -> str:
    return "unknown" if amount is None else _plainly(amount)


def _answer(tenant: str, budget: str, asked: HoldRequest, held: budgets.Held) -> HoldAnswer:
    why = {
        "granted": f"held until {held.expires_at}",
        "refused": f"{_usd(held.left_usd)} USD are left of {_usd(held.amount_usd)}, {_usd(asked.amount_usd)} are asked for",
        "absent": f"tenant {tenant} has no budget {budget} that is in force; see `pigou budgets list`",
        "conflict": "the id is held with another amount; use one id per call",
        "ended": f"the id was used: its hold is {held.state} or its time is over; use a new id for each call",
    }[held.outcome]
    return HoldAnswer(
        granted=held.outcome == "granted", why=why, tenant=tenant, budget=budget, hold_id=asked.hold_id, state=held.state,
        expires_at=held.expires_at, period_from=held.period_from, period_until=held.period_until, amount_usd=held.amount_usd,
        spent_usd=held.spent_usd, held_usd=held.held_usd, left_usd=held.left_usd, unpriced_calls=held.unpriced_calls,
    )  # fmt: skip
