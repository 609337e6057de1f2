"""A tenant's credential is for that tenant: records, every route of the API, and what names nobody."""

from __future__ import annotations

import json

import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.export import Export
from tests.books import chat, export, one, price, rows, serving
from tests.desk import collecting
from tests.doors import OTLP, ask, filled, make, routes, send
from tests.integration.delivering import channel, open_alert, state


def test_a_tenants_records_are_its_own(dsn: str, reader: psycopg.Connection, writer: psycopg.Connection) -> None:
    price(writer)
    acme = make(dsn, "acme", "ingest", tenant="acme")
    make(dsn, "globex", "ingest", tenant="globex")
    with serving(dsn) as served:
        reply = send(served, acme, chat(1, 1), chat(1, 2, tenant__id="acme"), chat(1, 3, tenant__id="globex"))
        partial = ExportTraceServiceResponse.FromString(reply.body).partial_success
        assert (reply.status, partial.rejected_spans) == (200, 1)
        assert partial.error_message == "other_tenant: tenant.id is globex, and the credential is of tenant acme alone"
        whole = ExportTraceServiceResponse.FromString(send(served, acme, chat(2, 1), tenant="globex").body).partial_success
        assert whole.rejected_spans == 1
    assert rows(reader, "select tenant, span_id from ledger.calls order by 2") == [
        ("acme", "0000000000000001"),
        ("acme", "0000000000000002"),
    ]
    assert rows(reader, "select distinct tenant, code from ledger.rejections") == [("acme", "other_tenant")]


def test_a_reading_process_heeds_whose_records_are_sent(dsn: str, reader: psycopg.Connection) -> None:
    """Under load exports are read by processes of their own."""
    sent = export(chat(1, 1), chat(1, 2, tenant__id="globex"))
    with collecting(dsn, workers=1) as collector:
        credited = [Export("span", sent.body, "protobuf", "identity", f"t{number}") for number in range(30)]
        assert {answer.rejected for answer in collector.send(*credited)} == {1}
    assert one(reader, "select count(distinct tenant) from ledger.spans") == 30
    assert one(reader, "select count(*) from ledger.spans where tenant = 'globex'") == 0


TENANT = "tenant=globex"
SOMEONE = {"who": "ann", "tenant": "globex"}
RATE = {"provider": "p", "model": "m", "commodity": "input_tokens", "price_usd": "1"}
WEBHOOK = {"kind": "webhook", "url": "http://127.0.0.1:9", "secret": "env:S"}
OTHER_TENANTS: dict[tuple[str, str], object] = {
    ("POST", "/v1/budgets/{budget}/holds"): {"hold_id": "h", "amount_usd": "1", "tenant": "globex"},
    ("POST", "/v1/budgets/{budget}/holds/{hold_id}/release"): {"tenant": "globex"},
    ("POST", "/v1/outcomes"): {"tenant": "globex", "outcomes": [{"key": "k", "trace_id": "1" * 32, "quality": 1}]},
    ("GET", "/v1/prices"): TENANT,
    ("POST", "/v1/quote"): {"tenant": "globex", "options": [{"option": "a", "quality": 1, "cost_usd": 1}]},
    ("GET", "/v1/prices/clearing"): f"engine=e&{TENANT}",
    ("POST", "/v1/rates"): {"tenant": "globex", "source": "s", "rates": [RATE]},
    ("GET", "/v1/alerts"): TENANT,
    ("GET", "/v1/alerts/{alert_id}"): TENANT,
    ("POST", "/v1/alerts/{alert_id}/acknowledge"): SOMEONE,
    ("POST", "/v1/alerts/{alert_id}/mute"): SOMEONE | {"for_s": 9},
    ("POST", "/v1/alerts/{alert_id}/resolve"): SOMEONE,
    ("POST", "/v1/alerts/{alert_id}/reopen"): SOMEONE,
    ("POST", "/v1/alerts/{alert_id}/note"): SOMEONE | {"note": "n"},
    ("GET", "/v1/findings"): TENANT,
    ("GET", "/v1/findings/{finding_id}"): TENANT,
    ("POST", "/v1/findings/{finding_id}/acknowledge"): SOMEONE,
    ("POST", "/v1/findings/{finding_id}/note"): SOMEONE | {"note": "n"},
    ("POST", "/v1/findings/{finding_id}/dismiss"): SOMEONE | {"note": "n", "ground": "intended"},
    ("POST", "/v1/findings/{finding_id}/restore"): SOMEONE,
    ("GET", "/v1/rules"): TENANT,
    ("POST", "/v1/rules/{rule}"): SOMEONE | {"open_at": "0.5"},
    ("POST", "/v1/rules/{rule}/withdraw"): SOMEONE,
    ("GET", "/v1/maintenance"): TENANT,
    ("POST", "/v1/maintenance"): SOMEONE | {"for_s": 9},
    ("POST", "/v1/maintenance/{number}/end"): SOMEONE,
    ("GET", "/v1/channels"): TENANT,
    ("POST", "/v1/channels/{channel}"): SOMEONE | {"channel": WEBHOOK},
    ("POST", "/v1/channels/{channel}/pause"): SOMEONE,
    ("POST", "/v1/channels/{channel}/resume"): SOMEONE,
    ("POST", "/v1/channels/{channel}/resend"): SOMEONE,
    ("POST", "/v1/channels/{channel}/remove"): SOMEONE,
    ("POST", "/v1/channels/{channel}/test"): SOMEONE,
    ("GET", "/v1/channels/{channel}/tests/{test_id}"): TENANT,
    # Shared by all tenants: refused to a credential of one, whatever it names.
    ("GET", "/metrics"): "",
    ("GET", "/v1/views"): "",
    ("POST", "/v1/views"): {"who": "ann", "name": "n", "address": "/"},
    ("POST", "/v1/views/{view_id}/rename"): {"who": "ann", "name": "n"},
    ("POST", "/v1/views/{view_id}/remove"): {"who": "ann"},
}  # fmt: skip
OF_NO_TENANT = {("GET", "/openapi.json"), ("HEAD", "/openapi.json"), ("GET", "/health"), *(("POST", path) for path in OTLP)}
"""Exports say in each record whose it is."""


def test_no_route_answers_a_tenant_about_another(dsn: str, writer: psycopg.Connection) -> None:
    """Each route of the application stands in the table above: a new one is not forgotten."""
    assert set(OTHER_TENANTS) == set(routes()) - OF_NO_TENANT
    open_alert(writer, tenant="globex")
    acme, everybody = make(dsn, "acme", tenant="acme"), make(dsn, "everybody")
    with serving(dsn) as served:
        for (method, path), said in OTHER_TENANTS.items():
            reply = ask(served, method, *asked(path, said, acme))
            assert reply.status == 403, (method, path, reply)
            assert "tenant acme" in reply.reason, (method, path)
        assert one(writer, "select state from ledger.alerts") == "open"
        for (method, path), said in OTHER_TENANTS.items():  # what was refused is the tenant, not the request
            assert ask(served, method, *asked(path, said, everybody)).status not in (401, 403, 405, 422), (method, path)


def asked(path: str, said: object, token: str) -> tuple[str, str, object]:
    """Path, token and body of what is asked: a text is a query."""
    return (f"{filled(path)}?{said}", token, None) if isinstance(said, str) else (filled(path), token, said)


def test_what_names_no_tenant_is_the_credentials_own(dsn: str, writer: psycopg.Connection) -> None:
    for tenant in ("acme", "globex", "default"):
        open_alert(writer, tenant=tenant)
        state(writer, channel(f"of-{tenant}", tenant=tenant, url="http://127.0.0.1:9/"))
    state(writer, channel("of-all", url="http://127.0.0.1:9/", tenants=["globex"]))
    acme = make(dsn, "acme", tenant="acme")
    with serving(dsn) as served:
        alerts = json.loads(ask(served, "GET", "/v1/alerts", acme).body)["alerts"]
        assert [alert["tenant"] for alert in alerts] == ["acme"]
        listed = json.loads(ask(served, "GET", "/v1/channels", acme).body)["channels"]
        assert [one["channel"] for one in listed] == ["of-acme"]
        stated = ask(served, "POST", "/v1/rules/unpriced_share", acme, {"who": "ann", "open_at": "0.9"})
        assert {rule["tenant"] for rule in json.loads(stated.body)["rules"]} == {None, "acme"}
        assert ask(served, "POST", "/v1/channels/of-acme/pause", acme, {"who": "ann"}).status == 200
        assert ask(served, "POST", "/v1/channels/of-all/pause", acme, {"who": "ann"}).status == 404
        told = {"outcomes": [{"key": "k", "trace_id": "1" * 32, "quality": 1}]}
        assert json.loads(ask(served, "POST", "/v1/outcomes", acme, told).body)["tenant"] == "acme"
    assert rows(writer, "select tenant from ledger.alert_rules where rule = 'unpriced_share' and open_at = 0.9") == [("acme",)]
    paused = rows(writer, "select channel from ledger.channels where state = 'paused'")
    assert paused == [("of-acme",)]
