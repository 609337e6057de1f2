"""An installation that wants credentials: what Pigou itself sends, and what OpenTelemetry's SDK sends, goes on to arrive."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from economy.__main__ import main
from tests.books import chat, export
from tests.pigou_process import RunningPigou, copy_of, run_pigou


class Closed(NamedTuple):
    """An installation that wants credentials, with some of them."""

    pigou: RunningPigou
    agent: str
    acme: str
    person: str


@pytest.fixture(scope="module")
def closed(prepared_home: Path) -> Iterator[Closed]:
    with copy_of(prepared_home) as home, RunningPigou(home) as pigou:
        made = [
            run_pigou("credentials", "create", *words, home=home)
            for words in (("agent",), ("acme", "--tenant", "acme"), ("person", "--may", "read"))
        ]
        assert [done.returncode for done in made] == [0, 0, 0], made
        tokens = [done.stdout.strip() for done in made]
        deadline = time.monotonic() + 10
        while status(pigou, tokens[-1]) != (401, 200):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield Closed(pigou, *tokens)


def status(pigou: RunningPigou, token: str) -> tuple[int, int]:
    """What the collector answers to nobody, and to somebody."""
    found: list[int] = []
    for headers in ({}, {"Authorization": f"Bearer {token}"}):
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{pigou.http_endpoint}/v1/rules", headers=headers)) as answer:
                found.append(answer.status)
        except urllib.error.HTTPError as error:
            found.append(error.code)
    return found[0], found[1]


def test_the_doctor_sends_its_span_with_a_credential(closed: Closed) -> None:
    home = closed.pigou.home
    done = run_pigou("doctor", home=home)
    assert done.returncode == 0
    assert "note  span        not sent: a credential is wanted" in done.stdout
    assert "set PIGOU_TOKEN to one that may ingest" in done.stdout
    for token in (closed.agent, closed.acme):
        done = run_pigou("doctor", home=home, token=token)
        assert (done.returncode, "read back in SQL" in done.stdout) == (0, True), done.stdout
    assert dict(closed.pigou.sql("select tenant, count(*) from ledger.spans where name = 'pigou doctor' group by 1")) == {
        "pigou-doctor": 1, "acme": 1,
    }  # fmt: skip


def test_recordings_are_replayed_with_one(closed: Closed, tmp_path: Path) -> None:
    recorded = tmp_path / "traces.pb"
    recorded.write_bytes(export(chat(1, 1), chat(1, 2, tenant__id="globex")).body)
    arguments = ("replay", recorded, "--signal", "traces")
    nobody = run_pigou(*arguments, home=closed.pigou.home)
    assert (nobody.returncode, "a credential is wanted" in nobody.stderr) == (1, True), nobody.stderr
    person = run_pigou(*arguments, home=closed.pigou.home, token=closed.person)
    assert (person.returncode, "the credential person may read" in person.stderr) == (1, True), person.stderr
    header = run_pigou(*arguments, "--header", f"authorization=Bearer {closed.agent}", home=closed.pigou.home, token="other")
    assert header.returncode == 0, header.stderr
    acme = run_pigou(*arguments, home=closed.pigou.home, token=closed.acme)
    assert (acme.returncode, "tenant.id is globex" in acme.stderr) == (1, True), acme.stderr
    assert "1 accepted, 1 rejected" in acme.stdout


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_the_sdk_sends_one_by_its_own_variable(closed: Closed, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{closed.acme}")
    pigou = closed.pigou
    exporter = (
        HttpExporter(f"{pigou.http_endpoint}/v1/traces")
        if protocol == "http"
        else GrpcExporter(pigou.grpc_endpoint, insecure=True)
    )
    provider = TracerProvider(resource=Resource({"service.name": f"by-{protocol}"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("asked"):
        pass
    provider.shutdown()
    assert pigou.sql("select tenant from ledger.spans where service = %s", f"by-{protocol}") == [("acme",)]


def test_the_economy_is_played_with_one(
    closed: Closed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0).isoformat()
    arguments = ["--endpoint", closed.pigou.http_endpoint, "--days", "0.5", "--tasks-per-day", "100", "--until", until]
    assert main(arguments) == 1
    assert "401" in capsys.readouterr().err
    monkeypatch.setenv("PIGOU_TOKEN", closed.agent)
    assert main(arguments) == 0
    assert closed.pigou.sql("select count(*) > 0 from ledger.spans where service = 'router'") == [(True,)]


def test_pages_and_health(closed: Closed) -> None:
    page = closed.pigou.dashboard_url
    with urllib.request.urlopen(f"{page}/health") as answer:
        assert json.load(answer) == {"status": "ok", "database": "ok"}
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(page)
    asked = urllib.request.Request(page, headers={"Authorization": f"Bearer {closed.person}"})
    with urllib.request.urlopen(asked) as answer:
        assert b"Pigou" in answer.read()
