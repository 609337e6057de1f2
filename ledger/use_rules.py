"""The table by which use and layer are inferred: edited by the operator, read by every collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

COLUMNS = ("ordinal", "field", "pattern", "layer", "use", "action_class")


def load_use_rules(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """Rules for every tenant, first to last."""
    rows = connection.execute(
        "select ordinal, field, pattern, layer, use, action_class from pigou.use_rule where tenant_id = 0 order by ordinal"
    ).fetchall()
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def seed_use_rules(connection: psycopg.Connection, rules: Sequence[dict[str, Any]]) -> bool:
    """Put these rules into a table that never held any; an operator who emptied it gets them back. Answers whether it did."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtextextended('pigou.use_rule', 0))")
        if load_use_rules(connection):
            return False
        replace_use_rules(connection, rules)
    return True


def replace_use_rules(connection: psycopg.Connection, rules: Sequence[dict[str, Any]]) -> None:
    """Put these rules in the place of the present ones."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("delete from pigou.use_rule where tenant_id = 0")
        cursor.executemany(
            "insert into pigou.use_rule (tenant_id, ordinal, field, pattern, layer, use, action_class)"
            " values (0, %(ordinal)s, %(field)s, %(pattern)s, %(layer)s, %(use)s, %(action_class)s)",
            rules,
        )
