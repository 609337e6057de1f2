"""`python -m analyzers`: the clock, and the thread that delivers alerts beside it, until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from analyzers.appraising import FIRST_AFTER_S, Appraising, appraise_once
from analyzers.delivery.deliverer import WITHIN_S, Deliverer
from analyzers.delivery.outbox import has_news
from analyzers.pace import rounds_pause
from analyzers.pipeline import Round, run_round
from ledger.database import connect
from ledger.errors import LedgerError

log = logging.getLogger("pigou.analyzers")

_RETRY_S = 2.0


def main() -> int:
    """Run a round every few seconds until SIGTERM or SIGINT, which break off one that is under way; with --once, run one.

    Exit 2 when it cannot start.
    """
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    if arguments.appraise:
        return appraise_once(arguments.dsn, is_all=arguments.all)
    ending = _Ending()
    try:
        with ending.breaks_off(), connect(arguments.dsn, "writer", application="pigou-analyzers") as connection:
            first = run_round(connection)
        print(f"analyzers: {_summary(first)}", flush=True)
    except LedgerError as error:
        print(f"analyzers: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    if arguments.once:
        return 0
    threading.excepthook = _end
    deliverer = Deliverer(arguments.dsn, dict(os.environ), arguments.delivery_within_s)
    deliverer.start()
    appraising = Appraising(arguments.dsn, dict(os.environ), first_after_s=arguments.appraises_after_s)
    _run_clock(arguments.dsn, arguments.interval_s, ending, deliverer, appraising)
    appraising.stop()
    deliverer.stop()
    return 0


class _Ending:
    """SIGTERM and SIGINT: they end the pause between rounds, and break a round off wherever it is."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._is_round = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._tell)

    def within(self, seconds: float) -> bool:
        """Whether a signal came within so many seconds."""
        return self._told.wait(seconds)

    @contextmanager
    def breaks_off(self) -> Generator[None]:
        """Raises KeyboardInterrupt inside when a signal comes: psycopg has the statement under way cancelled, and what was
        committed stays.
        """
        self._is_round = True
        try:
            yield
        finally:
            self._is_round = False

    def _tell(self, _number: int, _frame: object) -> None:
        self._told.set()
        if self._is_round:
            self._is_round = False  # what is being rolled back is not broken off
            raise KeyboardInterrupt


def _run_clock(dsn: str, interval_s: float, ending: _Ending, deliverer: Deliverer, appraising: Appraising) -> None:
    """Rounds at an interval that stretches with their length, so that the clock takes a tenth of a core while they are short.

    Each has a connection of its own: between rounds the server keeps no backend, with all that it has read, for us.
    """
    pause_s = interval_s
    while not ending.within(pause_s):
        began = time.monotonic()
        try:
            with connect(dsn, "writer", application="pigou-analyzers") as connection:
                with ending.breaks_off():
                    done = run_round(connection)
                if has_news(connection):
                    deliverer.wake()
                appraising.turn(connection)
            pause_s = rounds_pause(time.monotonic() - began, interval_s)
            if done.rerated_calls:
                log.info("%s", _summary(done))
        except (psycopg.Error, LedgerError) as error:
            log.error("this round failed and is tried again: %s", error)
            pause_s = max(interval_s, _RETRY_S)
        except KeyboardInterrupt:
            return


def _end(failure: threading.ExceptHookArgs) -> None:
    """A thread that ended by a fault of ours would deliver nothing, and nobody would hear of it: end, to be started again."""
    log.critical("thread %s ended", failure.thread and failure.thread.name, exc_info=failure.exc_value)
    os._exit(70)


def _summary(done: Round) -> str:
    return (
        f"{done.rerated_calls} calls booked again at a later price, {done.still_unpriced} still without one,"
        f" {done.reconciled_parents} control totals compared, {done.settled_tasks} tasks settled"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analyzers", description="Pigou's clock over what is booked.")
    parser.add_argument("--dsn", default=os.environ.get("PIGOU_DATABASE_URL"), help="database, default PIGOU_DATABASE_URL")
    parser.add_argument("--interval-s", type=float, default=2.0, help="pause between rounds")
    parser.add_argument("--delivery-within-s", type=float, default=WITHIN_S, help="how long telling a channel may take")
    parser.add_argument("--appraises-after-s", type=float, default=FIRST_AFTER_S, help="before the first appraisal of the clock")
    parser.add_argument("--once", action="store_true", help="run one round and exit; nothing is delivered")
    parser.add_argument("--appraise", action="store_true", help="appraise what has changed, once, and exit")
    parser.add_argument("--all", action="store_true", help="with --appraise: nothing more is on its way, so wait for nothing")
    arguments = parser.parse_args()
    if not arguments.dsn:
        parser.error("no database: give --dsn or set PIGOU_DATABASE_URL")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
