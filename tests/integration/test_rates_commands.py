"""`pigou rates` as it is typed: what it prints, what it books again, and how it refuses."""

from __future__ import annotations

import csv
import io
import json
import shlex
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from tests.books import chat, export
from tests.conftest import WHOLE_LIST
from tests.desk import book
from tests.typed import Typed

ADD = ("rates", "add", "--tenant", "blue", "--provider", "acme", "--model", "m1", "--commodity")


@pytest.fixture(scope="module")
def template(server: str) -> str:
    """The whole list."""
    assert server
    return WHOLE_LIST


def test_show_says_what_is_charged_and_why(pigou: Typed) -> None:
    code, out, err = pigou("rates", "show", "gpt-4o-2024-08-06", "--provider", "openai", "--at", "2026-11-05", "--format", "csv")
    assert code == 0
    assert "priced as openai gpt-4o" in err
    charged = {row["commodity"]: row for row in csv.DictReader(io.StringIO(out))}
    assert Decimal(charged["input_tokens"]["price_usd"]) == Decimal("2.5")
    assert charged["input_tokens"]["basis"] == "listed"
    assert charged["output_reasoning_tokens"]["basis"] == "inherits output_tokens"
    assert charged["input_tokens"]["source"].startswith("genai-prices ")
    code, out, _ = pigou(
        "rates", "show", "gemini-2.5-pro", "--provider", "google", "--input-tokens", "300000", "--format", "json"
    )
    assert [row["context_above"] for row in json.loads(out) if row["commodity"] == "output_tokens"] == [200_000]


def test_show_of_what_has_no_price_names_the_mend(pigou: Typed) -> None:
    code, out, err = pigou("rates", "show", "fleet-32b", "--provider", "vllm")
    assert (code, out) == (1, "")
    assert "vllm fleet-32b has no price" in err
    assert "pigou rates add --provider vllm --model fleet-32b" in err


def test_add_and_list(pigou: Typed) -> None:
    assert pigou(*ADD, "input_tokens", "--usd", "2.50")[:2] == (0, "1 rate added\nblue: 0 calls booked again; 0 still unpriced\n")
    code, out, _ = pigou(*ADD, "input_tokens", "--usd", "2.25", "--from", "2026-01-01")
    assert (code, out.splitlines()[0]) == (0, "1 rate added, 1 of them correcting earlier ones")
    code, out, _ = pigou("rates", "list", "--own", "--format", "csv")
    held = list(csv.DictReader(io.StringIO(out)))
    assert [(row["tenant"], row["model"], row["price_usd"], row["revision"]) for row in held] == [
        ("blue", "m1", "2.50", "1"),
        ("blue", "m1", "2.25", "2"),
    ]
    assert "m1" in pigou("rates", "list", "--tenant", "blue", "--own", "--on", "2026-11-05")[1]


def test_import_prices_what_waited(pigou: Typed, dsn: str, owner: psycopg.Connection, tmp_path: Path) -> None:
    book(dsn, [export(chat(1, 1, input=1000, output=100, id="r1"), chat(2, 1, input=10, output=1, id="r2", model="m2"))])
    waiting = owner.execute("select tenant, count(*) from ledger.calls where status = 'unpriced' group by 1").fetchall()
    assert waiting == [("default", 2)]
    file = tmp_path / "prices.yaml"
    file.write_text(
        "- {provider: acme, model: m1, commodity: input_tokens, usd: 2}\n"
        "- {provider: acme, model: m1, commodity: output_tokens, usd: 10}\n"
    )
    before = owner.execute("select * from ledger.calls order by span_id").fetchall()
    assert pigou("rates", "import", str(file), "--trial")[:2] == (
        0,
        (
            "2 rates: a trial, nothing is added\n"
            "default: 1 calls would be booked again, from 0 to 0.003 USD; 0 would still need a price of something else\n"
        ),
    )
    assert owner.execute("select * from ledger.calls order by span_id").fetchall() == before
    assert owner.execute("select count(*) from ledger.rates where tenant = 'default'").fetchall() == [(0,)]
    code, out, err = pigou("rates", "import", str(file))
    assert (code, out) == (0, "2 rates added\ndefault: 1 calls booked again, from 0 to 0.003 USD; 1 still unpriced\n"), err
    costs = owner.execute("select model, cost_usd from ledger.calls order by model").fetchall()
    assert costs == [("m1", Decimal("0.003")), ("m2", None)]


def test_a_correction_says_what_it_moves_before_and_when_it_is_made(pigou: Typed, dsn: str) -> None:
    book(dsn, [export(chat(1, 1, input=1_000_000, output=None, id="r1"), chat(2, 1, input=1_000_000, output=5, id="r2"))])
    given = ("rates", "add", "--provider", "acme", "--model", "m1", "--commodity", "input_tokens")
    assert pigou(*given, "--usd", "20")[1].endswith("default: 1 calls booked again, from 0 to 20 USD; 1 still unpriced\n")
    assert pigou(*given, "--usd", "12.50", "--trial")[1] == (
        "1 rate, 1 of them correcting earlier ones: a trial, nothing is added\n"
        "default: 1 calls would be booked again, from 20 to 12.5 USD; 1 would still need a price of something else\n"
    )
    assert pigou(*given, "--usd", "12.50")[1].endswith("default: 1 calls booked again, from 20 to 12.5 USD; 1 still unpriced\n")
    assert pigou("check")[0] == 0


def test_what_cannot_be_counted_in_time_is_booked_all_the_same(pigou: Typed, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait for the price book as long as it is counted."""
    book(dsn, [export(chat(1, 1, input=1_000_000, output=None, id="r1"))])
    given = ("rates", "add", "--provider", "acme", "--model", "m1", "--commodity", "input_tokens", "--usd", "20")
    monkeypatch.setattr("cli.rates._COUNTS_FOR_MS", 100)
    monkeypatch.setattr("ledger.rerate.foresee", lambda books, _tenant_id: books.execute("select pg_sleep(60)"))
    code, out, err = pigou(*given, "--trial")
    assert (code, out) == (1, "")
    assert "what this changes was not counted within 0.1 s; add it without --trial" in err
    assert pigou("rates", "list", "--own", "--format", "json")[1] == "[]\n"
    assert pigou(*given)[:2] == (0, "1 rate added\ndefault: 1 calls booked again; 0 still unpriced\n")


def test_the_mend_named_in_suspense_mends(pigou: Typed, dsn: str, owner: psycopg.Connection) -> None:
    book(dsn, [export(chat(1, 1, input=1000, output=100, id="r1"))])
    (mend,) = owner.execute("select mend from ledger.suspense").fetchone() or ("",)
    commands = mend.removeprefix("give a price: ").split("; ")
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command.replace("PRICE", "2"))
        assert pigou(*words[1:])[0] == 0, command
    assert owner.execute("select status, cost_usd from ledger.calls").fetchall() == [("booked", Decimal("0.0022"))]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*ADD, "input_tokens", "--usd", "nan"), "price_usd: 'nan' is no price"),
        ((*ADD, "imput_tokens", "--usd", "1"), "did you mean input_tokens"),
        ((*ADD, "requests", "--usd", "1"), "say how many (request) the price buys"),
        ((*ADD, "input_tokens", "--usd", "1", "--until", "soon"), "'soon' is no date"),
        (("rates", "import", "gone.csv"), "gone.csv: cannot be read"),
        (("rates", "list", "--format", "xml"), "xml"),
        (("rates", "show"), "MODEL"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(pigou: Typed, arguments: tuple[str, ...], told: str) -> None:
    code, out, err = pigou(*arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


def test_with_several_tenants_one_must_be_named(pigou: Typed) -> None:
    for tenant in ("blue", "green"):
        pigou("rates", "add", "--tenant", tenant, *ADD[4:], "input_tokens", "--usd", "1")
    code, _, err = pigou("rates", "add", *ADD[4:], "input_tokens", "--usd", "1")
    assert code == 2
    assert "there are 2 tenants; say whose price it is: --tenant blue" in err
