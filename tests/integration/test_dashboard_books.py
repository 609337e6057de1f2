"""What the pages ask of a real database: every named query runs as the read-only role, and its text gives what is drawn."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import cast

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from analyzers.capital.capitalise import capitalise
from dashboard.app import create_app
from dashboard.books import Books, BooksUnavailable
from dashboard.components.panel import Panel, View
from dashboard.figures.bill import whole_bill
from dashboard.figures.pivot import pivot_of
from dashboard.figures.spend import series_of, spend_over_time
from dashboard.figures.waterfall import waterfall
from dashboard.filters import SORTS, parse
from dashboard.pages import PAGES, layer_capital
from dashboard.pages.account import with_rates
from dashboard.pieces import is_time
from dashboard.queries import Statement, named, statement
from ledger.budgets import Terms, set_budget
from ledger.database import connect
from ledger.post import open_tenants
from ledger.rerate import rerate
from tests.agent_traffic import fill
from tests.books import price
from tests.every import every
from tests.sums import sums_agree

NOW = datetime(2026, 11, 20, 15, 20, tzinfo=UTC)
NAME = "pigou_dashboard"


@pytest.fixture(scope="module")
def filled(server: str, template: str) -> Iterator[str]:
    """A database with some days of traffic, shared by the tests of this file: they only read."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {NAME} template {template}".encode())
    dsn = make_conninfo(server, dbname=NAME)
    fill(dsn, NOW, traces=60)
    with connect(dsn, "writer") as connection:
        set_budget(connection, "acme", "team", Terms(amount_usd=Decimal(1000)), "test")
        price(connection, {"input_tokens": "9"}, model="gpt-4.1", provider="openai", tenant="globex")
        assert rerate(connection, open_tenants(connection, ["globex"])["globex"]).adjusted > 0
        assert capitalise(connection, now=NOW).entries > 0
    yield dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {NAME} with (force)".encode())


@pytest.fixture(scope="module")
def books(filled: str) -> Iterator[Books]:
    """The pages' own door to it."""
    opened = Books(filled)
    yield opened
    opened.close()


def view(books: Books, search: str = "", path: str = "/") -> View:
    return View(books, parse(search), NOW, path, "http://127.0.0.1:4318")


def total(rows: Iterable[dict[str, object]], column: str = "cost_usd") -> Decimal:
    """The sum of what is known in a column."""
    return sum((Decimal(str(row[column])) for row in rows if row[column] is not None), Decimal(0))


def a_call(filled: str) -> dict[str, object]:
    """A booked call of the longest trace."""
    with connect(filled, "reader") as connection:
        row = connection.execute(
            "select tenant, trace_id, span_id, started_at from ledger.calls where status = 'booked' and trace_id ="
            " (select trace_id from ledger.calls group by trace_id order by count(*) desc, trace_id limit 1)"
            " order by started_at limit 1"
        ).fetchone()
    assert row is not None
    return dict(zip(("tenant", "trace_id", "span_id", "started_at"), row, strict=True))


@pytest.mark.parametrize(
    "search", ["", "?range=all&tenant=acme&layer=&model=gpt-4.1&model=o4-mini&agent=fixer&status=booked&by=use,model"]
)
def test_every_query_runs_as_the_reader(filled: str, books: Books, search: str) -> None:
    values = cast("dict[str, str | datetime]", a_call(filled))
    values |= {
        "decision_id": "00000000-0000-0000-0000-000000000000",
        "alert_id": "1",
        "finding_id": "1",
        "q": "u-17",
        "token_hash": "00",
    }
    values |= {"rule": "budget", "channel": "ops", "whose": "acme"}

    def runs(name: str) -> None:
        frame = books.run(statement(name, parse(search), NOW, values=values))
        assert frame.columns
        assert all(len(row) == len(frame.columns) for row in frame.rows)

    every(sorted(named()), runs)


def test_assets_are_shown_as_the_books_carry_them(filled: str, books: Books) -> None:
    asked = view(books, "?range=all&layer=capital", "/layers")
    rows = list(asked.ask("assets"))
    with connect(filled, "reader") as connection:
        said = connection.execute(
            "select sum(capitalised_usd), sum(depreciated_usd), sum(written_off_usd), sum(carrying_usd) from ledger.assets"
        ).fetchone()
    columns = ("capitalised_usd", "depreciated_usd", "written_off_usd", "carrying_usd")
    assert tuple(total(rows, column) for column in columns) == said
    assert total(rows, "written_off_usd") > 0
    drawn = str(layer_capital.assets(asked))
    assert "assets:cache:anthropic:claude-sonnet-4-5" in drawn
    assert "beside the bill" in drawn
    assert "Nothing was capitalised yet" in str(layer_capital.assets(view(books, "?tenant=nobody&layer=capital", "/layers")))
    # Each leads to its account in the accrual book, in whose statement dollars have no rate.
    opened = view(books, f"?range=all&account={rows[0]['account']}&book=accrual&tenant={rows[0]['tenant']}")
    assert opened.ask("statement_total").only()["closing_usd"] == rows[0]["carrying_usd"]
    assert {row["per_million"] for row in with_rates(opened.ask("statement_entries"))} == {None}


def test_every_order_can_be_asked_for(books: Books) -> None:
    def is_in_order(sort: str) -> None:
        column = [row[sort.removeprefix("-")] for row in view(books, f"?sort={sort}").ask("calls", limit=40)]
        known = cast("list[Decimal]", [value for value in column if value is not None])
        assert known == sorted(known, reverse=sort.startswith("-"))
        assert column[: len(known)] == known, "unknown values come last"

    every([sign + column for column in SORTS for sign in ("", "-")], is_in_order)


def test_the_text_shown_gives_the_numbers_drawn(filled: str, books: Books) -> None:
    asked = view(books, "?by=model")
    drawn = spend_over_time(asked.ask("spend_over_time"), asked.window, "day", "key")
    heights = [height for trace in cast("list[dict[str, list[float | None]]]", drawn["data"]) for height in trace["y"]]
    with connect(filled, "reader") as connection:
        rows = connection.execute(asked.statements[0].text.encode()).fetchall()
        said = connection.execute("select sum(cost_usd) from ledger.calls where started_at >= '2026-11-07Z'").fetchone()
    shown = sum(row[2] for row in rows if row[2] is not None)
    assert said is not None
    assert shown == said[0], "the hourly view and the calls say the same, to the last digit"
    assert sum(height for height in heights if height is not None) == pytest.approx(float(shown))


def test_all_ways_of_cutting_give_the_same_dollars(books: Books) -> None:
    asked = view(books)
    whole = asked.ask("spend_total").only()["cost_usd"]
    breakdown = asked.ask("spend_by_dimension")
    for dimension in ("layer", "use", "model", "agent", "task_class", "tenant"):
        assert total(row for row in breakdown if row["dimension"] == dimension) == whole
    assert total(asked.ask("spend_cross")) == whole
    assert sum(one.cost_usd or 0 for one in series_of(asked.ask("spend_over_time"))) == whole
    assert total(asked.ask("calls_by_status")) == whole
    assert whole


@pytest.mark.parametrize("cross", ["model,tenant", "use,day", "provider,week", "month,agent", "task_class,layer"])
@pytest.mark.parametrize(("measure", "summed"), [("cost", "cost_usd"), ("tokens", "tokens"), ("calls", "calls")])
def test_a_table_of_any_two_things_sums_to_the_whole(books: Books, cross: str, measure: str, summed: str) -> None:
    asked = view(books, f"?cross={cross}&of={measure}&top=5")
    pivot = pivot_of(asked.ask("spend_pivot"), measure)
    assert pivot.whole == asked.ask("spend_total").only()[summed]
    assert sums_agree(pivot)
    assert all(len(lines) <= 6 or is_time(of) for lines, of in zip((pivot.rows, pivot.columns), cross.split(","), strict=True))


@pytest.mark.parametrize("search", ["?range=7d", "?range=24h", "?range=month", "?range=7d&tenant=acme"])
def test_a_bill_is_explained_to_the_last_digit(filled: str, books: Books, search: str) -> None:
    asked = view(books, search)
    lines = asked.ask("bill", limit=None)
    bill = whole_bill(lines)
    assert bill.amount_usd - bill.former_usd == bill.change_usd == bill.price_usd + bill.volume_usd + bill.mix_usd
    for line in lines:
        effects = [cast(Decimal, line[name]) for name in ("price_usd", "volume_usd", "mix_usd")]
        assert sum(effects) == line["change_usd"]
    assert total(asked.ask("bill_owed"), "owed_usd") == bill.amount_usd > 0
    days = asked.window.whole_days(asked.filters.place)
    with connect(filled, "reader") as connection:
        said = connection.execute(
            "select sum(cost_usd) from ledger.calls"
            " where started_at >= %s and started_at < %s and (%s::text is null or tenant = %s)",
            (days.since, days.until, *[asked.filters.where.get("tenant", (None,))[0]] * 2),
        ).fetchone()
    assert said == (bill.amount_usd,)


def test_a_price_that_rises_is_an_effect_of_price_alone(filled: str, books: Books) -> None:
    """Of one tenant, what a unit cost more is price; of several their effects add up, whatever their prices."""
    apart: dict[str, Decimal] = {}
    for tenant in ("acme", "globex"):
        lines = view(books, f"?range=7d&tenant={tenant}").ask("bill", limit=None)
        kept = [line for line in lines if line["quantity"] and line["former_quantity"]]
        assert kept
        for line in kept:
            each, former_each, quantity = (cast(Decimal, line[name]) for name in ("unit_usd", "former_unit_usd", "quantity"))
            assert abs((each - former_each) * quantity - cast(Decimal, line["price_usd"])) < Decimal("1e-9")
        apart = {name: apart.get(name, Decimal(0)) + total(lines, name) for name in ("price_usd", "volume_usd", "mix_usd")}
    both = view(books, "?range=7d&tenant=acme&tenant=globex").ask("bill", limit=None)
    assert {name: total(both, name) for name in apart} == apart


@pytest.mark.parametrize("account", ["expenses", "liabilities:payable", "suspense:unpriced"])
def test_a_statement_adds_up(filled: str, books: Books, account: str) -> None:
    asked = view(books, f"?range=7d&account={account}")
    whole = asked.ask("statement_total").only()
    days = list(asked.ask("statement_days"))
    assert cast(Decimal, whole["opening_usd"]) + cast(Decimal, whole["moved_usd"]) == whole["closing_usd"]
    assert total(days, "moved_usd") == total(asked.ask("statement_commodities"), "amount_usd") == whole["moved_usd"]
    assert days[-1]["balance_usd"] == whole["closing_usd"]
    day = cast(date, days[0]["day"])
    single = view(books, f"?range=all&account={account}&day={day}").ask("statement_entries", limit=None)
    assert total(single, "amount_usd") == days[0]["moved_usd"]
    with connect(filled, "reader") as connection:
        said = connection.execute(
            "select sum(amount_usd) from ledger.postings where account ^@ %s and book = 'cash'", (account,)
        ).fetchone()
    ever = view(books, f"?range=all&account={account}").ask("statement_total").only()
    assert ever["closing_usd"] == ((said or (None,))[0] or 0)


def test_an_entry_shows_both_sides_and_what_corrects_it(filled: str, books: Books) -> None:
    with connect(filled, "reader") as connection:
        row = connection.execute("select tenant, reverses from ledger.entries where kind = 'reversal' limit 1").fetchone()
    assert row is not None
    asked = view(books, f"?tenant={row[0]}&entry={row[1]}")
    entries = {str(one["entry_id"]): one for one in asked.ask("entry")}
    assert str(row[1]) in entries
    assert str(row[1]) in {str(one["reverses"]) for one in entries.values()}
    transfers = list(asked.ask("entry_transfers"))
    assert transfers
    assert all(one["debit"] != one["credit"] and cast(Decimal, one["quantity"]) > 0 for one in transfers)
    assert len(view(books, f"?tenant=nobody&entry={row[1]}").ask("entry")) == 0


def test_a_forecast_is_what_such_days_cost(filled: str, books: Books) -> None:
    month, budget = view(books).ask("forecasts")
    assert (month["budget"], budget["budget"], budget["tenant"]) == (None, "team", "acme")
    with connect(filled, "reader") as connection:
        known = dict(
            connection.execute(
                "select day, sum(cost_usd) from ledger.spend_daily where day < '2026-11-20' and day >= '2026-10-23' group by day"
            ).fetchall()
        )
    first = min(known)  # the first day is known from its first call on only, and does not count
    whole = [first + timedelta(days=n) for n in range(1, (date(2026, 11, 20) - first).days)]
    costs = {day: known.get(day) or 0 for day in whole}
    by_weekday = len(costs) >= 14
    assert (month["days_known"], month["is_by_weekday"]) == (len(costs), by_weekday)
    alike = [cost for day, cost in costs.items() if not by_weekday or day.weekday() == 4]
    today = Decimal(sum(alike)) / len(alike) * Decimal((86_400 - (15 * 3600 + 20 * 60)) / 86_400)
    later = [date(2026, 11, 20) + timedelta(days=n) for n in range(1, 11)]
    rest = today
    for day in later:
        alike = [cost for known_day, cost in costs.items() if not by_weekday or known_day.weekday() == day.weekday()]
        rest += Decimal(sum(alike)) / len(alike)
    forecast, low, high = (cast(Decimal, month[name]) for name in ("forecast_usd", "low_usd", "high_usd"))
    assert forecast - cast(Decimal, month["spent_usd"]) == pytest.approx(rest, rel=Decimal("1e-4"))
    assert cast(Decimal, month["spent_usd"]) <= low < forecast < high
    assert cast(Decimal, budget["forecast_usd"]) < forecast, "the budget is of one tenant only"


def test_minutes_and_hours_agree(books: Books) -> None:
    asked = view(books, "?since=2026-11-18T00:00Z&until=2026-11-20T00:00Z")
    assert total(asked.ask("spend_over_time")) == total(asked.ask("spend_over_minutes")) > 0
    by_hour, by_minute = asked.ask("tokens_over_time"), asked.ask("tokens_over_minutes")
    assert total(by_hour, "cache_read_tokens") == total(by_minute, "cache_read_tokens") > 0


def test_costs_of_the_spans_sum_to_the_traces_cost(filled: str, books: Books) -> None:
    trace = str(a_call(filled)["trace_id"])
    asked = view(books, path=f"/trace/{trace}")
    summary = asked.ask("trace_summary", values={"trace_id": trace}).only()
    bars = waterfall(asked.ask("trace_spans", values={"trace_id": trace}))
    with connect(filled, "reader") as connection:
        said = connection.execute("select cost_usd, spans from ledger.traces where trace_id = %s", (trace,)).fetchone()
    assert sum(cast(Decimal, bar.span["cost_usd"]) for bar in bars if bar.span["cost_usd"] is not None) == summary["cost_usd"]
    assert said == (summary["cost_usd"], summary["spans"])
    assert bars[0].cost_below_usd == summary["cost_usd"]


def test_another_tenants_filter_shows_nothing_of_a_trace(filled: str, books: Books) -> None:
    call = a_call(filled)
    other = next(name for name in ("acme", "globex") if name != call["tenant"])
    asked = view(books, f"?tenant={other}", f"/trace/{call['trace_id']}")
    assert len(asked.ask("trace_spans", values={"trace_id": str(call["trace_id"])})) == 0


@pytest.mark.parametrize("hostile", ["'; drop table pigou.call; --", "x\\'; select 1; --", "%s", "{limit}", "🜂" * 500])
def test_a_hostile_value_is_only_a_value(books: Books, hostile: str) -> None:
    asked = view(books)
    filtered = View(books, asked.filters.only("model", hostile), NOW, "/", "")
    assert filtered.ask("spend_total").only()["calls"] == 0
    assert asked.ask("spend_total").only()["calls"] != 0
    assert len(books.run(statement("trace_spans", asked.filters, NOW, values={"trace_id": hostile}))) == 0


def test_the_pages_cannot_write(books: Books) -> None:
    with pytest.raises(BooksUnavailable, match=r"may not read|refused"):
        books.run(Statement("mischief", "create table public.mischief (a int)"))


@pytest.mark.parametrize(
    "search", ["", "?range=all", "?range=3h", "?since=2020-01-01T00:00Z&until=2020-02-01T00:00Z", "?model=acme&layer="]
)
def test_every_panel_is_drawn(books: Books, search: str) -> None:
    def is_drawn(panel: Panel) -> None:
        content = panel.draw(view(books, search))
        assert content
        assert "nan" not in str(content).lower().replace("tenan", "").replace("finan", "")

    every((panel for page in PAGES for panel in page.panels if page.name != "trace"), is_drawn, lambda panel: panel.name)


def test_a_csv_holds_every_row_exactly(filled: str, books: Books) -> None:
    client = create_app(books, clock=lambda: NOW).server.test_client()
    answer = client.get("/csv/calls.csv?range=14d")
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    with connect(filled, "reader") as connection:
        said = connection.execute("select count(*), sum(cost_usd) from ledger.calls where started_at >= '2026-11-07Z'").fetchone()
    assert (len(rows), sum(Decimal(row["cost_usd"]) for row in rows if row["cost_usd"])) == said


def test_a_csv_that_cannot_be_is_refused_with_its_reason(books: Books) -> None:
    client = create_app(books, clock=lambda: NOW).server.test_client()
    unknown, incomplete = client.get("/csv/secrets.csv"), client.get("/csv/trace_spans.csv?trace=../etc")
    assert (unknown.status_code, unknown.text) == (404, "there is no table named secrets\n")
    assert (incomplete.status_code, incomplete.text) == (400, "trace_spans needs trace_id\n")


def test_a_database_that_is_away_says_so_and_what_to_do(filled: str) -> None:
    away = Books(make_conninfo(filled, host="127.0.0.1", port=1, connect_timeout=2))
    with pytest.raises(BooksUnavailable, match=r"no connection to PostgreSQL at 127\.0\.0\.1:1.*pigou up"):
        away.run(Statement("ping", "select 1"))
    client = create_app(away).server.test_client()
    assert client.get("/health").get_json() == {"status": "ok", "database": "away"}
    assert client.get("/csv/calls.csv").status_code == 503


def test_a_database_without_the_views_says_what_to_run(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("create database pigou_bare")
    bare = Books(make_conninfo(server, dbname="pigou_bare"))
    try:
        with pytest.raises(BooksUnavailable, match="pigou up"):
            bare.run(Statement("calls", "select count(*) from ledger.calls"))
    finally:
        bare.close()
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("drop database pigou_bare with (force)")


def test_connections_that_died_are_replaced(filled: str, server: str) -> None:
    books = Books(filled)
    books.run(Statement("ping", "select 1"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and application_name = 'pigou dashboard'",
            (NAME,),
        )
    assert books.run(Statement("ping", "select 1")).rows == ((1,),)
    books.close()


def test_connections_that_nobody_needs_are_closed(filled: str) -> None:
    backend = Statement("backend", "select pg_backend_pid()")
    brief, patient = Books(filled, idle_s_max=0.2), Books(filled, idle_s_max=3600)
    first, kept = brief.run(backend).rows[0][0], patient.run(backend).rows[0][0]
    alive = Statement("alive", f"select count(*) from pg_stat_activity where pid = {first}")
    deadline = time.monotonic() + 30
    while patient.run(alive).rows != ((0,),):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert brief.run(backend).rows[0][0] != first
    assert patient.run(backend).rows[0][0] == kept
    brief.close()
    patient.close()


def test_a_slow_question_is_stopped(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.books.STATEMENT_TIMEOUT_MS", 50)
    books = Books(filled)
    with pytest.raises(BooksUnavailable, match="shorter range"):
        books.run(Statement("slow", "select pg_sleep(5)"))
    books.close()


def test_addresses_hold_no_password() -> None:
    books = Books("postgresql://someone:secret@db.example:6543/books")
    assert books.address == "db.example:6543"
