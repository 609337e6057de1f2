"""`pigou check` finds what is wrong: each invariant is broken behind the guards' back, and must be the one that is reported."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from analyzers.capital.capitalise import capitalise
from analyzers.tasks import settle
from ledger import check
from ledger.budgets import Terms, set_budget
from ledger.database import connect
from ledger.price_policies import add_policies, stated_policy
from tests.books import AT, agent, chat, cloned, export, log, one, plain, price, rows, run
from tests.desk import book, collecting

DAMAGE = {
    "trial_balance": "update pigou.balance set debit_usd = debit_usd + 1 where debit_usd > 0",
    "balances_are_sums": "update pigou.balance set debit_quantity = debit_quantity + 1, credit_quantity = credit_quantity + 1",
    "one_live_entry": "update pigou.call set entry_id = gen_random_uuid() where status = 'booked'",
    "no_orphans": "delete from pigou.record where role = 'call'",
    "texts_of_records": "delete from pigou.kept_text where attributes is not null",
    "calls_equal_books": "update pigou.call set cost_usd = cost_usd + 0.000001 where status = 'booked'",
    "reversals_mirror": "update pigou.transfer x set quantity = quantity + 1, amount_usd = round((quantity + 1) * rate_usd, 12)"
    " from pigou.entry e where e.entry_id = x.entry_id and e.kind = 'reversal'",
    "prices_are_rates": "update pigou.transfer set rate_usd = rate_usd * 2, amount_usd = amount_usd * 2",
    "budgets_are_sums": "update pigou.budget_spend set spent_usd = spent_usd + 0.000001",
    "rollups_are_sums": "update pigou.spend_hour set output_tokens = output_tokens + 1",
    "sums_by_day": "update pigou.task_day set well_usd = coalesce(well_usd, 0) + 0.01",
    "one_live_settlement": "update pigou.task set entry_id = gen_random_uuid() where entry_id is not null",
    "assets_equal_books": "update pigou.asset_entry set usd = usd * 2 where step = 'written off'",
    "assets_are_sums": "update pigou.asset set item = 'another'",
    "tasks_equal_books": "update pigou.task set value_usd = value_usd + 1 where quality > 0",
}
FURTHER = {
    "text of no record": ("texts_of_records", "delete from pigou.record where role = 'plain' and service is not null"),
    "text that its record does not know of": ("texts_of_records", "update pigou.record set attributes = '{}'"),
    "a call without an entry": ("one_live_entry", "delete from pigou.entry where kind = 'call'"),
    "an entry without a call": ("no_orphans", "delete from pigou.call where status = 'booked'"),
    "a transfer without an entry": ("no_orphans", "update pigou.transfer set entry_id = gen_random_uuid()"),
    "a transfer on no account": ("no_orphans", "update pigou.transfer set debit_account_id = 9999"),
    "a transfer at no rate": ("no_orphans", "update pigou.transfer set rate_id = 999999999"),
    "a duplicate that is booked": ("one_live_entry", "update pigou.call set status = 'duplicate' where status = 'booked'"),
    "a leaf more than was booked": (
        "calls_equal_books",
        "update pigou.call set leaves = leaves || '{\"output_tokens\": 9999}' where status = 'booked'",
    ),
    "a day's calls forgotten": ("rollups_are_sums", "delete from pigou.spend_day"),
    "a minute summed twice": ("rollups_are_sums", "update pigou.spend_minute set calls = calls * 2 where calls > 0"),
    "a call rolled up under another agent": (
        "rollups_are_sums",
        "update pigou.call set agent = 'another' where status = 'booked'",
    ),
    "a duplicate rolled up as a call": ("rollups_are_sums", "update pigou.call set status = 'duplicate' where status = 'booked'"),
    "a source miscounted": ("rollups_are_sums", "update pigou.coverage_day set use_source = 'guessed'"),
    "suspense forgotten": ("rollups_are_sums", "update pigou.suspense_hour set tokens_known = 0 where tokens_known > 0"),
    "a parent's verdict forgotten": ("rollups_are_sums", "update pigou.control_hour set parents = parents + 1"),
    "a request of an engine forgotten": ("rollups_are_sums", "update pigou.serving_hour set requests = requests - 1"),
    "a wait miscounted": ("rollups_are_sums", "update pigou.queue_hour set wait = wait + 1"),
    "a claim summed twice": ("rollups_are_sums", "update pigou.claim_day set calls = calls * 2"),
    "a settlement of no task": ("one_live_settlement", "delete from pigou.task"),
    "a settlement that was never taken back": ("one_live_settlement", "delete from pigou.entry where kind = 'reversal'"),
    "a task that took longer": ("tasks_equal_books", "update pigou.task set latency_s = latency_s + 1"),
    "a loss that was not booked": ("tasks_equal_books", "update pigou.task set loss_usd = loss_usd + 1"),
    "tokens on the wrong commodity": ("prices_are_rates", "update pigou.transfer set commodity_id = 7 where commodity_id = 6"),
}
CASES = {name: (name, damage) for name, damage in DAMAGE.items()} | FURTHER


@pytest.fixture(scope="module")
def sound_books(server: str, template: str) -> Iterator[str]:
    """Name of a database with a reversal, an adjustment, something in suspense, and a task that was settled twice."""
    with cloned(server, template, "pigou_sound") as dsn:
        with connect(dsn, "writer") as writer:
            price(writer)
            stated = {"task_class": "*", "v_usd": "5", "lambda_usd_per_s": "0.01", "rho": "1", "grace_s": "0"}
            add_policies(writer, None, [stated_policy(stated)], "test")
            set_budget(writer, "default", "b", Terms(amount_usd=Decimal(1), valid_from=AT), "test")
            weak, strong = chat(1, 2, 1, id="r"), chat(2, 1, cached=10, id="r", operation__cost=0.1)
            unread = chat(1, 3, 1, input=1, cached=5)
            book(dsn, [export(agent(1, 1, input=100, output=10), weak)])
            served = chat(1, 6, 1, allocation__layer="supply", allocation__engine="e1", allocation__engine__queue_s=0.5)
            book(dsn, [export(strong), export(unread, chat(1, 4, model="m9"), chat(1, 5, 1, written=50), served)])
            settle(writer)
            book(dsn, [export(log("gen_ai.evaluation.result", 1, 1, at=99, gen_ai__evaluation__score__value=0.5))])
            settle(writer)
            capitalise(writer, now=AT + timedelta(days=1))
            book(dsn, [export(plain(3, 1, input__value="said"))], keep_content=True)
        yield "pigou_sound"


@pytest.fixture
def sound(server: str, sound_books: str) -> Iterator[psycopg.Connection]:
    """Its owner's connection to a copy of that database, of the test's own."""
    with cloned(server, sound_books, "pigou_sound_copy") as dsn, connect(dsn, "owner") as owner:
        yield owner


def test_sound_books_pass_every_check(sound: psycopg.Connection) -> None:
    results = check.run(sound)
    assert {result.name for result in results} == DAMAGE.keys() | {"control_totals"}
    assert [(result.name, result.violations) for result in results if not result.ok or not result.checked] == []


@pytest.mark.parametrize("name", CASES)
def test_damage_is_found(sound: psycopg.Connection, name: str) -> None:
    guilty, damage = CASES[name]
    with sound.transaction():
        run(sound, "set local session_replication_role = replica")  # only the owner can, and only behind the guards' back
        changed = run(sound, damage).rowcount
    assert changed > 0
    found = {result.name: result for result in check.run(sound)}
    assert not found[guilty].ok
    assert found[guilty].violations > 0
    assert found[guilty].examples


def test_a_total_that_differs_is_reported_and_no_fault(dsn: str, writer: psycopg.Connection) -> None:
    price(writer)
    book(dsn, [export(agent(1, 1, input=999, output=10), chat(1, 2, 1))])
    [result] = [result for result in check.run(writer) if result.name == "control_totals"]
    assert (result.ok, result.violations) == (True, 1)
    assert "999" in result.examples[0]


def test_one_request_of_several_tenants_is_booked_in_the_books_of_each(dsn: str, writer: psycopg.Connection) -> None:
    """A span may name its tenant; otherwise the resource does; otherwise it is the default's. None sees another's."""
    price(writer)
    spans = [chat(1, 1, tenant__id="a"), chat(1, 1, tenant__id="b", input=200), chat(1, 3)]
    with collecting(dsn, default_tenant="d") as collector:
        collector.book(export(*spans), export(chat(1, 1), tenant="e"))
    said = rows(writer, "select tenant, count(*), sum(input_tokens) from ledger.calls group by 1 order by 1")
    assert said == [("a", 1, 100), ("b", 1, 200), ("d", 1, 100), ("e", 1, 100)]
    assert one(writer, "select count(distinct entry_id) from ledger.entries") == 4
    assert [result.name for result in check.run(writer) if not result.ok] == []
