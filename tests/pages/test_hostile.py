"""Hostile names on every page, in a real browser: shown as the text they are; nothing runs, leads away, or widens the page."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser import chromium
from tests.hostile import CONVERSATION, MODEL, SEEN, TENANT, TRACE, USER, fill_with_hostile
from tests.hostile_walk import ADDRESSES
from tests.page import PATIENCE_MS, Served, dashboard, database, settled, window

_OURS = ("http://127.0.0.1:", "data:", "blob:")
_LEADING = """() => [...document.querySelectorAll('a')].map(one => one.getAttribute('href') ?? one.getAttribute('xlink:href'))
    .filter(href => href !== null && (/^\\s*[a-z][a-z0-9+.-]*:/i.test(href) || href.startsWith('//')))"""
_HOVER = """() => {
    for (const plot of document.querySelectorAll('.js-plotly-plot'))
        for (const [curveNumber, trace] of plot.data.entries())
            if (trace.hoverinfo !== 'skip' && (trace.x || trace.y || trace.z))
                try { Plotly.Fx.hover(plot, [{curveNumber, pointNumber: 0}]); } catch (error) { if (!/undefined/.test(error)) throw error; }
}"""
_MARKED_UP = "document.querySelectorAll('.page :is(img, script, iframe, object, embed), .hoverlayer a, .svg-container a').length"


@pytest.fixture(scope="module")
def served(server: str, template: str) -> Iterator[Served]:
    """A dashboard over hostile books."""
    with database(server, template, "pigou_page_hostile") as dsn:
        fill_with_hostile(dsn)
        with dashboard(dsn) as url:
            yield Served(url, dsn)


@pytest.fixture(scope="module")
def laptop(served: Served) -> Iterator[tuple[Page, list[str]]]:
    """One page for all looks, and whatever it reports, opens, or asks of others."""
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as browser, window(browser, width=1440, height=900) as (context, faults):

        def watch(request: Request) -> None:
            if not request.url.startswith(_OURS):
                faults.append(f"asked elsewhere: {request.url[:200]}")

        context.on("request", watch)
        context.on("dialog", lambda dialog: faults.append(f"a dialog opened: {dialog.message}"))
        yield context.new_page(), faults


@pytest.fixture
def page(laptop: tuple[Page, list[str]]) -> Iterator[Page]:
    """The page in a laptop's width; what it reports fails the test."""
    page, faults = laptop
    faults.clear()
    page.set_viewport_size({"width": 1440, "height": 900})
    yield page
    assert not [fault[:600] for fault in faults]


def address_of(served: Served, address: str) -> str:
    """An address with its ids and names filled in."""
    if "{" not in address:
        return address
    values: dict[str, str] = {
        "tenant": TENANT, "model": MODEL, "user": USER, "conversation": CONVERSATION, "trace": TRACE,
    }  # fmt: skip
    for name, question in (
        ("decision", "select decision_id from ledger.decisions where kind = 'cache' order by decided_at desc limit 1"),
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
    page.evaluate(_HOVER)
    assert page.evaluate(_MARKED_UP) == 0
    assert [href[:200] for href in page.evaluate(_LEADING)] == []
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width, timeout=PATIENCE_MS / 4)
    assert page.evaluate("window.ran") is None
