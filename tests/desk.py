"""A collector in the test's own process, and books that are filled through it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

from analyzers.pipeline import run_round
from collector.export import Answer, Export
from collector.pipeline import Pipeline
from collector.settings import CollectorSettings
from ledger.database import connect


class Collector:
    """A running pipeline; `send` waits until everything is committed or refused."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def send(self, *exports: Export) -> list[Answer]:
        """What each sender is told."""
        return [waiting.result(60) for waiting in [self.pipeline.submit(request) for request in exports]]

    def book(self, *exports: Export) -> None:
        """Send, and raise ValueError unless everything was stored; warnings are none of its business."""
        for answer in self.send(*exports):
            if answer.outcome != "stored" or answer.rejected:
                raise ValueError(answer)


@contextmanager
def collecting(dsn: str, **settings: Any) -> Generator[Collector]:
    """A collector's pipeline in this process, without network."""
    pipeline = Pipeline(CollectorSettings(dsn, **settings))
    pipeline.start()
    try:
        yield Collector(pipeline)
    finally:
        pipeline.stop()


_desks: dict[str, tuple[ExitStack, Collector, psycopg.Connection]] = {}
"""By database a collector and the clock's connection that `book` keeps: starting both each time would cost more than they do."""


def book(dsn: str, exports: Iterable[Export], **settings: Any) -> None:
    """Put exports into the books, and let the clock go round once."""
    if settings:
        with collecting(dsn, **settings) as collector:
            collector.book(*exports)
        with connect(dsn, "writer") as connection:
            run_round(connection)
        return
    if dsn not in _desks:
        stack = ExitStack()
        _desks[dsn] = stack, stack.enter_context(collecting(dsn)), stack.enter_context(connect(dsn, "writer"))
    _, collector, connection = _desks[dsn]
    collector.book(*exports)
    run_round(connection)


def close_desks() -> None:
    """Stop what `book` keeps, before a database is removed or copied."""
    while _desks:
        _desks.popitem()[1][0].close()
