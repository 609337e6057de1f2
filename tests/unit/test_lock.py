"""What is installed is what was locked: pinned, hashed, and wanted by pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "requirements.runtime.lock", "examples/requirements.lock", "bench/requirements-peers.lock"]
INSTALLER = "requirements.uv.lock"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)
_NAME = re.compile(r"^[A-Za-z0-9._-]+")


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(lock: str) -> dict[str, str]:
    """Each locked distribution with its own lines: pin, marker and hashes."""
    content = re.sub(r"^\s*#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    blocks = re.split(r"\n(?=\S)", content.strip())
    return {canonical(match["name"]): block for block in blocks if (match := _PIN.match(block))}


def unhashed(lock: str) -> list[str]:
    """Distributions that are not pinned to a version with at least one sha256."""
    return [name for name, block in entries(lock).items() if "--hash=sha256:" not in block]


def wanted(*, tools: bool) -> set[str]:
    """What pyproject.toml asks for, by canonical name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = list(project["project"]["dependencies"])
    if tools:
        names += project["dependency-groups"]["dev"]
    return {canonical(match[0]) for name in names if (match := _NAME.match(name))}


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_and_hashed(lock: str) -> None:
    assert len(entries(lock)) > 20
    assert unhashed(lock) == []


def test_what_installs_is_pinned_and_hashed() -> None:
    assert list(entries(INSTALLER)) == ["uv"]
    assert unhashed(INSTALLER) == []


@pytest.mark.parametrize(("lock", "tools"), [("requirements.lock", True), ("requirements.runtime.lock", False)])
def test_what_pyproject_wants_is_locked(lock: str, *, tools: bool) -> None:
    assert wanted(tools=tools) - entries(lock).keys() == set()


def test_the_image_gets_the_versions_that_were_tested() -> None:
    tested = entries("requirements.lock")
    assert [name for name, block in entries("requirements.runtime.lock").items() if block != tested.get(name)] == []


def test_the_image_gets_no_tools() -> None:
    assert {"pytest", "ruff", "basedpyright", "playwright"} & entries("requirements.runtime.lock").keys() == set()


def test_the_builder_is_locked_too() -> None:
    assert "setuptools" in entries("requirements.runtime.lock")


def test_every_pin_of_a_lock_is_read() -> None:
    for lock in LOCKS:
        assert len(_PIN.findall((ROOT / lock).read_text())) == len(entries(lock))
