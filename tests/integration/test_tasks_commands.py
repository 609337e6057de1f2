"""`pigou tasks`, `pigou outcomes` and `pigou policy` as they are typed: what they print, and how they refuse."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import psycopg
import pytest

from ledger.post import open_tenants
from tests.books import agent, chat, export, price
from tests.desk import book
from tests.typed import Typed

TRACE = f"{1:032x}"
POLICY = """\
policies:
- {task_class: "*", rho: 1, grace_s: 0}
- {task_class: code.*, v: 5, lambda: 0.001, outcomes: [feedback, evaluation:grade]}
- {tenant: acme, task_class: code.fix, v_usd: 12, valid_from: 2026-01-01}
"""


def table(output: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(output)))


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "prices.yaml"
    file.write_text(POLICY)
    return file


def test_a_policy_is_imported_listed_and_shown(pigou: Typed, policy: Path) -> None:
    assert pigou("policy", "import", str(policy)) == (0, "3 of 3 statements say something new\n", "")
    assert pigou("policy", "import", str(policy)) == (0, "0 of 3 statements say something new\n", "")
    policy.write_text('task_class,v_usd\n*,2\n"code.*",6\n')
    policy = policy.rename(policy.with_suffix(".csv"))
    assert pigou("policy", "import", str(policy))[0] == 0
    listed = table(pigou("policy", "list", "--format", "csv")[1])
    assert [(row["tenant"], row["task_class"], row["revision"], row["v_usd"]) for row in listed] == [
        ("", "*", "2", "2"), ("", "code.*", "2", "6"), ("acme", "code.fix", "1", "12"),
    ]  # fmt: skip
    assert len(table(pigou("policy", "list", "--all", "--format", "csv")[1])) == 5
    shown = table(pigou("policy", "show", "code.fix", "--tenant", "acme", "--format", "csv")[1])
    assert [(row["price"], row["value"], row["stated_for"], row["tenant"], row["revision"]) for row in shown] == [
        ("v_usd", "12", "code.fix", "acme", "1"), ("lambda_usd_per_s", "0.001", "code.*", "", "1"), ("rho", "1", "*", "", "1"),
        ("deadline_s", "", "nobody", "", ""), ("grace_s", "0.0", "*", "", "1"),
        ("outcome_sources", "feedback, evaluation:grade", "code.*", "", "1"),
    ]  # fmt: skip
    before = table(pigou("policy", "show", "code.fix", "--tenant", "acme", "--at", "2025-06-01", "--format", "csv")[1])
    assert before[0]["stated_for"] == "code.*"
    policy.write_text("task_class,lambda,rho\ncode.fix,Dual,1\n")
    assert [pigou("policy", "import", str(policy))[1][:6] for _ in range(2)] == ["1 of 1", "0 of 1"]
    left = table(pigou("policy", "show", "code.fix", "--format", "csv")[1])
    assert [(row["value"], row["stated_for"]) for row in left[1:3]] == [("dual, not solved", "code.fix"), ("1", "code.fix")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {task_class: a, v_usd: -1}", "line 1, column v_usd: '-1' is no such number"),
        ("- {task_class: a, v_usd: NaN}", "column v_usd: 'NaN' is no such number"),
        ("- {task_class: a, v_usd: dual}", "column v_usd: 'dual' is no such number"),
        ("- {task_class: a, rho: duals}", "write a number from 0 to 1000000000000, or dual"),
        ("- {task_class: a}", "line 1: says nothing of a"),
        ("- {v_usd: 1}", "column task_class: is missing"),
        ("- {task_class: 'a*b', v_usd: 1}", "column task_class: 'a*b' is no class"),
        ("- {task_class: a, price: 1}", "column price: is no column"),
        ("- {task_class: a, outcomes: [stars]}", "column outcome_sources: 'stars' is no source of outcomes"),
        ("- {task_class: a, rho: 1}\n- {task_class: a, rho: 2}", "line 2, column task_class: line 1 speaks of a too"),
        ("- {task_class: a, rho: 1, valid_from: 2026-02-01, valid_until: 2026-01-01}", "is not after valid_from"),
        ("- {task_class: a, v_usd: 0.0000000000001}", "has more than 12 decimals"),
        ("[]", "holds no policies"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_whole(pigou: Typed, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    code, output, refusal = pigou("policy", "import", str(file))
    assert (code, output) == (2, "")
    assert said in refusal
    assert pigou("policy", "list", "--format", "csv")[1].count("\n") == 1


def test_outcomes_are_told_and_tasks_settled_and_listed(pigou: Typed, dsn: str, writer: psycopg.Connection, policy: Path) -> None:
    price(writer)
    pigou("policy", "import", str(policy))
    assert pigou("outcomes", "add", "--tenant", "default", "--response", "r1", "--quality", "0.5") == (
        0, "default: taken; it waits until the response is reported\n", "",
    )  # fmt: skip
    [waiting] = table(pigou("outcomes", "list", "--waiting", "--format", "csv")[1])
    assert (waiting["status"], waiting["quality"]) == ("waiting", "0.5")
    book(dsn, [export(agent(1, 1, task="code.fix"), chat(1, 2, 1, id="r1"))])
    code, said, _ = pigou("tasks", "settle")
    assert code == 0
    assert "1 tasks are new or changed" in said or "0 tasks" in said  # booking ran the clock already
    [listed] = table(pigou("tasks", "list", "--class", "code.fix", "--format", "csv")[1])
    assert (listed["trace_id"], listed["value_usd"], listed["quality"], listed["outcome_source"]) == (
        TRACE, "5.000000000000", "0.5", "feedback",
    )  # fmt: skip
    assert table(pigou("tasks", "list", "--since", "2026-11-03", "--format", "csv")[1]) == []
    add = ("outcomes", "add", "--tenant", "default", "--trace", TRACE)
    assert pigou(*add, "--quality", "1", "--loss", "2.5", "--key", "k") == (0, "default: taken\n", "")
    assert pigou(*add, "--quality", "1", "--loss", "2.5", "--key", "k") == (0, "default: known already\n", "")
    code, _, refusal = pigou(*add, "--quality", "0", "--key", "k")
    assert code == 1
    assert "another outcome of trace" in refusal
    assert pigou("tasks", "settle", "--since", "2026-11-01")[0] == 0
    [listed] = table(pigou("tasks", "list", "--tenant", "default", "--format", "csv")[1])
    assert (listed["quality"], listed["loss_usd"]) == ("1", "2.500000000000")


def test_rules_of_classes_are_added_listed_and_removed(pigou: Typed, writer: psycopg.Connection) -> None:
    open_tenants(writer, ["acme"])
    rules = ("tasks", "rules")
    assert pigou(*rules, "add", "batch.job", "--field", "name", "--pattern", "night.*") == (0, "all tenants: rule 10 added\n", "")
    assert pigou(*rules, "add", "chat.help", "--field", "tool", "--pattern", "search", "--tenant", "acme", "--at", "5")[0] == 0
    listed = table(pigou(*rules, "list", "--format", "csv")[1])
    assert [(row["tenant"], row["ordinal"], row["task_class"]) for row in listed] == [
        ("acme", "5", "chat.help"), ("", "10", "batch.job"),
    ]  # fmt: skip
    assert pigou(*rules, "remove", "10") == (0, "all tenants: rule 10 removed\n", "")
    for wrong, said in (
        (("remove", "10"), "there is no rule 10 for all tenants"),
        (("add", "x", "--field", "colour", "--pattern", "a"), "field 'colour' is none of agent, name"),
        (("add", "x", "--field", "name", "--pattern", "("), "is no regular expression"),
        (("add", "x", "--field", "name", "--pattern", "a", "--at", "5", "--tenant", "acme"), "there is a rule 5 already"),
    ):
        code, _, refusal = pigou(*rules, *wrong)
        assert code == 2
        assert said in refusal


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--quality", "1"), "it is not said of what"),
        (("--trace", TRACE, "--response", "r", "--quality", "1"), "it is not said of what"),
        (("--trace", "12", "--quality", "1"), "--trace '12' is no trace id"),
        (("--trace", TRACE), "nothing is said"),
        (("--trace", TRACE, "--quality", "2"), "--quality 2.0 is not in [0, 1]"),
        (("--trace", TRACE, "--quality", "nan"), "--quality nan is not in [0, 1]"),
        (("--trace", TRACE, "--loss", "much"), "--loss 'much' is no amount"),
        (("--trace", TRACE, "--loss", "-1"), "--loss '-1' is no amount"),
    ],
)
def test_an_outcome_that_cannot_be_is_refused(pigou: Typed, arguments: tuple[str, ...], said: str) -> None:
    code, output, refusal = pigou("outcomes", "add", "--tenant", "default", *arguments)
    assert (code, output) == (2, "")
    assert said in refusal
