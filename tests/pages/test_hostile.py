"""Hostile names on every page, in a real browser: shown as the text they are; nothing runs, leads away, or widens the page."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, TimeoutError, expect  # noqa: A004

from tests.hostile import CONVERSATION, LONG, MODEL, SEEN, TENANT, TRACE, USER, fill_with_hostile
from tests.hostile_walk import ADDRESSES
from tests.page import PATIENCE_MS, Served, dashboard, database, settled, shown_sql

_OURS = ("http://127.0.0.1:", "data:", "blob:")
_LEADING = """() => [...document.querySelectorAll('a')].map(one => one.getAttribute('href') ?? one.getAttribute('xlink:href'))
    .filter(href => href !== null && (/^\\s*[a-z][a-z0-9+.-]*:/i.test(href) || href.startsWith('//')))"""
_HOVER = """async () => {
    let links = 0;
    for (const plot of document.querySelectorAll('.js-plotly-plot'))
        for (const [curveNumber, trace] of [...plot.data.entries()].slice(0, 6)) {
            const subplot = (trace.xaxis || 'x') + (trace.yaxis || 'y');
            if (!['scatter', 'bar'].includes(trace.type) || !plot._fullLayout._plots[subplot]) continue;
            Plotly.Fx.hover(plot, [{curveNumber, pointNumber: 0}], subplot);
            await new Promise(done => setTimeout(done, 60));
            links += plot.querySelectorAll('.hoverlayer a').length;
        }
    return links;
}"""
"""Points at the first of each series: how many links the texts under the pointer hold."""
_WIDE = """width => [...document.querySelectorAll('body *')].filter(one =>
        one.getBoundingClientRect().left + one.scrollWidth > width + 1 && getComputedStyle(one).overflowX === 'visible')
    .map(one => `${one.tagName}.${one.className}: ${one.textContent}`.slice(0, 160)).slice(0, 12)"""
_MARKED_UP = "document.querySelectorAll('.page :is(img, script, iframe, object, embed), .svg-container a').length"


@pytest.fixture(scope="module")
def served(server: str, template: str) -> Iterator[Served]:
    """A dashboard over hostile books."""
    with database(server, template, "pigou_page_hostile") as dsn:
        fill_with_hostile(dsn)
        with dashboard(dsn) as url:
            yield Served(url, dsn)


@pytest.fixture
def page(laptop: tuple[BrowserContext, list[str]], page: Page) -> Page:
    """The page that stays; what it asks of others is an error too."""
    context, faults = laptop
    if page.url == "about:blank":
        context.on("request", lambda asked: None if asked.url.startswith(_OURS) else faults.append(f"asked {asked.url[:200]}"))
    return page


def fits(page: Page, width: int) -> None:
    """Nothing is wider than the window, once the figures have followed it; else what is."""
    try:
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width, timeout=PATIENCE_MS / 4)
    except TimeoutError:
        raise AssertionError(f"wider than {width} px: {page.evaluate(_WIDE, width)}") from None


def address_of(served: Served, address: str) -> str:
    """An address with its ids and names filled in."""
    if "{" not in address:
        return address
    values: dict[str, str] = {
        "tenant": TENANT, "model": MODEL, "user": USER, "conversation": CONVERSATION, "trace": TRACE,
    }  # fmt: skip
    for name, question in (
        ("decision", "select decision_id from ledger.decisions where agent like '%<img%' order by kind limit 1"),
        ("long", "select decision_id from ledger.decisions where agent like '%…%' order by kind limit 1"),
        ("account", "select account from ledger.accounts where account like '%<img%' limit 1"),
        ("entry", f"select entry_id from ledger.entries where trace_id = '{TRACE}' limit 1"),
    ):
        if f"{{{name}}}" in address:
            ((value,),) = served.sql(question)
            values[name] = str(value)
    return address.format(**{name: quote(value, safe="") for name, value in values.items()})


@pytest.mark.parametrize(("address", "is_seen"), ADDRESSES, ids=[address for address, _ in ADDRESSES])
def test_hostile_names_are_text_on_every_page(page: Page, served: Served, address: str, is_seen: bool) -> None:
    page.goto(served.url + address_of(served, address))
    settled(page)
    assert page.locator(".trouble").count() == 0
    if is_seen:
        expect(page.locator(".page")).to_contain_text(SEEN)
    assert page.evaluate(_HOVER) == 0
    assert page.evaluate(_MARKED_UP) == 0
    assert [href[:200] for href in page.evaluate(_LEADING)] == []
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        fits(page, width)
    assert page.evaluate("window.ran") is None


def test_hostile_names_are_text_in_what_is_taken_along(page: Page, served: Served) -> None:
    """The SQL behind a panel, its CSV and its picture; and what a span said."""
    page.goto(served.url + address_of(served, "/spend?model={model}&tenant={tenant}&by=model"))
    settled(page)
    assert SEEN in shown_sql(page, "over_time")
    with page.expect_download() as rows:
        page.locator("#section-over_time").get_by_role("link", name="CSV").click()
    assert SEEN.replace('"', '""') in rows.value.path().read_text()
    with page.expect_download() as picture:
        page.locator("#section-over_time").get_by_role("button", name="PNG").click()
    assert picture.value.path().read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    page.goto(served.url + address_of(served, "/trace/{trace}?tenant={tenant}"))
    settled(page)
    page.locator(".panel-trace_spans .ag-center-cols-container .ag-row", has=page.locator(".time-call")).first.locator(
        ".time-lane"
    ).click()
    expect(page.get_by_role("dialog")).to_contain_text(SEEN)
    expect(page.get_by_role("dialog")).to_contain_text(LONG[:400])
    fits(page, 1440)
    page.get_by_text("Saved views").click()
    expect(page.locator(".view-link").first).to_contain_text(SEEN)
    assert page.evaluate(_MARKED_UP) == 0
    assert page.evaluate("window.ran") is None
