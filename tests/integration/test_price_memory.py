"""What is remembered of price lists: for how long, until when, and while the database is away."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import pytest

from ledger.errors import DatabaseUnavailable, UnknownTenant
from ledger.price_vector import PriceMemory
from tests.price_vectors import put_vector


class Line:
    """A connection that can be cut, and counts how often it was asked for."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.is_cut = False
        self.asked = 0

    @contextmanager
    def connect(self) -> Generator[psycopg.Connection]:
        self.asked += 1
        if self.is_cut:
            raise DatabaseUnavailable("the database does not answer")
        yield self.connection


@pytest.fixture
def now_ns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The clock of the memory, as the test sets it."""
    at = [10**12]
    monkeypatch.setattr("ledger.price_vector.time.monotonic_ns", lambda: at[0])
    return at


def test_a_list_is_read_again_only_when_its_version_changed(writer: psycopg.Connection, now_ns: list[int]) -> None:
    put_vector(writer, v_usd=1)
    line = Line(writer)
    memory = PriceMemory(line.connect)
    assert memory.fresh("default") is None
    first = memory.read("default")
    assert memory.fresh("default") is first
    assert memory.read("default") is first
    assert line.asked == 1
    now_ns[0] += 2 * 10**9
    assert memory.fresh("default") is None
    second = memory.read("default")
    assert (second.vectors is first.vectors, second.seen_at > first.seen_at, line.asked) == (True, True, 2)
    put_vector(writer, v_usd=2)
    now_ns[0] += 2 * 10**9
    third = memory.read("default")
    assert [one.v_usd for one in third.vectors.values()] == [2]
    assert third.version == 2


def test_while_the_database_is_away_the_last_list_is_served(writer: psycopg.Connection, now_ns: list[int]) -> None:
    put_vector(writer, v_usd=1)
    line = Line(writer)
    memory = PriceMemory(line.connect)
    first = memory.read("default")
    line.is_cut = True
    now_ns[0] += 2 * 10**9
    assert memory.read("default").seen_at == first.seen_at
    with pytest.raises(DatabaseUnavailable):
        memory.read("other")


def test_a_tenant_that_is_not_there_is_not_remembered(writer: psycopg.Connection, now_ns: list[int]) -> None:
    memory = PriceMemory(Line(writer).connect)
    with pytest.raises(UnknownTenant, match="nobody"):
        memory.read("nobody")
    assert memory.fresh("nobody") is None
