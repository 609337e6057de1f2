"""`pigou doctor`: looks at everything an installation needs and says what is wrong and what mends it; `pigou version`."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Literal, TypeAlias

import typer

from cli.errors import CommandError
from cli.home import CREDENTIAL_VARIABLE, DATABASE_VARIABLE, Home, Running, home_to_read, open_database, without_password
from cli.options import HomeOption
from cli.supervise import answers_http, answers_tcp
from cli.terminal import one_line, say

if TYPE_CHECKING:
    import psycopg

    from ledger.credentials import Credential, Refused

Verdict: TypeAlias = Literal["ok", "note", "FAIL"]
DOCTOR_TENANT = "pigou-doctor"
_FREE_MB_LOW, _FREE_MB_TOO_LOW = 2000, 200
_CLOCK_DIFFERENCE_S_MAX = 2.0
_SPAN_WITHIN_S = 10.0


@dataclass
class Report:
    """What was looked at, in order."""

    failed: list[str] = field(default_factory=list[str])

    def add(self, verdict: Verdict, what: str, detail: str) -> None:
        """Say one finding."""
        say(f"{verdict:<5} {what:<11} {one_line(detail)}")
        if verdict == "FAIL":
            self.failed.append(what)


def version() -> None:
    """Print the versions of Pigou, its schema, Python and the price list."""
    from ledger.database import HEAD

    say(f"pigou {_installed('pigou')}, schema {HEAD}, Python {_python()}, prices {_installed('genai-prices')}")


def doctor(home: HomeOption = None) -> None:
    """Check home, disk, versions, parts, ports, clock and the way of a span into the books. Exit 1 if one fails."""
    report = Report()
    found = home_to_read(home)
    running = found.running()
    report.add("ok", "version", f"pigou {_installed('pigou')}, Python {_python()}")
    _home(report, found)
    _parts(report, found, running)
    _ports(report, running)
    _database(report, found, running)
    if report.failed:
        raise typer.Exit(1)


def _home(report: Report, home: Home) -> None:
    where = f"{home.path}"
    if not home.path.exists():
        report.add("note", "home", f"{where} does not exist yet; `pigou up` makes it")
    elif not os.access(home.path, os.W_OK):
        report.add("FAIL", "home", f"{where} is not writable: change its owner, or choose another --home")
    else:
        report.add("ok", "home", where)
    place = next(folder for folder in (home.path, *home.path.parents) if folder.exists())
    free_mb = shutil.disk_usage(place).free // 1_000_000
    if free_mb < _FREE_MB_TOO_LOW:
        report.add("FAIL", "disk", f"{free_mb:,} MB free: make room, or move the home")
    else:
        report.add("ok" if free_mb > _FREE_MB_LOW else "note", "disk", f"{free_mb:,} MB free")


def _parts(report: Report, home: Home, running: Running | None) -> None:
    if running is None:
        left = f", {home.run_file} is left from one that was killed" if home.run_file.exists() else ""
        report.add("note", "parts", f"nothing runs on this home{left}; start it with `pigou up`")
        return
    dead = [name for name, pid in running.parts.items() if not _lives(pid)]
    names = ", ".join(f"{name} {pid}" for name, pid in running.parts.items())
    if dead:
        report.add("FAIL", "parts", f"{', '.join(dead)} not running: see {home.logs}")
    else:
        report.add("ok", "parts", f"supervisor {running.pid} since {running.started_at}; {names}")


def _ports(report: Report, running: Running | None) -> None:
    if running is None:
        return
    host, _, port = running.http_url.rpartition("//")[2].rpartition(":")
    grpc_host, _, grpc_port = running.grpc_address.rpartition(":")
    probes = {
        f"OTLP/HTTP {running.http_url}": answers_http(host.strip("[]"), int(port)),
        f"OTLP/gRPC {running.grpc_address}": answers_tcp(grpc_host.strip("[]"), int(grpc_port)),
    }
    if running.dashboard_url:
        page_host, _, page_port = running.dashboard_url.rpartition("//")[2].rpartition(":")
        probes[f"page {running.dashboard_url}"] = answers_http(page_host.strip("[]"), int(page_port))
    for address, answers in probes.items():
        if answers():
            report.add("ok", "port", f"{address} answers")
        else:
            report.add("FAIL", "port", f"{address} does not answer: see the log of its part")


def _database(report: Report, home: Home, running: Running | None) -> None:
    from ledger.errors import LedgerError

    try:
        with _writer(home) as books:
            _versions(report, books)
            _clock(report, books)
            if running is None:
                report.add("note", "span", "not sent: nothing runs to receive it")
            else:
                _span(report, books, running)
    except (CommandError, LedgerError) as error:
        verdict: Verdict = "FAIL" if running or os.environ.get(DATABASE_VARIABLE) else "note"
        report.add(verdict, "database", str(error))


@contextlib.contextmanager
def _writer(home: Home) -> Generator[psycopg.Connection]:
    if not os.environ.get(DATABASE_VARIABLE) and not home.running() and not home.cluster.exists:
        raise CommandError("there is none yet", "`pigou up` makes it")
    with open_database("writer", home.path) as books:
        yield books


def _versions(report: Report, books: psycopg.Connection) -> None:
    from ledger.database import HEAD

    row = books.execute("select current_setting('server_version'), current_setting('server_version_num')::int").fetchone()
    server, number = (row[0], row[1]) if row else ("unknown", 0)
    address = without_password(f"{books.info.user}@{books.info.host}/{books.info.dbname}")
    if number < 180000:
        report.add("FAIL", "database", f"PostgreSQL {server} at {address}: Pigou needs 18 or later")
    else:
        report.add("ok", "database", f"PostgreSQL {server} at {address}, schema {HEAD}")
    _strays(report, books)
    listed = books.execute("select count(*), max(source) from ledger.rates where tenant is null").fetchone()
    if listed and listed[0]:
        report.add("ok", "prices", f"{listed[0]:,} list rates, the latest from {listed[1]}")
    else:
        report.add("FAIL", "prices", "the price book is empty: run `pigou migrate`")


def _strays(report: Report, books: psycopg.Connection) -> None:
    """Rows of impossible times do no harm, and tell of a sender whose clock is wrong."""
    from ledger.retention import strays

    found = strays(books)
    if found:
        counted = ", ".join(f"{count:,} of {table}" for table, count in found.items())
        report.add("note", "partitions", f"in no month of their own, their times being years from now: {counted}")


def _clock(report: Report, books: psycopg.Connection) -> None:
    before = time.time()
    row = books.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
    middle = (before + time.time()) / 2
    difference_s = abs(row[0] - middle) if row else 0.0
    verdict: Verdict = "ok" if difference_s <= _CLOCK_DIFFERENCE_S_MAX else "FAIL"
    mend = "" if verdict == "ok" else ": set both clocks by NTP"
    report.add(verdict, "clock", f"{difference_s * 1000:.0f} ms between this machine and the database{mend}")


def _span(report: Report, books: psycopg.Connection, running: Running) -> None:
    """Send one span that is no model call, under a tenant of its own or our credential's: it is stored and read back, and books
    nothing."""
    from cli.exports import JSON, Export
    from cli.replay import Sender, credential_headers
    from ledger.credentials import Refused

    found = _credential(books)
    if isinstance(found, Refused):
        report.add("note", "span", f"not sent: {found.reason}; set {CREDENTIAL_VARIABLE} to one that may ingest")
        return
    tenant = found.tenant or DOCTOR_TENANT
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    began = time.monotonic()
    try:
        with contextlib.closing(Sender(running.http_url, credential_headers(), _SPAN_WITHIN_S)) as sender:
            reply = sender.send(Export("traces", _export(trace_id, span_id, tenant), JSON, 1, 0))
    except CommandError as error:
        report.add("FAIL", "span", str(error))
        return
    acknowledged_ms = (time.monotonic() - began) * 1000
    query = "select count(*) from ledger.trace_spans(%s) where tenant = %s"
    read_back = books.execute(query, (trace_id, tenant)).fetchone()
    if reply.reason or read_back != (1,):
        report.add("FAIL", "span", f"sent, but not in the books' spans: {reply.reason or 'no reason was given'}")
        return
    total_ms = (time.monotonic() - began) * 1000
    report.add("ok", "span", f"stored and acknowledged in {acknowledged_ms:.0f} ms, read back in SQL after {total_ms:.0f} ms")


def _credential(books: psycopg.Connection) -> Credential | Refused:
    """Who we are to the collector, by the token of the environment, or why it would not take our span."""
    from ledger.credentials import admit, read_credentials

    return admit(read_credentials(books), os.environ.get(CREDENTIAL_VARIABLE), "ingest", datetime.now(UTC))


def _export(trace_id: str, span_id: str, tenant: str) -> bytes:
    now_ns = time.time_ns()
    span = {
        "traceId": trace_id,
        "spanId": span_id,
        "name": "pigou doctor",
        "kind": 1,
        "startTimeUnixNano": str(now_ns - 1_000_000),
        "endTimeUnixNano": str(now_ns),
    }
    attributes = [
        {"key": "service.name", "value": {"stringValue": "pigou-doctor"}},
        {"key": "tenant.id", "value": {"stringValue": tenant}},
    ]
    scope = {"scope": {"name": "pigou.doctor"}, "spans": [span]}
    return json.dumps({"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [scope]}]}).encode()


def _installed(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _python() -> str:
    return ".".join(str(part) for part in sys.version_info[:3])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
