"""docs/sql.md is executed: every view and column it documents is there, and every query answers, as people ask it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg
import pytest

from analyzers.alerts import evaluate
from analyzers.capital.capitalise import capitalise
from analyzers.modes.look import Place
from analyzers.pipeline import run_round
from collector.export import Export
from ledger.alerts import set_rule
from ledger.budgets import Terms, hold, set_budget
from ledger.database import connect
from ledger.price_policies import add_policies, stated_policy
from ledger.price_vector import Limits, constrain
from tests.books import AT, GATEWAY, PRICES, agent, chat, cloned, export, one, plain, price, rows, tool
from tests.desk import collecting
from tests.integration.delivering import channel, state
from tests.looked import found, look_of
from tests.price_vectors import SLA, put_vector
from tests.settled import appraise_some
from tests.tidy.tree import ROOT

DOCUMENT = (ROOT / "docs" / "sql.md").read_text()
VIEWS, _, ASKED = DOCUMENT.partition("## Queries\n")
LAST_MONTH_S = -31 * 86400.0


class Query(NamedTuple):
    title: str
    says: str
    sql: str


def documented_views() -> dict[str, list[list[str]]]:
    """The cells of each view's table, without its head."""
    views: dict[str, list[list[str]]] = {}
    for section in VIEWS.split("\n### `ledger.")[1:]:
        table = [line for line in section.splitlines() if line.startswith("|")]
        views[section.partition("`")[0]] = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    return views


def queries() -> Iterator[Query]:
    """Heading, what it answers, and the SQL of every section."""
    for section in ASKED.split("\n### ")[1:]:
        title, _, rest = section.partition("\n")
        says, _, fenced = rest.partition("```sql\n")
        yield Query(title, says.strip(), fenced.partition("```")[0])


INSTALLATION = ["commodities", "retention", "months_dropped", "saved_views", "engine_capacities"]  # the same for all tenants
QUERIES = list(queries())


def telemetry() -> Iterator[Export]:
    """Two months of a small fleet, with everything in it that a query of the page asks about."""
    dear: dict[str, Any] = {"model": "m2"}
    for month, (at, calls) in enumerate(((LAST_MONTH_S, 2), (0.0, 3))):
        trace = 10 + month
        yield export(
            agent(trace, 1, input=calls * 1_000_000 + 200_000, output=calls * 50_000 + 30_000, task="fix_tests", at=at),
            *(
                chat(trace, 2 + n, 1, input=1_000_000, cached=400_000, written=100_000, output=50_000, id=f"r{trace}-{n}",
                     at=at + n, gen_ai__conversation__id="c1", gen_ai__usage__cost=1.5, allocation__use="plan",
                     gen_ai__input__messages="what?", gen_ai__output__messages="that")
                for n in range(calls)
            ),
            tool(trace, 8, 1, name="run_tests", at=at),
            chat(trace, 9, 8, input=200_000, output=30_000, at=at + 5, **dear),
        )  # fmt: skip
    yield export(chat(20, 1, input=1_000_000, output=50_000, id="r10-0", at=LAST_MONTH_S), service="gateway", scope=GATEWAY)
    yield export(agent(30, 1, name="support", input=9, output=9, task="support"), chat(30, 2, 1, input=500, output=50))
    yield export(chat(31, 1, model="nobody-prices-this", at=50), chat(31, 2, input=5, cached=50, at=60))
    yield export(chat(32, 1, input=77, output=7, at=70), chat(32, 2, input=77, output=7, at=70))
    risky: dict[str, Any] = {
        "allocation__action__class": "deploy",
        "allocation__risk__probability": 0.1,
        "allocation__risk__loss_usd": 20,
    }
    worth: dict[str, Any] = {"allocation__task__value_usd": 8, "allocation__outcome": 0.5}
    yield export(agent(34, 1, task="release", at=80, **worth), chat(34, 2, 1, at=81), plain(34, 3, 1, at=82, **risky))
    yield export(agent(35, 1, task="release", at=90), plain(35, 3, 1, at=92, **risky))
    served: dict[str, Any] = {"allocation__layer": "supply", "allocation__engine": "e1"}
    yield export(*(chat(36, span, allocation__engine__queue_s=0.2 * 9**span, **served) for span in range(1, 4)))
    yield export(plain(33, 1, name="first"))
    yield export(plain(33, 1, name="first", retries=1))


@pytest.fixture(scope="module")
def reader(server: str, template: str) -> Iterator[psycopg.Connection]:
    """The books of that fleet, as people see them."""
    with cloned(server, template, "pigou_sql_document") as dsn:
        with connect(dsn, "writer") as writer:
            price(writer)
            price(writer, {**PRICES, "input_tokens": "15", "output_tokens": "75"}, model="m2")
            with collecting(dsn, keep_content=True) as collector:
                collector.book(*telemetry())
            stated = {"task_class": "*", "lambda_usd_per_s": "0.001", "rho": "1", "grace_s": "0"}
            add_policies(writer, None, [stated_policy(stated)], "test")
            run_round(writer)
            price(writer, {"output_tokens": "60"}, model="m2", tenant="default")
            run_round(writer)
            plan = Terms(amount_usd=Decimal(50), period="total", valid_from=AT - timedelta(days=30))
            set_budget(writer, "default", "plan", plan, "test")
            hold(writer, "default", "plan", "h1", Decimal(1), 600)
            put_vector(
                writer, task_class="code.*", v_usd=20, lambda_usd_per_s=0, lambda_source="dual", source="dual", constraints=[SLA]
            )
            constrain(writer, "default", "code.*", Limits(latency_s=Decimal(30)), "test")
            set_rule(writer, "unpriced_share", None, "test", evidence_min=1)
            state(writer, channel(url="http://127.0.0.1:9/"))
            for minutes in (60, 61, 62):
                evaluate(writer, AT + timedelta(minutes=minutes))
        appraise_some(dsn)
        with connect(dsn, "writer") as writer:
            capitalise(writer)
            found(writer, [look_of(4), look_of(None, Place("demand", "route", "support.refund", "large"))])
        with connect(dsn, "reader") as connection:
            yield connection


# ── views ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_view_and_column_is_documented_and_there(reader: psycopg.Connection) -> None:
    there: dict[str, list[str]] = {}
    for view, column in rows(
        reader,
        "select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where c.relnamespace = 'ledger'::regnamespace and c.relkind = 'v' and a.attnum > 0 order by c.relname, a.attnum",
    ):
        there.setdefault(view, []).append(column)
    assert {view: [row[0] for row in table] for view, table in documented_views().items()} == there


def test_every_column_has_a_meaning_and_a_unit() -> None:
    incomplete = [(view, row) for view, table in documented_views().items() for row in table if len(row) != 3 or not all(row)]
    assert incomplete == []


@pytest.mark.parametrize(("suffix", "unit"), [("_usd", "USD"), ("_ms", "ms"), ("_tokens", "tokens")])
def test_a_name_with_a_unit_is_documented_in_it(suffix: str, unit: str) -> None:
    named = [(view, row) for view, table in documented_views().items() for row in table if row[0].endswith(suffix)]
    assert named
    assert [pair for pair in named if not pair[1][2].startswith(unit)] == []


def test_every_view_carries_the_tenant() -> None:
    """But those of the whole installation."""
    assert [view for view, table in documented_views().items() if table[0][0] != "tenant"] == INSTALLATION


# ── queries ──────────────────────────────────────────────────────────────────────────────────────────


def test_there_are_queries_for_what_people_ask() -> None:
    assert len(QUERIES) >= 18
    assert ASKED.count("```sql") == len(QUERIES)
    assert [query.title for query in QUERIES if len(query.says) < 40 or not query.sql.strip()] == []
    assert len({query.title for query in QUERIES}) == len(QUERIES)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.title)
def test_a_query_answers(reader: psycopg.Connection, query: Query) -> None:
    assert rows(reader, query.sql) != []


def answer(reader: psycopg.Connection, title: str) -> list[dict[str, Any]]:
    """Rows of a query by column."""
    [query] = [query for query in QUERIES if query.title == title]
    cursor = reader.execute(query.sql.encode())
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_the_months_add_up_to_the_cent(reader: psycopg.Connection) -> None:
    [month] = answer(reader, "Month against month, to the cent")
    spent = (
        "select sum(amount_usd) from ledger.balances b, (select max(day) as last from ledger.balances where book = 'cash') l"
        " where kind = 'expense' and book = 'cash' and date_trunc('month', day) = date_trunc('month', last) - %s::interval"
        " and extract(day from day) <= extract(day from last)"
    )
    assert month["amount_usd"] == one(reader, spent, "0 months")
    assert month["former_usd"] == one(reader, spent, "1 month")
    assert month["volume_usd"] + month["mix_usd"] + month["price_usd"] == month["change_usd"] != 0 != month["former_usd"]
    assert month["volume_usd"] > 0


def test_the_figures_of_some_queries(reader: psycopg.Connection) -> None:
    booked = one(reader, "select sum(cost_usd) from ledger.calls")
    for title in ("Spend by layer and use", "Spend by model", "Spend by agent and task class", "Spend by tenant and day"):
        assert sum(row["cost_usd"] or 0 for row in answer(reader, title)) == booked, title
    assert sum(row["debit_usd"] + row["credit_usd"] for row in answer(reader, "Trial balance as of a date")) == 0
    [cache] = [row for row in answer(reader, "What caching saved") if row["model"] == "m1"]
    assert cache["saved_by_reading_usd"] == 5 * 400_000 * (Decimal("2") - Decimal("0.2")) / 1_000_000
    assert cache["paid_for_writing_usd"] == 5 * 100_000 * (Decimal("2.5") - Decimal("2")) / 1_000_000
    [instead] = [row for row in answer(reader, "What calls would have cost on another model") if row["model"] == "m2"]
    assert instead["cost_usd_instead"] == 2 * (Decimal("0.4") + Decimal("0.3"))
    assert {row["service"] for row in answer(reader, "Calls reported more than once, by emitter")} == {"gateway"}
    assert {row["name"] for row in answer(reader, "Control totals that differ")} == {"invoke_agent support"}
    [queue] = answer(reader, "Queues of engines, by day")
    assert (queue["requests"], queue["mean_s"], queue["most_s"]) == (3, Decimal("54.6"), Decimal("145.8"))
    moved = answer(reader, "What was billed and what was used up")
    assert sum(row["billed_usd"] for row in moved) == booked
    [premiums] = answer(reader, "Cache writes that nobody repaid")
    assert premiums["premium_usd"] == cache["paid_for_writing_usd"]
    assert sum(row["moved_usd"] for row in moved) == -one(reader, "select sum(carrying_usd) from ledger.assets")
    trace = answer(reader, "Cost of one trace, step by step")
    assert trace[0]["cost_usd_below"] == sum(row["cost_usd"] or 0 for row in trace)
