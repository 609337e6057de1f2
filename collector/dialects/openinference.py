"""OpenInference spans (Arize Phoenix).

Read from openinference-semantic-conventions 0.1.42 and the instrumentations for OpenAI 0.1.66, LangChain 0.1.80,
OpenAI Agents 2.6, LiteLLM, CrewAI, Agno and Google ADK as recorded.

The prompt count is meant to contain cached tokens and the completion count reasoning tokens; the instrumentations
pass on what their provider says, so Bedrock's and Anthropic's exclusive counts leak through. The total decides.
"""

from __future__ import annotations

from collector.dialects import otel_genai, shared
from collector.dialects.embedded import read_response
from collector.record import Attributes, Problem, Reading, Record
from collector.usage import UNSURE, Counts, Leaves, count_table, read_counts

NAME = "openinference"
VERSION = "openinference-semantic-conventions 0.1.42"
SCOPES: tuple[str, ...] = ("openinference.", "@arizeai/openinference", "com.arize.openinference")

COUNTS = count_table(
    input_tokens="llm.token_count.prompt",
    output_tokens="llm.token_count.completion",
    total_tokens="llm.token_count.total",
    cache_read_tokens=("llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input"),
    cache_write_tokens="llm.token_count.prompt_details.cache_write",
    input_audio_tokens="llm.token_count.prompt_details.audio",
    output_audio_tokens="llm.token_count.completion_details.audio",
    output_reasoning_tokens="llm.token_count.completion_details.reasoning",
)
_KIND = "openinference.span.kind"
MARKERS = frozenset({_KIND, "llm.token_count.prompt", "llm.token_count.total"})


def claims(attributes: Attributes) -> bool:
    """Whether the keys are OpenInference's."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """The record by its span kind; without one, by whether it counts tokens."""
    return read_as(record, NAME)


def read_as(record: Record, dialect: str) -> Reading:
    """The record by these conventions, for frameworks whose spans need more than that."""
    attributes = record.attributes
    facts = shared.facts_of(record)
    read = shared.reading(facts, dialect)
    kind = (shared.text_of(attributes.get(_KIND)) or "").upper()
    counts = read_counts(attributes, COUNTS)
    if not kind:
        if not counts:  # an instrumentation told to write OTel's names
            return otel_genai.read_as(record, dialect, UNSURE, shared.RANK_SDK)
        kind = "LLM"
    if kind == "LLM":
        return read_llm(record, read, facts, counts)
    if kind in ("EMBEDDING", "RERANKER") and (counts or kind == "EMBEDDING"):
        return shared.as_call(
            record, read, facts, counts, UNSURE, shared.RANK_SDK, "embeddings" if kind == "EMBEDDING" else "rerank",
            is_embedding=True,
        )  # fmt: skip
    if kind == "TOOL":
        return shared.as_tool(read, shared.text_of(facts.get("tool")) or record.name)
    if kind in ("RETRIEVER", "RERANKER"):
        return shared.as_tool(read, shared.text_of(facts.get("tool")) or "retrieve")
    if kind == "AGENT" or (kind == "CHAIN" and counts):
        return shared.as_agent(read, facts, counts, UNSURE)
    return read


def read_llm(record: Record, read: Reading, facts: shared.Facts, counts: Counts | Problem) -> Reading:
    """A model call; what the span's attributes leave out is looked for in the response attached to it."""
    found: Counts | Leaves | Problem = counts
    if "response" not in facts or not counts:
        response = read_response(record.content.get("output.value"))
        if response is not None:
            shared.add_missing(facts, response.told)
            if not counts and response.usage is not None:
                found = response.usage
    return shared.as_call(record, read, facts, found, UNSURE, shared.RANK_SDK, _operation(record))


def _operation(record: Record) -> str:
    return "text_completion" if "llm.prompts.0.prompt.text" in record.content else "chat"
