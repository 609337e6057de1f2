"""`pigou bill` as it is typed: what a month cost against the month before, and that SQL says the same to the last digit."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest

from ledger.bill import Days, former
from ledger.periods import close
from tests.books import AT, chat, export, price, rows
from tests.desk import book
from tests.typed import Typed

MONTH = ("bill", "--month", "2026-10")
EFFECTS = ("former_usd", "amount_usd", "change_usd", "price_usd", "volume_usd", "mix_usd")


def at(month: int, day: int) -> float:
    """A moment of 2026 in the notation's seconds."""
    return (datetime(2026, month, day, 12, tzinfo=UTC) - AT).total_seconds()


@pytest.fixture
def booked(dsn: str, writer: psycopg.Connection) -> None:
    """September of two models; in October one of them thrice, at another price, and a third that has no price."""
    price(writer, {"input_tokens": "2", "output_tokens": "10"})
    price(writer, {"input_tokens": "1", "output_tokens": "1"}, model="m2")
    september = [chat(1, 1, input=1000, output=100, at=at(9, 30)), chat(2, 1, model="m2", input=1000, output=1000, at=at(9, 1))]
    october = [chat(n, 1, input=1000, output=100, at=at(10, n)) for n in (3, 4, 31)]
    book(dsn, [export(*september, *october, chat(9, 1, model="m9", at=at(10, 9)), chat(10, 1, at=at(11, 1)))])


def table(output: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(output)))


def test_a_month_is_explained_to_the_last_digit(pigou: Typed, booked: None, writer: psycopg.Connection) -> None:
    code, out, err = pigou(*MONTH, "--format", "csv")
    assert (code, err) == (0, "")
    *lines, whole = table(out)
    assert [(line["provider"], line["model"]) for line in lines] == [("acme", "m1"), ("acme", "m2")]
    assert (whole["provider"], whole["model"]) == ("total", "")
    assert [Decimal(whole[name]) for name in EFFECTS[:3]] == [Decimal("0.005"), Decimal("0.009"), Decimal("0.004")]
    for line in (*lines, whole):
        former_usd, amount_usd, change_usd, *effects = (Decimal(line[name]) for name in EFFECTS)
        assert amount_usd - former_usd == change_usd == sum(effects)
    for name in EFFECTS:
        assert sum(Decimal(line[name]) for line in lines) == Decimal(whole[name])
    assert Decimal(whole["price_usd"]) == 0
    booked_usd = rows(writer, "select sum(amount_usd) from ledger.postings where account like 'expenses:%%' and book = 'cash'"
                              " and posted_on between '2026-10-01' and '2026-10-31'")  # fmt: skip
    assert booked_usd == [(Decimal(whole["amount_usd"]),)]


def test_the_sql_that_is_told_gives_the_same_rows(pigou: Typed, booked: None) -> None:
    code, out, err = pigou(*MONTH, "--by", "tenant,commodity")
    assert code == 0
    told = next(line for line in err.splitlines() if "sql: " in line).partition("sql: ")[2]
    assert pigou("sql", told)[1] == out


def test_a_bill_says_what_is_in_no_sum_and_whether_it_can_change(pigou: Typed, booked: None, writer: psycopg.Connection) -> None:
    said = pigou(*MONTH)[2]
    assert "2026-10-01 to 2026-10-31 against 2026-09-01 to 2026-09-30; USD, days of the books (UTC)" in said
    assert "in no sum: 1 calls of these days without a price, 0 not readable" in said
    assert "these days are not closed" in said
    assert "the books begin" not in said
    assert "the books begin on 2026-09-01: the change is not one of what was spent" in pigou("bill", "--month", "2026-09")[2]
    close(writer, "default", date(2026, 10, 31), who="ann")
    assert "not closed" not in pigou(*MONTH)[2]


def test_what_is_corrected_after_a_month_was_closed_is_told_apart(pigou: Typed, booked: None, writer: psycopg.Connection) -> None:
    """October stays as it was closed; what its calls cost by now, and what of it is in November, is said of both."""
    close(writer, "default", date(2026, 10, 31), who="ann")
    before = pigou(*MONTH, "--format", "csv")[1]
    again = ("--provider", "acme", "--model", "m1", "--commodity", "input_tokens", "--usd", "4", "--from", "2026-10-01")
    assert pigou("rates", "add", "--tenant", "default", *again)[0] == 0
    assert pigou(*MONTH, "--format", "csv")[1] == before
    said = pigou(*MONTH)[2]
    assert "cost 0.015000000000 USD by now (ledger.spend_daily), posted to them is 0.009000000000\n" in said
    assert "0.006000000000 USD of calls of these days are posted to later ones" in said
    assert "of earlier calls" not in said
    said = pigou("bill", "--since", "2026-11-01", "--until", "2026-11-02")[2]
    assert "cost 0.000500000000 USD by now (ledger.spend_daily), posted to them is 0.006500000000\n" in said
    assert "0.006000000000 USD of earlier calls are posted to these days, since" in said
    assert "of these days are posted to later ones" not in said


def test_a_price_that_fell_is_told_of_the_days_it_was_of(pigou: Typed, booked: None, writer: psycopg.Connection) -> None:
    """October's bill stays above what its calls cost by now, and holds nothing of others; November's has what was taken off."""
    close(writer, "default", date(2026, 10, 31), who="ann")
    again = ("--provider", "acme", "--model", "m1", "--commodity", "input_tokens", "--usd", "1", "--from", "2026-10-01")
    assert pigou("rates", "add", "--tenant", "default", *again)[0] == 0
    said = pigou(*MONTH)[2]
    assert "-0.003000000000 USD of calls of these days are posted to later ones" in said
    assert "of earlier calls" not in said
    said = pigou("bill", "--since", "2026-11-02", "--until", "2026-11-02")[2]
    assert "of these days" not in said
    assert "-0.003000000000 USD of earlier calls are posted to the days before, since" in said
    said = pigou("bill", "--since", "2026-11-01", "--until", "2026-11-02")[2]
    assert "-0.003000000000 USD of earlier calls are posted to these days, since" in said
    carried = "select cost_usd, posted_usd, brought_usd, carried_usd from ledger.carried('2026-11-01', '2026-11-03')"
    assert rows(writer, carried) == [(Decimal("0.0002"), Decimal("-0.0028"), Decimal("-0.003"), 0)]


def test_a_bill_says_on_which_lines_earlier_days_are(pigou: Typed, dsn: str, booked: None, writer: psycopg.Connection) -> None:
    """A correction of one commodity of October, and a call of the other model that comes for it too late."""
    close(writer, "default", date(2026, 10, 31), who="ann")
    again = ("--provider", "acme", "--model", "m1", "--commodity", "input_tokens", "--usd", "4", "--from", "2026-10-01")
    assert pigou("rates", "add", "--tenant", "default", *again)[0] == 0
    book(
        dsn,
        [export(chat(11, 1, model="m2", input=500, output=500, at=at(10, 20)), chat(12, 1, model="m2", input=9, at=at(11, 2)))],
    )
    assert "earlier_usd" not in pigou(*MONTH)[1], "October holds nothing of September"
    november = ("bill", "--since", "2026-11-01", "--until", "2026-11-03")
    code, out, err = pigou(*november, "--by", "model,commodity", "--format", "csv")
    assert (code, err) == (0, "")
    *lines, whole = table(out)
    of_earlier = {(line["model"], line["commodity"]): Decimal(line["earlier_usd"]) for line in lines}
    assert {line: usd for line, usd in of_earlier.items() if usd} == {
        ("m1", "input_tokens"): Decimal("0.006"),
        ("m2", "input_tokens"): Decimal("0.0005"),
        ("m2", "output_tokens"): Decimal("0.0005"),
    }
    assert Decimal(whole["earlier_usd"]) == sum(of_earlier.values())
    posted = rows(writer, "select sum(amount_usd) from ledger.postings where account like 'expenses:%%' and book = 'cash'"
                          " and posted_on >= '2026-11-01' and occurred_at < '2026-11-01 00:00Z'")  # fmt: skip
    assert posted == [(Decimal(whole["earlier_usd"]),)]
    told = next(line for line in pigou(*november)[2].splitlines() if "sql: " in line)
    assert "earlier_usd" in pigou("sql", told.partition("sql: ")[2])[1]
    assert "earlier_usd" not in pigou("bill", "--since", "2026-11-02", "--until", "2026-11-03")[1], "they are posted to the 1st"
    late = "select day, posted_on, model, commodity, quantity, amount_usd from ledger.posted_late where model = 'm2' order by 4"
    assert rows(writer, late) == [
        (date(2026, 10, 20), date(2026, 11, 1), "m2", name, 500, Decimal("0.0005")) for name in ("input_tokens", "output_tokens")
    ]


def test_a_bill_does_not_wait_long_for_what_earlier_days_are(
    pigou: Typed, booked: None, writer: psycopg.Connection, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(writer, "default", date(2026, 10, 31), who="ann")
    again = ("--provider", "acme", "--model", "m1", "--commodity", "input_tokens", "--usd", "4", "--from", "2026-10-01")
    assert pigou("rates", "add", "--tenant", "default", *again)[0] == 0
    monkeypatch.setattr("cli.bill._COUNTS_FOR_MS", 200)
    with owner.transaction():
        owner.execute("lock table pigou.entry in access exclusive mode")
        code, out, err = pigou("bill", "--since", "2026-11-01", "--until", "2026-11-03")
    assert code == 0
    assert "earlier_usd" not in out
    assert "0.0065" in out
    assert "what of each line is of earlier days takes longer to count; see ledger.posted_late" in err
    assert "earlier_usd" in pigou("bill", "--since", "2026-11-01", "--until", "2026-11-03")[1]


def test_days_without_calls_cost_nothing(pigou: Typed, booked: None) -> None:
    code, out, _ = pigou("bill", "--since", "2026-10-20", "--until", "2026-10-20", "--format", "csv")
    assert code == 0
    [whole] = table(out)
    assert [Decimal(whole[name]) for name in EFFECTS] == [0] * 6


def test_a_bill_of_days_after_the_last_call_says_when_that_was(pigou: Typed, booked: None) -> None:
    said = pigou("bill", "--since", "2026-11-20", "--until", "2026-11-21")[2]
    assert "the last call that the books hold is of 2026-11-" in said
    assert "the last call" not in pigou(*MONTH)[2]


def test_of_what_was_before_the_books_nothing_is_known(pigou: Typed, booked: None, writer: psycopg.Connection) -> None:
    said = "pigou: nothing is known of what 2020-02-01 to 2020-02-29 cost: the books begin on 2026-09-01; name later days\n"
    assert pigou("bill", "--month", "2020-02") == (1, "", said)
    price(writer, tenant="acme")
    assert "the books hold no calls yet; name later days" in pigou(*MONTH, "--tenant", "acme")[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--month", "october"), "'october' is no month; write 2026-01"),
        (("--month", "2999-01"), "2999-01 has not begun"),
        (("--month", "2026-10", "--since", "7d"), "two ways to name days"),
        (("--since", "2026-10-02", "--until", "2026-10-01"), "--since 2026-10-02 is after 2026-10-01; exchange them"),
        (("--by", "modle"), "--by 'modle' is nothing that bills are told apart by; did you mean model?"),
        (("--by", "agent"), "ledger.spend_daily where day >= '20"),
        (("--by", ""), "--by names no column"),
        (("--tenant", "defualt"), "there is no tenant 'defualt'; did you mean default?"),
    ],
)
def test_a_bill_that_cannot_be(pigou: Typed, booked: None, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = pigou("bill", *arguments)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(
    ("days", "before"),
    [
        (("2026-03-01", "2026-04-01"), ("2026-02-01", "2026-03-01")),
        (("2026-03-01", "2026-03-15"), ("2026-02-01", "2026-02-15")),
        (("2026-03-01", "2026-03-31"), ("2026-02-01", "2026-03-01")),
        (("2026-01-01", "2026-02-01"), ("2025-12-01", "2026-01-01")),
        (("2026-03-03", "2026-03-06"), ("2026-02-28", "2026-03-03")),
    ],
)
def test_what_days_are_compared_with(days: tuple[str, str], before: tuple[str, str]) -> None:
    assert former(Days(*map(date.fromisoformat, days))) == Days(*map(date.fromisoformat, before))


def test_what_is_behind_a_number_is_found_by_its_entry_or_its_trace(
    pigou: Typed, booked: None, writer: psycopg.Connection
) -> None:
    """No decision was made here: the postings of the entry are told, both legs of each, and the SQL that gives them."""
    [(entry_id, cost_usd)] = rows(writer, f"select entry_id::text, cost_usd from ledger.calls where trace_id = '{3:032x}'")
    for wanted in (entry_id, f"{3:032x}"):
        code, out, err = pigou("explain", wanted)
        assert code == 0
        told = table(pigou("explain", wanted, "--format", "csv")[1])
        assert {row["entry_id"] for row in told} == {entry_id}
        assert {row["rate_source"] for row in told} == {"test"}
        assert sum(Decimal(row["amount_usd"]) for row in told if row["account"].startswith("expenses:")) == cost_usd
        assert sum(Decimal(row["amount_usd"]) for row in told) == 0
        query = next(line for line in err.splitlines() if "sql: " in line).partition("sql: ")[2]
        assert pigou("sql", query)[1] == out
    nothing = pigou("explain", "f" * 32)
    assert nothing[0] == 1
    assert "there is no decision, trace or entry ffff" in nothing[2]
