"""The pages of misallocation in a real browser: from the headline to one decision and its trace, the numbers being the SQL's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import pytest
from playwright.sync_api import BrowserContext, expect

from dashboard import formats
from tests.agent_traffic import fill
from tests.appraised import HOSTILE, judge
from tests.books import serving
from tests.found import find, warn
from tests.page import Served, choose, dashboard, database, opened, read_in_both_schemes, settled, shown_sql

PAGES = (
    "/",
    "/findings",
    "/finding?id=1",
    "/alerts",
    "/alerts?alert=2",
    "/prices",
    "/layers",
    "/find?q=u",
    "/allocation",
    "/decisions",
    "/decision?id=",
)
PLACE_OF_A_DOT = """kind => {
    const plot = document.querySelector('.panel-equimarginal .js-plotly-plot');
    const index = plot.data.findIndex(trace => trace.customdata[0][0] === kind);
    const box = plot.querySelectorAll('.scatterlayer .trace')[index].querySelector('.point').getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
}"""


@pytest.fixture(scope="module")
def served(server: str, template: str) -> Iterator[Served]:
    """A dashboard over a fortnight of traffic whose decisions are judged, with findings and alerts, beside a collector."""
    with database(server, template, "pigou_page_allocation") as dsn:
        fill(dsn, datetime.now(UTC), traces=60)
        judge(dsn)
        find(dsn)
        warn(dsn)
        with serving(dsn) as collector, dashboard(dsn, f"http://{collector.http}") as url:
            yield Served(url, dsn)


def decided(served: Served, kind: str) -> str:
    """The id of a decision of a kind."""
    ((identity,),) = served.sql(f"select decision_id from ledger.decisions where kind = '{kind}' order by decided_at limit 1")
    return str(identity)


def test_the_headline_leads_to_the_decision_that_loses_most_and_to_its_trace(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/allocation")
    headline = page.locator("h1").inner_text()
    question = shown_sql(page, "allocation_headline", "regret_total")
    ((usd, low, high),) = served.sql(f"select usd_per_day, low_usd_per_day, high_usd_per_day from ({question}\n) as shown")
    assert headline.startswith(f"{formats.usd_estimate(usd, low, high)} a day recoverable ({formats.usd_interval(low, high)})")
    page.get_by_role("link", name="see the decisions").click()
    expect(page).to_have_url(re.compile(r"/decisions\?task_class=code\.fix_test&kind=verify&chosen=0"))
    settled(page)
    ((lost,),) = served.sql(f"select max(regret_usd) from ({shown_sql(page, 'decisions', 'decisions')}\n) as shown")
    first = page.locator(".ag-center-cols-container .ag-row[row-index='0']")
    expect(first.locator("[col-id='regret_usd']")).to_have_text(formats.usd(lost))
    first.click()
    expect(page).to_have_url(re.compile(r"/decision\?tenant=\w+&id=[0-9a-f-]{36}"))
    expect(page.locator("h1")).to_contain_text("1 check would have brought $1.30 more ($1.10 to $1.50).")
    settled(page)
    options = shown_sql(page, "decision_options", "decision_options")
    ((best, net, error),) = served.sql(f"select option, net_usd, error_usd from ({options}\n) as shown where is_best")
    best_row = page.locator(".options tr.best")
    expect(best_row).to_contain_text(f"{formats.option('verify', best)}best")
    ((chosen_net,),) = served.sql(
        f"select net_usd from ({shown_sql(page, 'decision_options', 'decision_options')}\n) as shown where is_chosen"
    )
    gain, margin = float(cast(float, net)) - float(cast(float, chosen_net)), 1.959964 * float(cast(float, error))
    ends = gain - margin, gain + margin
    expect(best_row).to_contain_text(f"+{formats.usd_estimate(gain, *ends)}{formats.usd_interval(*ends)}")
    address = page.url
    page.locator(".panel-decision_verdict a[href^='/trace/']").click()
    expect(page.locator("#section-trace_decisions")).to_contain_text("outcome 0.90 by feedback")
    page.locator("#section-trace_decisions .cell-link").first.click()
    expect(page).to_have_url(address)


def test_the_overview_leads_to_the_biggest_finding_its_decision_and_trace(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/")
    question = shown_sql(page, "overview_headline", "findings_total")
    ((usd, low, high),) = served.sql(f"select usd_per_day, low, high from ({question}\n) as shown")
    expect(page.locator("h1")).to_contain_text(f"{formats.usd_estimate(usd, low, high)} a day recoverable")
    page.locator("h1 a").click()
    expect(page).to_have_url(re.compile(r"/finding\?tenant=\w+&id=1$"))
    settled(page)
    question = shown_sql(page, "finding_terms")
    ((cost, least, most),) = served.sql(f"select usd_per_day, low, high from ({question}\n) as shown where name = 'ΔC'")
    drawn = page.locator(".panel-finding_terms .annotation-text", has_text="ΔC")
    expect(drawn).to_contain_text(f"{formats.usd_estimate(cost, least, most)} ({formats.usd_interval(least, most)})")
    page.locator(".panel-finding_examples [col-id='decided_said'] .cell-link").click()
    expect(page).to_have_url(re.compile(r"/decision\?tenant=\w+&id=[0-9a-f-]{36}"))
    settled(page)
    page.locator(".panel-decision_verdict a[href^='/trace/']").click()
    expect(page.locator(".panel-trace_spans .ag-row").first).to_be_visible()


def test_alerts_are_triaged(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/alerts")
    expect(page.locator("h1")).to_contain_text("3 alerts not resolved, 1 of them critical; nobody looks after any of them")
    page.locator(".panel-alerts .ag-header-select-all input").check()
    expect(page.locator("#act-chosen")).to_have_text("3 alerts ticked:")
    page.locator(".act-acknowledge").click()
    expect(page.locator("#act-said")).to_contain_text("write your name")
    page.locator("#act-who").fill("ann")
    page.locator("#act-note").fill("<b>looking</b>")
    page.locator(".act-acknowledge").click()
    expect(page.locator("#act-said")).to_have_text("3 alerts acknowledged.")
    expect(page.locator("h1")).not_to_contain_text("nobody")
    page.locator(".panel-alerts .ag-row", has_text="critical").locator("[col-id='message']").click()
    expect(page).to_have_url(re.compile(r"/alerts\?tenant=\w+&alert=1$"))
    expect(page.locator(".panel-alert_history .ag-row").first).to_contain_text("<b>looking</b>")
    page.locator(".act-resolve").click()
    expect(page.locator("#act-said")).to_have_text("1 alert resolved.")
    page.get_by_role("link", name="Alerts", exact=True).last.click()
    expect(page.locator(".panel-alerts .ag-center-cols-container .ag-row")).to_have_count(2)
    ((who, state),) = served.sql(
        "select e.who, a.state from ledger.alerts a join ledger.alert_events e using (tenant, alert_id)"
        " where a.severity = 'critical' and e.event = 'resolved'"
    )
    assert (who, state) == ("ann", "resolved")


def test_a_quote_follows_the_menu_and_the_prices_tried(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/prices")
    page.locator("#quote-menu").fill("small, 0.9, 0.002, 2, 0\nlarge, 0.96, 0.05, 6, 0")
    page.locator("#quote-v").fill("10")
    page.locator("#quote-lambda").fill("0.001")
    page.locator("#quote-rho").fill("1")
    expect(page.locator("#quote-answer")).to_contain_text("Choose large")
    page.locator("#quote-v").fill("0.1")
    expect(page.locator("#quote-answer")).to_contain_text("Choose small")


def test_a_dot_of_the_line_leads_to_its_decisions(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/allocation?range=30d")
    expect(page.locator(".panel-equimarginal .scatterlayer .point").first).to_be_visible()
    drawn = page.evaluate(
        "document.querySelector('.panel-equimarginal .js-plotly-plot').data.map(trace => trace.customdata[0][0])"
    )
    asked = served.sql(f"select kind from ({shown_sql(page, 'equimarginal')}\n) as shown where worth is not null")
    assert {kind for (kind,) in asked} <= set(drawn)
    page.locator("#section-equimarginal").scroll_into_view_if_needed()
    for _ in range(20):  # the figure is drawn a moment before it listens; a reader clicks again, too
        x, y = page.evaluate(PLACE_OF_A_DOT, "route")
        page.mouse.click(x, y)
        page.wait_for_timeout(500)
        if "/decisions" in page.url:
            break
    expect(page).to_have_url(re.compile(r"/decisions\?range=30d&layer=demand&task_class=support\.faq&kind=route&chosen=large$"))
    expect(page.locator(".pill", has_text="Kind: route")).to_be_visible()


def test_decisions_are_filtered_and_ordered_through_the_address(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/decisions")
    page.locator(".choices").get_by_role("link", name="Not enough evidence").click()
    expect(page).to_have_url(re.compile(r"\?status=not_enough_evidence$"))
    counted = shown_sql(page, "decisions", "decisions_by_status")
    ((open_decisions,),) = served.sql(f"select decisions from ({counted}\n) as shown where status = 'not_enough_evidence'")
    expect(page.locator(".panel-decisions .note")).to_contain_text(f"{open_decisions} decisions")
    page.locator(".ag-header-cell", has_text="Decided").click()
    expect(page).to_have_url(re.compile(r"sort=-decided_at"))
    choose(page, "#add-filter", "confirm")
    expect(page).to_have_url(re.compile(r"kind=confirm&status=not_enough_evidence&sort=-decided_at"))
    page.locator(".links").get_by_role("link", name="Spend").click()
    expect(page).to_have_url(re.compile(r"/spend$"))


def test_hostile_names_are_shown_and_do_nothing(context: BrowserContext, served: Served) -> None:
    for address in ("/allocation", "/decisions?kind=cache", f"/decision?id={decided(served, 'cache')}"):
        page = opened(context, served, address)
        expect(page.locator("#page")).to_contain_text(HOSTILE[:28])
        assert page.locator("#page img").count() == 0
        page.close()


@pytest.mark.parametrize("address", PAGES)
def test_a_phone_shows_every_page_in_light_and_dark(context: BrowserContext, served: Served, address: str) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(served.url + address + (decided(served, "verify") if address.endswith("decision?id=") else ""))
    settled(page)
    read_in_both_schemes(page)
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")  # once the figures have followed


def test_books_without_decisions_say_what_to_do(context: BrowserContext, server: str, template: str) -> None:
    with database(server, template, "pigou_page_undecided") as dsn:
        fill(dsn, datetime.now(UTC), traces=3)
        with dashboard(dsn) as url:
            page = opened(context, Served(url, dsn), "/allocation")
            expect(page.locator("h1")).to_have_text("Nothing has been appraised over 14 days.")
            expect(page.locator(".unappraised")).to_contain_text("pigou appraise")
            expect(page.locator("#section-heat")).to_be_hidden()
            page.close()
