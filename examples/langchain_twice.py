"""LangChain and the OpenAI SDK below it, both watched at once: every call is reported twice.

OpenInference reports the call as LangChain made it, OpenTelemetry's own instrumentation reports the same
call as the OpenAI SDK sent it, nested inside. It was sold once, so it must be booked once.
"""

from bugfix import INSTRUCTIONS, TASK, open_workspace
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry import trace
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from telemetry import start_telemetry

MODEL = "gpt-5-mini"


def main() -> None:
    """Run the example once."""
    tracer_provider = start_telemetry("bugfix-langchain-twice")
    LangChainInstrumentor().instrument(tracer_provider=tracer_provider)
    OpenAIInstrumentor().instrument(tracer_provider=tracer_provider)
    tracer = trace.get_tracer("examples.langchain_twice")
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "bugfixer"}
    with (
        open_workspace() as workspace,
        tracer.start_as_current_span("invoke_agent bugfixer", attributes=agent),
    ):
        tools = {function.__name__: tool(function) for function in workspace.tools()}
        model = ChatOpenAI(model=MODEL, stream_usage=True).bind_tools(list(tools.values()))
        messages: list[BaseMessage] = [SystemMessage(INSTRUCTIONS), HumanMessage(TASK)]
        while True:
            answer = model.invoke(messages)
            messages.append(answer)
            if not answer.tool_calls:
                break
            messages += [tools[call["name"]].invoke(call) for call in answer.tool_calls]
        changelog = HumanMessage("Put this in one line for the changelog.")
        print("".join(chunk.text for chunk in model.stream([*messages, changelog])))


if __name__ == "__main__":
    main()
