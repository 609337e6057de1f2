"""Appraisals on the clock: each in a process of its own, which takes the memory of its solvers and models along when it ends."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

import psycopg

from ledger.queries import queries

log = logging.getLogger("pigou.analyzers")

PAUSE_S = 60.0
"""At least this long between two, and ten times what the last one took, so that they get a tenth of a core."""

_SQL = queries("analyzers", "appraise")


class Appraising:
    """Starts an appraisal when tasks were settled since the last one, one at a time."""

    def __init__(self, dsn: str, pause_s: float = PAUSE_S) -> None:
        self._dsn = dsn
        self._pause_s = pause_s
        self._child: subprocess.Popen[bytes] | None = None
        self._began = self._not_before = 0.0

    @property
    def is_under_way(self) -> bool:
        """Whether one that was started has not ended yet."""
        return self._child is not None and self._child.poll() is None

    def turn(self, connection: psycopg.Connection) -> bool:
        """See to the one under way, or start one if that is due; answers whether one was started."""
        now = time.monotonic()
        if self._child is not None:
            if self.is_under_way:
                return False
            if self._child.returncode != 0:
                log.error("an appraisal ended with %s and is tried again", self._child.returncode)
            self._child = None
            self._not_before = now + max(self._pause_s, 10 * (now - self._began))
        if now < self._not_before or not self._is_due(connection):
            return False
        # The address goes by the environment: a password on a command line is for everyone to see.
        self._child = subprocess.Popen(
            [sys.executable, "-m", "analyzers.once"],
            env={**os.environ, "PIGOU_DATABASE_URL": self._dsn},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self._began = now
        return True

    def stop(self) -> None:
        """End the one under way. What it has done stays done, and the next goes on from there."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            self._child.wait()
        self._child = None

    @staticmethod
    def _is_due(connection: psycopg.Connection) -> bool:
        row = connection.execute(_SQL["appraisal_is_due"]).fetchone()
        return row is not None and bool(row[0])
