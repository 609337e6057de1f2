"""OpenAI SDK, watched by OpenInference (openinference-instrumentation-openai).

Shows chat completions streamed from first to last, tool calls included.
"""

import json

from bugfix import INSTRUCTIONS, TASK, TOOL_SCHEMAS, Workspace, json_schema, open_workspace
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from openinference.semconv.trace import OpenInferenceSpanKindValues, SpanAttributes
from opentelemetry import trace
from telemetry import start_telemetry

MODEL = "gpt-5-mini"
TOOLS: list[ChatCompletionToolUnionParam] = [
    {"type": "function", "function": {"name": tool, "parameters": json_schema(tool), "strict": True}} for tool in TOOL_SCHEMAS
]

tracer_provider = start_telemetry("bugfix-openai-openinference")
OpenAIInstrumentor().instrument(tracer_provider=tracer_provider)
tracer = trace.get_tracer("examples.openai_openinference")


def kind(of: OpenInferenceSpanKindValues, **more: str) -> dict[str, str]:
    """Attributes of a span that is made by hand."""
    return {SpanAttributes.OPENINFERENCE_SPAN_KIND: of.value, **more}


def run_agent(client: OpenAI, workspace: Workspace) -> str:
    """Talk to the model until it calls no more tools, and return its last words."""
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": TASK},
    ]
    while True:
        # Without `include_usage` a stream tells nobody what it used.
        with client.chat.completions.stream(
            model=MODEL, messages=messages, tools=TOOLS, stream_options={"include_usage": True}
        ) as stream:
            message = stream.get_final_completion().choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(
            {
                "role": "assistant",
                "content": message.content,
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.function.name, "arguments": call.function.arguments},
                    }
                    for call in message.tool_calls
                ],
            }
        )
        for call in message.tool_calls:
            name = call.function.name
            with tracer.start_as_current_span(name, attributes=kind(OpenInferenceSpanKindValues.TOOL)):
                result = workspace.call(name, json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def main() -> None:
    """Run the example once."""
    agent = kind(OpenInferenceSpanKindValues.AGENT, **{SpanAttributes.AGENT_NAME: "bugfixer"})
    with (
        open_workspace() as workspace,
        using_attributes(session_id="session-1", user_id="user-1", tags=["examples"]),
        tracer.start_as_current_span("bugfixer", attributes=agent),
    ):
        print(run_agent(OpenAI(), workspace))


if __name__ == "__main__":
    main()
