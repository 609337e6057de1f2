"""A seeded load of agent traces as OTLP/protobuf exports.

12 spans a trace (one agent, six model calls, five tools), 480 spans an export.

File format: repeated (4-byte big-endian length, protobuf bytes), as `pigou replay` reads it.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

SPANS_PER_TRACE = 12
TRACES_PER_EXPORT = 40

MODELS = (
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4.1"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("gcp.gemini", "gemini-2.5-flash"),
)
_AGENTS = ("triage", "fixer", "reviewer", "researcher")
_TOOLS = ("read_file", "search_code", "run_tests", "edit_file", "ask_user")
_MS = 1_000_000


def exports(
    traces: int, seed: int | str, tenants: int = 8, since_ns: int | None = None, traces_per_export: int = TRACES_PER_EXPORT
) -> Iterator[bytes]:
    """Serialised exports holding `traces` traces, spread over the 50 minutes after `since_ns` (Unix nanoseconds)."""
    draw = random.Random(seed)
    start = since_ns if since_ns is not None else time.time_ns() - 3600 * 1000 * _MS
    for first in range(0, traces, traces_per_export):
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        _put(group.resource.attributes, {"service.name": "bench-fleet", "service.version": "1.0.0"})
        scoped = group.scope_spans.add()
        scoped.scope.name = "pigou.bench"
        for number in range(first, min(first + traces_per_export, traces)):
            _trace(scoped, draw, start + number * 3000 * 1000 * _MS // traces, tenants)
        yield request.SerializeToString()


def write(path: Path, traces: int, seed: int = 1) -> int:
    """Write a load to a file; answers its number of spans."""
    with path.open("wb") as file:
        for body in exports(traces, seed):
            file.write(struct.pack(">I", len(body)) + body)
    return traces * SPANS_PER_TRACE


def read(path: Path) -> list[bytes]:
    """The exports of a length-prefixed file."""
    bodies: list[bytes] = []
    with path.open("rb") as file:
        while head := file.read(4):
            bodies.append(file.read(struct.unpack(">I", head)[0]))
    return bodies


def _trace(scoped: ScopeSpans, draw: random.Random, at_ns: int, tenants: int) -> None:
    trace_id, root_id = draw.randbytes(16), draw.randbytes(8)
    agent, (provider, model) = draw.choice(_AGENTS), draw.choice(MODELS)
    shared: dict[str, str | int | float | bool] = {
        "gen_ai.agent.name": agent,
        "gen_ai.conversation.id": "c-" + draw.randbytes(8).hex(),
        "user.id": f"user-{draw.randrange(500):04d}",
        "tenant.id": f"tenant-{draw.randrange(tenants):02d}",
        "gen_ai.provider.name": provider,
    }
    clock = at_ns + draw.randrange(1, 5) * _MS
    for step in range(SPANS_PER_TRACE - 1):
        span = scoped.spans.add()
        span.trace_id, span.span_id, span.parent_span_id = trace_id, draw.randbytes(8), root_id
        duration = draw.randrange(300, 3000) * _MS if step % 2 == 0 else draw.randrange(5, 400) * _MS
        span.start_time_unix_nano, span.end_time_unix_nano = clock, clock + duration
        clock += duration + _MS
        if step % 2 == 0:
            span.name, span.kind = f"chat {model}", Span.SPAN_KIND_CLIENT
            _put(span.attributes, {**shared, **_chat(draw, model)})
        else:
            tool = draw.choice(_TOOLS)
            span.name, span.kind = f"execute_tool {tool}", Span.SPAN_KIND_INTERNAL
            _put(span.attributes, {**shared, "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool,
                                   "gen_ai.tool.type": "function", "gen_ai.tool.call.id": "call_" + draw.randbytes(8).hex(),
                                   "retry.count": 0, "cache.hit": draw.random() < 0.3})  # fmt: skip
    root = scoped.spans.add()
    root.trace_id, root.span_id, root.name = trace_id, root_id, f"invoke_agent {agent}"
    root.start_time_unix_nano, root.end_time_unix_nano = at_ns, clock
    _put(
        root.attributes,
        {**shared, "gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": model, "turn.count": 6},
    )


def _chat(draw: random.Random, model: str) -> dict[str, str | int | float | bool]:
    whole = draw.randrange(200, 6000)
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.response.id": "resp_" + draw.randbytes(12).hex(),
        "gen_ai.usage.input_tokens": whole,
        "gen_ai.usage.cache_read.input_tokens": whole // 2 if draw.random() < 0.5 else 0,
        "gen_ai.usage.output_tokens": draw.randrange(20, 900),
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 1024,
        "server.address": "api.example.com",
        "server.port": 443,
        "deployment.region": "eu-1",
        "request.priority": draw.randrange(3),
        "prompt.template": "fix-failing-test",
        "prompt.version": 7,
    }


def _put(attributes: RepeatedCompositeFieldContainer[KeyValue], values: dict[str, str | int | float | bool]) -> None:
    for key, value in values.items():
        pair = attributes.add(key=key)
        if isinstance(value, bool):
            pair.value.bool_value = value
        elif isinstance(value, int):
            pair.value.int_value = value
        elif isinstance(value, float):
            pair.value.double_value = value
        else:
            pair.value.string_value = value
