"""Which attributes hold content, and what becomes of it."""

from __future__ import annotations

import pytest

from collector.content import (
    CONTENT_DROPPED,
    CONTENT_KEPT,
    ContentPolicy,
    holds_content,
    kept_text,
    redact_personal,
    stored_attributes,
    with_count,
)
from collector.dialects import dialects
from collector.record import Attributes, Event, Text

CONTENT = """
    gen_ai.prompt gen_ai.prompt.0.content gen_ai.completion.1.tool_calls.0.arguments gen_ai.input.messages
    gen_ai.output.messages gen_ai.system_instructions gen_ai.tool.definitions gen_ai.tool.call.arguments
    gen_ai.tool.call.result gen_ai.request.messages gen_ai.response.text gen_ai.response.tool_calls
    gen_ai.retrieval.query.text gen_ai.content.prompt input.value output.value llm.input_messages.0.message.content
    llm.output_messages.3.message.role llm.tools.0.tool.json_schema llm.prompts.0.prompt.text llm.invocation_parameters
    tool.parameters retrieval.documents.0.document.content traceloop.entity.input traceloop.entity.output
    llm.request.functions.0.parameters llm.openai.messages llm.anthropic.content ai.prompt ai.prompt.messages
    ai.response.text ai.response.object ai.response.toolCalls ai.toolCall.args ai.toolCall.result ai.embeddings
    langfuse.observation.input langfuse.trace.output gcp.vertex.agent.llm_request gcp.vertex.agent.tool_response
    pydantic_ai.all_messages all_messages_events final_result events tool_arguments tool_response request_data
    response_data prompt request_text response_text function_args tool_input http.request.header.authorization
    pigou.content_kept content gen_ai.event.content gen_ai.embeddings.input gen_ai.memory.records gen_ai.memory.query.text
    traceloop.prompt.template_variables mlflow.spanInputs mlflow.traceOutputs mlflow.chat.messages mcp.request.argument.city
    mcp.tool.result.content mcp.prompt.result.message_content tool_parameters response.model_output body diff hook_input
""".split()  # noqa: SIM905 - names read better as words than as a list
NOT_CONTENT = """
    gen_ai.usage.input_tokens gen_ai.response.id gen_ai.response.model gen_ai.response.finish_reasons gen_ai.request.model
    gen_ai.tool.name gen_ai.tool.call.id gen_ai.operation.name gen_ai.agent.name input.mime_type output.mime_type
    llm.token_count.prompt llm.token_count.prompt_details.cache_read llm.cost.prompt llm.usage.total_tokens
    llm.request.type llm.model_name tool.name tool.description traceloop.entity.name ai.usage.promptTokens ai.response.id
    ai.response.finishReason ai.response.providerMetadata ai.toolCall.name langfuse.observation.usage_details
    gcp.vertex.agent.event_id agent_name model_name prompt_length duration_ms cost_usd user.id session.id
    metadata.usage_object hidden_params allocation.use http.response.status_code url.full embedding.model_name
    ai.prompt.format content_type gen_ai.event.name gen_ai.embeddings.dimension.count gen_ai.memory.store.id traceloop.prompt.key
    mlflow.chat.tokenUsage mlflow.spanType mcp.method.name mcp.tool.result.is_error response.has_tool_call body_ref body_length
""".split()  # noqa: SIM905 - names read better as words than as a list


@pytest.mark.parametrize("key", CONTENT)
def test_content(key: str) -> None:
    assert holds_content(key)


@pytest.mark.parametrize("key", NOT_CONTENT)
def test_not_content(key: str) -> None:
    assert not holds_content(key)


def test_no_count_of_any_dialect_is_content() -> None:
    tables = [getattr(dialect, "COUNTS", {}) for dialect in dialects()]
    assert sum(len(table) for table in tables) > 50
    assert not [name for table in tables for name in table if holds_content(name) and name not in ("input", "output")]


def test_dropping_leaves_the_number_behind() -> None:
    said: Attributes = {"input.value": "x", "output.value": "y"}
    assert stored_attributes({"a": 1}, said, ContentPolicy()) == {"a": 1, CONTENT_DROPPED: 2}
    assert stored_attributes({"a": 1}, {}, ContentPolicy()) == {"a": 1}


def test_what_is_kept_is_kept_apart() -> None:
    said: Attributes = {"input.value": "x", "output.value": "y"}
    policy = ContentPolicy(keep=True)
    assert stored_attributes({"a": 1}, said, policy) == {"a": 1}
    events: list[tuple[Event, Attributes]] = [
        (Event("plain", 1, {"b": 2}), {}),
        (Event("choice", 2, {}), {"gen_ai.completion": "z"}),
    ]
    text = kept_text(said, events, ["a body"], policy)
    assert text is not None
    assert text == Text(said, [(1, "choice", {"gen_ai.completion": "z"})], ["a body"])
    assert with_count({"a": 1}, text) == {"a": 1, CONTENT_KEPT: 4}


def test_nothing_is_no_text() -> None:
    assert kept_text({}, [(Event("plain", 1, {"b": 2}), {})], None, ContentPolicy(keep=True)) is None


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to jane.doe@mail.example.com now", "write to [e-mail] now"),
        ("OPENAI_API_KEY=sk-proj-abcdefghijklmnop1234", "OPENAI_API_KEY=[secret]"),
        ("ghp_" + "a" * 36, "[secret]"),
        ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
        ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [secret]"),
        ("postgresql://me:hunter22@db/x", "postgresql://[secret]@db/x"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "[secret]"),
        ("a task-force of sk-ill, at 5 @ noon", "a task-force of sk-ill, at 5 @ noon"),
    ],
)
def test_redaction(text: str, redacted: str) -> None:
    assert redact_personal(text) == redacted


def test_redaction_spares_identities_but_not_credentials_outside_content() -> None:
    policy = ContentPolicy(keep=True, redact=True)
    content: Attributes = {"gen_ai.input.messages": [{"content": "from a@b.example"}]}
    attributes: Attributes = {"user.id": "a@b.example", "url.full": "https://h/?key=AIza" + "x" * 35}
    assert stored_attributes(attributes, content, policy) == {"user.id": "a@b.example", "url.full": "https://h/?key=[secret]"}
    events: list[tuple[Event, Attributes]] = [(Event("choice", 1, {}), {"gen_ai.completion": "to c@d.example"})]
    assert kept_text(content, events, {"said": "a@b.example"}, policy) == Text(
        {"gen_ai.input.messages": [{"content": "from [e-mail]"}]},
        [(0, "choice", {"gen_ai.completion": "to [e-mail]"})],
        {"said": "[e-mail]"},
    )
