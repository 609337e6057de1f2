"""What people do with findings: look, acknowledge, dismiss and note, and state from how many dollars a day on a loss is one."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal, TypeAlias

import msgspec
import psycopg

from ledger import alerts
from ledger.errors import LedgerError
from ledger.numbered import Numbered
from ledger.post import open_tenants
from ledger.queries import queries

_SQL = queries("ledger", "findings")
_MATERIAL_MAX_USD = 10**9
_FOR_ALL = 0

Act: TypeAlias = Literal["acknowledged", "noted"]
Ground: TypeAlias = Literal["intended", "not worth it"]


class FindingError(LedgerError):
    """A finding cannot be changed, or materiality cannot be stated, as asked."""


class UnknownFinding(FindingError):
    """There is no such finding."""


_FINDINGS = Numbered("a finding", _SQL, FindingError, UnknownFinding)


class Dismissal(msgspec.Struct, frozen=True):
    """Why a loss is to be left as it is, and until when: for good, until a time, until it is so many times as large."""

    ground: Ground
    until: datetime | None = None
    grown_by: Decimal | None = None

    def said(self, usd_per_day: Decimal) -> str:
        """What it says of a loss of so many dollars a day, in words."""
        limits = [f"until {self.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"] if self.until else []
        if self.grown_by is not None:
            limits.append(f"until it loses {_limit(usd_per_day, self.grown_by)} USD a day")
        return f"{self.ground}, {' or '.join(limits) or 'for good'}"


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


def dismiss(
    connection: psycopg.Connection, finding_id: int, dismissal: Dismissal, *, who: str, note: str, tenant: str | None = None
) -> str:
    """Leave a loss as it is, with who, why (`note`) and until when; answers whose it is.

    It is said of the finding's place, and holds for what is found there later. Its alert is resolved with it, and none opens
    while the dismissal holds; looks go on. Saying it again changes why and until when. Raises UnknownFinding; FindingError
    when it is resolved, no reason is given, or the dismissal would be over already.
    """
    if not note.strip():
        raise FindingError("a dismissal says why", "write the reason", "note")
    if dismissal.until is not None and dismissal.until <= datetime.now(UTC):
        raise FindingError("a finding is dismissed until a time to come", "name a later day", "until")
    if dismissal.grown_by is not None and not (dismissal.grown_by.is_finite() and dismissal.grown_by > 1):
        raise FindingError("a finding is dismissed until it has grown", "name a number above 1, such as 2", "grown_by")
    with connection.transaction():
        tenant_id, owner, status, alert_id = _FINDINGS.found(connection, finding_id, tenant)
        _FINDINGS.refuse_resolved(finding_id, owner, status, "history")
        if alert_id is not None:
            alerts.act(connection, alert_id, "resolved", who=who, note=f"the finding was dismissed: {note}"[:4000], tenant=owner)
        key = {"tenant_id": tenant_id, "finding_id": finding_id, "who": who}
        lost = connection.execute(_SQL["lost"], key).fetchone()
        usd_per_day = lost[0] if lost else Decimal(0)
        stated = {
            "ground": dismissal.ground,
            "until": dismissal.until,
            "until_usd_per_day": _limit(usd_per_day, dismissal.grown_by) if dismissal.grown_by is not None else None,
        }
        connection.execute(_SQL["add_dismissal"], {**key, **stated, "event": "dismissed", "note": note})
        said = f"{dismissal.said(usd_per_day)}: {note}"
        connection.execute(_SQL["record_act"], {**key, "event": "dismissed", "note": said})
    return owner


def restore(
    connection: psycopg.Connection, finding_id: int, *, who: str, note: str | None = None, tenant: str | None = None
) -> str:
    """End a dismissal: the finding counts and alerts again; answers whose it is.

    Raises UnknownFinding; FindingError when it is not dismissed.
    """
    with connection.transaction():
        tenant_id, owner, *_ = _FINDINGS.found(connection, finding_id, tenant)
        key = {"tenant_id": tenant_id, "finding_id": finding_id, "who": who, "note": note}
        nothing = {"ground": None, "until": None, "until_usd_per_day": None}
        if connection.execute(_SQL["is_dismissed"], key).fetchone() is None:
            raise FindingError(f"finding {finding_id} of {owner} is not dismissed", "see `pigou findings list --dismissed`")
        connection.execute(_SQL["add_dismissal"], {**key, **nothing, "event": "restored"})
        connection.execute(_SQL["record_act"], {**key, "event": "restored"})
    return owner


def set_materiality(connection: psycopg.Connection, usd_per_day: Decimal, tenant: str | None, source: str) -> int:
    """State from how many dollars a day on a loss is a finding, for a tenant or for all; answers the revision.

    Findings are held against it from the next detection on. Raises FindingError unless it is a number above 0.
    """
    if not usd_per_day.is_finite() or not 0 < usd_per_day <= _MATERIAL_MAX_USD:
        mend = f"state a number above 0, such as 0.50, and at most {_MATERIAL_MAX_USD:,}"
        raise FindingError(f"{usd_per_day} USD a day is not material", mend)
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


def _limit(usd_per_day: Decimal, grown_by: Decimal) -> Decimal:
    """The dollars a day from which on it has grown by so much; whole cents, one at least."""
    return max((usd_per_day * grown_by).quantize(Decimal("0.01"), ROUND_HALF_UP), Decimal("0.01"))
