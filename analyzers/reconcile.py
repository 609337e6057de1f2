"""Control totals: what parents say their leaves used, against what was booked under them."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

import psycopg

from ledger.queries import queries

_SQL = queries("analyzers", "reconcile")
_MARK = "reconciled_since"
_TRACES = 300
"""Traces compared in one statement: enough to be set-based, few enough to commit often."""


def reconcile(connection: psycopg.Connection) -> int:
    """Compare the control totals of all traces touched since the last run; answers how many were compared.

    Restartable: the mark moves only after everything before it was compared, and comparing again changes nothing.
    """
    row = connection.execute(_SQL["since"], {"setting": _MARK}).fetchone()
    if row is None:
        raise RuntimeError("the database did not say what time it is")
    since, now = row
    compared = 0
    touched = connection.execute(_SQL["touched"], {"since": since}).fetchall()
    for tenant_id, traces in groupby(touched, key=itemgetter(0)):
        trace_ids = [trace_id for _, trace_id in traces]
        for first in range(0, len(trace_ids), _TRACES):
            parameters = {"tenant_id": tenant_id, "trace_ids": trace_ids[first : first + _TRACES]}
            compared += connection.execute(_SQL["reconcile"], parameters).rowcount
    connection.execute(_SQL["mark"], {"setting": _MARK, "since": now})
    return compared
