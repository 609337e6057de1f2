"""Layer and use: said by the emitter, inferred from names by the table, or unknown; and each says which."""

from __future__ import annotations

from typing import Any

import pytest

from collector.infer import FIELDS, LAYER_OF_USE, LAYERS, BadRule, Rules
from tests.unit.collector.traffic import reading

CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m",
    "gen_ai.usage.input_tokens": 1,
    "gen_ai.usage.output_tokens": 1,
}


def tool(name: str) -> dict[str, Any]:
    return {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}


@pytest.mark.parametrize(
    ("name", "use", "action_class"),
    [
        ("run_tests", "verify", None),
        ("pytest", "verify", None),
        ("lint", "verify", None),
        ("check_types", "verify", None),
        ("verifyAnswer", "verify", None),
        ("read_file", "read", "read"),
        ("Grep", "read", "read"),
        ("web_search", "read", "read"),
        ("get_payment_status", "read", "read"),
        ("list_tests", "read", "read"),
        ("retrieve", "read", "read"),
        ("duckduckgo_search", "read", "read"),
        ("edit_file", "act", "draft"),
        ("Write", "act", "draft"),
        ("git_commit", "act", "commit"),
        ("cancel_reservation", "act", "commit"),
        ("send_email", "act", "send"),
        ("deploy_service", "act", "deploy"),
        ("transfer_funds", "act", "transfer"),
        ("refund", "act", "transfer"),
        ("Bash", "act", "execute"),
        ("run_sql", "act", "execute"),
        ("transfer_to_bugfixer", "delegate", None),
        ("handoff to bugfixer", "delegate", None),
        ("ask_reviewer", "delegate", None),
        ("Task", "delegate", None),
        ("ask_user", "defer", None),
        ("AskUserQuestion", "defer", None),
        ("transfer_to_human_agents", "defer", None),
        ("TodoWrite", "plan", None),
        ("select_model", "route", None),
    ],
)
def test_tools(name: str, use: str, action_class: str | None) -> None:
    found = reading(tool(name))
    assert (found.use, found.action_class, found.use_source) == (use, action_class, "inferred")
    assert (found.layer, found.layer_source) == (LAYER_OF_USE[use], "inferred")


@pytest.mark.parametrize("name", ["HelloTool", "getaway", "checkout", "testimony", "forgets"])
def test_words_are_whole(name: str) -> None:
    found = reading(tool(name))
    assert (found.layer, found.use, found.use_source) == ("action", None, "none")


@pytest.mark.parametrize(
    ("agent", "layer", "use"),
    [
        ("reviewer", "action", "verify"),
        ("CodeReviewer", "action", "verify"),
        ("critic", "action", "verify"),
        ("planner", "action", "plan"),
        ("model-router", "demand", "route"),
        ("Researcher", "action", "read"),
        ("bugfixer", "action", None),
    ],
)
def test_calls_by_their_agent(agent: str, layer: str, use: str | None) -> None:
    found = reading({**CHAT, "gen_ai.agent.name": agent})
    assert (found.layer, found.use) == (layer, use)
    assert found.use_source == ("none" if use is None else "inferred")


@pytest.mark.parametrize("reasons", [["tool_calls"], ["stop", "tool_call"], '["tool-calls"]', "tool_use"])
def test_a_call_that_asks_for_tools_plans(reasons: Any) -> None:
    found = reading({**CHAT, "gen_ai.response.finish_reasons": reasons})
    assert (found.use, found.use_source) == ("plan", "inferred")


def test_a_call_without_a_hint_is_action_of_unknown_use() -> None:
    found = reading({**CHAT, "gen_ai.response.finish_reasons": ["stop"]})
    assert (found.layer, found.layer_source, found.use, found.use_source) == ("action", "inferred", None, "none")


@pytest.mark.parametrize(
    ("attributes", "given", "use"),
    [
        ({**CHAT, "gen_ai.operation.name": "embeddings"}, {}, "read"),
        (
            {"gen_ai.latency.e2e": 1.0, "gen_ai.usage.prompt_tokens": 1},
            {"scope": "vllm.llm_engine", "name": "llm_request"},
            "decode",
        ),
        ({}, {"name": "policy_update"}, "update"),
        ({}, {"name": "policy_update", "scope": "verl"}, "update"),
        ({}, {"name": "step", "scope": "verl"}, "rollout"),
        ({}, {"name": "prefill", "scope": "vllm.core"}, "prefill"),
        ({}, {"name": "rollout"}, "rollout"),
        ({}, {"name": "compute_reward"}, "reward"),
        ({"event.name": "gemini_cli.model_routing"}, {"signal": "log", "name": "gemini_cli.model_routing"}, "route"),
        ({"openinference.span.kind": "EVALUATOR"}, {}, "verify"),
        ({"openinference.span.kind": "RETRIEVER"}, {}, "read"),
    ],
)
def test_other_records(attributes: dict[str, Any], given: dict[str, Any], use: str) -> None:
    found = reading(attributes, **given)
    assert (found.layer, found.use) == (LAYER_OF_USE[use], use)


def test_what_is_said_wins() -> None:
    found = reading({**tool("run_tests"), "allocation.use": "act", "allocation.action.class": "commit"})
    assert (found.use, found.use_source, found.action_class) == ("act", "explicit", "commit")
    assert (found.layer, found.layer_source) == ("action", "inferred")
    both = reading({**CHAT, "allocation.layer": "capital", "allocation.use": "rollout"})
    assert (both.layer, both.layer_source, both.use, both.use_source) == ("capital", "explicit", "rollout", "explicit")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"allocation.use": "planning"}, "allocation.use is planning, which was passed over; did you mean plan?"),
        ({"allocation.layer": "Supply"}, "allocation.layer is Supply, which was passed over; did you mean supply?"),
        (
            {"allocation.layer": "x" * 50},
            f"allocation.layer is {'x' * 40}, which was passed over; there are action, capital, demand, supply",
        ),
        (
            {"allocation.layer": 7, "allocation.use": "act"},
            "allocation.layer is no text, which was passed over; there are action, capital, demand, supply",
        ),
    ],
)
def test_a_word_of_ours_that_is_none_is_told(said: dict[str, Any], told: str) -> None:
    warning = reading({**tool("run_tests"), **said}).warning
    assert warning is not None
    assert (warning.code, warning.detail) == ("unknown_word", told)


def test_words_of_ours_that_are_known_are_no_matter() -> None:
    assert reading({**CHAT, "allocation.use": "plan", "allocation.layer": "action"}).warning is None
    assert reading(CHAT).warning is None


def test_a_said_layer_excludes_uses_of_other_layers() -> None:
    found = reading({**CHAT, "gen_ai.agent.name": "reviewer", "allocation.layer": "supply"})
    assert (found.layer, found.layer_source, found.use) == ("supply", "explicit", None)


def test_the_resource_may_say_it_for_all() -> None:
    found = reading(CHAT, resource={"allocation.use": "rollout"})
    assert (found.layer, found.use, found.use_source) == ("capital", "rollout", "explicit")


def test_an_unknown_word_is_not_believed() -> None:
    found = reading({**CHAT, "allocation.layer": "sideways", "allocation.use": 5})
    assert (found.layer, found.layer_source) == ("action", "inferred")


def test_the_operator_edits_the_table() -> None:
    rules = Rules.from_rows(
        [
            {"ordinal": 2, "field": "tool", "pattern": "hello.*", "layer": "action", "use": "read"},
            {"ordinal": 1, "field": "tool", "pattern": "hello_tool", "layer": "action", "use": "act", "action_class": "greet"},
        ]
    )
    assert reading(tool("HelloTool"), rules=rules).action_class == "greet"
    assert reading(tool("hello_world"), rules=rules).use == "read"
    assert reading(tool("run_tests"), rules=rules).use is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pattern": "("}, "no regular expression"),
        ({"field": "shoe"}, "none of operation"),
        ({"use": "decode"}, "not of layer"),
        ({"pattern": None}, "incomplete"),
    ],
)
def test_a_bad_rule_is_refused(change: dict[str, Any], named: str) -> None:
    row = {"ordinal": 1, "field": "tool", "pattern": "a", "layer": "action", "use": "act"}
    with pytest.raises(BadRule, match=named):
        Rules.from_rows([{**row, **change}])


def test_the_default_table_is_well_formed() -> None:
    rows = Rules.default().rows
    assert {row.field for row in rows} <= set(FIELDS)
    assert {row.layer for row in rows} == LAYERS
    assert len({row.ordinal for row in rows}) == len(rows)
