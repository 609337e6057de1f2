"""What passes between the parts of the collector: an export as it came, what it was read to be, and what its sender is told."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from ledger.arrivals import Arrivals

Encoding: TypeAlias = Literal["protobuf", "json"]
SignalSent: TypeAlias = Literal["span", "log", "metric"]
Outcome: TypeAlias = Literal["stored", "undecodable", "unauthenticated", "forbidden", "too_large", "unsupported", "unavailable"]


class Export(msgspec.Struct, tag=True):
    """One OTLP export request as it came over the wire."""

    signal: SignalSent
    body: bytes
    encoding: Encoding
    compression: str
    credential_tenant: str | None = None


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What the sender is told. `rejected` counts records that were refused while the rest was booked; a message without any is a
    warning."""

    outcome: Outcome
    rejected: int = 0
    message: str = ""


class Prepared(msgspec.Struct, tag=True):
    """An export that was decoded and read, ready to be posted."""

    arrivals: list[Arrivals]
    records: int
    rejected: int
    message: str
