"""A tenant by a wrong name: refused where something is read, told as new where something is stated."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from ledger.post import open_tenants
from tests.integration.conftest import Typed

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def acme(writer: psycopg.Connection) -> None:
    """Books of one tenant."""
    open_tenants(writer, ["acme"])


READING = (
    "prices", "prices constraints", "tasks list", "tasks rules list", "budgets list", "budgets holds", "findings list",
    "findings looks", "findings materiality", "findings show 1", "alerts list", "outcomes list", "rates list", "policy list",
    "policy show code.fix", "regret", "accounts", "assets", "trial-balance", "statement expenses", "autonomy list",
    "autonomy breaches", "autonomy show", "channels deliveries", "maintenance list",
    "production", "misallocation", "predictions", "rerate", "assignments set verify recorded",
)  # fmt: skip
STATING = (
    "prices constrain code.fix --sla-s 90", "budgets set team --amount 5", "findings materiality --usd-per-day 5",
    "tasks rules add code.fix --field name --pattern fix", "alerts set misallocation --open-at 5",
    f"outcomes add --trace {TRACE} --quality 1", "maintenance plan --for 2h", "credentials create x",
    "rates add --provider vllm --model m --commodity input_tokens --usd 1",
)  # fmt: skip


@pytest.mark.usefixtures("acme")
def test_what_is_read_of_an_unknown_tenant_is_refused(pigou: Typed) -> None:
    refused = (2, "", "pigou: there is no tenant 'acmee'; did you mean acme?\n")
    told = {command: pigou(*command.split(), "--tenant", "acmee") for command in READING}
    assert {command: one for command, one in told.items() if one != refused} == {}
    assert pigou("prices", "--tenant", "zzz")[2] == "pigou: there is no tenant 'zzz'; known are acme\n"


@pytest.mark.usefixtures("acme")
def test_what_is_stated_of_a_new_tenant_says_so_once(pigou: Typed) -> None:
    for number, command in enumerate(STATING):
        new = f"acme{number}{number}"
        code, _, error = pigou(*command.split(), "--tenant", new)
        said = f"{new} is a new tenant: nothing was received or stated of it before; did you mean "
        assert (code, error.count(said)) == (0, 1), error
        for known in ("acme", new):
            assert "new tenant" not in pigou(*command.split(), "--tenant", known)[2]


@pytest.mark.usefixtures("acme")
def test_an_outcome_of_the_future_is_refused(pigou: Typed) -> None:
    told = pigou("outcomes", "add", "--tenant", "acme", "--trace", TRACE, "--quality", "1", "--at", "2999-01-01")
    assert told == (2, "", "pigou: --at 2999-01-01 23:59 lies in the future; say when this was known\n")


@pytest.mark.usefixtures("acme")
def test_files_tell_new_tenants_too(pigou: Typed, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("policies:\n- {tenant: beta, task_class: a, v_usd: 1}\n- {tenant: acme, task_class: a, v_usd: 1}\n")
    code, _, error = pigou("policy", "import", str(file))
    assert (code, error) == (
        0, "pigou: beta is a new tenant: nothing was received or stated of it before; known are acme\n"
    )  # fmt: skip


@pytest.mark.usefixtures("acme")
def test_what_is_refused_opens_nothing_and_says_one_thing(pigou: Typed) -> None:
    code, _, error = pigou("prices", "constrain", "a*b", "--tenant", "acmee", "--sla-s", "3")
    assert (code, error.count("\n"), "new tenant" in error) == (2, 1, False)
    assert pigou("prices", "--tenant", "acmee")[0] == 2
