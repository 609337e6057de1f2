"""Rules of alerts over HTTP: from which value on something is wrong, for all tenants and for one.

    GET  /v1/rules                  the thresholds in force
    POST /v1/rules/{rule}           change them, for all or for a tenant: a further revision
    POST /v1/rules/{rule}/withdraw  take back a tenant's own

They go through `ledger/alerts.py`, as the command line does.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

import psycopg
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from collector.asked import PROBLEMS, Asking, Name, NewTenant, Number, refuse_slips, refuse_unheard
from collector.door import whose
from collector.faults import NO_NUL
from ledger import alerts
from ledger.tenants import DEFAULT_TENANT

RuleName = Annotated[str, Path(pattern=NO_NUL, max_length=200, description="The rule, as the list has it.")]
Text = Annotated[str, Field(pattern=NO_NUL, max_length=100)]
Severity = Literal["info", "warning", "critical"]


class RuleAnswer(BaseModel):
    """Thresholds in force, as `ledger.alert_rules` has them; `tenant` null: for all who have none of their own."""

    tenant: str | None
    rule: str
    revision: int
    is_on: bool
    severity: Severity
    open_at: Number
    close_at: Number
    evidence_min: int
    open_evaluations: int
    open_for: timedelta
    close_evaluations: int
    close_for: timedelta
    stay_for: timedelta
    renotify_every: timedelta
    grown_by: Number | None
    source: str
    recorded_at: datetime


class RulesAnswer(BaseModel):
    """Thresholds by rule, those for all first."""

    rules: list[RuleAnswer]


class WithdrawRequest(BaseModel):
    """Who takes back whose own thresholds."""

    model_config = ConfigDict(extra="forbid")

    who: Name = Field(description="Who does it; kept as the source of the revision.")
    tenant: Name = Field(description="Whose.")


class RuleRequest(BaseModel):
    """What changes; what is null or left out stays. Numbers and lengths of time are texts, as the commands take them."""

    model_config = ConfigDict(extra="forbid")

    who: Name = Field(description="Who does it; kept as the source of the revision.")
    tenant: Name | None = Field(None, description="For whom; null: for all who have none of their own.")
    new_tenant: NewTenant = False
    is_on: bool | None = Field(None, description="Whether it alerts at all.")
    severity: Severity | None = Field(None, description="How grave it is.")
    open_at: Text | None = Field(None, description="A value from here on is wrong.")
    close_at: Text | None = Field(None, description="A value below this is right again.")
    evidence_min: Text | None = Field(None, description="How much must have been looked at.")
    open_for: Text | None = Field(None, description="How long it must be wrong: 90s, 30m, 4h, 2d.")
    close_for: Text | None = Field(None, description="How long it must be right.")
    stay_for: Text | None = Field(None, description="How long an alert stays at least.")
    renotify_every: Text | None = Field(None, description="How often an open alert is told again.")
    grown_by: Text | None = Field(None, description="Told again when it is so many times what was last told.")


_TEXTS = ("open_at", "close_at", "evidence_min", "open_for", "close_for", "stay_for", "renotify_every", "grown_by")


def rule_router(dsn: str, default_tenant: str = DEFAULT_TENANT) -> APIRouter:
    """The routes of rules over a database."""
    ask = Asking(dsn, application="pigou-rules", refusals={alerts.UnknownRule: 404, alerts.AlertError: 409}, of_field=422)
    router = ask.router("/v1/rules", "rules")

    def listed(connection: psycopg.Connection, tenant: str | None = None) -> RulesAnswer:
        found = alerts.list_rules(connection, tenant)
        return RulesAnswer(rules=[RuleAnswer(**row) for row in found])

    @router.get("", responses={404: {}, 503: {}})
    async def list_rules(
        tenant: Annotated[Name | None, Query(description="With this tenant's own; by default everybody's own.")] = None,
    ) -> RulesAnswer:
        """List the thresholds in force."""
        owner = whose(tenant, None)

        def work(connection: psycopg.Connection) -> RulesAnswer:
            refuse_unheard(connection, owner, default_tenant)
            return listed(connection, owner)

        return await ask(work)

    @router.post("/{rule}", responses=PROBLEMS)
    async def change_rule(rule: RuleName, asked: RuleRequest) -> RulesAnswer:
        """Change a rule for a tenant, or for all: a further revision. Answers what is in force."""
        owner = whose(asked.tenant, None)

        def work(connection: psycopg.Connection) -> RulesAnswer:
            refuse_slips(connection, [owner], default_tenant, is_meant=asked.new_tenant)
            texts = {name: text for name in _TEXTS if (text := getattr(asked, name)) is not None}
            changes = alerts.read_rule_changes(texts)
            source = f"{asked.who}, over HTTP"
            alerts.set_rule(connection, rule, owner, source, **changes, is_on=asked.is_on, severity=asked.severity)
            return listed(connection, owner)

        return await ask(work)

    @router.post("/{rule}/withdraw", responses=PROBLEMS)
    async def withdraw_rule(rule: RuleName, asked: WithdrawRequest) -> RulesAnswer:
        """Take back a tenant's own thresholds: those for all hold for it again."""
        owner = whose(asked.tenant, asked.tenant)

        def work(connection: psycopg.Connection) -> RulesAnswer:
            alerts.withdraw_rule(connection, rule, owner, f"{asked.who}, over HTTP")
            return listed(connection, owner)

        return await ask(work)

    return router
