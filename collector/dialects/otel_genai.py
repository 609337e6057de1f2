"""OpenTelemetry's own GenAI conventions, current and deprecated names.

Read from semantic-conventions-genai v0.1.0 and the deprecated names of semantic-conventions 1.27–1.41; checked
against opentelemetry-instrumentation-genai-* 1.3b0, -openai-v2 2.3b0 and the spans that anthropic 2.12 emits itself.

Cached and reasoning tokens are part of the input and output counts.
"""

from __future__ import annotations

from collector.dialects import raw, shared
from collector.dialects.embedded import Response, read_response
from collector.record import Attributes, Problem, Reading, Record
from collector.usage import BELIEVED, INCLUSIVE, UNSURE, Convention, Counts, Leaves, count_table, read_counts

NAME = "otel_genai"
VERSION = "semantic-conventions-genai 0.1.0"
SCOPES: tuple[str, ...] = (
    "opentelemetry.instrumentation.genai.",
    "opentelemetry.instrumentation.openai_v2",
    "opentelemetry.util.genai",
    "com.anthropic.sdk",
    "agent_framework",
    "ai.koog",
)

COUNTS = count_table(
    input_tokens=(
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "gen_ai.response.prompt_tokens",
        "gen_ai.usage.prompt_eval_count",
    ),
    output_tokens=(
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "gen_ai.response.completion_tokens",
        "gen_ai.usage.eval_count",
    ),
    total_tokens=("gen_ai.usage.total_tokens", "llm.usage.total_tokens"),
    cache_read_tokens=(
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cached_input_tokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.details.cache_read_tokens",
    ),
    cache_write_tokens=(
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.input_tokens.cache_write",
        "gen_ai.usage.details.cache_write_tokens",
    ),
    cache_write_5m_tokens="anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
    cache_write_1h_tokens="anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
    output_reasoning_tokens=(
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.details.reasoning_tokens",
    ),
    input_text_tokens="gen_ai.usage.text.input_tokens",
    cache_text_read_tokens="gen_ai.usage.text.cache_read.input_tokens",
    output_text_tokens="gen_ai.usage.text.output_tokens",
    input_audio_tokens=("gen_ai.usage.audio.input_tokens", "gen_ai.usage.input_audio_tokens"),
    cache_audio_read_tokens="gen_ai.usage.audio.cache_read.input_tokens",
    output_audio_tokens=("gen_ai.usage.audio.output_tokens", "gen_ai.usage.output_audio_tokens"),
    input_image_tokens=("gen_ai.usage.image.input_tokens", "gen_ai.usage.input_image_tokens"),
    cache_image_read_tokens="gen_ai.usage.image.cache_read.input_tokens",
    output_image_tokens=("gen_ai.usage.image.output_tokens", "gen_ai.usage.output_image_tokens"),
    input_video_tokens="gen_ai.usage.video.input_tokens",
    output_video_tokens="gen_ai.usage.video.output_tokens",
    web_searches="anthropic.usage.server_tool_use.web_search_requests",
)

CALLS = frozenset(
    {
        "chat", "text_completion", "completion", "generate_content", "generate_live_content", "embeddings", "embedding",
        "responses", "messages", "rerank", "speech", "transcription", "image_generation", "ask",
        "chat.completions", "text.completions",  # Semantic Kernel
        "image", "audio",  # OpenLIT
    }
)  # fmt: skip
EMBEDDINGS = frozenset({"embeddings", "embedding"})
WITHOUT_OUTPUT = EMBEDDINGS | {"rerank"}
AGENTS = frozenset(
    {
        "invoke_agent", "create_agent", "invoke_workflow", "execute_task", "agent", "workflow", "chain", "handoff",
        "execute_event_loop_cycle", "fetch_response", "agent_step", "plan", "run",
    }
)  # fmt: skip
TOOLS = frozenset(
    {
        "execute_tool", "tool", "retrieval", "search_memory", "create_memory", "update_memory", "upsert_memory", "delete_memory",
        "create_memory_store", "delete_memory_store",
    }
)  # fmt: skip
_FOREIGN_CACHE_COUNTS = frozenset(
    {
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cached_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
    }
)
# OpenInference's, Alibaba's and LangSmith's word for what a span is, on spans that have OTel's names beside it.
_OTHERS_KINDS = frozenset({"openinference.span.kind", "gen_ai.span.kind", "langsmith.span.kind"})
_PARENTS = frozenset({"agent", "chain", "entry", "step", "task", "workflow"})
_ATTACHED = ("ollama.response", "llm.response", "response", "response_body")
# Events that repeat a call's request or response beside its span.
_DETAILS = "gen_ai.client.inference.operation.details"
MARKERS = frozenset(
    {
        "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model", "gen_ai.response.model",
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "gen_ai.agent.name", "gen_ai.tool.name",
    }
)  # fmt: skip
_SPAN_KIND_SERVER = 2
_OF_ENGINES = frozenset(
    {"allocation.engine", "allocation.engine.queue_s", "allocation.engine.prefill_s", "allocation.engine.decode_s"}
)


def claims(attributes: Attributes) -> bool:
    """Whether the keys are of this dialect; asked last, since most others carry some `gen_ai.*` too."""
    return not MARKERS.isdisjoint(attributes)


def read(record: Record) -> Reading:
    """The record as OTel's conventions define it; cache counts under other names mean what their emitter meant by them, and an
    emitter nobody knows is believed to follow the conventions unless its total, which they do not have, tells otherwise. What
    servers and engines tell of a call a client usually reports too."""
    if not record.attributes.keys().isdisjoint(_FOREIGN_CACHE_COUNTS):
        convention = UNSURE
    else:
        convention = INCLUSIVE if record.scope.name.startswith(SCOPES) else BELIEVED
    is_served = record.kind == _SPAN_KIND_SERVER or not _OF_ENGINES.isdisjoint(record.attributes)
    return read_as(record, NAME, convention, shared.RANK_SERVER if is_served else shared.RANK_SDK)


def read_as(record: Record, dialect: str, convention: Convention, rank: int, operation: str | None = None) -> Reading:
    """The record by these conventions, for dialects that use their names with counts of another convention.

    `operation` is what the record does where it does not say so by OTel's name. Where there is no usage by OTel's names, that
    under a provider's own counts.
    """
    facts = shared.facts_of(record)
    read = shared.reading(facts, dialect)
    operation = shared.text_of(facts.get("operation")) or operation
    if record.signal == "log":
        return _read_log(record, read, facts, operation, rank)
    if operation in TOOLS:
        return shared.as_tool(read, shared.text_of(facts.get("tool")) or operation)
    counts: Counts | Leaves | Problem = read_counts(record.attributes, COUNTS)
    if not counts and (of_provider := raw.read_usage(record.attributes)):
        counts = of_provider
        raw.add_facts(facts, record.attributes)
    if not counts and operation in CALLS and (response := _attached(record)) is not None and response.usage is not None:
        counts = response.usage
        shared.add_missing(facts, response.told)
    if operation in AGENTS:
        return shared.as_agent(read, facts, counts, convention)
    if operation in CALLS:
        return shared.as_call(record, read, facts, counts, convention, rank, operation, is_embedding=operation in WITHOUT_OUTPUT)
    if "tool" in facts and not counts:
        return shared.as_tool(read, shared.text_of(facts["tool"]))
    if counts and not _OTHERS_KINDS.isdisjoint(record.attributes) and _is_parent(record.attributes):
        return shared.as_agent(read, facts, counts, convention)
    if counts and "model" in facts and (not isinstance(counts, dict) or any(counts.values())):
        # An operation of the emitter's own, with usage and a model: a model call.
        return shared.as_call(record, read, facts, counts, convention, rank, operation or "chat")
    if "agent" in facts and operation is None:
        return shared.as_agent(read, facts, counts, convention)
    return read


def _attached(record: Record) -> Response | None:
    """The provider's response that an emitter attaches to a call, where it is one."""
    answers = (read_response(record.content[name]) for name in _ATTACHED if name in record.content)
    return next((answer for answer in answers if answer is not None), None)


def _is_parent(attributes: Attributes) -> bool:
    """Whether another convention's word for what a span is says that it stands around calls."""
    return any((shared.text_of(attributes.get(kind)) or "").lower() in _PARENTS for kind in _OTHERS_KINDS)


def _read_log(record: Record, read: Reading, facts: shared.Facts, operation: str | None, rank: int) -> Reading:
    """Only the event with a call's whole details is evidence of a call, and only when something says which call it is."""
    if record.name != _DETAILS or operation not in CALLS:
        return read
    if "response" not in facts and record.parent_span_id is not None:
        return read
    counts = read_counts(record.attributes, COUNTS)
    if not counts:
        return read
    return shared.as_call(
        record, read, facts, counts, INCLUSIVE, min(rank, shared.RANK_LOG), operation, is_embedding=operation in WITHOUT_OUTPUT
    )
