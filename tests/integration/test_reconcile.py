"""`pigou reconcile` as it is typed: a provider's invoice beside the books, however its file calls things."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from tests.books import AT, chat, export, price
from tests.desk import book
from tests.typed import Typed


def at(day: int) -> float:
    """Noon of a day of October 2026 in the notation's seconds."""
    return (datetime(2026, 10, day, 12, tzinfo=UTC) - AT).total_seconds()


@pytest.fixture
def invoice(dsn: str, writer: psycopg.Connection, tmp_path: Path) -> Path:
    """Three days of two providers; the invoice of one of them, right but for one model, and a line that no telemetry told."""
    price(writer, {"input_tokens": "2"}, model="m1")
    price(writer, {"input_tokens": "9"}, model="gpt-4.1", provider="openai", tenant="default")
    calls = [chat(n, 1, input=1_000_000, output=None, at=at(n)) for n in (1, 2, 3)]
    calls.append(chat(4, 1, model="gpt-4.1-2025-04-14", provider="openai", input=1_000_000, output=None, at=at(2)))
    calls.append(chat(5, 1, model="m9", input=5, output=None, at=at(3)))
    book(dsn, [export(*calls)])
    file = tmp_path / "october.csv"
    file.write_text(
        "Usage Date,Model,Cost USD,Workspace\n2026-10-01T00:00:00Z,M1,$2.00,a\n2026-10-02,m1,1.50,a\n2026-10-02,m1,0.504,b\n"
        "2026-10-03,m1,1.00,a\n2026-10-03,m7,0.50,a\n"
    )
    return file


def table(output: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(output)))


def test_each_line_is_held_against_the_books(pigou: Typed, invoice: Path) -> None:
    code, out, err = pigou("reconcile", str(invoice), "--provider", "ACME", "--format", "csv")
    assert code == 1
    assert "3 of 5 lines are not equal within 0.01 USD; 1 calls have no price or cannot be read" in err
    *lines, whole = table(out)
    told = {(row["day"][-2:], row["model"]): (row["verdict"], Decimal(row["difference_usd"])) for row in lines}
    assert told == {
        ("01", "m1"): ("equal", 0),
        ("02", "m1"): ("equal", Decimal("0.004")),
        ("03", "m1"): ("differs", -1),
        ("03", "m7"): ("not in the books", Decimal("0.5")),
        ("03", "m9"): ("no price", 0),
    }
    assert [row["booked_usd"] for row in lines if row["verdict"] == "no price"] == [""]
    assert (whole["day"], Decimal(whole["invoiced_usd"]), Decimal(whole["booked_usd"])) == ("total", Decimal("5.504"), 6)
    assert Decimal(whole["difference_usd"]) == sum(difference for _, difference in told.values())


def test_an_invoice_by_model_needs_its_days_and_names_as_the_price_book_does(pigou: Typed, invoice: Path) -> None:
    invoice.write_text("vendor,line_item,value\nOpenAI,gpt-4.1,9\n")
    given = ("reconcile", str(invoice), "--column", "amount_usd=value")
    assert pigou(*given)[::2] == (2, "pigou: the file tells no days; give --month, or --since and --until\n")
    code, out, err = pigou(*given, "--month", "2026-10")
    assert code == 0
    assert "gpt-4.1" in out
    assert "2026-10-01 to 2026-10-31" in err
    query = next(line for line in err.splitlines() if "sql: " in line).partition("sql: ")[2]
    assert "gpt-4.1-2025-04-14" in pigou("sql", query)[1]
    invoice.write_text("vendor,line_item,value\nOpenAI,gpt-4.1,9.02\n")
    assert pigou(*given, "--month", "2026-10")[0] == 1
    assert pigou(*given, "--month", "2026-10", "--tolerance", "0.05")[0] == 0
    assert pigou(*given, "--month", "2026-09", "--format", "csv")[1].count("not in the books") == 1


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffDate;Model;Amount\n2026-10-01;m1;2.00\n2026-10-02;m1;2.00\n",
        "date\tmodel\tcost\n2026-10-01\tm1\t$1.00\n2026-10-01\tM1\t+1\n2026-10-02\tm1\t2\n",
        """date,line_item,amount_value,amount_currency
2026-10-01,"m1, input",12.00,usd
2026-10-01,"m1, output",($10.00),USD
2026-10-02,m1,2e0,
""",
        """date,model,usd
2026-10-01 00:00:00 UTC,m1,1
2026-10-01T22:00:00-04:00,m1,1
2026-10-01T23:59:59Z,m1,1
2026-10-02T02:00:00+09:00,m1,"1,000.00"
2026-10-02,m1,-$1.00
2026-10-01,m1,"-1,000"
2026-10-02,m1,2
""",
    ],
    ids=["semicolons", "tabs", "parts and credits", "times and thousands"],
)
def test_an_export_is_read_however_it_writes_things(pigou: Typed, invoice: Path, text: str) -> None:
    invoice.write_text(text)
    code, out, err = pigou("reconcile", str(invoice), "--provider", "acme", "--format", "csv")
    assert (code, [(row["day"], row["verdict"]) for row in table(out)][-1]) == (0, ("total", "equal")), err


@pytest.mark.parametrize(
    "text",
    [
        "day,model,usd\n2026-10-01,m1,2\n2026-10-02,m1,2\nTotal,,4.00\n",
        "model,day,usd\nm1,2026-10-01,2\nSubtotal,,2\nm1,2026-10-02,2\nSub-total,,$2.00\nGrand Total:,,$4.00\n",
        "note,day,usd\na,2026-10-01,1.996\nb,2026-10-02,2.004\nTotal (USD),,4\n",
    ],
    ids=["of all", "of parts, and of all", "in a column that is not read, rounded"],
)
def test_a_total_is_no_line_of_its_own(pigou: Typed, invoice: Path, text: str) -> None:
    invoice.write_text(text)
    code, out, err = pigou("reconcile", str(invoice), "--provider", "acme", "--format", "csv")
    assert (code, table(out)[-1]["invoiced_usd"]) == (0, "4.000" if "1.996" in text else "4"), err
    last = len(text.splitlines())
    said = pigou("reconcile", str(invoice), "--provider", "acme")[2]
    assert f"line {last} of october.csv, {'4.00' if '4.00' in text else '4'} USD, is the total of lines above it" in said
    assert said.count("is the total") == text.lower().count("total")


def test_no_price_is_no_price_also_where_it_is_invoiced(pigou: Typed, invoice: Path) -> None:
    invoice.write_text("day,model,usd\n2026-10-03,m1,2\n2026-10-03,m9,0.004\n")
    code, out, err = pigou("reconcile", str(invoice), "--provider", "acme", "--format", "csv")
    assert (code, {row["model"]: row["verdict"] for row in table(out)[:-1]}) == (1, {"m1": "equal", "m9": "no price"})
    assert "1 calls have no price" in err


def test_a_provider_of_whom_nothing_is_booked_is_told_beside_those_that_are(pigou: Typed, invoice: Path) -> None:
    invoice.write_text("day,usd\n2026-10-02,1\n")
    code, _, err = pigou("reconcile", str(invoice), "--provider", "acmee")
    assert code == 1
    assert "pigou: nothing of acmee is booked on these days; what is, is of acme, openai\n" in err


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (None, (), "nothing tells whose invoice it is; give --provider"),
        ("day,model\n", ("--provider", "acme"), "no column is known to be the amount"),
        ("day,usd\n2026-10-01,much\n", ("--provider", "acme"), "line 2, column usd: 'much' is no amount"),
        ("day,usd\n2026-10-01,NaN\n", ("--provider", "acme"), "line 2, column usd: 'NaN' is no amount"),
        ("day,usd\nsoon,1\n", ("--provider", "acme"), "line 2, column day: 'soon' is no day"),
        ("day,usd,cost\n2026-10-01,1,2\n", ("--provider", "acme"), "column cost: is amount_usd as usd is; say which"),
        ("day,usd\n", ("--provider", "acme"), "holds no lines"),
        (
            "day,usd\n2026-10-01,1\n2026-10-02,1\nTotal,2.02\n",
            ("--provider", "acme"),
            "line 4, column usd: says that it is a total, of 2.02 USD, and the lines above it are 2 USD; export the file again",
        ),
        ("day,usd\nTotal,0\n", ("--provider", "acme"), "holds no lines"),
        ("", ("--provider", "acme"), "october.csv: is empty; export it again"),
        (
            "day;usd\n2026-10-01;1,50\n",
            ("--provider", "acme"),
            "line 2, column usd: '1,50' is no amount; write USD as in 1,234.50",
        ),
        ("day,usd\n2026-10-01,--1\n", ("--provider", "acme"), "line 2, column usd: '--1' is no amount"),
        ("day,usd\n2026-10-01,\n", ("--provider", "acme"), "line 2, column usd: '' is no amount"),
        ("day,usd\n2026-10-01x,1\n", ("--provider", "acme"), "line 2, column day: '2026-10-01x' is no day"),
        (
            "day,usd,Currency\n2026-10-01,1,usd\n2026-10-01,1,EUR\n",
            ("--provider", "acme"),
            "line 3, column Currency: 'EUR' is not USD, which the books are kept in; convert the amounts first",
        ),
        (
            None,
            ("--provider", "acme", "--column", "amount=x"),
            "--column 'amount=x' names none of day, provider",
        ),
        (None, ("--provider", "acme", "--column", "day=when"), "column when: is no column; the columns are Usage Date, Model"),
        (None, ("--provider", "acme", "--month", "2026-09"), "5 lines of the file are of days outside 2026-09-01 to 2026-09-30"),
        (None, ("--provider", "acme", "--tolerance", "-1"), "--tolerance '-1' is no amount"),
    ],
)
def test_an_invoice_that_cannot_be_read(
    pigou: Typed, invoice: Path, text: str | None, arguments: tuple[str, ...], said: str
) -> None:
    if text is not None:
        invoice.write_text(text)
    code, out, err = pigou("reconcile", str(invoice), *arguments)
    assert (code, out) == (2, "")
    assert said in err
