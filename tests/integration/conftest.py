"""Fixtures of the integration tests beside those of all tests."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cli.main import main
from tests.agent_traffic import fill
from tests.appraised import judge
from tests.found import JUDGED_AT, find, warn
from tests.typed import Typed


@pytest.fixture
def pigou(dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run a command on this test's database; answers exit code, output and errors."""
    monkeypatch.setenv("PIGOU_DATABASE_URL", dsn)

    def typed(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return typed


@pytest.fixture(scope="session")
def judged(server: str, template: str) -> Iterator[str]:
    """A database in which every task has a decision, with findings and alerts, for tests of pages, which only read."""
    name = "pigou_dashboard_judged"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy".encode())
    dsn = make_conninfo(server, dbname=name)
    fill(dsn, JUDGED_AT, traces=50)
    assert judge(dsn) > 40
    find(dsn, JUDGED_AT)
    warn(dsn)
    yield dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())
