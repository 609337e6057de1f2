"""Findings over HTTP: where dollars are lost every day, and what people do about it.

    GET  /v1/findings                            a tenant's, newest first
    GET  /v1/findings/{finding_id}               one, with its history
    POST /v1/findings/{finding_id}/acknowledge   somebody looks after it
    POST /v1/findings/{finding_id}/note          something is to be known of it
    POST /v1/findings/{finding_id}/dismiss       it is intended, or not worth its mending
    POST /v1/findings/{finding_id}/restore       it counts again

They read and act through `ledger/findings.py`, as the command line does.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import psycopg
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from collector.asked import (
    NUMBER_MAX,
    PROBLEMS,
    ActRequest,
    Asking,
    Name,
    Note,
    NoteRequest,
    Number,
    Someone,
    When,
    refuse_unheard,
)
from collector.door import whose
from ledger import findings
from ledger.errors import LedgerError
from ledger.findings import Ground
from ledger.tenants import DEFAULT_TENANT

Status = Literal["open", "acknowledged", "dismissed", "resolved"]
FindingId = Annotated[int, Path(ge=1, le=NUMBER_MAX, description="The finding's number, within its tenant.")]
ModeName = Literal[
    "over_routing",
    "under_routing",
    "over_delegation",
    "under_verification",
    "serving_congestion",
    "stale_rollouts",
    "cache_misuse",
]


class TermAnswer(BaseModel):
    """One side or summand of the inequality, in USD a day; null: not known."""

    name: str
    usd_per_day: float | None
    low: float | None
    high: float | None


class ExampleAnswer(BaseModel):
    """A case to look at."""

    trace_id: str
    usd: float | None
    decision_id: UUID | None
    span_id: str | None


class DayAnswer(BaseModel):
    """What was lost on one day."""

    day: datetime
    usd: float
    low: float | None
    high: float | None


class EvidenceAnswer(BaseModel):
    """Why to believe it. `detail` is the mode's own."""

    terms: list[TermAnswer]
    weaknesses: list[str]
    examples: list[ExampleAnswer]
    days: list[DayAnswer]
    detail: dict[str, Any]


class FindingAnswer(BaseModel):
    """A finding as `ledger.findings` has it: what is lost, in USD a day with its 95 % interval, where, since when, what to do."""

    tenant: str
    finding_id: int
    mode: ModeName
    segment: str
    status: Status
    opened_at: datetime
    usd_per_day: Number
    low: Number
    high: Number
    sentence: str
    change: str
    evidence: EvidenceAnswer
    layer: Literal["demand", "action", "supply", "capital"]
    kind: str
    task_class: str | None
    agent: str | None
    subject: str
    band: str
    since: datetime
    until: datetime
    n: int
    tasks: int
    materiality_usd_per_day: Number
    inequality: str
    method: str
    seen_at: datetime
    looked_at: datetime
    quiet_since: datetime | None
    resolved_at: datetime | None
    resolution: Literal["right again", "gone"] | None
    former_finding_id: int | None
    alert_id: int | None
    dismissed_at: datetime | None
    dismissed_by: str | None
    dismissed_as: Ground | None
    dismissed_note: str | None
    dismissed_until: datetime | None
    dismissed_until_usd_per_day: Number | None
    unclear_since: datetime | None
    unclear_why: str | None


class FindingEventAnswer(BaseModel):
    """What happened to a finding; `who` is null when a look did it."""

    event_id: int
    at: datetime
    event: Literal["opened", "reopened", "grew", "acknowledged", "noted", "dismissed", "restored", "lapsed", "resolved"]
    who: str | None
    note: str | None
    usd_per_day: Number | None
    low: Number | None
    high: Number | None


class FindingsAnswer(BaseModel):
    """Findings, newest first; `next_before` goes on where these end."""

    findings: list[FindingAnswer]
    next_before: int | None


class FindingWithHistory(BaseModel):
    """A finding, and what happened to it in order."""

    finding: FindingAnswer
    events: list[FindingEventAnswer]


class DismissRequest(Someone):
    """Who leaves which loss as it is, why, and until when: for good unless `until` or `grown_by` says otherwise."""

    ground: Ground = Field(description="What it is.")
    note: Note = Field(description="Why.")
    until: When | None = Field(None, description="When it counts again.")
    grown_by: Decimal | None = Field(None, gt=1, le=1000, description="It counts again when it loses so many times as much.")


def finding_router(dsn: str, default_tenant: str = DEFAULT_TENANT) -> APIRouter:
    """The routes of findings over a database; they open their connections with the application and close them with it."""
    refusals: dict[type[LedgerError], int] = {findings.UnknownFinding: 404, findings.FindingError: 409}
    ask = Asking(dsn, application="pigou-findings", refusals=refusals, of_field=422)
    router = ask.router("/v1/findings", "findings")
    _add_reading(router, ask, default_tenant)

    async def done(finding_id: int, asked: ActRequest | NoteRequest, event: findings.Act) -> FindingWithHistory:
        tenant = whose(asked.tenant, default_tenant)

        def work(connection: psycopg.Connection) -> FindingWithHistory:
            findings.act(connection, finding_id, event, who=asked.who, note=asked.note, tenant=tenant)
            return _shown(connection, tenant, finding_id)

        return await ask(work)

    @router.post("/{finding_id}/acknowledge", responses=PROBLEMS)
    async def acknowledge_finding(finding_id: FindingId, asked: ActRequest) -> FindingWithHistory:
        """Say that somebody looks after it: it and its alert are not told again until it has grown to twice as much."""
        return await done(finding_id, asked, "acknowledged")

    @router.post("/{finding_id}/note", responses=PROBLEMS)
    async def note_finding(finding_id: FindingId, asked: NoteRequest) -> FindingWithHistory:
        """Note something of it, resolved or not; nothing else changes."""
        return await done(finding_id, asked, "noted")

    @router.post("/{finding_id}/dismiss", responses=PROBLEMS)
    async def dismiss_finding(finding_id: FindingId, asked: DismissRequest) -> FindingWithHistory:
        """Leave it as it is: it neither alerts nor counts, and its alert is resolved. Looks at it go on."""
        tenant = whose(asked.tenant, default_tenant)
        dismissal = findings.Dismissal(asked.ground, asked.until, asked.grown_by)

        def work(connection: psycopg.Connection) -> FindingWithHistory:
            findings.dismiss(connection, finding_id, dismissal, who=asked.who, note=asked.note, tenant=tenant)
            return _shown(connection, tenant, finding_id)

        return await ask(work)

    @router.post("/{finding_id}/restore", responses=PROBLEMS)
    async def restore_finding(finding_id: FindingId, asked: ActRequest) -> FindingWithHistory:
        """End its dismissal: it counts and alerts again."""
        tenant = whose(asked.tenant, default_tenant)

        def work(connection: psycopg.Connection) -> FindingWithHistory:
            findings.restore(connection, finding_id, who=asked.who, note=asked.note, tenant=tenant)
            return _shown(connection, tenant, finding_id)

        return await ask(work)

    return router


def _add_reading(router: APIRouter, ask: Asking, default_tenant: str) -> None:
    @router.get("", responses={404: {}, 503: {}})
    async def list_findings(
        tenant: Annotated[Name | None, Query(description="Whose.")] = None,
        status: Annotated[list[Status] | None, Query(description="Of these statuses; by default open and acknowledged.")] = None,
        mode: Annotated[ModeName | None, Query(description="Of this failure mode only.")] = None,
        before: Annotated[int | None, Query(ge=1, le=NUMBER_MAX, description="Older than the finding of this number.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> FindingsAnswer:
        """List a tenant's findings, newest first."""
        statuses: list[str] = [*status] if status else ["open", "acknowledged"]
        owner = whose(tenant, default_tenant)

        def work(connection: psycopg.Connection) -> FindingsAnswer:
            refuse_unheard(connection, owner, default_tenant)
            found = findings.list_findings(connection, owner, statuses=statuses, mode=mode, before=before, limit=limit)
            more = found[-1]["finding_id"] if len(found) == limit else None
            return FindingsAnswer(findings=[FindingAnswer(**row) for row in found], next_before=more)

        return await ask(work)

    @router.get("/{finding_id}", responses={404: {}, 503: {}})
    async def show_finding(
        finding_id: FindingId, tenant: Annotated[Name | None, Query(description="Whose.")] = None
    ) -> FindingWithHistory:
        """Show a finding and its history."""
        owner = whose(tenant, default_tenant)
        return await ask(lambda connection: _shown(connection, owner, finding_id))


def _shown(connection: psycopg.Connection, tenant: str, finding_id: int) -> FindingWithHistory:
    finding, events = findings.show_finding(connection, tenant, finding_id)
    return FindingWithHistory(finding=FindingAnswer(**finding), events=[FindingEventAnswer(**event) for event in events])
