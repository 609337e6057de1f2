"""What posting asks of growing tables is found by index, by the plan that is made while they are empty and kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.queries import queries
from tests.books import run


def scans(node: Any) -> Iterator[tuple[str, str]]:
    """Table and index condition of every scan of a plan; a scan without a condition reads all of its table."""
    if isinstance(node, dict):
        if "Relation Name" in node:
            yield re.sub(r"_(\d{6}|default)$", "", node["Relation Name"]), node.get("Index Cond", "none")
        for value in node.values():
            yield from scans(value)
    elif isinstance(node, list):
        for item in node:
            yield from scans(item)


def planned(connection: psycopg.Connection, text: str) -> list[tuple[str, str]]:
    """The scans of a statement's generic plan."""
    names: list[str] = []

    def numbered(name: re.Match[str]) -> str:
        if name[1] not in names:
            names.append(name[1])
        return f"${names.index(name[1]) + 1}"

    [(plan,)] = run(connection, "explain (generic_plan, format json) " + re.sub(r"%\((\w+)\)s", numbered, text)).fetchall()
    return list(scans(plan))


def looked_up(writer: psycopg.Connection) -> None:
    """The plan of what is asked of traces looks each thing up by its own index."""
    found = planned(writer, queries("ledger", "post")["traces_known"])
    assert {table for table, _ in found} == {"record", "call", "call_key"}
    wanted = {"record": "(trace_id = ANY", "call": "(trace_id = r.trace_id)", "call_key": "hashtext(key) = ANY"}
    assert [(table, condition) for table, condition in found if wanted[table] not in condition] == []
    assert [(table, condition) for table, condition in found if table != "call" and "started_at" in condition] == []


def test_what_is_known_of_traces_is_found_by_trace_and_by_identity(dsn: str) -> None:
    with connect(dsn, "writer", by_index=True) as writer:
        looked_up(writer)


@pytest.mark.parametrize("records", [30, 100, 300, 1000, 3000, 20_000])
def test_also_by_a_plan_made_while_a_month_is_young_and_was_never_analyzed(dsn: str, records: int) -> None:
    with connect(dsn, "writer", autocommit=False, by_index=True) as writer:
        writer.execute(
            """insert into pigou.record (tenant_id, trace_id, span_id, started_at, ended_at, signal, role, name, kind,
                                         status_code, resource_id, attributes, content_hash)
               select 1, int8send(n / 12), int8send(n), now(), now(), 'span', 'call', 'chat', 3, 0, gen_random_uuid(),
                      jsonb_build_object('text', repeat('x', 500)), int8send(n)
                 from generate_series(1, %s) n""",
            (records,),
        )
        writer.execute(
            """insert into pigou.call_key (tenant_id, key, trace_id, span_id, started_at)
               select 1, 'response:' || n, int8send(n / 12), int8send(n), now() from generate_series(1, %s, 2) n""",
            (records,),
        )
        looked_up(writer)
        writer.rollback()
