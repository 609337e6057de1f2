"""The pages in a real browser, over a real database that the real collector filled."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from dashboard import formats
from tests.agent_traffic import export, feed, fill, trace_spans
from tests.page import (
    ENDPOINT,
    READY_S,
    Served,
    choose,
    dashboard,
    database,
    opened,
    read_in_both_schemes,
    said,
    settled,
    shown_sql,
)  # fmt: skip

_AMOUNTS = (0, 0.00412345, 0.0000001, 0.9994, 0.9996, 1, 999, 999.4, 1000, 12_345, 59_999, 250_000, 7_500_000, 999_500_000)
TALLEST_BAR_OF_THE_SECOND_SERIES = """() => {
    const plot = document.querySelector('.panel-over_time .js-plotly-plot');
    const bars = [...plot.querySelectorAll('.trace.bars')[1].querySelectorAll('.point path')];
    const boxes = bars.map(bar => bar.getBoundingClientRect());
    const tallest = boxes.reduce((one, other) => (other.height > one.height ? other : one));
    return [plot.data[1].name, tallest.x + tallest.width / 2, tallest.y + tallest.height / 2];
}"""


@pytest.fixture(scope="module")
def served(server: str, template: str) -> Iterator[Served]:
    """A dashboard over a fortnight of traffic that ends now."""
    with database(server, template, "pigou_page") as dsn:
        fill(dsn, datetime.now(UTC), traces=70)
        with dashboard(dsn) as url:
            yield Served(url, dsn)


# ── the first page ───────────────────────────────────────────────────────────────────────────────────


def test_the_headline_says_what_the_books_say(context: BrowserContext, served: Served) -> None:
    page = opened(context, served)
    ((cost, calls, unpriced, tenants),) = served.sql(shown_total(page))
    headline = page.locator("h1").inner_text()
    assert formats.usd(cost) in headline
    assert f"by {tenants} tenants" in headline
    assert f"{formats.count(unpriced, 'call')} without a price" in headline
    assert page.locator(".fact-number").first.inner_text() == f"{calls:,}"


def shown_total(page: Page) -> str:
    """The total's own SQL, as shown, with the columns the headline speaks of."""
    return f"select cost_usd, calls, unpriced_calls, tenants from ({shown_sql(page, 'headline')}\n) as shown"


def test_the_sql_shown_runs_and_gives_what_is_drawn(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/spend?by=model")
    headline, kinds = page.locator("h1").inner_text(), said(page.locator("#section-token_kinds").inner_text())
    for panel in ("over_time", "combinations", "breakdown"):
        where = "where dimension = 'model'" if panel == "breakdown" else ""
        ((cost,),) = served.sql(f"select sum(cost_usd) from ({shown_sql(page, panel)}\n) as shown {where}")
        assert formats.usd(cost) in headline
    ((tokens,),) = served.sql(f"select sum(input_tokens) from ({shown_sql(page, 'token_kinds')}\n) as shown")
    assert said(formats.tokens(tokens)) in kinds
    expect(page.locator(".panel-over_time .js-plotly-plot .bars").first).to_be_visible()
    heights = page.evaluate(
        "document.querySelector('.panel-over_time .js-plotly-plot').data.flatMap(trace => trace.y).map(Number)"
    )
    ((cost,),) = served.sql(f"select sum(cost_usd) from ({shown_sql(page, 'over_time')}\n) as shown")
    assert isinstance(cost, Decimal)
    assert sum(heights) == pytest.approx(float(cost))


def test_a_value_narrows_the_page_and_back_widens_it(context: BrowserContext, served: Served) -> None:
    page = opened(context, served)
    before = page.locator("h1").inner_text()
    page.locator(".breakdown .share-row", has_text="gpt-4.1").first.click()
    expect(page).to_have_url(re.compile(r"\?model=gpt-4\.1(-mini)?$"))
    expect(page.locator(".pill")).to_contain_text("Model: gpt-4.1")
    expect(page.locator("h1")).not_to_have_text(before)
    narrowed = page.locator("h1").inner_text()
    page.go_back()
    expect(page.locator("h1")).to_have_text(before)
    expect(page.locator(".pill")).to_have_count(0)
    page.go_forward()
    expect(page.locator("h1")).to_have_text(narrowed)
    page.locator(".pill").click()
    expect(page.locator("h1")).to_have_text(before)


def test_a_bar_narrows_the_page_to_its_series(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/spend?by=tenant")
    expect(page.locator(".panel-over_time .plotly .trace.bars").first).to_be_visible()
    name, x, y = page.evaluate(TALLEST_BAR_OF_THE_SECOND_SERIES)
    page.mouse.move(x, y)
    expect(page.locator(".panel-over_time .hoverlayer .hovertext")).to_contain_text(name)
    for _ in range(20):  # the figure is drawn a moment before it listens; a reader clicks again, too
        page.mouse.click(x, y)
        page.wait_for_timeout(500)
        if "tenant=" in page.url:
            break
    expect(page).to_have_url(re.compile(rf"\?tenant={name}&by=tenant$"))


def test_a_drag_along_time_narrows_the_range(context: BrowserContext, served: Served) -> None:
    page = opened(context, served)
    box = page.locator(".panel-over_time .plotly .nsewdrag").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=8)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"\?since=[\d:TZ-]+&until=[\d:TZ-]+"))
    expect(page.locator("#range")).to_have_value("Chosen dates")


def test_controls_write_the_address(context: BrowserContext, served: Served) -> None:
    page = opened(context, served)
    choose(page, "#range", "Last 30 days")
    expect(page).to_have_url(re.compile(r"\?range=30d$"))
    expect(page.locator("h1")).to_contain_text("over 30 days")
    choose(page, "#add-filter", "researcher")
    expect(page).to_have_url(re.compile(r"range=30d&agent=researcher"))
    page.locator(".choices").get_by_role("link", name="Model").click()
    expect(page).to_have_url(re.compile(r"by=model,use,layer"))
    expect(page.locator(".panel-over_time .series-row").first).to_contain_text("claude")


def test_the_address_alone_brings_the_view_back(context: BrowserContext, served: Served) -> None:
    address = "/spend?range=7d&tenant=acme&tenant=globex&by=agent,model"
    first, second = opened(context, served, address), opened(context, served, address)
    assert first.locator("h1").inner_text() == second.locator("h1").inner_text()
    assert "by 2 tenants" in first.locator("h1").inner_text()


def test_what_an_address_gets_wrong_is_said(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/spend?range=fortnight")
    expect(page.locator(".problems")).to_contain_text("range=fortnight")


def test_a_range_without_calls_leads_to_those_there_are(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/spend?since=2020-01-01T00:00Z&until=2020-02-01T00:00Z")
    expect(page.locator("h1")).to_have_text("No calls from 1 Jan 2020 to 31 Jan 2020 UTC.")
    page.get_by_role("link", name="Show them").click()
    expect(page.locator("h1")).to_contain_text("spent from")


# ── calls and traces ─────────────────────────────────────────────────────────────────────────────────


def test_a_call_leads_to_its_trace_and_the_spans_sum_to_its_cost(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/calls?sort=-cost_usd")
    ((trace, cost),) = served.sql("select trace_id, cost_usd from ledger.calls order by cost_usd desc nulls last limit 1")
    row = page.locator(".ag-center-cols-container .ag-row").first
    expect(row).to_contain_text(formats.usd(cost))
    row.click()
    expect(page).to_have_url(re.compile(f"/trace/{trace}"))
    settled(page)
    spans = page.locator(".panel-trace_spans .ag-row")
    expect(spans.first).to_be_visible()
    ((whole, shown),) = served.sql(f"select sum(cost_usd), count(*) from ({shown_sql(page, 'trace_spans')}\n) as shown")
    ((in_books,),) = served.sql(f"select sum(cost_usd) from ledger.calls where trace_id = '{trace}'")
    assert whole == in_books
    assert formats.usd(whole) in page.locator("h1").inner_text()
    ids = page.locator(".panel-trace_spans .ag-pinned-left-cols-container .ag-row")
    assert ids.count() == shown
    assert page.locator(".time-bar.time-call").count() >= 2


def test_a_span_shows_what_it_said_and_what_the_books_made_of_it(context: BrowserContext, served: Served) -> None:
    ((trace, span),) = served.sql("select trace_id, span_id from ledger.calls where status = 'booked' limit 1")
    page = opened(context, served, f"/trace/{trace}")
    page.locator(f".panel-trace_spans .ag-center-cols-container .ag-row[row-id^='{span}|']").locator(".time-lane").click()
    panel = page.get_by_role("dialog")
    expect(panel).to_contain_text("gen_ai.usage.input_tokens")
    expect(panel).to_contain_text("What the books made of it")
    expect(panel).to_contain_text("booked")


def test_a_header_sorts_all_calls_through_the_address(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/calls")
    page.locator(".ag-header-cell", has_text="Latency").click()
    expect(page).to_have_url(re.compile(r"sort=-latency_ms"))
    ((slowest,),) = served.sql("select max(latency_ms) from ledger.calls")
    first = page.locator(".ag-center-cols-container .ag-row[row-index='0'] [col-id='latency_ms']")
    expect(first).to_have_text(formats.duration(slowest))


def test_statuses_are_counted_and_choose(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/calls?range=all")
    ((unpriced,),) = served.sql("select count(*) from ledger.calls where status = 'unpriced'")
    page.get_by_role("link", name=f"Unpriced{unpriced}").click()
    expect(page).to_have_url(re.compile(r"status=unpriced"))
    expect(page.locator(".panel-calls .note")).to_contain_text(f"{unpriced} calls")


def test_a_trace_of_thousands_of_spans_only_draws_what_is_in_sight(context: BrowserContext, served: Served) -> None:
    spans = trace_spans(random.Random(1), datetime.now(UTC) - timedelta(hours=7), calls=2500)
    trace = spans[0]["traceId"]
    (answer,) = feed(served.dsn, [export("acme", spans)])
    assert answer.outcome == "stored"
    page = opened(context, served, f"/trace/{trace}")
    expect(page.locator(".panel-trace_spans .note")).to_contain_text("5,001 spans")
    assert page.locator(".panel-trace_spans .ag-row").count() < 200
    page.evaluate("document.querySelector('.panel-trace_spans .ag-body-viewport').scrollTop = 1e6")
    expect(page.locator(".panel-trace_spans .ag-center-cols-container .ag-row[row-index='5000']")).to_be_visible()
    ((cost,),) = served.sql(f"select cost_usd from ledger.traces where trace_id = '{trace}'")
    assert formats.usd(cost) in page.locator("h1").inner_text()


def test_an_unknown_trace_says_so(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/trace/" + "0" * 31 + "9")
    expect(page.locator("h1")).to_have_text("The books know no trace by this id.")


# ── the books and the collector ──────────────────────────────────────────────────────────────────────


def test_the_ledger_page_shows_what_waits_and_that_the_books_balance(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/ledger")
    expect(page.locator("#section-suspense")).to_contain_text("pigou rates add")
    expect(page.locator("#section-suspense")).to_contain_text("suspense:unreadable")
    expect(page.locator("#section-trial_balance")).to_contain_text("Every line is zero")
    ((differing,),) = served.sql("select count(*) from ledger.control_totals where status = 'differs'")
    expect(page.locator("#section-control_totals .note")).to_contain_text(f"{differing} parent")


def test_the_ingest_page_shows_what_was_turned_away(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/ingest")
    expect(page.locator("#section-rejections")).to_contain_text("bad_trace_id")
    expect(page.locator("#section-conflicts .ag-row")).not_to_have_count(0)
    ((records,),) = served.sql("select sum(records) from ledger.ingest")
    expect(page.locator("h1")).to_contain_text(f"{records:,} records")


def test_a_table_can_be_taken_away_as_csv(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/calls?tenant=acme")
    with page.expect_download() as taken:
        page.locator("#section-calls").get_by_role("link", name="CSV").click()
    lines = taken.value.path().read_text().splitlines()
    ((calls,),) = served.sql(f"select sum(calls) from ({shown_sql(page, 'calls', 'calls_by_status')}\n) as shown")
    assert taken.value.suggested_filename == "pigou-calls.csv"
    assert len(lines) == calls + 1  # type: ignore[operator]


# ── living with it ───────────────────────────────────────────────────────────────────────────────────


def test_live_data_slides_in_and_what_is_read_stays(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/spend?live=1")
    expect(page.locator(".panel-over_time .plotly .trace.bars").first).to_be_visible()
    expect(page.locator("#section-combinations .ag-row").first).to_be_visible()
    read = ["#section-token_kinds h2", ".panel-over_time .js-plotly-plot", "#section-combinations .ag-root"]
    page.evaluate("read => read.forEach(one => { document.querySelector(one).isTheSame = true; })", read)
    page.evaluate("window.scrollTo(0, 700)")
    place = page.locator("#section-token_kinds h2")
    before, facts = place.bounding_box(), page.locator(".fact-number").first.inner_text()
    feed(served.dsn, [export("acme", trace_spans(random.Random(99), datetime.now(UTC) - timedelta(minutes=5), calls=6))])
    expect(page.locator(".fact-number").first).not_to_have_text(facts)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("read => read.map(one => document.querySelector(one).isTheSame)", read) == [True] * len(read)
    assert place.bounding_box() == before
    assert page.evaluate("window.scrollY") == 700
    ((cost,),) = served.sql(f"select cost_usd from ({shown_sql(page, 'headline')}\n) as shown")
    assert formats.usd(cost) in page.locator("h1").inner_text()


@pytest.mark.parametrize("address", ["/spend", "/calls", "/ledger", "/ingest"])
def test_a_phone_shows_every_page_in_light_and_dark(context: BrowserContext, served: Served, address: str) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(served.url + address)
    settled(page)
    expect(page.locator(".link.here")).to_have_text(address[1:].capitalize())
    read_in_both_schemes(page)
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")  # once the figures have followed


def test_dark_and_light_can_be_switched_by_hand(context: BrowserContext, served: Served) -> None:
    page = opened(context, served)
    page.get_by_label("Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")


def test_cells_read_as_the_rest_of_the_page_does(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/calls")
    for name, function in (("usd", formats.usd), ("tokens", formats.tokens), ("duration", formats.duration)):
        for value in _AMOUNTS:
            in_cell = page.evaluate(f"value => window.dashAgGridFunctions.{name}(value)", value)
            assert in_cell == function(value), (name, value)


def test_an_empty_ledger_says_what_to_do_and_fills_by_itself(context: BrowserContext, server: str, template: str) -> None:
    with database(server, template, "pigou_empty") as dsn, dashboard(dsn) as url:
        served = Served(url, dsn)
        page = opened(context, served)
        expect(page.locator("h1")).to_have_text("No call has arrived yet.")
        expect(page.locator(".onboarding")).to_contain_text(f"OTEL_EXPORTER_OTLP_ENDPOINT={ENDPOINT}")
        expect(page.locator("#section-combinations")).to_be_hidden()
        feed(dsn, [export("acme", trace_spans(random.Random(3), datetime.now(UTC) - timedelta(minutes=3)))])
        expect(page.locator("h1")).to_contain_text("by 1 tenant")
        expect(page.locator("#section-combinations .ag-row").first).to_be_visible()
        page.close()


def test_a_database_that_goes_away_is_said_and_forgotten_when_it_returns(
    context: BrowserContext, server: str, template: str
) -> None:
    with database(server, template, "pigou_away") as dsn, dashboard(dsn) as url:
        feed(dsn, [export("acme", trace_spans(random.Random(3), datetime.now(UTC) - timedelta(minutes=3)))])
        page = opened(context, Served(url, dsn))
        expect(page.locator("h1")).to_contain_text("by 1 tenant")
        with psycopg.connect(server, autocommit=True) as owner:
            owner.execute("alter database pigou_away allow_connections false")
            owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'pigou_away'")
            page.reload()
            expect(page.locator("#section-headline .trouble")).to_contain_text("pigou up")
            owner.execute("alter database pigou_away allow_connections true")
        expect(page.locator("h1")).to_contain_text("by 1 tenant")
        expect(page.locator(".trouble")).to_have_count(0)
        page.close()


def test_a_taken_port_is_one_clear_line(served: Served) -> None:
    port = served.url.rsplit(":", 1)[1]
    ended = subprocess.run(
        [sys.executable, "-m", "dashboard", "--dsn", served.dsn, "--port", port],
        capture_output=True,
        text=True,
        timeout=READY_S,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"dashboard: cannot listen on 127.0.0.1:{port}")
