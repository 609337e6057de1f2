"""Maintenance over HTTP: planned, listed and ended, and what cannot be."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import psycopg
import pytest

from ledger.post import open_tenants
from tests.books import Served, rows, serving

ANN = {"who": "ann"}


@pytest.fixture
def served(dsn: str) -> Iterator[Served]:
    with serving(dsn) as collector:
        yield collector


def ask(served: Served, method: str, path: str, body: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(served.http, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_it_is_planned_listed_and_ended(served: Served, writer: psycopg.Connection) -> None:
    open_tenants(writer, ["acme", "beta"])
    assert ask(served, "GET", "/v1/maintenance") == (200, {"maintenance": []})
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    asked = {**ANN, "tenant": "acme", "rule": "ingest_silence", "subject": "fleet", "for_s": 7200, "note": "new gateway"}
    assert ask(served, "POST", "/v1/maintenance", asked)[0] == 200
    status, answer = ask(served, "POST", "/v1/maintenance", ANN | {"begins_at": later, "for_s": 60})
    assert (status, [(one["tenant"], one["state"]) for one in answer["maintenance"]]) == (
        200, [("acme", "going on"), (None, "planned")],
    )  # fmt: skip
    first = answer["maintenance"][0]
    assert (first["rule"], first["subject"], first["who"], first["note"]) == ("ingest_silence", "fleet", "ann", "new gateway")
    lasts = datetime.fromisoformat(first["ends_at"]) - datetime.fromisoformat(first["begins_at"])
    assert lasts == timedelta(hours=2)
    document = ask(served, "GET", "/openapi.json")[1]
    schema = document["paths"]["/v1/maintenance"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer, {**schema, "components": document["components"]}, jsonschema.Draft202012Validator)
    of_beta = ask(served, "GET", "/v1/maintenance?tenant=beta")[1]["maintenance"]
    assert [one["tenant"] for one in of_beta] == [None]
    status, answer = ask(served, "POST", "/v1/maintenance/1/end", {"who": "bob", "tenant": "acme"})
    assert (status, [one["tenant"] for one in answer["maintenance"]]) == (200, [None])
    assert rows(writer, "select state, ended_by from ledger.maintenance where tenant = 'acme'") == [("over", "bob")]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("", {"for_s": 60}, 422, "who"),
        ("", ANN, 422, "give one of until and for_s"),
        ("", ANN | {"for_s": 60, "until": "2040-01-01T00:00:00Z"}, 422, "give one of until and for_s"),
        ("", ANN | {"until": "2020-01-01T00:00:00Z"}, 409, "ends after it begins"),
        ("", ANN | {"begins_at": "9999-12-31T23:59:59Z", "for_s": 60}, 422, "after the last year"),
        ("", ANN | {"for_s": 60, "rule": "nope"}, 404, "there is no rule 'nope'"),
        ("", ANN | {"for_s": 60, "until_s": 3}, 422, "until_s"),
        ("/1/end", ANN, 404, "there is no maintenance 1 of all tenants that is not over"),
    ],
)
def test_what_cannot_be(served: Served, path: str, body: object, status: int, said: str) -> None:
    found, answer = ask(served, "POST", f"/v1/maintenance{path}", body)
    assert (found, said in str(answer["detail"])) == (status, True)
