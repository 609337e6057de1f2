"""The embedded PostgreSQL of a home: made, shared, stopped by the last who uses it, and back after every kind of death."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.errors import CommandError
from cli.home import Home, open_database
from cli.postgres import Cluster, wait_until
from tests.pigou_process import new_folder


@pytest.fixture(scope="module")
def made() -> Iterator[Home]:
    """A home whose database was made and used once."""
    with new_folder() as folder:
        home = Home(folder)
        with home.server_guest():
            assert one(home.cluster, "select 1") == 1
        yield home


@pytest.fixture
def folder() -> Iterator[Path]:
    with new_folder() as folder:
        yield folder


@pytest.fixture
def home(made: Home) -> Iterator[Home]:
    assert made.cluster.running_pid() is None
    yield made
    made.cluster.stop()


def one(cluster: Cluster, query: str) -> object:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_its_settings_are_ours_and_it_listens_on_its_socket_alone(home: Home) -> None:
    with home.server_guest():
        with psycopg.connect(home.cluster.dsn(), autocommit=True) as connection:
            rows = connection.execute(
                "select name, setting from pg_settings where name = any(%s)",
                (["fsync", "synchronous_commit", "jit", "listen_addresses", "server_version_num", "TimeZone"],),
            ).fetchall()
        settings = dict(rows)
        assert int(settings.pop("server_version_num")) >= 180000
        assert settings == {
            "fsync": "on", "synchronous_commit": "on", "jit": "off", "listen_addresses": "", "TimeZone": "UTC",
        }  # fmt: skip
        socket = home.cluster.socket_dir / ".s.PGSQL.5432"
        assert socket.stat().st_mode & 0o077 == 0
        assert (home.path / "postgres").stat().st_mode & 0o077 == 0


def test_the_last_guest_stops_it(home: Home) -> None:
    with home.server_guest():
        pid = home.cluster.running_pid()
        with home.server_guest():
            assert home.cluster.running_pid() == pid
        assert one(home.cluster, "select 1") == 1
    assert home.cluster.running_pid() is None


def test_what_was_committed_is_there_after_a_kill(home: Home) -> None:
    with home.server_guest():
        with psycopg.connect(home.cluster.dsn(), autocommit=True) as connection:
            connection.execute("create table if not exists kept (answer integer)")
            connection.execute("insert into kept values (42)")
        pid = home.cluster.running_pid()
        assert pid
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: home.cluster.running_pid() is None, 10)
    assert (home.path / "postgres" / "postmaster.pid").exists()
    with home.server_guest():
        assert one(home.cluster, "select max(answer) from kept") == 42


def test_a_lock_file_that_names_a_process_of_others_does_not_keep_it_down(home: Home) -> None:
    lock = home.path / "postgres" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{home.path / 'postgres'}\n1\n5432\n{home.cluster.socket_dir}\n\n0 0\nready\n")
    assert home.cluster.running_pid() is None
    assert not home.cluster.ready
    with home.server_guest():
        assert one(home.cluster, "select 1") == 1


def test_the_supervisor_waits_for_guests_and_stops_what_they_left(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with home.open_log("postgres") as log:
        home.cluster.start_detached(log)  # as a killed command leaves it
    with home.server_alone():
        assert home.cluster.running_pid() is None
        with home.open_log("postgres") as log:
            child = home.cluster.spawn(log, dies_with_parent=True)
        assert wait_until(lambda: home.cluster.ready, 20)
        with home.server_guest():
            assert one(home.cluster, "select 1") == 1
        assert home.cluster.running_pid() == child.pid  # a guest does not stop the supervisor's
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 0
    monkeypatch.setattr("cli.home.GUESTS_LEAVE_WITHIN_S", 0.3)
    with home.server_guest():
        with pytest.raises(CommandError, match="another command uses the database"), home.server_alone():
            pass
        assert one(home.cluster, "select 1") == 1


@pytest.mark.parametrize("name", ["a, folder", "x" * 120])
def test_paths_that_make_no_socket_get_one_elsewhere(folder: Path, name: str) -> None:
    home = Home(folder / name)
    with home.server_guest():
        assert home.cluster.socket_dir != home.cluster.data
        assert home.cluster.socket_dir.stat().st_mode & 0o077 == 0
        assert one(home.cluster, "select 1") == 1


def test_a_database_that_was_half_made_is_made_anew(folder: Path) -> None:
    home = Home(folder)
    left = folder / "postgres.new"
    left.mkdir()
    (left / "PG_VERSION").write_text("18\n")
    with home.server_guest():
        assert one(home.cluster, "select current_database()") == "pigou"
    assert not left.exists()


def test_a_command_that_writes_makes_the_books_and_one_that_reads_finds_them(folder: Path) -> None:
    with pytest.raises(CommandError, match="there are no books in"), open_database("reader", folder, {}):
        pass
    with open_database("writer", folder, {}) as books:
        assert books.execute("select current_user::text").fetchone() == ("pigou_writer",)
    with open_database("reader", folder, {}) as books:
        assert books.execute("select count(*) > 1000 from ledger.rates").fetchone() == (True,)
    assert Home(folder).cluster.running_pid() is None


def test_a_named_database_is_used_as_it_is(dsn: str, folder: Path) -> None:
    with open_database("reader", folder, {"PIGOU_DATABASE_URL": dsn}) as books:
        assert books.execute("select count(*) from ledger.calls").fetchone() == (0,)
    assert not list(folder.iterdir())
