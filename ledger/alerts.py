"""What people do with alerts: look, acknowledge, mute, resolve and note, state when they open, and say when not to be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

import msgspec
import psycopg
from psycopg.rows import dict_row

from ledger.channels import duration
from ledger.errors import LedgerError
from ledger.numbered import Numbered
from ledger.post import open_tenants
from ledger.queries import queries

_SQL = queries("ledger", "alerts")
_FOR_ALL = 0

Act: TypeAlias = Literal["acknowledged", "muted", "resolved", "reopened", "noted"]


class AlertError(LedgerError):
    """An alert, or a rule of alerts, cannot be changed as asked."""


class UnknownAlert(AlertError):
    """There is no such alert."""


class UnknownMaintenance(AlertError):
    """There is no such maintenance that is not over."""


class UnknownRule(AlertError):
    """There is no such rule."""


_FIELDS = {  # what the constraints of `pigou.alert_rule` are about
    "alert_rule_growth_is_more": "grown_by",
    "alert_rule_counts_are_positive": "evidence_min",
    "alert_rule_times_are_not_negative": "renotify_every",
    "alert_rule_thresholds_are_numbers": "open_at",
}
_NUMBER_MAX = Decimal(10) ** 15
_ALERTS = Numbered("an alert", _SQL, AlertError, UnknownAlert)


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite() or abs(number) >= _NUMBER_MAX:
        raise ValueError(text)
    return number


_READ: dict[str, Callable[[str], Any]] = {
    "open_at": _finite, "close_at": _finite, "evidence_min": int, "open_for": duration, "close_for": duration,
    "stay_for": duration, "renotify_every": duration, "grown_by": _finite,
}  # fmt: skip


class Window(msgspec.Struct, frozen=True):
    """A time in which nothing is told: of a tenant or of all, of a rule or any, of a subject or any."""

    begins_at: datetime
    ends_at: datetime
    tenant: str | None = None
    rule: str | None = None
    subject: str | None = None


def act(
    connection: psycopg.Connection,
    alert_id: int,
    event: Act,
    *,
    who: str,
    note: str | None = None,
    tenant: str | None = None,
    until: datetime | None = None,
) -> str:
    """Acknowledge, mute (`until`), resolve, reopen or note something of an alert, with who and why in its history.

    Answers whose it is. Acknowledged and muted ones are not told again, until somebody reopens them. What is resolved by hand and
    still wrong opens again, as another alert. A note changes nothing else, and what is resolved can be noted too. Raises
    UnknownAlert; AlertError when it is resolved, it would be muted until a time that is over, it would be reopened and is open,
    or a note says nothing.
    """
    if event == "muted" and (until is None or until <= datetime.now(UTC)):
        raise AlertError("an alert is muted until a time to come", "name one, such as 2h or a later day")
    if event == "noted":
        _ALERTS.refuse_saying_nothing(note)
    with connection.transaction():
        tenant_id, owner, state = _ALERTS.found(connection, alert_id, tenant)
        key = {"tenant_id": tenant_id, "alert_id": alert_id}
        if event != "noted":
            _ALERTS.refuse_resolved(alert_id, owner, state, "show")
            if event == "reopened" and state == "open":
                raise AlertError(f"alert {alert_id} of {owner} is open", "nothing is to be done")
            state = "open" if event == "reopened" else event
            connection.execute(_SQL["act"], {**key, "state": state, "muted_until": until if event == "muted" else None})
        connection.execute(_SQL["record_act"], {**key, "event": event, "who": who, "note": note})
        if event in ("acknowledged", "reopened"):
            status = {"status": "acknowledged" if event == "acknowledged" else "open", "event": event}
            connection.execute(_SQL["act_on_finding"], {**key, **status, "who": who, "note": note})
    return owner


def set_rule(connection: psycopg.Connection, rule: str, tenant: str | None, source: str, **changes: Any) -> int:
    """State a rule's thresholds for a tenant, or for all: columns of `pigou.alert_rule`, None for those that stay.

    Answers the revision. Raises AlertError on a rule that is not known, or thresholds that cannot hold.
    """
    if all(value is None for value in changes.values()):
        raise AlertError(f"nothing of rule {rule} is to change", "say what")
    with connection.transaction():
        connection.execute(_SQL["lock_rule"])
        tenant_id = open_tenants(connection, [tenant])[tenant] if tenant else _FOR_ALL
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_SQL["rule_in_force"], {"tenant_id": tenant_id, "rule": rule}).fetchone()
        if row is None:
            raise _unknown_rule(rule)
        row |= {name: value for name, value in changes.items() if value is not None}
        row |= {"tenant_id": tenant_id, "revision": row["revision"] + 1, "source": source, "is_withdrawn": False}
        if row["close_at"] > row["open_at"]:
            raise AlertError(
                f"rule {rule} would close at {row['close_at']}, above where it opens ({row['open_at']})",
                "close at or below it",
                "close_at",
            )
        try:
            connection.execute(_SQL["add_rule"], row)
        except psycopg.errors.CheckViolation as error:
            raise AlertError(
                f"rule {rule}: {error.diag.constraint_name}",
                "give numbers and times that are not negative, and a growth above 1",
                _FIELDS.get(str(error.diag.constraint_name)),
            ) from error
    return row["revision"]


def read_rule_changes(texts: Mapping[str, str]) -> dict[str, Any]:
    """What `set_rule` takes, from texts as people write them. Raises AlertError, which names the field."""
    changes: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            changes[name] = _READ[name](text)
        except (ValueError, InvalidOperation):
            read = _READ[name]
            what = "whole number" if read is int else "number"
            if read is duration:
                what = "length of time; write 90s, 30m, 4h or 2d"
            raise AlertError(f"{text!r} is no {what}", field=name) from None
    return changes


def list_rules(connection: psycopg.Connection, tenant: str | None) -> list[dict[str, Any]]:
    """The thresholds in force, as `ledger.alert_rules` has them: those for all with a tenant's own, or everybody's own."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["list_rules"], {"tenant": tenant}).fetchall()


def withdraw_rule(connection: psycopg.Connection, rule: str, tenant: str, source: str) -> int:
    """Take back a tenant's own thresholds: those for all hold for it again; answers the revision.

    Raises AlertError when it has none of its own. What is for all cannot be taken back; it can be switched off.
    """
    with connection.transaction():
        connection.execute(_SQL["lock_rule"])
        found = connection.execute(_SQL["tenant_id"], {"tenant": tenant}).fetchone()
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_SQL["rule_in_force"], {"tenant_id": found[0], "rule": rule}).fetchone() if found else None
        if found is None or row is None or row["of_tenant_id"] == _FOR_ALL:
            raise AlertError(f"{tenant} has no thresholds of its own for rule {rule!r}", "see `pigou alerts rules`")
        row |= {"tenant_id": found[0], "revision": row["revision"] + 1, "source": source, "is_withdrawn": True}
        connection.execute(_SQL["add_rule"], row)
    return row["revision"]


def list_alerts(
    connection: psycopg.Connection, tenant: str, *, states: list[str], rule: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """A tenant's alerts in one of the states, newest first, as `ledger.alerts` has them; `before` goes on from a number."""
    return _ALERTS.listed(connection, tenant=tenant, states=states, rule=rule, before=before, limit=limit)


def show_alert(connection: psycopg.Connection, tenant: str, alert_id: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An alert and its history. Raises UnknownAlert."""
    return _ALERTS.shown(connection, tenant, alert_id)


def plan_maintenance(connection: psycopg.Connection, window: Window, *, who: str, note: str | None = None) -> int:
    """Plan a time in which nothing is told; answers its number. Raises AlertError on one that is over or upside down."""
    if window.ends_at <= max(window.begins_at, datetime.now(UTC)):
        raise AlertError("maintenance ends after it begins, and in the time to come", "name a later end")
    with connection.transaction():
        connection.execute(_SQL["lock_maintenance"])
        tenant_id = open_tenants(connection, [window.tenant])[window.tenant] if window.tenant else _FOR_ALL
        if window.rule is not None:
            known = connection.execute(_SQL["rule_in_force"], {"tenant_id": tenant_id, "rule": window.rule}).fetchone()
            if known is None:
                raise _unknown_rule(window.rule)
        row = {**msgspec.structs.asdict(window), "tenant_id": tenant_id, "who": who, "note": note}
        planned = connection.execute(_SQL["plan_maintenance"], row).fetchone()
    if planned is None:
        raise RuntimeError("the database did not number the maintenance")
    return planned[0]


def list_maintenance(connection: psycopg.Connection, tenant: str | None) -> list[dict[str, Any]]:
    """What is planned and goes on, as `ledger.maintenance` has it: everybody's, or what is of a tenant's alerts."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["list_maintenance"], {"tenant": tenant}).fetchall()


def end_maintenance(connection: psycopg.Connection, number: int, tenant: str | None, *, who: str) -> None:
    """End a maintenance early. Raises UnknownMaintenance when there is none of that number that goes on or is to come."""
    ended = connection.execute(_SQL["end_maintenance"], {"number": number, "tenant": tenant, "who": who})
    if ended.rowcount == 0:
        whose = f"of {tenant}" if tenant else "of all tenants"
        raise UnknownMaintenance(f"there is no maintenance {number} {whose} that is not over", "see `pigou maintenance list`")


def _unknown_rule(rule: str) -> UnknownRule:
    return UnknownRule(f"there is no rule {rule!r}", "see `pigou alerts rules`", "rule")
