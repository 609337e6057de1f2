"""One fortnight, planned once for all tests of the economy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from economy.schedule import Schedule, schedule
from economy.truth import Truth, tell

UNTIL = datetime(2026, 11, 23, 15, tzinfo=UTC)
SEED, DAYS, TASKS_PER_DAY = 1, 14.0, 900


@pytest.fixture(scope="session")
def fortnight() -> Schedule:
    """The default fortnight, as `pigou demo` plays it."""
    return schedule(SEED, UNTIL, DAYS, TASKS_PER_DAY)


@pytest.fixture(scope="session")
def truth(fortnight: Schedule) -> Truth:
    """Its truth."""
    return tell(fortnight, SEED, TASKS_PER_DAY)
