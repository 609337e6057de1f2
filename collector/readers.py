"""Reading exports in processes of their own, so that decoding does not share one interpreter with posting.

A collector that has little to do reads in its own process: no further process, no copying, no delay. When exports queue up,
`ReaderProcess`es are started, and ended again after a while without work. A reader holds nothing: when it is killed, another is
started and the export it had is read again.

Not `ProcessPoolExecutor`: there the end of one process fails every task of the pool, and the pool is done for.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import select
import subprocess
import sys
from typing import BinaryIO, cast

from collector.export import Answer, Export, Prepared
from collector.infer import Rules
from collector.parcel import unpacked
from collector.preparing import ReadingPolicy
from collector.reader import Instructions, encode, read_frame, write_frame
from ledger.memory import Told, WriterMemory

log = logging.getLogger("pigou.collector")

_PIPE_BYTES = 1024 * 1024
_TRIES = 3
_READ_WITHIN_S = 60.0


class ReaderProcess:
    """One process that reads exports, started when it is first asked and again whenever it has ended. For one thread."""

    def __init__(self, policy: ReadingPolicy) -> None:
        self._policy = policy
        self._process: subprocess.Popen[bytes] | None = None
        self._rules: Rules | None = None
        self._told = Told()

    def start(self, rules: Rules, memory: WriterMemory | None = None) -> None:
        """Have it running and ready to read by these rules, and to draft from what the writer remembers by now."""
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "collector.reader"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            _widen(self._input)
            _widen(self._output)
        if self._rules is not rules:
            write_frame(self._input, encode(Instructions(self._policy, rules.rows)))
            self._rules = rules
        if memory is not None:
            news, told = memory.news(self._told)
            if news is not None:
                write_frame(self._input, encode(news))
                self._told = told

    def prepare(self, export: Export, rules: Rules, memory: WriterMemory | None = None) -> Prepared | Answer:
        """What the export comes to, drafted if `memory` allows it.

        A reader that ends over it is replaced; over what ends several it is not stored.
        """
        for _ in range(_TRIES):
            try:
                self.start(rules, memory)
                write_frame(self._input, encode(export))
                readable, _, _ = select.select([self._output], [], [], _READ_WITHIN_S)
                if not readable:
                    self.stop()
                    log.error("an export was not read within %.0f s; it was refused", _READ_WITHIN_S)
                    return Answer("undecodable", message=f"the export could not be read within {_READ_WITHIN_S:.0f} s")
                reply = read_frame(self._output)
                if reply is not None:
                    return unpacked(reply)
            except (BrokenPipeError, ConnectionError):
                pass
            log.warning("a reading process ended unexpectedly; another is started")
            self.stop()
        return Answer("unavailable", message="the processes that read exports keep ending; send it again")

    def stop(self) -> None:
        """End the process; it holds nothing."""
        process, self._process, self._rules, self._told = self._process, None, None, Told()
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def _input(self) -> BinaryIO:
        return _stream(self._process and self._process.stdin)

    @property
    def _output(self) -> BinaryIO:
        return _stream(self._process and self._process.stdout)


def _stream(stream: object) -> BinaryIO:
    if stream is None:
        raise BrokenPipeError("the reading process is gone")
    return cast("BinaryIO", stream)


def _widen(stream: BinaryIO) -> None:
    """A whole export fits into the pipe, where the system lets it (Linux): the two sides need not take turns for each 64 KiB."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def reader_count(asked: int | None) -> int:
    """How many reading processes a collector may start: what was asked for, else one per processor, four at most."""
    return min(4, os.cpu_count() or 1) if asked is None else asked
