"""The demo, played once for all tests that walk it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.pigou_process import RunningPigou, copy_of, new_folder

PLAYED_WITHIN_S = 1_800
"""A fortnight takes a hundred seconds of a processor; a loaded machine has few to give."""


@pytest.fixture(scope="session")
def demo() -> Iterator[RunningPigou]:
    """`pigou demo` with its fortnight played and appraised; of PIGOU_DEMO_HOME, a home that holds one, a copy is shown."""
    with ExitStack() as stack:
        played = os.environ.get("PIGOU_DEMO_HOME")
        home = stack.enter_context(copy_of(Path(played)) if played else new_folder())
        yield stack.enter_context(RunningPigou(home, command=("demo",), ready_within_s=PLAYED_WITHIN_S))
