"""The script that installs what a lock names: by uv, told what pip is told of indexes; by pip where uv does not get through."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "install-lock"
LOCK = ("--require-hashes", "-r", "some.lock")
PIP = """#!/bin/sh
case "$*" in *"config list"*) cat "$FOLDER/config" ;; *) echo "pip $*" >>"$FOLDER/ran" ;; esac
"""
UV = """#!/bin/sh
echo "uv $*" >>"$FOLDER/ran"
env | grep -E '^(UV_|SSL_CERT_FILE)' | sort >"$FOLDER/environment"
echo "some reason" >&2
exit $UV_ENDS
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout whose pip and uv only say how they were called."""
    for name, content in (("scripts/install-lock", SCRIPT.read_text()), (".venv/bin/python", PIP), (".venv/bin/uv", UV)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755)
    (tmp_path / "config").write_text("")
    return tmp_path


def install(folder: Path, *, uv_ends: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    path = os.environ["PATH"]
    return subprocess.run(
        [folder / "scripts" / "install-lock", "env/bin/python", *LOCK],
        env={"PATH": path, "FOLDER": str(folder), "UV_ENDS": str(uv_ends), **more}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def ran(folder: Path) -> list[str]:
    return (folder / "ran").read_text().splitlines()


def test_uv_installs_exactly_what_is_locked(folder: Path) -> None:
    done = install(folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ran(folder) == ["uv pip install --quiet --python env/bin/python --no-deps --require-hashes -r some.lock"]


def test_where_uv_does_not_get_through_pip_installs_and_the_reason_is_said(folder: Path) -> None:
    done = install(folder, uv_ends=2)
    assert done.returncode == 0
    assert "some reason\nuv could not install this (above): trying pip" in done.stderr
    assert ran(folder)[1].startswith("pip -m pip --python env/bin/python install --quiet")
    assert ran(folder)[1].endswith("--no-deps --no-compile --require-hashes -r some.lock")


def test_where_there_is_no_uv_pip_installs(folder: Path) -> None:
    (folder / ".venv/bin/uv").unlink()
    done = install(folder)
    assert (done.returncode, len(ran(folder))) == (0, 1)
    assert "Without uv, pip takes a minute or two" in done.stderr


def test_what_pip_is_told_of_indexes_holds_for_uv(folder: Path) -> None:
    (folder / "config").write_text(
        "global.index-url='https://one.example/simple'\n:env:.extra-index-url='https://two.example/simple'\n"
        "global.cert='/some/bundle.pem'\n:env:.find-links='/some/wheels'\n"
    )
    install(folder, UV_FIND_LINKS="/other/wheels")
    said = dict(line.split("=", 1) for line in (folder / "environment").read_text().splitlines())
    del said["UV_ENDS"]
    assert said == {
        "UV_DEFAULT_INDEX": "https://one.example/simple", "UV_INDEX": "https://two.example/simple",
        "SSL_CERT_FILE": "/some/bundle.pem", "UV_FIND_LINKS": "/other/wheels", "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_NO_PROGRESS": "1",
    }  # fmt: skip
