"""What people do with findings: look, acknowledge and note, and state from how many dollars a day on a loss is one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, TypeAlias

import psycopg

from ledger import alerts
from ledger.errors import LedgerError
from ledger.numbered import Numbered
from ledger.post import open_tenants
from ledger.queries import queries

_SQL = queries("ledger", "findings")
_FOR_ALL = 0

Act: TypeAlias = Literal["acknowledged", "noted"]


class FindingError(LedgerError):
    """A finding cannot be changed, or materiality cannot be stated, as asked."""


class UnknownFinding(FindingError):
    """There is no such finding."""


_FINDINGS = Numbered("a finding", _SQL, FindingError, UnknownFinding)


def act(
    connection: psycopg.Connection, finding_id: int, event: Act, *, who: str, note: str | None = None, tenant: str | None = None
) -> str:
    """Acknowledge or note something of a finding, with who and why in its history; answers whose it is.

    The alert that tells of it is acknowledged with it, and the other way round; what has grown is told again nevertheless. A
    note changes nothing else, and what is resolved can be noted too. Raises UnknownFinding; FindingError when it is resolved, or
    a note says nothing.
    """
    if event == "noted":
        _FINDINGS.refuse_saying_nothing(note)
    with connection.transaction():
        tenant_id, owner, status, alert_id = _FINDINGS.found(connection, finding_id, tenant)
        key = {"tenant_id": tenant_id, "finding_id": finding_id}
        if event == "acknowledged":
            _FINDINGS.refuse_resolved(finding_id, owner, status, "history")
            if alert_id is not None:
                alerts.act(connection, alert_id, event, who=who, note=note, tenant=owner)
                if status == "open":  # the alert acknowledges its finding, with who and why
                    return owner
            connection.execute(_SQL["acknowledge"], key)
        connection.execute(_SQL["record_act"], {**key, "event": event, "who": who, "note": note})
    return owner


def set_materiality(connection: psycopg.Connection, usd_per_day: Decimal, tenant: str | None, source: str) -> int:
    """State from how many dollars a day on a loss is a finding, for a tenant or for all; answers the revision.

    Findings are held against it from the next detection on. Raises FindingError unless it is a number above 0.
    """
    if not usd_per_day.is_finite() or usd_per_day <= 0:
        raise FindingError(f"{usd_per_day} USD a day is not material", "state a number above 0, such as 0.50")
    with connection.transaction():
        connection.execute(_SQL["lock_materiality"])
        tenant_id = open_tenants(connection, [tenant])[tenant] if tenant else _FOR_ALL
        row = {"tenant_id": tenant_id, "usd_per_day": usd_per_day, "source": source}
        stated = connection.execute(_SQL["add_materiality"], row).fetchone()
    if stated is None:
        raise RuntimeError("the database did not number the revision")
    return stated[0]


def list_findings(
    connection: psycopg.Connection, tenant: str, *, statuses: list[str], mode: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """A tenant's findings of one of the statuses, newest first, as `ledger.findings` has them; `before` goes on from a number."""
    return _FINDINGS.listed(connection, tenant=tenant, statuses=statuses, mode=mode, before=before, limit=limit)


def show_finding(connection: psycopg.Connection, tenant: str, finding_id: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A finding and its history. Raises UnknownFinding."""
    return _FINDINGS.shown(connection, tenant, finding_id)


def owner_of(connection: psycopg.Connection, finding_id: int, tenant: str | None) -> str:
    """Whose finding of that number it is. Raises UnknownFinding; FindingError when several tenants have one of it."""
    return _FINDINGS.found(connection, finding_id, tenant, "owners")[1]
