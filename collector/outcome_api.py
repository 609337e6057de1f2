"""Outcomes over HTTP: whoever knows how a task went says so, when it is known.

    POST /v1/outcomes      200 all of them are taken; 422 some are refused, the others are taken

A trace, response or conversation that nobody has reported yet is accepted, and its outcome used once it comes. Sending again is
harmless: each outcome has a key of the caller's. The requests run in threads over a few connections of their own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, cast

import anyio.to_thread
import psycopg
from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from collector.asked import NewTenant, Share, When, refuse_slips
from collector.bounded_route import bounded_route, while_serving
from collector.door import whose
from collector.faults import HEX_16, HEX_32, NO_NUL, faults
from ledger.errors import DatabaseUnavailable, UnknownTenant
from ledger.outcomes import AHEAD_MAX, LATE, LOSS_MAX_USD, Outcome, Subject, share, tell
from ledger.pool import Connections
from ledger.tenants import DEFAULT_TENANT, said_of_new

_BODY_LIMIT_BYTES = 1024 * 1024
_OUTCOMES_MAX = 1_000
Name = Annotated[str, Field(pattern=NO_NUL, max_length=200)]


class ToldOutcome(BaseModel):
    """How one task went: its quality, a loss that it caused, or both; of a trace, a response or a conversation."""

    model_config = ConfigDict(extra="forbid")

    key: Name = Field(description="Given by the caller; the same key is the same outcome.")
    trace_id: str | None = Field(None, pattern=HEX_32, description="The task's trace, in hexadecimal.")
    span_id: str | None = Field(None, pattern=HEX_16, description="A step of it, if it is not of the whole.")
    response_id: Name | None = Field(None, description="Instead of a trace: the id of one of its model responses.")
    conversation_id: Name | None = Field(None, description="Instead of a trace: its conversation or session.")
    quality: Share | None = Field(None, description="From 0, worthless, to 1, all it could be.")
    loss_usd: Decimal | None = Field(None, ge=0, lt=LOSS_MAX_USD, decimal_places=12, description="What it cost somebody, in USD.")
    name: Name = Field("feedback", description="What was measured.")
    occurred_at: When | None = Field(None, description="When it was known, not in the future; now by default.")
    note: str | None = Field(None, pattern=NO_NUL, max_length=2_000, description="Kept beside it.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if len([one for one in (self.trace_id, self.response_id, self.conversation_id) if one is not None]) != 1:
            raise ValueError("name one of trace_id, response_id and conversation_id")
        if self.span_id is not None and self.trace_id is None:
            raise ValueError("a span_id needs its trace_id")
        for name, digits in (("trace_id", self.trace_id), ("span_id", self.span_id)):
            if digits is not None and not digits.strip("0"):
                raise ValueError(f"{name} holds zeros only, which is no id (W3C): send that of the task's own records")
        if self.quality is None and self.loss_usd is None:
            raise ValueError("say quality, loss_usd, or both")
        if self.occurred_at is not None and self.occurred_at > datetime.now(UTC) + AHEAD_MAX:
            raise ValueError(f"occurred_at {self.occurred_at.isoformat()} lies in the future; say when this was known")
        return self


class OutcomesRequest(BaseModel):
    """Some outcomes of one tenant's tasks."""

    model_config = ConfigDict(extra="forbid")

    tenant: str | None = Field(None, pattern=NO_NUL, max_length=200, description="Whose tasks they are.")
    new_tenant: NewTenant = False
    # What is no outcome is taken as it is, so that it can be refused alone.
    outcomes: list[ToldOutcome | Any] = Field(min_length=1, max_length=_OUTCOMES_MAX)


class OutcomeAnswer(BaseModel):
    """What became of one outcome.

    taken: it is written down, and its task settled again, unless `why` says otherwise; waiting: until its response or
    conversation is reported; known: told before; refused: see `why`.
    """

    index: int
    key: str | None
    status: Literal["taken", "waiting", "known", "refused"]
    why: str | None = None


class OutcomesAnswer(BaseModel):
    """What became of each, in the order in which they were sent."""

    tenant: str
    refused: int
    outcomes: list[OutcomeAnswer]
    why: str | None = Field(None, description="What is to be known of the whole, such as that nobody had heard of the tenant.")


def outcome_router(dsn: str, default_tenant: str = DEFAULT_TENANT) -> APIRouter:
    """The route over a database; it opens its connections with the application and closes them with it."""
    connections = Connections(dsn, "writer", application="pigou-outcomes")
    slots = anyio.CapacityLimiter(4)

    router = APIRouter(
        prefix="/v1/outcomes",
        tags=["outcomes"],
        lifespan=while_serving(connections),
        route_class=bounded_route(_BODY_LIMIT_BYTES),
    )
    problems: dict[int | str, dict[str, Any]] = {404: {}, 422: {"model": OutcomesAnswer}, 503: {}}

    @router.post("", responses=problems)
    async def outcomes(asked: OutcomesRequest, response: Response) -> OutcomesAnswer:
        """Say how tasks went."""
        tenant = whose(asked.tenant, default_tenant)

        def write() -> OutcomesAnswer:
            try:
                with connections.connection() as connection:
                    refuse_slips(connection, [tenant], default_tenant, is_meant=asked.new_tenant)
                    return _told(connection, tenant, asked.outcomes)
            except UnknownTenant as error:
                raise HTTPException(404, str(error)) from error
            except DatabaseUnavailable as error:
                raise HTTPException(503, str(error), {"Retry-After": "1"}) from error

        answer = await anyio.to_thread.run_sync(write, limiter=slots)
        response.status_code = 422 if answer.refused else 200
        return answer

    return router


def _told(connection: psycopg.Connection, tenant: str, items: list[Any]) -> OutcomesAnswer:
    read = [_read(index, item) for index, item in enumerate(items)]
    good = [(index, item) for index, item in enumerate(read) if isinstance(item, ToldOutcome)]
    answers = {answer.index: answer for answer in read if isinstance(answer, OutcomeAnswer)}
    new = said_of_new(connection, tenant) if good else None
    told = tell(connection, tenant, [_outcome(item) for _, item in good]) if good else []
    for (index, item), status in zip(good, told, strict=True):
        if status == "conflict":
            other = "its key was used for another outcome before, which stands; use a new key for a new outcome"
            answers[index] = OutcomeAnswer(index=index, key=item.key, status="refused", why=other)
        elif status == "late":
            answers[index] = OutcomeAnswer(index=index, key=item.key, status="taken", why=LATE)
        else:
            answers[index] = OutcomeAnswer(index=index, key=item.key, status=status)
    ordered = [answers[index] for index in range(len(items))]
    return OutcomesAnswer(tenant=tenant, refused=sum(answer.status == "refused" for answer in ordered), outcomes=ordered, why=new)


def _read(index: int, item: object) -> ToldOutcome | OutcomeAnswer:
    """The outcome, or why it is none."""
    try:
        return ToldOutcome.model_validate(item)
    except ValidationError as error:
        why = faults(error.errors(), ToldOutcome)
        key = cast("dict[str, Any]", item).get("key") if isinstance(item, dict) else None
        shown = key.encode("utf-8", "replace").decode() if isinstance(key, str) else None  # it may hold half a character
        return OutcomeAnswer(index=index, key=shown, status="refused", why=why)


def _outcome(item: ToldOutcome) -> Outcome:
    subject: Subject = "trace" if item.trace_id else "response" if item.response_id else "conversation"
    subject_id = item.trace_id.lower() if item.trace_id else item.response_id or item.conversation_id or ""
    return Outcome(
        "feedback", item.key, subject, subject_id, bytes.fromhex(item.span_id) if item.span_id else None, item.name,
        None if item.quality is None else share(item.quality),
        item.loss_usd, item.occurred_at or datetime.now(UTC), {"note": item.note} if item.note else {},
        is_dated=item.occurred_at is not None,
    )  # fmt: skip
