"""What people do with alerts: acknowledge, mute and resolve them, and state when they open."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import psycopg
from psycopg.rows import dict_row

from ledger.errors import LedgerError
from ledger.post import open_tenants
from ledger.queries import queries

_SQL = queries("analyzers", "alerts")
_FOR_ALL = 0

Act: TypeAlias = Literal["acknowledged", "muted", "resolved"]


class AlertError(LedgerError):
    """An alert, or a rule of alerts, cannot be changed as asked."""


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
    """Acknowledge, mute (`until`) or resolve an alert, with who and why in its history; answers whose it is.

    Acknowledged and muted ones are not told again. What is resolved by hand and still wrong opens again, as another alert. Raises
    AlertError when there is no such alert, it is resolved, or it would be muted until a time that is over.
    """
    if event == "muted" and (until is None or until <= datetime.now(UTC)):
        raise AlertError("an alert is muted until a time to come", "name one, such as 2h or a later day")
    with connection.transaction():
        found = connection.execute(_SQL["find"], {"alert_id": alert_id, "tenant": tenant}).fetchall()
        if len(found) > 1:
            tenants = ", ".join(sorted(row[1] for row in found))
            raise AlertError(f"several tenants have an alert {alert_id}: {tenants}", "name the tenant")
        if not found:
            raise AlertError(f"there is no alert {alert_id}{f' of {tenant}' if tenant else ''}", "see `pigou alerts list --all`")
        tenant_id, owner, state = found[0]
        if state == "resolved":
            raise AlertError(f"alert {alert_id} of {owner} is resolved already", "see `pigou alerts show`")
        key = {"tenant_id": tenant_id, "alert_id": alert_id}
        muted_until = until if event == "muted" else None
        state = "acknowledged" if event == "acknowledged" else event
        connection.execute(_SQL["act"], {**key, "state": state, "muted_until": muted_until})
        connection.execute(_SQL["record_act"], {**key, "event": event, "who": who, "note": note})
    return owner


def set_rule(connection: psycopg.Connection, rule: str, tenant: str | None, source: str, **changes: Any) -> int:
    """State a rule's thresholds for a tenant, or for all: the fields of `state.Rule` that change, None for those that stay.

    Answers the revision. Raises AlertError on a rule that is not known, or thresholds that cannot hold.
    """
    with connection.transaction():
        connection.execute(_SQL["lock_rule"])
        tenant_id = open_tenants(connection, [tenant])[tenant] if tenant else _FOR_ALL
        with connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_SQL["rule_in_force"], {"tenant_id": tenant_id, "rule": rule}).fetchone()
        if row is None:
            raise AlertError(f"there is no rule {rule!r}", "see `pigou alerts rules`")
        row |= {name: value for name, value in changes.items() if value is not None}
        row |= {"tenant_id": tenant_id, "revision": row["revision"] + 1, "source": source}
        if row["close_at"] > row["open_at"]:
            raise AlertError(
                f"rule {rule} would close at {row['close_at']}, above where it opens ({row['open_at']})", "close at or below it"
            )
        try:
            connection.execute(_SQL["add_rule"], row)
        except psycopg.errors.CheckViolation as error:
            raise AlertError(
                f"rule {rule}: {error.diag.constraint_name}", "give numbers and times that are not negative"
            ) from error
    return row["revision"]
