"""Weak matches: calls of one trace that look like copies of each other, kept so that no page has to search for them."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

import psycopg

from ledger.queries import queries

_SQL = queries("analyzers", "reconcile")
_MARK = "weak_matches_since"
_TRACES = 1000
"""Traces looked at in one statement: enough to be set-based, few enough to commit often."""


def find_weak_matches(connection: psycopg.Connection) -> int:
    """Look for weak matches in all traces that were posted to since the last run; answers how many traces that were.

    Restartable: the mark moves only after everything before it was looked at, and looking again changes nothing.
    """
    row = connection.execute(_SQL["since"], {"setting": _MARK}).fetchone()
    if row is None:
        raise RuntimeError("the database did not say what time it is")
    since, now = row
    traces = connection.execute(_SQL["traces_posted"], {"since": since}).fetchall()
    for tenant_id, group in groupby(traces, key=itemgetter(0)):
        trace_ids = [trace_id for _, trace_id in group]
        for first in range(0, len(trace_ids), _TRACES):
            connection.execute(
                _SQL["find_weak_matches"], {"tenant_id": tenant_id, "trace_ids": trace_ids[first : first + _TRACES]}
            )
    connection.execute(_SQL["mark"], {"setting": _MARK, "since": now})
    return len(traces)
