"""Fixtures of whole installations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pigou_process import RunningPigou, new_folder


@pytest.fixture(scope="session")
def pigou() -> Iterator[RunningPigou]:
    """A running Pigou with empty books, shared by the tests of a session: each uses a tenant of its own."""
    with new_folder() as home, RunningPigou(home) as running:
        yield running
