"""The reports as they are typed, over one filled database: three predictions, production, and what a period lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

import analyzers.produce
from analyzers.appraise import BEGINNING, END, attribute
from analyzers.decisions.derive import state_assignment
from analyzers.modes.look import Window
from analyzers.produce import produce
from analyzers.reports.books import spent, unchanging
from cli.main import main
from ledger.database import connect
from ledger.post import open_tenants
from tests.at_once import at_once
from tests.books import cloned, one, rows
from tests.decided import BEGAN, decide
from tests.typed import Typed

TASKS = 300
WHOLE = Window(BEGINNING, END)

# Tasks of two values, each with a call that acts and, two of three, one that verifies: by 2 cents, which lowers the loss by 60,
# or by 4, which does no more. One task in fifty has a call without a price.
_TELL = """
create temp table told on commit drop as
select *, row_number() over (order by trace_id)::integer as i from pigou.task;
update pigou.task k set value_usd = case when i % 4 = 0 then 20 else 2 end, rho = 1,
       risk_usd = case when i % 3 = 0 then 1.0 else 0.4 end + 0.05 * (i % 7)
  from told t where t.tenant_id = k.tenant_id and t.trace_id = k.trace_id;
insert into pigou.call (tenant_id, trace_id, span_id, started_at, ended_at, status, dialect, confidence, operation, layer_source,
                        use, use_source, leaves, cost_usd, strength)
select t.tenant_id, t.trace_id, decode(lpad(to_hex(t.i * 4 + c.place), 16, '0'), 'hex'), t.started_at, t.started_at, 'booked',
       'test', 'explicit', 'chat', 'explicit', c.use, 'explicit', '{}', case when t.i % 50 > 0 then c.cost_usd end, 1
  from told t
 cross join lateral (values (0, 'act', 0.03 + 0.01 * (t.i % 5)), (1, 'delegate', 0.01), (2, 'verify', 0.02 * (t.i % 3)))
       c (place, use, cost_usd)
 where c.cost_usd > 0
"""


@pytest.fixture(scope="module")
def filled(server: str, template: str) -> Iterator[str]:
    """Tasks of `acme` with routes that are appraised; `empty` has nothing."""
    with cloned(server, template, "pigou_reports") as dsn:
        with connect(dsn, "owner") as owner:
            decide(owner, TASKS, tenant="acme")
            with owner.transaction():
                open_tenants(owner, ["empty"])
                owner.execute(_TELL.encode())
        with connect(dsn, "writer") as writer:
            attribute(writer, BEGINNING, END, 0, lambda _step, _done, _total: None)
        yield dsn


@pytest.fixture
def typed(filled: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    return typing(filled, monkeypatch, capsys)


def typing(dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Commands on the books of a database."""
    monkeypatch.setenv("PIGOU_DATABASE_URL", dsn)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return run


def told(typed: Typed, *arguments: str) -> list[Any]:
    code, out, err = typed(*arguments, "--format", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_a_task_spent_what_its_calls_did(filled: str) -> None:
    with connect(filled, "writer") as writer, unchanging(writer):
        of = spent(writer, 1, WHOLE)
        doses = """select coalesce(sum(cost_usd) filter (where use in ('act', 'delegate')), 0)::float8,
                          coalesce(sum(cost_usd) filter (where use = 'verify'), 0)::float8
                     from ledger.doses where tenant = 'acme' and trace_id in
                          (select trace_id from ledger.doses group by trace_id having bool_and(cost_usd is not null))"""
        act, verify = one(writer, doses)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            writer.execute("delete from pigou.segment")
    priced = of.usd[of.usd[:, 2] > 0]
    assert len(of.tasks) == TASKS
    assert len(priced) == TASKS - TASKS // 50  # a task with an unpriced call has no sum
    assert priced.sum(axis=0).tolist() == pytest.approx([0.0, 0.0, act, verify])
    assert set(of.task_class) == {"code.fix"}


def test_the_first_prediction_needs_a_word_and_then_holds(typed: Typed, filled: str) -> None:
    before = told(typed, "predictions", "--tenant", "acme")
    assert [row["prediction"] for row in before] == [1, 2, 3]
    assert (before[0]["verdict"], before[0]["value"]) == ("not identified", None)
    assert "pigou assignments set verify recorded" in before[0]["settled_by"]
    with connect(filled, "writer") as writer:
        state_assignment(writer, 1, "verify", "code.fix", "recorded", "test")
    first, second, third = told(typed, "predictions", "--tenant", "acme")
    assert (first["verdict"], first["settled_by"]) == ("holds", None)
    assert first["low"] <= -0.6 <= first["high"] < 0
    assert "the best dose seen is 0.02 USD a task" in first["why"]
    assert second["verdict"] == "holds"  # the cheap model loses 0.3·V less what it saves: the more, the dearer the task
    assert set(second["detail"]) == {"code.fix: below 20 USD", "code.fix: 20 USD and more"}
    assert (third["verdict"], third["n"], third["why"]) == ("not enough evidence", 0, "no engine told how it served this tenant")
    assert "engine's spans" in third["settled_by"]
    code, out, _ = typed("predictions", "--tenant", "acme")
    assert code == 0
    assert "acme, prediction 1: with V held fixed" in out
    assert "  HOLDS\n" in out
    assert all(row["settled_by"] for row in told(typed, "predictions", "--tenant", "empty"))


def test_production_is_known_where_somebody_says_how_doses_are_decided(typed: Typed) -> None:
    [before] = told(typed, "production")
    assert (before["assignment"], before["uses"][2]["status"], before["equal_margins_p"]) == ("unknown", "not_identified", None)
    assert before["uses"][3]["usd_per_task"] == pytest.approx(0.02, abs=0.002)
    code, _, remarks = typed("production", "--tenant", "acme")
    assert code == 0
    assert "pigou assignments set dose recorded" in remarks
    code, out, _ = typed("assignments", "set", "dose", "recorded", "--tenant", "acme")
    assert (code, out) == (0, "dose of every class: recorded; run `pigou production` to see what follows\n")
    [after] = told(typed, "production", "--task-class", "code.fix")
    uses = {use["use"]: use for use in after["uses"]}
    assert uses["read"]["why"] == "read tokens do not vary between tasks"
    assert uses["act"]["net_low"] < uses["act"]["net_per_usd"] < uses["act"]["net_high"]
    assert 0 <= after["equal_margins_p"] <= 1
    assert {(pair["of"], pair["with"]) for pair in after["complements"]} == {("act", "verify")}
    assert after["settled_by"] is None
    code, out, remarks = typed("production")
    assert "pigou: acme, code.fix: p = " in remarks
    assert "(translog, 300 tasks)" in remarks
    assert out.count("code.fix") == 4


def test_production_is_kept_for_the_pages_until_something_changes(typed: Typed, filled: str) -> None:
    now = BEGAN + timedelta(days=12)
    with connect(filled, "writer") as writer:
        writer.execute("delete from pigou.assignment where kind = 'dose'")
        writer.execute("update pigou.task set settled_at = %s", (BEGAN,))
        assert (produce(writer, now), produce(writer, now + timedelta(days=1))) == (4, 0), "no task was settled since"
        before = (
            "select use, usd_per_task > 0, net_per_usd, settled_by ~ 'assignments set dose' from ledger.production order by use"
        )
        assert rows(writer, before) == [
            ("act", True, None, True), ("plan", False, None, True), ("read", False, None, True), ("verify", True, None, True)
        ]  # fmt: skip
        state_assignment(writer, 1, "dose", "code.fix", "recorded", "test")
        assert produce(writer, now + timedelta(days=2)) == 4, "what was stated changes what can be said"
        kept = rows(
            writer,
            "select use, net_per_usd::float8, net_low::float8, net_high::float8, settled_by, complements ? 'verify', equal_p"
            " from ledger.production where use in ('act', 'verify') order by use",
        )
    uses = {use["use"]: use for use in told(typed, "production", "--task-class", "code.fix")[0]["uses"]}
    for use, net, low, high, settled_by, is_complement, equal_p in kept:
        assert (net, low, high) == pytest.approx([uses[use][name] for name in ("net_per_usd", "net_low", "net_high")], rel=1e-6)
        assert (settled_by, is_complement) == (None, use == "act")
        assert 0 <= equal_p <= 1


def test_two_runs_measure_production_one_after_the_other(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = BEGAN + timedelta(days=13)
    with connect(filled, "writer") as writer:
        writer.execute("update pigou.task set settled_at = %s", (now,))
    assert at_once(monkeypatch, filled, lambda connection: produce(connection, now), (analyzers.produce, "produced")) == [4, 4]


def test_a_period_loses_what_its_segments_lose(typed: Typed, filled: str) -> None:
    [whole] = told(typed, "misallocation")
    with connect(filled, "owner") as owner:
        learnt, most = one(owner, "select sum(regret_usd)::float8, sum(most_usd)::float8 from pigou.segment")
        days = rows(owner, "select decided_at::date, count(*) from ledger.decisions group by 1 order by 1")
    assert (whole["tenant"], whole["comparisons"], whole["decisions"]) == ("acme", 1, TASKS)
    assert learnt <= whole["lost_usd"] <= most
    assert whole["low_usd"] < whole["lost_usd"] < whole["high_usd"]
    assert sum(share["lost_usd"] for share in whole["shares"]) == pytest.approx(whole["lost_usd"])
    assert "under_routing" in {share["mode"] for share in whole["shares"]}
    [early] = told(typed, "misallocation", "--until", days[2][0].isoformat())
    [late] = told(typed, "misallocation", "--since", days[3][0].isoformat())
    assert early["decisions"] == sum(n for _, n in days[:3])
    assert early["lost_usd"] + late["lost_usd"] == pytest.approx(whole["lost_usd"])
    code, out, _ = typed("misallocation", "--format", "csv")
    assert code == 0
    assert out.splitlines()[-1].startswith("all tenants,,,total,")


def test_what_no_decision_tells_is_not_nothing(
    server: str, template: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with cloned(server, template, "pigou_reports_few") as dsn:
        with connect(dsn, "owner") as owner:
            decide(owner, 8, tenant="acme")
        with connect(dsn, "writer") as writer:
            attribute(writer, BEGINNING, END, 0, lambda _step, _done, _total: None)
        typed = typing(dsn, monkeypatch, capsys)
        [few] = told(typed, "misallocation")
        _, table, err = typed("misallocation")
        _, out, _ = typed("misallocation", "--format", "csv")
        later = typed("misallocation", "--since", "2099-01-01")[2]
    assert later == "pigou: acme: no decision of these days is appraised, so that nothing can be told; see `pigou regret`\n"
    assert [few[name] for name in ("lost_usd", "low_usd", "high_usd", "decisions")] == [None, None, None, 8]
    assert err == "pigou: acme: none of 8 decisions has a number yet, so that nothing can be told; see `pigou regret`\n"
    assert out.splitlines()[1:] == ["acme,,,total,,,,,8", "all tenants,,,total,,,,,8"]
    assert table.count("∅") == 2 * 6


def test_what_cannot_be_reported_is_refused(typed: Typed, filled: str) -> None:
    assert typed("predictions", "--tenant", "acne")[::2] == (2, "pigou: there is no tenant 'acne'; did you mean acme?\n")
    assert typed("production", "--task-class", "none")[0] == 2
    assert typed("misallocation", "--since", "2026-11-05", "--until", "2026-11-01")[0] == 2
    code, _, err = typed("misallocation", "--tenant", "empty")
    assert (code, err) == (1, "pigou: nothing is appraised yet; run `pigou appraise`\n")
    with connect(filled, "owner") as owner:
        owner.execute("update pigou.segment set most_usd = null")
    code, _, err = typed("misallocation")
    assert (code, err) == (1, "pigou: these decisions were appraised by an earlier version; run `pigou appraise`\n")
