"""Attributes with values that nobody should send: they are unknown, and stop nothing of what is made of the others."""

from __future__ import annotations

from typing import Any

import psycopg
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analyzers.appraising import run_line
from tests.books import Value, agent, chat, export, one, plain, price, rows
from tests.desk import book

NAMES = (
    "task__value_usd", "task__deadline_s", "outcome", "route__candidates", "route__chosen", "route__propensity",
    "route__predicted_quality", "action__class", "action__reversible", "action__confirmation", "risk__loss_usd",
    "risk__probability", "cache__key", "cache__stored_at", "engine__queue_s", "engine__prefill_s", "engine__decode_s",
    "engine__kv_tokens", "engine__batch", "spec__proposed", "spec__accepted", "policy__version", "policy__trained_version",
    "training__gain", "training__gain_error", "training__capability", "training__importance_ratio", "training__kl",
)  # fmt: skip
VALUES: tuple[Value, ...] = (-1, 1e308, 5e-324, float("nan"), True, "x", "1e999", [1e308, 1e308], [["a"]])


def test_no_value_stops_what_is_made_of_the_others(dsn: str, writer: psycopg.Connection, reader: psycopg.Connection) -> None:
    price(writer)
    names = [*[f"allocation__{name}" for name in NAMES], "gen_ai__usage__prompt_tokens"]
    cases = [(name, value) for name in names for value in VALUES]
    spans = [span for number, (name, value) in enumerate(cases, start=1) for span in _trace(number, name, value)]
    book(dsn, [export(*spans, scope="tests")])
    run_line(writer, is_all=True)
    assert one(reader, "select count(*) from ledger.tasks") == len(cases)
    routed = set(rows(reader, "select trace_id from ledger.decisions where kind = 'route' and propensity = 0.9"))
    refused = {number for number, (name, _) in enumerate(cases, start=1) if "__route__" in name}
    assert {f"{number:032x}" for number in range(1, len(cases) + 1) if number not in refused} <= {trace for (trace,) in routed}
    assert rows(reader, "select mode, problem from ledger.detections where problem is not null") == []
    assert rows(reader, "select * from ledger.decisions where not propensity between 0 and 1") == []


def _trace(number: int, name: str, value: Value) -> list[Span]:
    """A task that is routed, served and learned from, every span of which says this."""
    at = number * 20.0
    said: dict[str, Any] = {name: value}
    route: dict[str, Any] = {"candidates": ["a", "m1"], "chosen": "m1", "propensity": 0.9, "predicted_quality": [0.5, 0.7]}
    stated: dict[str, Any] = {f"allocation__route__{key}": told for key, told in route.items()} | {"allocation__use": "route"}
    engine: dict[str, Any] = {"allocation__engine": "e1", "allocation__use": "decode", "gen_ai__usage__prompt_tokens": 100}
    engine |= {f"allocation__engine__{key}": 0.1 for key in ("queue_s", "prefill_s", "decode_s")}
    update: dict[str, Any] = {"allocation__policy__version": number - 3, "allocation__policy__trained_version": number}
    update |= {"allocation__use": "update", "allocation__training__gain": 0.1}
    return [
        agent(number, 1, at=at, task="fix", **said),
        plain(number, 2, 1, name="route", at=at, **{**stated, **said}),
        chat(number, 3, 1, at=at + 1, id=f"r{number}", **said),
        plain(number, 4, 3, name="llm_request", at=at + 1, **{**engine, **said}),
        plain(number, 5, 1, name="execute_tool run_tests", at=at + 3, gen_ai__tool__name="run_tests", **said),
        plain(number, 6, 1, name="update", at=at + 4, **{**update, **said}),
        plain(number, 7, 1, name="allocation.incident", at=at + 5, **said),
        plain(number, 8, 1, name="gen_ai.evaluation.result", at=at + 5, **said),
    ]
