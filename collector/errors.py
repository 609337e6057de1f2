"""What the collector refuses as a whole; faults of single records are `Problem` values instead."""

from __future__ import annotations


class CollectorError(Exception):
    """Base of everything the collector raises on purpose."""


class Undecodable(CollectorError):
    """The request body is not an OTLP export: nothing of it could be read. Answered with HTTP 400 or gRPC INVALID_ARGUMENT."""


class TooDeep(CollectorError):
    """The request body is nested deeper than any parser goes. Answered with HTTP 413 or gRPC INVALID_ARGUMENT."""


class TooLarge(CollectorError):
    """The request is larger than allowed, in bytes or in records. Answered with HTTP 413 or gRPC INVALID_ARGUMENT."""
