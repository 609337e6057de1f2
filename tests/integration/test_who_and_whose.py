"""Whom commands are about, and who stated what: a tenant that is not there is no empty answer, and no statement is nobody's."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from ledger.budgets import Terms, set_budget
from tests.books import one, price
from tests.typed import Typed

ASKED = (
    "alerts list", "alerts show 1", "autonomy list", "autonomy breaches", "autonomy show", "bill", "trial-balance", "accounts",
    "assets", "budgets list", "budgets show team", "budgets holds",
    "findings list", "findings show 1", "findings history 1", "findings looks", "findings materiality", "maintenance list",
    "outcomes list",
    "policy list", "prices", "prices constraints", "rates list", "rates show m1", "latency", "pooling", "stated",
    "periods list", "periods history", "tasks list", "tasks rules list", "regret",
)  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
def test_a_tenant_that_is_not_there_is_no_empty_answer(pigou: Typed, writer: psycopg.Connection, asked: str) -> None:
    price(writer, tenant="acme")
    code, out, err = pigou(*asked.split(), "--tenant", "acne")
    assert (code, out) == (2, "")
    assert "acne" in err
    assert err.count("\n") == 1


UNHEARD = (
    ("findings list --mode over_route", "--mode 'over_route': there is no such one; did you mean over_routing, under_routing"),
    ("findings looks --mode x", "--mode 'x': there is no such one; known are over_routing, under_routing, "),
    ("budgets holds --budget teem", "--budget 'teem': there is no such one; did you mean team?"),
    ("rates list --commodity input_token", "--commodity 'input_token': there is no such one; did you mean input_tokens"),
    ("rates list --provider opennai", "--provider 'opennai': there is no such one; did you mean openai"),
    ("rates list --tier standart", "--tier 'standart': there is no such one; did you mean standard?"),
    ("rates list --model mm1", "--model 'mm1': there is no such one; did you mean m1"),
    ("channels deliveries --channel opps", "--channel 'opps': there is no such one; there is none yet"),
    ("prices --task-class code", "--task-class 'code': there is no such one; there is none yet"),
    ("outcomes list --trace 4bf9", "--trace '4bf9' is no trace id; write its 32 hexadecimal digits"),
    ("tasks list --since 2026-11-02 --until 2026-11-01", "--until 2026-11-01 is before --since 2026-11-02"),
    ("tasks list --class code", "--class 'code': there is no such one; there is none yet"),
)  # fmt: skip


@pytest.mark.parametrize(("asked", "said"), UNHEARD)
def test_what_nothing_is_called_by_is_no_empty_answer(pigou: Typed, writer: psycopg.Connection, asked: str, said: str) -> None:
    price(writer, tenant="acme")
    set_budget(writer, "acme", "team", Terms(amount_usd=Decimal(5)), "test")
    code, out, err = pigou(*asked.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"pigou: {said}")


def test_names_that_are_known_are_answered(pigou: Typed, writer: psycopg.Connection) -> None:
    price(writer, tenant="acme")
    set_budget(writer, "acme", "team", Terms(amount_usd=Decimal(5)), "test")
    for asked in (
        "findings list --mode over_routing", "budgets holds --budget team", "rates list --commodity input_tokens --own",
        "rates list --model m* --own", "rates list --model M1 --own --tier standard",
    ):  # fmt: skip
        assert (pigou(*asked.split())[0], asked) == (0, asked)


CHANNELS = "channels:\n- {name: ops, kind: webhook, url: 'https://ops.example/hook', secret: 'env:OPS'}\n"
OWN_RATES = "rates where tenant is not null"
STATED = (
    ("rates add --tenant acme --provider a --model m --commodity input_tokens --usd 1", OWN_RATES, "pigou rates add"),
    ("rates import rates.csv --tenant acme", OWN_RATES, "pigou rates import rates.csv"),
    ("budgets set team --tenant acme --amount 5", "budget_periods", None),
    ("policy import policy.yaml", "price_policies", "pigou policy import policy.yaml"),
    ("prices constrain code --tenant acme --sla-s 9", "price_constraints", "pigou prices constrain"),
    ("prices capacity engine-a --per-s 9", "engine_capacities", "pigou prices capacity"),
    ("alerts set budget_pace --tenant acme --off", "alert_rules where tenant is not null", "pigou alerts set"),
    ("findings materiality --usd-per-day 5 --tenant acme", "materiality where tenant is not null", "pigou findings materiality"),
    ("assignments set verify recorded", "assignments", "pigou assignments set"),
    ("autonomy adopt schedule.yaml", "autonomy_requirements", "pigou autonomy adopt schedule.yaml"),
    ("channels import channels.yaml", "channels", "pigou channels import channels.yaml"),
)  # fmt: skip


@pytest.mark.parametrize(("command", "kept", "how"), STATED)
@pytest.mark.usefixtures("books")
def test_who_states_something_is_kept_beside_it(
    pigou: Typed,
    writer: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
    kept: str,
    how: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rates.csv").write_text("provider,model,commodity,price_usd\nvllm,m7,input_tokens,1\n")
    Path("policy.yaml").write_text("policies:\n- {task_class: code, v_usd: 4}\n")
    Path("schedule.yaml").write_text("actions:\n- {action_class: transfer, confirmation: human}\n")
    Path("channels.yaml").write_text(CHANNELS)
    code, _, err = pigou(*command.split(), "--who", "ann")
    assert (code, err) == (0, "")
    if how is not None:
        assert one(writer, f"select source from ledger.{kept}") == f"ann, {how}"
    else:
        assert one(writer, "select source from pigou.budget") == "ann, pigou budgets set"


@pytest.fixture
def books(writer: psycopg.Connection) -> None:
    """A tenant that is known."""
    price(writer, {}, tenant="acme")
