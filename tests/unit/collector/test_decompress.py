"""Unpacking request bodies: every format of the wire, damage that is noticed, and bombs that cost nothing."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard

from collector.decompress import BadCompression, TooLarge, decompress

LIMIT = 1_000_000
BODY = b"spans " * 5000


def deflate_raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def zstd_streamed(body: bytes) -> bytes:
    """As a streaming sender writes it: without the content's size in the frame's header."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without its header": ("deflate", deflate_raw),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "zstd streamed": ("zstd", zstd_streamed),
}
packed = pytest.mark.parametrize(("compression", "pack"), PACKERS.values(), ids=PACKERS)


@packed
@pytest.mark.parametrize("body", [BODY, b"", b"x"])
def test_what_was_packed_comes_back(compression: str, pack: Callable[[bytes], bytes], body: bytes) -> None:
    assert decompress(pack(body), compression, LIMIT) == body


@packed
def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not(compression: str, pack: Callable[[bytes], bytes]) -> None:
    assert len(decompress(pack(b"x" * 5000), compression, 5000)) == 5000
    with pytest.raises(TooLarge):
        decompress(pack(b"x" * 5001), compression, 5000)


@packed
def test_an_end_that_is_missing_is_noticed(compression: str, pack: Callable[[bytes], bytes]) -> None:
    whole = pack(BODY)
    for kept in (1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(BadCompression):
            decompress(whole[:kept], compression, LIMIT)


@packed
def test_damage_is_noticed(compression: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BadCompression):
        decompress(b"\xff\x00not packed at all", compression, LIMIT)


@packed
def test_rubbish_after_the_end_is_noticed(compression: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BadCompression):
        decompress(pack(BODY) + b"rubbish", compression, LIMIT)


@pytest.mark.parametrize(("compression", "pack"), [PACKERS["gzip"], PACKERS["zstd"], PACKERS["zstd streamed"]])
def test_parts_one_after_the_other_are_one_body(compression: str, pack: Callable[[bytes], bytes]) -> None:
    """Both formats define a body of several parts as their concatenation; to stop after the first would lose records."""
    assert decompress(pack(b"one ") + pack(b"two ") + pack(b"three"), compression, LIMIT) == b"one two three"
    with pytest.raises(TooLarge):
        decompress(pack(b"x" * 600) * 2, compression, 1000)


@pytest.mark.parametrize(("compression", "pack"), [PACKERS["gzip"], PACKERS["zstd"]])
def test_a_body_of_very_many_parts_is_refused(compression: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BadCompression):
        decompress(pack(b"x") * 10_000, compression, LIMIT)


def deflated_bomb(wbits: int) -> bytes:
    """Two hundred million zeros: after a full flush nothing refers to what came before, so one packed million is repeated."""
    packer = zlib.compressobj(wbits=wbits)
    first, again = (packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + 199 * again + packer.flush()


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: deflated_bomb(16 + zlib.MAX_WBITS),
    "deflate": lambda: deflated_bomb(zlib.MAX_WBITS),
    "deflate without its header": lambda: deflated_bomb(-zlib.MAX_WBITS),
    "zstd": lambda: PACKERS["zstd"][1](bytes(200_000_000)),
    "zstd streamed": lambda: PACKERS["zstd streamed"][1](bytes(200_000_000)),
}


@pytest.mark.parametrize("form", BOMBS)
def test_a_bomb_costs_no_memory(form: str) -> None:
    compression, bomb = PACKERS[form][0], BOMBS[form]()
    assert len(bomb) < 400_000
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decompress(bomb, compression, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 20 * LIMIT
    finally:
        tracemalloc.stop()


def test_a_zstd_frame_that_asks_for_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    frame = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(BadCompression):
        decompress(frame.compress(b"x" * 1000) + frame.flush(), "zstd", LIMIT)


def test_a_plain_body_has_the_same_limit() -> None:
    assert decompress(b"x" * 10, "identity", 10) == b"x" * 10
    with pytest.raises(TooLarge):
        decompress(b"x" * 11, "identity", 10)


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(BadCompression, match="br"):
        decompress(b"", "br", LIMIT)
