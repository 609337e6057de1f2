"""The analyzers as a process: a signal ends them wherever a round is, and nothing of theirs is left behind in the database."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import pytest

from tests.books import one, run
from tests.pigou_process import clean_environment
from tests.receivers import wait_for

_OURS = "from pg_stat_activity where application_name = 'pigou-analyzers' and datname = current_database()"
BACKENDS = f"select count(*) {_OURS}"
IS_HELD_UP = f"select exists (select {_OURS} and wait_event_type = 'Lock')"


@contextmanager
def analyzers(dsn: str) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "analyzers", "--dsn", dsn, "--interval-s", "0.2"]
    environment = clean_environment()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("is_first", [True, False], ids=["the first round", "a later one"])
def test_a_signal_ends_them_in_mid_statement(dsn: str, owner: psycopg.Connection, number: signal.Signals, is_first: bool) -> None:
    """A statement that would wait for ever, since another transaction holds what it asks for, is cancelled."""
    with psycopg.connect(dsn) as other:
        if is_first:
            run(other, "lock table pigou.control_total")
        with analyzers(dsn) as process:
            assert process.stdout is not None
            if not is_first:
                assert process.stdout.readline().startswith("analyzers: ")
                run(other, "lock table pigou.control_total")
            wait_for(lambda: one(owner, IS_HELD_UP))
            process.send_signal(number)
            assert process.wait(timeout=60) == 0
            assert process.stdout.read() == ""
    wait_for(lambda: one(owner, BACKENDS) == 0)
