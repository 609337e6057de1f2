"""The price vector over HTTP, live, for routers, agents, engines and dashboards; and quotes by it.

    GET  /v1/prices    200: JSON, or Prometheus' text by `Accept: text/plain` or `?format=prometheus`; 404 no such tenant
    POST /v1/quote     200; 404 no such tenant; 422 a menu that cannot be

Prices are remembered (`ledger.price_vector`): most requests ask the database nothing, the others a look at an index, in a thread.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from allocation.errors import AllocationError
from collector.bounded_route import bounded_route, while_serving
from collector.door import whose
from collector.faults import NO_NUL
from collector.price_text import PROMETHEUS, prometheus
from collector.quote import QuoteAnswer, QuoteRequest, quote
from ledger.errors import DatabaseUnavailable, UnknownTenant
from ledger.pool import Connections
from ledger.price_vector import EnginePrice, PriceList, PriceMemory, Vector
from ledger.tenants import DEFAULT_TENANT

_BODY_LIMIT_BYTES = 64 * 1024
_REMEMBERED_MAX = 1_000
_NONE_YET = "no price is stated or solved for it yet: state one by policy, or a constraint with `pigou prices constrain`"

TenantName = Annotated[str | None, Query(max_length=200, pattern=NO_NUL, description="Whose prices.")]
ClassName = Annotated[str | None, Query(max_length=200, pattern=NO_NUL, description="Only those that hold for this class.")]


class Interval(BaseModel):
    """Where a price lies in 95 % of repetitions of its period; a bound that is not known is null."""

    low: float | None
    high: float | None


class PriceConstraint(BaseModel):
    """A constraint that covers the class, with what the period left of it: a slack one has no price."""

    name: str
    kind: str
    limit: float
    used: float
    slack: float
    relative_slack: float
    price: float
    is_binding: bool


class ClassPrices(BaseModel):
    """The prices of a class: V in USD of compute, λ in USD per second, ρ in USD per USD of expected loss; null: not known.

    `budget_worth` is what the last dollar of compute brings in dollars of value; `v_stated_usd` is V before it was divided by it.
    `source` is `dual` when any of the prices is one.
    """

    task_class: str
    v_usd: float | None
    lambda_usd_per_s: float | None
    rho: float | None
    source: str
    v_source: str
    lambda_source: str
    rho_source: str
    v_stated_usd: float | None
    budget_worth: float
    v_interval: Interval
    lambda_interval: Interval
    rho_interval: Interval
    budget_worth_interval: Interval
    constraints: list[PriceConstraint]
    valid_from: datetime
    age_s: float
    why: str


class EngineResource(BaseModel):
    """The shadow price of an engine's prefill, decode or KV."""

    engine: str
    resource: str
    price_usd: float
    unit: str
    interval: Interval
    valid_from: datetime


class PricesAnswer(BaseModel):
    """A tenant's price vector. `version` changes with the prices; `seen_at` is when the database last said that they hold."""

    tenant: str
    version: int | None
    seen_at: datetime
    prices: list[ClassPrices]
    engines: list[EngineResource] | None = None
    why: str


def price_router(dsn: str, default_tenant: str = DEFAULT_TENANT) -> APIRouter:
    """The routes of prices over a database; they open their connections with the application and close them with it."""
    connections = Connections(dsn, "writer", application="pigou-prices", connections_max=2)
    memory = PriceMemory(connections.connection)
    slots = anyio.CapacityLimiter(2)
    written = _Written()

    async def listed(tenant: str) -> PriceList:
        found = memory.fresh(tenant)
        if found is not None:
            return found
        with _answered():
            try:
                return await anyio.to_thread.run_sync(memory.read, tenant, limiter=slots)
            except UnknownTenant:
                if tenant != default_tenant:
                    raise
                return PriceList(tenant, None, datetime.now(UTC), {}, [])

    router = APIRouter(tags=["prices"], lifespan=while_serving(connections), route_class=bounded_route(_BODY_LIMIT_BYTES))
    text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, 404: {}, 503: {}}

    @router.get("/v1/prices", response_model=PricesAnswer, responses=text)
    async def prices(
        request: Request,
        tenant: TenantName = None,
        task_class: ClassName = None,
        chosen: Annotated[Literal["json", "prometheus"] | None, Query(alias="format", description="How it is written.")] = None,
    ) -> Response:
        """The prices that hold now: V, λ and ρ by task class, each with its source, interval and constraints."""
        found = await listed(whose(tenant, default_tenant))
        if chosen == "prometheus" or (chosen is None and _prefers_text(request.headers.get("accept", ""))):
            return PlainTextResponse(written.text(found, task_class), media_type=PROMETHEUS)
        return Response(written.json(found, task_class, datetime.now(UTC)), media_type="application/json")

    @router.post("/v1/quote", response_model=QuoteAnswer, responses={404: {}, 503: {}})
    async def quoted(asked: QuoteRequest) -> Response:
        """Eq. 1 on a menu at the prices that hold now: best option, surpluses, crossovers, and whether users choose as meant."""
        tenant = whose(asked.tenant, default_tenant)
        found = await listed(tenant)
        try:
            answer = quote(asked, tenant, found.of(asked.task_class), datetime.now(UTC))
        except AllocationError as error:
            raise HTTPException(422, str(error)) from error
        return Response(answer.model_dump_json(), media_type="application/json")  # it need not be validated again

    return router


class _Written:
    """Answers as they were written last, by tenant: what scrapers ask for every few seconds changes a few times a day."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str | None], tuple[PriceList, str]] = {}
        self._models: dict[str, tuple[PriceList, dict[str, ClassPrices]]] = {}

    def text(self, found: PriceList, task_class: str | None) -> str:
        """Prometheus' text."""
        of, text = self._texts.get((found.tenant, task_class), (None, ""))
        if of is None or of.vectors is not found.vectors:
            text = prometheus(found, _chosen(found, task_class))
            if len(self._texts) >= _REMEMBERED_MAX:
                self._texts.clear()
            self._texts[found.tenant, task_class] = (found, text)
        return text

    def json(self, found: PriceList, task_class: str | None, now: datetime) -> str:
        """The JSON answer, with ages as they are now."""
        of, models = self._models.get(found.tenant, (None, dict[str, ClassPrices]()))
        if of is None or of.vectors is not found.vectors:
            models = {name: _class_prices(one) for name, one in found.vectors.items()}
            if len(self._models) >= _REMEMBERED_MAX:
                self._models.clear()
            self._models[found.tenant] = (found, models)
        vectors = _chosen(found, task_class)
        answer = PricesAnswer(
            tenant=found.tenant, version=found.version, seen_at=found.seen_at, why="" if vectors else _NONE_YET,
            prices=[
                models[one.task_class].model_copy(update={"age_s": max(0.0, (now - one.valid_from).total_seconds())})
                for one in vectors
            ],
            engines=[_engine(one) for one in found.engines] or None,
        )  # fmt: skip
        return answer.model_dump_json(exclude=None if found.engines else {"engines"})


def _chosen(found: PriceList, task_class: str | None) -> list[Vector]:
    if task_class is None:
        return list(found.vectors.values())
    one = found.of(task_class)
    return [one] if one is not None else []


@contextmanager
def _answered() -> Generator[None]:
    """What the ledger refuses, as HTTP says it."""
    try:
        yield
    except UnknownTenant as error:
        raise HTTPException(404, str(error)) from error
    except DatabaseUnavailable as error:
        raise HTTPException(503, str(error), {"Retry-After": "1"}) from error


def _prefers_text(accept: str) -> bool:
    """Whether the first of the types accepted that we can write is Prometheus' text."""
    for part in accept.split(","):
        kind = part.partition(";")[0].strip().lower()
        if kind in ("text/plain", "application/openmetrics-text"):
            return True
        if kind in ("application/json", "application/*"):
            return False
    return False


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _class_prices(of: Vector) -> ClassPrices:
    return ClassPrices(
        task_class=of.task_class, v_usd=_number(of.v_usd), lambda_usd_per_s=_number(of.lambda_usd_per_s), rho=_number(of.rho),
        source=of.source, v_source=of.v_source, lambda_source=of.lambda_source, rho_source=of.rho_source,
        v_stated_usd=_number(of.v_stated_usd), budget_worth=float(of.budget_worth),
        v_interval=_interval(of.v_low_usd, of.v_high_usd), lambda_interval=_interval(of.lambda_low, of.lambda_high),
        rho_interval=_interval(of.rho_low, of.rho_high),
        budget_worth_interval=_interval(of.budget_worth_low, of.budget_worth_high),
        constraints=[PriceConstraint.model_validate(one) for one in of.constraints],
        valid_from=of.valid_from, age_s=0.0, why=of.why,
    )  # fmt: skip


def _interval(low: Decimal | None, high: Decimal | None) -> Interval:
    return Interval(low=_number(low), high=_number(high))


def _engine(of: EnginePrice) -> EngineResource:
    return EngineResource(
        engine=of.engine, resource=of.resource, price_usd=float(of.price), unit=of.unit,
        interval=_interval(of.price_low, of.price_high), valid_from=of.valid_from,
    )  # fmt: skip
