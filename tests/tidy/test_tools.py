"""The linters are part of the tests: a rule that only `make check` knew would soon be broken.

The type checker alone takes a minute of a core and is left to `make check`, which continuous integration runs first.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

BIN = Path(sys.executable).parent


@pytest.mark.parametrize("command", [["ruff", "check", "--no-cache"], ["ruff", "format", "--check", "--no-cache"]], ids=" ".join)
def test_nothing_is_found(command: list[str]) -> None:
    found = run(ROOT, command)
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-1000:]


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("def f():\n    try:\n        print(1)\n    except Exception:\n        pass\n", "BLE001"),
        ('def f(c, name):\n    """F."""\n    c.execute(f"select {name} from t where x = {name}")\n', "S608"),
        ("import datetime\n\nNOW = datetime.datetime.now()\n", "DTZ005"),
        ("assert 1\n", "S101"),
    ],
)
def test_the_linter_finds_offenders(tmp_path: Path, code: str, rule: str) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "offender.py").write_text(code)
    found = run(tmp_path, ["ruff", "check", "--no-cache", "--output-format", "concise"])
    assert rule in found.stdout


def test_the_type_checker_finds_offenders(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text().replace('venvPath = "."', ""))
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "offender.py").write_text("def f(rows):\n    return rows\n\n\nx: int = 'a'\n")
    found = run(tmp_path, ["basedpyright", "--pythonpath", sys.executable])
    assert "reportMissingParameterType" in found.stdout
    assert "reportAssignmentType" in found.stdout


def run(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment in a folder."""
    program, *arguments = command
    return subprocess.run([BIN / program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
