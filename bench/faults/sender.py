"""Clients that export as OTLP asks: what was not answered, or answered with "later", is sent again; what was refused is not.

An export counts as acknowledged only when a 2xx answer was read to its end.
"""

from __future__ import annotations

import http.client
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bench.faults.workload import Outgoing

CONNECTIONS = 4
LATER = frozenset({429, 502, 503, 504})
_PAUSE_MAX_S = 0.3  # what is waited before sending again, at most: an hour of Retry-After would end no round

Timeout: TypeAlias = "Callable[[random.Random, int], float]"
"""Seconds a client waits for the answer to the n-th try of an export."""


class Sent(msgspec.Struct):
    """What became of one export. `refused` is the status that said it will never be taken."""

    export: Outgoing
    tries: int = 0
    acknowledged_at: float | None = None
    rejected_spans: int = 0
    refused: int | None = None


def patient(_: random.Random, __: int) -> float:
    """A client that waits as long as any does."""
    return 30.0


def impatient(draw: random.Random, attempt: int) -> float:
    """A client that gives up after some milliseconds and sends again, waiting longer each time."""
    return min(30.0, draw.uniform(0.002, 0.03) * 2**attempt)


class Sending:
    """Some connections that send exports to one collector, each export until it is answered for good."""

    def __init__(
        self, exports: Sequence[Outgoing], port: int, seed: str, *, pace_s: float, timeout: Timeout = patient, within_s: float
    ) -> None:
        self.sent = [Sent(export) for export in exports]
        self.answers: Counter[str] = Counter()
        self._port = port
        self._pace_s = pace_s
        self._timeout = timeout
        self._deadline = time.monotonic() + within_s
        self._changed = threading.Condition()
        self._waiting: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        for sent in self.sent:
            self._waiting.put(sent)
        self._threads = [
            threading.Thread(target=self._send_all, args=(random.Random(f"{seed}:{number}"),), daemon=True)
            for number in range(CONNECTIONS)
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait until every export was answered for good, or the time for it is up."""
        for thread in self._threads:
            thread.join()

    def give_up(self) -> None:
        """Send nothing any more; for a round that was broken off."""
        self._deadline = 0.0

    @property
    def ended(self) -> bool:
        """Whether nothing is being sent any more."""
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def acknowledged(self) -> int:
        """Exports acknowledged so far."""
        return sum(1 for sent in self.sent if sent.acknowledged_at is not None)

    def wait_until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Wait until something is true of what was answered. False when the load or the time ends first."""
        deadline = time.monotonic() + within_s
        with self._changed:
            while not condition():
                if self.ended or time.monotonic() > deadline:
                    return False
                self._changed.wait(0.05)
        return True

    def _send_all(self, draw: random.Random) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        try:
            while True:
                try:
                    sent = self._waiting.get_nowait()
                except queue.Empty:
                    return
                self._deliver(connection, sent, draw)
                time.sleep(draw.uniform(0.5, 1.5) * self._pace_s)
        finally:
            connection.close()

    def _deliver(self, connection: http.client.HTTPConnection, sent: Sent, draw: random.Random) -> None:
        while time.monotonic() < self._deadline:
            timeout_s = min(self._timeout(draw, sent.tries), max(0.001, self._deadline - time.monotonic()))
            sent.tries += 1
            try:
                status, body = _post(connection, sent.export, timeout_s)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._note("timed out" if isinstance(error, TimeoutError) else "broken off")
            else:
                self._note(str(status))
                if status not in LATER:
                    self._settle(sent, status, body)
                    return
            time.sleep(draw.uniform(0.01, _PAUSE_MAX_S))

    def _settle(self, sent: Sent, status: int, body: bytes) -> None:
        with self._changed:
            if not 200 <= status < 300:
                sent.refused = status
            else:
                sent.rejected_spans = _rejected_spans(body)
                sent.acknowledged_at = time.monotonic()
            self._changed.notify_all()

    def _note(self, answer: str) -> None:
        with self._changed:
            self.answers[answer] += 1
            self._changed.notify_all()


def _post(connection: http.client.HTTPConnection, export: Outgoing, timeout_s: float) -> tuple[int, bytes]:
    """One try. Raises OSError or HTTPException unless the whole answer came in time."""
    connection.timeout = timeout_s
    if connection.sock is not None:
        connection.sock.settimeout(timeout_s)
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": export.compression}
    connection.request("POST", "/v1/traces", export.body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _rejected_spans(body: bytes) -> int:
    """How many spans a 2xx answer says were not taken; an answer that cannot be read took none, as far as we know."""
    try:
        return ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans
    except DecodeError:
        return -1
