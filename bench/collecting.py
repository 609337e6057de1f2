"""What runs over a benchmark's server: migrated and priced books, the collector that fills them, the pages that show them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from bench.processes import Family, await_answer, free_port, started
from bench.server import Server
from ledger.database import connect, migrate
from ledger.pricelist import load_list_prices

_READY_WITHIN_S = 30.0


def new_books(server: Server, database: str) -> str:
    """A database of the server with empty books and the list prices; its address."""
    dsn = server.create(database)
    migrate(dsn)
    with connect(dsn, "writer") as writer:
        load_list_prices(writer)
    return dsn


def kept_books(server: Server, database: str) -> str | None:
    """The address of a database that the server's folder holds from before, brought to this version's shape; else None."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        if admin.execute("select from pg_database where datname = %s", (database,)).fetchone() is None:
            return None
    dsn = server.uri(database)
    migrate(dsn)
    return dsn


@contextmanager
def collector(server: Server, dsn: str, arguments: Sequence[str] = ()) -> Generator[tuple[Family, int]]:
    """Run a collector on these books for the length of the block: its processes, and its HTTP port."""
    http_port, grpc_port = free_port(), free_port()
    command = [sys.executable, "-m", "collector", "--dsn", dsn, "--http-port", str(http_port), "--grpc-port", str(grpc_port)]
    home = server.home / "collector"
    home.mkdir(exist_ok=True)
    root = Path(__file__).resolve().parents[1]
    with started([*command, *arguments], home, {**os.environ, "PYTHONPATH": str(root)}) as family:
        await_answer(family, http_port, "/health", _READY_WITHIN_S)
        yield family, http_port


@contextmanager
def dashboard(server: Server, dsn: str, arguments: Sequence[str] = ()) -> Generator[tuple[Family, int]]:
    """Run the pages over these books for the length of the block: their process, and its port."""
    port = free_port()
    command = [sys.executable, "-m", "dashboard", "--dsn", dsn, "--port", str(port), *arguments]
    home = server.home / "dashboard"
    home.mkdir(exist_ok=True)
    root = Path(__file__).resolve().parents[1]
    with started(command, home, {**os.environ, "PYTHONPATH": str(root)}) as family:
        await_answer(family, port, "/health", _READY_WITHIN_S)
        yield family, port


def server_cpu_s(dsn: str) -> float:
    """CPU seconds that the database server has used, ended backends included."""
    with connect(dsn, "owner") as owner:
        row = owner.execute("select pg_backend_pid()").fetchone()
        server = psutil.Process(row[0] if row else 0).parent()
    if server is None:
        raise RuntimeError("the database server was not found")
    times = [server.cpu_times()]
    for process in server.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            times.append(process.cpu_times())
    return sum(t.user + t.system for t in times) + times[0].children_user + times[0].children_system
