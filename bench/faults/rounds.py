"""One round: a database and a collector of its own, a load, a fault, and the comparison of the books with the load."""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec
import psycopg

from bench.faults import workload
from bench.faults.clock import Clock
from bench.faults.collector import Collector
from bench.faults.kinds import KIB, Kind
from bench.faults.proxy import Proxy
from bench.faults.sender import Sending, Sent
from bench.faults.server import Server
from bench.faults.strikes import NotCounted, mount, unmount
from bench.faults.verify import Findings, missing, verify
from bench.faults.workload import Expected, Outgoing, SpanKey
from ledger.database import connect
from ledger.errors import DatabaseUnavailable

_SEND_WITHIN_S = 120.0
_DISK_BYTES = 1024 * KIB
_SPOOL_BEYOND_DISK_BYTES = 64 * 1024 * KIB


class Outcome(msgspec.Struct):
    """What a round found. `not_counted` says why the fault did not happen; what was found is told all the same."""

    kind: str
    seed: str
    exports: int = 0
    acknowledged: int = 0
    answers: Counter[str] = msgspec.field(default_factory=Counter[str])
    findings: Findings = msgspec.field(default_factory=Findings)
    not_counted: str | None = None
    note: str = ""
    took_s: float = 0.0


class Round:
    """A round while it runs, as the strikes see it."""

    def __init__(self, kind: Kind, seed: str, server: Server, database: str, outage_s: float) -> None:
        self.kind = kind
        self.draw = random.Random(seed)
        self.server = server
        self.database = database
        self.outage_s = outage_s
        self.findings = Findings()
        self.collectors: list[Collector] = []
        self.sendings: list[Sending] = []
        self.proxy: Proxy | None = None
        self.clock: Clock | None = None

    @property
    def collector(self) -> Collector:
        """The first collector."""
        return self.collectors[0]

    @property
    def load_ended(self) -> bool:
        """Whether nothing is being sent any more."""
        return all(sending.ended for sending in self.sendings)

    def moments(self, count: int) -> list[float]:
        """Shares of the load at which to strike, in order."""
        return sorted(self.draw.uniform(0.05, 0.7) for _ in range(count))

    def await_moment(self, share: float) -> None:
        """Wait until this share of the load is acknowledged, and a seeded moment longer."""
        sending = self.sendings[0]
        self.wait_until(lambda: sending.acknowledged >= share * len(sending.sent), _SEND_WITHIN_S)
        self.pause(0.0, 0.03)

    def wait_until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Wait until something is true of what was answered. False when the load or the time ends first."""
        return self.sendings[0].wait_until(condition, within_s)

    def pause(self, at_least_s: float, at_most_s: float) -> None:
        """Let a seeded time pass."""
        time.sleep(self.draw.uniform(at_least_s, max(at_least_s, at_most_s)))


def run_round(
    server: Server, kind: Kind, seed: str, *, outage_s: float, module: str = "collector", drain_within_s: float = 60.0
) -> Outcome:
    """Run one round and answer what it found. The server is up again afterwards, and nothing of the round is left."""
    began = time.monotonic()
    outcome = Outcome(kind.name, seed)
    count = kind.exports + round(kind.exports_per_outage_s * outage_s)
    exports = [*kind.load(count, seed), *workload.broken(seed)]
    random.Random(seed).shuffle(exports)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pigou-faults-", ignore_cleanup_errors=True)))
        server.guard.folder(folder)
        database = stack.enter_context(server.database())
        running = Round(kind, seed, server, database, outage_s)
        stack.enter_context(_surroundings(running, folder, module))
        for number, collector in enumerate(running.collectors):
            sending = Sending(
                exports,
                collector.port,
                f"{seed}:{number}",
                pace_s=kind.pace_s,
                timeout=kind.timeout,
                within_s=_SEND_WITHIN_S + 3 * outage_s,
            )
            running.sendings.append(sending)
            stack.callback(sending.give_up)
        for sending in running.sendings:
            sending.start()
        try:
            outcome.note = kind.strike(running)
        except NotCounted as reason:
            outcome.not_counted = str(reason)
        server.start()
        for sending in running.sendings:
            sending.finish()
        _settle(running, outcome, drain_within_s)
    outcome.took_s = time.monotonic() - began
    return outcome


@contextlib.contextmanager
def _surroundings(running: Round, folder: Path, module: str) -> Generator[None]:
    """What the kind needs around its load: proxy, clock, disk, collectors."""
    kind = running.kind
    with contextlib.ExitStack() as stack:
        socket_folder = None
        if kind.behind_proxy:
            running.proxy = Proxy(folder / "proxy", running.server.socket_folder)
            stack.callback(running.proxy.close)
            socket_folder = running.proxy.folder
        if kind.own_clock:
            running.clock = Clock(folder / "clock")
        spool, limit_bytes, file_limit_bytes = None, kind.spool_limit_bytes, None
        if kind.full_disk is not None:
            limit_bytes = _SPOOL_BEYOND_DISK_BYTES
            spool = folder / "disk"
            spool.mkdir()
            if kind.full_disk == "tmpfs":
                mount(spool, _DISK_BYTES)
                stack.callback(unmount, spool)
            else:
                file_limit_bytes = _DISK_BYTES
        for slot in range(kind.collectors):
            collector = Collector(
                module,
                running.server.dsn(running.database, socket_folder),
                folder,
                running.server.guard,
                slot=slot,
                spool=spool,
                spool_limit_bytes=limit_bytes,
                file_limit_bytes=file_limit_bytes,
                environment=running.clock.environment if running.clock else None,
            )
            running.collectors.append(collector)
            stack.callback(collector.close)
            collector.start()
        for collector in running.collectors:
            collector.await_start()
        yield


def _settle(running: Round, outcome: Outcome, drain_within_s: float) -> None:
    """Wait until what was acknowledged is booked, end the collectors, and compare."""
    all_sent = [sent for sending in running.sendings for sent in sending.sent]
    acknowledged = {key for sent in all_sent if sent.acknowledged_at is not None for key in sent.export.spans}
    _drain(running, acknowledged, drain_within_s)
    findings = running.findings
    for collector in running.collectors:
        findings.wrong += collector.stop()
    found = verify(running.server.dsn(running.database), _may_be_there(all_sent), acknowledged)
    for name in ("lost", "doubled", "wrong", "checks"):
        getattr(findings, name).extend(getattr(found, name))
    findings.wrong += [line for sent in all_sent for line in _misanswered(sent)]
    if findings.all:
        findings.wrong.append(f"the collector's last words: {running.collector.last_words()}")
    outcome.findings = findings
    outcome.exports = len(all_sent)
    outcome.acknowledged = sum(1 for sent in all_sent if sent.acknowledged_at is not None)
    for sending in running.sendings:
        outcome.answers += sending.answers


def _drain(running: Round, acknowledged: set[SpanKey], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    dsn = running.server.dsn(running.database)
    while time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError, DatabaseUnavailable), connect(dsn, "owner") as connection:
            if not missing(connection, acknowledged):
                return
        time.sleep(0.2)


def _may_be_there(all_sent: list[Sent]) -> dict[SpanKey, Expected]:
    """The spans of every export that was not refused."""
    return {key: expected for sent in all_sent if sent.refused is None for key, expected in sent.export.spans.items()}


def _misanswered(sent: Sent) -> list[str]:
    """Answers that must not be: a valid export refused, part of one rejected, or one never answered for good."""
    export: Outgoing = sent.export
    if export.broken:
        return []
    if sent.refused is not None:
        return [f"a valid export was refused with {sent.refused}"]
    if sent.rejected_spans:
        return [f"{sent.rejected_spans} spans of a valid export were rejected"]
    if sent.acknowledged_at is None:
        return [f"an export was not acknowledged in {sent.tries} tries until the end of the round"]
    return []
