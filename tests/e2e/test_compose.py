"""The compose file: valid by the specification's schema, closed to the outside, and every service's own command works.

No container is started. The commands run here as compose would run them, with the service's argv and environment and nothing
else; only what a container's network would provide (the database's name, its ports) is put in its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
import yaml
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
BIN = Path(sys.executable).parent
DATABASE_IN_COMPOSE = "postgresql://pigou@postgres:5432/pigou"
SPOOL_IN_COMPOSE = "/home/pigou/spool"
PARTS = ("collector", "analyzers", "dashboard")
START_S = 180.0
STOP_S = 20.0


def services() -> dict[str, dict[str, Any]]:
    """The services as compose reads them: anchors and merges resolved, variables at their defaults."""
    text = COMPOSE_FILE.read_text()
    while "${" in text:
        head, _, rest = text.partition("${")
        variable, _, tail = rest.partition("}")
        name, separator, default = variable.partition(":-")
        assert separator, f"{name} has no default: compose would put nothing in its place"
        text = head + default + tail
    return cast(dict[str, dict[str, Any]], yaml.safe_load(text)["services"])


def schema_errors(file: Path) -> str:
    """What the compose specification's own JSON schema finds; empty when nothing."""
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if found.returncode == 0 else found.stdout


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_is_valid_by_the_schema() -> None:
    assert schema_errors(COMPOSE_FILE) == ""


def test_the_schema_finds_offenders(tmp_path: Path) -> None:
    offender = tmp_path / "docker-compose.yml"
    offender.write_text(COMPOSE_FILE.read_text().replace("stop_grace_period:", "stop_grace:"))
    assert "stop_grace" in schema_errors(offender)


def test_compose_itself_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed here")
    found = subprocess.run(
        [docker, "compose", "-f", str(COMPOSE_FILE), "config", "--format", "json"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["services"].keys() == services().keys()


def test_the_services_are_the_parts_and_their_database() -> None:
    assert set(services()) == {"postgres", "migrate", *PARTS}
    assert services()["postgres"]["image"] == "postgres:18"
    # Where the image of version 18 keeps its data: one folder above the data directory, for pg_upgrade --link.
    assert services()["postgres"]["volumes"] == ["books:/var/lib/postgresql"]


def test_the_collector_keeps_what_it_acknowledged_on_a_volume_of_its_own() -> None:
    collector = services()["collector"]
    assert f"--spool {SPOOL_IN_COMPOSE}" in " ".join(collector["command"])
    assert collector["volumes"] == [f"spool:{SPOOL_IN_COMPOSE}"]


def test_every_port_is_bound_to_loopback() -> None:
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert len(published) == 4
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_parts_wait_for_the_migrated_database() -> None:
    assert services()["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for part in PARTS:
        assert services()[part]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_what_listens_says_whether_it_is_well() -> None:
    assert [name for name, service in services().items() if service.get("ports") and "healthcheck" not in service] == []


def test_parts_run_without_privileges() -> None:
    for part in ("migrate", *PARTS):
        assert services()[part]["read_only"] is True
        assert services()[part]["cap_drop"] == ["ALL"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "\nUSER pigou\n" in dockerfile
    assert "--require-hashes -r requirements.runtime.lock" in dockerfile


def test_no_command_line_holds_the_password() -> None:
    for service in services().values():
        assert service["environment"].get("PGPASSWORD", "pigou") == "pigou"
        assert not [word for word in service.get("command", []) if "pigou:pigou" in word or "password" in word.lower()]


# ── the commands ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Place:
    """What a container's network would provide: the database, and where each port of the file is found here."""

    dsn: str
    ports: Mapping[str, int]
    home: Path

    def here(self, word: str) -> str:
        """A word of a command or environment with the names of the network replaced."""
        word = word.replace(DATABASE_IN_COMPOSE, self.dsn).replace("0.0.0.0", "127.0.0.1")
        word = word.replace(SPOOL_IN_COMPOSE, str(self.home / "spool"))
        for inside, outside in self.ports.items():
            word = str(outside) if word == inside else word.replace(f"127.0.0.1:{inside}/", f"127.0.0.1:{outside}/")
        return word

    def start(self, service: dict[str, Any], command: list[str]) -> subprocess.Popen[bytes]:
        """Start a command with the service's environment, as compose would."""
        environment = {name: self.here(str(value)) for name, value in service["environment"].items()}
        environment |= {"PATH": f"{BIN}{os.pathsep}{os.defpath}", "HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        log = (self.home / "services.log").open("ab")
        with log:
            return subprocess.Popen([self.here(w) for w in command], env=environment, cwd=self.home, stdout=log, stderr=log)

    def run(self, service: dict[str, Any], command: list[str]) -> int:
        """Run a command to its end and answer its exit code."""
        return self.start(service, command).wait(START_S)

    def healthy(self, service: dict[str, Any]) -> bool:
        """Whether the service's own health check passes now."""
        kind, *command = service["healthcheck"]["test"]
        assert kind == "CMD"
        return self.run(service, command) == 0

    @property
    def log(self) -> str:
        """What all services said."""
        return (self.home / "services.log").read_text()


@pytest.fixture(scope="module")
def place(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An empty database and free ports: what the services find on their first start."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("create database pigou_compose")
    dsn = server.replace("/postgres?", "/pigou_compose?", 1)
    yield Place(dsn, {port: free_port() for port in ("4318", "4317", "4320")}, tmp_path_factory.mktemp("compose"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("drop database pigou_compose with (force)")


@pytest.fixture(scope="module")
def running(place: Place) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """All services, started in the order of their dependencies."""
    declared = services()
    assert place.run(declared["migrate"], declared["migrate"]["command"]) == 0, place.log
    with contextlib.ExitStack() as stack:
        processes = {part: place.start(declared[part], declared[part]["command"]) for part in PARTS}
        for process in processes.values():
            stack.callback(process.wait)
            stack.callback(process.kill)
        for part in PARTS:
            if "healthcheck" in declared[part]:
                wait_for(lambda part=part: place.healthy(declared[part]), processes[part], place)
        wait_for(lambda: "analyzers:" in place.log, processes["analyzers"], place)
        yield processes


def test_migrating_again_changes_nothing(place: Place, running: dict[str, subprocess.Popen[bytes]]) -> None:
    migrate = services()["migrate"]
    assert place.run(migrate, migrate["command"]) == 0, place.log


def test_what_is_sent_to_the_services_is_booked(place: Place, running: dict[str, subprocess.Popen[bytes]]) -> None:
    http: SpanExporter = HttpExporter(endpoint=f"http://127.0.0.1:{place.ports['4318']}/v1/traces")
    grpc: SpanExporter = GrpcExporter(endpoint=f"http://127.0.0.1:{place.ports['4317']}", insecure=True)
    for exporter in (http, grpc):
        assert exporter.export([one_call()]) is SpanExportResult.SUCCESS, place.log
        exporter.shutdown()
    with psycopg.connect(place.dsn) as connection:
        booked = connection.execute("select status, input_tokens, output_tokens from ledger.calls order by started_at").fetchall()
    assert booked == [("booked", 1200, 34), ("booked", 1200, 34)]


def test_the_services_stop_when_told(place: Place, running: dict[str, subprocess.Popen[bytes]]) -> None:
    for process in running.values():
        assert process.poll() is None, place.log
        process.send_signal(signal.SIGTERM)
    assert {part: process.wait(STOP_S) for part, process in running.items()} == dict.fromkeys(PARTS, 0), place.log


def one_call() -> ReadableSpan:
    """A span of one model call, as an instrumentation of OpenTelemetry's own would emit it."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 34,
    }
    tracer = provider.get_tracer("opentelemetry.instrumentation.openai_v2")
    tracer.start_span("chat gpt-4o-mini", attributes=attributes).end()
    provider.shutdown()
    [span] = kept.get_finished_spans()
    return span


def wait_for(condition: Any, process: subprocess.Popen[bytes], place: Place) -> None:
    """Wait until a condition holds. Fails at once when the process has ended."""
    end = time.monotonic() + START_S
    while not condition():
        assert process.poll() is None, place.log
        assert time.monotonic() < end, place.log
        time.sleep(0.1)


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
