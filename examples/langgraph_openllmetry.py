"""LangGraph, watched by OpenLLMetry (opentelemetry-instrumentation-langchain).

Shows a graph built by hand: a model node and a tool node that take turns until no tool is called.
"""

from bugfix import INSTRUCTIONS, TASK, open_workspace
from langchain_core.messages import BaseMessage, SystemMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from telemetry import start_telemetry

MODEL = "gpt-5-mini"


def main() -> None:
    """Run the example once."""
    tracer_provider = start_telemetry("bugfix-langgraph-openllmetry")
    LangchainInstrumentor().instrument(tracer_provider=tracer_provider)
    with open_workspace() as workspace:
        model = ChatOpenAI(model=MODEL).bind_tools(workspace.tools())

        def think(state: MessagesState) -> dict[str, list[BaseMessage]]:
            """Ask the model what to do next."""
            return {"messages": [model.invoke([SystemMessage(INSTRUCTIONS), *state["messages"]])]}

        graph = StateGraph(MessagesState)
        graph.add_node("think", think)
        graph.add_node("tools", ToolNode(workspace.tools()))
        graph.add_edge(START, "think")
        graph.add_conditional_edges("think", tools_condition)
        graph.add_edge("tools", "think")
        final = graph.compile(name="bugfixer").invoke({"messages": [("user", TASK)]})
        print(final["messages"][-1].text)


if __name__ == "__main__":
    main()
