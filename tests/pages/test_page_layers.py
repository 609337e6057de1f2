"""The four layers in a real browser, one page for all looks: what each says is the SQL's, in both schemes and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from dashboard import formats
from dashboard.pages import PAGES, page_at
from dashboard.pages.layers import LAYERS
from dashboard.pages.layers import PAGE as LAYERS_PAGE
from tests.agent_traffic import fill
from tests.appraised import judge
from tests.found import find
from tests.page import Served, dashboard, database, opened, read_in_both_schemes, said, settled, shown_sql

Laptop = tuple[BrowserContext, list[str]]

# Of each layer: a panel, its query, a column of it, and how the page says it.
SAID = (
    ("demand", "menu", "menus", "rent_usd", formats.usd),
    ("action", "production", "production", "equal_p", lambda value: f"p-value of {float(cast(float, value)):.2g}"),
    ("supply", "drafting", "drafting", "off_from_tokens", lambda value: f"contexts of {formats.tokens(value)} tokens"),
    ("capital", "rollouts", "trainers", "written_off_usd_per_day", formats.usd),
)


HOLD = """layers => {
    const own = window.fetch, held = [];
    window.asked = [];
    window.fetch = async (...all) => {
        const body = String((all[1] || {}).body);
        if (body.includes('"type":"shape"')) {
            const name = JSON.parse(body).outputs[0].id.panel;
            if (layers.includes(name)) window.asked.push(name);
            if (!window.letGo.all) await new Promise(go => held.push(go));
        }
        return own(...all);
    };
    window.letGo = () => { window.letGo.all = true; held.forEach(go => go()); };
}"""
"""Keeps the questions of panels back until `letGo()`, as a server does that is slow, and lists those of the layers' page."""
OF_THE_LAYERS = [panel.name for panel in LAYERS_PAGE.panels]
AT_ONCE = 12
"""So many questions Dash asks at once."""


@pytest.fixture(scope="module")
def served(server: str, template: str) -> Iterator[Served]:
    """A dashboard over a fortnight of traffic whose decisions are judged, with findings and looks of every mode."""
    with database(server, template, "pigou_page_layers") as dsn:
        fill(dsn, datetime.now(UTC), traces=40)
        judge(dsn)
        find(dsn)
        with dashboard(dsn) as url:
            yield Served(url, dsn)


@pytest.fixture(scope="module")
def page(laptop: tuple[BrowserContext, list[str]], served: Served) -> Iterator[Page]:
    """One page for all looks; an error that it reports, or a dialog that a name opens, fails them."""
    context, faults = laptop
    yield opened(context, served, "/")
    assert not faults


def test_the_overview_shows_what_each_layer_realised_and_leads_to_it(page: Page, served: Served) -> None:
    question = shown_sql(page, "layer_vector", "layer_realised")
    ((layer, net),) = served.sql(f"select layer, net_usd from ({question}\n) as shown where tasks > 0 order by layer limit 1")
    row = page.locator(".vector tbody tr", has_text=str(layer).capitalize())
    expect(row).to_contain_text(formats.usd(round(float(cast(float, net)), 2)))
    expect(page.locator(".panel-overview_headline .change")).to_contain_text("the week before")
    row.get_by_role("link").click()
    expect(page.locator("h1")).to_contain_text(str(layer).capitalize())
    settled(page)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_says_what_its_sql_says_and_can_be_read(page: Page, served: Served, layer: str) -> None:
    page.goto(f"{served.url}/layers?layer={layer}")
    settled(page)
    for of, panel, query, column, words in SAID:
        if of == layer:
            ((value, *_), *_) = served.sql(
                f"select {column} from ({shown_sql(page, panel, query)}\n) as shown where {column} is not null"
            )
            expect(page.locator(f"#section-{panel}")).to_contain_text(said(words(value)))
    others = [panel for of, panel, *_ in SAID if of != layer]
    for panel in others:
        expect(page.locator(f"#section-{panel}")).to_be_hidden()
    read_in_both_schemes(page)


def test_a_page_is_left_at_once_and_no_more_is_asked_for_it(page: Page, served: Served, laptop: Laptop) -> None:
    page.goto(f"{served.url}/ingest")
    settled(page)
    page.evaluate(HOLD, OF_THE_LAYERS)
    link(page, "/layers").click()
    page.wait_for_function(f"asked.length == {AT_ONCE}")
    link(page, "/calls").click()
    expect(page.locator(".page-calls")).to_be_visible()  # while no panel is answered
    page.go_back()
    page.wait_for_function(f"asked.length == {2 * AT_ONCE}")
    page.go_forward()
    expect(page.locator(".page-calls")).to_be_visible()
    page.evaluate("letGo()")
    settled(page)
    assert page.evaluate("asked.length") == 2 * AT_ONCE < 2 * len(OF_THE_LAYERS)
    assert not laptop[1]


def test_hurrying_through_the_pages_reports_no_error(page: Page, served: Served, laptop: Laptop) -> None:
    page.goto(f"{served.url}/layers?layer=action&range=7d")
    page.wait_for_selector(".links a")
    for path in [of.path for of in PAGES if of.label and of.under is None]:
        link(page, path).click()
        expect(page).to_have_url(re.compile(f"{path}(\\?|$)"))
        page.wait_for_selector(f".page-{page_at(PAGES, path).name}")
        link(page, "/layers").click()  # before anything is drawn
        page.go_back()
    page.reload()
    link(page, "/calls").click()
    for chosen in ("30 days", "7 days"):
        page.locator("#range").click()
        page.get_by_role("option", name=chosen).click()
    settled(page)
    expect(page).to_have_url(re.compile("/calls.*range=7d"))
    assert not laptop[1]


def link(page: Page, path: str) -> Locator:
    """The link of the navigation to a page."""
    return page.locator(f".links a[href='{path}'], .links a[href^='{path}?']").first


def test_a_layer_fits_a_phone(page: Page, served: Served) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for address in ("/", "/layers?layer=action"):
        page.goto(served.url + address)
        settled(page)
        page.wait_for_function("document.documentElement.scrollWidth <= 390")  # once the figures have followed
