"""Control totals: what parents say their leaves used, against what was booked under them."""

from __future__ import annotations

import psycopg

from ledger.queries import queries

_SQL = queries("analyzers", "reconcile")


def reconcile(connection: psycopg.Connection) -> int:
    """Compare the control totals of all traces touched since the last run; answers how many were compared.

    Restartable: an interrupted run leaves its mark where it was.
    """
    with connection.transaction():
        row = connection.execute(_SQL["since"]).fetchone()
        if row is None:
            raise RuntimeError("the database did not say what time it is")
        since, now = row
        compared = connection.execute(_SQL["reconcile"], {"since": since}).rowcount
        connection.execute(_SQL["mark"], {"since": now})
    return compared
