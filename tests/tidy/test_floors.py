"""The floors of the house: imports point down (the contracts stand in pyproject.toml)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import PACKAGES, ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def test_imports_point_down() -> None:
    linted = lint_imports(ROOT)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(
    ("module", "code", "broken"),
    [
        ("ledger/reach.py", "import collector\n", "floors"),
        ("analyzers/reach.py", "import collector\n", "floors"),
        ("dashboard/reach.py", "import cli\n", "floors"),
        ("ledger/reach.py", "import opentelemetry\n", "ledger-knows-books-only"),
        ("economy/reach.py", "import ledger\n", "economy-stands-alone"),
        ("allocation/reach.py", "import ledger\n", "floors"),
        ("ledger/reach.py", "import allocation\n", "floors"),
        ("allocation/reach.py", "import psycopg\n", "allocation-is-arithmetic"),
        ("collector/reach.py", "import scipy\n", "collector-stays-light"),
    ],
)
def test_an_import_that_points_up_is_found(tmp_path: Path, module: str, code: str, broken: str) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / module).write_text(code)
    linted = lint_imports(tmp_path, "--contract", broken)
    assert linted.returncode == 1, linted.stdout
    assert "0 kept, 1 broken" in linted.stdout


def lint_imports(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages below a folder."""
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(folder), "PATH": "", "NO_COLOR": "1"},
    )
