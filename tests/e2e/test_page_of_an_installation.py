"""From a real SDK's exporter to a real browser: a whole installation, with nothing of ours in between but itself."""

from __future__ import annotations

import re

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from playwright.sync_api import expect

from dashboard import formats
from tests.browser import chromium
from tests.page import PATIENCE_MS, Served, opened, settled, window
from tests.pigou_process import RunningPigou

TENANT = "page-of-an-installation"
USAGE = {"gen_ai.usage.input_tokens": 12_000, "gen_ai.usage.cache_read.input_tokens": 4_000, "gen_ai.usage.output_tokens": 700}


def one_call(endpoint: str) -> str:
    """An agent's span with one model call below, exported by the SDK, which returns when it is stored; answers the trace's id."""
    provider = TracerProvider(resource=Resource({"service.name": "agent", "tenant.id": TENANT}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    tracer = provider.get_tracer("opentelemetry.instrumentation.genai.openai", "1.3b0")
    with tracer.start_as_current_span("invoke_agent helper", attributes={"gen_ai.agent.name": "helper"}) as root:
        named = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4.1"}
        with tracer.start_as_current_span("chat gpt-4.1", attributes={**named, **USAGE}):
            pass
    provider.shutdown()
    return f"{root.get_span_context().trace_id:032x}"


def test_what_an_sdk_exports_is_on_the_page_to_the_cent(pigou: RunningPigou) -> None:
    trace = one_call(pigou.http_endpoint)
    ((cost,),) = pigou.sql("select sum(cost_usd) from ledger.calls where tenant = %s", TENANT)
    assert cost is not None
    served = Served(pigou.dashboard_url, pigou.dsn)
    with chromium() as browser, window(browser, width=1440, height=900) as (context, faults):
        expect.set_options(timeout=PATIENCE_MS)
        page = opened(context, served, f"/calls?tenant={TENANT}")
        page.locator(".ag-center-cols-container .ag-row").first.click()
        expect(page).to_have_url(re.compile(f"/trace/{trace}"))
        settled(page)
        expect(page.locator("h1")).to_contain_text(f"invoke_agent helper: {formats.usd(cost)} for 1 call in")
        page.goto(f"{pigou.dashboard_url}/?tenant={TENANT}")
        settled(page)
        expect(page.locator("h1")).to_contain_text(f"{formats.usd(cost)} spent over 14 days by 1 tenant; 100")
        assert not faults
