"""LiteLLM with its own OpenTelemetry callback, on an OpenAI and an Anthropic model.

Shows one agent that asks two vendors through one interface, and a streamed last turn.
"""

import json
import logging
import os

# LiteLLM would fetch its price list from the internet when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from bugfix import INSTRUCTIONS, TASK, TOOL_SCHEMAS, Workspace, json_schema, open_workspace
from litellm.integrations.opentelemetry import OpenTelemetry
from telemetry import start_telemetry

MODEL = "openai/gpt-5-mini"
REVIEWER_MODEL = "anthropic/claude-haiku-4-5"
TOOLS = [{"type": "function", "function": {"name": tool, "parameters": json_schema(tool)}} for tool in TOOL_SCHEMAS]


def run_agent(workspace: Workspace) -> str:
    """Talk to the model until it calls no more tools, and return its last words."""
    messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": TASK}]
    while True:
        message = litellm.completion(model=MODEL, messages=messages, tools=TOOLS).choices[0].message
        if not message.tool_calls:
            return message.content
        calls = [call.model_dump() for call in message.tool_calls]
        messages.append({"role": "assistant", "content": message.content, "tool_calls": calls})
        for call in message.tool_calls:
            result = workspace.call(call.function.name, json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def review(findings: str) -> str:
    """Stream a second opinion from another vendor's model; the long instructions are cached for an hour."""
    instructions = {
        "type": "text",
        "text": "You review changes in one sentence.",
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
    stream = litellm.completion(
        model=REVIEWER_MODEL,
        messages=[{"role": "system", "content": [instructions]}, {"role": "user", "content": findings}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def main() -> None:
    """Run the example once."""
    tracer_provider = start_telemetry("bugfix-litellm")
    # It warns that its proxy is not installed, which nobody here wants.
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    litellm.callbacks = [OpenTelemetry(tracer_provider=tracer_provider)]
    with open_workspace() as workspace:
        findings = run_agent(workspace)
    print(review(findings))


if __name__ == "__main__":
    main()
