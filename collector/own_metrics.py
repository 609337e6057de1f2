"""What a collector counts of itself, for Prometheus: what came, what became of it, how long that took, and how full it is.

It is kept in memory and begins anew with the process. The names are those of docs/watching.md.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import NamedTuple

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from collector.export import Answer, Outcome, SignalSent
from collector.spool import SpoolDepth

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Depth(NamedTuple):
    """What waits in a collector's memory, and how much may."""

    exports: int
    size_bytes: int
    limit_bytes: int


class OwnMetrics:
    """The counts of one collector. Every method may be called from any thread."""

    def __init__(self) -> None:
        disable_created_metrics()  # all began with the process
        self._registry = CollectorRegistry()
        self._exports = self._counter("exports", "Exports that were answered, by what they were answered.", "signal", "outcome")
        self._export_seconds = self._histogram("export_seconds", "From an export's arrival to its answer, in seconds.", "signal")
        self._records = self._counter(
            "records", "Spans, log records and data points that were posted, repeats included.", "signal"
        )
        self._rejected = self._counter("records_rejected", "Those that were refused while the rest was booked.", "signal")
        self._commit_seconds = self._histogram("commit_seconds", "One transaction that posts a group of exports, in seconds.")

    def answered(self, signal: SignalSent, outcome: Outcome) -> None:
        """Count an export that was answered."""
        self._exports.labels(signal, outcome).inc()

    def await_answer(self, signal: SignalSent, reply: Future[Answer]) -> None:
        """Count an export once it is answered, and the time until then."""
        began = time.monotonic()

        def count(done: Future[Answer]) -> None:
            self.answered(signal, done.result().outcome)
            self._export_seconds.labels(signal).observe(time.monotonic() - began)

        reply.add_done_callback(count)

    def booked(self, signal: SignalSent, records: int, rejected: int) -> None:
        """Count the records of an export that was posted, and those that were refused."""
        self._records.labels(signal).inc(records)
        self._rejected.labels(signal).inc(rejected)

    def committed(self, seconds: float) -> None:
        """Count a transaction and its time."""
        self._commit_seconds.observe(seconds)

    def text(
        self, *, is_storing: bool, has_database: bool, inbox: Depth, spool: SpoolDepth | None, spool_limit_bytes: int
    ) -> bytes:
        """All of it as Prometheus reads it, with how the collector is now. Of a spool that there is not nothing is told."""
        now = CollectorRegistry()
        for name, said, value in (
            ("storing", "1 while exports are stored, in the books or in the spool.", is_storing),
            ("database_answers", "1 while the database answers.", has_database),
            ("inbox_exports", "Exports under way.", inbox.exports),
            ("inbox_bytes", "Their size.", inbox.size_bytes),
            ("inbox_limit_bytes", "The size from which on exports are refused for a while.", inbox.limit_bytes),
        ):
            _gauge(now, name, said, value)
        if spool is not None:
            for name, said, value in (
                ("spool_exports", "Exports that wait on disk.", spool.exports),
                ("spool_bytes", "Their size on disk.", spool.size_bytes),
                ("spool_limit_bytes", "The size from which on the spool takes no more.", spool_limit_bytes),
                ("spool_oldest_seconds", "How long the oldest of them has waited.", spool.oldest_age_s or 0.0),
                ("spool_damaged_files", "Files of the spool that were set aside.", spool.damaged),
            ):
                _gauge(now, name, said, value)
        return bytes(generate_latest(self._registry)) + bytes(generate_latest(now))

    def _counter(self, name: str, said: str, *labels: str) -> Counter:
        return Counter(f"pigou_{name}", said, labels, registry=self._registry)

    def _histogram(self, name: str, said: str, *labels: str) -> Histogram:
        return Histogram(f"pigou_{name}", said, labels, registry=self._registry, buckets=_SECONDS)


def _gauge(registry: CollectorRegistry, name: str, said: str, value: float) -> None:
    Gauge(f"pigou_{name}", said, registry=registry).set(value)
