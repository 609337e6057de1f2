"""Maintenance over HTTP: times in which nothing is told of some alerts, as a deployment's script plans them before it begins.

    GET  /v1/maintenance               what is planned and goes on
    POST /v1/maintenance               plan one
    POST /v1/maintenance/{number}/end  end one now

They go through `ledger/alerts.py`, as the command line does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import psycopg
from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field

from collector.asked import (
    NUMBER_MAX,
    PROBLEMS,
    ActRequest,
    Asking,
    Name,
    NewTenant,
    Someone,
    When,
    Within,
    refuse_slips,
    refuse_unheard,
)
from collector.door import whose
from ledger import alerts
from ledger.errors import LedgerError
from ledger.tenants import DEFAULT_TENANT

Number = Annotated[int, Path(ge=1, le=NUMBER_MAX, description="The maintenance's number, of its tenant or of all tenants.")]


class MaintenanceAnswer(BaseModel):
    """A maintenance as `ledger.maintenance` has it; `tenant`, `rule` and `subject` null: of any."""

    tenant: str | None
    maintenance_id: int
    rule: str | None
    subject: str | None
    begins_at: datetime
    ends_at: datetime
    state: str
    who: str
    note: str | None
    recorded_at: datetime


class MaintenancesAnswer(BaseModel):
    """Those that are not over, in the order in which they begin."""

    maintenance: list[MaintenanceAnswer]


class PlanRequest(ActRequest):
    """Of which alerts nothing is told, and how long; `tenant` null: of all tenants. One of `until` and `for_s`."""

    new_tenant: NewTenant = False
    rule: Name | None = Field(None, description="Only alerts of this rule.")
    subject: Name | None = Field(None, description="Only alerts about this.")
    begins_at: When | None = Field(None, description="When it begins; now by default.")
    until: When | None = Field(None, description="When it ends.")
    for_s: Within | None = Field(None, description="Seconds from its beginning to its end.")


def maintenance_router(dsn: str, default_tenant: str = DEFAULT_TENANT) -> APIRouter:
    """The routes of maintenance over a database."""
    unknown: dict[type[LedgerError], int] = {alerts.UnknownRule: 404, alerts.UnknownMaintenance: 404}
    ask = Asking(dsn, application="pigou-maintenance", refusals=unknown | {alerts.AlertError: 409})
    router = ask.router("/v1/maintenance", "maintenance")

    def listed(connection: psycopg.Connection, tenant: str | None) -> MaintenancesAnswer:
        found = alerts.list_maintenance(connection, tenant)
        return MaintenancesAnswer(maintenance=[MaintenanceAnswer(**row) for row in found])

    @router.get("", responses={404: {}, 503: {}})
    async def list_maintenance(
        tenant: Annotated[Name | None, Query(description="What is of this tenant's alerts; by default everybody's.")] = None,
    ) -> MaintenancesAnswer:
        """List what is planned and what goes on."""
        owner = whose(tenant, None)

        def work(connection: psycopg.Connection) -> MaintenancesAnswer:
            refuse_unheard(connection, owner, default_tenant)
            return listed(connection, owner)

        return await ask(work)

    @router.post("", responses=PROBLEMS)
    async def plan_maintenance(asked: PlanRequest) -> MaintenancesAnswer:
        """Plan a time in which nothing is told; a summary follows it. Answers what is planned and goes on."""
        if (asked.until is None) == (asked.for_s is None):
            raise HTTPException(422, "body: give one of until and for_s")
        begins_at = asked.begins_at or datetime.now(UTC)
        ends_at = asked.until or begins_at + timedelta(seconds=asked.for_s or 0)
        window, seen = alerts.Window(begins_at, ends_at, whose(asked.tenant, None), asked.rule, asked.subject), whose(None, None)

        def work(connection: psycopg.Connection) -> MaintenancesAnswer:
            refuse_slips(connection, [window.tenant], default_tenant, is_meant=asked.new_tenant)
            alerts.plan_maintenance(connection, window, who=asked.who, note=asked.note)
            return listed(connection, seen)

        return await ask(work)

    @router.post("/{number}/end", responses=PROBLEMS)
    async def end_maintenance(number: Number, asked: Someone) -> MaintenancesAnswer:
        """End one now, whether it goes on or is planned; `tenant` as it was planned. Answers the others."""
        owner, seen = whose(asked.tenant, None), whose(None, None)

        def work(connection: psycopg.Connection) -> MaintenancesAnswer:
            alerts.end_maintenance(connection, number, owner, who=asked.who)
            return listed(connection, seen)

        return await ask(work)

    return router
