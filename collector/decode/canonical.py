"""One spelling of a record's content, so that a repeated export is recognised whatever its encoding and attribute
order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson

from collector.record import Attributes, AttributeValue

_OPTIONS = orjson.OPT_SORT_KEYS
_NUL = rb"\u0000"


def canonical(parts: Sequence[object]) -> bytes:
    """The parts as JSON with sorted keys: equal for equal content, whatever the order of attributes.

    Measured against sorting the serialised key-values of the message: 1 µs instead of 9 µs for a 17-attribute span.
    """
    return orjson.dumps(parts, option=_OPTIONS)


def has_nul(spelling: bytes) -> bool:
    """Whether any text in it may hold a NUL character; a false alarm only costs a needless cleaning."""
    return _NUL in spelling


def digest(spelling: bytes) -> bytes:
    """16 bytes that stand for the content."""
    return hashlib.blake2b(spelling, digest_size=16).digest()


def merged(attributes: Attributes, content: Attributes) -> dict[str, AttributeValue]:
    """Attributes as they were before content was set apart, so that the digest does not depend on where the line is drawn."""
    return {**attributes, **content} if content else attributes
