"""What a newcomer sees before the first span: where to send it, and how."""

import dash_mantine_components as dmc
from dash import dcc, html

from dashboard.components.panel import Children
from dashboard.filters import LIVE_SECONDS

AGAIN = "first-call-again"


def onboarding(endpoint: str) -> Children:
    """The next step, with an address that works as it stands. The class `onboarding` hides the empty panels below."""
    snippet = (
        "pip install opentelemetry-distro opentelemetry-exporter-otlp opentelemetry-instrumentation-openai-v2\n"
        "export OTEL_SERVICE_NAME=my-agent OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
        f"export OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}\n"
        "opentelemetry-instrument python my_agent.py"
    )
    return [
        html.Div(
            [
                html.H1("No call has arrived yet.", className="headline"),
                html.P(
                    [
                        "Point any OpenTelemetry exporter at ",
                        html.Code(endpoint),
                        " (OTLP over HTTP). For a Python agent on the OpenAI SDK:",
                    ],
                    className="change",
                ),
                dmc.CodeHighlight(code=snippet, language="bash", copyLabel="Copy", copiedLabel="Copied"),
                html.P(
                    [
                        "Nothing of ours is installed in your agent. This page looks again every five seconds. ",
                        "To see it filled first, run ",
                        html.Code("pigou demo"),
                        "; to find out why nothing arrives, ",
                        html.Code("pigou doctor"),
                        ".",
                    ],
                    className="note",
                ),
            ],
            className="onboarding",
        ),
        dcc.Interval(id=AGAIN, interval=LIVE_SECONDS * 1000),
    ]
