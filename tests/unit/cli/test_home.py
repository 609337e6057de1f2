"""Homes: which one is meant, who holds it, and what addresses say to whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import home as homes
from cli.errors import CommandError
from cli.home import Home, Running, dsn_for_role, home_at, home_to_read, without_password

EMBEDDED = "postgresql://postgres@/pigou?host=/home/me/postgres"
RUNNING = Running(1, EMBEDDED, "http://127.0.0.1:4318", "127.0.0.1:4317", None, "2026-01-01T00:00:00+00:00", {})


@pytest.fixture
def user_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(homes, "_user_data", lambda: tmp_path)
    monkeypatch.delenv("PIGOU_HOME", raising=False)
    return tmp_path


def test_the_option_wins_over_the_variable_over_the_users_folder(user_data: Path, tmp_path: Path) -> None:
    variable = {"PIGOU_HOME": str(tmp_path / "b")}
    assert home_at(tmp_path / "a", variable) == Home(tmp_path / "a")
    assert home_at(None, variable) == Home(tmp_path / "b")
    assert home_at(None, {}) == Home(user_data / "pigou")


def test_a_relative_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert home_at(Path("here"), {}) == Home(tmp_path / "here")


def test_commands_read_the_running_demo_only_when_nothing_else_is_meant(user_data: Path) -> None:
    demo, own = Home(user_data / "pigou-demo"), Home(user_data / "pigou")
    assert home_to_read(None, {}) == own
    with demo.held():
        demo.write_run_file(RUNNING)
        assert home_to_read(None, {}) == demo
        assert home_to_read(user_data / "other", {}) == Home(user_data / "other")
        assert home_to_read(None, {"PIGOU_HOME": str(own.path)}) == own
        own.cluster.data.mkdir(parents=True)
        (own.cluster.data / "PG_VERSION").touch()
        assert home_to_read(None, {}) == own


def test_a_home_is_held_once(tmp_path: Path) -> None:
    with Home(tmp_path).held():
        with pytest.raises(CommandError, match="another pigou is starting on") as refused, Home(tmp_path).held():
            pass
        assert refused.value.exit_code == 2
        Home(tmp_path).write_run_file(RUNNING)
        with pytest.raises(CommandError, match=r"another pigou \(process 1\) runs on"), Home(tmp_path).held():
            pass
    with Home(tmp_path).held():
        pass


def test_addresses_count_only_while_the_home_is_held(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.held():
        home.write_run_file(RUNNING)
        assert home.running() == RUNNING
        assert home.run_file.stat().st_mode & 0o777 == 0o600
    assert home.running() is None
    home.write_run_file(RUNNING)  # as a killed one leaves it
    assert home.running() is None


def test_a_damaged_run_file_is_no_installation(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.held():
        home.run_file.write_text('{"pid": 1')
        assert home.running() is None


def test_a_home_that_cannot_be_made_says_what_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="choose another with --home or PIGOU_HOME"):
        Home(tmp_path / "file" / "home").make()


def test_a_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    Home(tmp_path / "deep" / "home").make()
    assert (tmp_path / "deep" / "home").stat().st_mode & 0o777 == 0o700


def test_logs_are_rotated_by_start(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    for start in range(8):
        home.rotate_logs()
        with home.open_log("collector") as log:
            log.write(b"%d" % start)
    kept = {path.name: path.read_text() for path in home.logs.iterdir()}
    assert kept == {"collector.log": "7"} | {f"collector.{number}.log": f"{7 - number}" for number in range(1, 6)}
    home.rotate_logs()
    home.rotate_logs()  # nothing was written since: nothing is pushed out
    assert (home.logs / "collector.1.log").read_text() == "7"


@pytest.mark.parametrize(
    ("dsn", "role", "expected"),
    [
        (EMBEDDED, "owner", EMBEDDED),
        (EMBEDDED, "reader", "postgresql://pigou_reader@/pigou?host=/home/me/postgres"),
        (EMBEDDED, "writer", "postgresql://pigou_writer@/pigou?host=/home/me/postgres"),
        ("postgresql://a:b@h:5/d", "reader", "postgresql://a:b@h:5/d?options=-c%20role%3Dpigou_reader"),
        (
            "postgresql://a@h/d?sslmode=require&options=-c%20x%3D1",
            "writer",
            "postgresql://a@h/d?sslmode=require&options=-c%20role%3Dpigou_writer",
        ),
        ("dbname=d host=h", "reader", "dbname=d host=h options='-c role=pigou_reader'"),
    ],
)
def test_an_address_for_a_role(dsn: str, role: homes.Role, expected: str) -> None:
    assert dsn_for_role(dsn, role) == expected


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        (EMBEDDED, EMBEDDED),
        ("postgresql://a:s3cret@h:5/d", "postgresql://a:***@h:5/d"),
        ("postgresql://a:p@ss@h/d", "postgresql://a:***@h/d"),
        ("host=h password=s3cret dbname=d", "host=h password=*** dbname=d"),
        ("host=h password='two words' dbname=d", "host=h password=*** dbname=d"),
    ],
)
def test_passwords_are_not_shown(dsn: str, shown: str) -> None:
    assert without_password(dsn) == shown
