"""When a browser paints a page: Chromium's own account of it, in a fresh profile each time."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from playwright.sync_api import Browser

from tests.browser import chromium

_DRAWN = "() => document.querySelector('.page .panel-body .headline') && performance.now()"
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
_WITHIN_MS = 60_000


class Painted(NamedTuple):
    """Milliseconds since the address was asked for: until anything is painted, and until the page's sentence stands there."""

    first_ms: float
    sentence_ms: float


def paint(port: int, address: str, times: int = 5) -> Painted:
    """Median times of a page of the dashboard on `port`."""
    with chromium() as browser:
        seen = [_look(browser, f"http://127.0.0.1:{port}{address}") for _ in range(times)]
    return Painted(statistics.median(each.first_ms for each in seen), statistics.median(each.sentence_ms for each in seen))


def _look(browser: Browser, url: str) -> Painted:
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    try:
        page = context.new_page()
        page.goto(url, timeout=_WITHIN_MS)
        sentence_ms = page.wait_for_function(_DRAWN, timeout=_WITHIN_MS, polling=10).json_value()
        return Painted(float(page.evaluate(_PAINTED)), float(sentence_ms))
    finally:
        context.close()
