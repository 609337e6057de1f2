"""Fixtures: one embedded PostgreSQL per test process, one database per test, cloned from a migrated template.

What is the same for all and takes seconds to make, a home with a migrated and priced database, is made once: the test processes
that pytest-xdist starts share a folder, which the one that started them makes and removes.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql

from cli.home import Home, open_database
from cli.postgres import DATABASE, wait_until
from ledger.database import connect
from tests.pigou_process import copy_of, new_folder

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARED_FOLDER = "TESTS_SHARED_FOLDER"
UNCOMPILED = "uncompiled"
"""Name of a file in the shared folder, while nothing is compiled yet."""
IMPORTED_LATE = ("dashboard.app", "collector.app", "cli.main")
# The tests' own data may be lost with the machine; what is promised of durability has tests with servers of their own.
SETTINGS = """\
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = '256MB'
min_wal_size = '64MB'
autovacuum = off
"""
PROVIDERS = ("openai", "anthropic")
"""Whose list prices are in the database that tests copy."""
WHOLE_LIST = "pigou_whole_list"
"""Name of a database that holds all list prices, as a home of its own (`prepared_home`) does."""
LONG_FIRST = (
    "tests/pages/test_walks.py",
    "tests/pages/test_demo.py",
    "tests/pages/test_page.py",
    "tests/e2e/test_examples.py",
    "tests/tidy/test_tools.py",
    "tests/e2e/",
    "tests/property/",
    "tests/integration/",
)
_shared = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder that all test processes share, before they are started. They are enough: none computes with threads."""
    settings.register_profile("house", deadline=None)  # timings decide no test
    settings.load_profile("house")
    if not hasattr(config, "workerinput"):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        folder = _shared.enter_context(new_folder())
        os.environ[SHARED_FOLDER] = str(folder)
        if not any(Path(__file__).parent.glob("unit/*/__pycache__")) and not sys.dont_write_bytecode:
            (folder / UNCOMPILED).touch()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect without looking for garbage, which takes a third of the time and finds nothing; then look for it less often."""
    gc.disable()
    try:
        return (yield from _in_turn(session))
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


def _in_turn(session: pytest.Session) -> Generator[None, object, object]:
    """In a new checkout one test process compiles what all import, a second makes the home, and a third compiles what the first
    comes to late; then the rest follow."""
    worker = getattr(session.config, "workerinput", {}).get("workerid")
    folder = Path(os.environ[SHARED_FOLDER])
    if worker is None or not (folder / UNCOMPILED).exists():
        return (yield)
    if worker == "gw0":
        try:
            return (yield)
        finally:
            (folder / UNCOMPILED).unlink()
    if worker == "gw1":
        make_home(folder)
    if worker == "gw2":
        for name in IMPORTED_LATE:
            importlib.import_module(name)
    wait_until(lambda: not (folder / UNCOMPILED).exists(), 300)
    return (yield)


def pytest_sessionfinish() -> None:
    """Stop what `book` keeps for databases that are no test's own."""
    if (desk := sys.modules.get("tests.desk")) is not None:
        desk.close_desks()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it, once the others have ended."""
    if not hasattr(config, "workerinput"):
        _shared.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that no test process is left alone with it at the end."""
    items.sort(key=lambda item: next((place for place, path in enumerate(LONG_FIRST) if path in item.nodeid), len(LONG_FIRST)))


@pytest.fixture(scope="session")
def prepared_home() -> Path:
    """A home as an earlier `pigou up` left it: migrated and priced, with empty books; to be copied, not used."""
    return make_home(Path(os.environ[SHARED_FOLDER]))


@pytest.fixture(scope="session")
def server(prepared_home: Path) -> Iterator[str]:
    """URI of the maintenance database of this test process's own server, which holds the template beside it."""
    with copy_of(prepared_home) as folder:
        home = Home(folder)
        with (home.cluster.data / "postgresql.auto.conf").open("a") as conf:
            conf.write(SETTINGS)
        with home.open_log("postgres") as log:
            process = home.cluster.spawn(log, dies_with_parent=True)
        try:
            assert wait_until(lambda: home.cluster.ready, 60), (home.logs / "postgres.log").read_text()
            uri = home.cluster.dsn().replace(f"/{DATABASE}?", "/postgres?", 1)
            _trim(uri)
            yield uri
        finally:
            home.cluster.stop()
            process.wait()


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """Name of a migrated database with the list prices of two providers, to clone from; a module may name WHOLE_LIST instead."""
    return DATABASE


@pytest.fixture
def dsn(server: str, template: str) -> Iterator[str]:
    """A database of the test's own, migrated and priced."""
    name = "pigou_test"  # always the same: what is built for an address can be kept
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(sql.Identifier(name), sql.Identifier(template))
        )
    yield _named(server, name)
    if (desk := sys.modules.get("tests.desk")) is not None:  # what it keeps is of this database
        desk.close_desks()
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


def _trim(server: str) -> None:
    """Leave the list prices of two providers in the template: most of each of its hundreds of copies would be rates."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {WHOLE_LIST} template {DATABASE} strategy file_copy".encode())
    with psycopg.connect(_named(server, DATABASE), autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")  # rates are append-only
        connection.execute("delete from pigou.rate where provider <> all (%s)", (list(PROVIDERS),))
        connection.execute("vacuum full pigou.rate")
        connection.execute("checkpoint")  # until then the old files are copied, too


def _named(uri: str, database: str) -> str:
    """The same server, another database."""
    return uri.replace("/postgres?", f"/{database}?", 1)


def make_home(folder: Path) -> Path:
    """The home that all test processes copy: whoever comes first makes it."""
    home = folder / "home"
    with (folder / "home.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            new = folder / "home.new"  # what a failed try leaves behind is no home
            with open_database("writer", new, {}):
                pass
            new.rename(home)
    return home
