"""The pages once a credential was made: who sees them, how a browser keeps its token, and what is done with it on pages."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from flask.testing import FlaskClient

from collector import guard
from dashboard import acts, door
from dashboard.app import Settings, create_app
from dashboard.books import Books
from ledger.database import connect
from tests.books import one, serving
from tests.doors import away, comes, make, revoke
from tests.integration.delivering import open_alert

HTML = {"Accept": "text/html"}


@pytest.fixture
def books(dsn: str) -> Iterator[Books]:
    opened = Books(dsn)
    yield opened
    opened.close()


@pytest.fixture
def client(books: Books, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(door, "FRESH_S", 0.0)
    return create_app(books).server.test_client()


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def enter(client: FlaskClient, token: str, after: str = "/", **headers: str) -> int:
    """The status of a token that is typed into the form."""
    return client.post("/login", data={"token": token, "next": after}, headers=HTML | headers).status_code


def test_without_any_credential_everybody_looks(client: FlaskClient) -> None:
    assert client.get("/", headers=HTML).status_code == 200
    assert client.get("/csv/calls.csv").status_code == 200
    assert "You are let in as anybody." in client.get("/login", headers=HTML).text


def test_with_one_every_address_but_health_wants_it(dsn: str, books: Books, client: FlaskClient) -> None:
    token = make(dsn, "person", "read")
    server = create_app(books).server
    paths = {re.sub("<[^>]*>", "x", rule.rule) for rule in server.url_map.iter_rules()}
    assert {"/", "/csv/x.csv", "/_dash-layout", "/_dash-dependencies", "/_dash-update-component"} <= paths
    for path in sorted(paths - set(door.OPEN_PATHS)):
        for ask in (client.get, client.post):
            answer = ask(path)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="Pigou"'), path
            assert answer.text == "a credential is wanted: send the header `Authorization: Bearer TOKEN`\n", path
            assert ask(path, headers=bearing("pigou_other")).status_code == 401, path
            assert ask(path, headers=bearing(token)).status_code not in (401, 403), path
    assert client.get("/health").status_code == 200
    assert client.get("/assets/pigou.css").status_code == 401


def test_a_browser_is_asked_for_a_token_and_keeps_it(dsn: str, client: FlaskClient) -> None:
    token = make(dsn, "person", "read")
    page = client.get("/alerts?range=7d", headers=HTML)
    assert (page.status_code, page.headers["Cache-Control"]) == (401, "no-store")
    assert 'name="next" type="hidden" value="/alerts?range=7d"' in page.text
    assert "pigou credentials create" in page.text
    assert enter(client, "wrong") == 401
    answer = client.post("/login", data={"token": f" {token} ", "next": "/alerts?range=7d"}, headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/alerts?range=7d")
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert client.get("/alerts?range=7d", headers=HTML).status_code == 200
    assert client.get("/csv/calls.csv").status_code == 200
    assert "You are let in as person." in client.get("/login", headers=HTML).text
    assert client.post("/logout").status_code == 303
    assert client.get("/", headers=HTML).status_code == 401


def test_behind_tls_the_cookie_goes_nowhere_else(dsn: str, client: FlaskClient) -> None:
    token = make(dsn, "person", "read")
    answer = client.post("/login", data={"token": token}, headers=HTML, base_url="https://pigou.example")
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize("after", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "", "/a b", "/\n"])
def test_nobody_is_led_to_another_site(dsn: str, client: FlaskClient, after: str) -> None:
    answer = client.post("/login", data={"token": make(dsn, "person", "read"), "next": after}, headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_what_is_asked_for_is_no_markup(dsn: str, client: FlaskClient) -> None:
    make(dsn, "person", "read")
    page = client.post("/login", data={"token": "x", "next": '/"><script>alert(1)</script>'}, headers=HTML)
    assert "<script" not in page.text


def test_another_site_cannot_enter_for_somebody(dsn: str, client: FlaskClient) -> None:
    token = make(dsn, "person", "read")
    assert enter(client, token, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert enter(client, token, **{"Sec-Fetch-Site": "same-origin"}) == 303


def test_a_link_from_elsewhere_is_asked_again_with_the_cookie_before_the_form(dsn: str, client: FlaskClient) -> None:
    """A browser leaves the cookie out of what another site led it to."""
    make(dsn, "person", "read")
    assert 'http-equiv="refresh" content="0"' in client.get("/", headers=HTML | {"Sec-Fetch-Site": "cross-site"}).text
    assert "http-equiv" not in client.get("/", headers=HTML | {"Sec-Fetch-Site": "same-origin"}).text


def test_a_token_lets_in_as_long_as_it_holds(dsn: str, client: FlaskClient) -> None:
    make(dsn, "other")
    token = make(dsn, "person", "read")
    assert enter(client, token) == 303
    revoke(dsn, "person")
    assert client.get("/").status_code == 401
    brief = make(dsn, "brief", "read", until=datetime.now(UTC) + timedelta(seconds=0.5))
    assert client.get("/", headers=bearing(brief)).status_code == 200
    time.sleep(0.6)
    assert "was valid until" in client.get("/", headers=bearing(brief)).text


def test_pages_are_for_those_who_may_read_all_tenants(dsn: str, client: FlaskClient) -> None:
    agent, acme = make(dsn, "agent", "ingest"), make(dsn, "acme", tenant="acme")
    refused = client.get("/", headers=bearing(agent))
    assert (refused.status_code, refused.text) == (403, "the credential agent may ingest; this wants one that may read\n")
    refused = client.get("/csv/calls.csv?tenant=acme", headers=bearing(acme))
    said = "pages show all tenants, and the credential acme is of tenant acme alone\n"
    assert (refused.status_code, refused.text) == (403, said)
    assert enter(client, acme) == 403


def test_what_was_known_last_holds_while_the_database_is_away(dsn: str, books: Books, client: FlaskClient) -> None:
    token = make(dsn, "person", "read")
    assert client.get("/", headers=bearing(token)).status_code == 200
    assert client.get("/").status_code == 401
    with away(dsn):
        assert client.get("/", headers=bearing(token)).status_code == 200
        assert client.get("/").status_code == 401
        unknown = client.get("/", headers=HTML | bearing("pigou_other"))  # nothing was ever said of this one
        assert (unknown.status_code, unknown.headers["Retry-After"]) == (503, "1")
        assert "This page asks again by itself." in unknown.text
        new = create_app(books).server.test_client()  # nor of anybody, to a process that starts now
        assert new.get("/").status_code == 503
        assert new.get("/", headers=bearing(token)).status_code == 503


def test_what_is_done_on_a_page_is_asked_with_the_browsers_token(
    dsn: str, books: Books, writer: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_ASKED_EVERY_S", 0.05)
    number = open_alert(writer)
    reader, operator = make(dsn, "reader", "read"), make(dsn, "operator", "read", "operate")
    with serving(dsn) as served, connect(dsn, "reader") as connection:
        app = create_app(books, Settings(collector=f"http://{served.http}"))
        comes(served, reader, 200)

        @app.server.get("/act")
        def act() -> str:
            refused = acts.refused_here() or acts.act(
                f"http://{served.http}", acts.Target("alerts", "acme", number), "acknowledge", who="ann", note=None
            )
            return refused or "done"

        client = app.server.test_client()
        said = client.get("/act", headers=bearing(reader)).text
        assert said == "the credential reader may read; this wants one that may operate"
        assert one(connection, "select state from ledger.alerts") == "open"
        crossed = client.get("/act", headers=bearing(operator) | {"Sec-Fetch-Site": "cross-site"})
        assert crossed.text == "Nothing was done: another site sent this request."
        # A credential may act from anywhere: the name of the machine no longer stands in for it.
        assert client.get("/act", headers=bearing(operator), base_url="https://pigou.example").text == "done"
        assert one(connection, "select state from ledger.alerts") == "acknowledged"
