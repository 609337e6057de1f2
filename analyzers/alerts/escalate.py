"""Escalation: what nobody has acknowledged for a while is told to those who wait for that."""

from __future__ import annotations

from datetime import datetime

import psycopg

from ledger.queries import queries

_SQL = queries("analyzers", "delivery")


def escalate(connection: psycopg.Connection, now: datetime | None = None) -> int:
    """Note which open alerts escalate; their deliveries are made with it. Answers how many. `now` stands for the clock."""
    with connection.transaction():
        # Held first, looked at then: who acts on an alert meanwhile is seen.
        if not connection.execute(_SQL["lock_open_alerts"]).fetchall():
            return 0
        row = connection.execute("select coalesce(%s, clock_timestamp())", [now]).fetchone()
        return connection.execute(_SQL["escalate"], {"now": row and row[0]}).rowcount
