"""LiteLLM, as a library's callback and as a gateway.

Read from litellm 1.107 (`litellm_request`, `raw_gen_ai_request`, `Received Proxy Server Request`, and the newer
`litellm.*` names).

Counts are OpenAI's, whatever the provider: caches inside the input, reasoning inside the output. The span's own usage
attributes leave caches and reasoning out; the whole usage is in `metadata.usage_object`, in Python's spelling.
"""

from __future__ import annotations

from collector.dialects import otel_genai, shared
from collector.dialects.embedded import mapping_of
from collector.provider_usage import leaves_of
from collector.record import Attributes, Reading, Record
from collector.usage import INCLUSIVE, Leaves, read_counts

NAME = "litellm"
VERSION = "litellm 1.107"
SCOPES: tuple[str, ...] = ("litellm",)

_USAGE = "metadata.usage_object"
MARKERS = frozenset({"litellm.call_id", "litellm.cost.total", _USAGE})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are LiteLLM's."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """The request span as a call with its whole usage; the raw request under it only repeats it."""
    attributes = record.attributes
    operation = shared.text_of(attributes.get("gen_ai.operation.name"))
    if record.name == "raw_gen_ai_request" or operation in otel_genai.AGENTS or operation in otel_genai.TOOLS:
        facts = shared.facts_of(record)
        if record.name == "raw_gen_ai_request":
            return shared.reading(facts, NAME)
        return otel_genai.read_as(record, NAME, INCLUSIVE, shared.RANK_GATEWAY)
    usage = mapping_of(attributes.get(_USAGE))
    leaves = leaves_of(usage, "litellm") if usage else None
    if not isinstance(leaves, Leaves):
        return otel_genai.read_as(record, NAME, INCLUSIVE, shared.RANK_GATEWAY)
    facts = shared.facts_of(record)
    read = shared.reading(facts, NAME)
    name = operation or "chat"
    if name in otel_genai.EMBEDDINGS:
        counts = read_counts(attributes, otel_genai.COUNTS)
        return shared.as_call(record, read, facts, counts, INCLUSIVE, shared.RANK_GATEWAY, name, is_embedding=True)
    return shared.as_call(record, read, facts, leaves, INCLUSIVE, shared.RANK_GATEWAY, name, keys=_request_keys(attributes))


def _request_keys(attributes: Attributes) -> tuple[str, ...]:
    """The provider's own request id: a streamed answer carries an id of LiteLLM's making."""
    hidden = mapping_of(attributes.get("hidden_params"))
    headers = hidden.get("additional_headers") if hidden else None
    if not isinstance(headers, dict):
        return ()
    request = shared.text_of(headers.get("llm_provider-request-id") or headers.get("llm_provider-x-request-id"))
    return ("request:" + request,) if request else ()
