"""Fixtures of whole installations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pigou_process import RunningPigou, copy_of


@pytest.fixture(scope="session")
def pigou(prepared_home: Path) -> Iterator[RunningPigou]:
    """A running Pigou with empty books, shared by the tests of a session: each uses a tenant of its own."""
    with copy_of(prepared_home) as home, RunningPigou(home) as running:
        yield running
