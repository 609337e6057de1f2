"""What a trace comes to as a task: classes, prices, outcomes, unknowns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from analyzers.tasks.classes import ClassRule, ClassRules, Names, clustered, masked
from analyzers.tasks.judge import Facts, Said, due_at, judge
from analyzers.tasks.prices import GRACE_S, SOURCES, PriceBook, Prices, Solved, Statement

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
ROOT, AGENT, STEP = b"root....", b"agent...", b"step...."
NO_RULES, NO_PRICES = ClassRules([]), PriceBook([])

PLAIN = Facts(
    trace_id=bytes(16), top=0, root_span_id=ROOT, root_status=0, agent_span_id=AGENT, started_at=AT,
    ended_at=AT + timedelta(seconds=8), task_class="code.fix", agent="fixer", root_name="fix 12", service="agents",
    operation=None, tools=[], user=None, conversation_id=None, value=None, deadline=None, spans=3, other_spans=2, calls=1,
    unpriced_calls=0, copies=0, cost_usd=Decimal("0.5"), risk_usd=None, unstated_risks=0, bad_risks=0,
)  # fmt: skip


def facts(**more: Any) -> Facts:
    return msgspec.structs.replace(PLAIN, **more)


def word(source: str, quality: float | None, at: int = 0, span: bytes | None = None, **more: Any) -> Said:
    named: dict[str, Any] = {"name": "x", "loss_usd": None, "kind": None, **more}
    return Said(UUID(int=at + 1), span, source, quality=quality, occurred_at=AT + timedelta(seconds=at), **named)


def stated(task_class: str = "*", revision: int = 1, **more: Any) -> Statement:
    nothing: dict[str, Any] = {**dict.fromkeys(Statement.__struct_fields__), "lambda_is_dual": False, "rho_is_dual": False}
    given: dict[str, Any] = {**nothing, "is_own": False, **more, "task_class": task_class, "revision": revision}
    return Statement(**given)


# ── classes ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Fix issue 4711", "fix issue #"),
        ("job 3f2b8c1d9e0a-retry", "job #-retry"),
        ("run 123e4567-e89b-12d3-a456-426614174000", "run #"),
        ("report 2026-11-02  final", "report # final"),
        ("GET /users/42/orders/17", "get /users/#/orders/#"),
        ("deadbeef", "deadbeef"),  # a word, as far as anyone can tell
        ("coffee", "coffee"),
        ("v1.2.3", "v#"),
    ],
)
def test_what_differs_between_two_of_a_kind_is_masked(name: str, expected: str) -> None:
    assert masked(name) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (Names("bot", "answer ticket 5", "svc", None, ("search",), None), "bot/answer ticket #"),
        (Names(None, "POST /chat", "svc", None, ("search", "read 7"), None), "svc/post /chat[read #,search]"),
        (Names("bot", "invoke_agent bot", None, None, ("f", "e", "d", "c", "b", "a"), None), "bot[a,b,c,d,+2]"),
        (Names("bot", "bot", None, None, (), None), "bot"),
        (Names(None, None, None, None, (), None), None),
    ],
)
def test_a_name_is_made_of_the_names_in_the_trace(names: Names, expected: str | None) -> None:
    assert clustered(names) == expected


def test_an_explicit_class_wins_and_then_the_first_rule() -> None:
    rules = ClassRules([ClassRule(2, "tool", "search", "b"), ClassRule(1, "name", "TICKET", "a"), ClassRule(3, "user", "u", "c")])
    names = Names("bot", "ticket 5", None, None, ("web_search",), "u1")
    assert rules.class_of("said", names) == ("said", "explicit")
    assert rules.class_of(None, names) == ("a", "rule")
    assert rules.class_of(None, msgspec.structs.replace(names, name="other")) == ("b", "rule")
    assert rules.class_of(None, msgspec.structs.replace(names, name="other", tools=())) == ("c", "rule")
    assert rules.class_of("", Names(None, None, None, None, (), None)) == (None, "none")


# ── prices ───────────────────────────────────────────────────────────────────────────────────────────


def test_each_price_is_the_most_specific_statements() -> None:
    book = PriceBook(
        [
            stated(v_usd=Decimal(1), rho=Decimal(1), lambda_usd_per_s=Decimal(1)),
            stated("code.*", v_usd=Decimal(2), rho=Decimal(2)),
            stated("code.f*", v_usd=Decimal(3)),
            stated("code.fix", v_usd=Decimal(4), deadline_s=9.0),
        ]
    )
    assert book.prices_of("code.fix", AT) == Prices(Decimal(4), Decimal(1), Decimal(2), 9.0, GRACE_S, SOURCES)
    assert book.prices_of("code.find", AT).v_usd == 3
    assert book.prices_of("code", AT).v_usd == 1
    assert book.prices_of(None, AT).v_usd == 1
    assert book.prices_of("x", AT).source == "policy"
    assert NO_PRICES.prices_of("x", AT) == Prices()
    assert Prices().source == "none"


def test_among_equals_the_tenants_own_and_then_the_later_revision_wins() -> None:
    book = PriceBook([stated("a", 7, v_usd=Decimal(1)), stated("a", 1, is_own=True, v_usd=Decimal(2), grace_s=5.0)])
    assert book.prices_of("a", AT).v_usd == 2
    book = PriceBook([stated("a", 1, v_usd=Decimal(1)), stated("a", 2, v_usd=Decimal(3))])
    assert book.prices_of("a", AT).v_usd == 3


def test_validity_is_of_when_the_task_began() -> None:
    later = AT + timedelta(days=1)
    book = PriceBook([stated(v_usd=Decimal(1), until=later), stated(v_usd=Decimal(2), since=later)])
    assert [book.prices_of("a", at).v_usd for at in (AT, later - timedelta(microseconds=1), later)] == [1, 1, 2]


def test_a_price_that_policy_leaves_to_its_dual_is_what_the_vector_said_when_the_task_began() -> None:
    later, last = AT + timedelta(hours=1), AT + timedelta(hours=2)
    slack, tight = Decimal(0), Decimal("0.5")
    book = PriceBook(
        [stated(lambda_usd_per_s=Decimal(7), rho=Decimal(1)), stated("code.*", lambda_is_dual=True)],
        [
            Solved("code.fix", later, last, slack, None),
            Solved("code.fix", last, None, tight, None),
            Solved("code.*", later, None, Decimal(3), Decimal(9)),
            Solved("*", later, None, Decimal(4), Decimal(9)),
        ],
    )
    assert [book.prices_of("code.fix", at).lambda_usd_per_s for at in (AT, later, last)] == [None, slack, tight]
    assert [book.prices_of("code.fix", at).source for at in (AT, later)] == ["policy", "dual"]  # ρ is policy's
    assert book.prices_of("code.find", later).lambda_usd_per_s == 3
    assert (book.prices_of("ask", later).lambda_usd_per_s, book.prices_of(None, later).lambda_usd_per_s) == (7, 7)
    assert book.prices_of("code.fix", later).rho == 1
    own = PriceBook([stated(rho_is_dual=True), stated("a", is_own=True, rho=Decimal(2))], [Solved("*", later, None, None, slack)])
    assert (own.prices_of("a", last).rho, own.prices_of("b", last).rho, own.prices_of("b", AT).source) == (2, 0, "none")


# ── a task ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_stated_on_the_task_goes_before_policy() -> None:
    book = PriceBook([stated(v_usd=Decimal(1), deadline_s=5.0)])
    task = judge(facts(value='"20.5"', deadline="30"), [], book, NO_RULES)
    assert (task.value_usd, task.value_source, task.deadline_s, task.deadline_source, task.late_s) == (
        Decimal("20.5"), "explicit", 30.0, "explicit", 0.0,
    )  # fmt: skip
    task = judge(facts(), [], book, NO_RULES)
    assert (task.value_usd, task.value_source, task.deadline_source, task.late_s) == (1, "policy", "policy", 3.0)
    task = judge(facts(), [], NO_PRICES, NO_RULES)
    assert (task.value_usd, task.value_source, task.deadline_s, task.late_s) == (None, "none", None, None)


@pytest.mark.parametrize("value", ["-1", "NaN", "Infinity", "1e13", "1e-999999", "much", "[1]", "true", "9" * 61])
def test_a_value_that_is_no_amount_is_unknown_and_said(value: str) -> None:
    task = judge(facts(value=value), [], NO_PRICES, NO_RULES)
    if value == "1e-999999":  # no amount that a picodollar could tell from nothing
        assert task.value_usd == 0
    else:
        assert (task.value_usd, len(task.problems)) == (None, 1)


def test_unknown_is_not_nought() -> None:
    task = judge(facts(unpriced_calls=1), [], NO_PRICES, NO_RULES)
    assert (task.cost_usd, task.quality, task.risk_usd, task.loss_usd) == (None, None, 0, 0)
    assert judge(facts(unstated_risks=1, risk_usd=Decimal(3)), [], NO_PRICES, NO_RULES).risk_usd is None
    assert judge(facts(bad_risks=1, risk_usd=Decimal(3)), [], NO_PRICES, NO_RULES).risk_usd is None
    assert judge(facts(risk_usd=Decimal(3)), [], NO_PRICES, NO_RULES).risk_usd == 3


def test_the_first_source_in_order_that_speaks_of_the_whole_counts() -> None:
    said = [word("feedback", 0.5, 1), word("attribute", 0.25, 0, ROOT), word("evaluation", 1.0, 2, AGENT)]
    assert judge(facts(), said, NO_PRICES, NO_RULES).outcome_source == "attribute"
    assert judge(facts(), said[:1] + said[2:], NO_PRICES, NO_RULES).quality == 0.5
    assert judge(facts(), said[2:], NO_PRICES, NO_RULES).quality == 1.0
    assert judge(facts(), [word("evaluation", 1.0, 0, STEP)], NO_PRICES, NO_RULES).quality is None
    assert judge(facts(), [word("evaluation", 1.0, 0, name="Toxicity")], NO_PRICES, NO_RULES).quality is None
    latest = [word("feedback", 0.1, 5), word("feedback", 0.9, 3)]
    assert judge(facts(), latest, NO_PRICES, NO_RULES).quality == 0.1
    named = PriceBook([stated(outcome_sources=("evaluation:Toxicity",))])
    assert judge(facts(), [word("evaluation", 1.0, 0, name="Toxicity")], named, NO_RULES).quality == 1.0


def test_of_tests_the_last_run_counts_and_of_cases_the_worst() -> None:
    runs = [
        word("test", 0.0, 1, STEP, kind="exit_code"),
        word("test", 1.0, 2, STEP, kind="suite"),
        word("test", 0.0, 3, kind="case"),
    ]
    assert judge(facts(), runs, NO_PRICES, NO_RULES).quality == 1.0
    cases = [
        word("test", 0.0, 1, kind="case", name="a"),
        word("test", 1.0, 2, kind="case", name="a"),
        word("test", 1.0, 3, kind="case"),
    ]
    assert judge(facts(), cases, NO_PRICES, NO_RULES).quality == 1.0
    assert judge(facts(), [*cases[1:], word("test", 0.0, 4, kind="case", name="b")], NO_PRICES, NO_RULES).quality == 0.0


def test_the_roots_status_counts_only_where_policy_says_so() -> None:
    book = PriceBook([stated(outcome_sources=("attribute", "root_status"))])
    assert judge(facts(root_status=2), [], NO_PRICES, NO_RULES).quality is None
    assert judge(facts(root_status=2), [], book, NO_RULES).quality == 0.0
    assert judge(facts(), [], book, NO_RULES).quality == 1.0
    assert judge(facts(top=1), [], book, NO_RULES).quality is None  # its root never came
    assert judge(facts(root_status=2), [word("attribute", 0.5)], book, NO_RULES).quality == 0.5


def test_the_hash_is_of_everything() -> None:
    first = judge(facts(), [], NO_PRICES, NO_RULES)
    assert judge(facts(), [], NO_PRICES, NO_RULES).content_hash == first.content_hash
    others = [
        facts(cost_usd=Decimal(1)), facts(agent="x"), facts(calls=2), facts(ended_at=AT), facts(risk_usd=Decimal(1)),
        facts(value="1"),
    ]  # fmt: skip
    hashes = {judge(other, [], NO_PRICES, NO_RULES).content_hash for other in others}
    assert len(hashes | {first.content_hash}) == 7
    assert judge(facts(), [word("incident", None, loss_usd=Decimal(1))], NO_PRICES, NO_RULES).content_hash != first.content_hash


def test_when_it_is_due() -> None:
    book = PriceBook([stated("code.*", grace_s=10.0)])
    assert due_at(facts(), [], AT, book, NO_RULES) == AT + timedelta(seconds=10)
    assert due_at(facts(top=1), [], AT, book, NO_RULES) == AT + timedelta(seconds=200)
    assert due_at(facts(task_class="x"), [], AT, book, NO_RULES) == AT + timedelta(seconds=GRACE_S)
    assert due_at(facts(), [word("feedback", 1.0)], AT, book, NO_RULES) is None
    assert due_at(facts(), [word("incident", None, loss_usd=Decimal(1))], AT, book, NO_RULES) is None


@pytest.mark.parametrize(
    ("found", "is_task"),
    [
        (facts(), True),
        (facts(calls=0, copies=1, other_spans=0), False),  # the echo of another trace's call
        (facts(calls=0, copies=1, other_spans=1), True),
        (facts(calls=0, copies=0), True),
        (facts(calls=0, top=4), False),  # lines of a log
        (facts(calls=1, top=3), True),
    ],
)
def test_what_is_a_task(found: Facts, is_task: bool) -> None:
    assert found.is_task is is_task
