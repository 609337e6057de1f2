"""Records as they travel from the process that read them: packed, since most are posted without being looked at singly.

Their rows, and those of their text, come within the draft that was made of them (ledger/draft.py), once, and are cut out of it if
a record is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import overload

import msgspec

from ledger.arrivals import ReadyRecord
from ledger.copy_binary import ROW_START_BYTES, row_end

_decode = msgspec.msgpack.Decoder(list[ReadyRecord]).decode
_encode = msgspec.msgpack.Encoder().encode


class PackedRecords(Sequence[ReadyRecord]):
    """Records, unpacked when one of them is first asked for.

    `rows` are theirs and `texts` those of their text, each behind its start, if they hold none themselves.
    """

    def __init__(
        self,
        count: int,
        packed: bytes | memoryview,
        sizes: bytes | memoryview,
        rows: bytes | memoryview,
        texts: bytes | memoryview,
    ) -> None:
        self._count = count
        self._packed, self._sizes, self._rows, self._texts = packed, sizes, rows, texts
        self._records: list[ReadyRecord] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> ReadyRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[ReadyRecord]: ...
    def __getitem__(self, index: int | slice) -> ReadyRecord | list[ReadyRecord]:
        return self._unpacked()[index]

    def __iter__(self) -> Iterator[ReadyRecord]:
        return iter(self._unpacked())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._unpacked() == list(other)  # pyright: ignore[reportUnknownArgumentType]

    def __hash__(self) -> int:
        raise TypeError("records are unhashable, as a list of them is")

    def _unpacked(self) -> list[ReadyRecord]:
        if self._records is None:
            records = _decode(self._packed)
            if self._sizes:
                at = text_at = 0
                for record, size in zip(records, Struct(f">{len(records)}I").unpack(self._sizes), strict=True):
                    at += ROW_START_BYTES + size
                    record.row = bytes(self._rows[at - size : at])
                    if record.text_row is not None:
                        begin, text_at = text_at + ROW_START_BYTES, row_end(self._texts, text_at)
                        record.text_row = bytes(self._texts[begin:text_at])
            self._records = records
        return self._records


def pack(records: Sequence[ReadyRecord], *, with_rows: bool) -> tuple[bytes, bytes]:
    """The records packed, and the sizes of their rows if these are left out. The records given lose them then."""
    if with_rows:
        return _encode(records), b""
    sizes = Struct(f">{len(records)}I").pack(*[len(record.row) for record in records])
    for record in records:
        record.row = b""
        if record.text_row is not None:
            record.text_row = b""
    return _encode(records), sizes
