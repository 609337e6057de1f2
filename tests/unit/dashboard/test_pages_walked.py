"""No page is forgotten: each is walked over hostile books, has a picture, and is shown in the document of the pages."""

from __future__ import annotations

from pathlib import Path

from dashboard.pages import PAGES, page_at
from tests.hostile_walk import ADDRESSES
from tests.screenshots import SHOTS

ROOT = Path(__file__).resolve().parents[3]


def test_every_page_is_walked_over_hostile_books() -> None:
    walked = {page_at(PAGES, address.partition("?")[0]).name for address, _ in ADDRESSES}
    assert walked == {page.name for page in PAGES}


def test_every_page_has_a_picture_in_the_document() -> None:
    assert {page_at(PAGES, shot.path.partition("?")[0]).name for shot in SHOTS} == {page.name for page in PAGES}
    shown = (ROOT / "docs" / "pages.md").read_text()
    for shot in SHOTS:
        assert f"(images/{shot.name}.webp)" in shown
        assert (ROOT / "docs" / "images" / f"{shot.name}.webp").is_file()
