"""`python -m collector.reader`: a process that reads and drafts exports for a collector, until its standard input ends.

It is told things on standard input and answers each export on standard output, each message as a frame: four bytes of length
(big-endian), then msgpack. Started by collector/readers.py; it holds nothing that would be missed if it were killed.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from typing import BinaryIO

import msgspec

from collector.content import ContentPolicy
from collector.export import Export
from collector.infer import Rules, UseRule
from collector.parcel import packed
from collector.preparing import ReadingPolicy, prepare
from ledger.basis import News, ToldBasis

_NICE = 5
"""Posting is done by one process after the other, and reading by several at once: reading gives way."""


class Instructions(msgspec.Struct, tag=True):
    """How to read what follows."""

    policy: ReadingPolicy
    rules: tuple[UseRule, ...]


Message = Instructions | News | Export

encode = msgspec.msgpack.Encoder().encode


def main() -> None:
    """Read exports until there are none."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's is for the collector, which ends us by closing our input
    os.nice(_NICE)
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    decode = msgspec.msgpack.Decoder(Message).decode
    policy, rules, basis = ReadingPolicy(0, "default", ContentPolicy()), Rules.default(), ToldBasis()
    while (body := read_frame(sys.stdin.buffer)) is not None:
        message = decode(body)
        if isinstance(message, Instructions):
            policy, rules = message.policy, Rules(message.rules)
        elif isinstance(message, News):
            basis.take(message)
        else:
            write_frame(sys.stdout.buffer, packed(prepare(message, policy, rules), basis))


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame's body, or None where the stream ends (also in the middle of a frame)."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    body = stream.read(size)
    return body if len(body) == size else None


def write_frame(stream: BinaryIO, body: bytes) -> None:
    """Send one frame. Raises BrokenPipeError when nobody listens."""
    stream.write(len(body).to_bytes(4, "big"))
    stream.write(body)
    stream.flush()


if __name__ == "__main__":
    main()
