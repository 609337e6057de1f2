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
    ("broken", "offences"),
    [
        ("floors", [("ledger", "collector"), ("analyzers", "collector"), ("dashboard", "cli"), ("allocation", "ledger"),
                    ("ledger", "allocation")]),
        ("ledger-knows-books-only", [("ledger", "opentelemetry")]),
        ("economy-stands-alone", [("economy", "ledger")]),
        ("allocation-is-arithmetic", [("allocation", "psycopg")]),
        ("collector-stays-light", [("collector", "scipy")]),
    ],
)  # fmt: skip
def test_an_import_that_points_up_is_found(tmp_path: Path, broken: str, offences: list[tuple[str, str]]) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    for package, imported in offences:
        (tmp_path / package / f"reach_{imported}.py").write_text(f"import {imported}\n")
    linted = lint_imports(tmp_path, "--contract", broken)
    assert linted.returncode == 1, linted.stdout
    assert "0 kept, 1 broken" in linted.stdout
    for package, imported in offences:
        assert f"{package}.reach_{imported} -> {imported} (l.1)" in linted.stdout


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
