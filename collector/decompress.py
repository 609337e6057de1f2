"""Request bodies are unpacked within a limit: a bomb costs its sender an answer and us nothing more than the limit."""

from __future__ import annotations

import zlib

import zstandard

from collector.errors import CollectorError

COMPRESSIONS = ("identity", "gzip", "deflate", "zstd")


class TooLarge(CollectorError):
    """The body is larger than allowed. Answered with HTTP 413 or gRPC RESOURCE_EXHAUSTED."""


class BadCompression(CollectorError):
    """The body is not what its Content-Encoding says. Answered with HTTP 400."""


def decompress(body: bytes, compression: str, limit_bytes: int) -> bytes:
    """The body unpacked. Raises TooLarge above the limit, BadCompression when the data are damaged or end early."""
    if compression == "identity":
        unpacked = body
    elif compression == "zstd":
        unpacked = _zstd(body, limit_bytes)
    elif compression == "gzip":
        unpacked = _zlib(body, limit_bytes, zlib.MAX_WBITS | 16)
    elif compression == "deflate":
        # RFC 9110 means zlib's format; some clients send the bare stream.
        wbits = zlib.MAX_WBITS if body[:1] and body[0] & 0x0F == 8 else -zlib.MAX_WBITS
        unpacked = _zlib(body, limit_bytes, wbits)
    else:
        raise BadCompression(f"Content-Encoding {compression!r} is not one of {', '.join(COMPRESSIONS)}")
    if len(unpacked) > limit_bytes:
        raise TooLarge(f"the export unpacks to more than {limit_bytes} bytes: send smaller batches")
    return unpacked


def _zlib(body: bytes, limit_bytes: int, wbits: int) -> bytes:
    unpacker = zlib.decompressobj(wbits)
    try:
        unpacked = unpacker.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise BadCompression(f"the body cannot be unpacked: {error}") from error
    if len(unpacked) <= limit_bytes and not unpacker.eof:
        raise BadCompression("the body ends before its compressed data do")
    return unpacked


def _zstd(body: bytes, limit_bytes: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024).stream_reader(body) as reader:
            return reader.read(limit_bytes + 1)
    except zstandard.ZstdError as error:
        raise BadCompression(f"the body cannot be unpacked: {error}") from error
