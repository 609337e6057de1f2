"""Alerts over HTTP: what is wrong, and what people do about it.

    GET  /v1/alerts                          a tenant's, newest first
    GET  /v1/alerts/{alert_id}               one, with its history
    POST /v1/alerts/{alert_id}/acknowledge   somebody looks after it
    POST /v1/alerts/{alert_id}/mute          it is not told until a time
    POST /v1/alerts/{alert_id}/resolve       it is right again, somebody says
    POST /v1/alerts/{alert_id}/reopen        nobody looks after it, or is to be spared it, any more
    POST /v1/alerts/{alert_id}/note          something is to be known of it

They read and act through `ledger/alerts.py`, as the command line does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import psycopg
from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field

from collector.asked import NUMBER_MAX, PROBLEMS, ActRequest, Asking, Name, NoteRequest, Number, When, Within, refuse_unheard
from collector.door import whose
from ledger import alerts
from ledger.tenants import DEFAULT_TENANT

State = Literal["open", "acknowledged", "muted", "resolved"]
AlertId = Annotated[int, Path(ge=1, le=NUMBER_MAX, description="The alert's number, within its tenant.")]


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


class MuteRequest(ActRequest):
    """The same, and for how long: one of `until` and `for_s`."""

    until: When | None = Field(None, description="When it is told again, if it is still wrong.")
    for_s: Within | None = Field(None, description="Seconds until then.")


def alert_router(dsn: str, default_tenant: str = DEFAULT_TENANT) -> APIRouter:
    """The routes of alerts over a database; they open their connections with the application and close them with it."""
    ask = Asking(dsn, application="pigou-alerts", refusals={alerts.UnknownAlert: 404, alerts.AlertError: 409}, of_field=422)
    router = ask.router("/v1/alerts", "alerts")
    _add_reading(router, ask, default_tenant)

    async def done(
        alert_id: int, asked: ActRequest | NoteRequest, event: alerts.Act, until: datetime | None = None
    ) -> AlertWithHistory:
        tenant = whose(asked.tenant, default_tenant)

        def work(connection: psycopg.Connection) -> AlertWithHistory:
            alerts.act(connection, alert_id, event, who=asked.who, note=asked.note, tenant=tenant, until=until)
            return _shown(connection, tenant, alert_id)

        return await ask(work)

    @router.post("/{alert_id}/acknowledge", responses=PROBLEMS)
    async def acknowledge(alert_id: AlertId, asked: ActRequest) -> AlertWithHistory:
        """Say that somebody looks after it: it is not told again until it is resolved."""
        return await done(alert_id, asked, "acknowledged")

    @router.post("/{alert_id}/mute", responses=PROBLEMS)
    async def mute(alert_id: AlertId, asked: MuteRequest) -> AlertWithHistory:
        """Not be told of it for a while; what is still wrong then is told again."""
        if (asked.until is None) == (asked.for_s is None):
            raise HTTPException(422, "body: give one of until and for_s")
        until = asked.until or datetime.now(UTC) + timedelta(seconds=asked.for_s or 0)
        return await done(alert_id, asked, "muted", until)

    @router.post("/{alert_id}/resolve", responses=PROBLEMS)
    async def resolve(alert_id: AlertId, asked: ActRequest) -> AlertWithHistory:
        """Resolve it by hand; what is still wrong opens again, as another alert."""
        return await done(alert_id, asked, "resolved")

    @router.post("/{alert_id}/reopen", responses=PROBLEMS)
    async def reopen(alert_id: AlertId, asked: ActRequest) -> AlertWithHistory:
        """Open what was acknowledged or muted again: it is told, and told again at its interval."""
        return await done(alert_id, asked, "reopened")

    @router.post("/{alert_id}/note", responses=PROBLEMS)
    async def note(alert_id: AlertId, asked: NoteRequest) -> AlertWithHistory:
        """Note something of it, resolved or not; nothing else changes."""
        return await done(alert_id, asked, "noted")

    return router


def _add_reading(router: APIRouter, ask: Asking, default_tenant: str) -> None:
    @router.get("", responses={404: {}, 503: {}})
    async def list_alerts(
        tenant: Annotated[Name | None, Query(description="Whose.")] = None,
        state: Annotated[list[State] | None, Query(description="In these states; by default all but resolved.")] = None,
        rule: Annotated[Name | None, Query(description="Of this rule only.")] = None,
        before: Annotated[int | None, Query(ge=1, le=NUMBER_MAX, description="Older than the alert of this number.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> AlertsAnswer:
        """List a tenant's alerts, newest first."""
        states: list[str] = [*state] if state else ["open", "acknowledged", "muted"]
        owner = whose(tenant, default_tenant)

        def work(connection: psycopg.Connection) -> AlertsAnswer:
            refuse_unheard(connection, owner, default_tenant)
            found = alerts.list_alerts(connection, owner, states=states, rule=rule, before=before, limit=limit)
            more = found[-1]["alert_id"] if len(found) == limit else None
            return AlertsAnswer(alerts=[AlertAnswer(**row) for row in found], next_before=more)

        return await ask(work)

    @router.get("/{alert_id}", responses={404: {}, 503: {}})
    async def show_alert(
        alert_id: AlertId, tenant: Annotated[Name | None, Query(description="Whose.")] = None
    ) -> AlertWithHistory:
        """Show an alert and its history."""
        owner = whose(tenant, default_tenant)
        return await ask(lambda connection: _shown(connection, owner, alert_id))


def _shown(connection: psycopg.Connection, tenant: str, alert_id: int) -> AlertWithHistory:
    alert, events = alerts.show_alert(connection, tenant, alert_id)
    return AlertWithHistory(alert=AlertAnswer(**alert), events=[EventAnswer(**event) for event in events])
