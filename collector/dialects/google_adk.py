"""Google's Agent Development Kit, without another instrumentation over it.

Read from google-adk 1.12 as recorded. It writes OTel's names, with Gemini's counts: the candidates' count leaves the
thoughts out. The whole usage is in the response it attaches.
"""

from __future__ import annotations

from collector.dialects import otel_genai, shared
from collector.dialects.embedded import mapping_of
from collector.provider_usage import flavor_of, leaves_of, usage_of
from collector.record import Attributes, Reading, Record
from collector.usage import Convention, CountTable, Leaves, count_table, read_counts

NAME = "google_adk"
VERSION = "google-adk 1.12"
SCOPES: tuple[str, ...] = ("gcp.vertex.agent",)

_RESPONSE = "gcp.vertex.agent.llm_response"
_GEMINI = Convention(reasoning_inside=False, reasoning_sure=False)
COUNTS = CountTable(
    otel_genai.COUNTS
    | count_table(output_reasoning_tokens=("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.experimental.reasoning_tokens"))
)
MARKERS = frozenset({"gcp.vertex.agent.event_id", "gcp.vertex.agent.invocation_id"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are ADK's."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """`call_llm` and `generate_content` are calls; both may be there, one under the other, then the inner has an operation."""
    attributes = record.attributes
    operation = shared.text_of(attributes.get("gen_ai.operation.name"))
    if (operation is not None and operation not in otel_genai.CALLS) or "gen_ai.request.model" not in attributes:
        return otel_genai.read_as(record, NAME, _GEMINI, shared.RANK_FRAMEWORK)
    facts = shared.facts_of(record)
    read = shared.reading(facts, NAME)
    usage = usage_of(mapping_of(record.content.get(_RESPONSE)) or {})
    leaves = leaves_of(usage, "gemini") if flavor_of(usage) == "gemini" else None
    found = leaves if isinstance(leaves, Leaves) else read_counts(attributes, COUNTS)
    return shared.as_call(record, read, facts, found, _GEMINI, shared.RANK_FRAMEWORK, "generate_content")
