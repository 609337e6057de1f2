"""A PostgreSQL of the harness' own that can be killed, stopped, frozen and started again.

It runs with the settings of an installation's own server, fsync among them.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO, Literal
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from bench.faults.processes import kill, outliving
from bench.faults.workload import TENANTS, prices
from bench.guard import Guard
from cli.postgres import Cluster, wait_until
from ledger.database import connect, migrate
from ledger.rates import add_rates
from ledger.stated_rates import stated_rate

_TEMPLATE = "faults_template"
_START_WITHIN_S = 60.0
# A recovery begins by syncing every file there is, one by one; each round's database has a thousand.
_SETTINGS = "recovery_init_sync_method = 'syncfs'\n" if sys.platform == "linux" else ""


class Server:
    """The server on one data directory below `folder`, as a child of this process."""

    def __init__(self, folder: Path, guard: Guard) -> None:
        self.guard = guard
        guard.folder(folder)
        folder.chmod(0o755)  # the server's own user passes through it when we are root
        self._cluster = Cluster(folder / "data")
        self._log_path = folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[psutil.Process] = []
        self._databases = 0
        with self._log() as log:
            self._cluster.initialise(log)
        with (self._cluster.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(_SETTINGS)

    def dsn(self, database: str, socket_folder: Path | None = None) -> str:
        """The address of a database, through another folder's socket when one is named."""
        return f"postgresql://postgres@/{database}?host={quote(str(socket_folder or self.socket_folder), safe='/')}"

    @property
    def socket_folder(self) -> Path:
        """Where the server's own socket stands."""
        return self._cluster.socket_dir

    def start(self) -> None:
        """Start it unless it runs, thaw it if it is frozen, and wait until it accepts connections."""
        self.thaw()
        if not wait_until(self._runs_and_accepts, _START_WITHIN_S, pause_s=0.05):
            raise RuntimeError(f"the server did not start within {_START_WITHIN_S:.0f} s:\n{self._log_path.read_text()[-2000:]}")

    def prepare(self) -> None:
        """Make the template of every round's database: migrated, and priced at the load's own prices for each tenant."""
        self.start()
        self._administer(sql.SQL("create database {}").format(sql.Identifier(_TEMPLATE)))
        migrate(self.dsn(_TEMPLATE))
        with connect(self.dsn(_TEMPLATE), "writer") as writer:
            state_prices(writer)

    @contextlib.contextmanager
    def database(self) -> Generator[str]:
        """The name of a fresh database; it is dropped at the end of the block."""
        self.start()
        self._databases += 1
        name = f"round_{self._databases}"
        identifier = sql.Identifier(name)
        self._administer(sql.SQL("create database {} template {}").format(identifier, sql.Identifier(_TEMPLATE)))
        try:
            yield name
        finally:
            self.start()
            self._administer(sql.SQL("drop database if exists {} with (force)").format(identifier))

    def kill(self) -> None:
        """kill -9 of the postmaster; its backends end by themselves when they notice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def kill_backend(self, database: str, draw: random.Random) -> bool:
        """kill -9 of one backend of a database; the postmaster then restarts all. False when there is none."""
        backends = [process for process in self._children() if database in _title(process)]
        if not backends:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            draw.choice(backends).kill()
            return True
        return False

    def stop(self, mode: Literal["fast", "immediate"]) -> None:
        """What `pg_ctl stop -m MODE` does: SIGINT or SIGQUIT to the postmaster, and wait for its end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT if mode == "fast" else signal.SIGQUIT)
            self._process.wait(30)

    def freeze(self) -> None:
        """SIGSTOP to the postmaster and all its processes: there, and silent."""
        if self._process is None:
            return
        self._frozen = [psutil.Process(self._process.pid), *self._children()]
        for process in self._frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        """SIGCONT to what was frozen."""
        for process in self._frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        self._frozen = []

    def close(self) -> None:
        """End the server and everything below it."""
        self.thaw()
        if self._process is None:
            return
        below = self._children()
        try:
            self.stop("immediate")
        except subprocess.TimeoutExpired:
            self.kill()
        kill(outliving(below, 10.0))

    def _children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self._process.pid).children(recursive=True) if self._process else []
        except psutil.NoSuchProcess:
            return []

    def _runs_and_accepts(self) -> bool:
        """Whether connections are accepted; starts the server when it has ended (it may still be on its way out when asked)."""
        if self._process is None or self._process.poll() is not None:
            with self._log() as log:
                # Not with `dies_with_parent`: that asks between fork and exec, and this process has many threads.
                self._process = self._cluster.spawn(log, dies_with_parent=False)
            self.guard.process(self._process.pid)
        try:
            with psycopg.connect(self.dsn("postgres"), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False

    def _administer(self, statement: sql.Composed) -> None:
        """Run a statement outside any transaction; again when the server restarts under it, as after a killed backend."""
        for attempt in range(5):
            try:
                with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
                    connection.execute(statement)
                    return
            except psycopg.OperationalError:
                if attempt == 4:
                    raise
                time.sleep(0.5)

    def _log(self) -> IO[bytes]:
        return self._log_path.open("ab")


def state_prices(writer: psycopg.Connection) -> None:
    """Put the load's own prices into the price book, for each tenant of the load."""
    rates = [
        stated_rate({"provider": provider, "model": model, "commodity": commodity, "price_usd": str(usd)})
        for (provider, model), by_commodity in prices().items()
        for commodity, usd in by_commodity.items()
    ]
    for number in range(TENANTS):
        add_rates(writer, f"tenant-{number:02d}", rates, "bench")


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
