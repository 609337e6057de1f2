"""Kept connections for programs that answer many small requests at a time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from ledger.database import Role, options_of
from ledger.errors import DatabaseUnavailable

_WAIT_S = 5
# A pool waits longer after every failed attempt; given up soon, the next request begins anew, and finds a database that is back.
_RECONNECT_S = 2


class Connections:
    """At most `connections_max` connections under one role, opened when they are first needed; safe to share between threads."""

    def __init__(self, dsn: str, role: Role, *, application: str, connections_max: int = 4) -> None:
        self._dsn = dsn
        self._kwargs = {"autocommit": True, "options": options_of(role), "application_name": application}
        self._connections_max = connections_max
        self._pool = self._new_pool()

    def open(self) -> None:
        """Begin, or begin again after `close`; no connection is made yet."""
        if self._pool.closed:
            self._pool = self._new_pool()
        self._pool.open()

    def _new_pool(self) -> ConnectionPool:
        return ConnectionPool(
            self._dsn, kwargs=self._kwargs, min_size=0, max_size=self._connections_max, open=False,
            name=str(self._kwargs["application_name"]), timeout=_WAIT_S, reconnect_timeout=_RECONNECT_S,
            check=ConnectionPool.check_connection,
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections; those in use when they are given back."""
        self._pool.close()

    @contextmanager
    def connection(self) -> Generator[psycopg.Connection]:
        """A connection for one piece of work. Raises DatabaseUnavailable when none can be had within five seconds."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, PoolClosed, psycopg.OperationalError) as error:
            raise DatabaseUnavailable(f"the database does not answer: {str(error).strip()}", "try again in a moment") from error
