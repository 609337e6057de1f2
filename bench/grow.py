"""Books that grow: what a collector and the analyzers made of one load, copied within the database as if it had come before.

Calls with their records, entries, transfers and balances; of each trace a task and two decisions, appraised; looks and findings
of every mode. (Left out of the copies: records' attributes, and the shadow book's entries of tasks.) Sums are kept by the
database's own triggers while copies are written.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg

from analyzers.appraise import BEGINNING, END, attribute
from analyzers.detect import detect
from ledger.database import connect
from ledger.queries import queries

DAYS = 90
_SQL = queries("bench", "scale")
_SEEDED = "select max(started_at) - interval '2 hours' from pigou.call"


class Held(NamedTuple):
    """How much the books hold."""

    calls: int
    tasks: int
    decisions: int
    findings: int
    bytes_on_disk: int


def held(dsn: str) -> Held:
    """Count what is there."""
    with connect(dsn, "owner") as owner:
        calls, tasks, decisions, findings = (
            number(owner, f"select count(*) from pigou.{table}") for table in ("call", "task", "decision", "finding")
        )
        return Held(calls, tasks, decisions, findings, number(owner, "select pg_database_size(current_database())"))


def decide(dsn: str) -> None:
    """Tasks and decisions of the load that is there, appraised, and what every mode finds of them."""
    with connect(dsn, "owner") as owner:
        since = _one(owner, _SEEDED)
        owner.execute("select setseed(0.5)")
        for tenant_id in _tenants(owner):
            of = {"tenant_id": tenant_id, "since": since}
            owner.execute(_SQL["make_tasks"], of)
            owner.execute(_SQL["make_decisions"], of)
        owner.execute("vacuum analyze")
    with connect(dsn, "writer") as writer:
        done = attribute(writer, BEGINNING, END, 0, lambda _step, _done, _total: None)
        found = detect(writer)
    said(f"{done.appraised:,} decisions are appraised, {found.opened:,} findings of {found.places:,} places")


def grow(dsn: str, calls: int, until: float) -> bool:
    """Copy what the books hold, over the days before, until they hold so many calls.

    `until` is when to stop in any case, by `time.monotonic`. Answers whether as many are there as were wanted.
    """
    with connect(dsn, "owner") as owner:
        tenants, since = _tenants(owner), _one(owner, _SEEDED)
        made = number(owner, f"select count(*) from pigou.call where started_at >= ({_SEEDED})")
        copied = number(owner, "select coalesce(max(value::int), 0) from pigou.setting where setting = 'bench_copies'")
        wanted = max(0, -(-(calls - number(owner, "select count(*) from pigou.call")) // made))
        for month in range(5):
            owner.execute("select pigou.ensure_month((now() - make_interval(months => %s))::date)", (month,))
        owner.execute(
            "insert into pigou.setting (setting, value) values ('bench_copies', %s)"
            " on conflict (setting) do update set value = excluded.value",
            (str(copied + wanted),),
        )
    began, step, written = time.monotonic(), timedelta(days=DAYS) / max(1, wanted), [0]

    def copy(tenant_id: int) -> int:
        with connect(dsn, "owner") as connection:
            for copies in range(1, wanted + 1):
                if time.monotonic() > until:
                    return copies - 1
                back = timedelta(hours=3) + step * copies
                _copy(connection, {"tenant_id": tenant_id, "copy": copied + copies, "back": back, "since": since})
                written[0] += 1
                if written[0] % max(1, wanted * len(tenants) // 10) == 0:
                    part = written[0] / (wanted * len(tenants))
                    said(f"  {part:.0%} copied after {time.monotonic() - began:.0f} s")
        return wanted

    with ThreadPoolExecutor(2) as pool:
        copies = list(pool.map(copy, tenants))
    with connect(dsn, "owner") as owner:
        owner.execute("vacuum (analyze, parallel 2)")
    said(f"  vacuumed after {time.monotonic() - began:.0f} s")
    return min(copies, default=0) == wanted


def _copy(connection: psycopg.Connection, of: dict[str, object]) -> None:
    """One copy of a tenant's, each table in a transaction of its own."""
    for name in ("clone_calls", "clone_tasks", "clone_decisions", "clone_appraisals", "clone_findings"):
        connection.execute(_SQL[name], of)


def number(connection: psycopg.Connection, query: str) -> int:
    """The one number that a query answers."""
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def said(line: str) -> None:
    """Tell how it goes, at once."""
    sys.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {line}\n")
    sys.stdout.flush()


def _tenants(connection: psycopg.Connection) -> list[int]:
    return [row[0] for row in connection.execute("select tenant_id from pigou.tenant where tenant_id > 0 order by tenant_id")]


def _one(connection: psycopg.Connection, query: str) -> datetime:
    row = connection.execute(query.encode()).fetchone()
    if row is None or not isinstance(row[0], datetime):
        raise RuntimeError("the books hold no calls yet: a load must be sent before they can grow")
    return row[0]
