"""Single calls and postings are found as a plain look at all of them would find them, and nothing else is read for it."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from dashboard.filters import parse
from dashboard.queries import ROWS_SHOWN, statement
from ledger.database import connect
from ledger.periods import close, reopen
from ledger.rerate import rerate
from tests.books import AT, agent, chat, cloned, export, one, price, rows, run
from tests.desk import book

NOW = datetime.now(UTC)
DAY_S = 86_400.0
LAST = (NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2) - AT).total_seconds()
"""The start of the last day of these books, in the notation's seconds: periods end with days that are over."""
IDS = (
    "shared", "it's", "x" * 700, "chatcmpl-7", f"{7:032x}", "ü" * 12, '"><script>', "a\\'b%_", "resp-of-one",
)  # fmt: skip
TENANTS = ("default", "other", "third")
WINDOWS = ("range=all", "range=30d", "range=all&tenant=other", "range=30d&tenant=third&tenant=default", "range=7d")

NAIVE_CALLS = """
select min(c.started_at), t.tenant, encode(c.trace_id, 'hex'),
       case when bool_or(encode(c.trace_id, 'hex') = %(q)s) then 'trace'
            when bool_or(c.conversation_id = %(q)s) then 'conversation' when bool_or(c.user_id = %(q)s) then 'user'
            else 'answer' end,
       min(c.agent), min(c.task_class), count(*) filter (where c.status <> 'duplicate'), sum(c.cost_usd)
  from pigou.call c join pigou.tenant t using (tenant_id)
 where (c.conversation_id = %(q)s or c.user_id = %(q)s or c.response_id = %(q)s or encode(c.trace_id, 'hex') = %(q)s)
   and c.started_at >= %(since)s and c.started_at < %(until)s and (%(tenants)s::text[] is null or t.tenant = any (%(tenants)s))
 group by 2, 3 order by 1 desc, 3, 2 limit %(limit)s
"""
NAIVE_POSTINGS = """
select occurred_at, kind, account, commodity, quantity, rate_usd, amount_usd, posted_on, tenant, entry_id, trace_id
  from ledger.postings
 where (account = %(account)s or starts_with(account, %(account)s || ':')) and book = 'cash'
   and occurred_at >= %(since)s and occurred_at < %(until)s and (%(tenants)s::text[] is null or tenant = any (%(tenants)s))
   and (%(day)s::date is null or posted_on = %(day)s)
 order by entry_id desc, commodity, account, quantity, tenant limit %(limit)s
"""


@pytest.fixture(scope="module")
def mixed(server: str, template: str) -> Iterator[str]:
    """Books of three tenants over sixty days: ids of every kind that are the same, times that are, times before midnight by a
    hair, copies, what came after its period was closed (of one tenant it is open again), and what was
    priced later.
    """
    draw = random.Random(7)
    with cloned(server, template, "single_rows") as dsn, connect(dsn, "writer") as writer:
        price(writer)
        for number, tenant in enumerate(TENANTS):
            spans = [
                chat(
                    draw.randrange(1, 40), 1000 * number + span,
                    model=draw.choice(("m1", "m1", "m2")), input=draw.choice((100, 7)),
                    at=LAST - DAY_S * draw.choice((0, 0, 1, 2, 15, 40, 59)) + draw.choice((0.0, 0.0, 3600.0, -0.0003, -0.0006)),
                    id=draw.choice((None, f"r{number}-{span}", *IDS)),
                    gen_ai__conversation__id=draw.choice((None, f"c{span % 9}", *IDS)), user__id=draw.choice((None, None, *IDS)),
                    server__port=draw.choice((None, 11434)),
                )
                for span in range(1, 120)
            ]  # fmt: skip
            book(dsn, [export(agent(7, 1000 * number + 900, at=LAST), *spans[:90], tenant=tenant)])
            if number < 2:
                close(writer, tenant, (AT + timedelta(seconds=LAST - 2 * DAY_S)).date(), who="ann")
            book(dsn, [export(*spans[90:], tenant=tenant)])
            if number == 1:
                reopen(writer, tenant, (AT + timedelta(seconds=LAST - 30 * DAY_S)).date(), who="ann", note="too early")
        price(writer, model="m2")
        for tenant in TENANTS:
            rerate(writer, one(writer, "select tenant_id from pigou.tenant where tenant = %s", tenant))
        yield dsn


def asked(search: str) -> dict[str, Any]:
    """The same window as the page's own, for the naive query."""
    filters = parse("?" + search)
    window = filters.window(NOW)
    return {
        "since": window.since.replace(second=0, microsecond=0) if window.since else "-infinity",
        "until": window.until.replace(second=0, microsecond=0) if window.until else "infinity",
        "tenants": list(filters.where["tenant"]) if "tenant" in filters.where else None,
    }


@pytest.mark.parametrize("search", WINDOWS)
def test_what_names_an_id_is_what_a_look_at_every_call_finds(mixed: str, search: str) -> None:
    met = 0
    with connect(mixed, "reader") as reader, connect(mixed, "owner") as owner:
        for sought in (*IDS, "c3", "r1-5", "no such id", "", f"{7:032x}"[:16]):
            for limit in (1, 2, 7, ROWS_SHOWN):
                wanted = owner.execute(NAIVE_CALLS, {"q": sought, "limit": limit, **asked(search)}).fetchall()
                text = statement("found", parse("?" + search), NOW, values={"q": sought}, limit=limit).text
                assert rows(reader, text) == wanted, (sought, limit)
                met += len(wanted)
    assert met > 100


def test_an_answer_whose_key_is_past_its_retention_is_found(
    dsn: str, reader: psycopg.Connection, owner: psycopg.Connection
) -> None:
    text = statement("found", parse("?range=all"), NOW, values={"q": "resp-of-a-past-month"}).text
    assert rows(reader, text) == [], "there are no calls yet"
    book(dsn, [export(chat(1, 1, id="resp-of-a-past-month", litellm__call_id="g"), chat(2, 1, at=5, id="resp-of-another"))])
    found = rows(reader, text)
    assert [row[2:4] for row in found] == [(f"{1:032x}", "answer")]
    run(owner, "delete from pigou.call_key")
    assert rows(reader, text) == []
    run(owner, "update pigou.retention set kept_since = %s where kind = 'records'", AT + timedelta(seconds=2))
    assert rows(reader, text) == found


@pytest.mark.parametrize("search", WINDOWS)
def test_the_postings_of_an_account_are_what_a_look_at_every_posting_finds(mixed: str, search: str) -> None:
    met = 0
    with connect(mixed, "reader") as reader:
        accounts = [row[0] for row in rows(reader, "select distinct account from ledger.balances")]
        late = one(reader, "select max(posted_on) from ledger.postings where posted_on > (occurred_at at time zone 'UTC')::date")
        assert late is not None, "something came after its period was closed"
        for account in (*accounts, "expenses", "liabilities:payable", "no such account", "expenses:no'thing"):
            for day, limit in ((None, 1), (None, 5), (None, ROWS_SHOWN), (late, 3), (late, ROWS_SHOWN)):
                of = {"account": account, "day": day, "limit": limit, **asked(search)}
                wanted = reader.execute(NAIVE_POSTINGS, of).fetchall()
                filters = parse(f"?{search}&book=cash&account={account}" + (f"&day={day}" if day else ""))
                text = statement("statement_entries", filters, NOW, limit=limit).text
                assert rows(reader, text) == wanted, (account, day, limit)
                met += len(wanted)
    assert met > 100


def test_a_download_has_every_posting(mixed: str) -> None:
    with connect(mixed, "reader") as reader:
        text = statement("statement_entries", parse("?range=all&book=cash&account=expenses"), NOW, limit=None).text
        assert len(rows(reader, text)) == one(
            reader, "select count(*) from ledger.postings where starts_with(account, 'expenses:') and book = 'cash'"
        )


def test_nothing_is_found_of_a_tenant_that_nobody_is(mixed: str) -> None:
    with connect(mixed, "reader") as reader:
        for name, search in (
            ("found", "range=all&tenant=nobody"),
            ("statement_entries", "range=all&account=expenses&tenant=nobody"),
        ):
            assert rows(reader, statement(name, parse("?" + search), NOW, values={"q": "shared"}).text) == []


def test_what_moved_on_an_account_is_what_its_postings_say(mixed: str) -> None:
    with connect(mixed, "reader") as reader:
        moved = "select distinct tenant, book, account, commodity from ledger.{} order by 1, 2, 3, 4"
        wanted = rows(reader, moved.format("postings"))
        assert len(wanted) > 10
        assert rows(reader, moved.format("account_commodities")) == wanted


# ── what is read for it ──────────────────────────────────────────────────────────────────────────────


@contextmanager
def days_alike(server: str, template: str, name: str, calls: int) -> Generator[str]:
    """Forty days of so many calls each, all day long, of which one names an id, and one alone is of another model."""
    with cloned(server, template, name) as dsn, connect(dsn, "owner") as owner:
        price(owner)
        price(owner, model="rare")
        spans = [
            chat(100 * day + call, 1, at=LAST + (call / (calls + 1) - day) * DAY_S,
                 model="rare" if (day, call) == (20, 1) else "m1", id=f"resp-{day}-{call}-of-many",
                 gen_ai__conversation__id=f"c-{day}-{call}", user__id="everybody")
            for day in range(40)
            for call in range(1, calls + 1)
        ]  # fmt: skip
        book(dsn, [export(*spans)])
        run(owner, "vacuum analyze")
        yield dsn


@pytest.fixture(scope="module")
def even(server: str, template: str) -> Iterator[str]:
    """Days of twelve calls."""
    with days_alike(server, template, "even_days", 12) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def busy(server: str, template: str) -> Iterator[str]:
    """Days of so many calls that to read one whole is dearer than to look the id up in it, whatever the day of the month is."""
    with days_alike(server, template, "busy_days", 60) as dsn:
        yield dsn


def read(dsn: str, text: str, table: str) -> tuple[int, int]:
    """How many rows a statement answers, and how many rows of a table are read for it."""
    with connect(dsn, "reader", autocommit=False) as reader:
        run(reader, "set local enable_seqscan = off")  # the tables of a test are so small that reading all of them is cheaper
        answered = len(rows(reader, text))
        counted = "select coalesce(sum(seq_tup_read + idx_tup_fetch), 0) from pg_stat_xact_user_tables where relname ~ %s"
        return answered, int(one(reader, counted, rf"^{table}_(\d{{6}}|default)$"))


@pytest.mark.parametrize(
    ("sought", "answered", "most"),
    [("c-17-3", 1, 12), ("resp-30-4-of-many", 1, 12), ("nobody", 0, 8), (f"{100 * 5 + 2:032x}", 1, 12), ("everybody", 5, 130)],
)
def test_no_other_call_is_read_for_one_that_is_sought(busy: str, sought: str, answered: int, most: int) -> None:
    text = statement("found", parse("?range=all"), NOW, values={"q": sought}, limit=5).text
    came, looked_at = read(busy, text, "call")
    assert came == answered
    assert looked_at <= most, "of 2,400"


@pytest.mark.parametrize(
    ("account", "search", "answered", "most"),
    [
        ("liabilities:payable:acme", "range=all", 5, 12),
        ("expenses", "range=60d&tenant=default", 5, 12),
        ("expenses:none", "range=all", 0, 0),
        ("rare", "range=all", 2, 24),
    ],
)
def test_no_other_posting_is_read_than_the_latest_of_days_on_which_the_account_moved(
    even: str, account: str, search: str, answered: int, most: int
) -> None:
    with connect(even, "reader") as reader:
        rare = one(reader, "select account from ledger.balances where account ~ ':rare$' limit 1")
    account = rare if account == "rare" else account
    text = statement("statement_entries", parse(f"?{search}&book=cash&account={account}"), NOW, limit=5).text
    came, looked_at = read(even, text, "transfer")
    assert came == answered
    assert looked_at <= most, "of 960"


def test_a_look_at_every_row_would_be_seen(even: str) -> None:
    assert read(even, "select count(*) from ledger.calls where user_id = 'nobody'", "call") == (1, 480)
    assert read(even, "select sum(quantity) from ledger.postings", "transfer")[1] >= 960
