"""The door to the database: runs statements as the read-only role, over a few kept connections."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from dashboard.frame import Frame
from dashboard.queries import Statement, named
from dashboard.recent import Recent
from ledger.database import connect
from ledger.errors import DatabaseUnavailable

STATEMENT_TIMEOUT_MS = 20_000
_VERSION = Statement("appraisal_version", named()["appraisal_version"])
IDLE_S_MAX = 30.0  # a backend of the server weighs tens of megabytes; opening one takes milliseconds


class BooksUnavailable(Exception):
    """A page cannot be drawn; says what is wrong and what mends it."""

    def __init__(self, what: str, mend: str, detail: str = "", *, is_away: bool = False) -> None:
        super().__init__(f"{what} {mend}")
        self.what = what
        self.mend = mend
        self.detail = detail
        self.is_away = is_away


class Books:
    """Reads the books of one database. Safe to share between threads.

    Holds at most `connections_max` connections, and none that nobody asked for `idle_s_max` seconds. Where many ask the same at
    once, they share an answer that is no older than `fresh_s` seconds; what is summed of decisions and tasks is kept until these
    change. 0: each gets an answer of its own.
    """

    def __init__(self, dsn: str, connections_max: int = 4, idle_s_max: float = IDLE_S_MAX, fresh_s: float = 0.0) -> None:
        self._dsn = dsn
        self.recent = Recent(fresh_s)
        self._idle: deque[tuple[float, psycopg.Connection]] = deque()  # since when; the longest first
        self._idle_s_max = idle_s_max
        self._free = threading.BoundedSemaphore(connections_max)
        self._closing: threading.Timer | None = None
        self._lock = threading.Lock()

    def run(self, statement: Statement) -> Frame:
        """The whole answer of one statement. Raises: BooksUnavailable."""
        if statement.is_of_appraisals and self.recent.is_on:
            version = self.recent.share(_VERSION.text, lambda: self._asked(_VERSION).rows)
            return self.recent.keep(statement.text, version, lambda: self._asked(statement))
        return self.recent.share(statement.text, lambda: self._asked(statement))

    def _asked(self, statement: Statement) -> Frame:
        with self._connection() as connection:
            cursor = connection.execute(statement.text.encode())
            columns = tuple(column.name for column in cursor.description or ())
            return Frame(columns, tuple(cursor.fetchall()))

    def csv(self, statement: Statement) -> Iterator[bytes]:
        """The answer of one statement as CSV with a header, in pieces, exact to the last digit. Raises: BooksUnavailable."""
        copy = f"copy ({statement.text}\n) to stdout with (format csv, header true)".encode()
        with self._connection() as connection, connection.cursor() as cursor, cursor.copy(copy) as rows:
            for piece in rows:
                yield bytes(piece)

    def answers(self) -> bool:
        """Whether the database can be read right now."""
        try:
            self.run(Statement("ping", "select 1"))
        except BooksUnavailable:
            return False
        return True

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            if self._closing:
                self._closing.cancel()
                self._closing = None
            idle = [self._idle.popleft()[1] for _ in range(len(self._idle))]
        for connection in idle:
            connection.close()

    @contextmanager
    def _connection(self) -> Generator[psycopg.Connection]:
        with self._free:
            connection = self._kept() or self._opened()
            try:
                yield connection
            except psycopg.Error as error:
                connection.close()
                raise _explained(error, self.address) from error
            except BaseException:
                connection.close()
                raise
            self._keep(connection)

    def _keep(self, connection: psycopg.Connection) -> None:
        """For the next question, if one comes soon."""
        with self._lock:
            self._idle.append((time.monotonic(), connection))
            self._close_later()

    def _close_later(self) -> None:
        """See to it that what stays idle is closed. The lock is held."""
        if self._closing is None and self._idle:
            wait_s = self._idle[0][0] + self._idle_s_max - time.monotonic()
            self._closing = threading.Timer(max(wait_s, 0.0), self._close_unused)
            self._closing.daemon = True
            self._closing.start()

    def _close_unused(self) -> None:
        unused: list[psycopg.Connection] = []
        with self._lock:
            while self._idle and self._idle[0][0] <= time.monotonic() - self._idle_s_max:
                unused.append(self._idle.popleft()[1])
            self._closing = None
            self._close_later()
        for connection in unused:
            connection.close()

    def _kept(self) -> psycopg.Connection | None:
        """An idle connection that still answers, if there is one; those that a restart of the server left behind are dropped."""
        while True:
            try:
                _, connection = self._idle.pop()
            except IndexError:
                return None
            if _is_alive(connection):
                return connection
            connection.close()

    def _opened(self) -> psycopg.Connection:
        try:
            connection = connect(self._dsn, "reader", application="pigou dashboard")
            connection.execute(b"set statement_timeout = %d" % STATEMENT_TIMEOUT_MS)
            connection.execute("set default_transaction_read_only = on")
            connection.execute(
                "set max_parallel_workers_per_gather = 0"
            )  # whoever looks takes one core, and leaves those that post theirs
        except DatabaseUnavailable as error:
            raise _away(self.address, str(error.__cause__ or error)) from error
        except psycopg.Error as error:
            raise _explained(error, self.address) from error
        return connection

    @property
    def address(self) -> str:
        """Where the database is, without its password."""
        parts = conninfo_to_dict(self._dsn)
        return f"{parts.get('host') or 'the local socket'}{':' + str(parts['port']) if parts.get('port') else ''}"


def _is_alive(connection: psycopg.Connection) -> bool:
    """One round trip, so that a page never fails on a connection that died while nobody looked."""
    try:
        connection.execute("select 1")
    except psycopg.Error:
        return False
    return True


def _explained(error: psycopg.Error, address: str) -> BooksUnavailable:
    """A database error as what it means to the reader of a page, by its SQLSTATE."""
    explained: tuple[tuple[type[psycopg.Error], Callable[[str], BooksUnavailable]], ...] = (
        (psycopg.errors.QueryCanceled, _slow),
        (psycopg.errors.UndefinedTable, _unmigrated),
        (psycopg.errors.InvalidSchemaName, _unmigrated),
        (psycopg.errors.UndefinedColumn, _unmigrated),
        (psycopg.errors.UndefinedFunction, _unmigrated),
        (psycopg.errors.InsufficientPrivilege, _forbidden),
    )
    for kind, explain in explained:
        if isinstance(error, kind):
            return explain(str(error).strip())
    if isinstance(error, psycopg.OperationalError):
        return _away(address, str(error).strip())
    return BooksUnavailable("The database refused this question.", "Please report it with the text below.", str(error).strip())


def _away(address: str, detail: str) -> BooksUnavailable:
    return BooksUnavailable(
        f"The books do not answer: no connection to PostgreSQL at {address}.",
        "Start it with `pigou up` (or check PIGOU_DATABASE_URL); this page asks again by itself.",
        detail,
        is_away=True,
    )


def _slow(detail: str) -> BooksUnavailable:
    return BooksUnavailable(
        f"This took longer than {STATEMENT_TIMEOUT_MS // 1000} seconds and was stopped.",
        "Choose a shorter range or a tenant.",
        detail,
    )


def _unmigrated(detail: str) -> BooksUnavailable:
    return BooksUnavailable(
        "This database does not hold the books in the shape this page reads.",
        "Run `pigou up` of the same version once: it brings the database up to date.",
        detail,
    )


def _forbidden(detail: str) -> BooksUnavailable:
    return BooksUnavailable(
        "The read-only role may not read the books.", "Run `pigou up` once: it grants what the pages need.", detail
    )
