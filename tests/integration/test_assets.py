"""Assets of caches and rollouts: capitalised, depreciated by what reads saved, written off; made again when more is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analyzers.capital.assets import Asset
from analyzers.capital.book import Booked, write
from analyzers.capital.capitalise import capitalise
from analyzers.pipeline import run_round
from ledger import check
from ledger.database import connect
from ledger.periods import close
from ledger.post import open_tenants
from tests.books import AT, agent, books, chat, cloned, export, one, plain, price, rows, run
from tests.desk import book

PREMIUM = Decimal("0.004")
"""Of 8,000 tokens written at $2.50 a million, where fresh input is $2."""
NOW = AT + timedelta(days=1)
DAY = timedelta(days=1)
TWICE = """
insert into pigou.asset
select a.tenant_id, gen_random_uuid(), 'cache', a.item, c.trace_id, c.span_id, a.since, a.tokens, 0, 0, 0, null, ''
  from pigou.asset a join pigou.call c on c.tenant_id = a.tenant_id and c.trace_id = a.trace_id and a.kind = 'rollouts'
"""
ANOTHER = """
insert into pigou.asset
select tenant_id, gen_random_uuid(), kind, 'another', trace_id, span_id, since, tokens, 1, 0, 0, ends_at, why from pigou.asset
"""


@pytest.fixture(scope="module")
def assets_dsn(server: str, template: str) -> Iterator[str]:
    """One database, a tenant for each test."""
    with cloned(server, template, "pigou_assets") as dsn:
        with connect(dsn, "owner") as owner:
            price(owner)
        yield dsn


@pytest.fixture
def books_of(assets_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(assets_dsn, "writer") as connection:
        yield connection


def written(trace: int, at: float = 0.0, **more: Any) -> Span:
    """A call that writes 8,000 tokens."""
    return chat(trace, 1, input=10_000, written=8_000, at=at, **more)


def read(trace: int, span: int, at: float, tokens: int = 8_000) -> Span:
    """A call that reads what was written before."""
    return chat(trace, span, input=10_000, cached=tokens, at=at)


def told(connection: psycopg.Connection, tenant: str) -> list[tuple[Any, ...]]:
    """Assets with their sums, in order of time."""
    return rows(
        connection,
        "select kind, item, capitalised_usd, depreciated_usd, written_off_usd, carrying_usd, why from ledger.assets"
        " where tenant = %s order by since, trace_id",
        tenant,
    )


def entries(connection: psycopg.Connection, tenant: str) -> tuple[int, int]:
    """How many entries of assets were booked, and how many reversed."""
    return one(
        connection,
        "select count(*) filter (where kind = 'capital'), count(*) filter (where kind = 'reversal') from ledger.entries"
        " where tenant = %s and source = 'capitalise'",
        tenant,
    )


def faults(connection: psycopg.Connection) -> list[str]:
    return [example for result in check.run(connection) if not result.ok for example in result.examples]


def test_a_premium_is_repaid_by_reads_or_written_off_and_the_bill_stays(assets_dsn: str, books_of: psycopg.Connection) -> None:
    partly = chat(3, 1, input=10_000, written=8_000, at=0), read(3, 2, 20, 1_000)
    rolled_out = chat(4, 1, input=10_000, written=8_000, at=0, allocation__use="rollout", gen_ai__agent__name="trainer")
    free = chat(5, 1, input=10_000, at=0)
    # The last call's lifetime is over for less than the grace, in which reads may still be on their way.
    waits = written(6, at=DAY.total_seconds() - 600)
    spans = [written(1), read(1, 2, 10), read(1, 3, 400), written(2), *partly, rolled_out, free, waits]
    book(assets_dsn, [export(*spans, tenant="acme")])
    before = rows(
        books_of, "select account, sum(amount_usd) from ledger.balances where tenant = 'acme' and book = 'cash' group by 1"
    )
    capitalise(books_of, now=NOW)
    # Four writes and one batch, two reads that save something, two writes that nobody repaid.
    assert entries(books_of, "acme") == (5 + 2 + 2, 0)
    part, item = Decimal("0.0018"), "acme:m1"
    assert told(books_of, "acme") == [
        ("cache", item, PREMIUM, PREMIUM, 0, 0, "reads repaid it"),
        ("cache", item, PREMIUM, 0, PREMIUM, 0, "no read saved anything; its lifetime passed"),
        ("cache", item, PREMIUM, part, PREMIUM - part, 0, "reads repaid a part; its lifetime passed"),
        ("rollouts", "trainer", Decimal("0.0241"), 0, 0, Decimal("0.0241"), "it waits for an update"),
        ("cache", item, PREMIUM, 0, 0, PREMIUM, "reads may still save what is left"),
    ]
    assert one(
        books_of,
        "select sum(capitalised_usd), sum(depreciated_usd), sum(written_off_usd) from ledger.assets_daily"
        " where tenant = 'acme' and kind = 'cache' and item = %s",
        item,
    ) == (4 * PREMIUM, PREMIUM + part, 2 * PREMIUM - part)
    after = rows(
        books_of, "select account, sum(amount_usd) from ledger.balances where tenant = 'acme' and book = 'cash' group by 1"
    )
    assert sorted(after) == sorted(before), "what is billed stays as it was"
    assert faults(books_of) == []
    # Every step names what caused it.
    steps = (
        "select a.step, a.at, a.amount_usd, a.trace_id, a.span_id"
        "  from ledger.asset_entries a join ledger.entries e using (tenant, entry_id, trace_id)"
        " where tenant = 'acme' and asset_trace_id = lpad('3', 32, '0') order by a.at"
    )
    assert rows(books_of, steps) == [
        ("capitalised", AT, PREMIUM, f"{3:032x}", f"{1:016x}"),
        ("depreciated", AT + timedelta(seconds=20), part, f"{3:032x}", f"{2:016x}"),
        ("written off", AT + timedelta(seconds=320), PREMIUM - part, f"{3:032x}", f"{1:016x}"),
    ]


def test_again_changes_nothing_and_time_alone_writes_off(assets_dsn: str, books_of: psycopg.Connection) -> None:
    book(assets_dsn, [export(written(1), tenant="again")])
    capitalise(books_of, now=AT + timedelta(minutes=14))
    assert entries(books_of, "again") == (1, 0)
    said = books(books_of, "again")
    run(books_of, "insert into pigou.asset_due select tenant_id, 'cache', %s from pigou.tenant", AT.date())
    capitalise(books_of, now=AT + timedelta(minutes=14))
    assert entries(books_of, "again") == (1, 0)
    assert books(books_of, "again") == said
    capitalise(books_of, now=AT + timedelta(minutes=16))
    assert entries(books_of, "again") == (2, 0), "its lifetime and the grace are over"
    [(_, _, capitalised, _, written_off, carrying, _)] = told(books_of, "again")
    assert (capitalised, written_off, carrying) == (PREMIUM, PREMIUM, 0)


def test_late_reads_and_late_prices_give_the_books_of_those_in_time(assets_dsn: str, books_of: psycopg.Connection) -> None:
    """Fault: what was written off stays so although it was read, or an asset stays at a premium that was corrected."""
    late = [written(1), read(1, 2, 100)]
    book(assets_dsn, [export(late[0], tenant="late")])
    capitalise(books_of, now=NOW)
    assert told(books_of, "late")[0][4] == PREMIUM
    book(assets_dsn, [export(late[1], tenant="late")])
    capitalise(books_of, now=NOW)
    assert entries(books_of, "late") == (3, 1)
    corrected = {"cache_write_tokens": "4", "cache_read_tokens": "1"}
    price(books_of, corrected, tenant="late")
    run_round(books_of)
    capitalise(books_of, now=NOW)
    # 8,000 tokens at $2 a million more than fresh input, of which a read saves half.
    assert [row[2:6] for row in told(books_of, "late")] == [(Decimal("0.016"), Decimal("0.008"), Decimal("0.008"), 0)]
    price(books_of, corrected, tenant="early")
    book(assets_dsn, [export(*late, tenant="early")])
    capitalise(books_of, now=NOW)
    assert told(books_of, "late") == told(books_of, "early")
    accrued = "select account, sum(amount_usd) from ledger.balances where book = 'accrual' and tenant = %s group by 1 order by 1"
    assert rows(books_of, accrued, "late") == rows(books_of, accrued, "early")
    assert faults(books_of) == []


def test_what_is_taken_back_leaves_nothing_and_may_come_again(assets_dsn: str, books_of: psycopg.Connection) -> None:
    book(assets_dsn, [export(written(1), read(1, 2, 10), written(2), tenant="back")])
    capitalise(books_of, now=NOW)
    before, tenant_id = told(books_of, "back"), open_tenants(books_of, ["back"])["back"]
    with books_of.transaction():
        assert write(books_of, tenant_id, "cache", AT - DAY, AT + DAY, list[Asset]()) == Booked(0, 4)
    assert told(books_of, "back") == []
    assert rows(books_of, "select * from ledger.balances where tenant = 'back' and book = 'accrual'") == []
    assert faults(books_of) == []
    run(books_of, "insert into pigou.asset_due values (%s, 'cache', %s) on conflict do nothing", tenant_id, AT.date())
    capitalise(books_of, now=NOW)
    assert told(books_of, "back") == before
    assert entries(books_of, "back") == (8, 4)
    assert faults(books_of) == []


@pytest.mark.parametrize(
    ("tampered", "fails"),
    [
        ("update pigou.asset set depreciated_usd = depreciated_usd - 0.001 where depreciated_usd > 0", "assets_equal_books"),
        ("update pigou.asset_entry set entry_id = null where step = 'depreciated'", "assets_equal_books"),
        ("delete from pigou.asset where written_off_usd > 0", "assets_equal_books"),
        ("update pigou.asset set capitalised_usd = capitalised_usd + 0.001", "assets_are_sums"),
        (ANOTHER, "assets_are_sums"),
        (TWICE, "assets_are_sums"),
    ],
)  # fmt: skip
def test_the_check_sees_what_was_tampered_with(assets_dsn: str, books_of: psycopg.Connection, tampered: str, fails: str) -> None:
    if not told(books_of, "tampered"):
        book(assets_dsn, [export(written(1), read(1, 2, 10), written(2), *batch(3), tenant="tampered")])
        capitalise(books_of, now=NOW)
    assert check.one(books_of, fails).ok
    with books_of.transaction(force_rollback=True):
        run(books_of, tampered)
        assert not check.one(books_of, fails).ok


def test_late_reads_of_a_closed_day_are_booked_on_the_first_open_one(assets_dsn: str, books_of: psycopg.Connection) -> None:
    book(assets_dsn, [export(written(1), tenant="closed")])
    capitalise(books_of, now=NOW)
    close(books_of, "closed", AT.date(), who="ann")
    book(assets_dsn, [export(read(1, 2, 100), tenant="closed")])
    capitalise(books_of, now=NOW)
    posted = (
        "select posted_on, kind, count(*) from ledger.entries where tenant = 'closed' and source = 'capitalise'"
        " group by posted_on, kind order by posted_on, kind"
    )
    assert rows(books_of, posted) == [
        (AT.date(), "capital", 2), ((AT + DAY).date(), "capital", 1), ((AT + DAY).date(), "reversal", 1),
    ]  # fmt: skip
    assert faults(books_of) == []


def test_what_there_is_no_time_for_stays_due(assets_dsn: str, books_of: psycopg.Connection) -> None:
    days = [export(written(n + 1, at=n * DAY.total_seconds()), tenant="long") for n in range(3)]
    book(assets_dsn, days)
    assert capitalise(books_of, now=AT + 5 * DAY, for_s=0.0).days == 1
    assert one(books_of, "select count(*) from pigou.asset_due") > 1
    capitalise(books_of, now=AT + 5 * DAY)
    assert one(books_of, "select count(*) from pigou.asset_due") == 0
    assert len(told(books_of, "long")) == 3


def batch(number: int, at: float = 0.0) -> list[Span]:
    """A batch of rollouts, judged."""
    return [
        agent(number, 1, name="trainer", at=at, allocation__use="rollout"),
        chat(number, 2, 1, input=1_000, output=500, at=at + 1, allocation__use="rollout"),
        chat(number, 3, 1, input=1_000, output=500, at=at + 3, allocation__use="reward"),
    ]


def consumed(number: int, at: float) -> Span:
    """The update that consumed it, which says nothing of versions or gains."""
    span = plain(number + 500, 1, name="policy_update", at=at, allocation__use="update", gen_ai__agent__name="trainer")
    link = span.links.add()
    link.trace_id, link.span_id = number.to_bytes(16, "big"), (1).to_bytes(8, "big")
    return span


def test_a_batch_is_used_up_by_its_update_or_left_behind(assets_dsn: str, books_of: psycopg.Connection) -> None:
    cost = Decimal("0.007")
    book(assets_dsn, [export(*batch(1), *batch(2, 60), tenant="trains")])
    capitalise(books_of, now=NOW)
    assert [row[5] for row in told(books_of, "trains")] == [cost, cost]
    book(assets_dsn, [export(consumed(1, 600), tenant="trains")])
    capitalise(books_of, now=NOW)
    assert entries(books_of, "trains") == (3, 0)
    week = AT + timedelta(days=7, seconds=600)
    capitalise(books_of, now=week)
    assert entries(books_of, "trains") == (3, 0)
    capitalise(books_of, now=week + timedelta(minutes=11))
    assert entries(books_of, "trains") == (4, 0)
    assert told(books_of, "trains") == [
        ("rollouts", "trainer", cost, cost, 0, 0, "an update consumed it"),
        ("rollouts", "trainer", cost, 0, cost, 0, "its run ended without consuming it"),
    ]
    assert faults(books_of) == []
    # What was consumed stays so when the update's record is past its retention.
    with connect(assets_dsn, "owner") as owner:
        assert run(owner, "delete from pigou.record where use = 'update'").rowcount == 1
    run(
        books_of,
        "insert into pigou.asset_due select tenant_id, 'rollouts', %s from pigou.tenant where tenant = 'trains'",
        AT.date(),
    )
    capitalise(books_of, now=week + timedelta(minutes=11))
    assert entries(books_of, "trains") == (4, 0)
