"""What the collector refuses as a whole; faults of single records are `Problem` values instead."""

from __future__ import annotations


class CollectorError(Exception):
    """Base of everything the collector raises on purpose."""


class Undecodable(CollectorError):
    """The request body is not an OTLP export: nothing of it could be read. Answered with HTTP 400 or gRPC INVALID_ARGUMENT."""


class TooDeep(CollectorError):
    """The request body is nested deeper than any parser goes. Answered with HTTP 413 or gRPC INVALID_ARGUMENT."""


class SpoolError(CollectorError):
    """The spool cannot do what was asked. `mend` is what the person reading it can do."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(f"{message}; {mend}" if mend else message)
        self.message = message
        self.mend = mend


class SpoolFull(SpoolError):
    """The spool has no room for the exports within its limit; nothing of them was kept. Answered with 503 and Retry-After."""


class SpoolUnwritable(SpoolError):
    """The disk refuses the spool: full, read-only or failing. Nothing was kept; it is tried again at the next use. Answered with
    503 and Retry-After."""


class SpoolInUse(SpoolError):
    """Another process owns the spool's folder."""
