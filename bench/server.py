"""The embedded PostgreSQL of a benchmark: made as `pigou up` makes it, in a folder that goes with it, or one that is kept."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from cli.postgres import Cluster, wait_until

_READY_WITHIN_S = 60.0


@dataclass(frozen=True)
class Server:
    """A running server and the folder that its users may leave their files in."""

    home: Path
    socket_dir: Path
    version: str

    def uri(self, database: str = "postgres") -> str:
        """A database's address, as libpq and SQLAlchemy's drivers read it."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.socket_dir), safe='/')}"

    def create(self, database: str) -> str:
        """A new, empty database; its address."""
        with psycopg.connect(self.uri(), autocommit=True) as admin:
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
        return self.uri(database)

    def drop(self, database: str) -> None:
        """Remove a database, and have on disk what others wrote: nothing of it is left to be done later."""
        with psycopg.connect(self.uri(), autocommit=True) as admin:
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(database)))


@contextmanager
def serve(kept: Path | None = None) -> Generator[Server]:
    """Run a server with the settings of `pigou up` for the length of the block, over what a folder `kept` holds if one is named.

    Only the number of connections is raised: others keep larger pools than we do. It ends with this process, however that ends.
    Raises RuntimeError when the server does not start, would not keep what it has acknowledged, or is running there already.
    """
    with contextlib.nullcontext(kept) if kept else tempfile.TemporaryDirectory(prefix="pigou-bench-") as named:
        folder = Path(named).absolute()
        cluster = Cluster(folder / "data")
        if cluster.running_pid():
            raise RuntimeError(f"a server runs in {folder} already: wait for the benchmark that uses it, or name another folder")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "postgres.log").open("wb") as log:
            if not cluster.exists:
                cluster.initialise(log)
                with (cluster.data / "postgresql.auto.conf").open("a") as settings:
                    settings.write("max_connections = 200\n")
            process = cluster.spawn(log, dies_with_parent=True)
            try:
                if not wait_until(lambda: cluster.ready or process.poll() is not None, _READY_WITHIN_S) or not cluster.ready:
                    raise RuntimeError(f"PostgreSQL did not start: {Path(log.name).read_text(errors='replace')[-2000:]}")
                yield Server(folder, cluster.socket_dir, _durable_version(cluster))
            finally:
                cluster.stop()
                process.wait(30)


def _durable_version(cluster: Cluster) -> str:
    """The server's version, once it is certain that what it acknowledges is on disk."""
    with psycopg.connect(cluster.dsn()) as connection:
        for setting in ("fsync", "synchronous_commit"):
            row = connection.execute("select current_setting(%s)", [setting]).fetchone()
            if row != ("on",):
                raise RuntimeError(f"{setting} is not on: rates without it mean nothing; take it out of the server's settings")
        return str(connection.info.parameter_status("server_version"))
