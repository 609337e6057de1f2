"""An asset and what becomes of it, step by step, as values: what was known of calls and updates gives these and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["cache", "rollouts"]
Step: TypeAlias = Literal["capitalised", "depreciated", "written off"]

_PICO = -12


@dataclass(frozen=True, slots=True)
class AssetEntry:
    """One step: `pico_usd` picodollars, always more than 0, at a time and caused by a span, or by a whole trace."""

    step: Step
    at: datetime
    pico_usd: int
    trace_id: bytes
    span_id: bytes | None
    reason: str

    @property
    def usd(self) -> Decimal:
        """The same in dollars, exactly."""
        return dollars(self.pico_usd)


@dataclass(frozen=True, slots=True)
class Asset:
    """What was paid for at `since`: the cache writes of a call (`span_id`), or a batch of rollouts (a whole trace).

    `item`: the last levels of its accounts. `ends_at`: when what is left is written off unless something comes; None where
    nothing is left.
    """

    kind: Kind
    item: str
    trace_id: bytes
    span_id: bytes | None
    since: datetime
    tokens: Decimal
    entries: tuple[AssetEntry, ...]
    ends_at: datetime | None
    why: str

    @property
    def asset_id(self) -> bytes:
        """Sixteen bytes that follow from what it is."""
        return _hashed(self.kind.encode(), self.trace_id, self.span_id or b"")

    def entry_id(self, entry: AssetEntry) -> bytes:
        """Sixteen bytes for a step: the same step by the same cause has the same ones, whatever its amount."""
        if entry.step == "written off":
            cause = (entry.at.isoformat().encode(), entry.reason.encode())
        else:
            cause = (entry.trace_id, entry.span_id or b"")
        return _hashed(self.asset_id, entry.step.encode(), *cause)

    def usd(self, step: Step) -> Decimal:
        """What was booked by one kind of step."""
        return dollars(sum(entry.pico_usd for entry in self.entries if entry.step == step))


def dollars(pico_usd: int) -> Decimal:
    """Picodollars in dollars."""
    return Decimal(pico_usd).scaleb(_PICO)


def picodollars(usd: Decimal) -> int:
    """Dollars in whole picodollars, the least unit of the books."""
    return int(usd.scaleb(-_PICO).to_integral_value())


def summed(entries: Iterable[AssetEntry]) -> tuple[AssetEntry, ...]:
    """Steps of one kind, cause and time as one, in order of time."""
    sums: dict[tuple[datetime, Step, bytes, bytes | None, str], int] = {}
    for entry in entries:
        key = (entry.at, entry.step, entry.trace_id, entry.span_id, entry.reason)
        sums[key] = sums.get(key, 0) + entry.pico_usd
    ordered = sorted(sums.items(), key=lambda each: (each[0][0], each[0][1], each[0][2], each[0][3] or b"", each[0][4]))
    return tuple(
        AssetEntry(step, at, pico_usd, trace_id, span_id, reason) for (at, step, trace_id, span_id, reason), pico_usd in ordered
    )


def _hashed(*parts: bytes) -> bytes:
    """Parts of different lengths cannot be taken for each other: each is hashed with its length."""
    of = hashlib.sha256()
    for part in parts:
        of.update(len(part).to_bytes(4, "big") + part)
    return of.digest()[:16]
