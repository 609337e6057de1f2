"""OpenLLMetry (Traceloop) spans.

Read from opentelemetry-instrumentation-{anthropic,langchain} 0.62.4 and the older `llm.*` names of
opentelemetry-semantic-conventions-ai. It writes OTel's names, with cached tokens summed into the input by its own
instrumentors. Bedrock's are passed on as they are.
"""

from __future__ import annotations

from collector.dialects import otel_genai, shared
from collector.record import Attributes, Reading, Record
from collector.usage import UNSURE, read_counts

NAME = "openllmetry"
VERSION = "opentelemetry-instrumentation-* 0.62.4"
# The older projects share the prefix `opentelemetry.instrumentation.` with OTel's own; these are Traceloop's packages.
_PACKAGES = (
    "agno", "aleph_alpha", "alephalpha", "anthropic", "chromadb", "cohere", "crewai", "google_generativeai", "groq",
    "haystack", "lancedb", "langchain", "llamaindex", "marqo", "mcp", "milvus", "mistralai", "ollama", "openai",
    "openai_agents", "pinecone", "qdrant", "replicate", "sagemaker", "together", "transformers", "vertexai", "watsonx",
    "weaviate", "writer",
)  # fmt: skip
SCOPES: tuple[str, ...] = ("traceloop.", "@traceloop/", *(f"opentelemetry.instrumentation.{name}" for name in _PACKAGES))

_KIND = "traceloop.span.kind"
_CALLS = {"chat": "chat", "completion": "text_completion", "embedding": "embeddings", "rerank": "rerank"}
MARKERS = frozenset({_KIND, "llm.request.type", "traceloop.entity.name"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are Traceloop's."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """The record by Traceloop's span kind where it has one, else as OTel's conventions."""
    attributes = record.attributes
    kind = shared.text_of(attributes.get(_KIND))
    operation = shared.text_of(attributes.get("gen_ai.operation.name"))
    if kind is not None and operation not in otel_genai.CALLS:
        return _read_entity(record, kind)
    request = attributes.get("llm.request.type")
    if operation is None and isinstance(request, str) and request in _CALLS:
        facts = shared.facts_of(record)
        read = shared.reading(facts, NAME)
        counts = read_counts(attributes, otel_genai.COUNTS)
        return shared.as_call(
            record, read, facts, counts, UNSURE, shared.RANK_SDK, _CALLS[request], is_embedding=request == "embedding"
        )
    return otel_genai.read_as(record, NAME, UNSURE, shared.RANK_SDK)


def _read_entity(record: Record, kind: str) -> Reading:
    facts = shared.facts_of(record)
    read = shared.reading(facts, NAME)
    entity = shared.text_of(record.attributes.get("traceloop.entity.name"))
    if kind == "tool":
        return shared.as_tool(read, shared.text_of(facts.get("tool")) or entity)
    if kind == "agent" and read.agent is None:
        read.agent = entity
    counts = read_counts(record.attributes, otel_genai.COUNTS)
    if kind in ("agent", "workflow") or counts:
        return shared.as_agent(read, facts, counts, UNSURE)
    return read
