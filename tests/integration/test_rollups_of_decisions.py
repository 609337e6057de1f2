"""Sums of decisions and tasks by day are what they sum to one by one, whatever becomes of them and wherever a window is cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from dashboard import queries
from dashboard.filters import Filters, parse
from dashboard.queries import statement
from ledger import check
from ledger.database import connect
from ledger.post import open_tenants
from tests.books import rows, run

NOW = datetime(2026, 11, 20, 15, 20, tzinfo=UTC)
NAME = "pigou_regret"


def _named(file: str) -> dict[str, str]:
    text = (Path(__file__).parents[1] / file).read_text()
    return {match[1]: match[2].strip() for match in re.finditer(r"-- name: (\w+)\n(.*?)(?=\n-- name:|\Z)", text, re.DOTALL)}


_RANDOM, _NAIVE = _named("random_decisions.sql"), _named("naive_regret.sql")
NAIVE = {
    name: "-- one by one\n" + text.replace("{standing}", f"({_NAIVE['standing']}) as standing") for name, text in _NAIVE.items()
}
LISTS = {"decisions", "decision_neighbours", "trace_task", "calls"}
NAMES = sorted(set(NAIVE) - LISTS - {"standing"})

CHANGES = (
    _RANDOM["appraise"],
    "delete from pigou.appraisal where segment = 1",
    "delete from pigou.decision where chosen = 2 and comparison = 3",
    (
        "with gone as (delete from pigou.decision where chosen = 1 and comparison = 2 returning *)"
        " delete from pigou.appraisal a using gone g where a.tenant_id = g.tenant_id and a.decision_id = g.decision_id"
    ),
    "update pigou.decision set agent = 'late' where agent is null",
    "update pigou.segment set is_discovery = not is_discovery",
    "update pigou.task set quality = 1 - quality, task_class = 'c' where task_class is null",
    "delete from pigou.task where agent is null",
    "delete from pigou.task; delete from pigou.appraisal; delete from pigou.decision",
)
WINDOWS = (
    "?range=all", "?range=14d", "?range=7d", "?range=24h", "?range=3h", "?since=2026-11-15T05:00Z&until=2026-11-18T13:00Z",
    "?since=2026-11-16T00:00Z&until=2026-11-17T00:00Z", "?since=2026-11-16T03:00Z&until=2026-11-16T09:00Z",
    "?until=2026-11-15T00:00Z", "?since=2026-11-16T07:00Z&until=2026-11-17T08:00Z",
)  # fmt: skip
FILTERED = ("?range=all&kind=route&agent=agent 1", "?range=14d&task_class=&chosen=y&layer=demand", "?range=7d&tenant=one")


@pytest.fixture(scope="module")
def filled(server: str, template: str) -> Iterator[str]:
    """A database of two tenants with decisions, of which some are appraised, and tasks."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {NAME} template {template}".encode())
    dsn = make_conninfo(server, dbname=NAME)
    with connect(dsn, "owner") as owner:
        open_tenants(owner, ["one", "two"])
        for step in (*_RANDOM["fill"].split(";"), _RANDOM["appraise"]):
            owner.execute(step.encode())
        owner.execute("analyze")
    yield dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {NAME} with (force)".encode())


@pytest.fixture
def owner(filled: str) -> Iterator[psycopg.Connection]:
    """What is changed in a test is taken back after it."""
    with connect(filled, "owner", autocommit=False) as connection:
        yield connection
        connection.rollback()


def differences(connection: psycopg.Connection, search: str) -> list[str]:
    """The queries of pages that answer something else for a view than sums of single decisions and tasks."""
    filters = parse(search)
    return [name for name in NAMES if _answer(connection, name, filters) != _answer(connection, name, filters, NAIVE)]


def _answer(
    connection: psycopg.Connection, name: str, filters: Filters, naive: dict[str, str] | None = None, **how: Any
) -> list[tuple[object, ...]]:
    with pytest.MonkeyPatch.context() as patched:
        if naive is not None:
            patched.setattr(queries, "named", lambda: naive)
        asked = statement(name, filters, NOW, **how)
    return [tuple(_rounded(value) for value in row) for row in rows(connection, asked.text)]


def _rounded(value: object) -> object:
    """A number to ten digits: how many PostgreSQL gives of a quotient depends on how its parts were written."""
    return float(f"{cast(float, value):.9e}") if isinstance(value, Decimal | float) else value


@pytest.mark.parametrize("search", [*WINDOWS, *FILTERED])
def test_pages_say_what_single_decisions_sum_to(owner: psycopg.Connection, search: str) -> None:
    assert differences(owner, search) == []


@pytest.mark.parametrize("search", [*WINDOWS, *FILTERED, "?range=14d&status=not_enough_evidence", "?range=all&sort=-decided_at"])
def test_decisions_are_listed_as_without_an_index(owner: psycopg.Connection, search: str) -> None:
    filters = parse(search)
    for limit in (1, 7, 60, 1000):
        listed = _answer(owner, "decisions", filters, limit=limit)
        assert listed == _answer(owner, "decisions", filters, NAIVE, limit=limit), limit


def test_neighbours_of_a_decision_are_the_closest_in_time(owner: psycopg.Connection) -> None:
    seen = {"decision_neighbours": 0, "trace_task": 0}
    for decision_id, trace_id in rows(
        owner, "select decision_id::text, trace_id from ledger.decisions order by decided_at limit 40"
    ):
        for name, values in (("decision_neighbours", {"decision_id": decision_id}), ("trace_task", {"trace_id": trace_id})):
            filters = parse("?range=all")
            found = _answer(owner, name, filters, values=values)
            assert found == _answer(owner, name, filters, NAIVE, values=values)
            seen[name] += len(found)
    assert min(seen.values()) > 40


def test_something_is_summed(owner: psycopg.Connection) -> None:
    for name in NAMES:
        answer = _answer(owner, name, parse("?range=all"))
        assert len(answer) > (name not in ("regret_total", "regret_by_term", "tasks_total")), name
        assert any(value not in (None, 0) for row in answer for value in row), name
    assert run(owner, "select count(*), sum(standing) from ledger.regret_daily where standing > 0").fetchone() != (0, None)


def test_sums_follow_what_becomes_of_decisions_and_tasks(owner: psycopg.Connection) -> None:
    for change in CHANGES:
        for step in change.split("; "):
            run(owner, step)
        assert differences(owner, "?range=all") == [], change
        assert _checked(owner).examples == [], change
    assert rows(owner, "select * from ledger.regret_daily union all select * from ledger.regret_daily") == []
    assert rows(owner, "select * from ledger.tasks_daily") == []


def test_a_running_day_is_read_from_its_sum_until_something_lies_after_the_window(owner: psycopg.Connection) -> None:
    said = "select ledger.decided_through('2026-11-20T16:00Z'), ledger.begun_through('2026-11-20T16:00Z')"
    after, before = (NOW + timedelta(days=1)).date(), NOW.date()
    assert rows(owner, said) == [(after, after)]
    run(
        owner,
        "update pigou.decision set decided_at = '2026-11-20T17:00Z' where ctid = (select min(ctid) from pigou.decision_202611)",
    )
    assert rows(owner, said) == [(before, after)]
    assert differences(owner, "?range=14d") == []


def test_a_sum_that_is_not_right_is_found(owner: psycopg.Connection) -> None:
    assert _checked(owner).checked > 100
    for wrong in (
        "update pigou.regret_day set decisions = decisions + 1 where day = '2026-11-16'",
        "update pigou.regret_day set next_worth_usd = coalesce(next_worth_usd, 0) + 0.01 where day = '2026-11-16'",
        "delete from pigou.regret_day where day = '2026-11-16'",
        "update pigou.task_day set well_usd = well_usd + 0.01 where day = '2026-11-16'",
    ):
        run(owner, "savepoint right_")
        run(owner, wrong)
        assert not _checked(owner).ok, wrong
        run(owner, "rollback to savepoint right_")
    assert _checked(owner).ok


def test_nobody_else_writes_them(filled: str) -> None:
    with connect(filled, "writer") as writer:
        for table in ("regret_day", "regret_key", "task_day"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                run(writer, f"delete from pigou.{table}")


def _checked(connection: psycopg.Connection) -> check.CheckResult:
    """The check of these sums alone; a whole run would want a transaction of its own."""
    return check.one(connection, "sums_by_day")
