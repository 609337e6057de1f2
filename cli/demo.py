"""`pigou demo`: an installation of its own with a simulated fleet's fortnight in its books."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from cli.errors import CommandError
from cli.home import DATABASE_VARIABLE, HOME_VARIABLE, Home, Running, connected, demo_home, home_at
from cli.options import Format, HomeOption
from cli.supervise import Part, Supervisor, module_part
from cli.terminal import remark, say
from cli.up import Addresses, HostOption, port_option, ready_line, run, usual_or_free

_PLAYS_FOR_S = 300.0
"""Until then the clock appraises nothing: it would judge half of a fortnight."""
PLAYED_WITHIN_S = 600.0

HttpPort: TypeAlias = Annotated[int | None, port_option("--http-port", "Where OTLP/HTTP is received (4318)")]
GrpcPort: TypeAlias = Annotated[int | None, port_option("--grpc-port", "Where OTLP/gRPC is received (4317)")]
DashboardPort: TypeAlias = Annotated[int | None, port_option("--dashboard-port", "Where the page is served (4320)")]


@dataclass(frozen=True)
class Played:
    """What a demo's home holds. The end is fixed at the first run, so that playing again is the same play."""

    seed: int
    days: float
    until: str
    sent: bool = False  # all of it is in the books
    finished: bool = False  # and appraised


def demo(
    home: HomeOption = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Which fortnight is simulated.")] = 1,
    days: Annotated[float, typer.Option("--days", min=0.1, max=366, metavar="N", help="How many days of it.")] = 14.0,
    live: Annotated[
        float | None,
        typer.Option("--live", min=0.01, max=6000, metavar="RATE", help="Go on in real time: RATE tasks a minute."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw the demo's earlier books away first.")] = False,
    http_port: HttpPort = None,
    grpc_port: GrpcPort = None,
    dashboard_port: DashboardPort = None,
    host: HostOption = "127.0.0.1",
) -> None:
    """Play a simulated fortnight of a fleet of agents and show what it spent; Ctrl-C ends it.

    Keeps its books in a home of their own, apart from yours, and shows them again at the next start.
    """
    where = home_at(home) if home or os.environ.get(HOME_VARIABLE) else demo_home()
    if os.environ.get(DATABASE_VARIABLE):
        remark(f"the demo keeps its books in {where.path}, not in {DATABASE_VARIABLE}")
    wanted = _prepare(where, Played(seed, days, _this_hour().isoformat()), fresh=fresh)
    addresses = Addresses(
        host,
        usual_or_free(host, http_port, 4318),
        usual_or_free(host, grpc_port, 4317),
        usual_or_free(host, dashboard_port, 4320),
    )
    run(
        where,
        addresses,
        None,
        lambda running: _show(where, running, named=bool(home)),
        first=lambda supervisor, running: _fill(supervisor, running, where, wanted, live),
        appraises_after_s=None if wanted.finished else _PLAYS_FOR_S,
    )


def _prepare(home: Home, wanted: Played, *, fresh: bool) -> Played:
    """What is to be played into the home. Raises CommandError (exit 2) when it holds other books than this demo's."""
    found = _read(home)
    if found is None and home.cluster.exists:
        raise CommandError(f"{home.path} holds books that are not a demo's", "choose another --home for the demo", exit_code=2)
    if found and fresh:
        with home.held():
            home.cluster.stop()
            shutil.rmtree(home.cluster.data)
            _file(home).unlink()
        found = None
    if found is None:
        home.make()
        _write(home, wanted)
        return wanted
    if (found.seed, found.days) != (wanted.seed, wanted.days):
        raise CommandError(
            f"{home.path} holds the demo of --seed {found.seed} --days {found.days:g}",
            "start it with these, or begin anew with --fresh",
            exit_code=2,
        )
    if datetime.fromisoformat(found.until) < datetime.now(UTC) - timedelta(days=2):
        remark(f"the simulated time ends at {found.until[:16]}; --fresh plays one that ends now")
    return found


def _fill(supervisor: Supervisor, running: Running, home: Home, wanted: Played, live: float | None) -> None:
    """Play the period unless the books hold it, then go on live if asked."""
    if not wanted.finished:
        if not wanted.sent:
            _play(supervisor, running, home, wanted)
            _write(home, replace(wanted, sent=True))
        _appraise(supervisor, running)
        _write(home, replace(wanted, sent=True, finished=True))
    if live is not None:
        arguments = ["--endpoint", running.http_url, "--seed", str(wanted.seed), "--live", str(live), "--only-live"]
        supervisor.start(module_part("economy", "economy", arguments))


def _play(supervisor: Supervisor, running: Running, home: Home, wanted: Played) -> None:
    progress_file = home.path / "play.progress"
    progress_file.unlink(missing_ok=True)
    arguments = ["--dsn", running.dsn, "--endpoint", running.http_url]
    arguments += ["--seed", str(wanted.seed), "--days", str(wanted.days), "--until", wanted.until]
    arguments += ["--truth", str(home.path / "truth.json"), "--progress", str(progress_file)]
    what = f"playing {wanted.days:g} days of a simulated fleet"
    remark(what + (f"; its spend can be watched coming in at {running.dashboard_url}" if running.dashboard_url else ""))
    _wait_for(supervisor, module_part("play", "cli.play", arguments, once=True), what, lambda: _read_progress(progress_file))
    progress_file.unlink(missing_ok=True)


def _appraise(supervisor: Supervisor, running: Running) -> None:
    """What was decided in the period, so that the page shows it from the first look on; afterwards the clock goes on with it."""
    what = "appraising what the fleet decided"
    remark(what)
    appraisal = module_part("appraisal", "analyzers", ["--dsn", running.dsn, "--appraise", "--all"], once=True)
    _wait_for(supervisor, appraisal, what, lambda: (0, 0))


def _wait_for(supervisor: Supervisor, part: Part, what: str, how_far: Callable[[], tuple[int, int]]) -> None:
    """Run a part to its end. A terminal is shown how far it is, or how long it has taken where that is not known."""
    from rich.console import Console
    from rich.progress import Progress, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], TimeElapsedColumn())
    # Drawn by hand from our own loop: this process keeps to one thread.
    with Progress(*columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def draw() -> None:
            done, total = how_far()
            progress.update(task, completed=done, total=total or None)
            progress.refresh()

        supervisor.start(part)
        supervisor.wait_for([part.name], PLAYED_WITHIN_S, meanwhile=draw)


def _read_progress(file: Path) -> tuple[int, int]:
    """How many spans and events of how many have been sent; (0, 0) before it is known."""
    try:
        done, total = file.read_text().split()
    except (OSError, ValueError):
        return 0, 0
    return int(done), int(total)


def _show(home: Home, running: Running, *, named: bool) -> None:
    """What was found of what was injected, four things to try, then the addresses; the page stands last."""
    _compare(home, running)
    pigou = "pigou" if shutil.which("pigou") else shlex.quote(os.path.relpath(sys.argv[0]))
    at = f" --home {shlex.quote(str(home.path))}" if named else ""
    query = "select layer, use, sum(cost_usd) from ledger.calls group by 1, 2 order by 3 desc nulls last"
    say("In another terminal, try:")
    say(f'  {pigou} sql{at} "{query}"')
    say(f"  {pigou} statement{at} expenses:action --tenant acme --by-day")
    say(f"  {pigou} findings list{at}")
    say(f"  {pigou} check{at}")
    say(f"Your own agent's spend joins it: OTEL_EXPORTER_OTLP_ENDPOINT={running.http_url}")
    say(ready_line(running))


def _compare(home: Home, running: Running) -> None:
    truth = home.path / "truth.json"
    if not truth.exists():  # the play was broken off
        return
    from cli.compare import compare, read_truth
    from cli.findings import write_compared

    with connected(running.dsn, "reader") as books:
        write_compared(compare(books, read_truth(truth)), Format.TABLE)


def _this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _file(home: Home) -> Path:
    return home.path / "demo.json"


def _read(home: Home) -> Played | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Played(**json.loads(_file(home).read_text()))
    return None


def _write(home: Home, played: Played) -> None:
    _file(home).write_text(json.dumps(asdict(played)) + "\n")
