"""The edge of the command line: every failure is one line on standard error and an exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli import main as edge
from cli.contents import SECTIONS
from cli.errors import CommandError
from ledger.errors import DatabaseUnavailable
from tests.pigou_process import clean_environment

HEAVY = ("alembic", "dash", "fastapi", "google", "numpy", "opentelemetry", "plotly", "psycopg", "rich", "sqlalchemy", "yaml")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PIGOU_DATABASE_URL", "PIGOU_DEBUG", "PIGOU_TENANT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIGOU_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def leave(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as left:
        edge.main(list(arguments))
    return left.value.code


def names(command: object, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command there is below one."""
    for name, below in getattr(command, "commands", {}).items():
        yield (*prefix, name)
        yield from names(below, (*prefix, name))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sqk"], "No such command 'sqk'. Did you mean 'sql'?"),
        (["up", "--http-port", "many"], "Invalid value for '--http-port'"),
        (["up", "--http-port", "70000"], "less than or equal to 65535"),
        (["up", "--colour"], "No such option: --colour"),
        (["statement"], "Missing argument 'ACCOUNT'"),
        (["statement", "a", "--since", "soon"], "'soon' is not a day; write 2026-01-31, today, yesterday or 7d"),
        (["statement", "a", "--since", "2026-02-01", "--until", "2026-01-01"], "--until 2026-01-01 is before --since 2026-02-01"),
        (["statement", "a", "--format", "xml"], "Invalid value for '--format': 'xml' is not one of 'table', 'csv', 'json'"),
        (["sql"], "give one query"),
        (["sql", " "], "the query is empty"),
        (["sql", "select 1", "select 2"], "unexpected extra argument"),
        (["sql", "--file", "/nowhere.sql"], "does not exist"),
        (["replay"], "Missing argument 'FILE...'"),
        (["replay", "/no/where.json"], "there is no file /no/where.json; name files that exist"),
        (["replay", __file__, "--endpoint", "here"], "'here' is no address of a collector; write it as http://"),
        (["replay", __file__, "--header", "x"], "--header 'x' is no NAME=VALUE"),
        (["periods", "close", "--tenant", "a"], "Missing option '--through'"),
        (["dsn", "--role", "king"], "Invalid value for '--role'"),
        (["demo", "--days", "0"], "Invalid value for '--days'"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(*arguments) == 2
    output = capsys.readouterr()
    assert said in output.err
    assert output.err.startswith("pigou: ")
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_a_missing_file_is_compared_with_those_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "traces.json").touch()
    assert leave("replay", str(tmp_path / "trace.json")) == 2
    assert "did you mean traces.json?" in capsys.readouterr().err


@pytest.mark.parametrize("name", [" ".join(name) for name in names(edge.command_line())])
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(*name.split(), "--help") == 0
    output = capsys.readouterr().out
    assert output.startswith(f"Usage: pigou {name}")
    assert "PIGOU_HOME" in output or "\nCommands:\n" in output or name in ("", "version")


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave() == 2
    assert "See where dollars are lost:" in capsys.readouterr().err


def test_every_command_is_listed_once_with_its_whole_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    every = [name for names in SECTIONS.values() for name in names]
    assert sorted(every) == sorted(edge.command_line().commands)
    assert leave("--help") == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert all((edge.command_line().commands[name].help or "").split("\n")[0] in listed for name in every)
    assert leave("tasks", "rules", "--help") == 0
    assert "Tasks that are settled already are judged again by it." in " ".join(capsys.readouterr().out.split())


def test_commands_that_read_say_that_there_are_no_books(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["sql", "select 1"], ["accounts"], ["statement", "expenses"], ["periods", "list"]):
        assert leave(*arguments) == 1
        assert capsys.readouterr().err == f"pigou: there are no books in {home}; start `pigou up`, or name another --home\n"
    assert leave("dsn") == 1
    assert capsys.readouterr().err == f"pigou: nothing runs on {home}; start `pigou up`, or name another --home\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CommandError("no", "mend it", exit_code=2), 2, "pigou: no; mend it\n"),
        (DatabaseUnavailable("the database\nis away", "start it"), 1, "pigou: the database is away; start it\n"),
        (psycopg.OperationalError("server\n closed"), 1, "pigou: the database refused: server closed\n"),
        (psycopg.errors.UndefinedTable(), 1, "run `pigou migrate`\n"),
    ],
)
def test_known_errors_are_one_line(
    error: Exception, code: int, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(edge, "command_line", fail)
    assert leave("anything") == code
    assert capsys.readouterr().err.endswith(said)


def test_an_unexpected_error_is_one_line_and_its_traceback_in_the_log(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("what\nnow")

    monkeypatch.setattr(edge, "command_line", fail)
    assert leave("anything") == 1
    log = home / "logs" / "cli.log"
    assert capsys.readouterr().err == f"pigou: unexpected ZeroDivisionError: what now; the traceback is in {log}\n"
    assert "raise ZeroDivisionError" in log.read_text()
    monkeypatch.setenv("PIGOU_DEBUG", "1")
    assert leave("anything") == 1
    assert "raise ZeroDivisionError" in capsys.readouterr().err


def test_the_help_and_the_supervisor_load_nothing_heavy() -> None:
    source = (
        "import sys\nfrom cli.main import _run\nimport cli.up, cli.supervise\n"
        f"_run(['--help'])\nprint(sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, env=clean_environment(), timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
