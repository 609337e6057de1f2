"""Anthropic SDK, watched by OpenTelemetry's own opentelemetry-instrumentation-genai-anthropic.

Shows the prompt cache with both times to live (instructions for an hour, the conversation for five minutes),
thinking, and a streamed last turn. The SDK reports each call too, in a span below the instrumentation's.
"""

from anthropic import Anthropic
from anthropic.types import MessageParam, TextBlockParam, ToolParam, ToolResultBlockParam
from bugfix import INSTRUCTIONS, TASK, TOOL_SCHEMAS, Workspace, json_schema, open_workspace
from opentelemetry import trace
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from telemetry import start_telemetry

MODEL = "claude-sonnet-5-5"
SYSTEM: list[TextBlockParam] = [{"type": "text", "text": INSTRUCTIONS, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
TOOLS: list[ToolParam] = [{"name": tool, "input_schema": json_schema(tool)} for tool in TOOL_SCHEMAS]

start_telemetry("bugfix-anthropic-genai")
AnthropicInstrumentor().instrument()
tracer = trace.get_tracer("examples.anthropic_otel_genai")


def run_agent(client: Anthropic, workspace: Workspace) -> list[MessageParam]:
    """Talk to the model until it calls no more tools, and return the conversation."""
    messages: list[MessageParam] = [{"role": "user", "content": TASK}]
    while True:
        message = client.messages.create(
            model=MODEL,
            max_tokens=4_000,
            system=SYSTEM,
            tools=TOOLS,
            messages=messages,
            cache_control={"type": "ephemeral"},
        )
        messages.append({"role": "assistant", "content": [block.to_dict() for block in message.content]})  # pyright: ignore[reportArgumentType]
        results: list[ToolResultBlockParam] = []
        for block in message.content:
            if block.type != "tool_use":
                continue
            attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": block.name}
            with tracer.start_as_current_span(f"execute_tool {block.name}", attributes=attributes):
                arguments = {name: str(value) for name, value in block.input.items()}
                result = workspace.call(block.name, arguments)
            results.append({"type": "tool_result", "tool_use_id": block.id, "content": result})
        if not results:
            return messages
        messages.append({"role": "user", "content": results})


def summarise(client: Anthropic, messages: list[MessageParam]) -> str:
    """Stream a last turn of the same conversation, with thinking."""
    question: MessageParam = {"role": "user", "content": "Put this in one line for the changelog."}
    with client.messages.stream(
        model=MODEL,
        max_tokens=4_000,
        system=SYSTEM,
        tools=TOOLS,
        messages=[*messages, question],
        thinking={"type": "enabled", "budget_tokens": 1_024},
        cache_control={"type": "ephemeral"},
    ) as stream:
        return stream.get_final_text()


def main() -> None:
    """Run the example once."""
    client = Anthropic()
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "bugfixer"}
    with (
        open_workspace() as workspace,
        tracer.start_as_current_span("invoke_agent bugfixer", attributes=agent),
    ):
        print(summarise(client, run_agent(client, workspace)))


if __name__ == "__main__":
    main()
