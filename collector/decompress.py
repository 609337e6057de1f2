"""Request bodies are unpacked within a limit: a bomb costs its sender an answer and us nothing more than the limit."""

from __future__ import annotations

import zlib

import zstandard

from collector.errors import CollectorError, TooLarge

_PARTS_MAX = 64
"""Parts of one body; every sender known writes one. Each is read from a copy of the rest: thousands would be a bomb too."""

_ZSTD_BLOCKS_MAX = 100_000
"""A block holds up to 128 KiB. Empty ones take three bytes each, and time."""

_ZSTD_WINDOW_MAX = 8 * 1024 * 1024
_ZSTD_RUN_LENGTH = 1

COMPRESSIONS = ("identity", "gzip", "deflate", "zstd")


class BadCompression(CollectorError):
    """The body is not what its Content-Encoding says. Answered with HTTP 400."""


def decompress(body: bytes, compression: str, limit_bytes: int) -> bytes:
    """The body unpacked, all its parts. Raises TooLarge above the limit, BadCompression when it is damaged or ends early."""
    if compression == "identity":
        unpacked = body
    elif compression == "zstd":
        unpacked = _zstd(body, limit_bytes)
    elif compression == "gzip":
        unpacked = _zlib(body, limit_bytes, zlib.MAX_WBITS | 16, _PARTS_MAX)
    elif compression == "deflate":
        # RFC 9110 means zlib's format; some clients send the bare stream.
        wbits = zlib.MAX_WBITS if body[:1] and body[0] & 0x0F == 8 else -zlib.MAX_WBITS
        unpacked = _zlib(body, limit_bytes, wbits, 1)
    else:
        raise BadCompression(f"Content-Encoding {compression!r} is not one of {', '.join(COMPRESSIONS)}")
    if len(unpacked) > limit_bytes:
        raise TooLarge(f"the export unpacks to more than {limit_bytes} bytes: send smaller batches")
    return unpacked


def _zlib(body: bytes, limit_bytes: int, wbits: int, parts_max: int) -> bytes:
    parts: list[bytes] = []
    left = limit_bytes + 1
    for _ in range(parts_max):
        unpacker = zlib.decompressobj(wbits)
        try:
            part = unpacker.decompress(body, left)
        except zlib.error as error:
            raise BadCompression(f"the body cannot be unpacked: {error}") from error
        parts.append(part)
        left -= len(part)
        if left == 0:
            break
        if not unpacker.eof:
            raise BadCompression("the body ends before its compressed data do")
        body = unpacker.unused_data
        if not body:
            break
    else:
        raise BadCompression(f"the body goes on after its compressed data ({parts_max} of them were read)")
    return b"".join(parts)


def _zstd(body: bytes, limit_bytes: int) -> bytes:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_MAX)
    try:
        _check_zstd_is_whole(body)
        with unpacker.stream_reader(body, read_across_frames=True) as reader:
            parts: list[bytes] = []
            left = limit_bytes + 1
            while left and (part := reader.read(left)):
                parts.append(part)
                left -= len(part)
    except zstandard.ZstdError as error:
        raise BadCompression(f"the body cannot be unpacked: {error}") from error
    return b"".join(parts)


def _check_zstd_is_whole(body: bytes) -> None:
    """Walk the blocks of every frame (RFC 8878, 3.1.1), since the library takes a frame that breaks off for one that ended."""
    at = blocks = 0
    for _ in range(_PARTS_MAX):
        head = body[at : at + 18]
        checksum = 4 if zstandard.get_frame_parameters(head).has_checksum else 0
        at += zstandard.frame_header_size(head)
        is_last = False
        while not is_last:
            block = int.from_bytes(body[at : at + 3], "little")
            is_last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
            at += 3 + (1 if kind == _ZSTD_RUN_LENGTH else size)
            blocks += 1
            if at > len(body):
                raise BadCompression("the body ends before its compressed data do")
            if blocks > _ZSTD_BLOCKS_MAX:
                raise BadCompression(f"the body has more than {_ZSTD_BLOCKS_MAX} blocks")
        at += checksum
        if at == len(body):
            return
        if at > len(body):
            raise BadCompression("the body ends before its compressed data do")
    raise BadCompression(f"the body has more than {_PARTS_MAX} frames")
