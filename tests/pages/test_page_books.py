"""What whoever pays does on the pages: gives a price, reads a statement down to the trace and a bill, takes a figure along."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from playwright.sync_api import BrowserContext, expect

from dashboard import formats
from tests.agent_traffic import fill
from tests.books import serving
from tests.page import Served, dashboard, database, opened, read_in_both_schemes, said, settled, shown_sql

BOOKS = ("/ledger", "/bill?range=7d", "/explore?cross=model,day&range=7d", "/budgets", "/rates", "/account?account=expenses")


@pytest.fixture(scope="module")
def served(server: str, template: str) -> Iterator[Served]:
    """A dashboard over a fortnight of traffic that ends now, and a collector that it asks."""
    with database(server, template, "pigou_page_books") as dsn:
        fill(dsn, datetime.now(UTC), traces=40)
        with serving(dsn) as collector, dashboard(dsn, f"http://{collector.http}") as url:
            yield Served(url, dsn)


def test_a_list_that_was_opened_stays_open(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/calls")
    page.locator("#add-filter").click()
    expect(page.get_by_role("option", name="plan", exact=True)).to_be_visible()
    page.evaluate("pigou.go('/calls?sort=-cost_usd')")
    expect(page.locator("[col-id=cost_usd] .ag-sort-descending-icon").first).to_be_visible()
    settled(page)
    page.get_by_role("option", name="plan", exact=True).click()
    expect(page.locator(".pill")).to_have_text(["Use: plan×"])
    expect(page.locator("#add-filter")).to_have_value("")


def test_keys_lead_and_periods_are_stepped(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/spend?range=7d")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("the period before")
    read_in_both_schemes(page)
    page.keyboard.press("Escape")
    page.keyboard.press("[")
    expect(page).to_have_url(re.compile(r"since=.*until="))
    expect(page.locator("#range")).to_have_value("Chosen dates")
    page.keyboard.press("]")
    expect(page.get_by_role("link", name=re.compile("^The period before"))).to_be_visible()
    settled(page)
    for key in ("g", "b"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile(r"/ledger\?"))
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()


def test_a_figure_can_be_taken_along(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/spend?range=7d")
    with page.expect_download() as picture:
        page.locator("#section-over_time").get_by_role("button", name="PNG").click()
    assert re.fullmatch(r"pigou-over_time-\d{8}T\d{4}Z\.png", picture.value.suggested_filename)
    assert picture.value.path().read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with page.expect_download() as rows:
        page.locator("#section-over_time").get_by_role("link", name="CSV").click()
    assert rows.value.path().read_text().startswith("bucket,series,cost_usd")


def test_a_price_is_given_on_the_page(context: BrowserContext, served: Served) -> None:
    ((tenant, model, waiting),) = served.sql(
        "select tenant, model, sum(calls) from ledger.suspense where account = 'suspense:unpriced' and service_tier = 'standard'"
        " group by tenant, provider, model having bool_or(reason like '%input_tokens%') order by 3 desc limit 1"
    )
    page = opened(context, served, "/ledger")
    form = page.locator("#section-give_price")
    form.get_by_role("textbox", name="Tenant, provider and model").click()
    page.get_by_role("option", name=re.compile(rf"^{tenant} · .* · {re.escape(str(model))}.*: ")).first.click()
    expect(form.get_by_label(re.compile("input tokens, USD per million"))).to_be_visible()
    for field in form.get_by_label(re.compile("USD per")).all():
        field.fill("2.50")
    form.get_by_role("button", name="What would it change?").click()
    told = form.locator("#give-said")
    expect(told).to_contain_text("Nothing is changed yet.")
    trial = said(told.inner_text())
    assert f"would be booked again ({waiting:,} of them had no price)" in trial
    form.get_by_role("button", name="Give the price").click()
    expect(told).to_contain_text("write your name")
    form.get_by_label("Your name").fill("Ann")
    form.get_by_label("Where the price is from").fill("contract")
    form.get_by_role("button", name="Give the price").click()
    expect(told).to_contain_text("added")
    amount = re.search(r"\(\+(\$[\d.,]+)\)", trial)
    assert amount
    assert amount[1] in told.inner_text(), "what was foreseen is what was done"
    settled(page)
    expect(told).to_contain_text("added")  # a refresh leaves it
    ((left, source),) = served.sql(
        f"select (select count(*) from ledger.calls where status = 'unpriced' and tenant = '{tenant}' and model = '{model}'"
        f" and service_tier = 'standard'), (select min(source) from ledger.rates where tenant = '{tenant}')"
    )
    assert (left, source) == (0, "Ann: contract")


def test_a_statement_leads_to_the_entry_and_its_trace(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/ledger")
    page.locator("#section-balances .cell-link", has_text="expenses:").first.click()
    expect(page).to_have_url(re.compile(r"/account\?account=expenses"))
    expect(page.locator(".page-account")).to_be_visible()  # the address moves first
    settled(page)
    shown = page.locator("h1 strong").inner_text()
    ((opening, moved, closing, _, _),) = served.sql(shown_sql(page, "account_headline"))
    assert shown == formats.usd(moved)
    assert Decimal(str(opening)) + Decimal(str(moved)) == closing
    page.locator("#section-account_entries .cell-link").first.click()
    expect(page).to_have_url(re.compile(r"/entry\?tenant=.*&entry="))
    expect(page.locator("#section-entry h1")).to_contain_text("was booked")
    page.get_by_role("link", name="its call and trace").click()
    expect(page).to_have_url(re.compile(r"/trace/"))


def test_a_bill_says_what_the_books_say(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/bill?range=7d")
    bill = served.sql(shown_sql(page, "bill_headline", "bill"))
    assert formats.usd(sum(Decimal(str(row[4])) for row in bill)) in page.locator("h1").inner_text()
    expect(page.locator("#section-bill_headline")).to_contain_text("to the last digit")
    expect(page.locator("#section-bill_models .ag-floating-bottom")).to_contain_text("Sum")


def test_tables_of_any_two_things_are_chosen(context: BrowserContext, served: Served) -> None:
    page = opened(context, served, "/explore")
    page.get_by_role("textbox", name="Rows").click()
    page.get_by_role("option", name="Tenant").click()
    expect(page).to_have_url(re.compile("cross=tenant%2Cmodel|cross=tenant,model"))
    settled(page)
    ((whole,),) = served.sql(
        "select sum(cost_usd) from ledger.spend(date_trunc('day', now(), 'UTC') - interval '13 days', 'infinity')"
    )
    expect(page.locator(".ag-floating-bottom")).to_contain_text(formats.usd(whole))


@pytest.mark.parametrize("address", BOOKS)
def test_pages_of_the_books_are_accessible(context: BrowserContext, served: Served, address: str) -> None:
    page = opened(context, served, address)
    read_in_both_schemes(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")  # nothing scrolls sideways but tables
