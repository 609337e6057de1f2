"""Nothing in the repository names the place it was made in, or where packages are fetched from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy.tree import files, text

# Written apart, so that this file does not name what it forbids.
REGISTRIES = re.compile(
    "|".join(
        name.replace(" ", r"\.")
        for name in (
            "pypi org",
            "pythonhosted org",
            "npmjs org",
            "npmjs com",
            "debian org",
            "ubuntu com",
            "crates io",
            "proxy golang org",
            "registry-1 docker io",
            "hub docker com",
            "ghcr io",
            "conda anaconda org",
        )
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.<}])/(?:wor" + r"k|roo" + r"t|User" + r"s|tmp/w|opt/pypi)/[\w.]")
ADDRESS = re.compile(r"https?:" + r"//|(?:^|\s)--(?:extra-)?index-url|--find-links", re.MULTILINE)
OUTSIDE = re.compile(r"\.\./shared(?!/data\b)|\.\./\.\./shared(?!/data\b)")


def locks() -> list[Path]:
    """The lock files of the repository."""
    return [path for path in files() if path.suffix == ".lock" or path.name in {"package-lock.json", "pylock.toml"}]


def test_no_lock_names_an_address() -> None:
    assert len(locks()) >= 3
    assert not [str(path) for path in locks() if ADDRESS.search(text(path))]


def test_no_file_names_a_registry() -> None:
    assert not [f"{path}: {match[0]}" for path in files() for match in REGISTRIES.finditer(text(path))]


def test_no_file_names_a_path_of_a_machine() -> None:
    assert not [f"{path}: {match[0]}" for path in files() for match in MACHINE_PATHS.finditer(text(path))]


def test_only_tests_and_benches_look_beside_the_repository() -> None:
    looking = [str(path) for path in files(".py", ".sql", ".md", ".yml", ".toml") if OUTSIDE.search(text(path))]
    assert not [path for path in looking if not path.startswith(("tests/", "bench/", "docs/development"))]


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        (REGISTRIES, "see https://pypi" + ".org/project/pigou"),
        (MACHINE_PATHS, "open('/wor" + "k/main/x')"),
        (MACHINE_PATHS, "/roo" + "t/.cache"),
        (ADDRESS, "--index-url " + "https:" + "//example"),
        (OUTSIDE, "../sha" + "red/tools/x"),
    ],
)
def test_offenders_are_found(rule: re.Pattern[str], line: str) -> None:
    assert rule.search(line)
