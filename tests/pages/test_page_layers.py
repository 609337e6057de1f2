"""The four layers in a real browser, one page for all looks: what each says is the SQL's, in both schemes and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from dashboard import formats
from dashboard.pages.layers import LAYERS
from tests.agent_traffic import fill
from tests.appraised import judge
from tests.found import find
from tests.page import Served, dashboard, database, opened, read_in_both_schemes, said, settled, shown_sql

# Of each layer: a panel, its query, a column of it, and how the page says it.
SAID = (
    ("demand", "menu", "menus", "rent_usd", formats.usd),
    ("action", "production", "production", "equal_p", lambda value: f"p-value of {float(cast(float, value)):.2g}"),
    ("supply", "drafting", "drafting", "off_from_tokens", lambda value: f"contexts of {formats.tokens(value)} tokens"),
    ("capital", "rollouts", "trainers", "written_off_usd_per_day", formats.usd),
)


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


def test_a_layer_fits_a_phone(page: Page, served: Served) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for address in ("/", "/layers?layer=action"):
        page.goto(served.url + address)
        settled(page)
        page.wait_for_function("document.documentElement.scrollWidth <= 390")  # once the figures have followed
