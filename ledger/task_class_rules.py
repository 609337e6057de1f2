"""The table that tells kinds of tasks apart which do not say so themselves; edited by the operator, read by settlement."""

from __future__ import annotations

import re
from typing import NamedTuple

import psycopg

from ledger.errors import LedgerError
from ledger.post import open_tenants
from ledger.queries import queries

FIELDS = ("agent", "name", "service", "operation", "tool", "user")
_SQL = queries("ledger", "task_class_rules")
_PATTERN_LENGTH_MAX = 500
_CLASS_LENGTH_MAX = 200
_STEP = 10


class ClassRuleError(LedgerError):
    """A rule of task classes cannot be as asked."""


class NewRule(NamedTuple):
    """A rule: tasks in which `pattern` is found in a name of this field are of this class. Lower ordinals are tried first."""

    field: str
    pattern: str
    task_class: str
    ordinal: int | None = None


def add_rule(connection: psycopg.Connection, tenant: str | None, rule: NewRule) -> int:
    """Add a rule for a tenant, or for all; answers its place, the last one unless it names another. Raises ClassRuleError."""
    if rule.field not in FIELDS:
        raise ClassRuleError(f"field {rule.field!r} is none of {', '.join(FIELDS)}", "name one of them")
    try:
        re.compile(rule.pattern, re.IGNORECASE)
    except re.error as error:
        raise ClassRuleError(f"pattern {rule.pattern!r} is no regular expression ({error})", "mend it") from error
    if not 0 < len(rule.pattern) <= _PATTERN_LENGTH_MAX or "\0" in rule.pattern:
        raise ClassRuleError("the pattern is empty or too long", f"write at most {_PATTERN_LENGTH_MAX} characters")
    if not 0 < len(rule.task_class.strip()) <= _CLASS_LENGTH_MAX or "\0" in rule.task_class:
        raise ClassRuleError(f"{rule.task_class[:60]!r} is no class", f"write at most {_CLASS_LENGTH_MAX} characters")
    with connection.transaction():
        connection.execute(_SQL["lock_rules"])
        owner = {"tenant_id": _owner(connection, tenant)}
        last = connection.execute(_SQL["last_ordinal"], owner).fetchone()
        ordinal = rule.ordinal if rule.ordinal is not None else (last[0] if last else 0) + _STEP
        added = connection.execute(_SQL["add_rule"], {**owner, **rule._asdict(), "ordinal": ordinal}).rowcount
    if not added:
        raise ClassRuleError(f"there is a rule {ordinal} already", "name another place, or remove it first")
    return ordinal


def remove_rule(connection: psycopg.Connection, tenant: str | None, ordinal: int) -> None:
    """Take a rule away. Raises ClassRuleError when there is none."""
    with connection.transaction():
        owner = {"tenant_id": _owner(connection, tenant), "ordinal": ordinal}
        if not connection.execute(_SQL["remove_rule"], owner).rowcount:
            whose = f"tenant {tenant}" if tenant else "all tenants"
            raise ClassRuleError(f"there is no rule {ordinal} for {whose}", "see `pigou tasks rules list`")


def _owner(connection: psycopg.Connection, tenant: str | None) -> int:
    return 0 if tenant is None else open_tenants(connection, [tenant])[tenant]
