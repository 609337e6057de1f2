"""What posting asks of growing tables is found by index, by the plan that is made while they are empty and kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg

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


def test_what_is_known_of_traces_is_found_by_trace_and_by_identity(dsn: str) -> None:
    with connect(dsn, "writer", by_index=True) as writer:
        found = planned(writer, queries("ledger", "post")["traces_known"])
    assert {table for table, _ in found} == {"record", "call", "call_key"}
    wanted = {"record": "(trace_id = ANY", "call": "(trace_id = r.trace_id)", "call_key": "hashtext(key) = ANY"}
    assert [(table, condition) for table, condition in found if wanted[table] not in condition] == []
    assert [(table, condition) for table, condition in found if table != "call" and "started_at" in condition] == []
