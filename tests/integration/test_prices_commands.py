"""`pigou prices` and `pigou quote` as they are typed: what they print, and how they refuse."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from dashboard.what_if import Asked, Solver
from dashboard.what_if_words import sentence
from tests.decided import decide
from tests.integration.test_budgets_commands import table
from tests.price_vectors import put_vector
from tests.typed import Typed

MENU = """
tenant: default
options:
  - {option: cheap, quality: 0.7, cost_usd: 1, latency_s: 0, risk_usd: 0.05}
  - {option: frontier, quality: 0.9, cost_usd: 5, latency_s: 0, risk_usd: 0.01}
  - {option: blind, cost_usd: 5, latency_s: 0, risk_usd: 0}
users:
  - {user: low, v_usd: 10, option: frontier}
"""


def test_a_constraint_is_stated_solved_and_listed(pigou: Typed, owner: psycopg.Connection) -> None:
    decide(owner, 200, v_usd=0.5)
    stated = pigou("prices", "constrain", "code.fix", "--tenant", "default", "--sla-s", "7")
    assert stated == (0, "default: constraint on code.fix stated, revision 1; `pigou prices solve` finds its prices\n", "")
    assert pigou("prices", "solve", "--tenant", "default") == (0, "1 row of the price vector changed\n", "")
    [row] = table(pigou("prices", "--tenant", "default", "--format", "csv")[1])
    assert (row["task_class"], row["source"], row["lambda_source"], row["constraint"], Decimal(row["slack"])) == (
        "code.fix", "dual", "dual", "latency_sla code.fix", 0,
    )  # fmt: skip
    assert Decimal(row["lambda_low"]) <= Decimal(row["lambda_usd_per_s"]) <= Decimal(row["lambda_high"])
    assert pigou("prices", "constrain", "code.fix", "--tenant", "default", "--sla-s", "none", "--risk-usd-per-day", "50")[0] == 0
    [limit] = table(pigou("prices", "constraints", "--format", "csv")[1])
    assert (limit["latency_s"], limit["risk_usd_per_day"], limit["revision"]) == ("", "50", "2")
    assert len(table(pigou("prices", "constraints", "--tenant", "default", "--history", "--format", "csv")[1])) == 2
    assert pigou("prices", "solve", "--seed", "3")[0] == 0
    assert len(table(pigou("prices", "--task-class", "code.fix", "--history", "--format", "csv")[1])) == 2
    assert table(pigou("prices", "--task-class", "other", "--format", "csv")[1]) == []


def test_what_if_shows_prices_and_allocation_respond(pigou: Typed, owner: psycopg.Connection) -> None:
    decide(owner, 200, v_usd=0.5)
    asked = ("prices", "what-if", "--tenant", "default", "--sla-s", "7", "--format")
    code, _, said = pigou(*asked, "json")
    assert (code, "look now: pigou prices solve --tenant default" in said) == (2, True)
    assert pigou("prices", "solve", "--tenant", "default")[0] == 0
    code, out, _ = pigou(*asked, "json")
    assert code == 0
    told: dict[str, Any] = json.loads(out)
    [price] = [row for row in told["then"]["prices"] if row["task_class"] == "code.fix"]
    assert price["lam"]["value"] > 0
    assert told["now"]["prices"][1]["lam"]["value"] is None
    assert sum(one["best"] for one in told["then"]["allocation"]) == pytest.approx(200)
    assert told["gain_usd_per_day"]["value"] < 0
    assert json.loads(pigou(*asked, "json", "--anew")[1])["then"] == told["then"]
    code, out, _ = pigou(*asked, "table", "--risk-usd-per-day", "50")
    assert "latency_sla *" in out
    assert "best then" in out
    code, out, said = pigou(
        "prices", "what-if", "--tenant", "default", "--task-class", "code.fix", "--budget-usd", "1", "--budget-days", "10"
    )
    assert code == 0
    assert out.startswith("No choice among the options that are known keeps a budget for code.fix tasks of $0.10 a day")
    assert "then: no allocation keeps it: budget code.fix allows 0.1, the least that can be had is 1," in said


def test_what_if_prints_what_the_page_shows(pigou: Typed, owner: psycopg.Connection, reader: psycopg.Connection) -> None:
    decide(owner, 100, v_usd=0.5)
    assert pigou("prices", "solve", "--tenant", "default")[0] == 0
    asked = ("--tenant", "default", "--task-class", "code.fix", "--sla-s", "7")
    told: dict[str, Any] = json.loads(pigou("prices", "what-if", *asked, "--format", "json")[1])
    with reader.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("select * from ledger.price_periods").fetchone()
        options = cursor.execute("select * from ledger.price_alternatives order by comparison, place").fetchall()
    assert row is not None
    shown = Solver().answer(Asked("default", "latency_sla", "code.fix", 7.0), row, options)
    response = shown.response
    assert told["says"] == sentence(shown.supposed, response, shown.curve)
    assert told["gain_usd_per_day"] == asdict(response.gain)
    assert told["then"]["prices"] == [asdict(one) for one in response.after.found.rows]
    assert told["then"]["allocation"] == [asdict(one) for one in response.after.found.allocation]
    assert told["then"]["taken"] == asdict(response.after.taken)
    assert shown.curve is not None
    assert told["curve"]["points"] == [asdict(one) for one in shown.curve.points]


def test_what_if_refuses_what_was_solved_in_another_way(
    pigou: Typed, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(owner, 40)
    assert pigou("prices", "solve", "--tenant", "default")[0] == 0
    monkeypatch.setattr("cli.supposed.METHOD", "of a later version")
    code, out, said = pigou("prices", "what-if", "--tenant", "default", "--sla-s", "7")
    assert (code, out) == (1, "")
    assert "were solved by an earlier version, in another way; look again: pigou prices solve --tenant default" in said
    assert pigou("prices", "what-if", "--tenant", "default", "--sla-s", "7", "--anew")[0] == 0


def test_a_quote_of_a_file(pigou: Typed, writer: psycopg.Connection, tmp_path: Path) -> None:
    put_vector(writer, task_class="*", v_usd=100, lambda_usd_per_s=0, rho=50)
    menu = tmp_path / "menu.yaml"
    menu.write_text(MENU)
    code, out, _ = pigou("quote", str(menu))
    assert code == 0
    assert "V* 10: from there on frontier is better than cheap" in out
    assert "quality is not known while V is 100" in out
    assert "incentive compatible: yes" in out
    assert "router: Send such tasks to frontier: it nets 84.5 USD, 18 USD ahead of the next" in out
    answer = json.loads(pigou("quote", str(menu), "--tenant", "default", "--format", "json")[1])
    assert (answer["best"], answer["prices"]["rho"]["value"]) == ("frontier", 50)
    rows = table(pigou("quote", str(menu), "--format", "csv")[1])
    assert [(row["option"], row["best"]) for row in rows] == [("cheap", ""), ("frontier", "*"), ("blind", "")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prices", "constrain", "a", "--tenant", "default"), "nothing to state; give --sla-s"),
        (("prices", "constrain", "a", "--tenant", "default", "--sla-s", "x"), "--sla-s 'x' is no number"),
        (("prices", "constrain", "a", "--tenant", "default", "--sla-s", "0"), "an SLA of 0 s; give a number"),
        (("prices", "constrain", "a*b", "--tenant", "default", "--sla-s", "1"), "'a*b' is no task class"),
        (("prices", "solve", "--tenant", "nobody"), "there is no tenant 'nobody'"),
        (("prices", "what-if", "--tenant", "nobody", "--sla-s", "3"), "there is no tenant 'nobody'"),
        (("prices", "what-if", "--tenant", "nobody"), "nothing to suppose; give --budget-usd"),
        (("quote", "gone.yaml"), "gone.yaml cannot be read"),
    ],
)
def test_what_is_called_wrongly(pigou: Typed, arguments: tuple[str, ...], said: str) -> None:
    code, out, error = pigou(*arguments)
    assert (code, out) == (2, "")
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is neither YAML nor JSON"),
        ("options: []", "is no menu: options: at least 1 are wanted, not 0; `pigou quote --help` shows one"),
        ("- 1", "is no menu: an object is wanted, not a list"),
        ("options: [{option: a, latency_ms: 3}]", "options.0.latency_ms: there is no such field; did you mean latency_s? `pigou"),
    ],
)
def test_a_menu_that_is_none(pigou: Typed, tmp_path: Path, text: str, said: str) -> None:
    menu = tmp_path / "menu.yaml"
    menu.write_text(text)
    code, _, error = pigou("quote", str(menu))
    assert (code, said in error) == (2, True), error
