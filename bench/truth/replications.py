"""Replications of a simulation: by several processes at once, each written down as it is done, so that nothing is done twice."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

Outcome = TypeVar("Outcome", bound=msgspec.Struct)
Run = tuple[int, int, int]
"""Which case, with which seed, the how manyth."""


def replicated(
    once: Callable[[Run], Outcome], runs: Sequence[Run], of: type[Outcome], processes: int = 1, kept: Path | None = None
) -> Iterator[Outcome]:
    """The outcomes of all runs, in no order.

    `kept`: a file with a line for each run that was done, to which those that are done now are added; it is of one simulation as
    it is now, so that another, or a changed one, wants another file.
    """
    known = {} if kept is None else _read(kept, of)
    yield from (known[run] for run in runs if run in known)
    due = [run for run in runs if run not in known]
    if processes > 1 and len(due) > 1:
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            yield from _kept(pool.imap_unordered(_Of(once), due), kept)
    else:
        yield from _kept(((run, once(run)) for run in due), kept)


class _Of(Generic[Outcome]):
    """A run with its outcome, as a function that another process can be sent."""

    def __init__(self, once: Callable[[Run], Outcome]) -> None:
        self.once = once

    def __call__(self, run: Run) -> tuple[Run, Outcome]:
        return run, self.once(run)


def _kept(done: Iterable[tuple[Run, Outcome]], kept: Path | None) -> Iterator[Outcome]:
    for run, outcome in done:
        if kept is not None:
            with kept.open("ab") as file:
                file.write(msgspec.json.encode((run, outcome)) + b"\n")
        yield outcome


def _read(kept: Path, of: type[Outcome]) -> dict[Run, Outcome]:
    if not kept.exists():
        return {}
    decoder = msgspec.json.Decoder(tuple[Run, of])
    whole = [line for line in kept.read_bytes().split(b"\n")[:-1] if line]  # a last line without an end was broken off
    return dict(decoder.decode(line) for line in whole)
