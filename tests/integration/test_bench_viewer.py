"""A benchmark's viewer asks what a browser would: every page answers it, and what stayed the same is not sent again."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from typing import cast

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bench.page_times import PageTimes, Times, panels_table, queries_table
from bench.viewer import Viewer, addresses
from dashboard.app import create_app
from dashboard.books import Books
from dashboard.pages import PAGES
from ledger.database import connect
from tests.books import cloned
from tests.found import JUDGED_AT


class Door:
    """An application within this process, as a connection to its port."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self._answer: TestResponse | None = None
        self.answer = b""
        self.status = 0

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        answer = self._client.open(path, method=method, data=body, headers=headers)
        self.status, self.answer = answer.status_code, answer.data

    def getresponse(self) -> Door:
        return self

    def read(self) -> bytes:
        return self.answer


def viewer(books: Books) -> Viewer:
    app = create_app(books, clock=lambda: JUDGED_AT)
    return Viewer(cast(HTTPConnection, Door(app.server.test_client())))


@pytest.fixture(scope="module")
def books(judged: str) -> Iterator[Books]:
    """The pages' own door to books in which something was decided and found."""
    opened = Books(judged, fresh_s=60)
    yield opened
    opened.close()


def test_every_page_answers(judged: str, books: Books) -> None:
    with connect(judged, "reader") as reader:
        found = addresses(reader)
    assert found.keys() >= {page.name for page in PAGES}
    looking, sent, sent_again = viewer(books), 0, 0
    for name, address in found.items():
        opened = list(looking.open(address))
        assert [each.what for each in opened if each.failed] == [], name
        again = list(looking.refresh())
        assert [each.what for each in again if each.failed] == [], name
        assert len(again) == len(opened) - 2
        sent += sum(each.size for each in opened[2:])
        sent_again += sum(each.size for each in again)
    assert sent_again < sent / 4


def test_panels_that_cannot_be_drawn_are_told(server: str, template: str) -> None:
    with cloned(server, template, "pigou_viewer_away") as dsn:
        books = Books(dsn)
        looking = viewer(books)
        opened = list(looking.open("/prices"))
        assert [each.what for each in opened if each.failed] == []
    again = list(looking.refresh())  # the database is gone; that nobody needs a credential was told before
    assert len(again) == len(opened) - 2
    assert all(each.failed for each in again)
    books.close()


def test_the_slowest_stand_first() -> None:
    quick, slow = Times("spend", "quick", [1.0, 2.0, 3.0], 10, 0), Times("spend", "slow", [100.0, 300.0, 200.0], 10, 0)
    sizes = [(1_000_000, PageTimes([quick], [(1.0, "a")])), (3_000_000, PageTimes([quick, slow], [(9.0, "b"), (2.0, "a")]))]
    told = panels_table(sizes).splitlines()
    assert told[0] == "| callback | 1 million: p50 ms | p95 ms | 3 million: p50 ms | p95 ms |"
    assert told[2:] == ["| all 2 | 2 | 3 | 100 | 300 |", "| spend: slow |  |  | 200 | 300 |", "| spend: quick | 2 | 3 | 2 | 3 |"]
    assert queries_table(sizes).splitlines()[2:] == ["| b | nan | 9 |", "| a | 1 | 2 |"]
