"""What is asked over HTTP of a tenant that nobody has heard of is refused, and what is stated of a slip, unless it is meant."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from ledger.post import open_tenants
from tests.books import serving
from tests.integration.test_budget_api import ask

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CHANNEL = {"kind": "slack", "url": "env:A"}
RATE = {"provider": "vllm", "model": "m", "commodity": "input_tokens", "price_usd": "1"}
STATING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/rules/unpriced_share", {"who": "ann", "open_at": "0.5"}),
    ("/v1/channels/ops", {"who": "ann", "channel": CHANNEL}),
    ("/v1/maintenance", {"who": "ann", "for_s": 60}),
    ("/v1/rates", {"source": "ann", "rates": [RATE]}),
    ("/v1/outcomes", {"outcomes": [{"key": "a", "trace_id": TRACE, "quality": 1}]}),
)
READING = ("/v1/alerts", "/v1/findings", "/v1/rules", "/v1/channels", "/v1/maintenance", "/v1/prices")
SAID = "there is no tenant 'acmee'; did you mean acme? "


@pytest.mark.parametrize(("path", "stated"), STATING)
def test_it_is_not_opened_by_a_slip(dsn: str, writer: psycopg.Connection, path: str, stated: dict[str, Any]) -> None:
    open_tenants(writer, ["acme"])
    with serving(dsn) as served:
        assert ask(served, path, {**stated, "tenant": "acme"})[0] == 200
        status, answer = ask(served, path, {**stated, "tenant": "acmee"})
        meant = "if it is meant, send `new_tenant: true` beside it, which opens it"
        assert (status, answer) == (404, {"detail": f"{SAID}{meant}"})
        assert writer.execute("select tenant from pigou.tenant").fetchall() == [("acme",)]
        for flag in ({"new_tenant": True}, {}):
            assert ask(served, path, {**stated, "tenant": "acmee", **flag})[0] == 200
        for other in ("default", "team-b", "acme2"):
            assert ask(served, path, {**stated, "tenant": other})[0] == 200, "no slip"


def test_it_is_not_read_of_either(dsn: str, writer: psycopg.Connection) -> None:
    open_tenants(writer, ["acme"])
    hold = {"hold_id": "h", "amount_usd": "1"}
    with serving(dsn) as served:
        for path in READING:
            status, answer = ask(served, f"{path}?tenant=acmee", method="GET")
            assert (status, answer["detail"].startswith(SAID)) == (404, True), path
            assert ask(served, f"{path}?tenant=acme", method="GET")[0] == 200
            assert ask(served, path, method="GET")[0] == 200, path
        for path, asked in (
            ("/v1/budgets/team/holds", hold),
            ("/v1/quote", {"options": [{"option": "small", "quality": 1, "cost_usd": 1}]}),
        ):
            status, answer = ask(served, path, {**asked, "tenant": "acmee"})
            assert (status, answer["detail"].startswith(SAID)) == (404, True), path


def test_a_channel_does_not_listen_for_one(dsn: str, writer: psycopg.Connection) -> None:
    open_tenants(writer, ["acme"])
    with serving(dsn) as served:
        asked = {"who": "ann", "channel": {**CHANNEL, "tenants": ["acme", "acmee"]}}
        assert ask(served, "/v1/channels/ops", asked)[0] == 404
        assert ask(served, "/v1/channels/ops", {**asked, "new_tenant": True})[0] == 200
