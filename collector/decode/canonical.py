"""One spelling of a record's content, so that a repeated export is recognised whatever its encoding and attribute
order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import orjson

_OPTIONS = orjson.OPT_SORT_KEYS
_NUL = rb"\u0000"


def canonical(parts: Sequence[object]) -> bytes:
    """The parts as JSON with sorted keys: equal for equal content, whatever the order of attributes.

    Measured against sorting the serialised key-values of the message: 1 µs instead of 9 µs for a 17-attribute span.
    """
    return orjson.dumps(parts, option=_OPTIONS)


def pairs_spelling(pairs: Iterable[bytes]) -> bytes:
    """Encoded attributes in an order that does not depend on the one they were sent in.

    What one sender encodes in two ways (the many bits of NaN, maps in another order) is other content.
    """
    return b"".join(sorted(pairs))


def has_nul(spelling: bytes) -> bool:
    """Whether any text in it may hold a NUL character; a false alarm only costs a needless cleaning."""
    return _NUL in spelling


def digest(*spellings: bytes) -> bytes:
    """16 bytes that stand for the content."""
    return hashlib.blake2b(b"".join(spellings), digest_size=16).digest()
