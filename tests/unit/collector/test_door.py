"""What a request wants to be allowed, and whose records a tenant's credential may send."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.content import ContentPolicy
from collector.door import right_of
from collector.export import Export, Prepared
from collector.infer import Rules
from collector.preparing import ReadingPolicy, prepare
from ledger.arrivals import Rejection
from ledger.credentials import Right
from tests.books import AT, as_export, chat, export, log

POLICY = ReadingPolicy(1 << 20, "default", ContentPolicy())


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("POST", "/v1/traces", "ingest"),
        ("POST", "/v1/logs", "ingest"),
        ("POST", "/v1/metrics", "ingest"),
        ("POST", "/v1/outcomes", "ingest"),
        ("POST", "/v1/budgets/team/holds", "ingest"),
        ("POST", "/v1/budgets/team/holds/h1/release", "ingest"),
        ("GET", "/v1/prices", "read"),
        ("HEAD", "/v1/prices", "read"),
        ("GET", "/openapi.json", "read"),
        ("POST", "/v1/quote", "read"),
        ("POST", "/v1/rates", "operate"),
        ("POST", "/v1/alerts/1/mute", "operate"),
        ("POST", "/v1/channels/traces", "operate"),
        ("POST", "/v1/traces/", "operate"),
        ("DELETE", "/v1/whatever/comes", "operate"),
    ],
)
def test_what_a_request_wants_to_be_allowed(method: str, path: str, right: Right) -> None:
    assert right_of(method, path) == right


def prepared(sent: Export, tenant: str | None) -> Prepared:
    """What it comes to, sent with a credential of this tenant."""
    result = prepare(Export(sent.signal, sent.body, sent.encoding, sent.compression, tenant), POLICY, Rules.default())
    assert isinstance(result, Prepared)
    return result


def test_records_of_another_tenant_are_refused_and_the_others_taken() -> None:
    sent = export(chat(1, 1), chat(1, 2, tenant__id="acme"), chat(1, 3, tenant__id="globex"))
    result = prepared(sent, "acme")
    [arrivals] = result.arrivals
    assert (arrivals.tenant, len(arrivals.records)) == ("acme", 2)
    assert (result.records, result.rejected) == (3, 1)
    said = "tenant.id is globex, and the credential is of tenant acme alone"
    assert result.message == f"other_tenant: {said}"
    assert arrivals.rejections == [Rejection("span", "read", "other_tenant", said)]


def test_a_credential_for_all_tenants_lets_records_say_whose_they_are() -> None:
    result = prepared(export(chat(1, 1), chat(1, 2, tenant__id="acme"), chat(1, 3, tenant__id="globex")), None)
    assert {arrivals.tenant: len(arrivals.records) for arrivals in result.arrivals} == {"default": 1, "acme": 1, "globex": 1}
    assert result.rejected == 0


def test_logs_and_metrics_of_another_tenant_are_refused_too() -> None:
    logs = prepared(export(log("a", tenant__id="globex"), log("b"), tenant="acme"), "acme")
    assert (logs.records, logs.rejected, len(logs.arrivals[0].records)) == (2, 1, 1)
    metrics = ExportMetricsServiceRequest()
    for tenant in ("acme", "globex"):
        group = metrics.resource_metrics.add()
        group.resource.attributes.add(key="tenant.id").value.string_value = tenant
        metric = group.scope_metrics.add().metrics.add(name="queue")
        metric.gauge.data_points.add(time_unix_nano=int(AT.timestamp()) * 10**9, as_int=1)
    points = prepared(as_export(metrics, "metric"), "acme")
    assert (points.records, points.rejected, [len(one.points) for one in points.arrivals]) == (2, 1, [1])


@pytest.mark.parametrize("named", [None, "", "acme"])
def test_what_names_no_other_tenant_is_the_credentials(named: str | None) -> None:
    result = prepared(export(chat(1, 1, tenant__id=named)), "acme")
    assert ([one.tenant for one in result.arrivals], result.rejected) == (["acme"], 0)


def test_a_tenant_that_is_named_by_a_number_is_another() -> None:
    assert prepared(export(chat(1, 1, tenant__id=7)), "acme").rejected == 1
