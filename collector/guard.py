"""What a collector knows of the credentials: asked of the database every two seconds, so that a request asks it nothing.

While the database is away, what was known last goes on to hold. A collector that starts meanwhile holds to what the one before it
left beside the spool; where there is nothing, it lets nobody in until the database answers.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg

from ledger.credentials import Credential, Known, Refused, Right, admit, read_credentials
from ledger.database import connect
from ledger.errors import DatabaseUnavailable

log = logging.getLogger("pigou.collector")

_ASKED_EVERY_S = 2.0
_ANSWERS_WITHIN_S = 2
_FILE = "credentials.json"


class Guard:
    """Decides who is let in. `admit` may be called from any thread; one of its own follows what the database holds."""

    def __init__(self, dsn: str, folder: Path | None) -> None:
        """`folder` is where what is known outlives the process; None: nowhere."""
        self._dsn = dsn
        self._file = None if folder is None else folder / _FILE
        self._known: Known | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="credentials", daemon=True)

    def admit(self, token: str | None, right: Right) -> Credential | Refused:
        """Who shows this token, or why they are not let in to use the right."""
        return admit(self._known, token, right, datetime.now(UTC))

    def start(self, connection: psycopg.Connection | None) -> None:
        """Know what this connection tells, or without one what was known last; then follow it."""
        self._known = self._kept()
        if connection is not None:
            with contextlib.suppress(psycopg.OperationalError):  # it went away just now: the thread asks on
                self._take(read_credentials(connection))
        self._thread.start()

    def stop(self) -> None:
        """Follow no more."""
        self._ended.set()
        self._thread.join(_ANSWERS_WITHIN_S)  # a server that is frozen in mid-answer keeps it

    def _follow(self) -> None:
        connection: psycopg.Connection | None = None
        while not self._ended.wait(_ASKED_EVERY_S):
            try:
                if connection is None:
                    connection = connect(self._dsn, "writer", application="pigou-credentials", answers_within_s=_ANSWERS_WITHIN_S)
                self._take(read_credentials(connection))
            except (DatabaseUnavailable, psycopg.Error) as error:
                if connection is not None:  # told once, not every two seconds
                    log.warning("credentials stay as they were, the database does not tell them: %s", error)
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _take(self, known: Known) -> None:
        """Hold to this from now on, and after a restart."""
        if known == self._known:
            return
        self._known = known
        if self._file is None:
            return
        new = self._file.with_suffix(".new")
        try:
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(msgspec.json.encode(known))
            new.replace(self._file)
        except OSError as error:
            log.warning("the credentials are not kept for a start without the database: %s", error)

    def _kept(self) -> Known | None:
        """What was known last, if that was kept."""
        if self._file is None:
            return None
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Known)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("%s cannot be read: %s", self._file, error)
            return None
