"""Pydantic AI with its own instrumentation: an agent with tools that asks a second agent to review.

Shows agent runs that repeat the usage of the calls below them, a sub-agent, and a streamed run.
"""

import asyncio

from bugfix import INSTRUCTIONS, TASK, open_workspace
from pydantic_ai import Agent, InstrumentationSettings
from telemetry import start_telemetry

MODEL = "openai-chat:gpt-5-mini"
REVIEWER_MODEL = "openai-responses:gpt-4.1-mini"


async def main() -> None:
    """Run the example once."""
    tracer_provider = start_telemetry("bugfix-pydantic-ai")
    Agent.instrument_all(InstrumentationSettings(tracer_provider=tracer_provider, include_content=False))
    reviewer = Agent(REVIEWER_MODEL, name="reviewer", instructions="You review changes in one sentence.")
    with open_workspace() as workspace:
        bugfixer = Agent(MODEL, name="bugfixer", instructions=INSTRUCTIONS, tools=workspace.tools())

        @bugfixer.tool_plain
        async def ask_reviewer(question: str) -> str:
            """Ask a colleague to review a change."""
            async with reviewer.run_stream(question) as review:
                return await review.get_output()

        run = await bugfixer.run(TASK)
        print(run.output)


if __name__ == "__main__":
    asyncio.run(main())
