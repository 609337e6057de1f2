"""What endpoints over the ledger share: what is asked runs in threads over a few connections, and who asks says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import anyio.to_thread
import psycopg
from fastapi import APIRouter, HTTPException
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from collector.bounded_route import FIELD_HEADER, bounded_route, while_serving
from collector.faults import NO_NUL, SAID
from ledger.errors import DatabaseUnavailable, LedgerError, UnknownTenant
from ledger.pool import Connections
from ledger.tenants import slips, unheard, unknown_tenant

BODY_LIMIT_BYTES = 16 * 1024
NUMBER_MAX = 2**31 - 1
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {}, 409: {}, 503: {}}
"""What an act may be answered besides 200 and 422."""

T = TypeVar("T")
Number = Annotated[Decimal, PlainSerializer(lambda value: f"{value.normalize():f}", return_type=str)]
"""Exact: written as text, since JSON's numbers are read as binary fractions."""
Name = Annotated[str, Field(pattern=SAID, min_length=1, max_length=200)]
Note = Annotated[str, Field(pattern=NO_NUL, min_length=1, max_length=4000)]
_YEARS = range(1970, 2201)


def _refuse_truth(value: object) -> object:
    """Pydantic takes true for 1."""
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "a number is wanted")
    return value


def _refuse_number(value: object) -> object:
    """Pydantic takes a number for seconds since 1970, or for milliseconds, by its size."""
    if not isinstance(value, str) or value.strip().lstrip("+-").replace(".", "", 1).isdigit():
        raise PydanticCustomError("datetime_type", "a time is wanted")
    return value


def _in_reach(value: datetime) -> datetime:
    """Years that can be counted with in every zone."""
    if value.year not in _YEARS:
        raise ValueError(f"{value.isoformat()} is out of reach; name a time between {_YEARS[0]} and {_YEARS[-1]}")
    return value


Share = Annotated[float, BeforeValidator(_refuse_truth), Field(ge=0, le=1, allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_refuse_truth)]
Within = Annotated[int, Field(ge=1, le=366 * 86_400), BeforeValidator(_refuse_truth)]
"""Seconds, a year of them at most."""
When = Annotated[AwareDatetime, BeforeValidator(_refuse_number), AfterValidator(_in_reach)]
"""A time with its offset."""


class Someone(BaseModel):
    """Who does something, and to whose."""

    model_config = ConfigDict(extra="forbid")

    who: Name = Field(description="Who does it; kept in the history.")
    tenant: Name | None = Field(None, description="Whose it is.")


class ActRequest(Someone):
    """Who does it, to whose, and why."""

    note: str | None = Field(None, pattern=NO_NUL, max_length=4000, description="Why.")


class NoteRequest(Someone):
    """Who notes what, of whose."""

    note: Note = Field(description="What is to be known.")


NewTenant = Annotated[bool, Field(description="The tenant is meant, although it is nearly called as a known one: it is opened.")]


def refuse_unheard(connection: psycopg.Connection, tenant: str | None, default_tenant: str) -> None:
    """Raises UnknownTenant where something is asked of a tenant that nobody has heard of. None is all of them."""
    if tenant != default_tenant and unheard(connection, [tenant]):
        raise unknown_tenant(connection, str(tenant), "tenants are opened by what is received or stated of them")


def refuse_slips(connection: psycopg.Connection, tenants: Iterable[str | None], default_tenant: str, *, is_meant: bool) -> None:
    """Raises UnknownTenant where something is stated of a tenant that looks like a slip of a known one, unless it `is_meant`."""
    found = [] if is_meant else slips(connection, tenants, default_tenant)
    if found:
        raise unknown_tenant(connection, found[0], "if it is meant, send `new_tenant: true` beside it, which opens it")


class Asking:
    """One API's way to the database. `refusals`: the ledger's errors with the statuses that say them, the narrower first.

    `of_field`: the status instead of 409 of an error that is about a field of the request, where nothing but it is in the way.
    """

    def __init__(self, dsn: str, *, application: str, refusals: Mapping[type[LedgerError], int], of_field: int = 409) -> None:
        self._connections = Connections(dsn, "writer", application=application)
        self._slots = anyio.CapacityLimiter(8)
        self._refusals = {**refusals, UnknownTenant: 404, DatabaseUnavailable: 503}
        self._of_field = of_field

    def router(self, prefix: str, tag: str) -> APIRouter:
        """Routes that open the connections with the application and close them with it; requests are bounded."""
        return APIRouter(
            prefix=prefix,
            tags=[tag],
            lifespan=while_serving(self._connections),
            route_class=bounded_route(BODY_LIMIT_BYTES),
        )

    async def __call__(self, work: Callable[[psycopg.Connection], T]) -> T:
        """What the work answers. Raises HTTPException with what the ledger refuses."""

        def in_thread() -> T:
            try:
                with self._connections.connection() as connection:
                    return work(connection)
            except LedgerError as error:
                raise self._refused(error) from error

        return await anyio.to_thread.run_sync(in_thread, limiter=self._slots)

    def _refused(self, error: LedgerError) -> Exception:
        status = next((status for kind, status in self._refusals.items() if isinstance(error, kind)), None)
        if status is None:
            return error
        if status == 409 and error.field is not None:
            status = self._of_field
        headers = {"Retry-After": "1"} if status == 503 else {FIELD_HEADER: error.field} if error.field else None
        return HTTPException(status, str(error), headers)
