"""The installation's home: its database, its logs, the addresses of what runs, and how commands find them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from cli.errors import CommandError
from cli.postgres import Cluster, wait_until

if TYPE_CHECKING:
    import psycopg

Role: TypeAlias = Literal["owner", "writer", "reader"]


HOME_VARIABLE = "PIGOU_HOME"
DATABASE_VARIABLE = "PIGOU_DATABASE_URL"
CREDENTIAL_VARIABLE = "PIGOU_TOKEN"
LOGS_KEPT = 5
GUESTS_LEAVE_WITHIN_S = 10.0


@dataclass(frozen=True)
class Running:
    """The addresses and process ids of a running installation."""

    pid: int
    dsn: str
    http_url: str
    grpc_address: str
    dashboard_url: str | None
    started_at: str
    parts: dict[str, int]


@dataclass(frozen=True)
class Home:
    """The folder of one installation."""

    path: Path

    @property
    def cluster(self) -> Cluster:
        """The embedded PostgreSQL of this home."""
        return Cluster(self.path / "postgres")

    @property
    def logs(self) -> Path:
        """Where each part's output is kept."""
        return self.path / "logs"

    @property
    def spool(self) -> Path:
        """Where the collector keeps acknowledged exports while the database is away."""
        return self.path / "spool"

    @property
    def run_file(self) -> Path:
        """The addresses of what runs, as JSON; for its owner's eyes, since an address may hold a password."""
        return self.path / "run.json"

    def make(self) -> None:
        """Make the folder when it is missing. Raises CommandError when that is refused."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
        except OSError as error:
            mend = "choose another with --home or PIGOU_HOME"
            message = f"cannot make the home {self.path}: {error.strerror}"
            raise CommandError(message, mend, exit_code=2) from error

    def running(self) -> Running | None:
        """What `pigou up` runs on this home now, or None. A file left by a killed one does not count."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            running = Running(**json.loads(self.run_file.read_text()))
            if self._is_locked("pigou.lock"):
                return running
        return None

    def write_run_file(self, running: Running) -> None:
        """Publish the addresses, whole or not at all."""
        new = self.run_file.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(asdict(running), indent=2) + "\n")
        new.replace(self.run_file)

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Hold this home for one `pigou up`. Raises CommandError (exit 2) when another holds it."""
        self.make()
        with (self.path / "pigou.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                mend = "stop it, or choose another --home"
                raise CommandError(self._who_holds_it(), mend, exit_code=2) from None
            try:
                yield
            finally:
                self.run_file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def server_guest(self) -> Generator[None]:
        """Use the embedded server for a while: start it when none runs; the last guest to leave stops it."""
        self.make()
        guests = (self.path / "postgres.guests").open("a")
        with guests:
            with self._serialised():
                if self.cluster.running_pid() is None:
                    self._start_for_guests()
                fcntl.flock(guests, fcntl.LOCK_SH)
            try:
                if not wait_until(lambda: self.cluster.ready, 60.0):
                    raise CommandError("PostgreSQL did not start", f"see {self.logs / 'postgres.log'}")
                yield
            finally:
                with self._serialised():
                    self._leave(guests)

    @contextlib.contextmanager
    def server_alone(self) -> Generator[None]:
        """Enter as the one who supervises the server: one left over is stopped, guests cannot stop ours.

        Raises CommandError when another command uses the database and does not finish within ten seconds.
        """
        with (self.path / "postgres.guests").open("a") as guests:
            if not wait_until(lambda: self._take_over(guests), GUESTS_LEAVE_WITHIN_S, pause_s=0.1):
                message = f"another command uses the database of {self.path}"
                raise CommandError(message, "let it finish, then try again")
            yield

    def open_log(self, name: str) -> IO[bytes]:
        """The log file of one part, opened to append."""
        return (self.logs / f"{name}.log").open("ab", buffering=0)

    def rotate_logs(self) -> None:
        """Begin new log files; the last few starts are kept as name.1.log (the youngest) to name.5.log."""
        for log in sorted(self.logs.glob("*.log")):
            if "." in log.stem or log.stat().st_size == 0:
                continue
            for number in range(LOGS_KEPT, 0, -1):
                older = log.with_name(f"{log.stem}.{number}.log")
                younger = log.with_name(f"{log.stem}.{number - 1}.log") if number > 1 else log
                if younger.exists():
                    younger.replace(older)

    @contextlib.contextmanager
    def _serialised(self) -> Generator[None]:
        """One at a time starts or stops the embedded server."""
        with (self.path / "postgres.lock").open("a") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            yield

    def _start_for_guests(self) -> None:
        with self.open_log("postgres") as log:
            if not self.cluster.exists:
                self.cluster.initialise(log)
            self.cluster.start_detached(log)

    def _take_over(self, guests: IO[str]) -> bool:
        """Stop a server that nobody uses and stay as its only guest; False while somebody uses it."""
        with self._serialised():
            if not _try_lock(guests, fcntl.LOCK_EX):
                return False
            self.cluster.stop()
            fcntl.flock(guests, fcntl.LOCK_SH)
            return True

    def _leave(self, guests: IO[str]) -> None:
        fcntl.flock(guests, fcntl.LOCK_UN)
        if _try_lock(guests, fcntl.LOCK_EX):
            self.cluster.stop()

    def _is_locked(self, name: str) -> bool:
        try:
            with (self.path / name).open() as lock:
                if not _try_lock(lock, fcntl.LOCK_SH):
                    return True
                fcntl.flock(lock, fcntl.LOCK_UN)
        except FileNotFoundError:
            pass
        return False

    def _who_holds_it(self) -> str:
        with contextlib.suppress(OSError, ValueError, KeyError):
            pid = json.loads(self.run_file.read_text())["pid"]
            return f"another pigou (process {pid}) runs on {self.path}"
        return f"another pigou is starting on {self.path}"


def home_at(option: Path | None = None, environment: Mapping[str, str] = os.environ) -> Home:
    """The home to run in: the option, PIGOU_HOME, or `pigou` in the user's data folder."""
    chosen = option or environment.get(HOME_VARIABLE)
    return Home(Path(chosen).expanduser().absolute()) if chosen else Home(_user_data() / "pigou")


def demo_home() -> Home:
    """Where the demo keeps its books, apart from the user's own."""
    return Home(_user_data() / "pigou-demo")


def home_to_read(option: Path | None = None, environment: Mapping[str, str] = os.environ) -> Home:
    """The home a command asks: as `home_at`; the running demo's if none is named and the default is empty."""
    home = home_at(option, environment)
    named = option or environment.get(HOME_VARIABLE)
    if not named and not home.cluster.exists and demo_home().running():
        return demo_home()
    return home


@contextlib.contextmanager
def database_address(role: Role, home: Path | None = None, environment: Mapping[str, str] = os.environ) -> Generator[str]:
    """The address of the books, valid inside the block.

    It is PIGOU_DATABASE_URL when set, else the database of the installation running on the home, else the
    home's embedded server, started for the block and migrated. Raises CommandError when there is nothing to
    read yet.
    """
    url = environment.get(DATABASE_VARIABLE)
    if url:
        yield url
        return
    found = home_to_read(home, environment)
    running = found.running()
    if running:
        yield running.dsn
        return
    if role == "reader" and not found.cluster.exists:
        raise CommandError(f"there are no books in {found.path}", "start `pigou up`, or name another --home")
    with found.server_guest():
        from cli.prepare import prepare

        prepare(found.cluster.dsn())
        yield found.cluster.dsn()


@contextlib.contextmanager
def open_database(
    role: Role, home: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Generator[psycopg.Connection]:
    """A connection to the books under one role (autocommit, UTC). Raises as `database_address`."""
    with database_address(role, home, environment) as dsn, connected(dsn, role) as connection:
        yield connection


@contextlib.contextmanager
def connected(dsn: str, role: Role, *, autocommit: bool = True) -> Generator[psycopg.Connection]:
    """A connection under a role. Raises CommandError for a database that was never migrated."""
    from ledger.database import connect
    from ledger.errors import DatabaseUnavailable

    try:
        connection = connect(dsn, role, autocommit=autocommit, application="pigou-cli")
    except DatabaseUnavailable:
        with connect(dsn, "owner", application="pigou-cli") as owner:
            if owner.execute("select to_regrole(%s)", (f"pigou_{role}",)).fetchone() == (None,):
                raise CommandError("the database has no books", "make them with `pigou migrate`") from None
        raise
    with connection:
        # The roles belong to the whole server: another database of it may have books where this one has none.
        if connection.execute("select to_regnamespace('ledger')").fetchone() == (None,):
            raise CommandError("the database has no books", "make them with `pigou migrate`")
        if not autocommit:
            connection.rollback()
        yield connection


def dsn_for_role(dsn: str, role: Role) -> str:
    """An address that acts under the role, for psql and other programs.

    On the embedded server the role itself logs in; elsewhere the session takes the role on with `options`.
    """
    if role == "owner":
        return dsn
    option = f"-c role=pigou_{role}"
    if "://" not in dsn:
        from psycopg.conninfo import make_conninfo

        return make_conninfo(dsn, options=option)
    parts = urlsplit(dsn)
    if parts.netloc == "postgres@":
        return urlunsplit(parts._replace(netloc=f"pigou_{role}@"))
    given = [(name, value) for name, value in parse_qsl(parts.query) if name != "options"]
    query = urlencode([*given, ("options", option)], quote_via=quote, safe="/")
    return urlunsplit(parts._replace(query=query))


def without_password(dsn: str) -> str:
    """The address as it may be shown."""
    if "://" not in dsn:
        return re.sub(r"password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)", "password=***", dsn)
    return re.sub(r"(?<=://)([^:/@]*):[^/]*@", r"\1:***@", dsn)


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _user_data() -> Path:
    import platformdirs

    return platformdirs.user_data_path("pigou", appauthor=False).parent
