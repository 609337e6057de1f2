"""Alerts, channels and deliveries as the tests of delivery make them."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg

from analyzers.delivery.message import Outcome
from analyzers.delivery.outbox import Outbox
from analyzers.delivery.send import send
from ledger.alerts import act
from ledger.channels import Channel, Severity, read_settings
from ledger.post import open_tenants
from ledger.stated_channels import state_channels
from tests.books import one, rows, run

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRONMENT = {"OPS_SECRET": SECRET, "EMPTY": ""}


def channel(
    name: str = "ops",
    *,
    tenant: str | None = None,
    rules: list[str] | None = None,
    tenants: list[str] | None = None,
    severity: Severity = "info",
    escalate_after: timedelta | None = None,
    group_for: timedelta = timedelta(0),
    give_up_after: timedelta = timedelta(days=3),
    **settings: Any,
) -> Channel:
    """A channel; a signed webhook to `url` unless `settings` say another kind."""
    if "kind" not in settings:
        settings |= {"kind": "webhook", "secret": "env:OPS_SECRET"}
    return Channel(
        name=name, tenant=tenant, settings=read_settings(settings), rules=rules, tenants=tenants, severity=severity,
        escalate_after=escalate_after, group_for=group_for, give_up_after=give_up_after,
    )  # fmt: skip


def state(connection: psycopg.Connection, *channels: Channel) -> None:
    """State channels."""
    state_channels(connection, channels, "test")


def open_alert(
    connection: psycopg.Connection,
    *,
    tenant: str = "acme",
    rule: str = "unpriced_share",
    subject: str = "calls",
    severity: str = "warning",
) -> int:
    """Open an alert as the clock does; answers its number."""
    with connection.transaction():
        tenant_id = open_tenants(connection, [tenant])[tenant]
        number = one(
            connection,
            "insert into pigou.alert (tenant_id, alert_id, rule, subject, state, opened_at, last_seen_at, notified_at,"
            " notifications, evaluations, value, threshold, message, mend, severity)"
            " select %s, coalesce(max(alert_id), 0) + 1, %s, %s, 'open', now(), now(), now(), 1, 3, 0.05, 0.02,"
            " 'three of sixty have no price', 'give one', %s from pigou.alert where tenant_id = %s returning alert_id",
            tenant_id, rule, subject, severity, tenant_id,
        )  # fmt: skip
        add_event(connection, number, "opened", tenant=tenant)
    return number


def add_event(connection: psycopg.Connection, alert_id: int, event: str, *, tenant: str = "acme", ago: str = "0") -> None:
    """What the clock notes of an alert, to be told."""
    run(
        connection,
        "insert into pigou.alert_event (tenant_id, alert_id, event_id, at, event, is_to_be_told)"
        " select t.tenant_id, %s, coalesce(max(e.event_id), 0) + 1, clock_timestamp() - %s::interval, %s, true"
        "   from pigou.tenant t left join pigou.alert_event e on e.tenant_id = t.tenant_id and e.alert_id = %s"
        "  where t.tenant = %s group by t.tenant_id",
        alert_id, ago, event, alert_id, tenant,
    )  # fmt: skip


def resolve(connection: psycopg.Connection, alert_id: int, tenant: str = "acme") -> None:
    """As a person does."""
    act(connection, alert_id, "resolved", who="ann", tenant=tenant, note="priced")


def deliver(
    connection: psycopg.Connection, environment: Mapping[str, str] = ENVIRONMENT, within_s: float = 10.0, at_most: int = 20
) -> list[Outcome]:
    """Send what is due, one message after the other; what came of each."""
    outbox = Outbox(taken_for_s=30)
    outcomes: list[Outcome] = []
    while len(outcomes) < at_most and (job := outbox.take(connection)) is not None:
        outcomes.append(asyncio.run(send(job.channel, job.message, environment, within_s)))
        outbox.settle(connection, job, outcomes[-1])
        if outcomes[-1].result != "sent":
            _forget_connections()
    return outcomes


def _forget_connections() -> None:
    """A connection that a time limit cut off is left to the garbage, which warns of it in whatever test looks for it next."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def hurry(owner: psycopg.Connection) -> None:
    """As if the time until the next attempt were over."""
    run(owner, "update pigou.channel_state set next_at = '-infinity', taken_until = null")
    run(owner, "update pigou.delivery_message set next_at = '-infinity' where state = 'waiting'")


def states(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Alert, event, channel and state of every delivery."""
    return rows(
        connection, "select alert_id, event, channel, state from ledger.deliveries order by tenant, alert_id, event_id, channel"
    )
