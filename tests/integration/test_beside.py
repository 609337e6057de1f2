"""What is said beside regret, through the whole line over a book whose truth is known: seconds, what siblings lend, and risk."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

import analyzers.weigh
from analyzers.across import lend
from analyzers.appraise import BEGINNING, END, attribute
from analyzers.effects.tails import cvar
from analyzers.weigh import weigh
from cli.main import main
from ledger.database import connect
from tests.at_once import at_once
from tests.books import cloned, one, rows, run
from tests.decided import BEGAN, decide
from tests.naive_effects import weighted_quantile
from tests.typed import Typed

CLASSES = {"code.fix": 600, "chat.answer": 400, "report.write": 240, "ticket.sort": 80, "mail.reply": 12}
CHEAP_S, FRONTIER_S, DEVIATION = 8.0, 4.0, 0.5
"""Medians of lognormal seconds, and their deviation in logs."""
LATER = {share: (CHEAP_S - FRONTIER_S) * math.exp(z * DEVIATION) for share, z in ((0.5, 0.0), (0.95, 1.6448536269514722))}
"""Seconds by which the quantiles of cheap come after those of frontier."""
GAIN_USD = 2.0 * 0.3 - 0.40 + 0.001 * (CHEAP_S - FRONTIER_S) * math.exp(DEVIATION**2 / 2) + 2 * 0.15
"""What frontier brings over cheap in a task of any class: V·ΔQ − ΔC − λ·ΔL − ρ·ΔR."""
LOST_USD, EVERY = 30.0, 40
"""What one of so many mails lost."""

_SECONDS = """
update pigou.task k set lambda_usd_per_s = 0.001, rho = 2, latency_s = x.latency_s
  from unnest(%s::bytea[], %s::float8[]) x (trace_id, latency_s)
 where k.trace_id = x.trace_id
"""

# Every task of acme sent mail, one in forty of which lost 30 USD; one in four transferred what cannot be undone, of which none
# lost anything, and states that it may lose 1,000 USD.
_ACTED = """
create temp table done on commit drop as
select k.tenant_id, k.trace_id, k.started_at, k.i, a.place, a.attributes
  from (select *, row_number() over (order by trace_id)::integer as i from pigou.task
         where tenant_id = (select tenant_id from pigou.tenant where tenant = 'acme')) k
 cross join lateral (values (1, '{"allocation.action.class": "mail"}'::jsonb),
                            (2, '{"allocation.action.class": "transfer", "allocation.action.reversible": "false",
                                  "allocation.risk.probability": 0.001, "allocation.risk.loss_usd": 1000}')) a (place, attributes)
 where a.place = 1 or k.i % 4 = 1;
insert into pigou.record (tenant_id, trace_id, span_id, started_at, ended_at, signal, role, name, kind, status_code, resource_id,
                          use, attributes, content_hash)
select tenant_id, trace_id, decode(lpad(to_hex(i * 8 + place), 16, '0'), 'hex'), started_at, started_at, 'span', 'tool',
       'execute_tool do', 1, 0, gen_random_uuid(), 'act', attributes, ''
  from done;
update pigou.task k set loss_usd = 30
  from done d where d.trace_id = k.trace_id and d.tenant_id = k.tenant_id and d.place = 1 and d.i % 40 = 0;
insert into pigou.outcome (tenant_id, outcome_id, trace_id, source, name, loss_usd, occurred_at)
select tenant_id, gen_random_uuid(), trace_id, 'incident', 'incident', loss_usd, started_at from pigou.task where loss_usd > 0
"""


@pytest.fixture(scope="module")
def appraised(server: str, template: str) -> Iterator[str]:
    """`acme`: five classes of tasks, routed to either of two options of which one is slower by a known law; `even`: one class, in
    which both take as long."""
    with cloned(server, template, "pigou_beside") as dsn:
        with connect(dsn, "owner") as owner:
            owner.execute(b"select pigou.ensure_month('2026-11-01')")
            for seed, (task_class, n) in enumerate(CLASSES.items(), 1):
                decide(owner, n, task_class=task_class, tenant="acme", seed=seed)
            decide(owner, 400, task_class="code.fix", tenant="even", seed=9)
            _slow(owner)
            with owner.transaction():
                owner.execute(_ACTED.encode())
        with connect(dsn, "writer") as writer:
            attribute(writer, BEGINNING, END, 0, lambda _step, _done, _total: None)
        yield dsn


def _slow(owner: psycopg.Connection) -> None:
    query = (
        "select d.trace_id, d.chosen, t.tenant from pigou.decision d join pigou.tenant t using (tenant_id) order by d.trace_id"
    )
    decided, rng = rows(owner, query), np.random.default_rng(5)
    medians = [CHEAP_S if chosen == 1 and tenant == "acme" else FRONTIER_S for _, chosen, tenant in decided]
    seconds = [median * math.exp(DEVIATION * rng.normal()) for median in medians]
    owner.execute(_SECONDS, ([trace_id for trace_id, *_ in decided], seconds))


@pytest.fixture
def typed(appraised: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    monkeypatch.setenv("PIGOU_DATABASE_URL", appraised)

    def go(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return go


def told(typed: Typed, *arguments: str) -> list[dict[str, Any]]:
    code, out, err = typed(*arguments, "--format", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


# ── seconds ──────────────────────────────────────────────────────────────────────────────────────────


def test_quantiles_move_by_what_is_known_of_them(typed: Typed) -> None:
    told_of = told(typed, "latency", "--tenant", "acme", "--kind", "route")
    for row in told_of:
        if row["later_s"] is None:
            continue
        sign = 1 if row["option"] == "cheap" else -1
        true = sign * LATER[0.5 if row["quantile"] == "median" else 0.95]
        assert row["low_s"] <= true <= row["high_s"], row
        assert (row["status"], row["stands"]) == ("identified", True)
    known = {(row["task_class"], row["quantile"]) for row in told_of if row["later_s"] is not None}
    assert {("code.fix", "median"), ("code.fix", "p95"), ("chat.answer", "p95"), ("report.write", "median")} <= known


def test_they_are_the_loops_of_another_hand(appraised: str) -> None:
    with connect(appraised, "owner") as owner:
        query = """select d.chosen, k.latency_s from pigou.decision d
                     join pigou.task k on k.tenant_id = d.tenant_id and k.trace_id = d.trace_id
                    where d.task_class = %s and d.tenant_id = (select tenant_id from pigou.tenant where tenant = 'acme')"""
        for task_class in ("code.fix", "chat.answer"):
            took = rows(owner, query, task_class)
            of = {option: [s for chosen, s in took if chosen == option] for option in (1, 2)}
            for share in LATER:
                cheap, frontier = (weighted_quantile(of[option], [1.0] * len(of[option]), share) for option in (1, 2))
                found = one(
                    owner,
                    "select later_s, base_s, base from ledger.latency_effects"
                    " where tenant = 'acme' and task_class = %s and share = %s",
                    task_class,
                    share,
                )
                by_hand = (cheap - frontier, frontier) if found[2] == "frontier" else (frontier - cheap, cheap)
                assert found[:2] == pytest.approx(by_hand)


def test_too_few_for_a_quantile_say_how_many_more(typed: Typed) -> None:
    few = {
        (row["task_class"], row["quantile"]): row
        for row in told(typed, "latency", "--tenant", "acme")
        if row["status"] == "not_enough_evidence"
    }
    row = few["mail.reply", "p95"]
    assert (row["later_s"], row["base_s"], row["stands"]) == (None, None, False)
    assert "its interval needs 5" in row["why"]
    # As many more as bring the rarer option, of today's mix, from what it has to five tasks beyond the quantile.
    beyond = float(row["why"].split(" has ")[1].split(" ")[0])
    assert row["needs_outcomes"] == pytest.approx(12 * (5 / beyond - 1), rel=0.2)
    assert row["needs_exploration"] is None, "twelve tasks have no five beyond their 95th percentile, however they are chosen"
    median = few["mail.reply", "median"]
    assert median["needs_exploration"] == pytest.approx(5 / (0.5 * 12), abs=0.001)


def test_nothing_differs_where_nothing_does(typed: Typed) -> None:
    for row in told(typed, "latency", "--tenant", "even"):
        assert row["low_s"] <= 0 <= row["high_s"], row
        assert (row["status"], row["stands"]) == ("not_enough_evidence", False)
        assert row["needs_outcomes"] > 0
        assert "holds both nothing and a material effect" in row["why"]


def test_a_use_is_the_mean_of_its_sets(typed: Typed, appraised: str) -> None:
    [median] = [row for row in told(typed, "latency", "--by-use", "--tenant", "acme") if row["quantile"] == "median"]
    with connect(appraised, "reader") as reader:
        sets = rows(
            reader,
            "select n, base, later_s, later_low_s, later_high_s from ledger.latency_effects"
            " where tenant = 'acme' and share = 0.5 and later_s is not null",
        )
    whole = sum(n for n, *_ in sets)
    turned = [
        (n, value, value - low, high - value) if base == median["base"] else (n, -value, high - value, value - low)
        for n, base, value, low, high in sets
    ]
    value = sum(n * later for n, later, _, _ in turned) / whole
    below = math.sqrt(sum((n * under) ** 2 for n, _, under, _ in turned)) / whole
    assert (median["later_s"], median["low_s"]) == pytest.approx((value, value - below), abs=0.001)
    assert (median["n"], median["decisions"], median["sets"], median["of_sets"]) == (whole, sum(CLASSES.values()), len(sets), 5)
    true = LATER[0.5] if median["option"] == "cheap" else -LATER[0.5]
    assert median["low_s"] <= true <= median["high_s"]


def test_seconds_without_a_price_say_what_to_state(appraised: str, server: str) -> None:
    del server
    with connect(appraised, "owner") as owner:
        owner.execute("update pigou.task set lambda_usd_per_s = null where task_class = 'ticket.sort'")
        owner.execute("update pigou.comparison set fingerprint = '' where task_class = 'ticket.sort'")
    with connect(appraised, "writer") as writer:
        attribute(writer, BEGINNING, END, 0, lambda _step, _done, _total: None)
        found = rows(writer, "select distinct status, why, later_s from ledger.latency_effects where task_class = 'ticket.sort'")
    assert found == [
        ("not_identified", "λ is not known: state it (`pigou policy`), so that latency is a term of what is appraised", None)
    ]


# ── siblings ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_small_class_borrows_and_findings_stay_its_own(typed: Typed, appraised: str) -> None:
    [cheap] = [row for row in told(typed, "pooling", "--tenant", "acme") if row["chosen"] == "cheap"]
    assert (cheap["task_class"], cheap["regret_usd"], cheap["own_share"]) == ("mail.reply", None, 0)
    assert (cheap["siblings"], cheap["sets"]) == (4, 4)
    with connect(appraised, "reader") as reader:
        stands = rows(reader, "select is_discovery from ledger.segments where task_class = 'mail.reply'")
        settled = rows(reader, "select count(*) from ledger.segments where status = 'appraised' and pooled_usd is not null")
    n = cheap["n"]
    assert cheap["pooled_low_usd"] <= GAIN_USD * n <= cheap["pooled_high_usd"]
    assert cheap["pooled_low_usd"] < cheap["pooled_usd"] < cheap["pooled_high_usd"]
    assert {each for (each,) in stands} == {False}, "whatever siblings lend"
    assert settled == [(0,)]


def test_too_few_siblings_lend_nothing(typed: Typed, appraised: str) -> None:
    with connect(appraised, "owner") as owner:
        owner.execute("update pigou.segment set status = 'not_enough_evidence' where tenant_id = (select tenant_id from"
                      " pigou.tenant where tenant = 'even')")  # fmt: skip
    with connect(appraised, "writer") as writer, writer.transaction():
        tenant_id = one(writer, "select tenant_id from pigou.tenant where tenant = 'even'")
        assert lend(writer, tenant_id) == 0
    found = told(typed, "pooling", "--tenant", "even")
    assert len(found) == 2
    assert all(row["pooled_usd"] is None and "fewer than three" in row["why"] for row in found)


# ── risk ─────────────────────────────────────────────────────────────────────────────────────────────


def test_rates_losses_and_tails_are_those_of_the_book(typed: Typed) -> None:
    told_of = {(row["action_class"], row["task_class"]): row for row in told(typed, "risk", "--tenant", "acme")}
    tasks = sum(CLASSES.values())
    mail = told_of["mail", "*"]
    assert (mail["tasks"], mail["incidents"], mail["counts"]) == (tasks, tasks // EVERY, "worst twentieth")
    assert mail["rate_low"] <= 1 / EVERY <= mail["rate_high"]
    assert mail["loss_usd"] == pytest.approx(LOST_USD * (tasks // EVERY) / tasks)
    assert mail["worst_twentieth_usd"] == pytest.approx(mail["loss_usd"] / 0.05), "rarer than one in twenty"
    assert mail["risk_usd"] == pytest.approx(2 * mail["worst_twentieth_usd"])
    assert "no worst case is stated" in mail["why"]
    losses = np.zeros(tasks)
    losses[: tasks // EVERY] = LOST_USD
    assert mail["worst_twentieth_high_usd"] == pytest.approx(cvar(losses, 0.05).high)
    transfer = told_of["transfer", "*"]
    assert (transfer["incidents"], transfer["is_reversible"], transfer["worst_case_usd"]) == (0, False, 1000)
    assert transfer["rate_high"] == pytest.approx(1 - 0.025 ** (1 / transfer["tasks"]))
    assert transfer["loss_high_usd"] == pytest.approx(1000 * transfer["rate_high"])
    assert transfer["worst_twentieth_high_usd"] == pytest.approx(min(1000, transfer["loss_high_usd"] / 0.05))
    assert transfer["stated_usd"] == pytest.approx(1.0)
    small = told_of["mail", "mail.reply"]
    assert small["rate_low"] < small["pooled_rate_low"] or small["pooled_rate_high"] < small["rate_high"]
    assert small["pooled_rate_low"] <= 1 / EVERY <= small["pooled_rate_high"]
    assert mail["pooled_rate"] is None


def test_risks_are_kept_for_the_pages_until_tasks_are_settled(appraised: str, typed: Typed) -> None:
    now = BEGAN + timedelta(days=12)
    with connect(appraised, "owner") as owner:
        run(owner, "update pigou.task set settled_at = %s", BEGAN)
    with connect(appraised, "writer") as writer:
        written = weigh(writer, now)
        assert written == 2 * (1 + len(CLASSES))
        assert weigh(writer, now + timedelta(days=1)) == 0, "no task was settled since"
        run(writer, "update pigou.task set settled_at = %s where task_class = 'mail.reply'", now + timedelta(minutes=1))
        assert weigh(writer, now + timedelta(minutes=5), timedelta(hours=1)) == 0, "not for so long"
        assert weigh(writer, now + timedelta(hours=2), timedelta(hours=1)) == written
        kept = {
            (action, task_class): numbers
            for action, task_class, *numbers in rows(
                writer,
                "select action_class, task_class, rate, rate_high, pooled_rate, loss_usd::float8, tail_high_usd::float8, rho,"
                " risk_usd::float8, is_tail, told from ledger.action_risks",
            )
        }
    for row in told(typed, "risk", "--tenant", "acme"):
        names = ("rate", "rate_high", "pooled_rate", "loss_usd", "worst_twentieth_high_usd", "rho", "risk_usd")
        *numbers, is_tail, _ = kept[row["action_class"], row["task_class"]]
        for name, number in zip(names, numbers, strict=True):
            assert number == (None if row[name] is None else pytest.approx(row[name], rel=1e-6)), name
        assert is_tail == (row["counts"] == "worst twentieth")


def test_two_runs_weigh_actions_one_after_the_other(appraised: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = BEGAN + timedelta(days=14)
    with connect(appraised, "writer") as writer:
        run(writer, "update pigou.task set settled_at = %s", now)
    written = at_once(monkeypatch, appraised, lambda connection: weigh(connection, now), (analyzers.weigh, "risks"))
    assert written == [2 * (1 + len(CLASSES))] * 2


def test_what_cannot_be_told_is_refused(typed: Typed) -> None:
    assert typed("latency", "--kind", "rout")[::2] == (2, "pigou: no decision of kind 'rout' is appraised; did you mean route?\n")
    assert typed("pooling", "--kind", "none")[0] == 2
    code, _, err = typed("risk", "--tenant", "even")
    assert code == 1
    assert "allocation.action.class" in err
    code, out, _ = typed("risk", "--format", "csv")
    assert code == 0
    assert out.splitlines()[0].startswith("tenant,action_class,task_class,tasks,incidents,rate,rate_low,rate_high,pooled_rate,")
    code, out, remarks = typed("risk")
    assert "(" in out
    assert "pooled rates hold for 95 % of classes" in remarks
