"""OpenAI SDK when things go wrong: what fails is not billed, and must not be booked.

Against a provider run with `--faults 2:rate_limit,4:abort` the second request is refused and retried by the
SDK, a model that is not on sale is replaced by another, and a stream breaks off half way and is asked again.
Watched by opentelemetry-instrumentation-genai-openai.
"""

import httpx2
from openai import APIConnectionError, NotFoundError, OpenAI
from opentelemetry import trace
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from telemetry import start_telemetry

QUESTIONS = ("Why does a discount above 1 make no sense?", "What should happen instead?")
MODELS = ("gpt-5-micro", "gpt-4.1-mini")

start_telemetry("bugfix-retries")
OpenAIInstrumentor().instrument()
tracer = trace.get_tracer("examples.openai_retries")


def ask(client: OpenAI, question: str) -> str:
    """The answer of the first model of the menu that exists."""
    for model in MODELS:
        try:
            completion = client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
        except NotFoundError:
            continue
        return completion.choices[0].message.content or ""
    raise RuntimeError("no model of the menu exists")


def ask_streaming(client: OpenAI, question: str, tries: int = 3) -> str:
    """A streamed answer; a stream that breaks off is asked again from the start, for the SDK does not."""
    for _ in range(tries):
        stream = client.chat.completions.create(
            model=MODELS[1],
            messages=[{"role": "user", "content": question}],
            stream=True,
            stream_options={"include_usage": True},
        )
        try:
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        except (APIConnectionError, httpx2.TransportError):
            continue
    raise RuntimeError("every stream broke off")


def main() -> None:
    """Run the example once."""
    client = OpenAI(max_retries=2)
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "explainer"}
    with tracer.start_as_current_span("invoke_agent explainer", attributes=agent):
        print(ask(client, QUESTIONS[0]))
        print(ask_streaming(client, QUESTIONS[1]))


if __name__ == "__main__":
    main()
