"""Looks at books in which a router and an agent went wrong at a known time, and the commands about the agent's autonomy."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from analyzers.appraise import BEGINNING, END, attribute
from analyzers.findings.store import Of, store
from analyzers.modes import over_delegation, over_routing, reuse, routing, silent_checks, under_routing, under_verification
from analyzers.modes.appraised import read
from analyzers.modes.consequence import read_waits
from analyzers.modes.look import Look, Place, Window
from cli.main import main
from ledger.database import connect
from ledger.post import open_tenants
from ledger.queries import queries
from tests.books import cloned, one, rows, run
from tests.looked import look_of, told_usd

DAYS, TASKS, ONSET = 20, 1_500, 0.4
UNTIL = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
WINDOW = Window(UNTIL - timedelta(days=DAYS), UNTIL)

# Answers of a router that was switched to its dear model, refunds by an agent that stopped asking, and fixes that are no longer
# verified: none of it brings anything.
MAKE = """
create temp table made as
select g.place, decode(md5(g.place::text), 'hex') as trace_id, %(since)s + g.place * interval '1 second' * %(step_s)s as at,
       g.place >= %(onset)s as is_wrong, random() < 0.2 as is_explored, random() < 0.5 as coin, random() as luck,
       0.8 + 0.4 * random() as noise, 1 + (g.place / 3 %% 2) as v_usd,
       (array['faq', 'refund', 'fix'])[1 + g.place %% 3] as task_class
  from generate_series(0, %(tasks)s - 1) g (place);
alter table made add column chosen integer, add column propensity double precision;
update made set chosen = case when is_explored then 1 + coin::integer when is_wrong then 2 else 1 end;
update made set propensity = case when (chosen = 2) = is_wrong then 0.9 else 0.1 end;

insert into pigou.task (tenant_id, trace_id, root_span_id, started_at, ended_at, settled_at, revision, settled_by, agent,
                        task_class, class_source, value_usd, value_source, lambda_usd_per_s, rho, price_source, deadline_source,
                        quality, outcome_source, cost_usd, latency_s, risk_usd, loss_usd, calls, unpriced_calls, spans, problems,
                        content_hash)
select %(tenant_id)s, trace_id, substring(trace_id for 8), at, at + interval '1 minute', now(), 0, 'ended', 'worker', task_class,
       'explicit', v_usd, 'explicit', 0.0005, 1, 'policy', 'none', (luck < 0.8)::integer, 'attribute',
       round((case when task_class = 'faq' and chosen = 2 then 0.3 else 0.02 end * noise)::numeric, 6),
       case when task_class = 'refund' and chosen = 1 then 120 else 5 end * noise,
       case when task_class <> 'faq' then round((case chosen when 2 then 2.0 else 0.1 end * noise)::numeric, 6) else 0 end,
       case when task_class = 'refund' and chosen = 2 and luck > 0.95 then 40 else 0 end, 2, 0, 4, '{}', trace_id
  from made;

insert into pigou.decision (tenant_id, decision_id, decided_at, trace_id, span_id, layer, kind, task_class, agent, options,
                            chosen, propensity, assignment, features, feature_names, provenance, comparison)
select %(tenant_id)s, pigou.entry_id('test', trace_id, substring(trace_id for 8), kind, 0, at), at, trace_id,
       substring(trace_id for 8), layer, kind, task_class, 'worker', options,
       case kind when 'verify' then 3 - chosen else chosen end,
       case assignment when 'logged' then propensity end, assignment, array[noise], array['log_prompt_tokens'], '{}',
       pigou.comparison_of(kind, task_class, options, array['log_prompt_tokens'], assignment, false)
  from made
  join (values ('faq', 'route', 'demand', array['cheap', 'dear'], 'logged'),
               ('refund', 'confirm', 'action', array['human', 'none'], 'recorded'),
               ('fix', 'verify', 'action', array['0', '1'], 'recorded'))
       k (task_class, kind, layer, options, assignment) using (task_class);

insert into pigou.record (tenant_id, trace_id, span_id, started_at, ended_at, signal, role, name, kind, status_code, resource_id,
                          agent, task_class, layer, use, attributes, content_hash)
select %(tenant_id)s, trace_id, substring(trace_id for 8), at, at + interval '1 second', 'span', 'tool', 'execute_tool transfer',
       1, 0, gen_random_uuid(), 'worker', task_class, 'action', 'act',
       jsonb_build_object('allocation.action.class', 'transfer', 'allocation.action.reversible', false,
                          'allocation.risk.loss_usd', 40,
                          'allocation.action.confirmation', case chosen when 2 then 'none' else 'human' end), trace_id
  from made where task_class = 'refund';
"""


def nobody(_step: str, _done: int, _total: int) -> None:
    """Progress is not looked at."""


@pytest.fixture(scope="module")
def played(server: str, template: str) -> Iterator[str]:
    """Books of one tenant with both faults, appraised."""
    with cloned(server, template, "pigou_modes") as dsn:
        with connect(dsn, "owner") as owner:
            for month in range(2):
                owner.execute("select pigou.ensure_month((%s - make_interval(months => %s))::date)", (UNTIL, month))
            owner.execute("select setseed(0.125)")
            of = {
                "tenant_id": open_tenants(owner, ["acme"])["acme"], "since": WINDOW.since, "tasks": TASKS, "onset": TASKS * ONSET,
                "step_s": DAYS * 86_400 / TASKS,
            }  # fmt: skip
            with psycopg.ClientCursor(owner) as cursor:
                cursor.execute(MAKE, of)
            run(owner, "create table public.was as select * from made")
        with connect(dsn, "writer") as writer:
            attribute(writer, BEGINNING, END, 0, nobody)
        yield dsn


@pytest.fixture(scope="module")
def looks(played: str) -> dict[str, list[Look]]:
    with connect(played, "writer") as writer:
        modes = {
            "over_routing": over_routing.look, "under_routing": under_routing.look, "over_delegation": over_delegation.look,
            "under_verification": under_verification.look, "reuse": reuse.looks,
        }  # fmt: skip
        found = {name: look(writer, 1, WINDOW) for name, look in modes.items()}
        assert found == {name: look(writer, 1, WINDOW) for name, look in modes.items()}  # equal books give equal looks
    return found


def true_usd_per_day(dsn: str, task_class: str, usd: str) -> float:
    """What the policy in force lost a day, from the table beside the books."""
    query = f"select sum({usd})::float8 from public.was where task_class = %s and is_wrong and chosen = 2"
    with connect(dsn, "owner") as owner:
        lost = one(owner, query, task_class)
    return float(lost) / (DAYS * (1 - ONSET))


def test_the_dear_model_is_found_since_it_was_switched_on(played: str, looks: dict[str, list[Look]]) -> None:
    (found,) = [look for look in looks["over_routing"] if look.is_discovery]
    assert found.place.segment == "faq, route dear"
    assert abs(found.since - (WINDOW.since + timedelta(days=DAYS * ONSET))) < timedelta(hours=12)
    assert found.usd_per_day is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < true_usd_per_day(played, "faq", "0.28 * noise") < found.high
    assert found.sentence.startswith("acme answers faq with dear; cheap would do for 1/15 of the cost: ")
    assert found.change.startswith("Route faq to cheap by default")
    terms = {term.name: term.usd_per_day for term in found.terms}
    cost = terms["ΔC"]
    assert cost is not None
    assert cost > 0
    assert sum(day.usd for day in found.days) == pytest.approx(
        found.usd_per_day * (WINDOW.until - found.since).total_seconds() / 86_400
    )
    with connect(played, "owner") as owner:
        wrong = {row[0] for row in rows(owner, "select encode(trace_id, 'hex') from public.was where is_wrong and chosen = 2")}
    assert len(found.examples) == 5
    assert {example.trace_id for example in found.examples} <= wrong
    assert {"regret_curve", "frontier", "menu", "onset", "segments"} <= found.detail.keys()
    assert not [look for look in looks["under_routing"] if look.is_discovery]


def test_sentences_tell_amounts_that_add_up(looks: dict[str, list[Look]]) -> None:
    found = [(mode, look) for mode, each in looks.items() for look in each if look.is_discovery]
    assert len(found) >= 3
    for mode, look in found:
        better = r"would (?P<brings>.*) a day, for (?P<takes>.*)\."
        worse = r"(?:takes|loses) (?P<takes>.*) a day.*, to (?P<brings>.*)\."
        told = re.search(better if mode.startswith("under") else worse, look.sentence)
        assert told is not None, look.sentence
        net = told_usd(told["brings"]) - told_usd(told["takes"])
        assert look.usd_per_day == pytest.approx(net if mode.startswith("under") else -net, rel=0.06), look.sentence


def test_what_tasks_waited_for_others_is_summed_by_option(played: str) -> None:
    """Only for those who are found to be in the way, and only by decisions since the place went wrong."""
    held = """
        insert into pigou.held_up (tenant_id, trace_id, engine, culprit_tenant_id, task_class, came_at, delay_s)
        select 1, trace_id, 'engine-a', x.culprit, 'report', at, x.delay_s from public.was
         cross join (values (7, 10.0), (8, 1000.0)) x (culprit, delay_s) where task_class = 'faq' and chosen = 2"""
    with connect(played, "owner") as owner, owner.transaction(force_rollback=True):
        (found,) = [
            one for one in routing.places(read(owner, 1, WINDOW, routing.KINDS), "over_routing") if one.standing.is_discovery
        ]
        run(owner, held)
        assert not any(each.usd for each in read_waits(owner, 1, found.standing, None)), "nobody is found to be in the way"
        look = replace(look_of(4, Place("supply", "engine", "report", "engine-a")), mode="serving_congestion")
        store(owner, Of(7, "serving_congestion", 0.5, WINDOW.since, UNTIL), [look])
        waited = read_waits(owner, 1, found.standing, None)
        since = "from public.was where task_class = 'faq' and chosen = %s and at >= %s"
        n, dear = one(
            owner,
            f"select (select count(*) {since}), (select count(*) {since})",
            1,
            found.standing.since,
            2,
            found.standing.since,
        )
    assert [sum(each.n for each in waited if each.option == option) for option in (0, 1)] == [n, dear]
    assert [sum(each.usd for each in waited if each.option == option) for option in (0, 1)] == pytest.approx(
        [0, dear * 10 * 0.0005]
    )
    assert {each.engines for each in waited} == {(), ("engine-a",)}


def test_the_agent_that_stopped_asking_is_found(played: str, looks: dict[str, list[Look]]) -> None:
    (found,) = [look for look in looks["over_delegation"] if look.is_discovery]
    assert found.place.segment == "refund, confirm transfer: none"
    assert abs(found.since - (WINDOW.since + timedelta(days=DAYS * ONSET))) < timedelta(hours=12)
    assert found.low is not None
    assert found.high is not None
    assert found.low < true_usd_per_day(played, "refund", "1.9 * noise - 0.0005 * 115 * noise") < found.high
    assert "without asking anybody" in found.sentence
    assert any("worst twentieth" in weakness for weakness in found.weaknesses)
    assert looks["reuse"] == []


def test_what_is_no_longer_verified_is_found(played: str, looks: dict[str, list[Look]]) -> None:
    (found,) = [look for look in looks["under_verification"] if look.is_discovery]
    assert found.place.segment == "fix, verify no pass"
    assert found.detail["reverse"] is False
    assert found.low is not None
    assert found.high is not None
    assert found.low < true_usd_per_day(played, "fix", "1.9 * noise") < found.high
    assert "1 check would " in found.sentence
    assert "of expected losses" in found.sentence
    assert {"marginal_product", "strata", "checks"} <= found.detail.keys()
    assert "fix, verify 1 pass, too many" in {look.place.segment for look in looks["under_verification"]}


CHECKS = """
    insert into pigou.record (tenant_id, trace_id, span_id, started_at, ended_at, signal, role, name, kind, status_code,
                              resource_id, parent_span_id, use, attributes, content_hash)
    select k.tenant_id, k.trace_id, x.span::bytea, k.started_at, k.started_at, 'span', x.role, x.name, 1, x.status,
           gen_random_uuid(), x.parent::bytea, x.use, x.attributes::jsonb, '\\x00'
      from (select * from pigou.task where task_class = 'fix' order by started_at limit 1) k
     cross join (values ('\\x000000000000aa01', 'tool', 'run_tests', 2, null, 'verify', '{}'),
                        ('\\x000000000000aa02', 'tool', 'run_tests', 0, null, 'verify', '{}'),
                        ('\\x000000000000aa03', 'tool', 'run_tests', 0, null, 'verify', '{}'),
                        ('\\x000000000000aa04', 'plain', 'verdict', 0, '\\x000000000000aa03', null,
                         '{"gen_ai.evaluation.score.label": "fail"}')) x (span, role, name, status, parent, use, attributes)
    returning tenant_id
"""

# What a check says, on its own span or right beneath it.
SAY = """
    insert into pigou.outcome (tenant_id, outcome_id, trace_id, span_id, source, name, quality, occurred_at, detail)
    select tenant_id, gen_random_uuid(), trace_id, %s, 'test', 'run_tests', %s, started_at, '{}'
      from pigou.record where span_id = '\\x000000000000aa02'
"""


def test_checks_count_by_the_class_of_the_task_since_tools_seldom_name_it(played: str) -> None:
    with connect(played, "owner") as owner, owner.transaction(force_rollback=True):
        given = {"since": WINDOW.since, "until": WINDOW.until}
        counted = queries("analyzers", "modes")["checks_of_classes"]
        of = {**given, "tenant_id": one(owner, "select tenant_id from pigou.task where task_class = 'fix' limit 1")}
        before = {row[0]: row[1:] for row in owner.execute(counted, of)}
        owner.execute(CHECKS.encode())
        after = {row[0]: row[1:] for row in owner.execute(counted, of)}
    made, failed = before.get("fix", (0, 0))
    assert after["fix"] == (made + 3, failed + 2)


def test_what_checks_found_is_read_on_their_spans_and_beneath(played: str) -> None:
    with connect(played, "owner") as owner, owner.transaction(force_rollback=True):
        tenant_id = one(owner, "select tenant_id from pigou.task where task_class = 'fix' limit 1")
        of = {"tenant_id": tenant_id, "since": WINDOW.since, "until": WINDOW.until}
        counted = queries("analyzers", "modes")["checks_of_classes"]
        owner.execute(CHECKS.replace("'run_tests', 2,", "'run_tests', 0,").encode())
        assert silent_checks.read(owner, tenant_id, WINDOW) == [], "none said what it found"
        owner.execute(SAY, [bytes.fromhex("000000000000aa04"), 1.0])
        [passed] = silent_checks.read(owner, tenant_id, WINDOW)
        before = {row[0]: row[1:] for row in owner.execute(counted, of)}
        owner.execute(SAY, [bytes.fromhex("000000000000aa02"), 0.0])
        [failed] = silent_checks.read(owner, tenant_id, WINDOW)
        after = {row[0]: row[1:] for row in owner.execute(counted, of)}
        worth = one(
            owner, "select value_usd + rho * loss_usd from pigou.task where task_class = 'fix' order by started_at limit 1"
        )
    assert (passed.task_class, passed.tasks, passed.hours, passed.checks, passed.failed) == ("fix", 1, 1, 3, 0)
    assert (passed.cost_usd, passed.latency_usd, passed.at_stake_usd) == (0.0, 0.0, float(worth))
    assert replace(passed, failed=1) == failed
    assert (after["fix"][0], after["fix"][1]) == (before["fix"][0], before["fix"][1] + 1)


def test_the_schedule_is_shown_adopted_and_checked(
    played: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIGOU_DATABASE_URL", played)

    def pigou(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["autonomy", *arguments])
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    code, out, _ = pigou("show", "--since", f"{DAYS}d", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert (code, row["action_class"], row["recommended"], row["by"], row["is_reversible"]) == (
        0,
        "transfer",
        "human",
        "appraisal",
        "no",
    )
    file = tmp_path / "autonomy.yaml"
    assert pigou("export", str(file), "--since", f"{DAYS}d")[0] == 0
    assert pigou("export", str(file)) == (2, "", f"pigou: {file} is there already; name another file\n")
    code, out, err = pigou("check", str(file), "--since", f"{DAYS}d", "--format", "csv")
    with connect(played, "owner") as owner:
        unasked = one(owner, "select count(*) from public.was where task_class = 'refund' and chosen = 2")
    assert code == 1
    assert [line["weaker"] for line in csv.DictReader(io.StringIO(out))] == [str(unasked)]
    assert err.startswith(f"pigou: {unasked} actions were done with less confirmation than autonomy.yaml requires, and 0 do not")
    file.write_text("- {action_class: transfer, confirmation: none}\n")
    assert pigou("check", str(file))[0] == 0
    file.write_text("- {action_class: transfer, confirmation: never}\n")
    code, _, err = pigou("check", str(file))
    assert (code, "'never' is no way to confirm" in err) == (2, True)
    assert pigou("show", "--tenant", "nobody")[0] == 2
    assert pigou("show", "--since", "2026-01-02", "--until", "2026-01-01")[0] == 2
