"""`pigou up`: every part of the installation as one foreground program."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

import typer

from cli.errors import CommandError
from cli.home import DATABASE_VARIABLE, Home, Running, connected, home_at, without_password
from cli.options import HomeOption
from cli.supervise import Part, Stopped, Supervisor, answers_http, answers_tcp, module_part
from cli.terminal import remark, say

READY_WITHIN_S = 90.0


@dataclass(frozen=True)
class Addresses:
    """Where the installation answers; port 0 asks for a free one, no dashboard_port for no dashboard."""

    host: str = "127.0.0.1"
    http_port: int = 4318
    grpc_port: int = 4317
    dashboard_port: int | None = 4320

    @property
    def http_url(self) -> str:
        """Where OTLP/HTTP is received."""
        return f"http://{self._shown_host}:{self.http_port}"

    @property
    def grpc_address(self) -> str:
        """Where OTLP/gRPC is received."""
        return f"{self._shown_host}:{self.grpc_port}"

    @property
    def dashboard_url(self) -> str | None:
        """The page."""
        return None if self.dashboard_port is None else f"http://{self._shown_host}:{self.dashboard_port}"

    @property
    def reach_host(self) -> str:
        """The host by which this machine reaches its own ports."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # read, not bound

    @property
    def _shown_host(self) -> str:
        return f"[{self.reach_host}]" if ":" in self.reach_host else self.reach_host


def port_option(option: str, what: str) -> Any:
    """An option for a port, with its environment variable."""
    variable = "PIGOU_" + option.strip("-").replace("-", "_").upper()
    return typer.Option(option, envvar=variable, min=0, max=65535, metavar="PORT", help=f"{what}; 0 takes a free one.")


HttpPort: TypeAlias = Annotated[int, port_option("--http-port", "Where OTLP/HTTP is received")]
GrpcPort: TypeAlias = Annotated[int, port_option("--grpc-port", "Where OTLP/gRPC is received")]
DashboardPort: TypeAlias = Annotated[int, port_option("--dashboard-port", "Where the page is served")]
HostOption: TypeAlias = Annotated[
    str,
    typer.Option("--host", envvar="PIGOU_HOST", metavar="ADDRESS", help="The address to listen on."),
]
DashboardFlag: TypeAlias = Annotated[
    bool,
    typer.Option("--dashboard/--no-dashboard", envvar="PIGOU_DASHBOARD", help="Whether to serve the page."),
]
KeepContentFlag: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--keep-content/--drop-content",
        envvar="PIGOU_KEEP_CONTENT",
        help="Whether prompts, completions and tools' text are stored.",
    ),
]
RedactFlag: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--redact/--no-redact", envvar="PIGOU_REDACT",
        help="Whether well-known credentials are replaced in all values, and e-mail addresses in stored text.",
    ),
]  # fmt: skip


def up(
    home: HomeOption = None,
    http_port: HttpPort = 4318,
    grpc_port: GrpcPort = 4317,
    dashboard_port: DashboardPort = 4320,
    host: HostOption = "127.0.0.1",
    dashboard: DashboardFlag = True,
    keep_content: KeepContentFlag = False,
    redact: RedactFlag = False,
) -> None:
    """Run everything in the foreground: database, collector, analyzers and dashboard.

    Prints a line with `ready` and the addresses once every part answers. Ctrl-C or SIGTERM stops it cleanly.
    """
    addresses = Addresses(host, http_port, grpc_port, dashboard_port if dashboard else None)
    content = [option for option, is_on in (("--keep-content", keep_content), ("--redact", redact)) if is_on]
    url = os.environ.get(DATABASE_VARIABLE)
    run(home_at(home), addresses, url, lambda running: say(ready_line(running)), content=content)


def ready_line(running: Running) -> str:
    """The line that says that everything answers, and where; the page comes last."""
    line = f"ready: OTLP/HTTP {running.http_url}, OTLP/gRPC {running.grpc_address}"
    line += f", database {without_password(running.dsn)}"
    return f"{line}, page {running.dashboard_url}" if running.dashboard_url else line


def run(
    home: Home,
    addresses: Addresses,
    url: str | None,
    when_ready: Callable[[Running], None],
    *,
    first: Callable[[Supervisor, Running], None] = lambda _supervisor, _running: None,
    appraises_after_s: float | None = None,
    content: Sequence[str] = (),
) -> None:
    """Run an installation until a signal stops it. `first` runs when all parts answer, before `when_ready`; the clock appraises
    after `appraises_after_s` for the first time, if not as usual. `content`: the collector's options of what becomes of text.

    The books are in the database at `url`, or in the home's embedded one.
    Raises CommandError when a part cannot be run, or the home or a port is taken (exit code 2).
    """
    with home.held():
        addresses = with_ports(addresses)
        home.rotate_logs()
        supervisor = Supervisor(home, remark)
        with contextlib.nullcontext() if url else home.server_alone(), supervisor.signals():
            try:
                dsn = url or home.cluster.dsn()
                parts = parts_of(addresses, dsn, home, appraises_after_s, content)
                _start(supervisor, home, parts, dsn, embedded=not url)
                warn_of_open_doors(addresses.host, dsn)
                running = _running(supervisor, addresses, dsn)
                home.write_run_file(running)
                first(supervisor, running)
                running = _published(home, running, supervisor.pids)
                when_ready(running)
                while True:
                    supervisor.step()
                    running = _published(home, running, supervisor.pids)
            except Stopped:
                pass
            finally:
                supervisor.stop(last="postgres")


def with_ports(addresses: Addresses) -> Addresses:
    """The addresses with free ports in place of 0. Raises CommandError (exit 2) for a port that is taken."""
    wanted = {
        "http-port": addresses.http_port,
        "grpc-port": addresses.grpc_port,
        "dashboard-port": addresses.dashboard_port,
    }
    with contextlib.ExitStack() as held:  # all at once, so that no free port is given twice
        ports = {
            option: None if port is None else held.enter_context(_bound(addresses.host, port, option)).getsockname()[1]
            for option, port in wanted.items()
        }
    return replace(
        addresses,
        http_port=ports["http-port"],
        grpc_port=ports["grpc-port"],
        dashboard_port=ports["dashboard-port"],
    )


def usual_or_free(host: str, given: int | None, usual: int) -> int:
    """The port that was given, else the usual one, or 0 (a free one) when that is taken."""
    if given is not None:
        return given
    try:
        _bound(host, usual, "").close()
    except CommandError:
        return 0
    return usual


def _bound(host: str, port: int, option: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise CommandError(f"{host!r} is not an address of this machine", "change --host", exit_code=2) from error
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRNOTAVAIL:
            message, mend = f"{host!r} is not an address of this machine", "change --host"
        elif error.errno == errno.EADDRINUSE:
            message, mend = f"port {port} is in use", f"choose another with --{option} (0 takes a free one)"
        else:
            message = f"port {port} cannot be opened: {error.strerror}"
            mend = f"choose another with --{option} (0 takes a free one)"
        raise CommandError(message, mend, exit_code=2) from error
    return bound


def _start(supervisor: Supervisor, home: Home, parts: Sequence[Part], dsn: str, *, embedded: bool) -> None:
    """Start every part: all import while the database comes up; then the schema, then the parts proper."""
    prepare = module_part("prepare", "cli.prepare", ["--dsn", dsn], once=True)
    for part in (prepare, *parts):
        supervisor.start(part, held=True)
    if embedded:
        if not home.cluster.exists:
            with home.open_log("postgres") as log:
                home.cluster.initialise(log)
        supervisor.start(_postgres(home))
        supervisor.wait_for(["postgres"], READY_WITHIN_S)
    supervisor.release("prepare")
    supervisor.wait_for(["prepare"], READY_WITHIN_S)
    for part in parts:
        supervisor.release(part.name)
    supervisor.wait_for([part.name for part in parts], READY_WITHIN_S)


def warn_of_open_doors(host: str, dsn: str) -> None:
    """Say so when others than this machine reach the ports and no credential was made."""
    if _is_loopback(host):
        return
    from ledger.credentials import read_credentials  # not before: the supervisor is to stay small

    with connected(dsn, "writer") as books:
        if not read_credentials(books).is_closed:
            remark(
                f"listening on {host} without any credential: whoever reaches these ports may send, read and change everything;"
                " make one with `pigou credentials create`"
            )


def _is_loopback(host: str) -> bool:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def parts_of(
    addresses: Addresses, dsn: str, home: Home, appraises_after_s: float | None = None, content: Sequence[str] = ()
) -> list[Part]:
    """The parts that work on the database. `appraises_after_s`: when the clock appraises for the first time, if not as usual.
    `content`: the collector's options of what becomes of text."""
    waits = [] if appraises_after_s is None else ["--appraises-after-s", str(appraises_after_s)]
    host, reach = addresses.host, addresses.reach_host
    http, grpc = answers_http(reach, addresses.http_port), answers_tcp(reach, addresses.grpc_port)
    ports = ["--http-port", str(addresses.http_port), "--grpc-port", str(addresses.grpc_port)]
    parts = [
        module_part(
            "collector",
            "collector",
            ["--dsn", dsn, "--host", host, *ports, "--spool", str(home.spool), *content],
            answers=lambda: http() and grpc(),
        ),
        module_part("analyzers", "analyzers", ["--dsn", dsn, *waits]),
    ]
    if addresses.dashboard_port is not None:
        port = addresses.dashboard_port
        parts.append(
            module_part(
                "dashboard",
                "dashboard",
                ["--dsn", dsn, "--host", host, "--port", str(port), "--otlp-endpoint", addresses.http_url],
                answers=answers_http(reach, port),
            )
        )
    return parts


def _postgres(home: Home) -> Part:
    return Part(
        "postgres",
        lambda log: home.cluster.spawn(log, dies_with_parent=True),
        answers=lambda: home.cluster.ready,
        stop_signal=signal.SIGINT,
    )


def _published(home: Home, running: Running, pids: dict[str, int]) -> Running:
    """The run file follows the parts that are started again."""
    if pids == running.parts:
        return running
    now = replace(running, parts=pids)
    home.write_run_file(now)
    return now


def _running(supervisor: Supervisor, addresses: Addresses, dsn: str) -> Running:
    return Running(
        pid=os.getpid(),
        dsn=dsn,
        http_url=addresses.http_url,
        grpc_address=addresses.grpc_address,
        dashboard_url=addresses.dashboard_url,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        parts=supervisor.pids,
    )
