"""What people state and do is listed in one place: who said what of whose books, and when."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from ledger import alerts
from ledger.findings import Dismissal, act, dismiss
from ledger.saved_views import save_view
from tests.books import price, rows
from tests.integration.delivering import open_alert
from tests.looked import found, look_of
from tests.typed import Typed

RATES = "rates add --provider vllm --model m7 --commodity"
SAID = (
    (f"{RATES} input_tokens --usd 1 --from 2026-01-01", "rate", "vllm m7 input_tokens",
     "1 USD for 1000000, from 2026-01-01 00:00"),
    (
        f"{RATES} output_tokens --usd 2.50 --tier batch --context-above 200000 --daily-from 00:00 --daily-until 06:00",
        "rate", "vllm m7 batch output_tokens above 200000 input tokens 00:00 to 06:00", "2.5 USD for 1000000",
    ),
    ("policy import policy.yaml", "price policy", "code", "V 4 USD, λ of the SLA, ρ 2, deadline 60 s"),
    ("prices constrain code --sla-s 9", "limit", "code", "mean task within 9 s"),
    ("prices constrain code --sla-s none", "limit", "code", "taken off"),
    ("prices capacity e1 --unit decode --per-s 900", "capacity", "e1 decode", "900 a second"),
    ("budgets set team --amount 5 --use act --from 2026-11-01T00:00", "budget", "team",
     "5 USD, a month (UTC), use act, from 2026-11-01 00:00"),
    ("periods close --through 2026-09-30 --note quarter", "period", "books", "closed: closed through 2026-09-30"),
    ("periods reopen --after 2026-08-31 --note late", "period", "books", "reopened: closed through 2026-08-31"),
    ("assignments set verify recorded", "assignment", "verify in *", "recorded"),
    ("findings materiality --usd-per-day 5", "materiality", "findings", "from 5 USD a day"),
    ("autonomy adopt schedule.yaml", "autonomy", "transfer in *", "confirmation: human"),
    ("alerts set budget_pace --off", "alert rule", "budget_pace", "off"),
    ("alerts set unpriced_share --open-at 0.5", "alert rule", "unpriced_share", "opens at 0.5, closes at 0.01, warning"),
    ("channels import channels.yaml", "channel", "ops", "webhook, info and above"),
    ("channels remove ops", "channel", "ops", "removed"),
    ("maintenance plan --from 2099-11-01T10:00 --until 2099-11-01T12:00 --rule budget_pace", "maintenance", "budget_pace",
     "planned: from 2099-11-01 10:00 until 2099-11-01 12:00"),
    ("credentials create router --may ingest --may read", "credential", "router", "may ingest, read"),
    ("credentials revoke router --last", "credential", "router", "revoked"),
    ("retention set records 30", "retention", "records", "kept for 30 days"),
    ("retention set records forever", "retention", "records", "kept for ever"),
    ("tasks rules add code.fix --field name --pattern ^fix", "task class rule", "name ~ ^fix", "code.fix"),
)  # fmt: skip
OF_ALL = {
    "prices capacity",
    "assignments set",
    "channels remove",
    "credentials revoke",
    "autonomy adopt",
    "channels import",
    "retention set",
}
NAMELESS = {"task class rule"}


@pytest.fixture
def stated(pigou: Typed, writer: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typed:
    """Everything that can be stated, said by ann."""
    price(writer, {}, tenant="acme")
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text("policies:\n- {task_class: code, v_usd: 4, lambda_usd_per_s: dual, rho: 2, deadline_s: 60}\n")
    Path("schedule.yaml").write_text("actions:\n- {action_class: transfer, confirmation: human}\n")
    Path("channels.yaml").write_text("channels:\n- {name: ops, kind: webhook, url: 'https://ops.example/', secret: 'env:OPS'}\n")
    for said, kind, _, _ in SAID:
        tenant = () if any(said.startswith(command) for command in OF_ALL) else ("--tenant", "acme")
        who = () if kind in NAMELESS else ("--who", "ann")
        code, _, err = pigou(*said.split(), *tenant, *who)
        assert code == 0, (said, err)
    return pigou


def listed(typed: Typed, *more: str) -> list[dict[str, str | None]]:
    code, out, err = typed("stated", "--format", "json", *more)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_each_statement_is_a_row(stated: Typed) -> None:
    found = listed(stated)
    assert [(row["kind"], row["subject"], row["summary"]) for row in found] == [(kind, of, says) for _, kind, of, says in SAID]
    assert {row["kind"] for row in found if row["stated_by"] is None} == NAMELESS
    assert {str(row["stated_by"]).split(", ")[0] for row in found if row["kind"] not in NAMELESS} == {"ann"}
    assert [row["note"] for row in found if row["note"] is not None] == ["quarter", "late"]


def test_they_are_asked_for_by_tenant_kind_person_and_day(stated: Typed, writer: psycopg.Connection) -> None:
    price(writer, tenant="globex")
    whole = listed(stated)
    of_globex = {row["kind"] for row in listed(stated, "--tenant", "globex") if row["tenant"] == "globex"}
    assert of_globex == {"rate"}
    assert len(listed(stated, "--tenant", "acme")) == len(SAID), "what is said of all is said of acme too"
    assert {row["kind"] for row in listed(stated, "--kind", "period")} == {"period"}
    assert len(listed(stated, "--who", "ann")) == len(SAID) - 1
    assert [row["kind"] for row in listed(stated, "--who", "ann, pigou rates add")] == ["rate", "rate"]
    assert listed(stated, "--since", "today") == whole
    assert listed(stated, "--until", "yesterday") == []
    code, out, _ = stated("stated", "--format", "csv")
    assert (code, len(list(csv.DictReader(io.StringIO(out))))) == (0, len(whole))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--kind", "rates"), "--kind 'rates': there is no such one; did you mean rate?"),
        (("--who", "anne"), "--who 'anne': there is no such one; did you mean ann"),
        (("--tenant", "acne"), "there is no tenant 'acne'; did you mean acme?"),
        (("--since", "2026-11-02", "--until", "2026-11-01"), "--until 2026-11-01 is before --since 2026-11-02"),
    ],
)
def test_what_nobody_stated_is_no_empty_answer(stated: Typed, asked: tuple[str, str], said: str) -> None:
    code, out, err = stated("stated", *asked)
    assert (code, out) == (2, "")
    assert err.startswith(f"pigou: {said}")


def test_acts_on_findings_and_alerts_are_there_and_what_no_person_did_is_not(writer: psycopg.Connection) -> None:
    found(writer, [look_of(4)])
    number = open_alert(writer)
    act(writer, 1, "noted", who="ann", note="asked the team")
    dismiss(writer, 1, Dismissal("intended", until=datetime.now(UTC) + timedelta(days=9)), who="bob", note="as promised")
    save_view(writer, "bill", "/bill?range=30d", who="cid")
    said = rows(writer, "select kind, subject, summary, stated_by from ledger.statements order by recorded_at")
    assert number == 1
    assert [row for row in said if row[0] != "rate"] == [
        ("finding", "1 over_routing: " + rows(writer, "select segment from ledger.findings")[0][0], "noted", "ann"),
        ("finding", "1 over_routing: " + rows(writer, "select segment from ledger.findings")[0][0], "dismissed", "bob"),
        ("saved view", "bill", "/bill?range=30d", "cid"),
    ]


def test_what_is_done_to_a_finding_and_its_alert_in_one_stands_once(writer: psycopg.Connection) -> None:
    found(writer, [look_of(4)])
    segment = rows(writer, "select segment from ledger.findings")[0][0]
    [tenant] = rows(writer, "select tenant from ledger.findings")[0]
    subject = f"over_routing: {segment}"
    number = open_alert(writer, tenant=tenant, rule="misallocation", subject=subject)
    acted = "select kind, summary, stated_by, note from ledger.statements where kind in ('alert', 'finding') order by recorded_at"
    alerts.act(writer, number, "acknowledged", who="ann", note="we look", tenant=tenant)
    assert rows(writer, acted) == [("finding", "acknowledged", "ann", "we look")]
    alerts.act(writer, number, "acknowledged", who="bob", tenant=tenant)
    assert rows(writer, acted)[1:] == [("alert", "acknowledged", "bob", None)], "of the finding bob says nothing new"
    alerts.act(writer, number, "muted", who="ann", until=datetime.now(UTC) + timedelta(hours=1), tenant=tenant)
    alerts.act(writer, number, "reopened", who="ann", tenant=tenant)
    act(writer, 1, "acknowledged", who="cid")
    dismiss(writer, 1, Dismissal("intended"), who="cid", note="as promised")
    assert [row[:3] for row in rows(writer, acted)[2:]] == [
        ("alert", "muted", "ann"), ("finding", "reopened", "ann"), ("finding", "acknowledged", "cid"),
        ("finding", "dismissed", "cid"),
    ]  # fmt: skip
    other = open_alert(writer, tenant=tenant, rule="unpriced_share", subject=subject)
    alerts.act(writer, other, "acknowledged", who="cid", tenant=tenant)
    assert rows(writer, acted)[-1][:3] == ("alert", "acknowledged", "cid")


def test_closings_of_before_are_by_nobody_known(owner: psycopg.Connection, writer: psycopg.Connection) -> None:
    price(writer, {}, tenant="acme")
    owner.execute(
        "insert into pigou.period_event select tenant_id, 1, 'closed', '2026-01-31' from pigou.tenant where tenant = 'acme'"
    )
    known = "select recorded_at, stated_by, summary from ledger.statements where kind = 'period'"
    assert rows(writer, known) == [(None, None, "closed: closed through 2026-01-31")]
