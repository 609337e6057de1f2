"""The kinds of faults: what is set up for each, and what strikes when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from bench.faults import clock, strikes, workload
from bench.faults.sender import Timeout, impatient, patient
from bench.faults.workload import Outgoing

if TYPE_CHECKING:
    from bench.faults.rounds import Round

Strike: TypeAlias = "Callable[[Round], str]"
"""Lets the fault happen while the load is sent, mends what does not mend itself, and answers a note (or nothing)."""

KIB = 1024
_EXPORTS = 80
_PACE_S = 0.01
_OUTAGE_PACE_S = 0.1
_OUTAGE_EXPORTS_PER_S = 48  # what four connections send at that pace, and a fifth more: the load must outlast the outage


@dataclass(frozen=True)
class Kind:
    """One kind of fault, with the load and the surroundings it needs."""

    name: str
    strike: Strike
    exports: int = _EXPORTS
    exports_per_outage_s: int = 0
    """Exports more for every second that PostgreSQL is away."""
    pace_s: float = _PACE_S
    """What a connection waits after each export, about."""
    load: Callable[[int, str], list[Outgoing]] = workload.plain
    timeout: Timeout = patient
    collectors: int = 1
    behind_proxy: bool = False
    own_clock: bool = False
    spool_limit_bytes: int | None = None
    full_disk: Literal["tmpfs", "file limit"] | None = None


def _away(name: str, strike: Strike) -> Kind:
    """A kind in which PostgreSQL is away while exports keep coming."""
    return Kind(name, strike, exports_per_outage_s=_OUTAGE_EXPORTS_PER_S, pace_s=_OUTAGE_PACE_S)


def _listed() -> tuple[Kind, ...]:
    return (
        Kind("kill_worker", strikes.kill_worker, exports=200),
        Kind("kill_collector", strikes.kill_collector),
        Kind("restart_collector", strikes.restart_collector),
        Kind("kill_backend", strikes.kill_backend),
        Kind("kill_postgres", strikes.kill_postgres),
        _away("stop_postgres", strikes.stop_postgres),
        _away("freeze_postgres", strikes.freeze_postgres),
        _away("kill_both", strikes.kill_both),
        Kind("spool_full", strikes.fill_spool, exports=400, load=workload.compressed, spool_limit_bytes=128 * KIB),
        Kind("disk_full", strikes.fill_disk, exports=400, load=workload.compressed, full_disk=strikes.way_to_fill_a_disk()),
        Kind("cut_connection", strikes.cut_connection, exports=160, behind_proxy=True),
        Kind("two_collectors", strikes.nothing, collectors=2),
        Kind("repeated", strikes.nothing, load=workload.repeated),
        Kind("impatient", strikes.nothing, timeout=impatient),
        Kind("clock_jumps", strikes.jump_clock, load=workload.skewed, own_clock=clock.is_available()),
    )


KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _listed()}
