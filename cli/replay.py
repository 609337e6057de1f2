"""`pigou replay`: recorded OTLP sent to a collector, as an exporter would send it."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import local
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from cli.errors import CommandError
from cli.home import CREDENTIAL_VARIABLE, home_to_read
from cli.options import HomeOption, SignalName
from cli.terminal import nearest, one_line, remark, say

if TYPE_CHECKING:
    from cli.exports import Export, Signal

_RETRIED = (429, 502, 503, 504)  # the statuses that OTLP/HTTP says to send again
_REFUSALS_SHOWN = 10


@dataclass(frozen=True)
class Reply:
    """What became of one export. `reasons` counts the refused records by the collector's words."""

    signal: str
    records: int
    rejected: int = 0
    reason: str = ""


@dataclass
class Totals:
    """The sum of the replies."""

    exports: int = 0
    records: Counter[str] = field(default_factory=Counter[str])
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])

    def add(self, reply: Reply) -> None:
        """Count one reply."""
        self.exports += 1
        self.records[reply.signal] += reply.records
        self.rejected += reply.rejected
        if reply.reason:
            self.reasons[reply.reason] += max(1, reply.rejected)


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recorded OTLP.")],
    home: HomeOption = None,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="URL", help="Another collector than the running installation's."),
    ] = None,
    signal: Annotated[
        SignalName | None, typer.Option("--signal", help="What protobuf files hold, when it cannot be told.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="Sent with each export; repeatable.")
    ] = None,
    connections: Annotated[
        int, typer.Option("--connections", min=1, max=64, metavar="N", help="Exports under way at a time.")
    ] = 4,
    patience_s: Annotated[
        float, typer.Option("--patience", min=0, metavar="SECONDS", help="How long an export is sent again.")
    ] = 120.0,
) -> None:
    """Send recorded OTLP (JSON, JSON lines, protobuf, length-prefixed protobuf; gzipped too).

    What is in the books already is not booked again. Exit 1 when the collector refused something.
    """
    for path in files:
        if not path.is_file():
            here = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
            hint = nearest(path.name, here) or "name files that exist"
            raise CommandError(f"there is no file {path}", hint, exit_code=2)
    headers = _headers(header or [])
    if "authorization" not in {name.lower() for name in headers}:
        headers |= credential_headers()
    sender = Sender(_endpoint(endpoint, home), headers, patience_s)
    totals = Totals()
    try:
        for path in files:
            _replay_file(path, sender, connections, totals, signal.value if signal else None)
    finally:
        sender.close()
        _summarise(totals)
    if totals.rejected or totals.reasons:
        raise typer.Exit(1)


class Sender:
    """Posts exports to one collector over kept-alive connections, one per thread; `close` ends them."""

    def __init__(self, endpoint: str, headers: dict[str, str], patience_s: float) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommandError(f"{endpoint!r} is no address of a collector", "write it as http://127.0.0.1:4318", exit_code=2)
        self._endpoint = endpoint
        self._secure = parts.scheme == "https"
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self._headers = headers
        self._patience_s = patience_s
        self._local = local()
        self._opened: list[http.client.HTTPConnection] = []
        self._reached = False  # once it answered, it is waited for when it goes away

    def close(self) -> None:
        """Close the connections."""
        for connection in self._opened:
            connection.close()

    def send(self, export: Export) -> Reply:
        """Send one export until it is answered for good. Raises CommandError when nothing answers in time."""
        deadline = time.monotonic() + self._patience_s
        pause_s = 0.2
        while True:
            try:
                status, retry_after, body = self._post(export)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, ConnectionRefusedError | socket.gaierror) and not self._reached:
                    mend = "start `pigou up`, or name the right --endpoint"
                    raise CommandError(f"nothing answers at {self._endpoint}", mend) from error
                status, retry_after, body = 0, None, str(error).encode()
            self._reached = self._reached or status > 0
            if status == 200:
                return _read_answer(export, body)
            if status and status not in _RETRIED:
                return Reply(export.signal, export.records, export.records, _failure(status, export, body))
            delay_s = max(pause_s, retry_after or 0.0)
            if time.monotonic() + delay_s > deadline:
                said = f"status {status}" if status else body.decode(errors="replace")
                raise CommandError(f"{self._endpoint} does not take the exports ({said})", "is it running? see `pigou doctor`")
            time.sleep(delay_s)
            pause_s = min(pause_s * 2, 5.0)

    def _post(self, export: Export) -> tuple[int, float | None, bytes]:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            connection = self._local.connection = kind(self._host, self._port, timeout=120)
            self._opened.append(connection)
        headers = {"Content-Type": export.content_type, **self._headers}
        try:
            connection.request("POST", f"{self._path}/v1/{export.signal}", export.body, headers)
            response = connection.getresponse()
            return response.status, _retry_after_s(response.headers.get("Retry-After")), response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise


def _replay_file(path: Path, sender: Sender, connections: int, totals: Totals, signal: Signal | None) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from cli.exports import read_exports

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    packed = path.suffix in (".gz", ".gzip")
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(path.name, total=None if packed else path.stat().st_size)
        exports = read_exports(path, signal)
        for export, reply in in_parallel(sender.send, exports, connections):
            totals.add(reply)
            progress.update(task, completed=export.end_offset)


def in_parallel(work: Callable[[Export], Reply], items: Iterable[Export], width: int) -> Iterator[tuple[Export, Reply]]:
    """The answers as they come, reading no more items ahead than are under way."""
    source = iter(items)
    pending: dict[Future[Reply], Export] = {}
    fault: CommandError | None = None
    with ThreadPoolExecutor(width) as pool:
        while True:
            try:
                item = next(source, None)
            except CommandError as error:  # what was sent before it is answered for all the same
                item, fault = None, error
            if item is not None:
                pending[pool.submit(work, item)] = item
            if item is None and not pending:
                break
            if item is None or len(pending) >= width:
                for done in wait(pending, return_when=FIRST_COMPLETED).done:
                    yield pending.pop(done), done.result()
            if fault and not pending:
                break
    if fault:
        raise fault


def _read_answer(export: Export, body: bytes) -> Reply:
    """Counts what partial_success says was refused."""
    from cli.exports import JSON

    try:
        rejected, reason = _json_refusals(body) if export.content_type == JSON else _protobuf_refusals(export, body)
    except ValueError as error:
        return Reply(export.signal, export.records, export.records, f"an answer that is no OTLP: {error}")
    return Reply(export.signal, export.records, rejected, one_line(reason) if rejected else "")


def _json_refusals(body: bytes) -> tuple[int, str]:
    import msgspec

    answer = msgspec.json.decode(body or b"{}", type=dict[str, dict[str, str | int] | None])
    partial = answer.get("partialSuccess") or {}
    counts = [int(value) for name, value in partial.items() if name.startswith("rejected")]
    return sum(counts), str(partial.get("errorMessage", ""))


def _protobuf_refusals(export: Export, body: bytes) -> tuple[int, str]:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        if export.signal == "traces":
            traces = ExportTraceServiceResponse.FromString(body).partial_success
            return traces.rejected_spans, traces.error_message
        if export.signal == "logs":
            logs = ExportLogsServiceResponse.FromString(body).partial_success
            return logs.rejected_log_records, logs.error_message
        metrics = ExportMetricsServiceResponse.FromString(body).partial_success
        return metrics.rejected_data_points, metrics.error_message
    except DecodeError as error:
        raise ValueError(str(error)) from error


def _failure(status: int, export: Export, body: bytes) -> str:
    """The reason in an error answer (google.rpc.Status in the request's encoding), or its text."""
    from cli.exports import JSON

    text = ""
    if export.content_type == JSON:
        import msgspec

        with contextlib.suppress(msgspec.DecodeError):
            text = str(msgspec.json.decode(body, type=dict[str, object]).get("message", ""))
    else:
        from google.protobuf.message import DecodeError
        from google.rpc.status_pb2 import Status

        with contextlib.suppress(DecodeError):
            text = Status.FromString(body).message
    return one_line(f"status {status}: {text or body[:200].decode(errors='replace')}")


def _retry_after_s(header: str | None) -> float | None:
    """The header's seconds, or the seconds until its date."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    with contextlib.suppress(ValueError):
        return max(0.0, (email.utils.parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    return None


def _endpoint(endpoint: str | None, home: Path | None) -> str:
    if endpoint:
        return endpoint
    found = home_to_read(home)
    running = found.running()
    if not running:
        raise CommandError(f"nothing runs on {found.path}", "start `pigou up`, or name a collector with --endpoint")
    return running.http_url


def credential_headers(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What shows the collector our credential; nothing where none is named."""
    token = environment.get(CREDENTIAL_VARIABLE)
    return {"Authorization": f"Bearer {token}"} if token else {}


def _headers(given: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for header in given:
        name, equals, value = header.partition("=")
        if not equals or not name.strip():
            raise CommandError(f"--header {header!r} is no NAME=VALUE", "as in --header x-tenant=acme", exit_code=2)
        headers[name.strip()] = value.strip()
    return headers


def _summarise(totals: Totals) -> None:
    """What was sent and what became of it, one line, then the reasons of what was refused."""
    records = sum(totals.records.values())
    by_signal = ", ".join(f"{count:,} {_WORDS[signal]}" for signal, count in totals.records.items())
    said = f"{totals.exports:,} exports with {by_signal or 'nothing'}"
    say(f"{said}: {max(0, records - totals.rejected):,} accepted, {totals.rejected:,} rejected")
    for reason, count in totals.reasons.most_common(_REFUSALS_SHOWN):
        remark(f"rejected {count:,}: {reason}")
    if len(totals.reasons) > _REFUSALS_SHOWN:
        remark(f"and {len(totals.reasons) - _REFUSALS_SHOWN} other reasons")


_WORDS = {"traces": "spans", "logs": "log records", "metrics": "metrics"}
