"""Work in several processes, each with a connection of its own: estimating is bound by the CPU, and Python uses one core."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

Work = TypeVar("Work")
Answer = TypeVar("Answer")

_connection: psycopg.Connection | None = None  # of a working process, made when it starts


def address_of(connection: psycopg.Connection) -> str:
    """How to connect as this connection does, password and role included."""
    info = connection.info
    return make_conninfo("", **{**info.get_parameters(), **({"password": info.password} if info.password else {})})


def processes_max() -> int:
    """As many as there are cores for us; the database works beside them, but never on all that they do."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worked_apart(
    connection: psycopg.Connection, do: Callable[[psycopg.Connection, Work], Answer], pieces: Sequence[Work], processes: int
) -> Iterator[tuple[Work, Answer]]:
    """Each piece with what `do` answers, as they are done. `do` is a function of a module, pieces can be pickled.

    With one process everything is done here, on the connection given. What a process raises is raised here, once the pieces
    under way are done; the others are left.
    """
    if processes < 2:
        for piece in pieces:
            yield piece, do(connection, piece)
        return
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(processes, context, _connect, (address_of(connection),)) as pool:
        waiting = iter(pieces)
        under_way: dict[Future[Answer], Work] = {}
        try:
            for piece in waiting:
                under_way[pool.submit(_do, do, piece)] = piece
                if len(under_way) > processes:  # one more than work, so that none of them waits for us
                    yield from _done(under_way)
            while under_way:
                yield from _done(under_way)
        finally:
            pool.shutdown(cancel_futures=True)


def _done(under_way: dict[Future[Answer], Work]) -> Iterator[tuple[Work, Answer]]:
    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
        piece = under_way.pop(future)
        yield piece, future.result()


def _connect(address: str) -> None:
    global _connection  # noqa: PLW0603  # a pool's processes have no other place for what they keep
    _connection = psycopg.connect(address, autocommit=True, application_name="pigou-appraise")


def _do(do: Callable[[psycopg.Connection, Work], Answer], piece: Work) -> Answer:
    if _connection is None:
        raise RuntimeError("this process was started without a connection")
    return do(_connection, piece)
