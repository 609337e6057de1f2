"""One evaluation of all rules that are due: observe, step each subject, write what became of it. One transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg.rows import dict_row

from analyzers.alerts.state import Alert, Event, Pending, Rule, Seen, Standing, step
from ledger.queries import queries

_SQL = queries("analyzers", "alerts")
_OBSERVE = queries("analyzers", "alert_rules")

# How often each rule's statement runs at most. The trial balance reads every balance, anomalies five weeks of hours.
_EVERY_S = {
    "budget_overrun": 10,
    "budget_pace": 60,
    "unpriced_share": 15,
    "suspense_share": 15,
    "control_difference": 15,
    "ingest_silence": 15,
    "books_check": 300,
    "delivery": 30,
    "misallocation": 5,
    "autonomy_breach": 30,
    "spend_anomaly": 300,
}


class Key(NamedTuple):
    """What an alert is about: of one key at most one alert is not resolved."""

    tenant_id: int
    rule: str
    subject: str


class Evaluated(msgspec.Struct, frozen=True):
    """What one evaluation did: rules that were due, subjects looked at, and alerts opened and resolved."""

    rules: int
    subjects: int
    opened: int
    resolved: int


class _Change(NamedTuple):
    key: Key
    standing: Standing
    event: Event | None


def evaluate(connection: psycopg.Connection, now: datetime | None = None) -> Evaluated:
    """Look at everything that is due and keep its alerts. `now` stands for the clock in simulations.

    Restartable and safe beside another: one evaluates at a time, and what is not committed did not happen.
    """
    with connection.transaction():
        at = _begin(connection, now)
        connection.execute(_SQL["note_arrivals"], {"now": at})
        due = [row[0] for row in connection.execute(_SQL["due"], {"now": at, **_due_parameters()}).fetchall()]
        if not due:
            return Evaluated(0, 0, 0, 0)
        if "autonomy_breach" in due:
            connection.execute(_SQL["note_breaches"], {"now": at})
        if "books_check" in due:  # as seldom as that
            connection.execute(_SQL["forget_arrivals"], {"now": at})
        rules = _rules(connection, due)
        seen = {key: look for rule in due for key, look in _observe(connection, rule, at)}
        standing = _standing(connection, due)
        changes = [
            _Change(key, *step(standing.get(key), seen.get(key), rule, at))
            for key in sorted(seen.keys() | standing.keys())
            if (rule := rules.get((key.tenant_id, key.rule))) is not None
        ]
        _write(connection, changes, standing)
        connection.execute(_SQL["mark"], {"now": at, "rules": due})
    happened = [change.event.event for change in changes if change.event]
    return Evaluated(len(due), len(seen), happened.count("opened"), happened.count("resolved"))


def _begin(connection: psycopg.Connection, now: datetime | None) -> datetime:
    row = connection.execute(_SQL["begin"]).fetchone()
    if row is None:
        raise RuntimeError("the database did not say what time it is")
    return now or row[0]


def _due_parameters() -> dict[str, Any]:
    return {"rules": list(_EVERY_S), "every_s": list(_EVERY_S.values())}


def _rules(connection: psycopg.Connection, due: list[str]) -> dict[tuple[int, str], Rule]:
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_SQL["rules"], {"rules": due}).fetchall()
    return {(row.pop("tenant_id"), row["rule"]): Rule(**row) for row in found}


def _observe(connection: psycopg.Connection, rule: str, now: datetime) -> Iterable[tuple[Key, Seen]]:
    for tenant_id, subject, *seen in connection.execute(_OBSERVE[rule], {"now": now}):
        yield Key(tenant_id, rule, subject), Seen(*seen)


def _standing(connection: psycopg.Connection, due: list[str]) -> dict[Key, Standing]:
    """What is pending and what is open, held against people who act on it at the same time."""
    standing: dict[Key, Standing] = {}
    for tenant_id, rule, subject, since, evaluations in connection.execute(_SQL["pending"], {"rules": due}):
        standing[Key(tenant_id, rule, subject)] = Pending(since, evaluations)
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_SQL["unresolved"], {"rules": due}):
            key = Key(row.pop("tenant_id"), row.pop("rule"), row.pop("subject"))
            standing[key] = Alert(**row)
    return standing


def _write(connection: psycopg.Connection, changes: list[_Change], before: dict[Key, Standing]) -> None:
    pending = [_row(change) for change in changes if isinstance(change.standing, Pending)]
    no_longer = [
        change.key._asdict()
        for change in changes
        if isinstance(before.get(change.key), Pending) and not isinstance(change.standing, Pending)
    ]
    alerts = [change for change in changes if isinstance(change.standing, Alert)]
    opened = [_row(change) for change in alerts if isinstance(change.standing, Alert) and change.standing.alert_id is None]
    known = [_row(change) for change in alerts if isinstance(change.standing, Alert) and change.standing.alert_id is not None]
    told = [row for row in known if row["event"] is not None]
    for query, rows in (
        ("keep_pending", pending),
        ("drop_pending", no_longer),
        ("keep_alerts", known),
        ("add_events", told),
        ("open_alerts", opened),
    ):
        if rows:
            connection.execute(_SQL[query], {"rows": msgspec.json.encode(rows).decode()})


def _row(change: _Change) -> dict[str, Any]:
    """A change as the columns of what is written."""
    event = msgspec.structs.asdict(change.event) if change.event else {"event": None}
    standing = msgspec.structs.asdict(change.standing) if change.standing else {}
    at = standing.get("resolved_at") or standing.get("notified_at")
    return {**change.key._asdict(), **standing, **event, "at": at}
