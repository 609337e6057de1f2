"""`POST /v1/rates`: what a price would change, and giving it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from ledger import check
from tests.books import AT, Served, chat, export, one, price, rows, serving
from tests.desk import book
from tests.integration.test_budget_api import ask

RATES = "/v1/rates"
OWED = "select sum(amount_usd) from ledger.balances where account = 'liabilities:payable:acme'"


@pytest.fixture
def served(dsn: str, writer: psycopg.Connection) -> Iterator[Served]:
    """`m1` has a price and two calls; `m2` has none, and three, one of them before the day `AT`."""
    price(writer)
    book(dsn, [export(chat(1, 1), chat(1, 2, at=1), *(chat(2, n, model="m2", at=n) for n in range(1, 3)))])
    book(dsn, [export(chat(3, 1, model="m2", at=-86_400))])
    with serving(dsn) as collector:
        yield collector


def body(*told: dict[str, str], trial: bool = False, **more: Any) -> dict[str, Any]:
    own = {"provider": "acme", "model": "m2", "commodity": "input_tokens", "price_usd": "3"}
    return {"source": "ann: contract", "is_trial": trial, "rates": [own | one for one in told], **more}


BOTH = ({}, {"commodity": "output_tokens", "price_usd": "7"})


def books_of(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return rows(connection, "select entry_id, line, quantity, rate_usd, amount_usd from ledger.postings order by 1, 2, 3")


def test_a_trial_says_what_giving_does_and_does_nothing(
    served: Served, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    before = books_of(reader)
    status, trial = ask(served, RATES, body(*BOTH, trial=True))
    assert (status, trial["rates"], trial["booked_again"]) == (200, 0, 0)
    assert trial["changes"] == {
        "calls": 3, "unpriced_calls": 3, "cost_before_usd": "0", "cost_after_usd": "0.00111", "difference_usd": "0.00111",
        "first_at": "2026-11-01T09:00:00Z", "last_at": "2026-11-02T09:00:02Z", "still_unpriced": 0,
    }  # fmt: skip
    assert books_of(reader) == before
    assert one(reader, "select count(*) from ledger.rates where model = 'm2'") == 0

    owed = one(reader, OWED)
    status, done = ask(served, RATES, body(*BOTH))
    assert (status, done["rates"], done["corrections"], done["booked_again"]) == (200, 2, 0, 3)
    assert done["changes"] == trial["changes"]
    assert owed - one(reader, OWED) == Decimal("0.00111"), "what was foreseen is what is owed more"
    assert rows(reader, "select distinct source, basis from ledger.rates where model = 'm2'") == [("ann: contract", "stated")]
    assert all(result.ok for result in check.run(writer))


def test_one_of_two_prices_is_not_enough(served: Served) -> None:
    _, answer = ask(served, RATES, body({}, trial=True))
    assert (answer["changes"]["calls"], answer["changes"]["still_unpriced"]) == (0, 3)


def test_a_price_holds_from_its_day(served: Served, reader: psycopg.Connection) -> None:
    since = {"valid_from": f"{AT:%Y-%m-%d}"}
    _, answer = ask(served, RATES, body(*(one | since for one in BOTH)))
    assert (answer["booked_again"], answer["changes"]["calls"]) == (2, 2)
    assert one(reader, "select count(*) from ledger.calls where status = 'unpriced'") == 1


def test_a_correction_says_what_it_moves(served: Served, writer: psycopg.Connection) -> None:
    told = {"model": "m1", "price_usd": "1"}
    _, trial = ask(served, RATES, body(told, trial=True))
    assert trial["changes"]["difference_usd"] == "-0.0002", "two calls, a hundred tokens each, a dollar less the million"
    assert ask(served, RATES, body(told))[1]["corrections"] == 0, "the list's price is not the tenant's"
    _, again = ask(served, RATES, body(told | {"price_usd": "4"}))
    assert (again["corrections"], again["booked_again"], again["changes"]["difference_usd"]) == (1, 2, "0.0006")
    assert all(result.ok for result in check.run(writer))


REFUSALS: tuple[tuple[dict[str, str], str], ...] = (
    ({"price_usd": "-1"}, "rates.0, column price_usd: -1 is negative; a price is 0 or more"),
    ({"price_usd": "NaN"}, "'NaN' is no price; write US dollars as a number such as 2.50"),
    ({"commodity": "input_token"}, "did you mean input_tokens"),
    ({"valid_from": "2026-02-01", "valid_until": "2026-01-01"}, "is not after valid_from"),
    ({"valid_from": "someday"}, "is no date"),
    ({"model": " "}, "rates.0, column model: is missing"),
    ({"model": ""}, "rates.0.model: at least 1 characters are wanted"),
    ({"price_usd": "1\0"}, "rates.0.price_usd"),
    ({"nonsense": "1"}, "there is no such field; there are "),
)


def test_what_is_no_price_is_refused_with_its_mend(served: Served, reader: psycopg.Connection) -> None:
    for told, said in REFUSALS:
        status, answer = ask(served, RATES, body(told))
        assert (status, said in answer["detail"]) == (422, True), answer
    status, answer = ask(served, RATES, body({}, {"price_usd": "4"}))
    assert (status, "prices what rates.0 prices already" in answer["detail"]) == (422, True), answer
    assert ask(served, RATES, {"source": "x", "rates": []})[0] == 422
    assert ask(served, RATES, "x" * 300_000)[0] == 413
    assert one(reader, "select count(*) from ledger.rates where model = 'm2'") == 0


def test_a_slip_in_the_tenant_is_refused_unless_it_is_meant(served: Served) -> None:
    said = [ask(served, RATES, body({}, trial=trial, tenant="acme"))[1]["why"] for trial in (True, False, False)]
    new = "acme is a new tenant: nothing was received or stated of it before"
    assert said == [new, new, None], "a trial opens nothing"
    for trial in (True, False):
        status, answer = ask(served, RATES, body({}, trial=trial, tenant="acmee"))
        assert (status, answer["detail"].partition(";")[0]) == (404, "there is no tenant 'acmee'")
    meant = body({}, tenant="acmee") | {"new_tenant": True}
    assert [ask(served, RATES, one)[0] for one in (meant | {"is_trial": True}, body({}, tenant="acmee"))] == [200, 404], "a trial"
    assert [ask(served, RATES, one)[0] for one in (meant, body({}, tenant="acmee"))] == [200, 200]
