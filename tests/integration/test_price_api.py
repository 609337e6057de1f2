"""`GET /v1/prices` and `POST /v1/quote`, as a router or a scraper asks them."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest

from ledger.post import open_tenants
from tests.books import Served, serving
from tests.integration.test_budget_api import ask
from tests.price_vectors import SLA, put_vector

MENU = [
    {"option": "cheap", "quality": 0.7, "cost_usd": 1, "latency_s": 2, "risk_usd": 0.05},
    {"option": "frontier", "quality": 0.9, "cost_usd": 5, "latency_s": 2, "risk_usd": 0.01},
]
KNOWN: dict[str, Any] = {"lambda_usd_per_s": 0, "rho": 0}


@pytest.fixture
def served(dsn: str, writer: psycopg.Connection) -> Iterator[Served]:
    put_vector(writer, task_class="*", v_usd=10, lambda_usd_per_s=0, rho=0)
    put_vector(
        writer, task_class="code.*", v_usd=100, v_low_usd=80, v_high_usd=120, lambda_usd_per_s=0, lambda_source="dual",
        source="dual", rho=50, constraints=[SLA],
    )  # fmt: skip
    with serving(dsn) as collector:
        yield collector


def text_of(served: Served, path: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    connection = http.client.HTTPConnection(served.http, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def prices(served: Served, query: str = "") -> dict[str, Any]:
    status, answer = ask(served, f"/v1/prices{query}", method="GET")
    assert status == 200
    return answer


def test_the_price_vector_with_its_sources(served: Served) -> None:
    answer = prices(served)
    assert (answer["tenant"], answer["version"], answer["why"]) == ("default", 2, "")
    assert "engines" not in answer
    every, code = answer["prices"]
    assert (every["task_class"], every["v_usd"], every["v_source"], every["source"]) == ("*", 10.0, "policy", "policy")
    assert (code["lambda_usd_per_s"], code["lambda_source"], code["source"]) == (0.0, "dual", "dual")
    assert code["v_interval"] == {"low": 80.0, "high": 120.0}
    assert code["constraints"] == [SLA]
    assert 0 <= code["age_s"] < 600


@pytest.mark.parametrize(("task_class", "matched"), [("code.fix", "code.*"), ("support", "*"), ("code.", "code.*")])
def test_the_prices_of_a_class(served: Served, task_class: str, matched: str) -> None:
    assert [one["task_class"] for one in prices(served, f"?task_class={task_class}")["prices"]] == [matched]


def test_prometheus_reads_it_too(served: Served, writer: psycopg.Connection) -> None:
    put_vector(writer, task_class='a"b\\c\nd', v_usd=3)
    time.sleep(1.1)
    status, kind, text = text_of(served, "/v1/prices?format=prometheus")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert (
        "# HELP pigou_price_v_usd Value of a task, in USD of compute for quality 1 against 0.\n# TYPE pigou_price_v_usd gauge\n"
        in text
    )
    assert 'pigou_price_v_usd{tenant="default",task_class="code.*",source="policy"} 100\n' in text
    assert r'pigou_price_v_usd{tenant="default",task_class="a\"b\\c\nd",source="policy"} 3' in text
    assert 'pigou_price_lambda_usd_per_second{tenant="default",task_class="code.*",source="dual"} 0\n' in text
    assert 'pigou_price_constraint_slack{tenant="default",task_class="code.*",constraint="latency_sla code.*",kind=' in text
    assert "pigou_engine_price_usd" not in text
    heads = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads))
    for line in text.splitlines():
        assert line.startswith("#") or line.split("{")[0] in heads
    assert text_of(served, "/v1/prices", Accept="text/plain;version=0.0.4;q=0.5,*/*;q=0.1")[1].startswith("text/plain")
    assert text_of(served, "/v1/prices", Accept="application/json, text/plain")[1] == "application/json"


def test_a_new_price_and_an_engines_price_are_served(served: Served, writer: psycopg.Connection) -> None:
    assert prices(served)["prices"][0]["v_usd"] == 10.0
    put_vector(writer, task_class="*", v_usd=11)
    writer.execute(
        "insert into pigou.engine_price (tenant_id, engine, resource, valid_from, price, unit, source)"
        " select tenant_id, 'engine-a', 'kv', now() - interval '1 minute', 0.000001, 'token second', 'test' from pigou.tenant"
        " where tenant = 'default'"
    )
    deadline = time.monotonic() + 30
    while (answer := prices(served))["prices"][0]["v_usd"] != 11.0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answer["prices"][0]["v_usd"] == 11.0
    assert [(one["engine"], one["resource"], one["price_usd"]) for one in answer["engines"]] == [("engine-a", "kv", 1e-6)]
    text = text_of(served, "/v1/prices?format=prometheus")[2]
    of = '{tenant="default",engine="engine-a",resource="kv",unit="token second"}'
    assert f"pigou_engine_price_usd{of} 0.000001" in text
    hour = datetime.fromisoformat(answer["engines"][0]["valid_from"]).timestamp()
    assert f"pigou_engine_price_valid_from_seconds{of} {hour:.3f}\n" in text
    assert "pigou_engine_price_low_usd" not in text, "a bound that nobody knows has no sample"


def test_a_tenant_without_prices_is_told_so(served: Served, writer: psycopg.Connection) -> None:
    with writer.transaction():
        open_tenants(writer, ["fresh"])
    answer = prices(served, "?tenant=fresh")
    assert (answer["prices"], answer["version"]) == ([], None)
    assert answer["why"].startswith("no price is stated or solved for it yet")
    status, quoted = ask(served, "/v1/quote", {"tenant": "fresh", "options": MENU})
    assert (status, quoted["best"], quoted["is_worth_it"]) == (200, None, None)
    assert [one["option"] for one in quoted["refused"]] == ["cheap", "frontier"]
    assert "V is not known while quality is not 0" in quoted["refused"][0]["why"]
    assert quoted["advice"]["router"].startswith("No option can be compared (cheap: V is not known")


@pytest.mark.parametrize(
    ("more", "best", "v_star"),
    [
        ({"v_usd": 10, **KNOWN}, "cheap", 20.0),
        ({"v_usd": 100, **KNOWN}, "frontier", 20.0),
        ({"v_usd": 10, "lambda_usd_per_s": 0, "rho": 50}, "cheap", 10.0),
        ({}, "cheap", 20.0),  # at the prices of '*'
        ({"task_class": "code.fix"}, "frontier", 10.0),
    ],
)
def test_a_quote_of_the_worked_example(served: Served, more: dict[str, Any], best: str, v_star: float) -> None:
    status, answer = ask(served, "/v1/quote", {"options": MENU, **more})
    assert (status, answer["best"], answer["is_worth_it"]) == (200, best, True)
    assert answer["crossovers"] == [{"below": "cheap", "above": "frontier", "v_usd": pytest.approx(v_star, abs=1e-9)}]
    assert [one["option"] for one in answer["options"]] == ["cheap", "frontier"]
    used = answer["prices"]
    assert used["v_usd"]["source"] == ("request" if "v_usd" in more else "policy")
    assert (used["v_usd"]["age_s"] is None) == ("v_usd" in more)
    assert f"to {best}: it nets" in answer["advice"]["router"]
    assert set(answer["advice"]) == {"router", "agent", "engine", "trainer"}
    assert answer["menu"] is None


def test_advice_names_the_slack_sla(served: Served) -> None:
    advice = ask(served, "/v1/quote", {"options": MENU, "task_class": "code.fix"})[1]["advice"]
    assert "latency_sla code.* is slack, so a second saved is worth nothing (λ 0 as a dual, " in advice["engine"]
    assert "costs less than 1 USD for each point of success" in advice["agent"]
    point = "A point of quality on tasks of code.fix is worth 1 USD of compute a task: train while a point costs less than that"
    assert advice["trainer"].startswith(point)


def test_the_menu_is_checked_for_its_users(served: Served) -> None:
    users = [{"user": "low", "v_usd": 10}, {"user": "high", "v_usd": 100}]
    menu = ask(served, "/v1/quote", {"options": MENU, "users": users, **KNOWN})[1]["menu"]
    assert (menu["is_incentive_compatible"], menu["all_take_part"], menu["envies"]) == (True, True, [])
    assert [(one["best"], one["meant"], one["chooses"]) for one in menu["users"]] == [("cheap",) * 3, ("frontier",) * 3]
    assert menu["information_rents_usd"] == {"low": 0.0, "high": pytest.approx(63.0)}
    flat = [{**option, "price_usd": 5} for option in MENU]
    menu = ask(served, "/v1/quote", {"options": flat, "users": users, **KNOWN})[1]["menu"]
    assert menu["is_incentive_compatible"] is False
    assert menu["envies"][0] == {"user": "low", "meant": "cheap", "option": "frontier", "gain_usd": pytest.approx(2.0)}
    assert menu["users"][0]["chooses"] == "frontier"
    crossed = [{"user": "low", "v_usd": 10, "option": "frontier"}, {"user": "high", "v_usd": 100, "option": "cheap"}]
    menu = ask(served, "/v1/quote", {"options": MENU, "users": crossed, **KNOWN})[1]["menu"]
    assert menu["compatible_menu"] is None
    assert "no prices make such a menu compatible" in menu["why"]
    unknown = [{"option": "cheap", "quality": 0.7}, {"option": "frontier", "quality": 0.9}]
    menu = ask(served, "/v1/quote", {"options": unknown, "users": users, **KNOWN})[1]["menu"]
    assert (menu["is_incentive_compatible"], menu["all_take_part"]) == (None, None), "nobody could be checked"
    assert "left out of the check" in menu["why"]


def test_a_binding_budget_divides_values(served: Served, writer: psycopg.Connection) -> None:
    """With a dollar of compute worth 2, V = 30 counts 15: below the crossover of 20, which users see at 40."""
    put_vector(writer, "tight", "*", v_usd=15, v_stated_usd=30, v_source="dual", budget_worth=2, source="dual", **KNOWN)
    answer = ask(served, "/v1/quote", {"tenant": "tight", "options": MENU, "users": [{"user": "u", "v_usd": 30}]})[1]
    assert (answer["best"], answer["crossovers"][0]["v_usd"]) == ("cheap", pytest.approx(40.0))
    assert answer["menu"]["users"][0]["chooses"] == "cheap"
    answer = ask(served, "/v1/quote", {"tenant": "tight", "options": MENU, "v_usd": 41})[1]
    assert (answer["best"], answer["prices"]["v_usd"]["value"]) == ("frontier", 20.5)


def test_what_is_not_known_refuses_its_option(served: Served) -> None:
    blind = {"option": "blind", "quality": 0.8, "cost_usd": 1, "latency_s": 1}
    answer = ask(served, "/v1/quote", {"options": [*MENU, blind], "task_class": "code.fix"})[1]
    assert answer["refused"] == [{"option": "blind", "why": "risk_usd is not known while ρ is 50"}]
    assert [one["option"] for one in answer["options"]] == ["cheap", "frontier"]


@pytest.mark.parametrize(
    ("path", "method", "body", "status", "said"),
    [
        ("/v1/prices?tenant=nobody", "GET", None, 404, "there is no tenant 'nobody'"),
        ("/v1/prices?format=xml", "GET", None, 422, "format"),
        ("/v1/prices?tenant=a%00", "GET", None, 422, "tenant"),
        ("/v1/quote", "POST", {"options": MENU, "tenant": "nobody"}, 404, "there is no tenant 'nobody'"),
        ("/v1/quote", "POST", {"options": []}, 422, "options"),
        ("/v1/quote", "POST", {"options": [MENU[0], MENU[0]]}, 422, "'cheap' is named more than once"),
        (
            "/v1/quote",
            "POST",
            {"options": MENU, "users": [{"user": "u", "v_usd": 1, "option": "x"}]},
            422,
            "'x', which is not on",
        ),
        ("/v1/quote", "POST", {"options": [{"option": "a", "quality": 1.2}]}, 422, "quality: it is to be at most 1, and is 1.2"),
        (
            "/v1/quote",
            "POST",
            {"options": [{"option": "a", "price_usd": False}]},
            422,
            "price_usd: a number is wanted, not false",
        ),
        ("/v1/quote", "POST", {"options": MENU, "v_usd": "1"}, 422, "v_usd: a number is wanted, not '1'"),
        ("/v1/quote", "POST", {"options": MENU, "v_usd": -1}, 422, "v_usd"),
        ("/v1/quote", "POST", {"options": MENU, "rho": "NaN"}, 422, "rho"),
        ("/v1/quote", "POST", {"options": MENU, "latency_s": 1}, 422, "there is no such field"),
        ("/v1/quote", "POST", '{"options": [{"option": "\\ud800"}]}', 422, "option"),
        ("/v1/quote", "POST", "[" * 10_000, 422, "body: it cannot be read as JSON (RecursionError)"),
        ("/v1/quote", "POST", json.dumps({"options": "x" * 70_000}), 413, "larger than 65536 bytes"),
    ],
)
def test_what_cannot_be_asked(served: Served, path: str, method: str, body: object, status: int, said: str) -> None:
    found, answer = ask(served, path, body, method)
    assert (found, said in str(answer["detail"])) == (status, True), answer


def test_it_is_described(served: Served) -> None:
    described = json.loads(text_of(served, "/openapi.json")[2])["paths"]
    assert {"get"} == set(described["/v1/prices"])
    assert {"post"} == set(described["/v1/quote"])
