"""Decisions derived from spans that went through the collector: what was chosen, among what, and what was known before."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analyzers.decisions.derive import derive, state_assignment
from tests.books import agent, chat, export, log, one, plain, price, rows, tool
from tests.desk import book
from tests.settled import settle_all

TENANT = "default"
FIELDS = "kind, chosen, options, propensity, assignment, context, provenance"


def router(trace: int, span: int, parent: int, at: float, **more: Any) -> Span:
    """A router's own span."""
    return plain(trace, span, parent, name="route", at=at, seconds=0.1, allocation__use="route", **more)


def action(trace: int, span: int, parent: int, name: str, at: float, **more: Any) -> Span:
    """A tool that acts, with what it says of itself."""
    return plain(
        trace, span, parent, name=f"execute_tool {name}", at=at, gen_ai__operation__name="execute_tool", gen_ai__tool__name=name,
        **more,
    )  # fmt: skip


def decided(dsn: str, writer: psycopg.Connection, *spans: Any) -> None:
    """Book the spans, settle, derive."""
    book(dsn, [export(*spans)])
    again(writer)


def again(writer: psycopg.Connection) -> None:
    settle_all(writer)
    derive(writer)


def decision(reader: psycopg.Connection, kind: str, trace: int = 1) -> dict[str, Any]:
    """The one decision of a kind in a trace."""
    names = ("kind", "chosen", "options", "propensity", "assignment", "context", "provenance", "own_cost_usd", "layer")
    query = f"select {', '.join(names)} from ledger.decisions where kind = %s and trace_id = %s"
    return dict(zip(names, one(reader, query, kind, f"{trace:032x}"), strict=True))


def everything(reader: psycopg.Connection) -> list[tuple[Any, ...]]:
    """All decisions, without when they were derived."""
    return rows(
        reader, f"select decision_id, trace_id, span_id, decided_at, {FIELDS}, own_cost_usd from ledger.decisions order by 1"
    )


# ── route ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stated_route_keeps_its_menu_propensity_and_prediction(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    price(writer)
    decided(
        dsn, writer, agent(1, 1, task="fix"),
        router(1, 2, 1, 0.0, allocation__route__candidates=["m2", "m1", "m3"], allocation__route__chosen="m1",
               allocation__route__propensity=0.9, allocation__route__predicted_quality=[0.6, 0.7, 0.9]),
        chat(1, 3, 1, at=1.0, input=100, output=10), chat(1, 4, 1, at=2.0, input=5000, output=10),
    )  # fmt: skip
    route = decision(reader, "route")
    assert (route["chosen"], route["options"], route["propensity"], route["assignment"]) == (
        "m1",
        ["m1", "m2", "m3"],
        0.9,
        "logged",
    )
    assert route["context"]["predicted_quality"] == pytest.approx((0.6 + 0.7 + 0.9) / 3)
    assert route["context"]["log_prompt_tokens"] == pytest.approx(4.615, abs=1e-3)  # ln 101: the first call, not the second
    assert "options" not in route["provenance"]
    assert float(route["own_cost_usd"]) == pytest.approx((100 * 2 + 10 * 10 + 5000 * 2 + 10 * 10) / 1e6)
    predicted = "select option, predicted_quality, is_chosen from ledger.decision_options where kind = 'route' order by place"
    assert rows(reader, predicted) == [("m1", 0.7, True), ("m2", 0.6, False), ("m3", 0.9, False)]


def test_propensities_of_the_whole_menu_are_kept(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    decided(
        dsn, writer, agent(1, 1),
        router(1, 2, 1, 0.0, allocation__route__candidates=["b", "a"], allocation__route__chosen="b",
               allocation__route__propensity=[0.8, 0.2]),
        chat(1, 3, 1, at=1.0, model="b"),
    )  # fmt: skip
    assert decision(reader, "route")["propensity"] == 0.8
    assert [
        p for (p,) in rows(reader, "select propensity from ledger.decision_options where kind = 'route' order by option")
    ] == [0.2, 0.8]


@pytest.mark.parametrize(
    ("candidates", "propensity", "options", "assignment"),
    [
        (["a", "b", "b"], 0.5, ["a", "b"], "logged"),
        (["a"], 0.5, ["a", "z"], "logged"),
        (["a", "z"], "much", ["a", "z"], "unknown"),
        (["a", "z"], 1.5, ["a", "z"], "unknown"),
        (["a", "z"], 0.0, ["a", "z"], "unknown"),
        (["z"], 0.5, None, None),
        ("a,z", 0.5, None, None),
    ],
)
def test_menus_as_senders_get_them_wrong(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection,
    candidates: Any, propensity: Any, options: list[str] | None, assignment: str | None,
) -> None:  # fmt: skip
    chosen = "a" if options == ["a", "b"] else "z"
    decided(
        dsn, writer, agent(1, 1, task="fix"),
        router(1, 2, 1, 0.0, allocation__route__candidates=candidates, allocation__route__chosen=chosen,
               allocation__route__propensity=propensity),
        chat(1, 3, 1, at=1.0, model=chosen),
    )  # fmt: skip
    found = rows(reader, "select options, assignment from ledger.decisions where kind = 'route'")
    assert found == ([] if options is None else [(options, assignment)])


def test_without_a_menu_the_models_that_were_used_are_the_menu(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    for trace, model in ((1, "m1"), (2, "m2"), (3, "m2")):
        book(dsn, [export(agent(trace, 1, task="fix"), chat(trace, 2, 1, model=model, at=1.0))])
    book(dsn, [export(agent(4, 1, task="other"), chat(4, 2, 1, model="m3", at=1.0))])
    again(writer)
    route = decision(reader, "route")
    assert (route["chosen"], route["options"], route["assignment"]) == ("m1", ["m1", "m2"], "unknown")
    assert set(route["provenance"]) == {"chosen", "log_prompt_tokens", "options"}
    assert (
        rows(reader, "select from ledger.decisions where kind = 'route' and task_class = 'other'") == []
    )  # one model is no choice


def test_a_menu_that_grows_makes_older_tasks_be_looked_at_again(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    decided(dsn, writer, agent(1, 1, task="fix"), chat(1, 2, 1, model="m1", at=1.0))
    assert rows(reader, "select from ledger.decisions where kind = 'route'") == []
    decided(dsn, writer, agent(2, 1, task="fix"), chat(2, 2, 1, model="m2", at=1.0))
    assert [decision(reader, "route", trace)["options"] for trace in (1, 2)] == [["m1", "m2"]] * 2


def test_gemini_cli_says_which_model_it_decided_on(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    for trace, model in ((1, "flash"), (2, "pro")):
        routing = log("gemini_cli.model_routing", trace, 1, at=0.5, decision_model=model, decision_source="classifier")
        book(dsn, [export(agent(trace, 1, task="ask"), chat(trace, 2, 1, model=model, at=1.0)), export(routing)])
    again(writer)
    route = decision(reader, "route", 2)
    assert (route["chosen"], route["options"]) == ("pro", ["flash", "pro"])
    assert "chosen" not in route["provenance"]


# ── verify, confirm, delegate, defer ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("steps", "passes"),
    [
        ([], "0"),
        ([tool(1, 5, 1, at=3.0)], "1"),
        ([tool(1, 5, 1, at=3.0), chat(1, 6, 1, at=4.0, allocation__use="verify")], "1"),
        ([tool(1, 5, 1, at=3.0), chat(1, 6, 1, at=4.0, allocation__use="verify"), tool(1, 7, 1, at=5.0)], "2"),
        ([agent(1, 5, 1, name="reviewer", at=3.0), *(chat(1, 10 + n, 5, at=3.0 + n) for n in range(4))], "1"),
        ([tool(1, 5 + n, 1, at=3.0 + n) for n in range(5)], "2"),
    ],
    ids=["none", "a tool", "a tool and a call", "two", "a reviewer with four calls", "five"],
)
def test_passes_of_verification_are_counted_once(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, steps: list[Span], passes: str
) -> None:
    decided(dsn, writer, agent(1, 1, task="fix"), chat(1, 2, 1, at=1.0, allocation__use="act"), *steps)
    verify = decision(reader, "verify")
    assert (verify["chosen"], verify["options"], verify["layer"]) == (passes, ["0", "1", "2"], "action")


@pytest.mark.parametrize(("checked_at", "seconds"), [(6.0, 4.0), (3.0, None)], ids=["afterwards", "meanwhile"])
def test_how_long_the_first_call_took_is_known_to_a_check_that_came_after_it(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, checked_at: float, seconds: float | None
) -> None:
    first = chat(1, 2, 1, at=1.0, seconds=4.0, allocation__use="act")
    decided(dsn, writer, agent(1, 1, task="fix"), first, chat(1, 3, 1, at=checked_at, allocation__use="verify"))
    assert decision(reader, "verify")["context"].get("first_call_s") == seconds


def test_confirmation_is_stated_or_seen_just_before(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    asked = plain(
        2, 3, 1, name="execute_tool ask_human", at=2.0, gen_ai__operation__name="execute_tool", gen_ai__tool__name="ask_human"
    )
    first = action(2, 4, 1, "send_email", 4.0)
    second = action(2, 5, 1, "send_email", 6.0)
    stated = action(
        1, 3, 1, "transfer_money", 3.0, allocation__action__class="send", allocation__action__confirmation="multi_party"
    )
    book(
        dsn,
        [
            export(agent(1, 1, task="pay"), chat(1, 2, 1), stated),
            export(agent(2, 1, task="pay"), chat(2, 2, 1), asked, first, second),
        ],
    )
    again(writer)
    found = rows(
        reader,
        "select span_id, chosen, options, provenance from ledger.decisions where kind = 'confirm' order by trace_id, span_id",
    )
    assert [(span[-1], chosen) for span, chosen, *_ in found] == [("3", "multi_party"), ("4", "human"), ("5", "none")]
    assert {tuple(options) for _, _, options, _ in found} == {("human", "multi_party", "none")}
    assert [set(provenance) for *_, provenance in found] == [
        {"options"},
        {"options", "chosen", "action_class"},
        {"options", "chosen", "action_class"},
    ]
    assert rows(reader, "select from ledger.decisions where kind = 'defer'") == []  # who is asked before an action confirms it


def test_drafts_are_free_and_confirming_oneself_is_verification(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    for trace, by in ((1, "self"), (2, "none")):
        commit = action(trace, 3, 1, "git_commit", 3.0, allocation__action__class="commit", allocation__action__confirmation=by)
        book(dsn, [export(agent(trace, 1, task="fix"), chat(trace, 2, 1), action(trace, 4, 1, "edit_file", 2.0), commit)])
    again(writer)
    assert rows(reader, "select from ledger.decisions where kind = 'confirm'") == []


def test_delegation_and_deferral(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    asks = plain(
        1, 5, 1, name="execute_tool ask_user", at=4.0, gen_ai__operation__name="execute_tool", gen_ai__tool__name="ask_user"
    )
    book(dsn, [
        export(agent(1, 1, name="lead", task="fix"), chat(1, 2, 1, at=1.0), agent(1, 3, 1, name="scout", at=2.0),
               chat(1, 4, 3, at=2.5), asks),
        export(agent(2, 1, name="lead", task="fix"), chat(2, 2, 1, at=1.0)),
    ])  # fmt: skip
    again(writer)
    assert [decision(reader, "delegate", trace)["chosen"] for trace in (1, 2)] == ["delegate", "alone"]
    assert [decision(reader, "defer", trace)["chosen"] for trace in (1, 2)] == ["ask", "proceed"]


# ── serve, cache, reuse, update ──────────────────────────────────────────────────────────────────────


def test_serving_by_engine_and_speculation(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    engine = {"engine": "e1", "engine__queue_s": 0.5, "engine__batch": 4, "engine__kv_tokens": 900}
    said: dict[str, Any] = {"layer": "supply", **engine}
    for trace, proposed in ((1, 30), (2, None)):
        more = {f"allocation__{name}": value for name, value in said.items()}
        served = chat(trace, 3, 2, model="own", allocation__spec__proposed=proposed, **more)
        book(dsn, [export(agent(trace, 1, task="t"), chat(trace, 2, 1, model="own"), served)])
    again(writer)
    serve = decision(reader, "serve")
    assert (serve["chosen"], serve["options"], serve["layer"]) == ("e1 speculative", ["e1 plain", "e1 speculative"], "supply")
    assert (serve["context"]["batch"], serve["context"]["queue_s"]) == (4, 0.5)
    assert rows(reader, "select engine, queue_s, kv_tokens, spec_proposed from ledger.serving order by trace_id") == [
        ("e1", 0.5, 900.0, 30.0),
        ("e1", 0.5, 900.0, None),
    ]


def test_caching_is_told_by_the_tokens(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    use: dict[int, list[dict[str, Any]]] = {
        1: [{"written": 50}, {"cached": 50}],
        2: [{"written": 50}, {"written": 50}],
        3: [{}, {}],
        4: [{"written": 50}],
    }
    for trace, calls in use.items():
        book(dsn, [export(agent(trace, 1, task="t"), *(chat(trace, 2 + n, 1, at=1.0 + n, **c) for n, c in enumerate(calls)))])
    again(writer)
    found = dict(rows(reader, "select right(trace_id, 1), chosen from ledger.decisions where kind = 'cache'"))
    assert found == {"1": "prefix", "2": "churn", "3": "none"}  # one call has nothing to share


def test_reuse_says_that_availability_is_not_told(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    lookup = plain(1, 2, 1, name="cache_lookup", allocation__layer="capital", allocation__use="store", allocation__cache__key="k")
    book(dsn, [export(agent(1, 1, task="faq"), lookup), export(agent(2, 1, task="faq"), chat(2, 2, 1))])
    again(writer)
    assert [decision(reader, "reuse", trace)["chosen"] for trace in (1, 2)] == ["reuse", "work"]
    assert ["availability" in decision(reader, "reuse", trace)["provenance"] for trace in (1, 2)] == [False, True]


@pytest.mark.parametrize(("trained", "chosen"), [(7, "0"), (8, "1"), (10, "2-3"), (12, "4-7"), (15, "8+"), (6, None)])
def test_staleness_is_trained_less_generating_version(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, trained: int, chosen: str | None
) -> None:
    decided(
        dsn, writer, plain(1, 1, name="policy_update", allocation__layer="capital", allocation__use="update",
                           allocation__policy__version=7, allocation__policy__trained_version=trained),
    )  # fmt: skip
    found = rows(reader, "select chosen from ledger.decisions where kind = 'update'")
    assert found == ([] if chosen is None else [(chosen,)])


# ── as a whole ───────────────────────────────────────────────────────────────────────────────────────


def work(trace: int, luck: random.Random) -> list[Span]:
    """A task with a decision of nearly every kind."""
    at = luck.random()
    return [
        agent(trace, 1, name="lead", task=luck.choice(["fix", "pay"])),
        router(trace, 2, 1, at, allocation__route__candidates=["m1", "m2"], allocation__route__chosen="m1",
               allocation__route__propensity=0.7),
        chat(trace, 3, 1, at=at + 1, input=luck.randrange(100, 999), cached=luck.choice([None, 50]), error=luck.random() < 0.5),
        chat(trace, 4, 1, at=at + 2, input=luck.randrange(100, 999)),
        *([agent(trace, 5, 1, name="scout", at=at + 3), chat(trace, 6, 5, at=at + 3.1)] if luck.random() < 0.5 else []),
        *([tool(trace, 7, 1, at=at + 4)] if luck.random() < 0.5 else []),
        action(trace, 8, 1, "send_email", at + 6, allocation__action__class="send",
               allocation__action__confirmation=luck.choice(["none", "human"])),
    ]  # fmt: skip


def test_the_order_in_which_tasks_come_does_not_matter(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    luck = random.Random(3)
    tasks = [work(trace, luck) for trace in range(1, 13)]
    for spans in tasks:
        decided(dsn, writer, *spans)
    bit_by_bit = everything(reader)
    assert {kind for (kind,) in rows(reader, "select distinct kind from ledger.decisions")} >= {
        "route",
        "verify",
        "confirm",
        "delegate",
    }
    writer.execute("delete from pigou.decision")
    writer.execute("update pigou.setting set value = '1970-01-01 00:00:00+00' where setting like 'decided_through:%'")
    again(writer)
    assert everything(reader) == bit_by_bit


def test_deriving_again_changes_nothing(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    luck = random.Random(4)
    decided(dsn, writer, *(span for trace in range(1, 9) for span in work(trace, luck)))
    stamps = "select decision_id, derived_at from ledger.decisions order by 1"
    before = rows(reader, stamps)
    again(writer)
    assert rows(reader, stamps) == before


def test_a_decision_whose_task_changed_is_not_kept_beside_the_new_one(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection
) -> None:
    decided(dsn, writer, agent(1, 1, task="fix"), chat(1, 2, 1, at=1.0, allocation__use="act"))
    assert decision(reader, "verify")["chosen"] == "0"
    decided(dsn, writer, tool(1, 5, 1, at=0.5))
    assert decision(reader, "verify")["chosen"] == "1"


@pytest.mark.parametrize("kind", ["route", "verify", "confirm", "delegate"])
def test_context_is_not_told_by_what_came_later(
    dsn: str, writer: psycopg.Connection, reader: psycopg.Connection, kind: str
) -> None:
    """The same tasks twice, in the second tenant with other spans after each decision: what was known before is the same."""
    luck = random.Random(5)
    tasks = [work(trace, luck) for trace in range(1, 7)]
    book(dsn, [export(*spans) for spans in tasks])
    again(writer)
    when = f"select trace_id, (extract(epoch from decided_at) * 1e9)::bigint from ledger.decisions where kind = '{kind}'"
    first_own = {
        trace: min(s.start_time_unix_nano for s in spans if s.name.startswith("chat")) for trace, spans in enumerate(tasks, 1)
    }
    decided_ns = {int(trace, 16): int(at) for trace, at in rows(reader, when)}
    assert decided_ns
    for trace, spans in enumerate(tasks, 1):
        # The prompt of the first call was there before, although it is told by a later span.
        until = max(decided_ns.get(trace, 0), first_own[trace])
        kept = [span for span in spans if span.start_time_unix_nano <= until or span.name == "invoke_agent lead"]
        until_s = (until - min(s.start_time_unix_nano for s in spans if not s.name.startswith("invoke"))) / 1e9 + 2.0
        later = [chat(trace, 90, 1, at=until_s + 20, input=99_999, error=True), tool(trace, 91, 1, name="lint", at=until_s + 21)]
        book(dsn, [export(*kept, *later, tenant="second")])
    again(writer)
    known = f"select trace_id, context from ledger.decisions where kind = '{kind}' and tenant = %s order by 1"
    first, second = dict(rows(reader, known, TENANT)), dict(rows(reader, known, "second"))
    assert second
    for trace, context in second.items():
        assert context == first[trace]


def test_an_operator_may_state_how_decisions_are_made(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    decided(dsn, writer, agent(1, 1, task="fix"), chat(1, 2, 1, at=1.0, allocation__use="act"))
    assert decision(reader, "verify")["assignment"] == "unknown"
    state_assignment(writer, 0, "verify", "*", "recorded", "test")
    assert decision(reader, "verify")["assignment"] == "recorded"
    state_assignment(writer, 0, "verify", "fix", "unknown", "test")  # a class in full wins over the star
    assert decision(reader, "verify")["assignment"] == "unknown"
