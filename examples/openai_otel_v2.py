"""OpenAI SDK, watched by OpenTelemetry's older instrumentation (opentelemetry-instrumentation-openai-v2).

Shows chat completions, whole and streamed, an embedding, and an agent span and tool spans made by hand.
"""

import json

from bugfix import INSTRUCTIONS, TASK, TOOL_SCHEMAS, Workspace, json_schema, open_workspace
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam
from opentelemetry import trace
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from telemetry import start_telemetry

MODEL = "gpt-5-mini"
TOOLS: list[ChatCompletionToolUnionParam] = [
    {"type": "function", "function": {"name": tool, "parameters": json_schema(tool)}} for tool in TOOL_SCHEMAS
]

start_telemetry("bugfix-openai-v2")
OpenAIInstrumentor().instrument()
tracer = trace.get_tracer("examples.openai_otel_v2")


def run_agent(client: OpenAI, workspace: Workspace) -> str:
    """Talk to the model until it calls no more tools, and return its last words."""
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": TASK},
    ]
    while True:
        completion = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
        message = completion.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(
            {
                "role": "assistant",
                "content": message.content,
                "tool_calls": [call.to_dict() for call in message.tool_calls],  # pyright: ignore[reportArgumentType]
            }
        )
        for call in message.tool_calls:
            if call.type != "function":
                raise ValueError(f"unexpected call of type {call.type}")
            name = call.function.name
            attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
            with tracer.start_as_current_span(f"execute_tool {name}", attributes=attributes):
                result = workspace.call(name, json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def summarise(client: OpenAI, text: str) -> str:
    """Stream a summary. Without `include_usage` a stream tells nobody what it used."""
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": f"Put this in one line for the changelog: {text}"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def main() -> None:
    """Run the example once."""
    client = OpenAI()
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "bugfixer"}
    with (
        open_workspace() as workspace,
        tracer.start_as_current_span("invoke_agent bugfixer", attributes=agent),
    ):
        client.embeddings.create(model="text-embedding-3-small", input=TASK)
        findings = run_agent(client, workspace)
        print(summarise(client, findings))


if __name__ == "__main__":
    main()
