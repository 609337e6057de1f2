"""Drafts: the rows that records become, written before the transaction that needs them has begun.

A draft is made where an export was read, while PostgreSQL works on others, from what the writer remembers: the tenant's id, its
last closed day, the terms of its calls. It supposes that nothing is known yet of the export's traces and calls. Posting looks,
under the tenants' locks, whether all that held; what did not is drafted again there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct

from ledger.arrivals import Arrivals, ReadyCall, ReadyRecord, Verdict
from ledger.call_entries import CallEntries
from ledger.copy_binary import EPOCH_US, row_start, text_field
from ledger.memory import WriterMemory
from ledger.terms import CallKind, Terms, kind_of

KEY_COLUMNS = "tenant_id, trace_id, span_id, started_at, key"
_KEY = Struct(">h" + "ii" + "i16s" + "i8s" + "iq")


class Draft:
    """Rows and lines for COPY of one tenant's records, controls and new calls, and what the calls add to the balances."""

    def __init__(
        self,
        tenant: str,
        tenant_id: int,
        closed_through: int | None,
        records: Sequence[ReadyRecord],
        terms: Mapping[CallKind, Terms],
        verdict_of: Callable[[ReadyRecord, ReadyCall], Verdict],
    ) -> None:
        """Raises KeyError when the terms of a kind of call are not among `terms`."""
        start, mark = row_start(tenant_id), b"%d\t" % tenant_id
        self.records = b"".join([part for record in records for part in (start, record.row)])
        self.controls = b"".join(
            [part for record in records if record.control_line is not None for part in (mark, record.control_line)]
        )
        entries = CallEntries(tenant, tenant_id, closed_through)
        keys: list[bytes] = []
        for record in records:
            call = record.call
            if call is not None:
                entries.add(record, call, verdict_of(record, call), terms[kind_of(call)])
                keys += [_key_row(tenant_id, record, key) for key in dict.fromkeys(call.keys)]
        self.calls = b"".join(entries.calls)
        self.entries = b"".join(entries.entries)
        self.transfers = b"".join(entries.transfers)
        self.call_keys = b"".join(keys)
        self.written = entries.written
        self.moved = entries.moved
        self.count = len(records)


class EarlyDraft:
    """A draft that was made of one export before its transaction, with what must still be so for it to hold."""

    def __init__(self, arrivals: Arrivals, tenant_id: int, memory: WriterMemory) -> None:
        """Raises KeyError when something is not remembered that it takes."""
        self.memory = memory
        self.edition = memory.terms.edition
        self.tenant_id = tenant_id
        self.closed_through = memory.closed_through[tenant_id]
        records = arrivals.records
        self.traces = {record.trace_id for record in records}
        self.keys = {key for record in records if record.call is not None for key in record.call.keys}
        terms = memory.terms.known(tenant_id)
        self.draft = Draft(arrivals.tenant, tenant_id, self.closed_through, records, terms, _alone)

    def holds(self, memory: WriterMemory, tenant_id: int, closed_through: int | None) -> bool:
        """Whether what it was made from is still so."""
        return (
            self.memory is memory
            and self.edition == memory.terms.edition
            and self.tenant_id == tenant_id
            and self.closed_through == closed_through
        )


def draft_early(arrivals: Arrivals, memory: WriterMemory) -> None:
    """Draft an export's rows for a tenant, if all that takes is remembered and its records are new among themselves."""
    tenant_id = memory.tenants.get(arrivals.tenant)
    if tenant_id is None or not arrivals.is_judged:
        return
    if len({(record.trace_id, record.span_id) for record in arrivals.records}) < len(arrivals.records):
        return
    try:
        arrivals.draft = EarlyDraft(arrivals, tenant_id, memory)
    except KeyError:  # its first calls of a kind: posting looks their terms up
        return


def early_drafts(group: Sequence[Arrivals]) -> list[EarlyDraft] | None:
    """The drafts of several exports of one tenant; None unless all have one, of different traces and different calls."""
    drafts = [arrivals.draft for arrivals in group if isinstance(arrivals.draft, EarlyDraft)]
    if len(drafts) < len(group):
        return None
    traces = sum(len(draft.traces) for draft in drafts)
    keys = sum(len(draft.keys) for draft in drafts)
    if len(drafts) > 1 and (
        len(set[bytes]().union(*(draft.traces for draft in drafts))) < traces
        or len(set[str]().union(*(draft.keys for draft in drafts))) < keys
    ):
        return None
    return drafts


def _key_row(tenant_id: int, record: ReadyRecord, key: str) -> bytes:
    at = record.started_us - EPOCH_US
    return _KEY.pack(5, 4, tenant_id, 16, record.trace_id, 8, record.span_id, 8, at) + text_field(key)


def _alone(_: ReadyRecord, call: ReadyCall) -> Verdict:
    return call.alone
