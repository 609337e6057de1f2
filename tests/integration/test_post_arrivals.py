"""Posting itself, fed directly: what arrivals become in the books, without a collector."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest

from ledger import check
from ledger.arrivals import Arrivals, NewCall, NewControl, NewRecord, Posted, Rejection
from ledger.commodities import COMMODITIES
from ledger.database import connect
from ledger.memory import WriterMemory
from ledger.post import lock_tenants, open_tenants, post
from ledger.ready import ready
from tests.books import AT, PRICES, books, one, price, rows

NOON_US = int(AT.timestamp()) * 1_000_000
RESOURCE = "00000000-0000-0000-0000-000000000001"


def record(
    span: int, *, trace: int = 1, parent: int | None = None, role: str = "call", content: bytes = b"a", at_s: int = 0
) -> NewRecord:
    started_us = NOON_US + at_s * 1_000_000
    return NewRecord(
        trace_id=trace.to_bytes(16, "big"), span_id=span.to_bytes(8, "big"), started_us=started_us, ended_us=started_us + 500_000,
        parent_span_id=parent.to_bytes(8, "big") if parent else None, signal="span", role=role, name="chat m1", kind=3,
        status_code=0, status_message=None, service="agents", scope_name="s", scope_version="1", resource_id=RESOURCE, agent=None,
        task_class=None, layer=None, use=None, attributes_json=b"{}", events_json=None, links_json=None,
        content_hash=content.rjust(16, b"\0"),
    )  # fmt: skip


def call(leaves: dict[str, int], *, keys: tuple[str, ...] = (), problem: str | None = None, **more: Any) -> NewCall:
    given: dict[str, Any] = {
        "dialect": "test", "confidence": "explicit", "operation": "chat", "provider": "acme", "model": "m1",
        "rate_provider": "acme", "rate_model": "m1", "service_tier": "standard", "layer": "action", "layer_source": "explicit",
        "use": "act", "use_source": "explicit", "conversation_id": None, "user_id": None, "leaves": leaves,
        "total_input_tokens": sum(n for leaf, n in leaves.items() if "output" not in leaf and "requests" not in leaf),
        "claimed_cost_usd": None, "response_id": None, "keys": keys, "strength": 1, "problem": problem,
    }  # fmt: skip
    return NewCall(**{**given, **more})


def arrivals(*pairs: tuple[NewRecord, NewCall | None], tenant: str = "t", **more: Any) -> Arrivals:
    records = [ready(record, call) for record, call in pairs]
    return Arrivals(tenant, records=records, resources={RESOURCE: '{"service.name": "agents"}'}, requests=1, **more)


def commit(connection: psycopg.Connection, *batch: Arrivals, memory: WriterMemory | None = None) -> list[Posted]:
    with connection.transaction():
        return post(connection, batch, 0, memory or WriterMemory())


def proven(connection: psycopg.Connection) -> dict[str, int]:
    """Violations by check; a check that looked at nothing proves nothing, and is left out."""
    return {result.name: result.violations for result in check.run(connection) if result.checked}


def test_a_call_becomes_one_entry_of_a_line_per_leaf(writer: psycopg.Connection) -> None:
    price(writer)
    leaves = {"input_tokens": 1000, "cache_read_tokens": 4000, "output_tokens": 100}
    [posted] = commit(writer, arrivals((record(1), call(leaves))))
    assert posted.calls == {"booked": 1}
    assert writer.execute(
        "select account, commodity, quantity, rate_usd, amount_usd from ledger.postings where amount_usd > 0 order by line"
    ).fetchall() == [
        ("expenses:action:act:acme:m1", "input_tokens", 1000, Decimal("0.000002"), Decimal("0.002")),
        ("expenses:action:act:acme:m1", "cache_read_tokens", 4000, Decimal("0.0000002"), Decimal("0.0008")),
        ("expenses:action:act:acme:m1", "output_tokens", 100, Decimal("0.00001"), Decimal("0.001")),
    ]
    assert one(writer, "select sum(amount_usd) from ledger.postings where account = 'liabilities:payable:acme'") == Decimal(
        "-0.0038"
    )
    assert one(writer, "select cost_usd from ledger.calls") == Decimal("0.0038")
    assert set(proven(writer).values()) == {0}
    assert proven(writer).keys() >= {"trial_balance", "balances_are_sums", "one_live_entry", "no_orphans", "calls_equal_books"}


def test_every_commodity_adds_up_in_the_column_of_its_kind(writer: psycopg.Connection) -> None:
    """A leaf of another modality is input or output all the same: the columns of a call are sums by kind."""
    tokens = [c for c in COMMODITIES if c.unit == "token"]
    price(writer, dict.fromkeys((c.commodity for c in COMMODITIES if c.commodity_id < 100), "1"))
    leaves = {c.commodity: 10 + n for n, c in enumerate(tokens)}
    commit(writer, arrivals((record(1), call({**leaves, "web_searches": 3, "input_pixels": 5}))))
    by_kind = {kind: sum(leaves[c.commodity] for c in tokens if c.kind == kind) for kind in {c.kind for c in tokens}}
    row = one(
        writer, "select input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens from ledger.calls"
    )
    assert row == tuple(by_kind[kind] for kind in ("fresh", "cache_read", "cache_write", "plain", "reasoning"))


def test_what_a_record_does_not_report_stays_unknown(writer: psycopg.Connection) -> None:
    price(writer)
    commit(writer, arrivals((record(1), call({"input_tokens": 7}))))
    counts = "select input_tokens, cache_read_tokens, output_tokens, reasoning_tokens from ledger.calls"
    assert one(writer, counts) == (7, None, None, None)


@pytest.mark.parametrize(("rated", "cost"), [(False, "0.0002"), (True, "0.0102")])
def test_a_fee_per_request_is_charged_where_there_is_one(writer: psycopg.Connection, rated: bool, cost: str) -> None:
    price(writer, {**PRICES, "requests": "10000"} if rated else PRICES)
    commit(writer, arrivals((record(1), call({"input_tokens": 100}))))
    assert one(writer, "select cost_usd from ledger.calls") == Decimal(cost)
    assert set(proven(writer).values()) == {0}


def test_a_call_without_a_price_for_one_kind_waits_as_a_whole(writer: psycopg.Connection) -> None:
    price(writer, {"input_tokens": "2"})
    commit(writer, arrivals((record(1), call({"input_tokens": 100, "output_tokens": 5}))))
    assert one(writer, "select status, cost_usd, reason from ledger.calls") == ("unpriced", None, "no rate for output_tokens")
    assert writer.execute(
        "select account, commodity, quantity, unpriced_quantity, amount_usd from ledger.balances"
        " where account like 'suspense%' order by commodity"
    ).fetchall() == [
        ("suspense:unpriced", "input_tokens", 100, 0, Decimal("0.0002")),
        ("suspense:unpriced", "output_tokens", 5, 5, 0),
    ]
    assert set(proven(writer).values()) == {0}


def test_an_unreadable_call_waits_as_one_request_of_unknown_cost(writer: psycopg.Connection) -> None:
    commit(writer, arrivals((record(1), call({}, problem="negative_leaf: 5 of 3"))))
    assert one(writer, "select status, cost_usd, reason, input_tokens from ledger.calls") == (
        "suspense", None, "negative_leaf: 5 of 3", None,
    )  # fmt: skip
    waiting = "select quantity, unpriced_quantity, amount_usd from ledger.balances where account = 'suspense:unreadable'"
    assert one(writer, waiting) == (1, 1, 0)
    assert set(proven(writer).values()) == {0}


# ── copies, and what is learnt later ─────────────────────────────────────────────────────────────────

GATEWAY = call({"input_tokens": 100, "output_tokens": 5}, keys=("response:r",))
TELLS_MORE = call({"input_tokens": 60, "cache_read_tokens": 40, "output_tokens": 5}, keys=("response:r",))


def test_a_stronger_copy_that_comes_later_takes_the_place_of_the_weaker(writer: psycopg.Connection) -> None:
    price(writer)
    commit(writer, arrivals((record(1, trace=1), GATEWAY)))
    commit(writer, arrivals((record(2, trace=2), TELLS_MORE)))
    told = "select right(span_id, 1), status, cost_usd, right(copy_of_span_id, 1) from ledger.calls order by 1"
    assert rows(writer, told) == [
        ("1", "duplicate", None, "2"),
        ("2", "booked", Decimal("0.000178"), None),
    ]
    assert rows(writer, "select kind from ledger.entries order by kind") == [("call",), ("call",), ("reversal",)]
    assert one(writer, "select sum(amount_usd) from ledger.balances where kind = 'expense'") == Decimal("0.000178")
    assert set(proven(writer).values()) == {0}


def test_an_unreadable_copy_that_is_told_apart_later_says_again_why_it_is_unreadable(writer: psycopg.Connection) -> None:
    """First nested in a call that looks like its copy; then a tool turns out to stand between the two."""
    price(writer)
    unread = call({}, problem="negative_leaf: 5 of 3")
    commit(writer, arrivals((record(1), GATEWAY), (record(2, parent=1, role="plain"), None), (record(3, parent=2), unread)))
    assert one(writer, "select status from ledger.calls where span_id like '%3'") == "duplicate"
    commit(writer, arrivals((record(4, parent=1), GATEWAY)))
    assert one(writer, "select status, reason from ledger.calls where span_id like '%3'") == ("suspense", "negative_leaf: 5 of 3")
    assert set(proven(writer).values()) == {0}


def test_a_copy_learns_why_it_is_one(writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    """An outer record is a copy of the one call inside it, until a second call shows that it sums both."""
    price(writer)
    outer, first, second = (record(1), GATEWAY), (record(2, parent=1, at_s=1), TELLS_MORE), (record(3, parent=1, at_s=2), GATEWAY)
    for tenant, groups in {"late": [[outer, first], [second]], "at once": [[outer, first, second]]}.items():
        for group in groups:
            plain = [(r, msgspec.structs.replace(c, keys=())) for r, c in group]
            commit(writer, arrivals(*plain, tenant=tenant))
    assert books(reader, "late") == books(reader, "at once")


def test_a_repeated_record_changes_nothing_and_another_of_its_key_is_kept_as_a_conflict(writer: psycopg.Connection) -> None:
    price(writer)
    first = arrivals((record(1), GATEWAY))
    commit(writer, first)
    before = books(writer, "t")
    assert commit(writer, first)[0] == Posted("t", records=0, duplicates=1)
    assert commit(writer, arrivals((record(1, content=b"b"), TELLS_MORE)))[0] == Posted("t", records=0, conflicts=1)
    assert books(writer, "t") == before
    assert one(writer, "select count(*) from ledger.conflicts") == 1
    assert one(writer, "select count(*) from ledger.entries") == 1


@pytest.mark.parametrize("split", [False, True])
def test_of_two_contents_of_one_key_the_first_stands_wherever_the_cut_is(writer: psycopg.Connection, split: bool) -> None:
    """The first says nothing of a call; the second, a conflict, may not lend it one."""
    price(writer)
    first, second = arrivals((record(1, role="plain"), None)), arrivals((record(1, content=b"b"), GATEWAY))
    for batch in [[first], [second]] if split else [[first, second]]:
        commit(writer, *batch)
    assert one(writer, "select count(*) from ledger.calls") == 0
    assert one(writer, "select role from ledger.spans") == "plain"
    assert one(writer, "select count(*) from ledger.conflicts") == 1


def test_control_totals_and_rejections_are_kept(writer: psycopg.Connection) -> None:
    given = arrivals(rejections=[Rejection("span", "decode", "bad_trace_id", "too short")])
    given.records = [ready(record(1, role="control"), control=NewControl("test", 100, 5, Decimal("0.1")))]
    assert commit(writer, given)[0] == Posted("t", records=1, rejected=1)
    assert one(writer, "select input_tokens, output_tokens, cost_usd, status from ledger.control_totals") == (
        100, 5, Decimal("0.1"), "unchecked",
    )  # fmt: skip
    assert one(writer, "select stage, code, detail from ledger.rejections") == ("decode", "bad_trace_id", "too short")


# ── transactions ─────────────────────────────────────────────────────────────────────────────────────


def test_a_transaction_that_is_rolled_back_leaves_nothing_behind_in_memory(writer: psycopg.Connection) -> None:
    price(writer)
    memory = WriterMemory()
    with writer.transaction(force_rollback=True):
        post(writer, [arrivals((record(1), GATEWAY))], 0, memory)
    memory.rolled_back()
    assert one(writer, "select count(*) from pigou.account") == 0
    commit(writer, arrivals((record(1), GATEWAY)), memory=memory)
    assert set(proven(writer).values()) == {0}


def in_threads(*works: Callable[[], None]) -> None:
    """Run at the same time; raises the first failure."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:  # noqa: BLE001 - carried to the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


def test_two_writers_that_meet_a_new_tenant_agree_on_it(dsn: str, writer: psycopg.Connection) -> None:
    """The second waits for the first to commit, and then takes its tenant instead of failing on the name."""
    with connect(dsn, "writer") as other:
        found: dict[str, int] = {}
        with writer.transaction():
            mine = open_tenants(writer, ["new"])
            waiting = threading.Thread(target=lambda: found.update(open_tenants(other, ["new"])))
            waiting.start()
            waiting.join(0.3)
            assert waiting.is_alive(), "the second writer did not wait"
        waiting.join(10)
        assert found == mine


def test_writers_of_known_tenants_do_not_wait_for_each_other(dsn: str, writer: psycopg.Connection) -> None:
    ids = open_tenants(writer, ["a", "b"])
    with connect(dsn, "writer") as other, writer.transaction():
        open_tenants(writer, ["a"])
        lock_tenants(writer, [ids["a"]])
        other.execute("set lock_timeout = '2s'")
        with other.transaction():
            open_tenants(other, ["b"])
            lock_tenants(other, [ids["b"]])


def test_two_writers_of_one_tenant_take_turns(dsn: str, writer: psycopg.Connection) -> None:
    """Each brings a copy of one call: the second must see the first's before it judges, or both would be booked."""
    price(writer)
    open_tenants(writer, ["t"])
    with connect(dsn, "writer") as other:
        second = threading.Thread(target=lambda: commit(other, arrivals((record(2, trace=2), TELLS_MORE))))
        with writer.transaction():
            post(writer, [arrivals((record(1, trace=1), GATEWAY))], 0, WriterMemory())
            second.start()
            second.join(0.5)
            assert second.is_alive(), "the second writer did not wait"
        second.join(20)
    assert rows(writer, "select status, count(*) from ledger.calls group by 1 order by 1") == [("booked", 1), ("duplicate", 1)]
    assert set(proven(writer).values()) == {0}


def test_two_writers_of_one_tenant_lose_nothing(dsn: str, writer: psycopg.Connection) -> None:
    price(writer)

    def write(slot: int) -> None:
        with connect(dsn, "writer") as connection:
            memory = WriterMemory()
            for n in range(20):
                given = arrivals((record(n + 1, trace=slot + 1, at_s=n), call({"input_tokens": 10}, use=f"use{n % 3}")))
                with connection.transaction():
                    post(connection, [given], slot, memory)
                memory.committed()

    in_threads(lambda: write(0), lambda: write(1), lambda: write(2))
    assert one(writer, "select count(*), sum(cost_usd) from ledger.calls") == (60, Decimal("0.0012"))
    assert set(proven(writer).values()) == {0}


def test_posting_takes_rows_that_span_months_and_years(writer: psycopg.Connection) -> None:
    price(writer)
    pairs = [(record(n + 1, trace=n + 1, at_s=-n * 86400 * 200), call({"input_tokens": 10})) for n in range(6)]
    commit(writer, arrivals(*pairs))
    assert one(writer, "select count(*), count(distinct date_trunc('month', started_at)) from ledger.calls") == (6, 6)
    assert set(proven(writer).values()) == {0}
