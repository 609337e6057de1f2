"""Failures that are played on purpose, by the ordinal of the request they hit."""

from enum import StrEnum

from .errors import ApiError


class Fault(StrEnum):
    """What may go wrong with a request; none of these is billed."""

    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    ABORT = "abort"


def parse_faults(text: str) -> dict[int, Fault]:
    """Read `2:rate_limit,5:abort`: the request's ordinal, counted from 1, and its failure.

    Raises: ValueError naming the part that cannot be read.
    """
    plan: dict[int, Fault] = {}
    for part in filter(None, text.split(",")):
        ordinal, _, name = part.partition(":")
        if not ordinal.isdecimal() or int(ordinal) < 1 or name not in set(Fault):
            raise ValueError(f"fault {part!r} is not ORDINAL:{'|'.join(Fault)}")
        plan[int(ordinal)] = Fault(name)
    return plan


def refusal(fault: Fault) -> ApiError | None:
    """The error answer of a fault; None for an abort, which breaks the connection in the middle instead."""
    match fault:
        case Fault.RATE_LIMIT:
            return ApiError(429, "Rate limit reached for requests.", code="rate_limit_exceeded", retry_after_ms=20)
        case Fault.OVERLOADED:
            return ApiError(529, "Overloaded.", code="overloaded", retry_after_ms=20)
        case Fault.SERVER_ERROR:
            return ApiError(500, "The server had an error while processing the request.", retry_after_ms=20)
        case Fault.ABORT:
            return None
