"""Appraisals, findings and prices beside the clock, in a process that takes the memory of its models along when it ends."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping

import psycopg

from analyzers.alerts import evaluate
from analyzers.freshness import AGAIN_AFTER, GRACE
from analyzers.pace import PAUSE_MIN_S, pause_after
from analyzers.prices.keep_clearing import engines_due
from analyzers.prices.refresh import tenants_due
from ledger.database import connect
from ledger.errors import LedgerError
from ledger.queries import queries

log = logging.getLogger("pigou.analyzers")

CAPITALISES_FOR_S = 20.0
"""Books that are new to it are worked through by and by, so that findings need not wait for them."""
FIRST_AFTER_S = 60.0
"""Not while everything starts."""
_DATABASE_TOO = 2.0
"""For each second of a core that an appraisal takes, the database takes about as much."""

_SQL = queries("analyzers", "appraise")


def run_line(connection: psycopg.Connection, *, is_all: bool = False) -> None:
    """Settle, appraise, detect what is due, tell each finding as soon as it opens, produce, weigh, price, clear and
    capitalise.

    `is_all`: nothing more is on its way, as `settle` understands it.
    """
    from analyzers.appraise import appraise  # models and solvers, which the clock does without
    from analyzers.capital.capitalise import capitalise
    from analyzers.detect import detect
    from analyzers.prices.keep_clearing import refresh_clearing
    from analyzers.prices.refresh import refresh_prices
    from analyzers.produce import produce
    from analyzers.weigh import AGAIN_AFTER as WEIGHED_AGAIN_AFTER
    from analyzers.weigh import weigh

    appraise(connection, is_all=is_all)
    detect(connection, only_due=True, is_all=is_all, opened=evaluate)
    evaluate(connection)
    produce(connection)
    weigh(connection, again_after=WEIGHED_AGAIN_AFTER)
    refresh_prices(connection)
    refresh_clearing(connection)
    capitalise(connection, for_s=CAPITALISES_FOR_S)


def appraise_once(dsn: str, *, is_all: bool = False) -> int:
    """Appraise what has changed, find what is lost, tell of it, look at the prices that are due, and answer the exit code.

    It yields to whatever else the machine has to do.
    """
    os.nice(10)
    try:
        with connect(dsn, "writer", application="pigou-appraisal") as connection:
            run_line(connection, is_all=is_all)
    except (psycopg.Error, LedgerError) as error:
        log.error("this appraisal failed and is tried again: %s", error)
        return 1
    return 0


class Appraising:
    """Starts an appraisal when tasks were settled since the last one, or prices are due; one at a time."""

    def __init__(
        self, dsn: str, environment: Mapping[str, str], pause_s: float = PAUSE_MIN_S, first_after_s: float = 0.0
    ) -> None:
        # The address goes by the environment: a password on a command line is for everyone to see.
        self._environment = {**environment, "PIGOU_DATABASE_URL": dsn}
        self._pause_s = pause_s
        self._child: subprocess.Popen[bytes] | None = None
        self._began = self._worked_s = 0.0
        self._not_before = self._retry_at = time.monotonic() + first_after_s

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
                self._retry_at = now + self._pause_s
            self._child = None
            worked_s = _DATABASE_TOO * (_children_s() - self._worked_s)
            self._not_before = now + max(self._pause_s, pause_after(now - self._began, worked_s))
        if now < self._retry_at or not (
            self._are_prices_due(connection) or (now >= self._not_before and self._is_due(connection))
        ):
            return False
        self._child = subprocess.Popen(
            [sys.executable, "-m", "analyzers", "--appraise"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self._began, self._worked_s = now, _children_s()
        return True

    def stop(self) -> None:
        """End the one under way. What it has done stays done, and the next goes on from there."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            self._child.wait()
        self._child = None

    @staticmethod
    def _are_prices_due(connection: psycopg.Connection) -> bool:
        return bool(tenants_due(connection) or engines_due(connection))

    @staticmethod
    def _is_due(connection: psycopg.Connection) -> bool:
        row = connection.execute(_SQL["appraisal_is_due"], {"again_after": AGAIN_AFTER, "grace": GRACE}).fetchone()
        return row is not None and bool(row[0])


def _children_s() -> float:
    """Seconds of a core that processes which we started and which have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
