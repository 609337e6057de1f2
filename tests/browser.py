"""A real Chromium for the page's tests, driven by playwright; the system's own browser, nothing is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Quiet, and nothing but the page under test goes over the network. As root, Chromium does not start with its sandbox.
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--process-per-site",  # a page that stays open keeps the scripts compiled for all others of its site
]


class BrowserMissing(Exception):
    """No Chromium on this machine; says how to get one."""


def chromium_path() -> Path:
    """Where the machine's Chromium is. Raises: BrowserMissing."""
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise BrowserMissing(
        f"none of {', '.join(NAMES)} is on the PATH; install one with `apt-get install -y chromium` (as root or with sudo)"
    )


@contextmanager
def chromium() -> Generator[Browser]:
    """A running headless Chromium, closed at the end. Raises: BrowserMissing."""
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
