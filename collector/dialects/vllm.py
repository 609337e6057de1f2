"""vLLM's server spans (`llm_request`): what the engine did for a call that a client usually reports too.

Read from vllm 0.11 (`vllm/tracing.py`). Times in seconds: queue, prefill, decode. Counts as OpenAI's, without
details.
"""

from __future__ import annotations

import re

from collector.dialects import otel_genai, shared
from collector.record import Attributes, Reading, Record
from collector.usage import INCLUSIVE, read_counts

NAME = "vllm"
VERSION = "vllm 0.11"
SCOPES: tuple[str, ...] = ("vllm",)

# The engine numbers the choices and prompts of one response, and newer versions add eight hex digits of their own.
_SUFFIX = re.compile(r"-(?:\d{1,4}|[0-9a-f]{8})$")
MARKERS = frozenset({"gen_ai.latency.time_in_queue", "gen_ai.latency.e2e"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are vLLM's."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """Request spans are calls as the server saw them; the engine's other spans are plain."""
    attributes = record.attributes
    facts = shared.facts_of(record)
    read = shared.reading(facts, NAME)
    if not claims(attributes) and record.name != "llm_request":
        return read
    facts.setdefault("provider", "vllm")
    request = shared.text_of(facts.pop("request", None))
    counts = read_counts(attributes, otel_genai.COUNTS)
    if not counts:
        return read
    return shared.as_call(
        record, read, facts, counts, INCLUSIVE, shared.RANK_SERVER, "chat", keys=_keys(request) if request else ()
    )


def _keys(request: str) -> tuple[str, ...]:
    """The request's id is the response's id with up to two suffixes."""
    ids = [request]
    for _ in range(2):
        shorter = _SUFFIX.sub("", ids[-1])
        if shorter == ids[-1] or len(shorter) < 12:
            break
        ids.append(shorter)
    return tuple("response:" + one for one in ids)
