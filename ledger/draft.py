"""Drafts: the rows that records become, written before the transaction that needs them has begun.

A draft is made where an export was read, while PostgreSQL works on others, from what the writer remembers (ledger/basis.py): the
tenant's id, its last closed day, the terms of its calls. It supposes that nothing is known yet of the export's traces and calls.
Posting looks, under the tenants' locks, whether all that held; what did not is drafted again there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct

import msgspec

from ledger.arrivals import Arrivals, ReadyCall, ReadyRecord, Verdict
from ledger.basis import Basis
from ledger.call_entries import CallEntries, Moved
from ledger.copy_binary import EPOCH_US, kept_text_start, row_start, text_field
from ledger.terms import CallKind, Terms, kind_of

KEY_COLUMNS = "tenant_id, trace_id, span_id, started_at, key"
_KEY = Struct(">h" + "ii" + "i16s" + "i8s" + "iq")
_DAY_US = 86_400_000_000


class Draft(msgspec.Struct, array_like=True):
    """Rows and lines for COPY of one tenant's records, text, controls and new calls, and what the calls add to the balances."""

    records: memoryview
    controls: memoryview
    calls: memoryview
    entries: memoryview
    transfers: memoryview
    call_keys: memoryview
    texts: memoryview
    written: dict[str, int]
    """Calls by status."""
    moved: Moved


class EarlyDraft(msgspec.Struct, array_like=True):
    """A draft that was made of one export before its transaction, with what must still be so for it to hold."""

    edition: int
    tenant_id: int
    closed_through: int | None
    traces: list[bytes]
    keys: list[str]
    """Strong identities of its calls."""
    days: list[int]
    """In which its records began, since 1970."""
    started_us: tuple[int, int]
    """When the first and the last of them began."""
    draft: Draft

    def holds(self, basis: Basis, tenant_id: int, closed_through: int | None) -> bool:
        """Whether what it was made from is still so."""
        return self.edition == basis.edition and self.tenant_id == tenant_id and self.closed_through == closed_through


def draft_of(
    tenant: str,
    tenant_id: int,
    closed_through: int | None,
    records: Sequence[ReadyRecord],
    terms: Mapping[CallKind, Terms],
    verdict_of: Callable[[ReadyRecord, ReadyCall], Verdict],
) -> Draft:
    """The rows of some records. Raises KeyError when the terms of a kind of call are not among `terms`."""
    start, mark = row_start(tenant_id), b"%d\t" % tenant_id
    rows: list[bytes] = []
    controls: list[bytes] = []
    keys: list[bytes] = []
    texts: list[bytes] = []
    entries = CallEntries(tenant, tenant_id, closed_through)
    for record in records:
        rows += (start, record.row)
        call = record.call
        if call is not None:
            entries.add(record, call, verdict_of(record, call), terms[kind_of(call)])
            if call.keys:
                keys += [_key_row(tenant_id, record, key) for key in dict.fromkeys(call.keys)]
        if record.control_line is not None:
            controls += (mark, record.control_line)
        if record.text_row is not None:
            texts += (kept_text_start(tenant_id), record.text_row)
    return Draft(
        _joined(rows), _joined(controls), _joined(entries.calls), _joined(entries.entries), _joined(entries.transfers),
        _joined(keys), _joined(texts), entries.written, entries.moved,
    )  # fmt: skip


def draft_early(arrivals: Arrivals, basis: Basis) -> None:
    """Draft an export's rows for a tenant, if all that takes is remembered and its records are new among themselves."""
    edition = basis.edition
    tenant_id = basis.tenants.get(arrivals.tenant)
    records = arrivals.records
    if tenant_id is None or not records or not arrivals.is_judged:
        return
    if len({(record.trace_id, record.span_id) for record in records}) < len(records):
        return
    try:
        closed_through = basis.closed_through[tenant_id]
        drafted = draft_of(arrivals.tenant, tenant_id, closed_through, records, basis.terms_of(tenant_id), _alone)
    except KeyError:  # its first calls of a kind: posting looks their terms up
        return
    started = [record.started_us for record in records]
    arrivals.draft = EarlyDraft(
        edition, tenant_id, closed_through,
        list({record.trace_id for record in records}),
        list({key for record in records if record.call is not None for key in record.call.keys}),
        list({at // _DAY_US for at in started}), (min(started), max(started)), drafted,
    )  # fmt: skip


def early_drafts(group: Sequence[Arrivals]) -> list[EarlyDraft] | None:
    """The drafts of several exports of one tenant; None unless all have one, of different traces and different calls."""
    drafts = [arrivals.draft for arrivals in group if isinstance(arrivals.draft, EarlyDraft)]
    if len(drafts) < sum(len(arrivals.records) > 0 for arrivals in group):
        return None
    traces = sum(len(draft.traces) for draft in drafts)
    keys = sum(len(draft.keys) for draft in drafts)
    if len(drafts) > 1 and (
        len(set[bytes]().union(*(draft.traces for draft in drafts))) < traces
        or len(set[str]().union(*(draft.keys for draft in drafts))) < keys
    ):
        return None
    return drafts


def _joined(parts: list[bytes]) -> memoryview:
    return memoryview(b"".join(parts))


def _key_row(tenant_id: int, record: ReadyRecord, key: str) -> bytes:
    at = record.started_us - EPOCH_US
    return _KEY.pack(5, 4, tenant_id, 16, record.trace_id, 8, record.span_id, 8, at) + text_field(key)


def _alone(_: ReadyRecord, call: ReadyCall) -> Verdict:
    return call.alone
