"""Sends a load of OTLP exports over HTTP as exporters would: some connections at once, retrying what may be retried."""

from __future__ import annotations

import http.client
import queue
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

_RETRIED = frozenset({429, 502, 503, 504})  # OTLP 1.x, "Retryable Response Codes"
_RETRY_AFTER_S = 0.2
_ANSWER_WITHIN_S = 120.0


@dataclass
class Sent:
    """What became of a load: seconds each acknowledged export took, and the answers that were none."""

    latencies_s: list[float] = field(default_factory=list[float])
    acknowledged: list[int] = field(default_factory=list[int])
    """Which exports were answered with 200, by their place in the load, connection by connection."""
    refused: Counter[int] = field(default_factory=Counter[int])
    """How often each status came that was not 200; most of these exports were sent again."""
    dropped: int = 0
    """Exports whose answer forbids sending them again."""


def send(
    bodies: Sequence[bytes],
    port: int,
    connections: int,
    *,
    headers: Mapping[str, str] | None = None,
    stop: threading.Event | None = None,
) -> Sent:
    """Post every body to `/v1/traces` on loopback, until all are answered or `stop` is set.

    Raises what broke a connection (OSError, HTTPException), unless `stop` was set by then: a receiver that goes away in the
    middle of a measurement is no measurement.
    """
    waiting: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
    for numbered in enumerate(bodies):
        waiting.put(numbered)
    stopping = stop or threading.Event()
    said = {"Content-Type": "application/x-protobuf", **(headers or {})}
    with ThreadPoolExecutor(connections, thread_name_prefix="sender") as pool:
        working = [pool.submit(_work, waiting, port, said, stopping) for _ in range(connections)]
    return _together([done.result() for done in working])


def _work(waiting: queue.SimpleQueue[tuple[int, bytes]], port: int, headers: Mapping[str, str], stop: threading.Event) -> Sent:
    """One connection's share of the load."""
    sent = Sent()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_WITHIN_S)
    try:
        while not stop.is_set():
            try:
                number, body = waiting.get_nowait()
            except queue.Empty:
                break
            if _deliver(connection, body, headers, stop, sent):
                sent.acknowledged.append(number)
    except (OSError, http.client.HTTPException):
        if not stop.is_set():
            stop.set()  # the other connections need not wait for a receiver that is gone
            raise
    finally:
        connection.close()
    return sent


def _deliver(
    connection: http.client.HTTPConnection, body: bytes, headers: Mapping[str, str], stop: threading.Event, sent: Sent
) -> bool:
    """Post one body until its answer is final: whether it was acknowledged. Its seconds are those of its last request."""
    while not stop.is_set():
        began = time.perf_counter()
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            sent.latencies_s.append(time.perf_counter() - began)
            return True
        sent.refused[answer.status] += 1
        if answer.status not in _RETRIED:
            sent.dropped += 1
            return False
        stop.wait(_RETRY_AFTER_S)
    return False


def _together(shares: Sequence[Sent]) -> Sent:
    whole = Sent()
    for share in shares:
        whole.latencies_s += share.latencies_s
        whole.acknowledged += share.acknowledged
        whole.refused += share.refused
        whole.dropped += share.dropped
    return whole
