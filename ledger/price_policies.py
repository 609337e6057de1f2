"""The price policy: what somebody states of V, λ, ρ, deadlines, grace and outcomes by task class. Never edited, only revised.

A file states many, one a line, all or none. `analyzers/tasks/prices.py` says which of several statements holds for a task.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from ledger.cells import CellError, Form, read_cells
from ledger.post import open_tenants
from ledger.queries import queries
from ledger.stated_rates import moment

COLUMNS = (
    "tenant", "task_class", "v_usd", "lambda_usd_per_s", "rho", "deadline_s", "grace_s", "outcome_sources", "valid_from",
    "valid_until",
)  # fmt: skip
SYNONYMS = {"lambda": "lambda_usd_per_s", "v": "v_usd", "class": "task_class", "outcomes": "outcome_sources"}
SOURCES = ("attribute", "feedback", "test", "evaluation", "score", "root_status")
_PRICES = ("v_usd", "lambda_usd_per_s", "rho", "deadline_s", "grace_s")
DUAL = "dual"
"""In place of a number: the price is the dual of a limit."""
_SOLVABLE = ("lambda_usd_per_s", "rho")
_NUMBER_MAX = Decimal(10) ** 12
_CLASS = re.compile(r"\*|[^*\x00]{1,200}\*?")
_SQL = queries("ledger", "price_policies")


class PolicyError(CellError):
    """A statement of the price policy cannot be taken. `place` is the file and line, `column` what is wrong in it."""


_FORM = Form("policy", "policies", COLUMNS, ("task_class",), SYNONYMS, PolicyError, frozenset({"outcome_sources"}))


class StatedPolicy(msgspec.Struct, frozen=True):
    """What is stated of a class of tasks, a prefix with a star, or `*`; None says nothing. A tenant of None is everybody.

    V in USD, λ in USD per second, ρ in USD per USD of expected loss, times in seconds; valid from until before. `duals`: prices
    without a number that are duals of limits.
    """

    tenant: str | None
    task_class: str
    v_usd: Decimal | None
    lambda_usd_per_s: Decimal | None
    rho: Decimal | None
    deadline_s: Decimal | None
    grace_s: Decimal | None
    outcome_sources: tuple[str, ...] | None
    valid_from: datetime | None
    valid_until: datetime | None
    place: str = ""
    duals: frozenset[str] = frozenset()


def read_policies(path: Path) -> list[StatedPolicy]:
    """All statements of a file. Raises PolicyError, naming file, line and column, on the first fault."""
    return [stated_policy(row, f"{path}, line {line}") for line, row in read_cells(path, _FORM)]


def stated_policy(cells: dict[str, str], place: str = "") -> StatedPolicy:
    """A statement from text by column; empty cells say nothing. Raises PolicyError."""
    values = {column: text.strip() for column, text in cells.items() if text.strip()}
    task_class = values.get("task_class")
    if task_class is None or not _CLASS.fullmatch(task_class):
        what = "is missing" if task_class is None else f"{task_class[:60]!r} is no class"
        raise PolicyError(place, "task_class", what, "write a class, a prefix such as code.*, or *")
    start = moment(values.get("valid_from"), place, "valid_from", PolicyError)
    end = moment(values.get("valid_until"), place, "valid_until", PolicyError)
    if start and end and end <= start:
        raise PolicyError(place, "valid_until", f"{values['valid_until']} is not after valid_from", "name a later day")
    duals = frozenset(column for column in _SOLVABLE if values.get(column, "").casefold() == DUAL)
    stated = {column: text for column, text in values.items() if column not in duals}
    numbers = {column: _number(stated[column], place, column) if column in stated else None for column in _PRICES}
    sources = _sources(values["outcome_sources"], place) if "outcome_sources" in values else None
    if sources is None and not duals and all(number is None for number in numbers.values()):
        raise PolicyError(place, None, f"says nothing of {task_class}", f"state one of {', '.join(_PRICES)}, outcome_sources")
    return StatedPolicy(
        tenant=values.get("tenant"), task_class=task_class, outcome_sources=sources, valid_from=start, valid_until=end,
        place=place, duals=duals, **numbers,
    )  # fmt: skip


def add_policies(connection: psycopg.Connection, tenant: str | None, stated: Sequence[StatedPolicy], source: str) -> int:
    """Write statements down as further revisions, all or none; answers how many said anything new.

    Those that name no tenant are `tenant`'s; None: for everybody. What the last revision of its class says already, for the same
    time, is not written again. Tenants that are not known are opened.
    Raises PolicyError where two of them speak of the same class at the same time.
    """
    _refuse_contradictions(tenant, stated)
    added = 0
    with connection.transaction():
        connection.execute(_SQL["lock_policies"])
        names = sorted({name for policy in stated if (name := policy.tenant or tenant) is not None})
        ids = open_tenants(connection, names) if names else {}
        for owner in dict.fromkeys(policy.tenant or tenant for policy in stated):
            of_owner = [policy for policy in stated if (policy.tenant or tenant) == owner]
            tenant_id = 0 if owner is None else ids[owner]
            for task_class in dict.fromkeys(policy.task_class for policy in of_owner):
                rows = [_row(policy) for policy in of_owner if policy.task_class == task_class]
                parameters = {"tenant_id": tenant_id, "task_class": task_class, "source": source}
                known = {_said(row) for row in connection.execute(_SQL["newest_revision"], parameters)}
                if {_said(tuple(row.values())) for row in rows} <= known:
                    continue
                next_one = connection.execute(_SQL["next_revision"], parameters).fetchone()
                for row in rows:
                    connection.execute(_SQL["add_policy"], {**parameters, **row, "revision": next_one[0] if next_one else 1})
                added += len(rows)
    return added


def _row(policy: StatedPolicy) -> dict[str, Any]:
    sources = None if policy.outcome_sources is None else list(policy.outcome_sources)
    return {name: getattr(policy, name) for name in (*_PRICES, "valid_from", "valid_until")} | {
        "outcome_sources": sources,
        "lambda_is_dual": "lambda_usd_per_s" in policy.duals,
        "rho_is_dual": "rho" in policy.duals,
    }


def _said(row: tuple[Any, ...]) -> str:
    return repr([str(value.normalize()) if isinstance(value, Decimal) else value for value in row])


def _refuse_contradictions(tenant: str | None, stated: Sequence[StatedPolicy]) -> None:
    for number, one in enumerate(stated):
        for other in stated[:number]:
            is_same = (one.tenant or tenant, one.task_class) == (other.tenant or tenant, other.task_class)
            is_before = one.valid_until is not None and other.valid_from is not None and one.valid_until <= other.valid_from
            is_after = other.valid_until is not None and one.valid_from is not None and other.valid_until <= one.valid_from
            if is_same and not is_before and not is_after:
                where = other.place.rpartition(", ")[2] or "another"
                raise PolicyError(
                    one.place, "task_class", f"{where} speaks of {one.task_class} too", "let their times not overlap"
                )


def _number(text: str, place: str, column: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    least = Decimal(0)
    if not number.is_finite() or not least <= number <= _NUMBER_MAX or (column == "deadline_s" and number == 0):
        mend = f"write a number from 0 to {_NUMBER_MAX:f}" + (f", or {DUAL}" if column in _SOLVABLE else "")
        raise PolicyError(place, column, f"{text[:60]!r} is no such number", mend)
    if round(number, 12) != number:
        raise PolicyError(place, column, f"{text[:60]} has more than 12 decimals", "write fewer")
    return number


def _sources(text: str, place: str) -> tuple[str, ...]:
    sources = tuple(text.replace(",", " ").split())
    for source in sources:
        kind, colon, name = source.partition(":")
        if kind not in SOURCES or (colon and (not name or kind not in ("evaluation", "score", "test", "feedback"))):
            mend = f"write some of {', '.join(SOURCES)}, in order; evaluation:NAME is one evaluation only"
            raise PolicyError(place, "outcome_sources", f"{source[:60]!r} is no source of outcomes", mend)
    return sources
