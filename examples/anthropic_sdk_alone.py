"""Anthropic SDK with nothing added: since 2.x it reports its calls itself wherever OpenTelemetry is set up.

Shows two users of one prompt cache: instructions kept for an hour, a conversation kept for five minutes.
"""

from anthropic import Anthropic
from anthropic.types import TextBlockParam
from opentelemetry import trace
from telemetry import start_telemetry

MODEL = "claude-haiku-4-5"
SYSTEM: list[TextBlockParam] = [
    {
        "type": "text",
        "text": "You explain failing tests in one sentence.",
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
]
QUESTIONS = (
    "total([60, 40], discount=0.25) is 125 and should be 75. Why?",
    "test_discount_lowers_the_total fails with 125.0 != 75. Why?",
)

start_telemetry("bugfix-anthropic-sdk")
tracer = trace.get_tracer("examples.anthropic_sdk_alone")


def explain(client: Anthropic, question: str) -> str:
    """One streamed answer."""
    with client.messages.stream(
        model=MODEL,
        max_tokens=4_000,
        system=SYSTEM,
        messages=[{"role": "user", "content": question}],
        thinking={"type": "enabled", "budget_tokens": 1_024},
        cache_control={"type": "ephemeral"},
    ) as stream:
        return stream.get_final_text()


def main() -> None:
    """Run the example once."""
    client = Anthropic()
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "explainer"}
    with tracer.start_as_current_span("invoke_agent explainer", attributes=agent):
        for question in QUESTIONS:
            print(explain(client, question))


if __name__ == "__main__":
    main()
