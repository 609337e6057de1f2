"""OpenAI SDK, watched by OpenTelemetry's newer instrumentation (opentelemetry-instrumentation-genai-openai).

Shows the Responses API: stored conversations continued by `previous_response_id`, the last turn streamed.
"""

import json

from bugfix import INSTRUCTIONS, TASK, TOOL_SCHEMAS, Workspace, json_schema, open_workspace
from openai import OpenAI
from openai.types.responses import FunctionToolParam, ResponseInputItemParam
from opentelemetry import trace
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from telemetry import start_telemetry

MODEL = "gpt-6.1-terra"
TOOLS: list[FunctionToolParam] = [
    {"type": "function", "name": tool, "parameters": json_schema(tool), "strict": True} for tool in TOOL_SCHEMAS
]

start_telemetry("bugfix-openai-genai")
OpenAIInstrumentor().instrument()
tracer = trace.get_tracer("examples.openai_otel_genai")


def run_agent(client: OpenAI, workspace: Workspace) -> str:
    """Talk to the model until it calls no more tools, and return the id of its last response."""
    inputs: list[ResponseInputItemParam] = [{"role": "user", "content": TASK}]
    previous_id: str | None = None
    while True:
        response = client.responses.create(
            model=MODEL,
            instructions=INSTRUCTIONS,
            input=inputs,
            tools=TOOLS,
            previous_response_id=previous_id,
        )
        previous_id = response.id
        inputs = []
        for item in response.output:
            if item.type != "function_call":
                continue
            attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": item.name}
            with tracer.start_as_current_span(f"execute_tool {item.name}", attributes=attributes):
                result = workspace.call(item.name, json.loads(item.arguments))
            inputs.append({"type": "function_call_output", "call_id": item.call_id, "output": result})
        if not inputs:
            return response.id


def summarise(client: OpenAI, response_id: str) -> str:
    """Stream a last turn of the same conversation."""
    question = "Put this in one line for the changelog."
    with client.responses.stream(model=MODEL, input=question, previous_response_id=response_id) as stream:
        return stream.get_final_response().output_text


def main() -> None:
    """Run the example once."""
    client = OpenAI()
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "bugfixer"}
    with (
        open_workspace() as workspace,
        tracer.start_as_current_span("invoke_agent bugfixer", attributes=agent),
    ):
        client.embeddings.create(model="text-embedding-3-small", input=TASK)
        last_id = run_agent(client, workspace)
        print(summarise(client, last_id))


if __name__ == "__main__":
    main()
