"""What if, in a real browser: a limit is moved, the numbers follow, and they are those of the period that the SQL shown reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from allocation.curve import curve_of
from allocation.stored import period_of
from allocation.what_if import Supposed, respond
from analyzers.prices.refresh import refresh_prices
from dashboard.what_if_words import sentence
from ledger.database import connect
from ledger.price_vector import Limits, constrain
from tests.decided import decide
from tests.page import Served, dashboard, database, opened, read_in_both_schemes, settled, shown_sql
from tests.price_vectors import put_clearing

N = 200
ENGINE = "<img src=x onerror=alert(1)>'; --"


@pytest.fixture(scope="module")
def served(server: str, template: str) -> Iterator[Served]:
    """A dashboard over tasks whose options are known, held to a latency SLA that binds."""
    with database(server, template, "pigou_page_prices") as dsn:
        with connect(dsn, "owner") as owner:
            tenant_id = decide(owner, N, v_usd=0.5)
        with connect(dsn, "writer") as writer:
            put_clearing(writer, tenant_id, ENGINE, datetime.now(UTC))
            constrain(writer, "default", "code.fix", Limits(latency_s=Decimal(7)), "test")
            refresh_prices(writer)
        with dashboard(dsn) as url:
            yield Served(url, dsn)


@pytest.fixture(scope="module")
def page(laptop: tuple[BrowserContext, list[str]], served: Served) -> Iterator[Page]:
    """The prices page in one window, for all looks at it; an error that it reports fails them."""
    context, faults = laptop
    yield opened(context, served, "/prices")
    assert not faults


def solved(served: Served, page: Page, level: float) -> str:
    """What the equations say of the period that the panel's SQL reads, at a level of the SLA."""
    rows: list[list[dict[str, Any]]] = []
    with connect(served.dsn, "reader") as connection:
        for query in ("price_periods", "price_alternatives"):
            cursor = connection.execute(shown_sql(page, "what_if", query).encode())
            names = [column.name for column in cursor.description or ()]
            rows.append([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])
    period = period_of(rows[0][0], rows[1])
    supposed = Supposed("latency_sla", "code.fix", level)
    response = respond(period, supposed)
    return sentence(supposed, response, curve_of(period, supposed, response))


def test_a_limit_that_is_moved_moves_the_numbers_and_the_address(page: Page, served: Served) -> None:
    said, answer = page.locator("#if-answer > p").first, page.locator("#if-answer")
    expect(said).to_contain_text(re.compile(r"of 7\s?s a task binds: a second more would bring"))
    assert said.inner_text() == solved(served, page, 7.0)
    page.locator("#quote-v").fill("7.5")
    page.locator("#if-level").fill("9")
    page.keyboard.press("Enter")
    expect(said).to_contain_text(re.compile(r"from 7\s?s a task to 9\s?s a task would bring"))
    expect(page).to_have_url(re.compile(r"whose=default&limit=latency_sla:code\.fix&level=9$"))
    settled(page)
    assert said.inner_text() == solved(served, page, 9.0)
    expect(answer.locator(".what-if-bound tbody tr").first).to_contain_text(
        re.compile(r"7\s?s of 7\s?sbinds.*9\s?s of 9\s?sbinds")
    )
    expect(answer.locator(".what-if-shares tbody tr").first).to_contain_text(re.compile(r"50\s?%83\s?%"))
    expect(page.locator("#quote-v")).to_have_value("7.5")  # only what follows the limit is drawn anew
    slider = page.get_by_role("slider", name="Move the limit")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"level=9\.\d+$"))
    settled(page)
    expect(slider).to_be_focused()
    shown = [table.inner_text() for table in answer.locator("table").all()]
    page.reload()
    settled(page)
    assert [table.inner_text() for table in answer.locator("table").all()] == shown


def test_who_shares_an_engine(page: Page) -> None:
    """The price, and what a tenant takes at it; what an engine is called is text."""
    expect(page.get_by_role("heading", name=f"{ENGINE}, output tokens")).to_be_visible()
    said = "What tenants want fits it at $2.10 for a million output tokens (95 %: $1.80 to $2.40)."
    expect(page.get_by_text(said)).to_contain_text(re.compile(r"It can do 2.5\s?k a second, as stated"))
    expect(page.locator("tr", has_text="453.60")).to_contain_text(re.compile(r"default2.1\s?k3.2\s?k2.5\s?k\$453.60"))


def test_another_limit_is_supposed_and_the_page_can_be_read(page: Page) -> None:
    page.locator("#if-limit").click()
    page.get_by_role("option", name="Risk envelope, all tasks").click()
    expect(page.locator("#if-answer > p").first).to_contain_text("A risk envelope for all tasks of $")
    expect(page).to_have_url(re.compile(r"limit=risk_envelope:%2A&level="))
    settled(page)
    read_in_both_schemes(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")  # once the figures have followed
