"""OpenAI Agents SDK, watched by OpenTelemetry's own instrumentation
(opentelemetry-instrumentation-genai-openai-agents, and …-genai-openai for the model calls).

Shows a hand-off from a triage agent to the one that mends, and a colleague asked as a tool.
"""

import asyncio

from agents import Agent, ModelSettings, Runner, function_tool
from bugfix import INSTRUCTIONS, TASK, open_workspace
from openai.types.shared import Reasoning
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor
from telemetry import start_telemetry

MODEL = "gpt-6.1-terra"
TRIAGE_MODEL = "gpt-4.1-mini"


async def main() -> None:
    """Run the example once."""
    start_telemetry("bugfix-openai-agents-genai")
    # Agents and tools are reported by one instrumentation, the model calls below them by the other. The SDK's
    # own exporter, which would send traces to the vendor, is taken away.
    OpenAIAgentsInstrumentor().instrument(disable_openai_trace_export=True)
    OpenAIInstrumentor().instrument()
    with open_workspace() as workspace:
        reviewer = Agent(name="reviewer", instructions="You review changes in one sentence.", model=TRIAGE_MODEL)
        ask_reviewer = reviewer.as_tool("ask_reviewer", "Ask a colleague to review a change.")
        bugfixer = Agent(
            name="bugfixer",
            instructions=INSTRUCTIONS,
            model=MODEL,
            model_settings=ModelSettings(reasoning=Reasoning(effort="low")),
            tools=[*map(function_tool, workspace.tools()), ask_reviewer],
        )
        triage = Agent(
            name="triage",
            instructions="You hand each task to the colleague it belongs to.",
            model=TRIAGE_MODEL,
            handoffs=[bugfixer],
        )
        run = Runner.run_streamed(triage, TASK)
        async for _ in run.stream_events():
            continue
        print(run.final_output)


if __name__ == "__main__":
    asyncio.run(main())
