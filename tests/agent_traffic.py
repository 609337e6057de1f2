"""Test fixture: plausible telemetry of a few agents over some days, as OTLP exports, and a way into the real collector.

Deterministic by seed. Three tenants, two kinds of task, calls with cached and reasoning tokens, one model that has no price,
parents that state totals (some wrongly), failed calls, spans that name no agent,
and input that is to be refused.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from analyzers.pipeline import run_round
from collector.export import Answer, Export
from collector.pipeline import Pipeline
from collector.settings import CollectorSettings
from ledger.database import connect

MODELS = (
    ("anthropic", "claude-sonnet-4-5", 9),
    ("anthropic", "claude-haiku-4-5", 5),
    ("openai", "gpt-4.1", 4),
    ("openai", "gpt-4.1-mini", 3),
    ("openai", "o4-mini", 2),
    ("gcp.gemini", "gemini-2.5-flash", 2),
    ("acme", "in-house-7b", 1),
)
AGENTS = (("fixer", "fix_tests"), ("support", "support"), ("researcher", "research"), (None, None))
USES = ("plan", "read", "act", "verify")
TENANTS = ("acme", "globex", "initech")
SCOPE = {"name": "opentelemetry.instrumentation.genai.openai", "version": "1.3b0"}


def exports(end: datetime, days: int = 14, traces: int = 120, seed: int = 7) -> Iterator[Export]:
    """Requests of one trace each, spread over the days before `end`, more of them by day than by night."""
    luck = random.Random(seed)
    for number in range(traces):
        at = end - timedelta(days=days * (1 - number / traces)) - timedelta(minutes=luck.randrange(90))
        if 1 <= at.hour < 6 and luck.random() < 0.7:
            at += timedelta(hours=7)
        at = min(at, end - timedelta(minutes=2))
        yield export(luck.choice(TENANTS), trace_spans(luck, at))


def trace_spans(luck: random.Random, at: datetime, calls: int | None = None) -> list[dict[str, Any]]:
    """One agent's run: a root that states the total, turns of model call and tool, as OTLP/JSON spans."""
    agent, task = luck.choice(AGENTS)
    trace = f"{luck.getrandbits(128):032x}"
    root = _id(luck)
    model = luck.choices(MODELS, [weight for *_, weight in MODELS])[0]
    spans: list[dict[str, Any]] = []
    clock = at
    whole_input = whole_output = 0
    for turn in range(calls if calls is not None else luck.randrange(2, 9)):
        provider, name, _ = model if luck.random() < 0.8 else luck.choices(MODELS, [weight for *_, weight in MODELS])[0]
        read, written = (luck.randrange(200, 9000), luck.randrange(0, 1500)) if turn else (0, luck.randrange(0, 3000))
        tokens_in = read + written + luck.randrange(300, 4000)
        reasoning = luck.randrange(0, 900) if name in ("o4-mini", "claude-sonnet-4-5") else 0
        tokens_out = reasoning + luck.randrange(40, 900)
        lasted = timedelta(milliseconds=400 + tokens_out * 9)
        use = USES[turn % 4]
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": name,
            "gen_ai.response.model": name,
            "gen_ai.response.id": f"resp-{luck.getrandbits(64):x}",
            "gen_ai.usage.input_tokens": tokens_in,
            "gen_ai.usage.output_tokens": tokens_out,
            "gen_ai.usage.cache_read.input_tokens": read,
            "gen_ai.usage.cache_write.input_tokens": written,
            "gen_ai.usage.reasoning.output_tokens": reasoning,
        }
        if agent and turn % 3:
            attributes |= {"allocation.layer": "action", "allocation.use": use}
        spans.append(
            _span(trace, _id(luck), root, f"chat {name}", clock, clock + lasted, attributes, failed=luck.random() < 0.03)
        )
        clock += lasted + timedelta(milliseconds=30)
        tool = {"plan": "todo_write", "read": "read_file", "act": "edit_file", "verify": "run_tests"}[use]
        ran = timedelta(milliseconds=luck.randrange(20, 2500))
        tool_attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
        spans.append(_span(trace, _id(luck), root, f"execute_tool {tool}", clock, clock + ran, tool_attributes))
        clock += ran + timedelta(milliseconds=15)
        whole_input, whole_output = whole_input + tokens_in, whole_output + tokens_out
    if agent:
        stated = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": agent,
            "gen_ai.usage.input_tokens": whole_input + (500 if luck.random() < 0.05 else 0),
            "gen_ai.usage.output_tokens": whole_output,
            "allocation.task.class": task,
        }
        spans.insert(0, _span(trace, root, None, f"invoke_agent {agent}", at, clock, stated))
    else:
        spans.insert(0, _span(trace, root, None, "POST /answer", at, clock, {}))
    return spans


def export(tenant: str, spans: list[dict[str, Any]]) -> Export:
    """One request with these spans of one tenant."""
    resource = {"attributes": _attributes({"service.name": "agents", "tenant.id": tenant})}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": SCOPE, "spans": spans}]}]}
    return Export("span", json.dumps(body).encode(), "json", "identity", None)


def unreadable(at: datetime) -> Export:
    """A call whose counts contradict each other: more is read from the cache than went in."""
    counts = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4.1",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 500,
        "gen_ai.usage.output_tokens": 5,
    }
    span = _span(f"{1:032x}", f"{1:016x}", None, "chat gpt-4.1", at, at + timedelta(seconds=1), counts)
    return export("acme", [span])


def refused(at: datetime) -> Export:
    """A span with an id of the wrong length beside a sound one."""
    good = _span(f"{2:032x}", f"{2:016x}", None, "work", at, at + timedelta(seconds=1), {})
    bad = _span("abcd", f"{3:016x}", None, "work", at, at + timedelta(seconds=1), {})
    return export("acme", [good, bad])


def conflicting(at: datetime) -> tuple[Export, Export]:
    """One key, two contents."""
    one = _span(f"{4:032x}", f"{4:016x}", None, "work", at, at + timedelta(seconds=1), {})
    other = _span(f"{4:032x}", f"{4:016x}", None, "other work", at, at + timedelta(seconds=1), {})
    return export("acme", [one]), export("acme", [other])


def feed(dsn: str, requests: Iterator[Export] | list[Export]) -> list[Answer]:
    """Put the requests through the collector's own pipeline; answers what each sender was told."""
    pipeline = Pipeline(CollectorSettings(dsn))
    pipeline.start()
    try:
        return [waiting.result(60) for waiting in [pipeline.submit(request) for request in requests]]
    finally:
        pipeline.stop()


def fill(dsn: str, end: datetime, traces: int = 120) -> None:
    """Books with something of everything, ending at `end`, and what the clock makes of it."""
    early = end - timedelta(days=2)
    feed(dsn, [*exports(end, traces=traces), unreadable(early), refused(early), *conflicting(early)])
    with connect(dsn, "writer") as connection:
        run_round(connection)


def _span(
    trace: str,
    span: str,
    parent: str | None,
    name: str,
    start: datetime,
    end: datetime,
    attributes: dict[str, Any],
    failed: bool = False,
) -> dict[str, Any]:
    return {
        "traceId": trace,
        "spanId": span,
        **({"parentSpanId": parent} if parent else {}),
        "name": name,
        "kind": 3,
        "startTimeUnixNano": str(_nanoseconds(start)),
        "endTimeUnixNano": str(_nanoseconds(end)),
        "attributes": _attributes(attributes),
        "status": {"code": 2, "message": "the provider answered 529"} if failed else {},
    }


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
    ]


def _nanoseconds(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp() * 1_000_000) * 1000


def _id(luck: random.Random) -> str:
    return f"{luck.getrandbits(64):016x}"
