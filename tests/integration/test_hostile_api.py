"""What the API is asked by mistake or on purpose: refused with what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.books import Served, one, serving
from tests.integration.delivering import open_alert
from tests.integration.test_budget_api import ask

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ANN = {"who": "ann"}
TIME = "a time with its offset, as in 2026-01-31T12:00:00Z, is wanted"
REACH = "is out of reach; name a time between 1970 and 2200"
HOLDS, MAINTENANCE, RULE = "/v1/budgets/team/holds", "/v1/maintenance", "/v1/rules/unpriced_share"


@pytest.fixture
def served(dsn: str) -> Iterator[Served]:
    with serving(dsn) as collector:
        yield collector


ASKED: tuple[tuple[str, dict[str, Any], str], ...] = (
    (MAINTENANCE, {**ANN, "until": "9999-12-31T23:59:59-14:00"}, REACH),
    (MAINTENANCE, {**ANN, "begins_at": "0001-01-01T00:00:00+14:00", "until": "2099-01-01T00:00:00Z"}, REACH),
    (MAINTENANCE, {**ANN, "until": 4102444800}, f"body.until: {TIME}, not 4102444800"),
    (MAINTENANCE, {**ANN, "until": "4102444800"}, f"body.until: {TIME}, not '4102444800'"),
    (MAINTENANCE, {**ANN, "for_s": True}, "body.for_s: a number is wanted, not true"),
    (MAINTENANCE, {"who": " ", "for_s": 60}, "body.who: text is wanted that is not blank"),
    ("/v1/alerts/1/mute", {**ANN, "tenant": "acme", "for_s": True}, "body.for_s: a number is wanted, not true"),
    ("/v1/alerts/1/mute", {**ANN, "tenant": "acme", "until": "9999-12-31T23:59:59-14:00"}, REACH),
    ("/v1/findings/1/dismiss", {**ANN, "ground": "intended", "note": "x", "until": "9999-12-31T23:59:59-14:00"}, REACH),
    ("/v1/rates", {"source": "\t", "rates": [{}]}, "body.source: text is wanted that is not blank"),
    (HOLDS, {"hold_id": "h", "amount_usd": "1", "ttl_s": True}, "body.ttl_s: a number is wanted, not true"),
    (HOLDS, {"hold_id": "h", "amount_usd": "1e30"}, "body.amount_usd: at most 26 digits before the point are wanted"),
    (HOLDS, {"hold_id": "h/h", "amount_usd": "1"}, "body.hold_id: 1 to 200 visible ASCII characters without a slash"),
    ("/v1/budgets/%C3%A9/holds", {"hold_id": "h", "amount_usd": "1"}, "path.budget: 1 to 100 letters, digits"),
)


@pytest.mark.parametrize(("path", "asked", "said"), ASKED)
def test_nonsense_is_refused_and_says_where(
    served: Served, writer: psycopg.Connection, path: str, asked: dict[str, Any], said: str
) -> None:
    open_alert(writer)
    status, answer = ask(served, path, asked)
    assert (status, said in answer["detail"]) == (422, True), answer
    assert ask(served, MAINTENANCE, method="GET") == (200, {"maintenance": []})


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"quality": True}, "quality: a number is wanted, not true"),
        ({"occurred_at": 0}, f"occurred_at: {TIME}, not 0"),
        ({"occurred_at": "0"}, f"occurred_at: {TIME}, not '0'"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, REACH),
        ({"occurred_at": "1969-12-31T23:59:59Z"}, REACH),
    ],
)
def test_an_outcome_of_nonsense_is_refused_alone(
    served: Served, reader: psycopg.Connection, told: dict[str, Any], said: str
) -> None:
    good = {"key": "a", "trace_id": TRACE, "quality": 1}
    status, answer = ask(served, "/v1/outcomes", {"outcomes": [good, {**good, "key": "b", **told}]})
    assert (status, [one["status"] for one in answer["outcomes"]]) == (422, ["taken", "refused"])
    assert said in answer["outcomes"][1]["why"]
    assert one(reader, "select count(*) from ledger.outcomes") == 1


@pytest.mark.parametrize(
    ("asked", "refusal", "said"),
    [
        ({}, 409, "nothing of rule unpriced_share is to change; say what"),
        ({"open_at": "1e400"}, 422, "'1e400' is no number"),
        ({"evidence_min": "1.5"}, 422, "'1.5' is no whole number"),
        ({"grown_by": "1"}, 422, "a growth above 1"),
    ],
)
def test_a_rule_is_changed_to_something_that_can_be(
    served: Served, reader: psycopg.Connection, asked: dict[str, Any], refusal: int, said: str
) -> None:
    status, answer = ask(served, RULE, {**ANN, **asked})
    assert (status, said in answer["detail"]) == (refusal, True), answer
    assert one(reader, "select count(*) from ledger.alert_rules where rule = 'unpriced_share'") == 1
