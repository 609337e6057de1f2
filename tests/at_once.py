"""Two runs of a step at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from ledger.database import connect

_MEETS_WITHIN_S = 1.0


def at_once(
    monkeypatch: pytest.MonkeyPatch, dsn: str, step: Callable[[psycopg.Connection], int], looks: tuple[Any, str]
) -> list[int]:
    """What each of two connections answers that run `step` at the same time. After each has looked (`looks`: a module and the
    name of its function) it waits for the other one, for as long as it takes to know that the other is kept waiting."""
    met = threading.Barrier(2)
    module, name = looks
    look = getattr(module, name)

    def looked(*given: Any) -> Any:
        found = look(*given)
        with suppress(threading.BrokenBarrierError):
            met.wait(_MEETS_WITHIN_S)
        return found

    monkeypatch.setattr(module, name, looked)

    def one(_: int) -> int:
        with connect(dsn, "writer") as connection:
            return step(connection)

    with ThreadPoolExecutor(2) as both:
        return list(both.map(one, range(2)))
