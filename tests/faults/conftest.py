"""One PostgreSQL with fsync on for all rounds of a test process; each round has a database and a collector of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.faults.command import own_server
from bench.faults.server import Server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with own_server() as server:
        yield server
