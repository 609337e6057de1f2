"""Whom commands are about, and who stated what: a tenant that is not there is no empty answer, and no statement is nobody's."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.books import one, price
from tests.typed import Typed

ASKED = (
    "alerts list", "alerts show 1", "autonomy list", "autonomy breaches", "autonomy show", "bill", "trial-balance", "accounts",
    "assets", "budgets list", "budgets show team", "budgets holds",
    "findings list", "findings show 1", "findings history 1", "findings looks", "findings materiality", "maintenance list",
    "outcomes list",
    "policy list", "prices", "prices constraints", "rates list", "tasks list", "tasks rules list", "regret",
)  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
def test_a_tenant_that_is_not_there_is_no_empty_answer(pigou: Typed, writer: psycopg.Connection, asked: str) -> None:
    price(writer, tenant="acme")
    code, out, err = pigou(*asked.split(), "--tenant", "acne")
    assert (code, out) == (2, "")
    assert "acne" in err
    assert err.count("\n") == 1


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
