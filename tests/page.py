"""The dashboard's own process over a database, and a browser's window on it: what the pages' tests stand on."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError, expect  # noqa: A004
from psycopg.conninfo import make_conninfo

from dashboard import formats
from ledger.database import connect

READY_S = 60
PATIENCE_MS = 40_000
ENDPOINT = "http://127.0.0.1:4399"


@dataclass(frozen=True)
class Served:
    """A running dashboard and the database it reads."""

    url: str
    dsn: str

    def sql(self, text: str) -> list[tuple[object, ...]]:
        """Rows of a query, as the reader."""
        with connect(self.dsn, "reader") as connection:
            return connection.execute(text.encode()).fetchall()


@contextmanager
def dashboard(dsn: str, collector: str | None = None) -> Generator[str]:
    """The dashboard's own process on a free port, until the end of the block; it must end cleanly.

    `collector` is where it asks for what people do on its pages.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dashboard", "--dsn", dsn, "--port", str(port), "--otlp-endpoint", ENDPOINT]
    command += ["--collector", collector] if collector else []
    process = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    try:
        _await_health(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def _await_health(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the dashboard ended before it answered"
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                assert json.load(answer)["status"] == "ok"
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no answer within {READY_S} s")


@contextmanager
def database(server: str, template: str, name: str) -> Generator[str]:
    """A database of its own, dropped at the end."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy".encode())
    try:
        yield make_conninfo(server, dbname=name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())


@contextmanager
def window(browser: Browser, width: int, height: int) -> Generator[tuple[BrowserContext, list[str]]]:
    """A window with a cache of its own, and the errors that its pages report."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
    context.set_default_timeout(PATIENCE_MS)
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield context, faults
    context.close()


def opened(context: BrowserContext, served: Served, address: str = "/spend") -> Page:
    """A page with all its panels drawn."""
    page = context.new_page()
    page.goto(served.url + address)
    settled(page)
    return page


def settled(page: Page) -> None:
    """Wait until no skeleton is left and no question is open."""
    expect(page.locator(".panel-heading:visible").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".page .mantine-Skeleton-root")).to_have_count(0)
    page.wait_for_load_state("networkidle")


def read_in_both_schemes(page: Page) -> None:
    """Show a page in dark and in light: its paper must be so, and axe-core must find nothing serious or critical."""
    for table in page.locator(".page .ag-root:visible").all():  # they show their cells once they come into sight
        table.scroll_into_view_if_needed()
        expect(table.locator(".ag-header-cell").first).to_be_visible()
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", scheme)
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in re.findall(r"\d+", paper)[:3]) > 380) == (scheme == "light")
        options = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if scheme == "light" else {})
        grave = _grave(page, options)
        if grave:  # a grid that is drawn anew has no cells for a moment
            page.wait_for_timeout(2_000)
            grave = _grave(page, options)
        assert not grave, [(one["id"], one["nodes"][0]["html"][:120], one["nodes"][0]["failureSummary"][:160]) for one in grave]


def _grave(page: Page, options: dict[str, list[str]]) -> list[dict[str, Any]]:
    found = Axe().run(page, options=options).response["violations"]
    return [one for one in found if one["impact"] in ("serious", "critical")]


def shown_sql(page: Page, panel: str, query: str | None = None) -> str:
    """The text in the drawer behind a panel: of the query named, else of the first."""
    button = page.locator(f"#section-{panel}").get_by_role("button", name="SQL")
    drawer = page.get_by_role("dialog", name="The SQL behind this")  # a table's tooltip is a dialog too
    button.click()
    try:
        expect(drawer.locator("pre").first).to_be_visible(timeout=PATIENCE_MS / 4)
    except AssertionError:  # a panel that is drawn anew at that moment takes the click with it
        button.click()
        expect(drawer.locator("pre").first).to_be_visible()
    named = drawer.locator("pre").filter(has_text=f"-- {query}:") if query else drawer.locator("pre")
    text = named.first.inner_text()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    return text


def choose(page: Page, control: str, option: str) -> None:
    """Choose an option of a control of the filter bar, as a reader does: once more if the bar was drawn anew meanwhile."""
    settled(page)
    shown = page.get_by_role("option", name=option)
    page.locator(control).click()
    try:
        shown.click(timeout=PATIENCE_MS / 8)
    except TimeoutError:
        page.keyboard.press("Escape")
        page.locator(control).click()
        shown.click()


def said(text: str) -> str:
    """With ordinary spaces."""
    return text.replace(formats.THIN_SPACE, " ")
