"""The line of appraisal over a database: what is loaded, estimated and stored; resumed, incremental, and reproducible by SQL."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import psycopg
import pytest

from analyzers import appraise as line
from analyzers.appraise import BEGINNING, END, attribute
from analyzers.decisions.load import comparison_of, load
from bench import appraisal as bench
from ledger.database import connect
from ledger.post import open_tenants
from ledger.queries import queries
from tests.books import cloned, one, rows, run
from tests.typed import Typed

_SQL = queries("analyzers", "appraise")
MADE = queries("bench", "appraisal")
TASKS = 400
SEED = 7
NUMBERS = """select decision_id, best, regret_usd, regret_low_usd, regret_high_usd, status, option_net, option_error, segment
               from pigou.appraisal order by 1"""


def nobody(_step: str, _done: int, _total: int) -> None:
    """Progress is not looked at."""


def make(owner: psycopg.Connection, tasks: int = TASKS) -> None:
    """Two tenants with tasks of two classes and their decisions."""
    for month in range(3):
        owner.execute("select pigou.ensure_month((now() - make_interval(months => %s))::date)", (month,))
    owner.execute("select setseed(0.25)")
    for tenant_id in open_tenants(owner, ["acme", "globex"]).values():
        owner.execute(MADE["make_tasks"], {"tenant_id": tenant_id, "tasks": tasks, "classes": 2})
        owner.execute(MADE["make_decisions"], {"tenant_id": tenant_id, "tasks": tasks, "classes": 2})


@pytest.fixture(scope="module")
def appraised(server: str, template: str) -> Iterator[str]:
    """Books with decisions that are appraised."""
    with cloned(server, template, "pigou_appraised") as dsn:
        with connect(dsn, "owner") as owner:
            make(owner)
        with connect(dsn, "writer") as writer:
            attribute(writer, BEGINNING, END, 0, nobody)
        yield dsn


@pytest.fixture(scope="module")
def made(server: str, template: str) -> Iterator[str]:
    """Name of a database with fewer decisions, which are not appraised."""
    with cloned(server, template, "pigou_made") as dsn:
        with connect(dsn, "owner") as owner:
            make(owner, 120)
        yield "pigou_made"


class Seventh(NamedTuple):
    """The same, appraised with seed 7: the database's name, what was done, and the numbers that came of it."""

    database: str
    done: line.Done
    numbers: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def seventh(server: str, made: str) -> Iterator[Seventh]:
    with cloned(server, made, "pigou_seventh") as dsn:
        with connect(dsn, "writer") as writer:
            done = attribute(writer, BEGINNING, END, SEED, nobody)
        with connect(dsn, "owner") as owner:
            numbers = rows(owner, NUMBERS)
        yield Seventh("pigou_seventh", done, numbers)


class Copied(NamedTuple):
    """A copy of a test's own, as the line has it and as its owner."""

    writer: psycopg.Connection
    owner: psycopg.Connection


@contextmanager
def copied(server: str, database: str) -> Generator[Copied]:
    with (
        cloned(server, database, "pigou_appraised_copy") as dsn,
        connect(dsn, "writer") as writer,
        connect(dsn, "owner") as owner,
    ):
        yield Copied(writer, owner)


@pytest.fixture
def unappraised(server: str, made: str) -> Iterator[Copied]:
    with copied(server, made) as copy:
        yield copy


@pytest.fixture
def again(server: str, seventh: Seventh) -> Iterator[Copied]:
    with copied(server, seventh.database) as copy:
        yield copy


def comparisons(writer: psycopg.Connection, tenant_id: int = 1) -> list[Any]:
    found = writer.execute(_SQL["comparisons"], {"tenant_id": tenant_id, "since": BEGINNING, "until": END}).fetchall()
    return [comparison_of(tenant_id, row) for row in found]


# ── loading ──────────────────────────────────────────────────────────────────────────────────────────


def test_arrays_hold_what_the_tables_hold(appraised: str) -> None:
    with connect(appraised, "writer") as writer, connect(appraised, "owner") as owner:
        wanted = comparisons(writer)[0]
        loaded = load(writer, wanted, BEGINNING, END)
        query = """select d.decision_id::text, d.chosen - 1, extract(epoch from d.decided_at)::float8, t.quality,
                          t.cost_usd::float8,
                          d.own_cost_usd::float8, t.latency_s, t.value_usd::float8, t.lambda_usd_per_s::float8, t.rho::float8,
                          d.propensity, d.features[1], d.features[3]
                     from pigou.decision d join pigou.task t using (tenant_id, trace_id)
                    where d.tenant_id = 1 and d.comparison = %s order by d.decision_id"""
        told = rows(owner, query, wanted.comparison)
    choices = loaded.choices
    assert len(told) == wanted.decisions == len(choices) == TASKS // 2
    assert [bytes(i).hex() for i in loaded.ids] == [row[0].replace("-", "") for row in told]
    assert choices.chosen.tolist() == [row[1] for row in told]
    arrays = (choices.decided_at, choices.quality, choices.cost_usd, choices.own_cost_usd, choices.latency_s, choices.v_usd,
              choices.lam, choices.rho, choices.propensity, choices.features[:, 0], choices.features[:, 2])  # fmt: skip
    for place, array in enumerate(arrays):
        expected = np.array([row[2 + place] for row in told], dtype=np.float64)
        assert np.allclose(array, expected, rtol=1e-12, atol=1e-6 if place == 0 else 0.0, equal_nan=True)
    assert len(np.unique(choices.tasks)) == len(told)


def test_unknown_is_not_a_number_and_never_nought(appraised: str) -> None:
    with connect(appraised, "owner", autocommit=False) as owner:
        wanted = comparisons(owner)[0]
        owner.execute(
            "update pigou.task t set quality = null, cost_usd = null, lambda_usd_per_s = null, risk_usd = null"
            "  from pigou.decision d where d.tenant_id = 1 and d.comparison = %s and t.trace_id = d.trace_id and t.tenant_id = 1",
            (wanted.comparison,),
        )
        owner.execute("update pigou.decision set features[1] = null where tenant_id = 1 and comparison = %s and chosen = 1",
                      (wanted.comparison,))  # fmt: skip
        loaded = load(owner, wanted, BEGINNING, END)
        owner.rollback()
    choices = loaded.choices
    for array in (choices.quality, choices.cost_usd, choices.lam, choices.loss_usd):
        assert np.isnan(array).all()
    assert choices.feature_names[:2] == ("log_prompt_tokens", "log_prompt_tokens unknown")
    assert choices.features[:, 1].tolist() == (choices.chosen == 0).astype(float).tolist()
    assert np.isfinite(choices.features).all()


def test_only_the_period_is_loaded(appraised: str) -> None:
    with connect(appraised, "writer") as writer:
        wanted = comparisons(writer)[0]
        whole = load(writer, wanted, BEGINNING, END).choices
        middle = float(np.median(whole.decided_at))
        at = BEGINNING + timedelta(seconds=middle)
        parts = [load(writer, wanted, *period).choices for period in ((BEGINNING, at), (at, END))]
    assert [len(part) for part in parts] == [int((whole.decided_at < middle).sum()), int((whole.decided_at >= middle).sum())]


# ── the line ─────────────────────────────────────────────────────────────────────────────────────────


def test_every_decision_has_an_appraisal_and_its_segment(appraised: str) -> None:
    with connect(appraised, "reader") as reader:
        assert one(reader, "select count(*), count(status), count(segment) from ledger.decisions") == (
            6 * TASKS,
            6 * TASKS,
            6 * TASKS,
        )
        sums = """select s.n, count(*) from ledger.segments s
                    join ledger.decisions d using (tenant, comparison, segment_number)
                   group by tenant, comparison, segment_number, s.n"""
        assert all(n == counted for n, counted in rows(reader, sums))
        assert one(reader, "select count(*) from ledger.appraisal_runs where ended_at is not null") == 2


def test_the_terms_of_an_option_add_up_to_its_net(appraised: str) -> None:
    with connect(appraised, "reader") as reader:
        off = """select count(*), count(*) filter (where abs(value_usd - cost_usd - latency_usd - risk_usd - net_usd) > 1e-9)
                   from ledger.decision_options where net_usd is not null"""
        known, wrong = one(reader, off)
        assert known > TASKS
        assert wrong == 0
        assert one(reader, "select count(*) from ledger.decision_options where is_chosen and error_usd <> 0") == 0


def test_decisions_regrets_add_up_to_their_segments(appraised: str) -> None:
    with connect(appraised, "reader") as reader:
        sums = """select s.regret_usd, sum(d.regret_usd) from ledger.segments s
                    join ledger.decisions d using (tenant, comparison, segment_number)
                   group by tenant, comparison, segment_number, s.regret_usd"""
        for segment, decisions in rows(reader, sums):
            assert (segment is None) == (decisions is None)
            if segment is not None:
                assert float(decisions) == pytest.approx(max(float(segment), 0.0), abs=1e-6)


def test_what_has_not_changed_is_left_as_it_is(seventh: Seventh, again: Copied) -> None:
    first = seventh.done
    assert (first.comparisons, first.unchanged, first.appraised) == (12, 0, 720)
    stamps = "select xmin::text, decision_id from pigou.appraisal order by 2"
    before = rows(again.owner, stamps)
    second = attribute(again.writer, BEGINNING, END, SEED, nobody)
    assert (second.comparisons, second.unchanged, second.appraised) == (0, 12, 0)
    assert rows(again.owner, stamps) == before
    run(
        again.owner,
        "update pigou.task set quality = 1 - quality, settled_at = clock_timestamp()"
        " where tenant_id = 1 and task_class = 'class-1'",
    )
    third = attribute(again.writer, BEGINNING, END, SEED, nobody)
    assert (third.comparisons, third.unchanged) == (3, 9)
    assert attribute(again.writer, BEGINNING, END, SEED + 1, nobody).comparisons == 12  # another seed is another question


def test_a_killed_run_goes_on_where_it_was(unappraised: Copied) -> None:
    writer, owner = unappraised
    steps: list[int] = []

    def killed(_step: str, done: int, _total: int) -> None:
        steps.append(done)
        if len(steps) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attribute(writer, BEGINNING, END, SEED, killed)
    assert one(owner, "select count(*) from pigou.comparison") == 5
    state = one(owner, "select state from pigou.appraisal_run where tenant_id = 1 and run_id = 1")
    assert state == {"done": 5, "of": 6}
    rest = attribute(writer, BEGINNING, END, SEED, nobody)
    assert (rest.comparisons, rest.unchanged) == (7, 5)


def test_equal_input_and_seed_give_equal_numbers(unappraised: Copied, seventh: Seventh) -> None:
    run(unappraised.owner, "update pigou.decision set derived_at = now()")  # other places on disk, another order
    attribute(unappraised.writer, BEGINNING, END, SEED, nobody)
    assert rows(unappraised.owner, NUMBERS) == seventh.numbers


def test_several_processes_say_what_one_says(again: Copied, seventh: Seventh) -> None:
    run(again.owner, "delete from pigou.comparison")
    told: list[int] = []
    done = attribute(again.writer, BEGINNING, END, SEED, lambda _step, passed, _total: told.append(passed), processes=2)
    assert (done.comparisons, told[-1], told) == (12, 720, sorted(told))
    assert rows(again.owner, NUMBERS) == seventh.numbers


def test_a_period_has_appraisals_and_segments_of_its_own(again: Copied) -> None:
    writer, owner = again
    middle = one(owner, "select percentile_disc(0.5) within group (order by decided_at) from pigou.decision")
    attribute(writer, middle, END, SEED, nobody)
    inside = one(owner, "select count(*) from pigou.decision where decided_at >= %s", middle)
    assert one(owner, "select count(*), min(decided_at) >= %s from pigou.appraisal", middle) == (inside, True)
    assert one(owner, "select sum(n)::integer from ledger.segments") == inside


def test_no_claim_where_there_may_have_been_no_choice(unappraised: Copied) -> None:
    writer, owner = unappraised
    run(
        owner, """update pigou.decision set provenance = '{"availability": "nothing says"}' where kind = 'cache' and chosen = 1"""
    )
    attribute(writer, BEGINNING, END, SEED, nobody)
    found = rows(
        owner,
        "select status, count(*), count(regret_usd) from ledger.decisions where kind = 'cache' and chosen = 'churn' group by 1",
    )
    assert [(status, known) for status, _, known in found] == [("not_identified", 0)]
    assert set(rows(owner, "select status, why, regret_usd from ledger.segments where kind = 'cache' and chosen = 'churn'")) == {
        ("not_identified", line.UNAVAILABLE, None)
    }
    assert (
        one(
            owner,
            "select count(*) from ledger.segments where kind = 'cache' and chosen <> 'churn' and why = %s",
            line.UNAVAILABLE,
        )
        == 0
    )


def test_the_whole_line_over_empty_books(writer: psycopg.Connection) -> None:
    done = line.appraise(writer)
    assert (done.tasks, done.derived, done.appraised, done.comparisons) == (0, 0, 0, 0)


def test_the_benchmark_measures_it(dsn: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On books of the tests' server; how a benchmark makes its own is tested with those of ingestion."""
    monkeypatch.setattr(bench, "serve", nullcontext)
    monkeypatch.setattr(bench, "new_books", lambda _server, _name: dsn)
    monkeypatch.setattr("sys.argv", ["bench", "--decisions", "300", "--tenants", "1", "--classes", "1"])
    assert bench.main() == 0
    told = capsys.readouterr().out
    assert "| the whole line, the first time | 300 |" in told
    assert "| again, nothing changed | 0 |" in told


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def typed(appraised: str, pigou: Typed, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Commands on the appraised books."""
    monkeypatch.setenv("PIGOU_DATABASE_URL", appraised)
    return pigou


@pytest.mark.parametrize(
    "by", ["layer", "kind,tenant", "task_class,chosen", "value_band", "agent", "model,day", "assignment", ""]
)
def test_regret_by_anything_counts_every_decision_once(typed: Typed, by: str) -> None:
    code, told, _ = typed("regret", "--by", by, "--format", "csv")
    assert code == 0
    table = list(csv.DictReader(io.StringIO(told)))
    assert sum(int(row["decisions"]) for row in table) == 6 * TASKS
    for row in table:
        shares = sum(float(row[name]) for name in ("appraised", "not_enough_evidence", "not_identified"))
        assert shares == pytest.approx(1, abs=0.002)
        if row["regret_usd"]:
            assert float(row["regret_low_usd"]) <= float(row["regret_usd"]) <= float(row["regret_high_usd"])


def test_regret_is_the_same_whatever_it_is_told_apart_by(typed: Typed) -> None:
    bys = ("kind,tenant", "kind,chosen,tenant")
    told = [json.loads(typed("regret", "--by", by, "--format", "json")[1]) for by in bys]
    totals = [sum(row["regret_usd"] or 0.0 for row in each) for each in told]
    assert totals[0] == pytest.approx(totals[1])
    alone = json.loads(typed("regret", "--by", "kind", "--tenant", "acme", "--format", "json")[1])  # its interval, too
    assert [{**row, "tenant": "acme"} for row in alone] == [row for row in told[0] if row["tenant"] == "acme"]


def test_regret_wants_known_columns_and_appraised_books(
    typed: Typed, pigou: Typed, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, said = typed("regret", "--by", "colour")
    assert (code, "colour" in said) == (2, True)
    monkeypatch.setenv("PIGOU_DATABASE_URL", dsn)
    code, _, said = pigou("regret")
    assert (code, "pigou appraise" in said) == (1, True)


def test_explain_tells_every_term_and_the_sql_that_gives_it(typed: Typed, appraised: str) -> None:
    with connect(appraised, "reader") as reader:
        decision = one(reader, "select decision_id::text from ledger.decisions where kind = 'route' order by 1 limit 1")
        code, told, _ = typed("explain", decision[:20])
        assert code == 0
        for word in (
            "route (demand)",
            "chosen: ",
            "known before: daytime ",
            "inferred chosen: made",
            "method: ",
            "segment: ",
        ):
            assert word in told
        shown = told.split("\nsql: ")[1].rstrip().rstrip(";")
        assert len(rows(reader, shown)) == 3
        trace = one(reader, "select trace_id from ledger.decisions where decision_id = %s::uuid", decision)
        booked = told.split("\nwhat its task was booked as: ")[1].partition(";")[0]
        assert f"trace_id = '{trace}'" in booked
        assert rows(reader, booked) == []  # these tasks were made without entries
        _, document, _ = typed("explain", decision, "--format", "json")
        read = json.loads(document)
        assert [option["option"] for option in read["options"]] == ["large", "medium", "small"]
        assert read["decision_id"] == decision
        _, listed, _ = typed("explain", trace)
        assert all(told in listed for told in ("tenant", "route", "verify", "cache"))


@pytest.mark.parametrize(("wanted", "code"), [("nothex!", 2), ("00000000", 1), ("f" * 32, 1)])
def test_explain_refuses_what_is_no_decision(typed: Typed, wanted: str, code: int) -> None:
    assert typed("explain", wanted)[0] == code


def test_appraise_and_assignments_are_commands(pigou: Typed, dsn: str) -> None:
    code, told, _ = pigou("appraise", "--since", "7d", "--seed", "3")
    assert (code, "0 appraised" in told) == (0, True)
    assert pigou("appraise", "--since", "2026-02-01", "--until", "2026-01-01")[0] == 2
    assert pigou("assignments", "set", "verify", "recorded", "--task-class", "fix")[0] == 0
    _, told, _ = pigou("assignments", "list", "--format", "csv")
    assert ', pigou assignments set",' in told
    assert ",verify,fix,recorded," in told
    assert pigou("assignments", "set", "verify", "logged")[0] == 2
    assert pigou("assignments", "set", "verify", "recorded", "--tenant", "nobody")[0] == 2
