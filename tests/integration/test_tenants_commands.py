"""A tenant by a wrong name: refused where something is read of it; where it is stated a slip is, and others are told as new."""

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
    f"outcomes add --trace {TRACE} --quality 1", "maintenance plan --for 2h",
    "rates add --provider vllm --model m --commodity input_tokens --usd 1",
)  # fmt: skip


@pytest.mark.usefixtures("acme")
def test_what_is_read_of_an_unknown_tenant_is_refused(pigou: Typed) -> None:
    refused = (2, "", "pigou: there is no tenant 'acmee'; did you mean acme?\n")
    told = {command: pigou(*command.split(), "--tenant", "acmee") for command in READING}
    assert {command: one for command, one in told.items() if one != refused} == {}
    assert pigou("prices", "--tenant", "zzz")[2] == "pigou: there is no tenant 'zzz'; known are acme\n"


@pytest.mark.usefixtures("acme")
def test_what_is_stated_of_a_slip_is_refused_unless_it_is_meant(pigou: Typed, reader: psycopg.Connection) -> None:
    for number, command in enumerate(STATING):
        new = f"acme{'abcdefgh'[number]}"
        said = f"pigou: there is no tenant {new!r}; did you mean "
        code, out, error = pigou(*command.split(), "--tenant", new)
        assert (code, out, error.startswith(said)) == (2, "", True), error
        assert error.endswith("? --new-tenant opens it, if it is meant\n"), error
        assert (new,) not in reader.execute("select tenant from ledger.periods").fetchall()
        assert pigou(*command.split(), "--tenant", new, "--new-tenant")[::2] == (0, ""), command
        for known in ("acme", new):
            assert pigou(*command.split(), "--tenant", known)[0] == 0, command


def test_what_is_stated_of_another_tenant_opens_it_and_says_so_once(pigou: Typed) -> None:
    for number, command in enumerate(STATING):
        assert pigou(*command.split(), "--tenant", "default")[0] == 0, command
        (code, _, first), (_, _, second) = (pigou(*command.split(), "--tenant", f"t{number}") for _ in "ab")
        said = f"t{number} is a new tenant: nothing was received or stated of it before; "
        assert (code, said in first, said in second) == (0, True, False), command


def test_of_an_empty_installation_nothing_is_said(pigou: Typed) -> None:
    assert pigou("budgets", "set", "team", "--amount", "5", "--tenant", "acme")[::2] == (0, "")
    said = "pigou: there is no tenant 'defalut'; did you mean default? --new-tenant opens it, if it is meant\n"
    assert pigou("budgets", "set", "team", "--amount", "5", "--tenant", "defalut") == (2, "", said)


@pytest.mark.usefixtures("acme")
def test_a_credential_opens_its_tenant_and_says_so(pigou: Typed) -> None:
    said = "acmee is a new tenant: nothing was received or stated of it before; did you mean acme?"
    assert [said in pigou("credentials", "create", name, "--tenant", "acmee")[2] for name in ("a", "b")] == [True, False]


@pytest.mark.usefixtures("acme")
def test_an_outcome_of_the_future_is_refused(pigou: Typed) -> None:
    told = pigou("outcomes", "add", "--tenant", "acme", "--trace", TRACE, "--quality", "1", "--at", "2999-01-01")
    assert told == (2, "", "pigou: --at 2999-01-01 23:59 lies in the future; say when this was known\n")


FILES = (
    ("policy import", "policies:\n- {tenant: acmee, task_class: a, v_usd: 1}\n- {tenant: acme, task_class: a, v_usd: 1}\n"),
    ("channels import", "channels:\n- {name: a, kind: slack, url: 'env:A', tenant: acmee}\n"),
    ("channels import", "channels:\n- {name: a, kind: slack, url: 'env:A', tenants: [acme, acmee]}\n"),
    ("rates import", "rates:\n- {tenant: acmee, provider: p, model: m, commodity: input_tokens, price_usd: 1}\n"),
    ("autonomy adopt", "- {tenant: acmee, action_class: deploy, confirmation: human}\n"),
)


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(("command", "text"), FILES)
def test_a_file_with_a_slip_is_refused_whole(pigou: Typed, tmp_path: Path, command: str, text: str) -> None:
    file = tmp_path / "stated.yaml"
    file.write_text(text)
    said = "pigou: there is no tenant 'acmee'; did you mean acme? --new-tenant opens it, if it is meant\n"
    assert pigou(*command.split(), str(file)) == (2, "", said)
    assert pigou(*command.split(), str(file), "--new-tenant")[0] == 0
