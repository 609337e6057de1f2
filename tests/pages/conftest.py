"""The demo, played once for all tests that walk it; one browser for all files, and a window for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import chromium
from tests.page import PATIENCE_MS, Served, window
from tests.pigou_process import RunningPigou, copy_of, new_folder

PLAYED_WITHIN_S = 1_800
"""A fortnight takes a hundred seconds of a processor; a loaded machine has few to give."""


@pytest.fixture(scope="session")
def demo() -> Iterator[RunningPigou]:
    """`pigou demo` with its fortnight played and appraised; of PIGOU_DEMO_HOME, a home that holds one, a copy is shown."""
    with ExitStack() as stack:
        played = os.environ.get("PIGOU_DEMO_HOME")
        home = stack.enter_context(copy_of(Path(played)) if played else new_folder())
        yield stack.enter_context(RunningPigou(home, command=("demo",), ready_within_s=PLAYED_WITHIN_S))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all files. A loaded machine is slow, which is no fault of a page: it is waited for."""
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def laptop(browser: Browser) -> Iterator[tuple[BrowserContext, list[str]]]:
    """A window as wide as a laptop, shared by a file so that scripts are compiled once, and what its pages complain of."""
    with window(browser, width=1440, height=900) as (context, faults):
        context.on("dialog", lambda dialog: faults.append(f"a dialog opened: {dialog.message}"))
        yield context, faults


@pytest.fixture
def context(laptop: tuple[BrowserContext, list[str]], served: Served) -> Iterator[BrowserContext]:
    """The laptop's window for one test; a page that reports an error fails it. Its first page only keeps the scripts."""
    context, faults = laptop
    if not context.pages:
        context.new_page().goto(f"{served.url}/health")
    faults.clear()
    yield context
    for page in context.pages[1:]:
        page.close()
    assert not faults


@pytest.fixture
def page(laptop: tuple[BrowserContext, list[str]]) -> Iterator[Page]:
    """The laptop's one page, which stays from test to test; an error that it reports fails the test."""
    context, faults = laptop
    faults.clear()
    page = context.pages[0] if context.pages else context.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    yield page
    assert not faults
