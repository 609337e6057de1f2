"""LangChain's agent, watched by OpenTelemetry's own opentelemetry-instrumentation-genai-langchain.

Shows an agent that LangChain builds on LangGraph, streamed, so that its model calls stream too.
"""

from bugfix import INSTRUCTIONS, TASK, open_workspace
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor
from telemetry import start_telemetry

MODEL = "gpt-5-mini"


def main() -> None:
    """Run the example once."""
    tracer_provider = start_telemetry("bugfix-langchain-genai")
    LangChainInstrumentor().instrument(tracer_provider=tracer_provider)
    with open_workspace() as workspace:
        model = ChatOpenAI(model=MODEL, stream_usage=True)
        agent = create_agent(model, workspace.tools(), system_prompt=INSTRUCTIONS, name="bugfixer")
        for token, metadata in agent.stream({"messages": [("user", TASK)]}, stream_mode="messages"):
            if metadata["langgraph_node"] == "model":
                print(token.text, end="\n" if token.chunk_position == "last" else "", flush=True)


if __name__ == "__main__":
    main()
