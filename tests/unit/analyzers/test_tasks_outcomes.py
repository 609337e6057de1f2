"""What records say of outcomes, in every form that is read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from analyzers.tasks.outcomes import Evidence, Refused, read_outcomes
from ledger.outcomes import Outcome

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
TRACE, SPAN, PARENT = bytes(15) + b"\x01", bytes(7) + b"\x02", bytes(7) + b"\x03"
SCORE, LABEL, NAME = "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label", "gen_ai.evaluation.name"


def record(name: str = "work", attributes: dict[str, Any] | None = None, **more: Any) -> Evidence:
    given: dict[str, Any] = {"signal": "span", "role": "plain", "use": None, "events": [], "links": [], **more}
    return Evidence(TRACE, SPAN, given.pop("parent", PARENT), name=name, ended_at=AT, attributes=attributes or {}, **given)


def said(found: Evidence) -> list[tuple[Any, ...]]:
    """Source, name, span, quality and loss of each outcome; code of each refusal."""
    found_words: list[tuple[Any, ...]] = []
    for word in read_outcomes(found):
        if isinstance(word, Refused):
            found_words.append((word.code,))
        else:
            quality = None if word.quality is None else float(word.quality)
            found_words.append((word.source, word.name, word.span_id, quality, word.loss_usd))
    return found_words


EVALUATED = {NAME: "grade", SCORE: 0.5}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # explicit
        (record(attributes={"allocation.outcome": 0.25}), ("attribute", "outcome", SPAN, 0.25, None)),
        (record(attributes={"allocation.outcome": True}), ("attribute", "outcome", SPAN, 1.0, None)),
        (record(attributes={"allocation.outcome": "0.5"}, signal="log"), ("attribute", "outcome", PARENT, 0.5, None)),
        (record(attributes={"allocation.outcome": "NaN"}), ("outcome_unread",)),
        (record(attributes={"allocation.outcome": "good"}), ("outcome_unread",)),
        (record(attributes={"allocation.outcome": 1.0000001}), ("outcome_out_of_range",)),
        (record(attributes={"allocation.outcome": -0.1}), ("outcome_out_of_range",)),
        # evaluations: a log inside the span that is evaluated, a span of its own inside it, attributes of the span itself
        (record("gen_ai.evaluation.result", EVALUATED, signal="log"), ("evaluation", "grade", PARENT, 0.5, None)),
        (record("gen_ai.evaluation.result", EVALUATED), ("evaluation", "grade", PARENT, 0.5, None)),
        (record("evaluation grade", EVALUATED), ("evaluation", "grade", PARENT, 0.5, None)),
        (record("chat m1", EVALUATED), ("evaluation", "grade", SPAN, 0.5, None)),
        (record("chat m1", {SCORE: 4.0}), ("outcome_out_of_range",)),
        (record("chat m1", {SCORE: 4.0, LABEL: "pass"}), ("outcome_out_of_range",)),
        (record("chat m1", {SCORE: 4.0, "allocation.outcome": 0.8}), ("evaluation", "evaluation", SPAN, 0.8, None)),
        (record("chat m1", {LABEL: "Incorrect"}), ("evaluation", "evaluation", SPAN, 0.0, None)),
        (record("chat m1", {LABEL: "relevant"}), ("outcome_unread",)),
        (record("gen_ai.evaluation.result", {NAME: "grade", "error.type": "timeout"}, signal="log"), ("outcome_unsaid",)),
        # OpenInference
        (
            record("Relevance", {"openinference.span.kind": "EVALUATOR", "metadata": '{"score": 0.75, "evaluator_name": "fit"}'}),
            ("score", "fit", PARENT, 0.75, None),
        ),
        (record("Fit", {"openinference.span.kind": "EVALUATOR", "metadata.label": "pass"}), ("score", "Fit", PARENT, 1.0, None)),
        # tests
        (record(attributes={"test.suite.run.status": "success"}), ("test", "suite", SPAN, 1.0, None)),
        (record(attributes={"test.suite.run.status": "timed_out", "test.suite.name": "s"}), ("test", "s", SPAN, 0.0, None)),
        (record(attributes={"test.case.result.status": "fail", "test.case.name": "c"}), ("test", "c", SPAN, 0.0, None)),
        (
            record("execute_tool pytest", {"process.exit.code": 0, "gen_ai.tool.name": "pytest"}, role="tool", use="verify"),
            ("test", "pytest", SPAN, 1.0, None),
        ),
        (record("pytest", {"exit_code": "1"}, role="tool", use="verify"), ("test", "pytest", SPAN, 0.0, None)),
        # incidents
        (record("allocation.incident", {"allocation.risk.loss_usd": 12.5}, signal="log"),
         ("incident", "allocation.incident", PARENT, None, Decimal("12.5"))),
        (record("allocation.incident", {"allocation.risk.loss_usd": 3}),
         ("incident", "allocation.incident", SPAN, None, Decimal(3))),
        (record("allocation.incident", {"allocation.risk.loss_usd": -3}), ("loss_unread",)),
        (record("allocation.incident", {}), ("loss_unread",)),
        (record("allocation.incident", {"allocation.risk.loss_usd": "Infinity"}), ("loss_unread",)),
    ],
)  # fmt: skip
def test_one_word(found: Evidence, expected: tuple[Any, ...]) -> None:
    assert said(found) == [expected]


@pytest.mark.parametrize(
    "silent",
    [
        record(),
        record(attributes={"test.suite.run.status": "in_progress"}),
        record("ls", {"process.exit.code": 1}, role="tool", use="read"),  # no check
        record(attributes={"openinference.span.kind": "EVALUATOR", "metadata": "no JSON"}),
        record(attributes={"allocation.risk.loss_usd": 10}),  # what may be lost, of an action
        record(events=[{"name": "exception", "attributes": {SCORE: 1}}]),
    ],
)
def test_what_says_nothing(silent: Evidence) -> None:
    assert said(silent) == []


def test_events_of_a_span_are_of_the_span() -> None:
    at_ns = int(AT.timestamp()) * 10**9
    found = record(
        events=[
            {"name": "gen_ai.evaluation.result", "at_ns": at_ns, "attributes": EVALUATED},
            {"name": "gen_ai.evaluation.result", "at_ns": at_ns + 10**9, "attributes": {NAME: "grade", SCORE: 0.75}},
            {"name": "allocation.incident", "at_ns": at_ns, "attributes": {"allocation.risk.loss_usd": 1}},
        ]
    )
    first, second, third = read_outcomes(found)
    assert isinstance(first, Outcome)
    assert isinstance(second, Outcome)
    assert isinstance(third, Outcome)
    assert (first.quality, second.quality, third.loss_usd) == (Decimal("0.5"), Decimal("0.75"), 1)
    assert {first.span_id, second.span_id, third.span_id} == {SPAN}
    assert (second.occurred_at - first.occurred_at).total_seconds() == 1
    assert len({first.outcome_id, second.outcome_id, third.outcome_id}) == 3
    assert read_outcomes(found) == [first, second, third]  # the same record says the same words, under the same ids


def test_a_log_without_a_span_speaks_of_its_response() -> None:
    [word] = read_outcomes(
        record("gen_ai.evaluation.result", {**EVALUATED, "gen_ai.response.id": "r1"}, signal="log", parent=None)
    )
    assert isinstance(word, Outcome)
    assert (word.subject, word.subject_id) == ("response", "r1")


def test_a_span_elsewhere_speaks_of_what_it_links_to() -> None:
    link = {"trace_id": (b"\x05" * 16).hex(), "span_id": (b"\x06" * 8).hex()}
    for name, attributes in (("allocation.incident", {"allocation.risk.loss_usd": 1}), ("gen_ai.evaluation.result", EVALUATED)):
        [word] = read_outcomes(record(name, attributes, links=[link]))
        assert isinstance(word, Outcome)
        assert (word.subject_id, word.span_id) == (link["trace_id"], b"\x06" * 8)
        [word] = read_outcomes(record(name, attributes, links=[{"trace_id": "zz", "span_id": ""}]))
        assert isinstance(word, Outcome)
        assert word.subject_id == TRACE.hex()


def test_an_evaluation_without_a_word_says_why_only_if_it_knows() -> None:
    [silent] = read_outcomes(record("gen_ai.evaluation.result", {NAME: "grade"}))
    [failed] = read_outcomes(record("gen_ai.evaluation.result", {NAME: "grade", "error.type": "timeout"}))
    assert isinstance(silent, Refused)
    assert isinstance(failed, Refused)
    assert silent.detail.endswith("has neither score nor label")
    assert failed.detail.endswith("has neither score nor label (timeout)")
