"""How many spans a second Arize Phoenix and MLflow store: the same load, on the same machine, over the same PostgreSQL.

usage: python -m bench peers [--spans 48000] [--connections 4] [--peer-seconds 60] [--load FILE]

`make peers` installs them first. One after the other is started on loopback over an embedded PostgreSQL with the settings of
`pigou up`, sent one export to warm up, and then as much of the load as it stores within the time. A span counts once it is a
committed row of the peer's own table, not when its export was answered. Everything stops by itself.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench import load as loads
from bench.peer_servers import BIN, PEERS, Peer, quiet_environment, version
from bench.processes import Family, await_answer, free_port, started
from bench.sender import Sent, send
from bench.server import Server, serve
from bench.tables import machine, machine_load, table

SECONDS = 60.0
_READY_WITHIN_S = 300.0  # the first start makes their tables
_WARM_WITHIN_S = 120.0
_COUNT_EVERY_S = 0.2


@dataclass(frozen=True)
class PeerResult:
    """What one peer stored of the load, and what that took; the export that warmed it up is not in the figures."""

    name: str
    version: str
    connections: int
    """Senders that each wait for an answer before they send again."""
    acknowledged: int
    """Spans whose export was answered with 200."""
    stored: int
    """Spans in the peer's table when the last of the load was counted, or when the time was up."""
    took_s: float
    """Seconds from the first request until then."""
    rss_mb: float
    """The most resident memory that its processes held together, in units of 10^6 bytes; without PostgreSQL's."""
    cpu_s: float
    """CPU that its processes used meanwhile; without PostgreSQL's."""
    p99_ms: float | None = None
    """What 99 of 100 requests took at most, where it was measured."""
    machine_load: float = field(default_factory=machine_load)
    """Of the minute before this was made; rates that were taken under different loads do not compare."""

    @property
    def spans_per_s(self) -> float:
        """Spans stored per second."""
        return self.stored / self.took_s


def measure_peers(load: Sequence[bytes], connections: int, seconds: float = SECONDS) -> list[PeerResult]:
    """Measure one peer after the other with the same load, for about so many seconds each at most.

    Raises FileNotFoundError when the peers are not installed, ValueError for a load of fewer than two exports, RuntimeError with
    a peer's last words when it does not start, ends early or stores nothing.
    """
    if not (BIN / "python").exists():
        raise FileNotFoundError(f"{BIN.parent} is not there: `make peers` installs what is measured beside Pigou")
    if len(load) < 2:
        raise ValueError(f"the load holds {len(load)} exports: one is to warm a peer up, at least one more to be measured")
    with serve() as server:
        return [_measure(peer, server, load, connections, seconds) for peer in PEERS]


def results_table(results: Sequence[PeerResult]) -> str:
    """The peers' figures as a Markdown table."""
    header = ("", "spans/s stored", "spans stored", "in s", "acknowledged", "RSS MB", "CPU µs a span", "load")
    return table(
        header,
        [
            (
                f"{result.name} {result.version}",
                f"{result.spans_per_s:,.0f}",
                f"{result.stored:,}",
                f"{result.took_s:.1f}",
                f"{result.acknowledged:,}",
                f"{result.rss_mb:,.0f}",
                f"{result.cpu_s / result.stored * 1e6:,.0f}",
                f"{result.machine_load:.1f}",
            )
            for result in results
        ],
    )


def _measure(peer: Peer, server: Server, load: Sequence[bytes], connections: int, seconds: float) -> PeerResult:
    uri = server.create(peer.package.replace("-", "_"))
    with tempfile.TemporaryDirectory(prefix="pigou-bench-peer-") as folder:
        home, port = Path(folder), free_port()
        environment = quiet_environment(home) | peer.environment(uri, port)
        with (
            psycopg.connect(uri, autocommit=True) as connection,
            started(peer.command(uri, port), home, environment) as family,
        ):
            await_answer(family, port, peer.health, _READY_WITHIN_S)
            run = _Run(peer, family, connection, port, peer.headers(port))
            run.warm_up(load[0])
            return run.take(load[1:], connections, seconds)


@dataclass
class _Tally:
    """What was counted so far."""

    acknowledged: int = 0
    stored: int = 0
    took_s: float = 0.0
    rss_mb: float = 0.0


@dataclass(frozen=True)
class _Run:
    """A peer that runs and is ready for exports."""

    peer: Peer
    family: Family
    connection: psycopg.Connection
    port: int
    headers: Mapping[str, str]

    def warm_up(self, body: bytes) -> None:
        """Send one export and wait until it is stored: with the first, modules are imported and pools filled."""
        sent = send([body], self.port, 1, headers=self.headers)
        if sent.dropped:
            self._fail(f"refused an export: {dict(sent.refused)}")
        deadline = time.monotonic() + _WARM_WITHIN_S
        while (stored := self._stored()) < _spans(body):
            if not self.family.alive or time.monotonic() > deadline:
                self._fail(f"stored {stored} of the {_spans(body)} spans that it had acknowledged")
            time.sleep(_COUNT_EVERY_S)

    def take(self, bodies: Sequence[bytes], connections: int, seconds: float) -> PeerResult:
        """Store the load in rounds, each twice as large as the one before, until it is at its end or the time is up.

        A round is sent once the one before is stored. A peer that acknowledges what it has only queued would otherwise spend
        its time on accepting more, and its rate would say how long it was flooded for.
        """
        before, cpu_before_s, began = self._stored(), self.family.cpu_s(), time.perf_counter()
        tally = _Tally()
        size = connections
        while bodies and tally.took_s < seconds:
            self._round(bodies[:size], connections, began + seconds, tally)
            tally.stored, tally.took_s = self._stored() - before, time.perf_counter() - began
            bodies, size = bodies[size:], 2 * size
        if not tally.stored:
            self._fail(f"stored none of {tally.acknowledged} spans that it had acknowledged within {tally.took_s:.0f} s")
        return PeerResult(
            name=self.peer.name,
            version=version(self.peer.package),
            connections=connections,
            acknowledged=tally.acknowledged,
            stored=tally.stored,
            took_s=tally.took_s,
            rss_mb=tally.rss_mb,
            cpu_s=self.family.cpu_s() - cpu_before_s,
        )

    def _round(self, bodies: Sequence[bytes], connections: int, until: float, tally: _Tally) -> None:
        """Send and wait until all of it is stored or the time is up."""
        awaited = self._stored() + sum(map(_spans, bodies))
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send, bodies, self.port, connections, headers=self.headers, stop=stop)
            try:
                while self._stored() < awaited and time.perf_counter() < until and self._well(sending):
                    tally.rss_mb = max(tally.rss_mb, self.family.rss_mb())
                    time.sleep(_COUNT_EVERY_S)
            finally:
                stop.set()
            sent = sending.result()
        if sent.dropped or not self.family.alive:
            self._fail(f"answered {dict(sent.refused)} and {'runs' if self.family.alive else 'ended'}")
        tally.acknowledged += sum(_spans(bodies[number]) for number in sent.acknowledged)

    def _well(self, sending: Future[Sent]) -> bool:
        """Whether there is still something to wait for."""
        return self.family.alive and not (sending.done() and (sending.exception() or sending.result().dropped))

    def _stored(self) -> int:
        row = self.connection.execute("select count(*) from spans").fetchone()
        return int(row[0]) if row else 0

    def _fail(self, what: str) -> NoReturn:
        raise RuntimeError(f"{self.peer.name} {what}; it said:\n{self.family.said()}")


def _spans(body: bytes) -> int:
    request = ExportTraceServiceRequest.FromString(body)
    return sum(len(scoped.spans) for group in request.resource_spans for scoped in group.scope_spans)


def main() -> int:
    """Measure the peers alone and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench peers", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--spans", type=int, default=48_000, help="how many spans of our own load to make")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--peer-seconds", type=float, default=SECONDS, help="the longest that one peer is measured for")
    parser.add_argument("--load", type=Path, help="a length-prefixed OTLP/protobuf file instead of our own load")
    chosen = parser.parse_args()
    load = loads.read(chosen.load) if chosen.load else list(loads.exports(chosen.spans // loads.SPANS_PER_TRACE, 1))
    before = machine()
    results = measure_peers(load, chosen.connections, chosen.peer_seconds)
    print(f"{before}\n\n{results_table(results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
