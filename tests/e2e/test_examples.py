"""Every example's agent, run for real: the books must hold what the provider sold, to the token and the picodollar.

Books can be no better than the reports. Where an instrumentation drops or bends something (`Flaw`), that is declared
here and reckoned with exactly; a declaration that is no longer true fails like any other difference.
"""

from __future__ import annotations

import ast
import json
import os
import socket
import struct
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from examples.provider.anthropic_messages import OPENING_OUTPUT_TOKENS
from examples.provider.app import create_provider
from examples.provider.catalog import Vendor, find_model
from examples.provider.faults import parse_faults
from examples.provider.usage import Usage, cost_usd
from tests.forked import Elsewhere

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PYTHON = ROOT / ".venv-examples" / "bin" / "python"
EXAMPLE_S_MAX = 400
BOOKED_S_MAX = 20

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-examples: `make examples` installs the agents' packages"),
]

Payload = dict[str, Any]


class Pigou(Protocol):
    """What the tests need of the running installation."""

    http_endpoint: str
    grpc_endpoint: str
    dsn: str


class Flaw(Enum):
    """What an instrumentation does not report, or reports wrongly."""

    CACHE = "cached tokens are reported as any other input"
    REASONING = "reasoning is reported as any other output"
    HOUR = "what is cached for an hour is reported as if for five minutes"
    OPENING = "a stream's first count of output, which its last includes, is added to the last"


@dataclass(frozen=True)
class Example:
    """An example, the failures its provider plays, and the flaws of its instrumentation.

    `suspended` calls wait in suspense, since their telemetry does not tell whether they were billed.
    """

    name: str
    faults: str = ""
    protocol: str = "http/protobuf"
    flaws: frozenset[Flaw] = frozenset()
    suspended: int = 0


EXAMPLE_RUNS = (
    Example("openai_otel_v2", flaws=frozenset({Flaw.CACHE, Flaw.REASONING})),
    Example("openai_otel_genai"),
    Example("openai_openinference"),
    # A stream that broke off has a response id and no usage: a vendor may bill what it generated until then.
    Example("openai_retries", faults="2:rate_limit,4:abort", suspended=1),
    Example("anthropic_sdk_alone"),
    Example("anthropic_otel_genai"),
    Example("anthropic_openllmetry", flaws=frozenset({Flaw.HOUR, Flaw.REASONING, Flaw.OPENING})),
    Example("pydantic_ai_delegate"),
    Example("langgraph_openinference"),
    Example("langgraph_openllmetry", flaws=frozenset({Flaw.REASONING})),
    Example("langchain_otel_genai"),
    Example("langchain_twice"),
    Example("openai_agents_openinference"),
    Example("openai_agents_otel_genai", protocol="grpc"),
    Example("litellm_callback"),
)


@dataclass(frozen=True)
class Line:
    """What one call comes to: its leaves as the view `ledger.calls` shows them, and its cost in USD."""

    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal | None


@dataclass(frozen=True)
class Provider:
    """A running provider: the base URLs the SDKs want, and where its sales are told."""

    openai_url: str
    anthropic_url: str
    sales_url: str

    def sales(self) -> list[Payload]:
        with urllib.request.urlopen(self.sales_url) as answer:
            return json.load(answer)["sales"]


@contextmanager
def running_provider(seed: int, faults: str) -> Generator[Provider]:
    """The provider on a free port, in a thread: as a process of its own, it would import its web framework for each agent."""
    # A planned abort is an exception in a response; its traceback would only alarm.
    config = uvicorn.Config(create_provider(seed=seed, faults=parse_faults(faults)), log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # what connects from now on is answered
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        serving.start()
        try:
            yield Provider(f"{url}/v1", url, f"{url}/sales")
        finally:
            server.should_exit = True
            serving.join()


def agent_environment(provider: Provider, home: Path, endpoint: str, protocol: str) -> dict[str, str]:
    """An environment of the agent's own, from which nothing outside this machine can be reached."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "OPENAI_BASE_URL": provider.openai_url,
        "OPENAI_API_KEY": "local",
        "ANTHROPIC_BASE_URL": provider.anthropic_url,
        "ANTHROPIC_API_KEY": "local",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it waits for a price list that it cannot reach
    }


def as_reported(usage: Usage, is_streamed: bool, flaws: frozenset[Flaw]) -> Usage:
    """What becomes of a usage in an instrumentation with these flaws."""
    if Flaw.CACHE in flaws:
        usage = Usage(fresh=usage.prompt, output=usage.output, reasoning=usage.reasoning)
    if Flaw.HOUR in flaws:
        usage = replace(usage, cache_write_5m=usage.cache_write, cache_write_1h=0)
    if Flaw.REASONING in flaws:
        usage = replace(usage, output=usage.generated, reasoning=0)
    if Flaw.OPENING in flaws and is_streamed:
        usage = replace(usage, output=usage.output + OPENING_OUTPUT_TOKENS)
    return usage


def sold_usage(sale: Payload) -> Usage:
    return Usage(
        fresh=sale["input_tokens"],
        cache_read=sale["cache_read_tokens"],
        cache_write_5m=sale["cache_write_5m_tokens"],
        cache_write_1h=sale["cache_write_1h_tokens"],
        output=sale["output_tokens"],
        reasoning=sale["reasoning_tokens"],
    )


def expected_line(sale: Payload, flaws: frozenset[Flaw]) -> Line:
    """The line that a sale must come to in the books; without flaws its cost is the provider's own figure."""
    usage = as_reported(sold_usage(sale), sale["is_streamed"], flaws)
    cost = Decimal(sale["cost_usd"])
    if flaws:
        vendor: Vendor = sale["provider"]
        model = find_model(sale["model"], vendor)
        assert model is not None
        cost = cost_usd(usage, model.price)
    return Line(usage.fresh, usage.cache_read, usage.cache_write, usage.output, usage.reasoning, cost)


def booked_calls(dsn: str, since: datetime) -> list[tuple[str | None, Line]]:
    """Response id, if known, and line of every call that is in the books since a moment."""
    query = """
        select response_id, coalesce(input_tokens, 0), coalesce(cache_read_tokens, 0),
               coalesce(cache_write_tokens, 0), coalesce(output_tokens, 0), coalesce(reasoning_tokens, 0), cost_usd
        from ledger.calls
        where status in ('booked', 'unpriced') and started_at >= %s
        order by started_at
    """
    with psycopg.connect(dsn) as connection:
        return [(row[0], Line(*row[1:])) for row in connection.execute(query, (since,))]


def suspended_calls(dsn: str, since: datetime) -> int:
    query = "select count(*) from ledger.calls where status = 'suspense' and started_at >= %s"
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query, (since,)).fetchone()
    assert row is not None
    return row[0]


def run_example(example: Example, provider: Provider, pigou: Pigou, agents: Elsewhere, home: Path) -> datetime:
    """Run an example to its end and return the moment before it started, by the database's clock."""
    with psycopg.connect(pigou.dsn) as connection:
        row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    endpoint = f"http://{pigou.grpc_endpoint}" if example.protocol == "grpc" else pigou.http_endpoint
    environment = agent_environment(provider, home, endpoint, example.protocol)
    run = agents.run(EXAMPLES / f"{example.name}.py", [], environment, home, EXAMPLE_S_MAX)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()
    assert "Failed to export" not in run.stderr
    return row[0]


@pytest.fixture(scope="module")
def agents() -> Iterator[Elsewhere]:
    """Where agents run: forks of one process that has imported what they import, but for what reads the environment then."""
    imported = {
        name
        for path in EXAMPLES.glob("*.py")
        if path.stem != "litellm_callback"
        for statement in ast.parse(path.read_text(encoding="utf-8")).body
        for name in imported_by(statement)
        if not (EXAMPLES / name.partition(".")[0]).with_suffix(".py").exists()
    }
    with Elsewhere(PYTHON, sorted(imported), {"PATH": os.environ["PATH"]}) as elsewhere:
        yield elsewhere


def imported_by(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.ImportFrom):
        return [statement.module] if statement.module else []
    return [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []


@pytest.mark.parametrize("example", EXAMPLE_RUNS, ids=lambda example: f"{example.name}-{example.protocol}")
def test_the_books_hold_what_was_sold(example: Example, pigou: Pigou, agents: Elsewhere, tmp_path: Path) -> None:
    # Ids follow from the seed, so that runs into the same books need seeds of their own.
    seed = 1_000 + EXAMPLE_RUNS.index(example)
    with running_provider(seed, example.faults) as provider:
        since = run_example(example, provider, pigou, agents, tmp_path)
        sales = provider.sales()
    assert sales
    expected = Counter(expected_line(sale, example.flaws) for sale in sales)
    for flaw in example.flaws:
        without = Counter(expected_line(sale, example.flaws - {flaw}) for sale in sales)
        assert without != expected, f"declared, but changes nothing: {flaw.value}"

    calls = booked_calls(pigou.dsn, since)
    deadline = time.monotonic() + BOOKED_S_MAX
    while Counter(line for _, line in calls) != expected and time.monotonic() < deadline:
        time.sleep(0.5)
        calls = booked_calls(pigou.dsn, since)
    assert Counter(line for _, line in calls) == expected
    assert suspended_calls(pigou.dsn, since) == example.suspended

    sold = {sale["response_id"]: expected_line(sale, example.flaws) for sale in sales if sale["response_id"]}
    for response_id, line in calls:
        if response_id in sold:
            assert sold[response_id] == line


def test_every_agent_is_run_here_and_told_of_in_the_readme() -> None:
    agents = {path.stem for path in EXAMPLES.glob("*.py") if "import start_telemetry" in path.read_text()}
    assert agents == {example.name for example in EXAMPLE_RUNS}
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(agents) if f"`{name}.py`" not in readme] == []


def test_a_recording_holds_what_was_exported_and_sold(tmp_path: Path) -> None:
    command = [PYTHON, EXAMPLES / "record.py", "anthropic_sdk_alone", "--out", tmp_path, "--seed", "7"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=EXAMPLE_S_MAX, check=False)
    assert run.returncode == 0, run.stderr
    rest = (tmp_path / "traces.pb").read_bytes()
    names: list[str] = []
    while rest:
        (length,) = struct.unpack(">I", rest[:4])
        request = ExportTraceServiceRequest.FromString(rest[4 : 4 + length])
        rest = rest[4 + length :]
        names += [span.name for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
    sales = json.loads((tmp_path / "sales.json").read_text())["sales"]
    assert names.count("anthropic.messages.create") == len(sales) == 2
    assert "gen_ai.usage.input_tokens" in (tmp_path / "spans.txt").read_text()
