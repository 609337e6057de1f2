"""Budgets: holds that never exceed what is left, whoever asks at the same time, and what was spent as the calls say it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from analyzers.pipeline import run_round
from ledger import check
from ledger.budgets import Held, Terms, hold, release, set_budget
from ledger.database import connect
from ledger.errors import BudgetError, UnknownTenant
from tests.books import AT, GATEWAY, agent, chat, export, one, price, rows, run
from tests.desk import book, collecting

TENANT = "default"
COST = Decimal("0.0003")
"""Of a call in this notation: 100 tokens in at 2, 10 out at 10 USD per million."""


def now_s(back_s: float = 0.0) -> float:
    """This moment, less some seconds, in the notation's seconds."""
    return (datetime.now(UTC) - AT).total_seconds() - back_s


def usd(text: str) -> Decimal:
    return Decimal(text)


def budget(connection: psycopg.Connection, amount: str = "1", name: str = "b", **terms: Any) -> int:
    return set_budget(connection, TENANT, name, Terms(amount_usd=usd(amount), **terms), "test")


def ask(connection: psycopg.Connection, hold_id: str, amount: str, name: str = "b", ttl_s: int = 600) -> Held:
    return hold(connection, TENANT, name, hold_id, usd(amount), ttl_s)


def standing(connection: psycopg.Connection, name: str = "b") -> tuple[Any, ...]:
    """amount, spent, held, left, calls, unpriced."""
    return one(
        connection,
        "select amount_usd, spent_usd, held_usd, left_usd, calls, unpriced_calls from ledger.budgets where budget = %s",
        name,
    )


@pytest.fixture
def priced(dsn: str, writer: psycopg.Connection) -> str:
    price(writer)
    return dsn


# ── concurrency ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("amount", "each", "granted"), [("1", "0.3", 3), ("1", "0.05", 20), ("0.1", "0.11", 0)])
def test_holds_at_the_same_time_fill_the_budget_and_never_exceed_it(
    priced: str, writer: psycopg.Connection, amount: str, each: str, granted: int
) -> None:
    budget(writer, amount)
    start = threading.Barrier(8)

    def client(number: int) -> int:
        with connect(priced, "writer") as connection:
            start.wait()
            return sum(ask(connection, f"h{number}-{n}", each).outcome == "granted" for n in range(4))

    with ThreadPoolExecutor(8) as clients:
        assert sum(clients.map(client, range(8))) == granted
    assert standing(writer)[2] == granted * usd(each)


def test_nobody_is_refused_while_there_is_room_and_nobody_overruns(priced: str, writer: psycopg.Connection) -> None:
    """Clients hold, book calls that settle their holds, and release, all at once; each answer is right about its moment.

    Whatever is refused would not have fitted, by the refusal's own figures, which are committed ones. At the end all that the
    calls cost is within the budget, and what it leaves could not have been granted.
    """
    cost = usd("0.3")  # 100,000 tokens in and 10,000 out
    budget(writer, "3")
    start = threading.Barrier(6)
    answers: list[Held] = []

    with collecting(priced) as collector:

        def client(number: int) -> int:
            booked = 0
            with connect(priced, "writer") as connection:
                start.wait()
                for n in range(6):
                    hold_id = f"h{number}-{n}"
                    held = ask(connection, hold_id, "0.3")
                    answers.append(held)
                    if held.outcome != "granted":
                        continue
                    if n % 3 == 2:
                        assert release(connection, TENANT, "b", hold_id) == "released"
                        continue
                    span = chat(number + 1, n + 1, input=100_000, output=10_000, at=now_s(), allocation__budget__hold=hold_id)
                    collector.book(export(span))
                    booked += 1
            return booked

        with ThreadPoolExecutor(6) as clients:
            booked = sum(clients.map(client, range(6)))
    for held in answers:
        assert held.left_usd is not None
        assert held.left_usd >= 0
        assert held.outcome == "granted" or held.left_usd < cost
    assert one(writer, "select count(*), sum(cost_usd) from ledger.calls") == (booked, booked * cost)
    assert booked <= 10
    assert standing(writer)[:4] == (3, booked * cost, 0, 3 - booked * cost)
    while ask(writer, f"last-{booked}", "0.3").outcome == "granted":
        booked += 1
    assert booked == 10


def test_a_transaction_with_an_older_snapshot_gets_no_hold(priced: str, writer: psycopg.Connection) -> None:
    """It would not see what others were granted since."""
    budget(writer)
    for level in ("repeatable read", "serializable"):
        run(writer, f"set default_transaction_isolation = '{level}'")
        with pytest.raises(psycopg.errors.InvalidTransactionState):
            ask(writer, "h", "1")


# ── holds ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_hold_asked_for_twice_is_one(priced: str, writer: psycopg.Connection) -> None:
    budget(writer)
    first, again = ask(writer, "h", "0.6"), ask(writer, "h", "0.6", ttl_s=5000)
    assert (first.outcome, first.held_usd, first.left_usd) == ("granted", usd("0.6"), usd("0.4"))
    assert again == first
    assert ask(writer, "h", "0.5").outcome == "conflict"
    refused = ask(writer, "other", "0.6")
    assert (refused.outcome, refused.left_usd, refused.expires_at) == ("refused", usd("0.4"), None)
    assert rows(writer, "select hold_id, amount_usd, state from ledger.budget_holds") == [("h", usd("0.6"), "held")]


def test_what_was_refused_may_be_asked_again(priced: str, writer: psycopg.Connection) -> None:
    budget(writer)
    assert [ask(writer, "a", "1").outcome, ask(writer, "b", "1").outcome] == ["granted", "refused"]
    assert release(writer, TENANT, "b", "a") == "released"
    assert ask(writer, "b", "1").outcome == "granted"
    assert ask(writer, "a", "1").outcome == "ended"
    assert release(writer, TENANT, "b", "a") == "released"


def test_a_hold_expires(priced: str, writer: psycopg.Connection, owner: psycopg.Connection) -> None:
    """It is not counted from that moment on, whether or not the clock has marked it."""
    budget(writer)
    assert ask(writer, "h", "1").outcome == "granted"
    owner.execute("update pigou.budget_hold set held_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'")
    assert standing(writer)[2:4] == (0, 1)
    assert one(writer, "select state from ledger.budget_holds") == "expired"
    assert ask(writer, "h", "1").outcome == "ended"
    assert ask(writer, "next", "1").outcome == "granted"
    run_round(writer)
    assert rows(writer, "select hold_id, state, ended_at is null from ledger.budget_holds order by hold_id") == [
        ("h", "expired", False), ("next", "held", True),
    ]  # fmt: skip


def test_a_hold_is_settled_by_its_call(priced: str, writer: psycopg.Connection) -> None:
    """In the commit that books its call it is counted once, as spent: nothing waits for the clock."""
    budget(writer)
    assert ask(writer, "h", "1").outcome == "granted"
    with collecting(priced) as collector:
        collector.book(export(chat(1, 1, at=now_s(), allocation__budget__hold="h")))
    assert standing(writer)[:4] == (1, COST, 0, 1 - COST)
    assert ask(writer, "h", "1").outcome == "ended"
    assert ask(writer, "next", "0.9997").outcome == "granted"
    assert one(writer, "select state, right(span_id, 1), cost_usd from ledger.budget_holds where hold_id = 'h'") == (
        "settled", "1", COST,
    )  # fmt: skip
    assert standing(writer)[:4] == (1, COST, usd("0.9997"), 0)


def test_a_hold_is_settled_when_a_copy_carries_it(priced: str, writer: psycopg.Connection) -> None:
    """The gateway holds and reports; the SDK's record of the same call is the one that is booked."""
    budget(writer)
    ask(writer, "h", "1")
    sdk = export(chat(1, 1, id="r1", at=now_s()))
    gateway = export(chat(2, 2, id="r1", at=now_s(), allocation__budget__hold="h"), service="gateway", scope=GATEWAY)
    with collecting(priced) as collector:
        collector.book(gateway)
        collector.book(sdk)
    assert standing(writer)[1:3] == (COST, 0)
    assert one(writer, "select state, right(span_id, 1), cost_usd from ledger.budget_holds") == ("settled", "1", COST)


def test_a_call_without_a_price_leaves_its_hold(priced: str, writer: psycopg.Connection) -> None:
    """Nobody knows what it cost: the hold is the best that is known, until the price comes or its time is over."""
    budget(writer)
    ask(writer, "h", "0.5")
    book(priced, [export(chat(1, 1, model="m9", at=now_s(), allocation__budget__hold="h"))])
    assert standing(writer) == (1, 0, usd("0.5"), usd("0.5"), 1, 1)
    price(writer, model="m9")
    run_round(writer)
    assert standing(writer) == (1, COST, 0, 1 - COST, 1, 0)


def test_a_hold_for_a_call_that_was_made_already(priced: str, writer: psycopg.Connection) -> None:
    """Nothing would ever settle it."""
    budget(writer)
    book(priced, [export(chat(1, 1, at=now_s(), allocation__budget__hold="h"))])
    assert ask(writer, "h", "0.1").outcome == "ended"
    assert standing(writer)[1:3] == (COST, 0)


def test_one_hold_id_may_hold_of_several_budgets(priced: str, writer: psycopg.Connection) -> None:
    """A call that falls into several budgets holds of each, and settles all."""
    budget(writer)
    budget(writer, "2", "c", period="day")
    assert [ask(writer, "h", "1", name).outcome for name in ("b", "c")] == ["granted", "granted"]
    book(priced, [export(chat(1, 1, at=now_s(), allocation__budget__hold="h"))])
    assert rows(writer, "select budget, held_usd, spent_usd from ledger.budgets order by 1") == [("b", 0, COST), ("c", 0, COST)]
    assert rows(writer, "select state from ledger.budget_holds") == [("settled",), ("settled",)]


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "0.0000000000001", "1e26"])
def test_an_amount_that_cannot_be_held(priced: str, writer: psycopg.Connection, amount: str) -> None:
    budget(writer)
    with pytest.raises(BudgetError, match="no amount"):
        ask(writer, "h", amount)
    with pytest.raises(BudgetError, match="no amount"):
        budget(writer, amount)
    assert rows(writer, "select hold_id from ledger.budget_holds") == []


def test_what_is_not_there(priced: str, writer: psycopg.Connection) -> None:
    with pytest.raises(UnknownTenant):
        ask(writer, "h", "1")
    budget(writer, valid_until=datetime.now(UTC) + timedelta(days=1))
    assert ask(writer, "h", "1", "other").outcome == "absent"
    with pytest.raises(BudgetError, match="has no hold"):
        release(writer, TENANT, "b", "h")


# ── what was spent ───────────────────────────────────────────────────────────────────────────────────


def spent(connection: psycopg.Connection, name: str = "b") -> list[tuple[Any, ...]]:
    return rows(
        connection,
        "select revision, calls, spent_usd from ledger.budget_periods where budget = %s order by period_from, revision",
        name,
    )


def test_spent_follows_what_becomes_of_calls(priced: str, writer: psycopg.Connection) -> None:
    """A price that changes, a copy that takes a call's place, an agent that becomes known later: always as the calls say."""
    budget(writer, "1", "all")
    budget(writer, "1", "fixer", agent="fixer")
    budget(writer, "1", "m1", model="m1")
    at = now_s()
    book(priced, [export(chat(1, 2, 1, at=at), chat(1, 3, 1, model="m9", at=at))])
    assert (spent(writer, "all"), spent(writer, "fixer"), spent(writer, "m1")) == ([(1, 2, COST)], [], [(1, 1, COST)])
    book(priced, [export(agent(1, 1, name="fixer", at=at))])
    assert spent(writer, "fixer") == [(1, 2, COST)]
    price(writer, {"input_tokens": "4", "output_tokens": "20"}, tenant=TENANT)
    run_round(writer)
    assert (spent(writer, "all"), spent(writer, "fixer"), spent(writer, "m1")) == (
        [(1, 2, 2 * COST)], [(1, 2, 2 * COST)], [(1, 1, 2 * COST)],
    )  # fmt: skip
    book(priced, [export(chat(5, 1, id="r", at=at), scope=GATEWAY), export(chat(6, 1, id="r", at=at))])
    assert spent(writer, "all") == [(1, 3, 4 * COST)]
    assert [result.name for result in check.run(writer) if not result.ok] == []


def test_what_was_spent_before_a_budget_was_set_is_counted(priced: str, writer: psycopg.Connection) -> None:
    book(
        priced, [export(chat(1, 1, at=now_s(120)), chat(1, 2, at=now_s(120), allocation__use="plan", allocation__layer="action"))]
    )
    budget(writer, period="total", valid_from=datetime.now(UTC) - timedelta(hours=1))
    budget(writer, "1", "plans", period="total", use="plan", valid_from=datetime.now(UTC) - timedelta(hours=1))
    budget(writer, "1", "later", period="total")
    assert (spent(writer), spent(writer, "plans"), spent(writer, "later")) == ([(1, 2, 2 * COST)], [(1, 1, COST)], [])
    book(priced, [export(chat(1, 3, at=now_s()))])
    assert (spent(writer), spent(writer, "plans"), spent(writer, "later")) == ([(1, 3, 3 * COST)], [(1, 1, COST)], [(1, 1, COST)])


def test_the_check_finds_a_budget_that_is_not_what_calls_say(
    priced: str, writer: psycopg.Connection, owner: psycopg.Connection
) -> None:
    budget(writer)
    book(priced, [export(chat(1, 1, at=now_s()))])
    found = {result.name: result for result in check.run(writer)}["budgets_are_sums"]
    assert (found.ok, found.checked) == (True, 1)
    owner.execute("update pigou.budget_spend set spent_usd = spent_usd + 1")
    found = {result.name: result for result in check.run(writer)}["budgets_are_sums"]
    assert (found.ok, found.violations) == (False, 1)
    owner.execute("delete from pigou.budget_spend")
    assert not {result.name: result for result in check.run(writer)}["budgets_are_sums"].ok
