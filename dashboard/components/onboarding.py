"""What a newcomer sees before the first span: where to send it, and how."""

import dash_mantine_components as dmc
from dash import dcc, html

from dashboard.components.panel import Children
from dashboard.filters import LIVE_SECONDS

AGAIN = "first-call-again"


_OTHERS = (
    "Anthropic, LangGraph, Pydantic AI, LiteLLM, the OpenAI Agents SDK, Codex, Gemini CLI, vLLM and any OTel Collector are set up"
    " in as few lines: they stand in the README. Nothing of ours is installed in your agent."
)


_HEADERS = 'export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20TOKEN"\n'


def onboarding(endpoint: str, *, needs_token: bool) -> Children:
    """The next step, with an address that works as it stands. The class `onboarding` hides the empty panels below.

    `needs_token`: a credential was made, so that nothing is taken without one.
    """
    token = _HEADERS if needs_token else ""
    sdk = (
        "pip install opentelemetry-distro opentelemetry-exporter-otlp opentelemetry-instrumentation-genai-openai\n"
        "export OTEL_SERVICE_NAME=my-agent OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
        f"export OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}\n{token}"
        "opentelemetry-instrument python my_agent.py"
    )
    coding = (
        "export CLAUDE_CODE_ENABLE_TELEMETRY=1 OTEL_LOGS_EXPORTER=otlp OTEL_METRICS_EXPORTER=otlp\n"
        f"export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}\n{token}"
        "claude"
    )
    return [
        html.Div(
            [
                html.H1("No call has arrived yet.", className="headline"),
                html.P(
                    [
                        "Point any OpenTelemetry exporter at ",
                        html.Code(endpoint),
                        " (OTLP over HTTP): this page fills by itself.",
                    ],
                    className="change",
                ),
                *_credential(needs_token),
                *_steps("A Python agent on the OpenAI SDK", sdk),
                *_steps("Claude Code", coding),
                html.P(_OTHERS, className="note"),
                html.P(
                    [
                        "To see it filled first, run ", html.Code("pigou demo"), "; to find out why nothing arrives, ",
                        html.Code("pigou doctor"), ".",
                    ],
                    className="note",
                ),
            ],
            className="onboarding",
        ),
        dcc.Interval(id=AGAIN, interval=LIVE_SECONDS * 1000),
    ]  # fmt: skip


def _credential(needs_token: bool) -> Children:
    if not needs_token:
        return []
    return [
        html.P(
            [
                "Nothing is taken without a credential: ", html.Code("pigou credentials create my-agent"),
                " makes one that may send, and prints the token that stands for TOKEN below.",
            ],
            className="change",
        )
    ]  # fmt: skip


def _steps(heading: str, lines: str) -> Children:
    return [html.H2(heading), dmc.CodeHighlight(code=lines, language="bash", copyLabel="Copy", copiedLabel="Copied")]
