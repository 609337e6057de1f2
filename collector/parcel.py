"""How what an export came to travels from the process that read it: as bytes that are posted as they are, for the most part."""

from __future__ import annotations

import msgspec

from collector.export import Answer, Prepared
from ledger.arrivals import Arrivals, NewPoint, Rejection
from ledger.basis import Basis
from ledger.draft import EarlyDraft, draft_early
from ledger.packed import PackedRecords, pack

_WHOLE_MAX = 2**63 - 1  # msgpack knows no larger numbers


class Part(msgspec.Struct, array_like=True):
    """Arrivals of one tenant; see `Arrivals` and `PackedRecords`."""

    tenant: str
    signal: str
    points: list[NewPoint]
    resources: dict[str, str]
    rejections: list[Rejection]
    requests: int
    size_bytes: int
    is_judged: bool
    draft: EarlyDraft | None
    count: int
    packed: memoryview
    sizes: memoryview


class Parcel(msgspec.Struct, array_like=True):
    """A `Prepared`, or else the answer that came instead."""

    parts: list[Part]
    records: int
    rejected: int
    message: str
    answer: Answer | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Parcel).decode


def packed(result: Prepared | Answer, basis: Basis) -> bytes:
    """The result as it travels, its rows drafted if they can be."""
    if isinstance(result, Answer):
        return _encode(Parcel([], 0, 0, "", result))
    parts: list[Part] = []
    for arrivals in result.arrivals:
        draft_early(arrivals, basis)
        parts.append(_part(arrivals))
    return _encode(Parcel(parts, result.records, result.rejected, result.message, None))


def unpacked(frame: bytes) -> Prepared | Answer:
    """What `packed` was given, with its drafts."""
    parcel = _decode(frame)
    if parcel.answer is not None:
        return parcel.answer
    return Prepared([_arrivals(part) for part in parcel.parts], parcel.records, parcel.rejected, parcel.message)


def _part(arrivals: Arrivals) -> Part:
    draft = arrivals.draft if _travels(arrivals.draft) else None
    records, sizes = pack(arrivals.records, with_rows=draft is None)
    return Part(
        arrivals.tenant, arrivals.signal, arrivals.points, arrivals.resources, arrivals.rejections, arrivals.requests,
        arrivals.size_bytes, arrivals.is_judged, draft, len(arrivals.records), memoryview(records), memoryview(sizes),
    )  # fmt: skip


def _travels(draft: EarlyDraft | None) -> bool:
    """Whether no sum of it is too large; one that is too large is drafted where it is posted."""
    return draft is not None and all(picodollars <= _WHOLE_MAX for _, picodollars, _ in draft.draft.moved.values())


def _arrivals(part: Part) -> Arrivals:
    nothing = memoryview(b"")
    rows, texts = (part.draft.draft.records, part.draft.draft.texts) if part.draft is not None else (nothing, nothing)
    return Arrivals(
        part.tenant, part.signal, PackedRecords(part.count, part.packed, part.sizes, rows, texts), part.points, part.resources,
        part.rejections, part.requests, part.size_bytes, part.is_judged, part.draft,
    )  # fmt: skip
