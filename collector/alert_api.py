"""Alerts over HTTP: what is wrong, and what people do about it.

    GET  /v1/alerts                          a tenant's, newest first
    GET  /v1/alerts/{alert_id}               one, with its history
    POST /v1/alerts/{alert_id}/acknowledge   somebody looks after it
    POST /v1/alerts/{alert_id}/mute          it is not told until a time
    POST /v1/alerts/{alert_id}/resolve       it is right again, somebody says
    POST /v1/alerts/{alert_id}/note          something is to be known of it

They read and act through `ledger/alerts.py`, as the command line does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import anyio.to_thread
import psycopg
from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

from collector.bounded_route import NO_NUL, bounded_route, while_serving
from ledger import alerts
from ledger.errors import DatabaseUnavailable
from ledger.pool import Connections

_BODY_LIMIT_BYTES = 16 * 1024
_YEAR_S = 366 * 86_400
_NUMBER_MAX = 2**31 - 1

T = TypeVar("T")
State = Literal["open", "acknowledged", "muted", "resolved"]
AlertId = Annotated[int, Path(ge=1, le=_NUMBER_MAX, description="The alert's number, within its tenant.")]
Number = Annotated[Decimal, PlainSerializer(lambda value: f"{value.normalize():f}", return_type=str)]
"""Exact: written as text, since JSON's numbers are read as binary fractions."""
Name = Annotated[str, Field(pattern=NO_NUL, min_length=1, max_length=200)]


class AlertAnswer(BaseModel):
    """An alert as `ledger.alerts` has it; what value and threshold are is the rule's to say."""

    tenant: str
    alert_id: int
    rule: str
    subject: str
    severity: Literal["info", "warning", "critical"]
    state: State
    opened_at: datetime
    last_seen_at: datetime
    quiet_since: datetime | None
    resolved_at: datetime | None
    muted_until: datetime | None
    notified_at: datetime
    notifications: int
    evaluations: int
    value: Number
    threshold: Number
    message: str
    mend: str
    former_alert_id: int | None


class EventAnswer(BaseModel):
    """What happened to an alert; `who` is null when the clock did it."""

    event_id: int
    at: datetime
    event: str
    is_to_be_told: bool
    who: str | None
    note: str | None
    value: Number | None


class AlertsAnswer(BaseModel):
    """Alerts, newest first; `next_before` goes on where these end."""

    alerts: list[AlertAnswer]
    next_before: int | None


class AlertWithHistory(BaseModel):
    """An alert, and what happened to it in order."""

    alert: AlertAnswer
    events: list[EventAnswer]


class _Someone(BaseModel):
    model_config = ConfigDict(extra="forbid")

    who: Name = Field(description="Who does it; kept in the alert's history.")
    tenant: Name | None = Field(None, description="Whose alert it is.")


class ActRequest(_Someone):
    """Who does it, whose alert it is, and why."""

    note: str | None = Field(None, pattern=NO_NUL, max_length=4000, description="Why.")


class MuteRequest(ActRequest):
    """The same, and for how long: one of `until` and `for_s`."""

    until: AwareDatetime | None = Field(None, description="When it is told again, if it is still wrong.")
    for_s: int | None = Field(None, ge=1, le=_YEAR_S, description="Seconds until then.")


class NoteRequest(_Someone):
    """Who notes what, of whose alert."""

    note: str = Field(pattern=NO_NUL, min_length=1, max_length=4000, description="What is to be known.")


def alert_router(dsn: str, default_tenant: str = "default") -> APIRouter:
    """The routes of alerts over a database; they open their connections with the application and close them with it."""
    connections = Connections(dsn, "writer", application="pigou-alerts")
    slots = anyio.CapacityLimiter(8)

    async def ask(work: Callable[[psycopg.Connection], T]) -> T:
        def in_thread() -> T:
            with _answered(), connections.connection() as connection:
                return work(connection)

        return await anyio.to_thread.run_sync(in_thread, limiter=slots)

    async def done(
        alert_id: int, asked: ActRequest | NoteRequest, event: alerts.Act, until: datetime | None = None
    ) -> AlertWithHistory:
        tenant = asked.tenant or default_tenant

        def work(connection: psycopg.Connection) -> AlertWithHistory:
            alerts.act(connection, alert_id, event, who=asked.who, note=asked.note, tenant=tenant, until=until)
            return _shown(connection, tenant, alert_id)

        return await ask(work)

    router = APIRouter(
        prefix="/v1/alerts", tags=["alerts"], lifespan=while_serving(connections), route_class=bounded_route(_BODY_LIMIT_BYTES)
    )
    _add_reading(router, ask, default_tenant)
    problems: dict[int | str, dict[str, Any]] = {404: {}, 409: {}, 503: {}}

    @router.post("/{alert_id}/acknowledge", responses=problems)
    async def acknowledge(alert_id: AlertId, asked: ActRequest) -> AlertWithHistory:
        """Say that somebody looks after it: it is not told again until it is resolved."""
        return await done(alert_id, asked, "acknowledged")

    @router.post("/{alert_id}/mute", responses=problems)
    async def mute(alert_id: AlertId, asked: MuteRequest) -> AlertWithHistory:
        """Not be told of it for a while; what is still wrong then is told again."""
        if (asked.until is None) == (asked.for_s is None):
            raise HTTPException(422, "body: give one of until and for_s")
        until = asked.until or datetime.now(UTC) + timedelta(seconds=asked.for_s or 0)
        return await done(alert_id, asked, "muted", until)

    @router.post("/{alert_id}/resolve", responses=problems)
    async def resolve(alert_id: AlertId, asked: ActRequest) -> AlertWithHistory:
        """Resolve it by hand; what is still wrong opens again, as another alert."""
        return await done(alert_id, asked, "resolved")

    @router.post("/{alert_id}/note", responses=problems)
    async def note(alert_id: AlertId, asked: NoteRequest) -> AlertWithHistory:
        """Note something of it, resolved or not; nothing else changes."""
        return await done(alert_id, asked, "noted")

    return router


def _add_reading(router: APIRouter, ask: Callable[..., Any], default_tenant: str) -> None:
    @router.get("", responses={503: {}})
    async def list_alerts(
        tenant: Annotated[Name | None, Query(description="Whose.")] = None,
        state: Annotated[list[State] | None, Query(description="In these states; by default all but resolved.")] = None,
        rule: Annotated[Name | None, Query(description="Of this rule only.")] = None,
        before: Annotated[int | None, Query(ge=1, le=_NUMBER_MAX, description="Older than the alert of this number.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> AlertsAnswer:
        """List a tenant's alerts, newest first."""
        states: list[str] = [*state] if state else ["open", "acknowledged", "muted"]

        def work(connection: psycopg.Connection) -> AlertsAnswer:
            found = alerts.list_alerts(connection, tenant or default_tenant, states=states, rule=rule, before=before, limit=limit)
            more = found[-1]["alert_id"] if len(found) == limit else None
            return AlertsAnswer(alerts=[AlertAnswer(**row) for row in found], next_before=more)

        return await ask(work)

    @router.get("/{alert_id}", responses={404: {}, 503: {}})
    async def show_alert(
        alert_id: AlertId, tenant: Annotated[Name | None, Query(description="Whose.")] = None
    ) -> AlertWithHistory:
        """Show an alert and its history."""

        def work(connection: psycopg.Connection) -> AlertWithHistory:
            return _shown(connection, tenant or default_tenant, alert_id)

        return await ask(work)


def _shown(connection: psycopg.Connection, tenant: str, alert_id: int) -> AlertWithHistory:
    alert, events = alerts.show_alert(connection, tenant, alert_id)
    return AlertWithHistory(alert=AlertAnswer(**alert), events=[EventAnswer(**event) for event in events])


@contextmanager
def _answered() -> Generator[None]:
    """What the ledger refuses, as HTTP says it."""
    try:
        yield
    except alerts.UnknownAlert as error:
        raise HTTPException(404, str(error)) from error
    except alerts.AlertError as error:
        raise HTTPException(409, str(error)) from error
    except DatabaseUnavailable as error:
        raise HTTPException(503, str(error), {"Retry-After": "1"}) from error
