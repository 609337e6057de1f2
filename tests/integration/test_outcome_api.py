"""`POST /v1/outcomes`, sent by those who know how tasks went: what is taken, what is refused, and what is sent again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from analyzers.tasks import settle
from tests.books import Served, one, rows, serving
from tests.integration.test_budget_api import ask

PATH = "/v1/outcomes"
TRACE = f"{1:032x}"


@pytest.fixture
def served(dsn: str) -> Iterator[Served]:
    with serving(dsn) as collector:
        yield collector


def told(served: Served, *outcomes: Any, **more: Any) -> tuple[int, list[tuple[str, str | None]]]:
    """Status, and what became of each and why."""
    status, answer = ask(served, PATH, {"outcomes": list(outcomes), **more})
    return status, [(one["status"], one["why"]) for one in answer["outcomes"]]


def test_outcomes_of_traces_responses_and_conversations(
    served: Served, reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    sent = [
        {"key": "a", "trace_id": TRACE.upper(), "quality": 0.5, "note": "well done", "occurred_at": "2026-11-02T10:00:00+01:00"},
        {"key": "b", "response_id": "r1", "quality": 1, "name": "thumbs"},
        {"key": "c", "conversation_id": "s1", "loss_usd": "12.5"},
        {"key": "d", "trace_id": TRACE, "span_id": "00000000000000aa", "quality": 0},
    ]
    assert told(served, *sent, tenant="acme") == (
        200,
        [("taken", None), ("waiting", None), ("waiting", None), ("taken", None)],
    )
    assert told(served, *sent, tenant="acme") == (200, [("known", None)] * 4)
    assert told(served, *sent)[1][0] == ("taken", None)  # another tenant's, by default `default`
    found = rows(
        reader,
        "select trace_id, span_id, source, name, quality, loss_usd, status from ledger.outcomes where tenant = 'acme'"
        " order by quality nulls first, loss_usd",
    )
    assert found == [
        (None, None, "feedback", "feedback", None, 12.5, "waiting"),
        (TRACE, "00000000000000aa", "feedback", "feedback", 0.0, None, "early"),
        (TRACE, None, "feedback", "feedback", 0.5, None, "early"),
        (None, None, "feedback", "thumbs", 1.0, None, "waiting"),
    ]
    assert one(reader, "select occurred_at::text, detail from ledger.outcomes where tenant = 'acme' and quality = 0.5") == (
        "2026-11-02 09:00:00+00", {"note": "well done"},
    )  # fmt: skip
    assert settle(writer).changed == 0


def test_a_tenant_that_nobody_has_heard_of_is_refused_unless_it_is_meant(served: Served, reader: psycopg.Connection) -> None:
    sent = {"outcomes": [{"key": "a", "trace_id": TRACE, "quality": 1}]}
    assert ask(served, PATH, {**sent, "tenant": "acme", "new_tenant": True})[0] == 200
    status, answer = ask(served, PATH, {**sent, "tenant": "acmee"})
    said = "there is no tenant 'acmee'; did you mean acme? if it is meant, send `new_tenant: true` beside it, which opens it"
    assert (status, answer) == (404, {"detail": said})
    assert rows(reader, "select distinct tenant from ledger.outcomes") == [("acme",)]
    assert ask(served, PATH, {**sent, "tenant": "acme"})[0] == 200
    assert ask(served, PATH, sent)[1]["tenant"] == "default", "which needs no opening"


def test_each_wrong_one_is_refused_with_its_reason_and_the_others_are_taken(served: Served, reader: psycopg.Connection) -> None:
    wrong: list[tuple[Any, str]] = [
        ({"key": "b", "trace_id": TRACE, "quality": 1.5}, "quality: it is to be at most 1, and is 1.5"),
        ({"key": "c", "trace_id": "12", "quality": 1}, "trace_id: 32 hexadecimal digits are wanted, not '12'"),
        ({"key": "d", "quality": 1}, "name one of trace_id, response_id and conversation_id"),
        (
            {"key": "e", "trace_id": TRACE, "response_id": "r", "quality": 1},
            "name one of trace_id, response_id and conversation_id",
        ),
        ({"key": "f", "trace_id": TRACE}, "say quality, loss_usd, or both"),
        ({"key": "g", "response_id": "r", "span_id": 16 * "0", "quality": 1}, "a span_id needs its trace_id"),
        ({"trace_id": TRACE, "quality": 1}, "key: it is missing"),
        ({"key": "h", "trace_id": TRACE, "loss_usd": -1}, "loss_usd: it is to be at least 0, and is -1"),
        ({"key": "i", "trace_id": TRACE, "quality": 1, "qualty": 2}, "qualty: there is no such field; did you mean quality?"),
        (
            {"key": "j", "trace_id": TRACE, "quality": 1, "occurred_at": "2026-11-02T10:00:00"},
            "occurred_at: a time with its offset, as in 2026-01-31T12:00:00Z, is wanted",
        ),
        (
            {"key": "z", "trace_id": TRACE, "quality": 1, "occurred_at": "2199-01-01T00:00:00Z"},
            "occurred_at 2199-01-01T00:00:00+00:00 lies in the future; say when this was known",
        ),
        ({"key": "k\0", "trace_id": TRACE, "quality": 1}, "key: text is wanted that is not empty and holds no NUL"),
        ({"key": "\ud800", "trace_id": TRACE, "quality": 1}, "key: text is wanted"),
        ({"key": "l", "trace_id": 32 * "0", "quality": 1}, "trace_id holds zeros only, which is no id"),
        ({"key": "m", "trace_id": TRACE, "span_id": 16 * "0", "quality": 1}, "span_id holds zeros only, which is no id"),
        ("nothing", "an object is wanted, not 'nothing'"),
    ]
    good = {"key": "a", "trace_id": TRACE, "quality": 1}
    status, became = told(served, good, *[item for item, _ in wrong])
    assert (status, became[0]) == (422, ("taken", None))
    for (status_said, why), (_, expected) in zip(became[1:], wrong, strict=True):
        assert status_said == "refused"
        assert expected in (why or "")
    assert one(reader, "select count(*) from ledger.outcomes") == 1
    status, became = told(served, {**good, "quality": 0.5})
    assert (status, became[0][0]) == (422, "refused")
    assert "its key was used for another outcome before" in (became[0][1] or "")
    status, became = told(served, {**good, "span_id": "00000000000000aa"})
    assert (status, became[0][0]) == (422, "refused"), "of a step it is another than of the whole"


OTHERS: tuple[dict[str, Any], ...] = (
    {"occurred_at": "2026-11-02T10:00:01Z"},
    {"note": "badly done"},
    {"note": None},
    {"loss_usd": 1},
    {"name": "thumbs"},
)


@pytest.mark.parametrize("subject", [{"trace_id": TRACE}, {"response_id": "r1"}])
@pytest.mark.parametrize("other", OTHERS)
def test_another_content_under_its_key_is_refused_and_the_first_stands(
    served: Served, reader: psycopg.Connection, subject: dict[str, Any], other: dict[str, Any]
) -> None:
    first = {"key": "a", **subject, "quality": 1, "note": "well done", "occurred_at": "2026-11-02T10:00:00Z"}
    assert told(served, first)[0] == 200
    for same in (first, {**first, "occurred_at": "2026-11-02T11:00:00+01:00"}, {**first, "occurred_at": None}):
        assert told(served, same) == (200, [("known", None)]), "it is dated by when it came where it names no time"
    status, [(became, why)] = told(served, {**first, **other})
    assert (status, became, (why or "")[:46]) == (422, "refused", "its key was used for another outcome before, w")
    assert rows(reader, "select quality, loss_usd, occurred_at::text, name, detail ->> 'note' from ledger.outcomes") == [
        (1.0, None, "2026-11-02 10:00:00+00", "feedback", "well done")
    ]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"outcomes": []}, 422, "body.outcomes: at least 1 are wanted, not 0"),
        ({}, 422, "body.outcomes: it is missing"),
        ("{", 422, "body.1: it is no JSON: Expecting property name"),
        (b'{"outcomes": "\xe9"}', 422, "body: it is not UTF-8 at byte 14"),
        ({"outcomes": [1], "tenants": "x"}, 422, "body.tenants: there is no such field; did you mean tenant or new_tenant?"),
        ({"outcomes": [{"key": "a"}] * 1001}, 422, "at most 1000 are wanted, not 1001"),
        ({"outcomes": ["x" * 1024 * 1024]}, 413, "the request is larger than 1048576 bytes"),
    ],
)
def test_what_is_no_request_is_refused_whole(served: Served, body: Any, status: int, said: str) -> None:
    found, answer = ask(served, PATH, body)
    assert found == status
    assert said in answer["detail"]


def test_it_is_documented_for_programs(served: Served) -> None:
    _, described = ask(served, "/openapi.json", method="GET")
    answers = described["paths"][PATH]["post"]["responses"]
    assert {"200", "413", "422", "503"} <= set(answers)
    assert set(described["components"]["schemas"]["ToldOutcome"]["properties"]) >= {"key", "trace_id", "quality", "loss_usd"}
