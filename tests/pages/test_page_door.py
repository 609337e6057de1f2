"""The door of the pages in a real browser: a token is typed once, no script sees it, and it is asked for again once revoked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.doors import make, revoke
from tests.page import Served, dashboard, database


@pytest.fixture(scope="module")
def served(server: str, template: str) -> Iterator[Served]:
    """A dashboard over empty books."""
    with database(server, template, "pigou_page_door") as dsn, dashboard(dsn) as url:
        yield Served(url, dsn)


def test_a_token_is_typed_once_and_asked_for_again_when_it_was_revoked(browser: Browser, served: Served) -> None:
    make(served.dsn, "other")
    token = make(served.dsn, "person", "read")
    context = browser.new_context()  # of its own: what is refused stands in the console as an error
    page = context.new_page()
    page.goto(f"{served.url}/alerts?range=7d")
    page.get_by_label("Token of a credential that may read").fill("pigou_wrong")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("status")).to_contain_text("there is no such credential")
    page.get_by_label("Token of a credential that may read").fill(token)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("link", name="Alerts", exact=True)).to_be_visible()
    assert page.url == f"{served.url}/alerts?range=7d"
    assert token not in page.content()
    assert page.evaluate("document.cookie") == ""
    revoke(served.dsn, "person")
    page.wait_for_timeout(2_500)  # what the database said of a token holds for two seconds
    page.locator("#refresh").click()
    expect(page.get_by_label("Token of a credential that may read")).to_be_visible()
    context.close()
